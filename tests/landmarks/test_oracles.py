"""The tools' own parsers read what we write, and we read what they write.

roifile and pycocotools are in test_imagej.py and test_coco_peer.py.
"""

import json

import cv2
import numpy as np
import pytest
from peers import ask

import scp

NAMES = ["sella", 'na"s <A>', "pü"]
SHAPE = 401, 301
FLAT, DEEP = ["000.png", "001.png"], ["a/000.png", "001.png"]


def made(folder, names):
    """Images in a folder, with points of which one is absent and one hidden."""
    for name in names:
        file = folder / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(file), np.full(SHAPE, 99, np.uint8))
    images = scp.datasets.folder(folder / "images")
    xy = np.random.default_rng(0).uniform(0, 300, (2, 3, 2))
    xy[1, 1] = np.nan
    visible = np.array([[True, False, True], [True, True, True]])
    return images, scp.Landmarks(images.ids, NAMES, xy, visible=visible)


def points(said, names=NAMES):
    """Points as [N][L][2] of what a peer answers: {image: {name: [x, y]}}."""
    out = np.full((len(said), len(names), 2), np.nan)
    for i, image in enumerate(sorted(said)):
        for name, place in said[image].items():
            out[i, names.index(name)] = place
    return out


DATUMARO = """
import datumaro
from datumaro import AnnotationType
data = datumaro.Dataset.import_from(arguments[0], arguments[1])
labels = data.categories()[AnnotationType.label]
answer = {}
for item in data:
    answer[item.id] = {
        labels[a.label].name: [*a.points, a.attributes["occluded"]] for a in item.annotations
    }
if len(arguments) > 2:
    data.export(arguments[2], arguments[1], save_media=False)
"""


def test_datumaro_reads_and_writes_cvat(tmp_path):
    images, said = made(tmp_path, DEEP)
    scp.write_landmarks(tmp_path / "cvat.xml", said, "cvat", images)
    found = ask("datumaro", DATUMARO, tmp_path / "cvat.xml", "cvat", tmp_path / "out")
    assert sorted(found) == sorted(scp.landmarks.stem(name) for name in images.ids)
    hidden = [[name for name, (*_, h) in found[i].items() if h] for i in sorted(found)]
    assert hidden == [['na"s <A>'], []]
    places = {i: {name: row[:2] for name, row in found[i].items()} for i in found}
    np.testing.assert_allclose(points(places) - 0.5, said.xy, atol=0.0051)  # it keeps 2 digits
    (written,) = (tmp_path / "out").rglob("*.xml")
    back = scp.read_landmarks(written, images=images)
    np.testing.assert_allclose(back.rows(said.ids).xy, said.xy, atol=0.0101)
    np.testing.assert_array_equal(back.rows(said.ids).visible, said.visible)


LABELS = "".join(f"<Label value={v}/>" for v in ('"sella"', '"na&quot;s &lt;A&gt;"', '"pü"'))
CONFIG = (
    '<View><Image name="image" value="$image"/><KeyPointLabels name="landmarks" toName="image">'
    f"{LABELS}</KeyPointLabels></View>"
)
LABEL_STUDIO = """
from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface
config, file, out = arguments
interface = LabelInterface(config)
interface.validate()
valid = []
tasks = json.load(open(file, encoding="utf-8"))
for k, task in enumerate(tasks):
    task["id"] = k  # as an import gives it
    valid += [interface.validate_annotation(entry) for entry in task.get("annotations", [])]
    valid += [interface.validate_prediction(entry) for entry in task.get("predictions", [])]
converter = Converter(config=config, project_dir=None, download_resources=False)
with open(file, "w") as again:
    json.dump(tasks, again)
converter.convert_to_json_min(file, out, is_dir=False)
samples = [interface.generate_sample_annotation() for _ in range(5)]
answer = {"valid": valid, "samples": samples, "flat": json.load(open(out + "/result.json"))}
"""


