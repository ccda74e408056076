"""Folders, the cephalometric layout, arrays, grids."""

from __future__ import annotations

import os

import cv2
import imagefiles
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scp
from scp import datasets
from scp.datasets import DatasetError
from scp.datasets.cephalometric import read_landmarks

IMAGE = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (60, 48), np.uint8), (0, 0), 2)
POINTS = [(2 * i, 3 * i) for i in range(19)]


def put(path, image=IMAGE, suffix=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagefiles.encode(suffix or path.suffix.lower(), image))


# Folder -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place, said",
    [
        ("@eaDir/001.png/SYNOPHOTO_THUMB_M.jpg", ("@eaDir/", "made by Synology")),
        ("a/#recycle/old.png", ("a/#recycle/", "made by Synology")),
        ("@Recycle/x/y.tif", ("@Recycle/", "made by QNAP")),
        ("$RECYCLE.BIN/x.bmp", ("$RECYCLE.BIN/", "made by Windows")),
        ("__MACOSX/001.png", ("__MACOSX/", "made by macOS")),
        (".@__thumb/s100001.jpg", (".*", "hidden")),
        ("a/._001.png", (".*", "hidden")),
    ],
)
def test_what_file_servers_and_archives_add_is_left_out_and_counted(tmp_path, place, said):
    put(tmp_path / "001.png")
    put(tmp_path / place)
    data = datasets.folder(tmp_path)
    assert data.ids == ["001.png"]
    ((name, reason),) = data.skipped
    assert name == said[0] and reason.startswith(said[1]) and reason.endswith(": 1 image")
    top = (tmp_path / place).parent  # what the user names is read
    assert len(datasets.folder(top if top != tmp_path / "a" else tmp_path)) == 1


def test_what_scp_wrote_is_no_image(tmp_path, monkeypatch):
    for i in range(4):
        write = np.roll(IMAGE, i, axis=1)
        cv2.imwrite(str(tmp_path / f"{i}.png"), write)
    monkeypatch.chdir(tmp_path)
    features = scp.GradientExtractor(size=(64, 64), channels=16)
    settings = {"features": features, "count": 5, "progress": False, "report": False}
    for run in ("runs/images", "mine", "deep/er"):
        scp.choose(datasets.folder("."), 1, run=run, **settings)
        put(tmp_path / run / "metrics.png")
    put(tmp_path / "runs/pictures/of/landmarks.jpg")
    data = datasets.folder(".")
    assert data.ids == ["0.png", "1.png", "2.png", "3.png"]
    assert data.skipped == [
        ("deep/er/", "a run folder of scp: 1 image"),
        ("mine/", "a run folder of scp: 1 image"),
        ("runs/", "a run folder of scp: 2 images"),
    ]
    for name in ("dataset.json", "images.json", "config.toml"):  # of older versions
        (tmp_path / "mine" / name).unlink()
    assert datasets.folder(".").skipped[1][0] == "mine/"
    assert datasets.folder("runs").ids == ["pictures/of/landmarks.jpg"]
    assert datasets.folder("mine").ids == ["metrics.png"]
    with pytest.raises(datasets.DatasetError, match=r"no image found .*; left out: er/, a run fol"):
        datasets.folder("deep")


def test_images_that_are_their_own_run_folder_are_images(tmp_path):
    put(tmp_path / "a/0.png")
    put(tmp_path / "runs/1.png")  # a name alone says nothing
    put(tmp_path / "other/2.png")
    (tmp_path / "other/config.toml").write_text("")
    (tmp_path / "other/report.html").write_text("")
    features = scp.GradientExtractor(size=(64, 64), channels=16)
    settings = {"features": features, "count": 5, "progress": False}
    scp.choose(datasets.folder(tmp_path / "a"), 1, run=tmp_path / "a", **settings)
    assert datasets.folder(tmp_path).ids == ["a/0.png", "other/2.png", "runs/1.png"]


