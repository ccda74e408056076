"""--spacing of every data set, --origin and --sizes; what a COCO file has and is not used."""

from __future__ import annotations

import argparse
import json
import unicodedata
import warnings

import cv2
import numpy as np
import pytest

import scp
from scp import datasets
from scp.cli import main
from scp.cli.arguments import add_data, data_words, open_data
from scp.datasets import DatasetError

POINTS = [(20.0 + j, 30.0) for j in range(98)]


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((160, 192), 50, np.uint8))


def coco_file(path, *files, names=("sella", "nasion"), points=(3, 4, 2, 5, 6, 2), **changes):
    entry = {"image_id": 0, "category_id": 1, "keypoints": list(points), **changes}
    content = {
        "images": [{"id": k, "file_name": name} for k, name in enumerate(files)],
        "annotations": [{k: v for k, v in entry.items() if v is not ...}],
        "categories": [
            {"id": 1, "name": "head", "keypoints": list(names)},
            {"id": 2, "name": "box"},
        ],
    }
    path.write_text(json.dumps(content))
    return path


def every_kind(root):
    """Words of the command line that open two images of each kind."""
    numbers = ("001", "002")
    for name in numbers:
        picture(root / "plain" / f"{name}.png")
        picture(root / "ceph" / "RawImage" / "TrainingData" / f"{name}.bmp")
        picture(root / "hand" / f"{name}.jpg")
        picture(root / "faces" / "WFLW_images" / f"{name}.png")
    flat = [f"{v:g}" for xy in POINTS for v in xy]
    rows = "".join(f"{name},{','.join(flat[:74])}\n" for name in numbers)
    (root / "hand" / "all.csv").write_text(rows)
    text = "".join(f"{' '.join(flat)} 20 20 120 60 0 0 0 0 0 0 {name}.png\n" for name in numbers)
    (root / "list.txt").write_text(text)
    (root / "points.csv").write_text("image,landmark,x,y\n001,p,1,2\n002.png,p,3,4\n")
    coco = coco_file(root / "coco.json", "001.png", "002.png")
    return {
        "folder": [root / "plain"],
        "cephalometric": [root / "ceph", "--dataset", "cephalometric"],
        "hand": [root / "hand", "--dataset", "hand"],
        "wflw": [root / "faces", "--dataset", "wflw", "--annotations", root / "list.txt"],
        "coco": [root / "plain", "--dataset", "coco", "--annotations", coco],
        "table": [root / "plain", "--dataset", "table", "--annotations", root / "points.csv"],
    }


def opened(*words):
    parser = argparse.ArgumentParser()
    add_data(parser)
    args = parser.parse_args([str(word) for word in words])
    return open_data(args), data_words(args)


@pytest.mark.parametrize("kind", ["folder", "cephalometric", "hand", "wflw", "coco", "table"])
def test_spacing_of_every_kind(tmp_path, kind):
    words = every_kind(tmp_path)[kind]
    data, again = opened(*words, "--spacing", "0.3,0.5")
    factor = data.squares[:, 2:] / 363 if kind == "wflw" else 1
    np.testing.assert_allclose(data.spacing, np.multiply([[0.3, 0.5]] * 2, factor))
    assert again[-2:] == ["--spacing", "0.3,0.5"] or "--spacing" in again
    table = tmp_path / "spacing.csv"
    table.write_bytes("image,sx,sy\n002,2,1\n001,4,3\n".encode("utf-16"))
    data, _ = opened(*words, "--spacing", table)
    np.testing.assert_allclose(data.spacing, np.multiply([[3, 4], [1, 2]], factor))
    assert data.name == kind and data.subset([1]).spacing.shape == (1, 2)
    for wrong in ("-1", "0", "nan", "1,2,3", "inf"):
        with pytest.raises(ValueError, match="--spacing must be positive"):
            opened(*words, f"--spacing={wrong}")
    with pytest.raises(DatasetError, match=r"none\.csv: cannot be read"):
        opened(*words, "--spacing", tmp_path / "none.csv")


