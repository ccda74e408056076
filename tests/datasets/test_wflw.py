"""WFLW: lists, flags, crops by the box."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scp import datasets
from scp.datasets import DatasetError, wflw
from scp.datasets.wflw import LISTS, crop, from_crop, margin, read_list, square, to_crop

BOX = (100, 60, 200, 140)
POINTS = np.array([(100.0 + k, 60.5 + 0.5 * k) for k in range(98)])


def line(name="a/x.jpg", xy=POINTS, box=BOX, flags="010000"):
    return " ".join([*(f"{v:g}" for v in xy.ravel()), *map(str, box), *flags, name])


def made(root, lines, split="train"):
    path = root / LISTS.format(split)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    for name in ("a/x.jpg", "b c.png"):
        (root / "WFLW_images" / name).parent.mkdir(parents=True, exist_ok=True)
        image = np.tile(np.arange(240, dtype=np.uint8), (200, 1))
        cv2.imwrite(str(root / "WFLW_images" / name), image)
    return root


def test_ids_flags_and_landmarks(tmp_path):
    lines = [line(), line("b c.png", flags="100001"), line(xy=POINTS + 1, flags="000000")]
    data = wflw(made(tmp_path, lines))
    assert data.ids == ["a/x.jpg", "b c.png", "a/x.jpg#2"] and data.spacing is None
    assert data.flags.dtype == bool
    np.testing.assert_array_equal(
        data.flags, [[0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]]
    )
    np.testing.assert_array_equal(data.original_landmarks[2], POINTS + 1)
    np.testing.assert_array_equal(data.boxes[0], BOX)
    assert data.landmarks.shape == (3, 98, 2) and data.landmark_names[97] == "97"
    assert all(data.shape(i) == data.image(i).shape == (256, 256) for i in range(3))
    assert data.path(0) is None and data.sources[1].endswith("WFLW_images/b c.png")
    np.testing.assert_allclose(data.to_original(2, data.landmarks[2]), POINTS + 1, atol=1e-9)
    assert data.thumbnail(0, (32, 32)).shape == (32, 32)


def test_crop_by_hand():
    # Height 80, extended by 8 to 60..148; the longer side is 100 wide, about (150, 104); half of
    # 100 * 363 / 256 is 70.898: 79.1 .. 220.9 and 33.1 .. 174.9.
    assert margin(256) == (363, 53)
    assert square(BOX, 256) == (79, 33, 141)
    # Pixel 79 covers 0 .. 363 / 141 of the resized square.
    left = 0.5 * 363 / 141 - 0.5 - 53
    np.testing.assert_allclose(to_crop((79, 33), (79, 33, 141), 256), (left, left), atol=1e-12)
    np.testing.assert_allclose(from_crop((left, left), (79, 33, 141), 256), (79, 33), atol=1e-12)


def test_landmarks_are_where_the_crop_shows_them(tmp_path):
    # The photograph is a ramp: its grey value is x.
    data = wflw(made(tmp_path, [line("b c.png")]))
    image, xy = data.image(0), data.landmarks[0]
    inside = ((xy > 1) & (xy < 254)).all(axis=1)
    assert inside.sum() > 80
    grey = cv2.remap(image.astype(np.float32), *np.float32(xy[inside]).T[:, None], cv2.INTER_LINEAR)
    np.testing.assert_allclose(grey.ravel(), POINTS[inside, 0], atol=0.6)


def test_black_outside_the_photograph():
    photograph = np.full((20, 30), 200, np.uint8)
    out = crop(photograph, square((-20, -20, 20, 16), 64), 64)
    assert out.shape == (64, 64) and out.dtype == np.uint8
    assert (out[:20] == 0).all() and (out[:, :20] == 0).all() and (out[40:60, 40:60] == 200).all()
    assert not crop(photograph, (100, 100, 40), 64).any()


def test_subsets(tmp_path):
    lines = [line(flags="000000"), line("b c.png", flags="000100"), line(flags="100100")]
    root = made(tmp_path, lines)
    data = wflw(root, subset="make-up")
    assert data.ids == ["b c.png", "a/x.jpg#2"] and data.flags[:, 3].all()
    part = wflw(root).subset([2, 0])
    assert part.ids == ["a/x.jpg#2", "a/x.jpg"] and part.flags[:, 0].tolist() == [True, False]
    np.testing.assert_array_equal(part.image(0), data.image(1))
    np.testing.assert_array_equal(part.landmarks[0], data.landmarks[1])
    with pytest.raises(DatasetError, match="no face with the flag blur"):
        wflw(root, subset="blur")
    with pytest.raises(ValueError, match="subset"):
        wflw(root, subset="large pose")


def test_splits_and_lists(tmp_path):
    root = made(tmp_path, [line()])
    made(tmp_path, [line("b c.png")], "test")
    assert wflw(root, "test").ids == ["b c.png"]
    (tmp_path / "mine.txt").write_text("\n" + line("b c.png") + "\r\n")
    assert wflw(root, list_file=tmp_path / "mine.txt", size=64).image(0).shape == (64, 64)
    with pytest.raises(ValueError, match="split"):
        wflw(root, "all")
    with pytest.raises(ValueError, match="size"):
        wflw(root, size=4)
    with pytest.raises(DatasetError, match="no folder WFLW_images"):
        wflw(root / "WFLW_images")


@pytest.mark.parametrize(
    "bad, message",
    [
        ("1 2 3", r"line 2: 207 values expected, got 3"),
        (line().replace("101", "x", 1), r"line 2: value 3: 'x' is not a number"),
        (line().replace("101", "inf", 1), r"line 2: value 3: 'inf' is infinite"),
        (line().replace("101", "nan", 1), r"line 2: nan is not a number"),
        (line(flags="010020"), r"line 2: flag occlusion must be 0 or 1, got '2'"),
        (line(box=(100, 60, 100, 140)), r"line 2: 100 60 100 140 is not a box"),
        (line(box=(1e300, 60, 2e300, 140)), r"line 2: .* is not a box"),
        (line(box=(300, 60, 400, 140)), r"line 2: the box .* does not fit the image of 240 x 200"),
        (line("../x.jpg"), r"line 2: '\.\./x\.jpg' is not a file below"),
        (line("/etc/passwd"), r"line 2: '/etc/passwd' is not a file below"),
        (line("a/../../../x"), r"line 2: .* is not a file below"),
        (line("\0"), r"line 2: a null character"),
        (line("out/x.jpg"), r"line 2: 'out/x\.jpg' is not a file below"),
    ],
)
def test_a_bad_line_is_named(tmp_path, bad, message):
    root = made(tmp_path, [line(), bad])
    os.symlink(tmp_path, root / "WFLW_images/out")
    with pytest.raises(DatasetError, match=r"rect_attr_train\.txt, " + message):
        wflw(root)


def test_a_missing_photograph(tmp_path):
    root = made(tmp_path, [line(), line("a/none.jpg")])
    with pytest.raises(DatasetError, match=r"none\.jpg: cannot be read"):
        wflw(root)
    data = wflw(root, on_error="skip")
    assert data.ids == ["a/x.jpg"] and data.skipped[0][0] == "a/none.jpg"
    cv2.imwrite(str(root / "WFLW_images/a/x.jpg"), np.zeros((9, 9), np.uint8))
    with pytest.raises(DatasetError, match=r"x\.jpg: the image is 9 x 9 pixels now"):
        data.image(0)


GOOD = line().encode()


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda at, end, new: GOOD[:at] + new + GOOD[at + end :],
            st.integers(0, len(GOOD)),
            st.integers(0, 5),
            st.sampled_from([b"", b" ", b"\n", b"\0", b"\xff", b"1e999", b"nan", b"-", b"9" * 400]),
        ),
    )
)
def test_any_bytes_give_faces_or_a_dataset_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.txt"
    path.write_bytes(text)
    try:
        points, boxes, flags, names = read_list(path)
    except DatasetError as error:
        assert "fuzz.txt" in str(error)
    else:
        assert np.isfinite(points).all() and len(boxes) == len(flags) == len(names) > 0


def test_the_module_and_the_function_have_one_name():
    assert callable(datasets.wflw) and datasets.wflw is wflw


@pytest.mark.parametrize("box", [(0.4, 0.4, 0.6, 0.6), (10.2, 10.2, 10.3, 10.9)])
def test_a_box_below_one_pixel(tmp_path, box):
    root = made(tmp_path, [line(), line("b c.png", box=box)])
    with pytest.raises(DatasetError, match=r"line 2 \(b c\.png\): the box .* smaller than a pixel"):
        wflw(root)
    data = wflw(root, on_error="skip")
    assert data.ids == ["a/x.jpg"] and np.isfinite(data.landmarks).all()


@pytest.mark.parametrize("away", [(2000, 0), (0, -2000), (1e300, 0)])
def test_points_far_outside_the_photograph(tmp_path, away):
    far = POINTS.copy()
    far[7] += away
    root = made(tmp_path, [line(), line("b c.png", xy=far)])
    with pytest.raises(DatasetError, match=r"line 2 \(b c\.png\): landmark 7 at .* is outside"):
        wflw(root)
    assert wflw(root, on_error="skip").ids == ["a/x.jpg"]


def test_spacing_is_that_of_the_photograph(tmp_path):
    data = wflw(made(tmp_path, [line()])).with_spacing((0.1, 0.2))
    xy = data.landmarks[0]
    apart = (xy[5] - xy[0]) * data.spacing[0][::-1]
    np.testing.assert_allclose(apart, (POINTS[5] - POINTS[0]) * (0.2, 0.1))
    np.testing.assert_array_equal(data.subset([0]).spacing, data.spacing)
