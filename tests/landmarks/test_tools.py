"""What goes out to the tools and comes back is the same to a thousandth of a pixel."""

import json

import cv2
import numpy as np
import pytest

import scp
from scp.datasets import DatasetError

TOOLS = ("label-studio", "cvat", "labelme", "coco")
FOLDERS = ("labelme", "imagej", "yolo-pose")
WIDTH, HEIGHT = 301, 401
NAMES = ["sella", 'na"sion & <A>', "point ü"]


def pool(count=3):
    images = [np.zeros((HEIGHT, WIDTH), np.uint8) for _ in range(count)]
    return scp.datasets.arrays(images, [f"set {i % 2}/00{i}.png" for i in range(count)])


def bare(ids, tool):
    """The ids as a file has them: some say no suffix of the image."""
    if tool == "via":
        return [name.rsplit("/", 1)[-1] for name in ids]
    return [scp.landmarks.stem(name) if tool == "imagej" else name for name in ids]


def marks(seed, images, hidden=True):
    random = np.random.default_rng(seed)
    shape = len(images), len(NAMES)
    xy = random.uniform(0, 1, (*shape, 2)) * [WIDTH - 1, HEIGHT - 1]
    xy[random.random(shape) < 0.2] = np.nan
    xy[0] = np.abs(np.nan_to_num(xy[0], nan=1.0))  # each name has a point, in their order
    visible = random.random(shape) < 0.7
    visible[0, 0] = False
    return scp.Landmarks(images.ids, NAMES, xy, visible=visible if hidden else None)