def test_with_spacing_keeps_what_was_left_out(tmp_path):
    every_kind(tmp_path)
    (tmp_path / "plain" / "bad.png").write_bytes(b"")
    data = datasets.folder(tmp_path / "plain", on_error="skip")
    assert data.with_spacing(0.1).skipped == data.skipped != []
    assert data.spacing is None  # the other is unchanged


def test_a_folder_has_millimetres(images, tmp_path, capsys):
    truth, found = tmp_path / "truth.csv", tmp_path / "found.csv"
    ids = [f"p{k}.png" for k in range(8)]
    xy = np.full((8, 1, 2), 50.0)
    scp.write_landmarks(truth, scp.Landmarks(ids, ["p"], xy))
    scp.write_landmarks(found, scp.Landmarks(ids, ["p"], xy + np.array([3, 0])))
    data = ["--dataset", "table", "--annotations", str(truth), "--spacing", "1,0.5"]
    assert main(["evaluate", str(found), str(images), *data]) == 0
    assert "MRE 1.500 mm" in capsys.readouterr().out
    small = ["--size", "96", "--quiet", "--run", str(tmp_path / "run"), "--spacing", "0.5"]
    assert main(["select", str(images), "-m", "1", "--count", "20", "--no-report", *small]) == 0
    marks = ["--templates", str(truth)]
    assert main(["detect", str(images), *marks, *small]) == 0


# Origin -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("origin", "less"), [("center", 0), ("corner", 0.5), ("one", 1)])
def test_origin_of_landmark_files(tmp_path, origin, less):
    kinds = every_kind(tmp_path)
    for kind, first in (("coco", (3, 4)), ("table", (1, 2))):
        data, words = opened(*kinds[kind], "--origin", origin)
        assert data.landmarks[0, 0].tolist() == [first[0] - less, first[1] - less]
        assert "--origin" in words
    found = scp.read_landmarks(tmp_path / "points.csv", origin=origin)
    assert found.xy[1, 0].tolist() == [3 - less, 4 - less]
    with pytest.raises(ValueError, match="origin must be one of center, corner, one"):
        scp.read_landmarks(tmp_path / "points.csv", origin="top")
    if origin != "center":
        with pytest.raises(ValueError, match="--origin goes with"):
            opened(*kinds["folder"], "--origin", origin)


def test_origin_of_templates_and_of_the_truth(images, tmp_path, capsys):
    marks, found = tmp_path / "marks.csv", tmp_path / "found.csv"
    scp.write_landmarks(marks, scp.Landmarks(["p0.png"], ["p"], [[[61, 71]]]))
    scp.write_landmarks(found, scp.Landmarks(["p0.png"], ["p"], [[[60, 70]]]))
    assert main(["evaluate", str(found), str(marks), "--origin", "one"]) == 0
    assert "MRE 0.000 px" in capsys.readouterr().out
    words = ["detect", str(images), "--size", "96", "--quiet", "--run", str(tmp_path / "run")]
    places = []
    for file, origin in ((marks, "one"), (found, "center")):
        assert main([*words, "--templates", str(file), "--origin", origin]) == 0
        places.append(scp.read_landmarks(tmp_path / "run" / "landmarks.csv").xy)
    np.testing.assert_array_equal(*places)


def test_sizes_of_the_hands(tmp_path):
    words = every_kind(tmp_path)["hand"]
    data, again = opened(*words, "--spacing", "1", "--split", "test", "--sizes", "1,1")
    assert data.ids == ["002"] and again[again.index("--sizes") + 1] == "1,1"
    with pytest.raises(SystemExit):
        opened(*words, "--sizes", "1")


