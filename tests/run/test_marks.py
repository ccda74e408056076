"""marks.csv: written to be filled in, used when it is, and never overwritten then."""

from __future__ import annotations

import csv
import shlex

import numpy as np
import pytest
from phantoms import write_images

import scp
from scp.cli import main

SMALL = ["--size", "64", "--count", "20", "--quiet"]


@pytest.fixture(scope="module")
def pool():
    return scp.datasets.phantom(6, seed=2, size=(160, 128))


@pytest.fixture(scope="module")
def folder(pool, tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"), pool)


def run_of(dataset, path):
    features = scp.GradientExtractor(size=(64, 64))
    return scp.Run(dataset, path, features=features, count=20, duplicates=False, progress=False)


def rows_of(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def fill(path, pool, images, landmarks):
    """As a person does in a table: x and y of some lines, nothing else."""
    rows = rows_of(path)
    for row in rows:
        i = pool.ids.index(row["image"].removesuffix(".png"))
        if row["image"] in images and row["landmark"] in landmarks:
            k = landmarks.index(row["landmark"])
            row["x"], row["y"] = map(str, pool.landmarks[i, k])
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_the_way_from_a_folder_of_images_to_landmarks(pool, folder, tmp_path, capsys):
    run = tmp_path / "my run"
    select = ["select", str(folder), "-m", "2", "--run", str(run), *SMALL, "--no-report"]
    assert main([*select, "--landmarks", ",".join(pool.landmark_names)]) == 0
    out = capsys.readouterr().out
    marks = run / "marks.csv"
    assert str(marks) in out and "x and y" in out
    command = next(line for line in out.splitlines() if line.strip().startswith("scp detect"))
    words = shlex.split(command)
    assert words == ["scp", "detect", str(folder), "--run", str(run), "--size", "64"]
    assert main(words[1:]) == 2  # nothing is filled in yet
    assert f"fill in {marks}" in capsys.readouterr().err
    lines = rows_of(marks)
    chosen = list(dict.fromkeys(row["image"] for row in lines))
    assert len(chosen) == 2 and len(lines) == 2 * len(pool.landmark_names)
    fill(marks, pool, chosen, pool.landmark_names[:4])
    before = marks.read_bytes()
    assert main(words[1:]) == 0
    out = capsys.readouterr().out
    assert "4 landmarks in 6 images from 2 templates" in out and "scp refine" in out
    found = scp.read_landmarks(run / "landmarks.csv")
    assert found.names == pool.landmark_names[:4]  # lines left empty are no landmarks
    at = [found.ids.index(name) for name in chosen]
    truth = pool.landmarks[[pool.ids.index(name[:-4]) for name in chosen], :4]
    assert np.array_equal(found.xy[at], truth)
    select[3] = "3"
    assert main([*select, "--landmarks", "other"]) == 0
    assert marks.read_bytes().startswith(before) and marks.read_bytes() != before
    assert len({row["image"] for row in rows_of(marks)}) == 3
    assert {row["landmark"] for row in rows_of(marks)} == set(pool.landmark_names)
    after = marks.read_bytes()
    select[3] = "2"
    assert main(select) == 0 and marks.read_bytes() == after


def test_names_come_from_the_file_the_data_set_or_are_numbers(pool, folder, tmp_path):
    run = run_of(scp.datasets.folder(folder), tmp_path / "a")
    run.select(2)
    assert scp.read_landmarks(tmp_path / "a" / "marks.csv").names == ["1", "2", "3"]
    run.marks_to_fill(["sella", "nasion"])
    run.select(3)  # nothing was filled in, so all lines are new; the names stay
    marks = scp.read_landmarks(tmp_path / "a" / "marks.csv")
    assert marks.names == ["sella", "nasion"] and marks.ids == run._choice.ids
    run = run_of(pool, tmp_path / "b")
    choice = run.select(2, initial=[0])
    marks = scp.read_landmarks(tmp_path / "b" / "marks.csv")
    assert marks.names == pool.landmark_names and marks.ids == [*choice.ids, pool.ids[0]]
    assert not marks.present.any()


def test_marks_that_are_filled_in_come_before_those_of_the_data_set(pool, tmp_path):
    run = run_of(pool, tmp_path / "run")
    run.select(2)
    assert [str(v) for v in run.annotated().ids] == run._choice.ids
    one = scp.Landmarks([pool.ids[5]], ["sella"], np.array([[[20.0, 30.0]]]))
    scp.write_landmarks(tmp_path / "run" / "marks.csv", one)
    images = run.annotated()
    assert images.ids == [pool.ids[5]] and images.landmarks.tolist() == [[[20, 30]]]
    assert run.detect().templates[0] == pool.ids[5]


@pytest.mark.parametrize(
    "start, end", (("", "\n"), ("\ufeff", "\r\n"), ("", "")), ids=("plain", "excel", "no end")
)
def test_what_is_filled_in_stays_to_the_byte(pool, tmp_path, start, end):
    run = run_of(pool, tmp_path / "run")
    ids = run.select(1).ids
    path = tmp_path / "run" / "marks.csv"
    lines = (
        end.join(("image,landmark,x,y", f"{ids[0]},own,1.50,2"))
        if end
        else (f"image,landmark,x,y\n{ids[0]},own,1.50,2")
    )
    content = (start + lines + end).encode()
    path.write_bytes(content)
    ids = run.select(2).ids
    assert path.read_bytes().startswith(content)
    marks = scp.read_landmarks(path)
    assert marks.names == ["own"] and {*ids} <= set(marks.ids)
    assert marks.present.sum() == 1


def test_a_table_in_another_form_is_kept_beside(pool, tmp_path):
    run = run_of(pool, tmp_path / "run")
    ids = run.select(1).ids
    path = tmp_path / "run" / "marks.csv"
    wide = f"image,a_x,a_y,b_x,b_y\n{ids[0]},1,2,,\n"
    path.write_text(wide)
    with pytest.warns(UserWarning, match=r"kept as .*marks\.user\.csv"):
        ids = run.select(3).ids
    assert (tmp_path / "run" / "marks.user.csv").read_text() == wide
    marks = scp.read_landmarks(path)
    assert marks.names == ["a", "b"] and {*ids} <= set(marks.ids)
    assert marks.xy[0, 0].tolist() == [1, 2] and marks.present.sum() == 1


def test_a_table_that_cannot_be_read_is_left_and_named(pool, tmp_path):
    run = run_of(pool, tmp_path / "run")
    path = tmp_path / "run" / "marks.csv"
    ids = run.select(1).ids
    half = f"image,landmark,x,y\n{ids[0]},sella,12,\n"  # y is still to be filled in
    path.write_text(half)
    with pytest.warns(UserWarning, match=r"left as it is: .*line 2"):
        run.select(2)
    assert path.read_text() == half
    with pytest.raises(ValueError, match=r"marks.csv, line 2"):
        run.detect()