def test_folder_ids_are_relative_sorted_and_unhidden(tmp_path):
    for name in ("b.png", "a/10.jpg", "a/2.JPG", "a.bmp", "ä/x.tif", ".hidden.png", ".d/y.png"):
        put(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    data = datasets.folder(tmp_path)
    assert data.ids == sorted(["b.png", "a/10.jpg", "a/2.JPG", "a.bmp", "ä/x.tif"])
    assert data.path(0) == str(tmp_path / data.ids[0])
    assert len(data) == 5 and data.spacing is None and data.landmarks is None
    assert data.skipped == [(".*", "hidden files and folders: 2 images")]
    assert all(data.image(i).shape == data.shape(i) == (60, 48) for i in range(5))
    np.testing.assert_array_equal(data.image(data.ids.index("b.png")), IMAGE)


def test_folder_follows_no_link_out_of_the_root(tmp_path):
    put(tmp_path / "outside/secret.png")
    root = tmp_path / "root"
    put(root / "real/a.png")
    os.symlink(tmp_path / "outside", root / "out")
    os.symlink(tmp_path / "outside/secret.png", root / "secret.png")
    os.symlink(root / "real/a.png", root / "b.png")
    os.symlink(root, root / "real/loop")
    os.symlink(root / "gone.png", root / "dangling.png")
    data = datasets.folder(root, on_error="skip")
    assert data.ids == ["b.png", "real/a.png"]
    assert dict(data.skipped)["symbolic links"] == "lead out of the folder: 2"
    assert [name for name, _ in data.skipped] == ["symbolic links", "dangling.png"]


def test_folder_bad_files_raise_or_are_listed(tmp_path):
    put(tmp_path / "good.png")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_bytes(b"text")
    whole = imagefiles.encode(".jpg", IMAGE)
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"cut\.jpg.*truncated"):
        datasets.folder(tmp_path)
    data = datasets.folder(tmp_path, on_error="skip")
    assert data.ids == ["good.png"]
    assert [name for name, _ in data.skipped] == ["cut.jpg", "empty.png", "text.jpg"]
    assert all(str(tmp_path / name) in reason for name, reason in data.skipped)
    assert "3 skipped" in repr(data)


def test_what_is_no_folder(tmp_path):
    """An empty name is that of a variable that is not set, not the current folder."""
    file = tmp_path / "a.csv"
    file.write_bytes(b"")
    for wrong, said in (("", "is empty"), (file, "a.csv: a file, not a folder")):
        for load in (datasets.folder, datasets.cephalometric, datasets.hand, datasets.wflw):
            with pytest.raises(DatasetError, match=said):
                load(wrong)
        for load in (datasets.table, datasets.coco):
            with pytest.raises(DatasetError, match=said):
                load(file, wrong)