# COCO ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": "1"}, "no category has the id '1', but one has 1"),
        ({"category_id": ...}, "category_id is missing"),
        ({"category_id": None}, "category_id is missing"),
        ({"category_id": True}, "category_id is missing or of the wrong type"),
        ({"category_id": 7}, "no category has the id 7"),
        ({"image_id": "0"}, "no image has the id '0', but one has 0"),
        ({"image_id": ...}, "image_id is missing"),
        ({"iscrowd": "1"}, "iscrowd must be 0 or 1"),
        ({"keypoints": [3, 4, 5, 6]}, "keypoints must hold 2 times x, y, v"),
    ],
)
def test_no_annotation_is_dropped_without_a_word(tmp_path, change, message):
    picture(tmp_path / "images" / "a.png")
    file = coco_file(tmp_path / "c.json", "a.png", **change)
    with pytest.raises(DatasetError, match=r"c\.json, annotations\[0\]: " + message):
        datasets.coco(file, tmp_path / "images")
    with pytest.raises(DatasetError, match=message):
        scp.read_landmarks(file)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"category_id": 2}, "annotations with key points, of a category that names none"),
        ({"iscrowd": 1}, "annotations of crowds"),
        ({"points": (3, 4, 0, 5, 6, 2)}, "key points with v = 0 that have a place"),
        ({"points": (), "num_keypoints": 2}, "annotations without keypoints"),
    ],
)
def test_what_is_not_used_is_counted(tmp_path, change, note):
    picture(tmp_path / "images" / "a.png")
    file = coco_file(tmp_path / "c.json", "a.png", **change)
    for read in (
        lambda: datasets.coco(file, tmp_path / "images"),
        lambda: scp.read_landmarks(file),
    ):
        with pytest.warns(UserWarning, match=rf"c\.json: not used: {note}.*: 1$"):
            read()


def test_a_part_that_is_there_twice(tmp_path):
    file = coco_file(tmp_path / "c.json", "a.png")
    file.write_text(file.read_text()[:-1] + ', "annotations": []}')
    with pytest.raises(DatasetError, match=r"c\.json: 'annotations' is there twice"):
        scp.read_landmarks(file)


def test_text_that_no_file_can_hold(tmp_path):
    for file in (
        coco_file(tmp_path / "c.json", "a\ud800.png"),
        coco_file(tmp_path / "c.json", "a.png", names=("p", "\udcff")),
    ):
        with pytest.raises(DatasetError, match=r"c\.json, .* is no Unicode text"):
            scp.read_landmarks(file)


def test_several_instances_and_categories_of_templates(images, tmp_path, capsys):
    small, large = [60, 60, 2], [70, 70, 2]
    content = {
        "images": [{"id": 0, "file_name": "p0.png"}],
        "annotations": [
            {"image_id": 0, "category_id": c, "keypoints": xy, "area": xy[0]}
            for c, xy in ((1, small), (1, large), (2, small))
        ],
        "categories": [{"id": k, "name": f"c{k}", "keypoints": ["p"]} for k in (1, 2)],
    }
    file = tmp_path / "t.json"
    file.write_text(json.dumps(content))
    found = scp.read_landmarks(file, "c1", several="largest")
    assert found.xy.tolist() == [[[70, 70]]]
    words = ["detect", str(images), "--templates", str(file), "--size", "96", "--quiet"]
    words += ["--run", str(tmp_path / "run")]
    assert main([*words, "--category", "c1"]) == 2
    assert "annotations[0] already" in capsys.readouterr().err
    assert main([*words, "--category", "c1", "--several", "largest"]) == 0
    with pytest.raises(ValueError, match=r"several goes with .*COCO"):
        (tmp_path / "l.csv").write_text("image,landmark,x,y\na,p,1,2\n")
        scp.read_landmarks(tmp_path / "l.csv", several="largest")


def test_a_whole_file_gives_no_warning(tmp_path):
    picture(tmp_path / "images" / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        datasets.coco(coco_file(tmp_path / "c.json", "a.png"), tmp_path / "images")


def test_file_names_in_another_unicode_form(tmp_path):
    disk = unicodedata.normalize("NFD", "Mü/ö.png")
    picture(tmp_path / "images" / disk)
    root = tmp_path / "images"
    data = datasets.coco(coco_file(tmp_path / "c.json", "Mü/ö.png"), root)
    assert data.ids == ["Mü/ö.png"] and data.image(0).shape == (160, 192)
    (tmp_path / "p.csv").write_text("image,landmark,x,y\nMü/ö.png,p,1,2\n")
    assert datasets.table(tmp_path / "p.csv", root).ids == [disk]
    picture(root / "other.png")
    with pytest.raises(DatasetError, match="images without landmarks: 1"):
        datasets.table(tmp_path / "p.csv", root)
