"""Folders with COCO key points or with a table of landmarks; the command line's data arguments."""

from __future__ import annotations

import argparse
import json
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scp import datasets
from scp.cli.arguments import add_data, data_words, open_data
from scp.datasets import DatasetError

NAN = math.nan


def images(root, *names):
    for k, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), np.full((60, 48), 20 * k, np.uint8))
    return root


# COCO ---------------------------------------------------------------------------------------------


def annotated(tmp_path, annotations, files=("b.png", "sub/a.png"), **size):
    content = {
        "images": [{"id": k, "file_name": name, **size} for k, name in enumerate(files)],
        "annotations": [
            {"image_id": i, "category_id": 5, "keypoints": points, **rest}
            for i, points, rest in annotations
        ],
        "categories": [{"id": 5, "name": "head", "keypoints": ["sella", "nasion"]}],
    }
    path = tmp_path / "points.json"
    path.write_text(json.dumps(content))
    return path, images(tmp_path / "images", "b.png", "sub/a.png", "other.png")


def test_coco(tmp_path):
    file, root = annotated(tmp_path, [(1, [3, 4.5, 2, 0, 0, 0], {})], width=48, height=60)
    data = datasets.coco(file, root)
    assert data.ids == ["b.png", "sub/a.png"] and data.landmark_names == ["sella", "nasion"]
    np.testing.assert_array_equal(data.landmarks, [[[NAN, NAN]] * 2, [[3, 4.5], [NAN, NAN]]])
    assert data.image(1)[0, 0] == 20 and data.spacing is None
    corner = datasets.coco(file, root, origin="corner")
    np.testing.assert_array_equal(corner.landmarks[1, 0], [2.5, 4])
    with pytest.raises(ValueError, match="origin"):
        datasets.coco(file, root, origin="top")
    with pytest.raises(DatasetError, match="no such folder"):
        datasets.coco(file, tmp_path / "none")


def test_coco_several_instances(tmp_path):
    small, large = [1, 1, 2, 2, 2, 2], [3, 3, 2, 4, 4, 2]
    file, root = annotated(
        tmp_path,
        [
            (0, small, {"area": 5}),
            (0, large, {"bbox": [0, 0, 2, 3]}),
            (0, small, {"area": 6}),
            (1, small, {}),
            (1, [0] * 6, {}),
            (1, None, {}),
            (1, [], {}),
            (1, [9, 9, 2] * 2, {"area": 99, "iscrowd": 1}),
        ],
    )
    with pytest.raises(DatasetError, match=r"annotations\[1\]: .*'b\.png' has annotations\[0\]"):
        datasets.coco(file, root)
    data = datasets.coco(file, root, several="largest")
    np.testing.assert_array_equal(data.landmarks[0], [[3, 3], [4, 4]])  # the first of area 6
    np.testing.assert_array_equal(data.landmarks[1], [[1, 1], [2, 2]])  # no crowd, no empty one
    with pytest.raises(ValueError, match="several"):
        datasets.coco(file, root, several="first")
    file, root = annotated(tmp_path, [(0, small, {"area": 5}), (0, small, {})])
    with pytest.raises(DatasetError, match=r"annotations\[1\]: neither area nor bbox"):
        datasets.coco(file, root, several="largest")


def test_coco_refuses_what_does_not_fit(tmp_path):
    file, root = annotated(tmp_path, [], width=60, height=48)
    with pytest.raises(DatasetError, match=r"images\[0\]: b\.png has 48 x 60 pixels, not 60 x 48"):
        datasets.coco(file, root)
    file, root = annotated(tmp_path, [(1, [3, 4, 2, 60, 4, 2], {})])
    with pytest.raises(DatasetError, match=r"images\[1\] \(sub/a\.png\): landmark nasion at"):
        datasets.coco(file, root)
    data = datasets.coco(file, root, on_error="skip")
    assert data.ids == ["b.png"] and data.skipped[0][0] == "sub/a.png"
    file, root = annotated(tmp_path, [], files=("b.png", "none.png"))
    with pytest.raises(DatasetError, match=r"none\.png: cannot be read"):
        datasets.coco(file, root)
    file, root = annotated(tmp_path, [], files=("b.png", "../points.json"))
    with pytest.raises(DatasetError, match=r"images\[1\]: '\.\./points\.json' is not a file below"):
        datasets.coco(file, root, on_error="skip")