def test_folder_without_images(tmp_path):
    with pytest.raises(DatasetError, match="no image found"):
        datasets.folder(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        datasets.folder(tmp_path / "none")
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(DatasetError, match="none of 1 image files"):
        datasets.folder(tmp_path, on_error="skip")
    with pytest.raises(ValueError, match="on_error"):
        datasets.folder(tmp_path, on_error="ignore")


def test_a_file_that_changes_later_is_named(tmp_path):
    put(tmp_path / "a.png")
    data = datasets.folder(tmp_path)
    put(tmp_path / "a.png", IMAGE[:30])
    with pytest.raises(DatasetError, match=r"a\.png.*when the data set was opened"):
        data.image(0)
    (tmp_path / "a.png").unlink()
    with pytest.raises(DatasetError, match=r"a\.png"):
        data.grid(0)


def test_index_is_checked(tmp_path):
    put(tmp_path / "a.png")
    data = datasets.folder(tmp_path)
    for method in (data.image, data.shape, data.path, data.grid):
        for i in (-1, 1):
            with pytest.raises(IndexError, match=str(i)):
                method(i)


# Cephalometric ------------------------------------------------------------------------------------


def official(root, train=("001", "002"), test1=(), suffix=".bmp", extra="\n1\n2\n"):
    for part, numbers in (("TrainingData", train), ("Test1Data", test1)):
        for number in numbers:
            put(root / "RawImage" / part / f"{number}{suffix}")
            for k, reader in enumerate(("400_junior", "400_senior")):
                (root / reader).mkdir(exist_ok=True)
                lines = "\n".join(f"{x + k},{y + 3 * k}" for x, y in POINTS)
                (root / reader / f"{number}.txt").write_text(lines + extra)
    return root


@pytest.mark.parametrize("suffix", [".bmp", ".jpg", ".png"])
def test_cephalometric_layout(tmp_path, suffix):
    root = official(tmp_path, test1=("151",), suffix=suffix)
    data = datasets.cephalometric(root)
    assert data.ids == ["001", "002"]
    assert data.landmarks.shape == (2, 19, 2) and data.landmarks.dtype == np.float64
    np.testing.assert_array_equal(data.landmarks[0], np.add(POINTS, (0.5, 1.5)))
    np.testing.assert_array_equal(data.spacing, np.full((2, 2), 0.1))
    assert data.landmark_names[0] == "sella" and len(data.landmark_names) == 19
    assert datasets.cephalometric(root, "all").ids == ["001", "002", "151"]
    senior = datasets.cephalometric(root, "test1", annotator="senior")
    np.testing.assert_array_equal(senior.landmarks[0], np.add(POINTS, (1, 3)))


def test_a_missing_split_matters_only_when_asked_for(tmp_path):
    root = official(tmp_path)
    with pytest.raises(DatasetError, match=r"Test2Data.*'test2' is missing"):
        datasets.cephalometric(root, "test2")
    assert len(datasets.cephalometric(root, "all")) == 2
    with pytest.raises(ValueError, match="split"):
        datasets.cephalometric(root, "test3")
    with pytest.raises(ValueError, match="annotator"):
        datasets.cephalometric(root, annotator="both")
    with pytest.raises(DatasetError, match="no folder RawImage"):
        datasets.cephalometric(root / "RawImage")


def test_cephalometric_without_landmarks_and_with_one_reader(tmp_path):
    root = official(tmp_path)
    os.rename(root / "400_senior", root / "gone")
    with pytest.raises(DatasetError, match=r"400_senior.*'mean' needs it"):
        datasets.cephalometric(root)
    assert datasets.cephalometric(root, annotator="junior").landmarks is not None
    os.rename(root / "400_junior", root / "gone too")
    data = datasets.cephalometric(root)
    assert data.landmarks is None and data.landmark_names == []


def test_a_lossless_copy_of_a_number_is_preferred(tmp_path):
    root = official(tmp_path)
    put(root / "RawImage/TrainingData/001.jpg")
    data = datasets.cephalometric(root)
    assert data.path(0).endswith("001.bmp") and len(data) == 2


def test_bad_landmark_files_are_named_with_their_line(tmp_path):
    root = official(tmp_path)
    path = root / "400_senior/002.txt"
    lines = path.read_text().splitlines()
    for line, text in ((3, "7;8"), (3, "nan,1"), (5, "1,2,3"), (19, "9000,3"), (2, "")):
        bad = list(lines)
        bad[line - 1] = text
        path.write_text("\n".join(bad))
        with pytest.raises(DatasetError, match=rf"400_senior/002\.txt, line {line}"):
            datasets.cephalometric(root)
    path.write_text("\n".join(lines[:18]))
    data = datasets.cephalometric(root, on_error="skip")
    assert data.ids == ["001"] and len(data.landmarks) == 1
    assert data.skipped[0][0] == "002" and "line 19" in data.skipped[0][1]
    path.unlink()
    with pytest.raises(DatasetError, match=r"002\.txt"):
        datasets.cephalometric(root)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=80)
    | st.lists(st.tuples(st.integers(-9, 70), st.integers(-9, 70)), min_size=17, max_size=21).map(
        lambda points: "\r\n".join(f"{x}, {y}" for x, y in points).encode()
    )
)
def test_the_landmark_parser_gives_points_or_names_the_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "landmarks.txt"
    path.write_bytes(content)
    try:
        points = read_landmarks(path, (60, 60))
    except DatasetError as error:
        assert "landmarks.txt, line " in str(error)
    else:
        assert points.shape == (19, 2) and (np.abs(points) <= 66).all()


def test_the_real_cephalograms(real_data):
    data = datasets.cephalometric(real_data("cephalometric"), "train")
    assert len(data) == 150 and data.ids[-1] == "150"
    assert {data.shape(i) for i in range(150)} == {(2400, 1935)}
    assert (data.landmarks >= 0).all() and (data.landmarks < [1935, 2400]).all()
    grid = data.grid(0)
    assert grid.shape == (384, 384) and grid.dtype == np.float32
    full = data.image(0).astype(np.float64) / 255
    assert abs(grid.mean() - full.mean()) < 1e-3
    assert np.abs(data.thumbnail(0, (96, 96)) - data.grid(0, (96, 96))).mean() < 5e-3