@pytest.mark.parametrize(
    "tool, known",
    [
        *((tool, known) for tool in (*TOOLS, "imagej", "via") for known in (True, False)),
        ("yolo-pose", True),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_round_trip(tmp_path, tool, known, seed):
    images = pool()
    said = marks(seed, images)
    path = tmp_path / "out"
    scp.write_landmarks(path, said, tool, images)
    back = scp.read_landmarks(path, images=images if known else None)
    ids = said.ids if known else bare(said.ids, tool)
    assert sorted(back.ids) == sorted(ids) and sorted(back.names) == sorted(said.names)
    back = back.columns(said.names)
    if tool not in FOLDERS:
        assert back.ids == ids
    back = back.rows(ids)
    np.testing.assert_allclose(back.xy, said.xy, atol=1e-3, rtol=0)
    np.testing.assert_array_equal(back.visible, said.visible)


@pytest.mark.parametrize("tool", TOOLS)
def test_other_images_are_refused(tmp_path, tool):
    images, path = pool(), tmp_path / "out"
    scp.write_landmarks(path, marks(0, images), tool, images)
    turned = [np.zeros((WIDTH, HEIGHT), np.uint8)] * 3
    with pytest.raises(DatasetError, match=r"401 x 301 pixels, the file says 301 x 401; .*EXIF"):
        scp.read_landmarks(path, images=scp.datasets.arrays(turned, images.ids))
    with pytest.raises(DatasetError, match="no image is called"):
        scp.read_landmarks(path, images=images.subset([1, 2]))
    with pytest.raises(ValueError, match="the images are needed too"):
        scp.write_landmarks(path, marks(0, images), tool)


def test_images_that_cannot_be_written_are_refused(tmp_path):
    images = scp.datasets.arrays([np.zeros((9, 9), np.uint8)] * 2, ["a.png", "a.jpg"])
    two = scp.Landmarks(images.ids, ["s"], np.ones((2, 1, 2)))
    with pytest.raises(ValueError, match=r"'a\.png' and 'a\.jpg' would both have a\.json"):
        scp.write_landmarks(tmp_path / "to", two, "labelme", images)
    assert not (tmp_path / "to").exists()
    for tool in TOOLS:
        with pytest.raises(ValueError, match=r"no image is called 'b\.png'"):
            other = scp.Landmarks(["b.png"], ["s"], np.ones((1, 1, 2)))
            scp.write_landmarks(tmp_path / "to", other, tool, images)
    whole = scp.datasets.arrays([np.zeros((9, 9), np.uint8)], ["b.png"])  # a file without suffix
    bare = scp.Landmarks(["b"], ["s"], np.ones((1, 1, 2)))
    scp.write_landmarks(tmp_path / "b.xml", bare, "cvat", whole)
    assert 'name="b.png"' in (tmp_path / "b.xml").read_text()


def test_label_studio_as_it_exports(tmp_path):
    """Fields and values as its own exports have them; the middle of the image is 50 %."""
    images, path = pool(1), tmp_path / "project-1.json"
    value = {"x": 50.0, "y": 50.0, "width": 0.2, "keypointlabels": ["sella"]}
    point = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    point |= {"value": value, "type": "keypointlabels", "from_name": "kp", "to_name": "img"}
    task = {"id": 1, "data": {"img": "/data/upload/3/1a2b3c4d-000.png"}}
    task["annotations"] = [{"id": 4, "was_cancelled": False, "result": [point]}]
    task["predictions"] = []
    path.write_text(json.dumps([task]))
    found = scp.read_landmarks(path, images=images)
    assert found.ids == images.ids and found.xy.tolist() == [[[150.0, 200.0]]]
    task["annotations"][0]["result"] = [point, point]
    path.write_text(json.dumps([task]))
    with pytest.raises(DatasetError, match=r"tasks\[0\]\.result\[1\]: landmark 'sella' .* already"):
        scp.read_landmarks(path)
    task["annotations"][0]["result"] = [{**point, "image_rotation": 90}]
    path.write_text(json.dumps([task]))
    with pytest.raises(DatasetError, match="turned"):
        scp.read_landmarks(path)


def test_label_studio_predictions_have_confidence(tmp_path):
    images, path = pool(), tmp_path / "out.json"
    xy = np.full((3, 2, 2), 7.0)
    confidence = np.linspace(0.1, 0.6, 6).reshape(3, 2)
    found = scp.Landmarks(images.ids, ["a", "b"], xy, confidence, source=np.full((3, 2), "found"))
    scp.write_landmarks(path, found, "label-studio", images, notes=[{"gain": 0.5}] * 3)
    (task, *_) = json.loads(path.read_text())
    assert task["data"]["gain"] == 0.5 and "annotations" not in task
    assert task["predictions"][0]["score"] == pytest.approx(0.15)
    np.testing.assert_allclose(scp.read_landmarks(path).confidence, confidence)


def test_cvat_as_it_exports(tmp_path):
    path = tmp_path / "annotations.xml"
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta/>'
    image = '<image id="0" name="000.png" width="301" height="401">'
    skeleton = (
        '<skeleton label="head" source="manual" z_order="0">'
        '<points label="1" source="manual" outside="0" occluded="1" points="10.50,20.25"></points>'
        '<points label="2" source="manual" outside="1" occluded="0" points="1.00,2.00"></points>'
        "</skeleton>"
    )
    path.write_text(f"{head}{image}{skeleton}</image></annotations>")
    found = scp.read_landmarks(path, images=pool(1))
    assert found.ids == ["set 0/000.png"] and found.names == ["1", "2"]
    np.testing.assert_array_equal(found.xy, [[[10, 19.75], [np.nan, np.nan]]])
    assert found.visible.tolist() == [[False, True]]
    path.write_text(f'{head}{image}<box label="a" xtl="1"/>{skeleton}</image></annotations>')
    with pytest.warns(UserWarning, match="not used: <box>: 1"):
        scp.read_landmarks(path)
    bomb = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>'
    path.write_text(f'<?xml version="1.0"?>{bomb}<annotations>&c;</annotations>')
    with pytest.raises(DatasetError, match="document type"):
        scp.read_landmarks(path)
    path.write_text(f'{head}{image}<points label="a" points="1,2;3,4"/></image></annotations>')
    with pytest.raises(DatasetError, match=r"line 2: .*one x,y for a label"):
        scp.read_landmarks(path)


def test_labelme_as_it_writes(tmp_path):
    """LabelMe draws pixel k from k to k + 1, so a point in the middle of the first is 0.5, 0.5."""
    shape = {"label": "sella", "points": [[0.5, 10.0]], "group_id": None, "shape_type": "point"}
    box = {**shape, "points": [[0, 0], [5, 5]], "shape_type": "rectangle"}
    content = {"version": "5.4.1", "flags": {}, "shapes": [shape, box], "imagePath": "000.png"}
    content |= {"imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH}
    path = tmp_path / "000.json"
    path.write_text(json.dumps(content))
    for source in (path, tmp_path):
        with pytest.warns(UserWarning, match="shapes of type rectangle: 1"):
            found = scp.read_landmarks(source, images=pool(1))
        assert found.ids == ["set 0/000.png"] and found.xy.tolist() == [[[0.0, 9.5]]]
    evil = scp.datasets.arrays([np.zeros((HEIGHT, WIDTH), np.uint8)], ["../out"])
    marks = scp.Landmarks(evil.ids, ["a"], np.zeros((1, 1, 2)))
    with pytest.raises(ValueError, match="cannot be a file below"):
        scp.write_landmarks(tmp_path / "to", marks, "labelme", evil)


def test_via_project_and_annotations(tmp_path):
    def region(name, x, y):
        shape = {"name": "point", "cx": x, "cy": y}
        return {"shape_attributes": shape, "region_attributes": {"landmark": name}}

    box = {"shape_attributes": {"name": "rect"}, "region_attributes": {}}
    regions = [region("sella", 10, 20), region("nasion", 5, 6), box]
    entry = {"filename": "000.png", "size": 1234, "regions": regions, "file_attributes": {}}
    path = tmp_path / "via.json"
    for content in ({"_via_img_metadata": {"000.png1234": entry}}, {"000.png1234": entry}):
        path.write_text(json.dumps(content))
        with pytest.warns(UserWarning, match="regions of shape rect: 1"):
            found = scp.read_landmarks(path, images=pool(1))
        assert found.names == ["sella", "nasion"]
        assert found.xy.tolist() == [[[9.5, 19.5], [4.5, 5.5]]]
    empty = {"filename": "1.png", "size": 1, "regions": [], "file_attributes": {}}
    many = {f"{k}": {**empty, "filename": f"{k}.png"} for k in range(1200)}
    path.write_text(json.dumps({**many, "000.png1234": entry}))  # its first point is far down
    with pytest.warns(UserWarning, match="regions of shape rect: 1"):
        assert len(scp.read_landmarks(path)) == 1201
    regions[1]["region_attributes"] = {"a": "x", "b": "y"}
    path.write_text(json.dumps({"000.png1234": entry}))
    with pytest.raises(DatasetError, match="which attribute is the name"):
        scp.read_landmarks(path)


def via3(*regions):
    """A project as VIA 3 saves it: two images, an attribute with options."""
    options = {"0": "sella", "1": "nasion"}
    attribute = {"aname": "landmark", "anchor_id": "FILE1_Z0_XY1", "type": 4, "options": options}
    metadata = {
        f"{vid}_{k}": {"vid": vid, "flg": 0, "z": [], "xy": list(xy), "av": {"1": name}}
        for k, (vid, xy, name) in enumerate(regions)
    }
    files = {str(k + 1): {"fid": str(k + 1), "fname": f"00{k}.png", "src": ""} for k in range(2)}
    views = {str(k + 1): {"fid_list": [str(k + 1)]} for k in range(2)}
    project = {"pid": "__VIA_PROJECT_ID__", "vid_list": ["1", "2"]}
    return {
        "project": project,
        "attribute": {"1": attribute},
        "file": files,
        "metadata": metadata,
        "view": views,
    }


def test_via_3_project(tmp_path):
    path = tmp_path / "via.json"
    points = ("1", (1, 10, 20.5), "0"), ("2", (1, 3, 4), "1"), ("2", (2, 1, 1, 5, 5), "0")
    path.write_text(json.dumps(via3(*points)))
    with pytest.warns(UserWarning, match="regions of shape rectangle: 1"):
        found = scp.read_landmarks(path, images=pool(2))
    assert found.names == ["sella", "nasion"] and found.ids == ["set 0/000.png", "set 1/001.png"]
    nan = [np.nan] * 2
    np.testing.assert_array_equal(found.xy, [[[9.5, 20], nan], [nan, [2.5, 3.5]]])


def test_via_csv(tmp_path):
    """As VIA 2 exports it; and the same back from what is written."""
    path = tmp_path / "via_export.csv"
    head = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
    point = '"{""name"":""point"",""cx"":10,""cy"":20}","{""landmark"":""sella""}"'
    lines = f'000.png,1234,"{{}}",1,0,{point}', '001.png,99,"{}",0,0,"{}","{}"'
    path.write_text(f"{head}region_attributes\n" + "\n".join(lines) + "\n")
    found = scp.read_landmarks(path, images=pool(2))
    assert found.names == ["sella"] and found.present.tolist() == [[True], [False]]
    assert found.xy[0].tolist() == [[9.5, 19.5]]
    said = marks(1, pool())
    scp.write_landmarks(path, said, "via", pool(), notes=[{"gain": 0.5}] * 3)
    assert path.read_text().startswith(head) and '""gain"": ""0.5""' in path.read_text()
    back = scp.read_landmarks(path, images=pool())
    assert back.ids == said.ids and back.names == said.names
    np.testing.assert_allclose(back.xy, said.xy)
    np.testing.assert_array_equal(back.visible, said.visible)
    path.write_text(f"{head}region_attributes\n000.png,1,{{}},1,0,{{,{{}}\n")
    with pytest.raises(DatasetError, match=r"via_export\.csv, line 2, line 1: "):
        scp.read_landmarks(path)


def test_via_knows_files_by_their_size(tmp_path):
    (tmp_path / "images").mkdir()
    grey = np.zeros((9, 9), np.uint8)
    for name in ("a.png", "b.png"):
        assert cv2.imwrite(str(tmp_path / "images" / name), grey)
    images = scp.datasets.folder(tmp_path / "images")
    said = scp.Landmarks(images.ids, ["s"], np.ones((2, 1, 2)))
    scp.write_landmarks(tmp_path / "via.json", said, "via", images)
    size = (tmp_path / "images/a.png").stat().st_size
    assert f"a.png{size}" in json.loads((tmp_path / "via.json").read_text())


def test_coco_as_it_is_meant(tmp_path):
    images, path = pool(), tmp_path / "out.json"
    xy = np.array([[[1.25, 2], [4, 8]], [[np.nan] * 2, [3, 3]], [[np.nan] * 2] * 2])
    shown = np.array([[True, False], [True, True], [True, True]])
    said = scp.Landmarks(images.ids, ["a", "b"], xy, visible=shown, confidence=xy[..., 0] / 10)
    scp.write_landmarks(path, said, "coco", images, notes=[{"gain": 0.5}] * 3)
    content = json.loads(path.read_text())
    assert content["images"][0]["gain"] == 0.5 and len(content["images"]) == 3
    first, second = content["annotations"]
    assert first["keypoints"] == [1.25, 2, 2, 4, 8, 1] and first["num_keypoints"] == 2
    assert first["bbox"] == [1.25, 2, 3.75, 7] and first["area"] == 3.75 * 7
    assert first["score"] == pytest.approx((0.125 + 0.4) / 2)
    assert second["keypoints"] == [0, 0, 0, 3, 3, 2] and second["num_keypoints"] == 1