@pytest.mark.parametrize("found", [True, False])
def test_label_studio(tmp_path, found):
    images, said = made(tmp_path, DEEP)
    if found:
        sure = np.where(said.present, 0.25, np.nan)
        source = np.where(said.present, "found", "")
        said = scp.Landmarks(said.ids, NAMES, said.xy, sure, source=source)
    file = tmp_path / "tasks.json"
    scp.write_landmarks(file, said, "label-studio", images)
    answer = ask("label_studio_sdk", LABEL_STUDIO, CONFIG, file, tmp_path / "out")
    assert answer["valid"] == [True, True]
    if not found:  # its exports have what people said
        flat = {
            task["image"]: {p["keypointlabels"][0]: [p["x"], p["y"]] for p in task["landmarks"]}
            for task in answer["flat"]
        }
        pixels = points(flat) / 100 * SHAPE[::-1] - 0.5
        np.testing.assert_allclose(pixels, said.xy, atol=1e-9)
    for sample in answer["samples"]:
        size = {"original_width": SHAPE[1], "original_height": SHAPE[0]}
        (entry,) = sample["result"]
        task = {"data": {"image": "001.png"}, "annotations": [{"result": [{**entry, **size}]}]}
        file.write_text(json.dumps([task]))
        (name,), value = entry["value"]["keypointlabels"], entry["value"]
        back = scp.read_landmarks(file, images=images)
        expected = np.array([value["x"], value["y"]]) / 100 * SHAPE[::-1] - 0.5
        assert back.names == [name]
        np.testing.assert_allclose(back.xy[0, 0], expected)


LABELME = """
from labelme._label_file import LabelFile
answer = {}
for file in arguments:
    read = LabelFile(file)
    answer[file] = [[s["label"], s["points"], s["shape_type"], s["flags"]] for s in read.shapes]
"""


def test_labelme(tmp_path):
    images, said = made(tmp_path, FLAT)
    scp.write_landmarks(tmp_path / "images", said, "labelme", images)
    files = sorted((tmp_path / "images").glob("*.json"))
    shapes = ask("labelme", LABELME, *files).values()
    read = {i: {name: place for name, (place,), _, _ in rows} for i, rows in enumerate(shapes)}
    np.testing.assert_allclose(points(read) - 0.5, said.xy, atol=1e-9)
    assert all(kind == "point" for rows in shapes for *_, kind, _ in rows)
    assert [row[0] for rows in shapes for row in rows if row[3].get("hidden")] == ['na"s <A>']


SLICER = """
import slicerio
old, new = arguments
answer = slicerio.fcsv_to_markups_json(old, new) and None
answer = slicerio.read_markups_fcsv(old)
"""


@pytest.mark.parametrize("system", ["LPS", "RAS", "0", "1"])
def test_slicerio(tmp_path, system):
    images, said = made(tmp_path, FLAT)
    sign, old = (-1 if system in ("RAS", "0") else 1), tmp_path / "old"
    old.mkdir()
    rows = [
        f"{k + 1},{sign * x!r},{sign * y!r},0,0,0,0,1,1,1,0,p{k},,"
        for k, (x, y) in enumerate(said.xy[0].tolist())
    ]
    columns = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
    head = f"# Markups fiducial file version = 4.11\n# CoordinateSystem = {system}\n"
    (old / "000.fcsv").write_text(f"{head}# columns = {columns}\n" + "\n".join(rows) + "\n")
    ask("slicerio", SLICER, old / "000.fcsv", tmp_path / "000.mrk.json")
    for file in (old / "000.fcsv", tmp_path / "000.mrk.json"):
        found = scp.read_landmarks(file, images=images)
        np.testing.assert_allclose(found.xy[0], said.xy[0])


SLEAP = """
import sleap_io
kind, source, out = arguments
load = {"coco": sleap_io.load_coco, "yolo-pose": sleap_io.load_ultralytics}[kind]
labels = load(source)
found = [frame.instances[0].numpy().tolist() for frame in labels]
answer = {"names": labels.skeletons[0].node_names, "points": found}
if kind == "coco":
    sleap_io.save_coco(labels, out)
else:
    sleap_io.save_ultralytics(labels, out, split_ratios={"train": 1.0})
"""


@pytest.mark.parametrize("kind", ["coco", "yolo-pose"])
def test_sleap_reads_and_writes(tmp_path, kind):
    images, said = made(tmp_path, FLAT)
    file, out = tmp_path / "to", tmp_path / "back"
    scp.write_landmarks(file, said, kind, images)
    (tmp_path / "images").rename(file / "images") if kind == "yolo-pose" else None
    answer = ask("sleap_io", SLEAP, kind, file, out)
    shift = 0.5 if kind == "yolo-pose" else 0  # fractions count from the corner
    np.testing.assert_allclose(np.array(answer["points"], float) - shift, said.xy, atol=1e-3)
    if kind == "coco":
        assert answer["names"] == NAMES
        back = scp.read_landmarks(out, format="coco", images=images).rows(said.ids)
    else:
        images = scp.datasets.folder(out / "train/images")
        back = scp.read_landmarks(out, images=images)
    np.testing.assert_allclose(back.xy, said.xy, atol=1e-3)
