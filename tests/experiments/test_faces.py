"""Table 3, on made faces: both layouts, what is chosen, and what is used again."""

import csv

import cv2
import numpy as np
import pytest

import scp
from scp.datasets import DatasetError
from scp.datasets.wflw import LISTS
from scp.experiments import Asked, FaceTrainings, load_faces, table3
from scp.experiments.face_choice import top_singles
from scp.runs import RunFolder

RNG = np.random.default_rng(11)
HOW = FaceTrainings(
    steps=2, m=2, seeds=2, head_steps=2, batch=2, width=2, asked=Asked(faces=3, points=6)
)


def picture(path, side):
    path.parent.mkdir(parents=True, exist_ok=True)
    small = RNG.integers(0, 255, (side // 8, side // 8, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six faces to learn from and three to find landmarks in, as a table."""
    root = tmp_path_factory.mktemp("faces")
    names = [f"face{k}.png" for k in range(9)]
    with (root / "landmarks.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *(f"{k}_{axis}" for k in range(68) for axis in "xy")])
        for name in names:
            picture(root / "images" / name, 96)
            writer.writerow([name, *RNG.uniform(20, 76, 136).round(2)])
    (root / "train.txt").write_text("\n".join(names[:6]) + "\n")
    (root / "test.txt").write_text("\n".join(names[6:]) + "\n")
    return root


@pytest.fixture(scope="module")
def wflw(tmp_path_factory):
    """The official layout: 98 points, a box, six flags, a name."""
    root = tmp_path_factory.mktemp("wflw")
    for split, count in (("train", 4), ("test", 3)):
        lines = []
        for k in range(count):
            name = f"{split}/{k}.jpg"
            picture(root / "WFLW_images" / name, 160)
            points = RNG.uniform(40, 120, 196).round(3)
            flags = "000100" if k == 0 else "000000"
            lines.append(" ".join([*map(str, points), "40 40 120 120", *flags, name]))
        path = root / LISTS.format(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return root


def test_the_table_and_what_it_is_made_of(folder, tmp_path):
    data, told = load_faces(folder), []
    assert len(data.train) == 6 and len(data.test) == 3 and data.eyes == (36, 45)
    result = table3(data, RunFolder(tmp_path), HOW, progress=False, callback=told.append)
    starts = [event for event in told if event["event"] == "start"]
    assert [event["stage"] for event in starts] == ["autoencoder", *["landmarks"] * 8]
    assert all(event["bytes"] > 0 and event["image_bytes"] > 0 for event in starts)
    text = result.text()
    assert "the paper, SCP" in text and "8.998 ± 0.129" in text and "6 faces" in text
    by_way = {}
    for row in result.records:
        by_way.setdefault(row["way"], []).append(row["chosen"])
    assert by_way["first"] == [["face0.png", "face1.png"]] * 2
    assert by_way["scp"][0] == by_way["scp"][1] and by_way["random"][0] != by_way["random"][1]
    nme = np.load(tmp_path / "reproduce" / "table3" / "scp-0" / "nme.npy")
    assert nme.shape == (3,)
    row = result.records[0]
    assert row["nme"] == pytest.approx(nme.mean())
    assert row["auc"] == scp.metrics.area_under_curve(nme)
    told.clear()
    again = table3(data, RunFolder(tmp_path), HOW, progress=False, callback=told.append)
    assert not told and again.text() == text


def test_wflw_has_the_groups_of_its_flags(wflw, tmp_path):
    data = load_faces(wflw)
    assert list(data.groups) == ["full", "make-up"] and data.groups["make-up"].tolist() == [0]
    how = FaceTrainings(
        steps=1, m=1, seeds=1, head_steps=1, batch=2, width=2, asked=Asked(faces=2, points=4)
    )
    result = table3(data, RunFolder(tmp_path), how, progress=False)
    assert [table.title.split(":")[0] for table in result.tables] == ["full", "make-up"]
    assert "8.578 ± 0.188" in result.text()


def test_colour_of_wflw_lies_under_its_landmarks(wflw):
    from scp.datasets.colour import face_square
    from scp.datasets.wflw import margin
    from scp.faces.views import to_image

    data = load_faces(wflw).train
    for size in (128, 256):
        side = margin(size)[0]
        image, points = face_square(data, 1, side, size)
        assert image.shape == (side, side, 3)
        back = to_image(points - (side - size) // 2, data, 1, side, size)
        np.testing.assert_allclose(back, data.landmarks[1], atol=1e-9)
    grey = cv2.cvtColor(image[53:309, 53:309], cv2.COLOR_RGB2GRAY)
    assert np.abs(grey.astype(int) - data.image(1)).mean() < 3


def test_top_singles_are_those_of_the_highest_own_score():
    values = np.array([[0.25, 0.75], [0.5, 0.5], [0.875, 0.0], [0.5, 0.5]], np.float32)
    assert top_singles(values, np.array([0.5, 0.5]), 3) == [0, 1, 3]
    assert top_singles(values, np.array([1.0, 0.0]), 1) == [2]


def test_what_is_missing_is_said(folder, tmp_path):
    with pytest.raises(ValueError, match="m = 50: there are 6 faces"):
        table3(load_faces(folder), RunFolder(tmp_path), FaceTrainings(steps=1))
    with pytest.raises(ValueError, match="seeds must be at least 1"):
        FaceTrainings(seeds=0).check()
    with pytest.raises(DatasetError, match="images: no such folder"):
        load_faces(tmp_path)


def test_the_command_says_what_it_takes_and_what_is_wrong(folder, tmp_path, capsys):
    from scp.cli.main import main

    run = ["--run", str(tmp_path / "run")]
    assert main(["reproduce", "table3", *run]) == 2
    assert "--root: the folder of the faces is needed" in capsys.readouterr().err
    assert main(["reproduce", "table3", "--root", str(folder), *run, "--labelled", "7"]) == 2
    assert "m = 7: there are 6 faces" in capsys.readouterr().err
    assert main(["reproduce", "table3", "--root", str(folder), "--dataset", "hand", *run]) == 2
    assert "table3 is made of faces, not of hand" in capsys.readouterr().err
    assert main(["reproduce", "table1", "--root", str(folder), "--dataset", "faces", *run]) == 2
    assert "or folder, not of faces" in capsys.readouterr().err


def test_the_end_names_no_part_that_is_not_of_faces(folder, tmp_path):
    from types import SimpleNamespace

    from scp.cli.reproduce.command import _next

    args = SimpleNamespace(what=["table3"], dataset="faces", root=str(folder), evaluation="both")
    job = SimpleNamespace(args=args, run=tmp_path, folder=RunFolder(tmp_path), wanted=["table3"])
    assert [command for _, command in _next(job, ["table3"])] == [""]


def test_the_plan_counts_what_is_left(folder, tmp_path):
    from argparse import Namespace
    from types import SimpleNamespace

    from scp.cli.reproduce.table3 import _work

    args = Namespace(
        root=str(folder), face_size=128, minutes=None, steps=None, published=False, batch=None
    )
    args.head_steps = 100
    run = RunFolder(tmp_path)
    results = RunFolder(tmp_path / "reproduce")
    job = SimpleNamespace(args=args, run=run, folder=results, seeds=lambda name: 2)
    first = _work(job)
    assert first.seconds > 3600 and first.note
    (tmp_path / "autoencoder.safetensors").touch()
    second = _work(job)
    assert first.seconds - second.seconds == pytest.approx(3600) and not second.note
    for way in ("scp", "scp-set", "first", "random"):
        for seed in range(2):
            RunFolder(results / "table3" / f"{way}-{seed}").write_array("nme.npy", np.zeros(3))
    assert _work(job).seconds == 0