# Grids and arrays ---------------------------------------------------------------------------------


def test_grid_averages_areas():
    rng = np.random.default_rng(3)
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
        image = rng.integers(0, top + 1, (60, 80), dtype=dtype)
        grid = datasets.arrays([image]).grid(0, (20, 16))
        mean = image.reshape(20, 3, 16, 5).mean(axis=(1, 3)) / top
        assert grid.dtype == np.float32
        assert np.abs(grid - mean).max() <= 1e-6


def test_grid_enlarges_linearly_about_pixel_centres():
    ramp = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (6, 1))
    grid = datasets.arrays([ramp]).grid(0, (12, 50))
    x = (np.arange(50) + 0.5) * 20 / 50 - 0.5
    assert np.abs(grid[5] - np.clip(x, 0, 19) * 10 / 255).max() <= 1e-5


def test_grid_of_extremes_stays_in_range():
    for value in (0, 65535):
        grid = datasets.arrays([np.full((7, 5), value, np.uint16)]).grid(0, (3, 9))
        assert np.abs(grid - value / 65535).max() <= 1e-6
        assert grid.min() >= 0 and grid.max() <= 1


@pytest.mark.parametrize("size", [(0, 3), (3,), "ab", None, (1 << 16, 3)])
def test_grid_size_is_checked(size):
    with pytest.raises(ValueError, match="size"):
        datasets.arrays([IMAGE]).grid(0, size)


@given(st.lists(st.tuples(st.floats(-10, 3000), st.floats(-10, 3000)), max_size=5))
def test_points_go_to_the_grid_and_back(points):
    xy = np.array(points).reshape(-1, 2)
    there = datasets.to_grid(xy, (2400, 1935), (384, 384))
    back = datasets.to_original(there, (2400, 1935), (384, 384))
    assert np.abs(back - xy).max(initial=0) <= 1e-9


def test_points_keep_the_corners():
    corners = np.array([[-0.5, -0.5], [1934.5, 2399.5]])
    np.testing.assert_allclose(
        datasets.to_grid(corners, (2400, 1935), (384, 300)), [[-0.5, -0.5], [299.5, 383.5]]
    )
    with pytest.raises(ValueError, match="xy"):
        datasets.to_grid([1, 2, 3], (5, 5), (5, 5))
    with pytest.raises(ValueError, match="shape"):
        datasets.to_grid([1, 2], (0, 5), (5, 5))


def test_arrays_are_checked_and_copied():
    data = datasets.arrays([IMAGE, IMAGE], spacing=(0.2, 0.1), groups=["p", "q"])
    assert data.ids == ["0000", "0001"] and data.path(0) is None and data.groups == ["p", "q"]
    np.testing.assert_array_equal(data.spacing, [[0.2, 0.1]] * 2)
    data.image(0)[:] = 0
    np.testing.assert_array_equal(data.image(0), IMAGE)
    with pytest.raises(DatasetError, match="at least one"):
        datasets.arrays([])
    with pytest.raises(TypeError, match=r"images\[1\]"):
        datasets.arrays([IMAGE, IMAGE.astype(float)])
    with pytest.raises(ValueError, match=r"images\[0\]"):
        datasets.arrays([IMAGE[None]])
    with pytest.raises(DatasetError, match="unique"):
        datasets.arrays([IMAGE, IMAGE], ids=["a", "a"])
    with pytest.raises(ValueError, match="landmarks"):
        datasets.arrays([IMAGE], landmarks=np.zeros((2, 3, 2)))
    with pytest.raises(ValueError, match="spacing"):
        datasets.arrays([IMAGE], spacing=(0, 1))


def test_a_subset_keeps_the_order_asked_for_and_reads_the_same_images():
    whole = datasets.phantom(4, seed=0)
    part = whole.subset([2, 0])
    assert part.ids == [whole.ids[2], whole.ids[0]]
    assert np.array_equal(part.image(1), whole.image(0))
    assert np.array_equal(part.landmarks, whole.landmarks[[2, 0]])
    assert np.array_equal(part.spacing, whole.spacing[[2, 0]])
    assert part.path(0) is None and part.shape(1) == whole.shape(0)
    with pytest.raises(IndexError, match="image index 4"):
        whole.subset([0, 4])


