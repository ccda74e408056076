"""Formats of landmark files: the table of them, what is known by content, images and names."""

import json

import numpy as np
import pytest

import scp
from scp.datasets import DatasetError
from scp.landmarks.formats import FORMATS, format_of
from scp.landmarks.formats.imagenames import ImageNames, plain_path


def pool(ids, shape=(40, 30)):
    return scp.datasets.arrays([np.zeros(shape, np.uint8) for _ in ids], ids)


def test_rows_say_what_users_need():
    names = [row.name for row in FORMATS]
    assert len(set(names)) == len(names) and "scp" in names
    for row in FORMATS:
        assert row.suffixes and row.title
        assert row.write is None or row.instructions.count(". ") == 1, row.name


def test_visible_in_csv_and_in_operations(tmp_path):
    xy = np.arange(8.0).reshape(2, 2, 2)
    xy[1, 1] = np.nan
    marks = scp.Landmarks(
        ["a", "b"], ["s", "t"], xy, visible=np.array([[True, False], [False, False]])
    )
    assert marks.visible.tolist() == [[True, False], [False, True]]  # absent: nothing to hide
    scp.write_landmarks(tmp_path / "m.csv", marks)
    assert (tmp_path / "m.csv").read_text().splitlines()[0] == "image,landmark,x,y,visible"
    assert scp.read_landmarks(tmp_path / "m.csv") == marks
    turned = marks.rows(["b", "a"]).columns(["t", "s"])
    assert turned.visible.tolist() == [[True, False], [False, True]]
    assert marks.rows(["b", "c"], absent=True).visible.tolist() == [[False, True], [True, True]]
    found = scp.Landmarks(["a", "b"], ["s", "t"], np.zeros((2, 2, 2))).with_marks(marks)
    assert found.visible.tolist() == [[True, False], [False, True]]
    with pytest.raises(ValueError, match="visible must be bool"):
        scp.Landmarks(["a"], ["s"], np.zeros((1, 1, 2)), visible=np.ones((1, 1)))
    (tmp_path / "m.csv").write_text("image,landmark,x,y,visible\na,s,1,2,2\n")
    with pytest.raises(DatasetError, match="line 2: visible: '2' is neither 1 nor 0"):
        scp.read_landmarks(tmp_path / "m.csv")


def test_coco_keeps_what_is_hidden(tmp_path):
    path = tmp_path / "c.json"
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 1, 3, 4, 2]}],
        "categories": [{"id": 1, "name": "head", "keypoints": ["s", "t"]}],
    }
    path.write_text(json.dumps(content))
    assert scp.read_landmarks(path).visible.tolist() == [[False, True]]


def test_what_is_known_and_what_is_said(tmp_path):
    path = tmp_path / "marks.txt"
    path.write_text("image,landmark,x,y\na,s,1,2\n")
    assert format_of(path).name == "scp"
    with pytest.raises(ValueError, match=r"format must be one of .*scp; got 'word'"):
        scp.read_landmarks(path, format="word")
    with pytest.raises(DatasetError, match="line 1"):
        scp.read_landmarks(path, format="coco")
    with pytest.raises(DatasetError, match="neither a run folder nor a folder"):
        scp.read_landmarks(tmp_path)


def test_names_that_tools_give():
    assert plain_path("/data/upload/3/1a2b3c4d-001.png") == "001.png"
    assert plain_path("/data/upload/3/1a2b3c4d-head%201.png") == "head 1.png"
    assert plain_path("/data/local-files/?d=a/head%201.png") == "a/head 1.png"
    assert plain_path("s3://bucket/a/001.png") == "a/001.png"
    assert plain_path("https://x.org/a/001.png?size=1") == "a/001.png"
    assert plain_path("1a2b3c4d-001.png") == "1a2b3c4d-001.png"  # may be its own name
    assert plain_path(r"C:\x\001.png") == "C:/x/001.png"


def test_images_are_found_and_not_guessed(tmp_path):
    names = ImageNames(tmp_path, pool(["001.png", "a/002.png", "a/003.png", "b/003.png"]))
    assert names.id_of("/data/upload/3/1a2b3c4d-001.png", "f") == "001.png"
    assert names.id_of("/home/me/pool/a/002.png", "f") == "a/002.png"
    assert names.id_of("002.png", "f") == "a/002.png"
    assert names.id_of("/x/b/003.png", "f") == "b/003.png"
    with pytest.raises(
        DatasetError, match=r"f: image .003\.png. could be a/003\.png or b/003\.png"
    ):
        names.id_of("003.png", "f")
    with pytest.raises(DatasetError, match=r"f: no image is called .004\.png"):
        names.id_of("004.png", "f")