# Table --------------------------------------------------------------------------------------------

LONG = "image,landmark,x,y\nb,p,1,2\nsub/a.png,p,3,4\nb,q,5,6\n"


def table(tmp_path, text=LONG, names=("b.png", "sub/a.png")):
    (tmp_path / "points.csv").write_text(text)
    return tmp_path / "points.csv", images(tmp_path / "images", *names)


def test_table(tmp_path):
    data = datasets.table(*table(tmp_path))
    assert data.ids == ["b.png", "sub/a.png"] and data.landmark_names == ["p", "q"]
    np.testing.assert_array_equal(data.landmarks, [[[1, 2], [5, 6]], [[3, 4], [NAN, NAN]]])
    assert data.spacing is None and data.image(1)[0, 0] == 20
    wide = "image,p_x,p_y\nsub/a,3,4\nb.png,,\n"
    data = datasets.table(*table(tmp_path, wide))
    np.testing.assert_array_equal(data.landmarks, [[[NAN, NAN]], [[3, 4]]])


def test_table_spacing(tmp_path):
    file, root = table(tmp_path)
    np.testing.assert_array_equal(datasets.table(file, root, spacing=0.1).spacing, [[0.1] * 2] * 2)
    np.testing.assert_array_equal(
        datasets.table(file, root, spacing=(0.1, 0.2)).spacing, [[0.1, 0.2]] * 2
    )
    each = tmp_path / "spacing.csv"
    each.write_text("image,sy,sx\nsub/a.png,0.3,0.4\nother,1,1\nb,0.1,0.2\n")
    np.testing.assert_array_equal(
        datasets.table(file, root, spacing=each).spacing, [[0.1, 0.2], [0.3, 0.4]]
    )
    for bad in (0, -1, NAN, (1, 2, 3), [[1]] * 3):
        with pytest.raises(ValueError, match="spacing must be"):
            datasets.table(file, root, spacing=bad)
    for text, message in (
        ("image,sx\n", "line 1: expected the header image,sy,sx"),
        ("image,sy,sx\nb,1,1\n", "no spacing for image 'sub/a.png'"),
        ("image,sy,sx\nb,1\n", "line 2: expected image,sy,sx"),
        ("image,sy,sx\nb,1,x\n", "line 2: sx: 'x' is not a number"),
        ("image,sy,sx\nb,1,0\n", "line 2: spacing must be positive"),
        ("image,sy,sx\nb,1,\n", "line 2: spacing must be positive"),
        ("image,sy,sx\nb,1,1\nb,1,1\n", "line 3: image 'b' is there twice"),
    ):
        each.write_text(text)
        with pytest.raises(DatasetError, match=r"spacing\.csv.*" + message):
            datasets.table(file, root, spacing=each)


def test_table_refuses_or_lists_what_does_not_match(tmp_path):
    file, root = table(tmp_path, names=("b.png", "new.png"))
    with pytest.raises(DatasetError, match=r"points\.csv, line 3: no image 'sub/a\.png' below"):
        datasets.table(file, root)
    data = datasets.table(file, root, unmatched="skip")
    assert data.ids == ["b.png"] and [v for v, _ in data.skipped] == ["sub/a.png", "new.png"]
    images(root, "b.jpg")
    with pytest.raises(DatasetError, match=r"points\.csv: 'b' could be image b\.jpg or b\.png"):
        datasets.table(file, root, unmatched="skip")
    file, root = table(tmp_path, "image,p_x,p_y\nz,1,2")
    with pytest.raises(DatasetError, match="none of its 1 images is below"):
        datasets.table(file, root, unmatched="skip")


