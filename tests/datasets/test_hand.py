"""Digital Hand Atlas: joined by id, split, spacing by the wrist."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scp
from scp import datasets
from scp.cli import main
from scp.cli.arguments import open_data
from scp.cli.main import _parser
from scp.datasets import DatasetError
from scp.datasets.hand import read_table

IDS = ["3142", "3144", "3143", "4000"]  # the order of the file is not that of the names


def points(k: int) -> np.ndarray:
    """Hand-made landmarks of image k: landmark j at (20 + j, 30 + k), the fourth 5 further."""
    xy = np.array([(20.0 + j, 30.0 + k) for j in range(37)])
    xy[0] = 10, 20
    xy[4] = 10 + 3 * (k + 1), 20 + 4 * (k + 1)  # 5 (k + 1) pixels from landmark 0
    return xy


def line(name: str, xy: np.ndarray) -> str:
    return ",".join([name, *(f"{v:g}" for v in xy.ravel())])


def made(root, ids=IDS, images=IDS, suffix=".jpg"):
    root.mkdir(exist_ok=True)
    lines = [line(name, points(IDS.index(name))) for name in ids]
    (root / "all.csv").write_text("\n".join(lines) + "\n")
    for k, name in enumerate(images):
        cv2.imwrite(str(root / f"{name}{suffix}"), np.full((80, 70 + k), 10 * k, np.uint8))
    return root


def test_images_and_lines_are_joined_by_id(tmp_path):
    data = datasets.hand(made(tmp_path), "all")
    assert data.name == "hand" and data.ids == ["3142", "3143", "3144", "4000"]
    assert data.landmark_names == [str(k) for k in range(37)]
    for i, name in enumerate(data.ids):
        k = IDS.index(name)
        np.testing.assert_array_equal(data.landmarks[i], points(k))
        assert data.shape(i) == (80, 70 + k) and data.path(i).endswith(f"{name}.jpg")
        np.testing.assert_array_equal(data.spacing[i], [50 / (5 * (k + 1))] * 2)
    assert datasets.hand(tmp_path, "all", spacing=None).spacing is None


def test_two_conventions_of_the_wrist(tmp_path):
    """50 mm between landmarks 0 and 4, or 1 and 5, which are 4 pixels apart here."""
    data = datasets.hand(made(tmp_path), "all", spacing="payer")
    np.testing.assert_array_equal(data.spacing, np.full((4, 2), 12.5))
    with pytest.raises(ValueError, match=r"spacing must be 'wrist', 'payer' or None, got 'wide'"):
        datasets.hand(tmp_path, spacing="wide")
    lines = (tmp_path / "all.csv").read_text().splitlines()
    cells = lines[2].split(",")
    cells[11:13] = cells[3:5]  # landmark 5 where 1 is
    (tmp_path / "all.csv").write_text("\n".join([*lines[:2], ",".join(cells), lines[3]]))
    with pytest.raises(DatasetError, match="line 3: landmarks 1 and 5 are the same point"):
        datasets.hand(tmp_path, spacing="payer")


def test_the_wrist_by_the_command(tmp_path, capsys):
    """scp evaluate, in the original pixels and on the grid; a run folder keeps the convention."""
    root, run = made(tmp_path / "hands"), tmp_path / "run"
    truth = datasets.hand(root, "all", spacing=None)
    moved = scp.Landmarks(truth.ids, truth.landmark_names, truth.landmarks + np.array([2.0, 0]))
    scp.write_landmarks(tmp_path / "found.csv", moved)
    argv = ["evaluate", str(tmp_path / "found.csv"), str(root), "--dataset", "hand", "--json"]
    argv += ["--split", "all"]
    found = {}
    for words in ("wrist", "payer", "0.5", "wrist --grid 40", "payer --grid 40"):
        assert main([*argv, "--spacing", *words.split()]) == 0
        found[words] = json.loads(capsys.readouterr().out)["mre"]
    widths = [np.hypot(*(xy[0] - xy[4])) for xy in truth.landmarks]
    assert found["wrist"] == pytest.approx(np.mean([2 * 50 / w for w in widths]))
    assert found["payer"] == pytest.approx(2 * 50 / 4) and found["0.5"] == pytest.approx(1.0)
    assert found["wrist --grid 40"] != found["payer --grid 40"]
    argv = ["select", str(root), "--dataset", "hand", "--split", "all", "-m", "1", "--no-report"]
    argv += [
        "--spacing",
        "payer",
        "--run",
        str(run),
        "--size",
        "64",
        "--quiet",
        "--keypoints",
        "random",
    ]
    assert main(argv) == 0
    again = _parser().parse_args(["select", str(run)])
    again.given = {}
    assert open_data(again).spacing[0, 0] == 12.5


def test_what_is_left_out_is_counted(tmp_path):
    root = made(tmp_path)
    (root / "@eaDir").mkdir()
    for name in ("@eaDir/3142.jpg", ".3143.jpg"):
        (root / name).write_bytes(b"")
    data = datasets.hand(root, "all")
    assert data.ids == sorted(IDS)
    assert data.skipped == [
        (".*", "hidden files and folders: 1 image"),
        ("@eaDir/", "made by Synology, not images of the pool: 1 image"),
    ]


def test_split_is_by_the_order_of_ids(tmp_path):
    root = made(tmp_path)
    assert datasets.hand(root, sizes=(2, 1)).ids == ["3142", "3143"]
    assert datasets.hand(root, "test", sizes=(2, 1)).ids == ["3144"]
    assert len(datasets.hand(root)) == 4
    with pytest.raises(DatasetError, match="only 4 images, none is left for split 'test'"):
        datasets.hand(root, "test")
    with pytest.raises(ValueError, match="sizes"):
        datasets.hand(root, sizes=(0, 1))


def test_split_does_not_depend_on_damaged_images(tmp_path):
    root = made(tmp_path)
    (root / "3143.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"3143\.jpg"):
        datasets.hand(root, sizes=(2, 1))
    data = datasets.hand(root, sizes=(2, 1), on_error="skip")
    assert data.ids == ["3142"] and [name for name, _ in data.skipped] == ["3143"]
    assert datasets.hand(root, "test", sizes=(2, 1), on_error="skip").ids == ["3144"]


def test_what_does_not_match_is_refused_or_listed(tmp_path):
    root = made(tmp_path, ids=IDS[:3], images=IDS[1:])
    with pytest.raises(DatasetError, match=r"all\.csv, line 1: no image called 3142 .*: 1, .*: 1;"):
        datasets.hand(root)
    data = datasets.hand(root, unmatched="skip")
    assert data.ids == ["3143", "3144"]
    assert [name for name, _ in data.skipped] == ["3142", "4000"]
    assert "line 1: no image" in data.skipped[0][1] and "no line 4000" in data.skipped[1][1]
    with pytest.raises(ValueError, match="unmatched"):
        datasets.hand(root, unmatched="ignore")


def test_nothing_matches(tmp_path):
    root = made(tmp_path, ids=IDS[:1], images=IDS[1:2])
    with pytest.raises(DatasetError, match="none of its 1 ids is the name of an image"):
        datasets.hand(root, unmatched="skip")


def test_formats_and_folders(tmp_path):
    root = made(tmp_path)
    cv2.imwrite(str(root / "3142.png"), np.zeros((80, 70), np.uint8))
    assert datasets.hand(root, "all").path(0).endswith("3142.png")  # the lossless one
    (root / "sub").mkdir()
    cv2.imwrite(str(root / "sub/3144.jpg"), np.zeros((80, 70), np.uint8))
    with pytest.raises(DatasetError, match=r"sub/3144\.jpg: image 3144 is there twice"):
        datasets.hand(root)


def test_where_the_table_is(tmp_path):
    root = made(tmp_path)
    (root / "setup").mkdir()
    (root / "all.csv").rename(root / "setup/all.csv")
    assert len(datasets.hand(root)) == 4
    (root / "setup/all.csv").rename(tmp_path / "other.csv")
    assert len(datasets.hand(root, table=tmp_path / "other.csv")) == 4
    with pytest.raises(DatasetError, match=r"no all\.csv or setup/all\.csv"):
        datasets.hand(root)
    with pytest.raises(DatasetError, match="no such folder"):
        datasets.hand(tmp_path / "none")
    with pytest.raises(ValueError, match="split"):
        datasets.hand(root, "validation")
    with pytest.raises(ValueError, match="spacing"):
        datasets.hand(root, spacing="0.1")


GOOD = line("3144", points(0))


@pytest.mark.parametrize(
    "bad, message",
    [
        (GOOD + ",1", r"line 2: 75 cells expected, got 76"),
        ("id,x,y", r"line 2: 75 cells expected, got 3"),
        (GOOD.replace("10,20", "10,a", 1), r"line 2: column 3: 'a' is not a number"),
        (GOOD.replace("10,20", "10,inf", 1), r"line 2: column 3: 'inf' is infinite"),
        (GOOD.replace("10,20", "10,", 1), r"line 2: column 3 is empty"),
        (GOOD.replace("3144", "3142"), r"line 2: id 3142 is in line 1 already"),
        (GOOD.replace("3144", " "), r"line 2: the id is empty"),
        (GOOD.replace("10,20", "10,90", 1), r"line 2: landmark 0 at \(10, 90\) is out.*71 x 80"),
        (line("3144", np.full((37, 2), 5.0)), r"line 2: landmarks 0 and 4 are the same point"),
    ],
)
def test_a_bad_line_is_named(tmp_path, bad, message):
    made(tmp_path, images=["3142", "3144"])
    (tmp_path / "all.csv").write_text(line("3142", points(0)) + "\n" + bad + "\n")
    with pytest.raises(DatasetError, match=r"all\.csv, " + message):
        datasets.hand(tmp_path)


def test_a_landmark_outside_can_be_skipped(tmp_path):
    root = made(tmp_path, images=["3142", "3144"])
    text = line("3142", points(0)) + "\n" + GOOD.replace("10,20", "10,90", 1)
    (root / "all.csv").write_text(text)
    data = datasets.hand(root, on_error="skip")
    assert data.ids == ["3142"] and data.skipped[0][0] == "3144"


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda at, end, new: GOOD.encode()[:at] + new + GOOD.encode()[at + end :],
            st.integers(0, len(GOOD)),
            st.integers(0, 5),
            st.sampled_from([b"", b",", b'"', b"\n", b"\0", b"\xff", b"1e999", b"nan", b"-"]),
        ),
    )
)
def test_any_bytes_give_rows_or_a_dataset_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(text)
    try:
        rows = read_table(path)
    except DatasetError as error:
        assert "fuzz.csv" in str(error)
    else:
        assert rows and all(np.isfinite(xy).all() for _, xy in rows.values())
