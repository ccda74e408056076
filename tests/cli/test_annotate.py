"""scp annotate, as a user runs it, without a browser."""

from __future__ import annotations

import json
import re
import shlex

import numpy as np
import pytest

import scp
from scp.cli import main


@pytest.fixture
def run(images, tmp_path, monkeypatch):
    """A run of three chosen images."""
    monkeypatch.chdir(tmp_path)
    command = ["select", str(images), "--run", "run", "-m", "3", "--count", "30", "--size", "64"]
    assert main([*command, "--quiet", "--no-report"]) == 0
    return tmp_path / "run"


def shown(path) -> dict:
    """What the page is given."""
    (text,) = re.findall(
        r'<script id="data" type="application/json">(.*?)</script>', path.read_text()
    )
    return json.loads(text)


def test_the_chosen_images_in_pick_order(images, run, capsys):
    capsys.readouterr()
    assert (
        main(["annotate", str(images), "--run", str(run), "--landmarks", "cephalometric-19"]) == 0
    )
    out = capsys.readouterr().out
    assert "3 images, 19 landmarks: 0 points are marked, 0 found, 57 open" in out
    assert shlex.split(out.splitlines()[-1])[-2:] == ["--templates", "run-marks.csv"]
    page = shown(run / "annotate.html")
    chosen = [e["id"] for e in json.loads((run / "selection.json").read_text())["selected"]]
    assert [image["id"] for image in page["images"]] == chosen
    assert page["landmarks"][0] == "sella" and len(page["landmarks"]) == 19
    assert {(i["width"], i["height"]) for i in page["images"]} == {(192, 240)}


def test_marks_are_shown_and_stay(images, run, capsys):
    marks = (run / "marks.csv").read_text()
    first = marks.splitlines()[1].split(",")[0]
    capsys.readouterr()
    filled = f"image,landmark,x,y\n{first},s,10.25,20\n{first},n,,\np7.png,s,96,60\n"
    (run / "marks.csv").write_text(filled)
    words = ["annotate", str(images), "--run", str(run)]
    assert main(words) == 0
    page = shown(run / "annotate.html")
    assert page["landmarks"] == ["s"]  # n has no point in any image
    (row,) = [i["points"] for i in page["images"] if i["id"] == first]
    assert row == [[10.25, 20.0, "marked", False]]
    where = np.array(page["usual"][0])
    if "p7.png" not in [i["id"] for i in page["images"]]:
        assert np.allclose(where, [96.5 / 192, 60.5 / 240, 1])
    assert (run / "marks.csv").read_text() == filled


def test_the_least_certain_with_what_was_found(images, run, capsys):
    pool = scp.datasets.folder(images)
    rng = np.random.default_rng(0)
    xy = rng.uniform(20, 180, (8, 2, 2))
    source = np.full((8, 2), "found", "<U9")
    source[0] = "marked"
    confidence = np.linspace(0.9, 0.2, 16).reshape(8, 2)
    found = scp.Landmarks(pool.ids, ["s", "n"], xy, confidence, source=source)
    scp.write_landmarks(run / "landmarks.csv", found)
    initial = run.parent / "more.csv"
    initial.write_text(f"image,landmark,x,y,visible\n{pool.ids[7]},g,1,2,0\n")
    words = ["annotate", str(images), "--run", str(run), "--least-certain", "2"]
    assert main([*words, "--initial", str(initial)]) == 0
    out = capsys.readouterr().out
    last = shlex.split(out.splitlines()[-1])
    assert last[-3:] == ["--templates", str(run / "landmarks.csv"), "run-corrected.csv"]
    page = shown(run / "annotate.html")
    assert [i["id"] for i in page["images"]] == [pool.ids[7], pool.ids[6]]
    assert page["landmarks"] == ["s", "n", "g"]
    found = [[*xy[7, k].tolist(), "found", False] for k in (0, 1)]
    assert page["images"][0]["points"] == [*found, [1.0, 2.0, "found", True]]  # hidden
    assert page["usual"][0][2] == 1  # the marked one, which is not shown
    again = shown(scp.Run(pool, run).annotate(["p0.png", 7], landmarks=["n", "g"]))
    assert [i["id"] for i in again["images"]] == ["p0.png", "p7.png"]
    assert again["landmarks"] == ["n", "g", "s"]  # s is marked, so it is shown too
    assert again["images"][0]["points"][0][2] == "marked"