def test_table_checks_points(tmp_path):
    file, root = table(tmp_path, LONG.replace("5,6", "5,66.1"))
    with pytest.raises(DatasetError, match=r"line 2 \(b\.png\): landmark q at \(5, 66\.1\)"):
        datasets.table(file, root)
    assert datasets.table(file, root, on_error="skip").ids == ["sub/a.png"]


def test_table_never_leaves_the_folder(tmp_path):
    file, root = table(tmp_path, "image,p_x,p_y\n../b,1,2\nb,1,2\n", ["b.png"])
    images(tmp_path, "b.png")
    with pytest.raises(DatasetError, match=r"line 2: no image '\.\./b' below"):
        datasets.table(file, root)


# Damaged files ------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["coco", "table"]))
def test_any_file_gives_a_data_set_or_a_dataset_error(tmp_path_factory, data, kind):
    folder = tmp_path_factory.getbasetemp() / f"fuzz-{kind}"
    if not folder.exists():
        folder.mkdir()
        annotated(folder, [(1, [3, 4.5, 2, 0, 0, 0], {}), (0, [1, 2, 2] * 2, {})])
        table(folder)
    text = bytearray((folder / ("points.json" if kind == "coco" else "points.csv")).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at, length = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 6))
        text[at : at + length] = data.draw(
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from(
                    [b"", b",", b'"', b"[", b"..", b"/", b"\\u0000", b"\\ud800", b"1e999", b"null"]
                ),
            )
        )
    (folder / "fuzz").write_bytes(text)
    try:
        found = getattr(datasets, kind)(folder / "fuzz", folder / "images", on_error="skip")
    except DatasetError:
        return
    assert len(found) == len(found.landmarks) > 0
    assert all(found.image(i).shape == found.shape(i) for i in range(len(found)))


# Command line -------------------------------------------------------------------------------------


def arguments(*words):
    parser = argparse.ArgumentParser()
    add_data(parser)
    return parser.parse_args([str(word) for word in words])


def test_the_arguments_open_each_kind(tmp_path):
    file, root = table(tmp_path)
    data = open_data(
        arguments(root, "--dataset", "table", "--annotations", file, "--spacing", "1,2")
    )
    assert data.name == "table" and data.spacing.tolist() == [[1, 2]] * 2
    assert open_data(arguments(root)).name == "folder"
    file, root = annotated(tmp_path, [(0, [1, 1, 2] * 2, {"area": 1})] * 2)
    args = arguments(root, "--dataset", "coco", "--annotations", file, "--several", "largest")
    assert open_data(args).name == "coco"
    assert data_words(args) == [
        "--dataset",
        "coco",
        "--annotations",
        str(file),
        "--several",
        "largest",
    ]
    assert data_words(arguments(root, "--on-error", "skip")) == ["--on-error", "skip"]
    words = data_words(arguments(root, "--dataset", "cephalometric"))
    assert words == ["--dataset", "cephalometric", "--split", "train"]


def test_arguments_that_do_not_go_together(tmp_path):
    root = images(tmp_path, "a.png")
    with pytest.raises(ValueError, match="--dataset coco needs --annotations"):
        open_data(arguments(root, "--dataset", "coco"))
    with pytest.raises(ValueError, match="--subset goes with --dataset wflw"):
        open_data(arguments(root, "--subset", "blur"))
    with pytest.raises(ValueError, match="--sizes goes with --dataset hand"):
        open_data(arguments(root, "--sizes", "1,1"))
    with pytest.raises(DatasetError, match=r"no all\.csv"):
        open_data(arguments(root, "--dataset", "hand"))
    with pytest.raises(DatasetError, match="WFLW_images"):
        open_data(arguments(root, "--dataset", "wflw"))