def test_pipes_and_links_to_themselves_are_left_out_and_said(tmp_path):
    (tmp_path / "a.png").write_bytes(imagefiles.encode(".png", np.zeros((8, 8), np.uint8)))
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "one.png").symlink_to("two.png")
    (tmp_path / "two.png").symlink_to("one.png")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to("..")
    pool = datasets.folder(tmp_path)
    assert pool.ids == ["a.png"]
    assert [name for name, _ in pool.skipped] == ["loop", "one.png", "pipe.png", "two.png"]
    assert all("link to itself" in reason or "pipe" in reason for _, reason in pool.skipped)


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("above", ["", "AnnotationsByMD", "annotationsbymd/AnnotationsByMD"])
def test_cephalometric_folders_are_found_as_archives_unpack(tmp_path, above, case):
    root = official(tmp_path / "root")
    (root / above).mkdir(parents=True, exist_ok=True)
    for name in ("400_junior", "400_senior"):
        (root / name).rename(root / above / case(name))
    (root / "RawImage").rename(tmp_path / "raw")
    (tmp_path / "raw").rename(root / case("RawImage"))
    for annotator, moved in (("junior", (0, 0)), ("senior", (1, 3)), (None, (0.5, 1.5))):
        data = datasets.cephalometric(root, annotator=annotator)
        np.testing.assert_array_equal(data.landmarks[0], np.add(POINTS, moved))


def test_cephalometric_landmarks_that_are_asked_for_and_not_there(tmp_path):
    root = official(tmp_path / "root")
    for name in ("400_junior", "400_senior"):
        (root / name).rename(tmp_path / name)
    assert datasets.cephalometric(root).landmarks is None
    for annotator in ("mean", "junior", "senior"):
        with pytest.raises(DatasetError, match=f"400_.*is missing; annotator='{annotator}'"):
            datasets.cephalometric(root, annotator=annotator)
    (tmp_path / "400_junior").rename(root / "400_junior")
    assert datasets.cephalometric(root, annotator="junior").landmarks is not None
    (root / "400_junior" / "002.txt").unlink()
    with pytest.raises(DatasetError, match=r"002\.txt: cannot be read"):
        datasets.cephalometric(root, annotator="junior")
    put(root / "RawImage" / "TrainingData" / "003 (1).bmp")
    data = datasets.cephalometric(root, annotator="junior", on_error="skip")
    assert data.ids == ["001"] and [v for v, _ in data.skipped] == ["002", "003 (1).bmp"]
    (root / "x" / "400_junior").mkdir(parents=True)
    (root / "y" / "400_junior").mkdir(parents=True)
    (root / "400_junior").rename(tmp_path / "400_junior")
    with pytest.raises(DatasetError, match="which 400_junior is meant"):
        datasets.cephalometric(root, annotator="junior")


@pytest.mark.parametrize("first", ["9" * 60_000 + ",1", "1_0,2", "1;2", "nan,1", ",", "1,2,3"])
def test_cephalometric_lines_that_are_no_point(tmp_path, first):
    (tmp_path / "001.txt").write_text("\n".join([first, *["5,5"] * 18]))
    with pytest.raises(DatasetError, match=r"001\.txt, line 1"):
        read_landmarks(tmp_path / "001.txt", (60, 48))


def test_arrays_refuse_what_would_be_misread():
    images = [np.zeros((8, 9), np.uint8)] * 2
    half, infinite = np.ones((2, 2, 2)), np.ones((2, 2, 2))
    half[0, 0, 0], infinite[1, 1, 1] = np.nan, np.inf
    for options, message in (
        ({"landmarks": half}, "one coordinate only"),
        ({"landmarks": np.ma.array(half, mask=half != half)}, "one coordinate only"),
        ({"landmarks": infinite}, "infinite"),
        ({"landmarks": np.ones((2, 2, 2)), "landmark_names": ["a", "a "]}, "blanks"),
        ({"landmark_names": ["a"]}, "go with landmarks"),
        ({"spacing": np.ma.array([0.1, 0.1], mask=[0, 1])}, "spacing must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            datasets.arrays(images, **options)
    with pytest.raises(ValueError, match="one coordinate only"):
        datasets.arrays(images).with_landmarks(half)
    for nothing in (None, "folder"):
        with pytest.raises(TypeError, match="images must be a sequence of arrays"):
            datasets.arrays(nothing)