@pytest.mark.parametrize(
    "words, message",
    (
        (["--images", "p9.png"], "no image is called 'p9.png'"),
        (["--images", "p1.png,p1.png"], "different rows"),
        (["--least-certain", "0"], "least_certain must be at least 1"),
        (["--least-certain", "3"], "scp detect finds landmarks first"),
        (["--landmarks", "a,a"], "each once"),
        (["--landmarks", "no.csv"], "there is no such file"),
        (["--page-size", "30K"], "page_size: the images do not fit"),
        (["--format", "coco"], "--format goes with --initial"),
        (["--initial", "OTHER"], "image 'x' is not among the 8 images"),
        (["-o", "OTHER"], "is there, and no page"),
    ),
)
def test_what_is_refused(images, run, capsys, words, message):
    other = run.parent / "other.csv"
    other.write_text("image,landmark,x,y\nx,s,1,2\n")
    words = [str(other) if word == "OTHER" else word for word in words]
    try:
        code = main(["annotate", str(images), "--run", str(run), *words])
    except SystemExit as error:
        code = error.code
    assert code == 2 and message in capsys.readouterr().err
    assert not (run / "annotate.html").exists()


def test_marked_images_are_initial(images, run, capsys):
    """scp select counts the images that are marked in a file of landmarks as annotated."""
    marks = run.parent / "saved.csv"
    marks.write_text(
        "image,landmark,x,y,source\np2.png,s,1,2,marked\np5.png,s,,,marked\np6.png,s,1,2,found\n"
    )
    words = ["select", str(images), "--run", str(run), "-m", "2", "--count", "30", "--size", "64"]
    answers = []
    for given in (str(marks), f"@{marks}", "p2.png,p5.png"):
        assert main([*words, "--quiet", "--no-report", "--initial", given]) == 0
        answers.append(json.loads((run / "selection.json").read_text()))
    assert [a["rules"]["initial"] for a in answers] == [[2, 5]] * 3
    assert answers[0]["selected"] == answers[1]["selected"] == answers[2]["selected"]
    pool = scp.datasets.folder(images)
    extractor = scp.GradientExtractor(size=(64, 64))
    stages = scp.Run(pool, None, features=extractor, count=30)
    choice = stages.select(2, initial=scp.read_landmarks(marks))
    assert choice.ids == [entry["id"] for entry in answers[0]["selected"]]
    assert main([*words, "--initial", str(run / "nothing.csv")]) == 2
    assert "no image is called" in capsys.readouterr().err


def test_names_from_files(tmp_path):
    from scp.run.annotating import landmark_names

    plain = tmp_path / "names.txt"
    plain.write_text("landmark\nsella\n'=n\nlower incisor, tip\n")
    assert landmark_names(plain) == ["sella", "=n", "lower incisor, tip"]
    marks = tmp_path / "marks.csv"
    marks.write_text("image,landmark,x,y\na,s,1,2\na,n,,\n")
    assert landmark_names(str(marks)) == ["s", "n"]
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"empty\.txt"):
        landmark_names(tmp_path / "empty.txt")
    with pytest.raises(ValueError, match="there twice"):
        landmark_names(["a", "a "])


def test_select_knows_the_same_names(images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ["select", str(images), "--size", "64", "--count", "30", "-m", "1", "--run", "out"]
    assert main([*few, "--quiet", "--no-report", "--landmarks", "cephalometric-19"]) == 0
    names = scp.read_landmarks("out/marks.csv").names
    assert len(names) == 19 and names[0] == "sella"
    (tmp_path / "names.txt").write_text("a\nb\n")
    assert scp.read_landmarks(scp.Run.open("out").marks_to_fill("names.txt")).names == ["a", "b"]
