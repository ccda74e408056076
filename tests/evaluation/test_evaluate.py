"""Evaluations against values worked out by hand; files, page and command line."""

from __future__ import annotations

import csv
import json
import math
import re
import shlex
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from scp.cli import main
from scp.datasets import arrays
from scp.evaluation import evaluate, metrics
from scp.landmarks import Landmarks, write_landmarks
from scp.landmarks.edits import write_kept
from scp.report.plots import error_figure

NAN = float("nan")


def images(n=3, **rest):
    """n images of 40 x 30 pixels, (a, b, ...), two landmarks at (10, 10) and (20, 30)."""
    y, x = np.mgrid[0:40, 0:30]
    pixels = [((x * 3 + y * 2 + 40 * i) % 256).astype(np.uint8) for i in range(n)]
    rest = {
        "ids": list("abcdefgh"[:n]),
        "spacing": (0.5, 0.5),
        "landmarks": np.tile([[10.0, 10.0], [20.0, 30.0]], (n, 1, 1)),
        "landmark_names": ["left", "right"],
        **rest,
    }
    return arrays(pixels, **rest)


def moved(truth, by, ids=None, names=("left", "right")):
    """The true landmarks moved along x by `by` [N][L] pixels, as predictions."""
    xy = truth.landmarks.copy()
    xy[..., 0] += by
    return Landmarks(ids or truth.ids, list(names), xy)


BY = np.array([[2.0, 8.0], [4.0, 0.0], [1.0, 3.0]])  # pixels; half of it in mm


# ---- numbers ----


def test_errors_in_mm_by_hand():
    truth = images()
    e = evaluate(moved(truth, BY), truth, radii=(2, 4), resamples=500)
    np.testing.assert_array_equal(e.errors, BY / 2)  # 1 4 / 2 0 / 0.5 1.5
    assert (e.unit, e.ids, e.names) == ("mm", ["a", "b", "c"], ["left", "right"])
    assert e.mre == 1.5  # 9 / 6
    assert e.median == 1.25  # of 0 0.5 1 1.5 2 4
    # below 2: 1, 0, 0.5, 1.5 (not 2); below 4: all but 4
    np.testing.assert_allclose(e.rates, [100 * 4 / 6, 100 * 5 / 6])
    assert e.mre_interval[0] < e.mre < e.mre_interval[1]
    assert (e.count, e.missing, e.absent) == (6, 0, 0)
    np.testing.assert_allclose(e.by_landmark().mean, [3.5 / 3, 5.5 / 3])
    np.testing.assert_allclose(e.by_image().mean, [2.5, 1.0, 1.0])
    assert e.worst(3) == [(0, 1), (1, 0), (2, 1)]


def test_intervals_are_those_of_the_bootstrap():
    truth = images()
    e = evaluate(moved(truth, BY), truth, radii=(2,), resamples=300, level=0.8, random_state=7)
    low, high = metrics.bootstrap_interval(
        [2.5, 1.0, 1.0], resamples=300, level=0.8, random_state=7
    )
    assert e.mre_interval == (low, high)
    low, high = metrics.bootstrap_interval(
        [50.0, 50.0, 100.0], resamples=300, level=0.8, random_state=7
    )
    np.testing.assert_allclose(e.rates_intervals, [[low, high]])


def test_ties_of_the_worst_go_to_the_first():
    truth = images()
    e = evaluate(moved(truth, np.full((3, 2), 2.0)), truth, resamples=10)
    assert e.worst(3) == [(0, 0), (0, 1), (1, 0)]


def test_images_and_landmarks_are_joined_by_name():
    truth = images()
    p = moved(truth, BY)
    order = Landmarks(["c.png", "a.png", "b.png"], ["right", "left"], p.xy[[2, 0, 1]][:, ::-1])
    e = evaluate(order, truth, resamples=10)
    np.testing.assert_array_equal(e.errors, BY / 2)


def test_spacing_differs_from_image_to_image():
    truth = images(spacing=[[9, 0.5], [9, 1.0], [9, 2.0]])
    e = evaluate(moved(truth, BY), truth, resamples=10)
    np.testing.assert_array_equal(e.errors, BY * [[0.5], [1.0], [2.0]])


def test_spacing_follows_its_image():
    # the first image is not predicted, so the spacing of the second goes with the first row
    truth = images(spacing=[[9, 0.5], [9, 1.0], [9, 2.0]])
    p = moved(truth, BY)
    e = evaluate(Landmarks(["c", "b"], p.names, p.xy[[2, 1]]), truth, resamples=10)
    assert e.ids == ["b", "c"]
    np.testing.assert_array_equal(e.errors, [[4.0, 0.0], [2.0, 6.0]])
    assert e.not_predicted == ["a"]


def test_pixels_without_a_spacing():
    truth = images(spacing=None)
    e = evaluate(moved(truth, BY), truth, resamples=10)
    assert e.unit == "px"
    np.testing.assert_array_equal(e.errors, BY)
    with pytest.raises(ValueError, match="spacing: the truth has none"):
        evaluate(moved(truth, BY), truth, unit="mm")
    np.testing.assert_array_equal(
        evaluate(moved(truth, BY), truth, spacing=0.25, resamples=10).errors, BY / 4
    )
    in_pixels = evaluate(moved(images(), BY), images(), unit="px", resamples=10)
    np.testing.assert_array_equal(in_pixels.errors, BY)


def test_truth_that_is_a_file_of_landmarks():
    truth = images()
    e = evaluate(moved(truth, BY), Landmarks.of(truth), spacing=(7, 0.5), resamples=10)
    np.testing.assert_array_equal(e.errors, BY / 2)
    assert e.images is None
    like = SimpleNamespace(ids=truth.ids, names=truth.landmark_names, xy=moved(truth, BY).xy)
    np.testing.assert_array_equal(evaluate(like, truth, resamples=10).errors, BY / 2)


def test_the_papers_grid():
    # 40 x 30 pixels on a grid of 20 x 10: 2 and 3 pixels each; spacing 0.5 -> 1.0 and 1.5 mm.
    # truth (10, 10) -> (int(10 / 3), int(10 / 2)) = (3, 5); (20, 30) -> (6, 15)
    # predicted (12, 10) -> ((12.5) / 3 - 0.5, 10.5 / 2 - 0.5) = (3.67, 4.75) -> (4, 5): 1.5 mm
    # predicted (28, 30) -> (9, 14.75) -> (9, 15): 3 * 1.5 mm
    truth = images(1)
    e = evaluate(moved(truth, BY[:1]), truth, grid=(20, 10), resamples=10)
    np.testing.assert_allclose(e.errors, [[1.5, 4.5]])
    assert e.grid == {"size": [20, 10], "rule": "truncate"}
    with pytest.raises(ValueError, match="grid: the sizes of the images are needed"):
        evaluate(moved(truth, BY[:1]), Landmarks.of(truth), spacing=1, grid=384)
    with pytest.raises(ValueError, match="grid_spacing goes with grid"):
        evaluate(moved(truth, BY[:1]), truth, grid_spacing=1)
    e = evaluate(moved(truth, BY[:1]), truth, grid=(20, 10), grid_spacing=2, resamples=10)
    np.testing.assert_allclose(e.errors, [[2.0, 6.0]])


def test_percent_of_a_distance():
    # the landmarks are (10, 20) apart: 22.36 pixels
    truth = images()
    e = evaluate(moved(truth, BY), truth, pair=(0, 1), radii=(10,), resamples=10)
    percent = 100 * BY / math.hypot(10, 20)
    assert e.unit == "%"
    np.testing.assert_allclose(e.errors, percent)
    # means of the images 22.4, 8.9, 8.9: one of three above 10
    assert e.faces["failure_rate"] == pytest.approx(100 / 3)
    assert e.faces["area_under_curve"] == metrics.area_under_curve(percent.mean(axis=1))
    with pytest.raises(ValueError, match="neither grid nor unit"):
        evaluate(moved(truth, BY), truth, pair=(0, 1), unit="mm")
    truth.landmarks[1, 1] = truth.landmarks[1, 0]
    with pytest.raises(ValueError, match="pair: landmarks 0 and 1 of image 'b'"):
        evaluate(moved(truth, BY), truth, pair=(0, 1))


# ---- what is not there ----


def test_images_without_truth_are_left_out():
    truth = images(4)
    truth.landmarks[1] = NAN
    p = moved(images(4), np.ones((4, 2)), ids=["a", "b", "c", "x"])
    e = evaluate(p, truth, resamples=10)
    assert e.ids == ["a", "c"]
    assert e.left_out == ["b", "x"]
    assert e.not_predicted == ["d"]
    truth.landmarks[:] = NAN
    with pytest.raises(ValueError, match=r"no image is left .* 4 have no true landmark"):
        evaluate(p, truth)


def test_excluded_images():
    truth = images()
    e = evaluate(moved(truth, BY), truth, exclude=["a", "c.png"], resamples=10)
    assert (e.ids, e.excluded) == (["b"], ["a", "c"])
    with pytest.raises(ValueError, match="exclude: no image is called 'z'"):
        evaluate(moved(truth, BY), truth, exclude=["z"])
    with pytest.raises(ValueError, match=r"no image is left .* 3 are excluded"):
        evaluate(moved(truth, BY), truth, exclude=["a", "b", "c"])


def test_absent_and_missing_points():
    truth = images()
    truth.landmarks[0, 1] = NAN  # absent: does not count
    p = moved(images(), BY)
    p.xy[1, 0] = NAN  # missing: not detected, not in the mean
    e = evaluate(p, truth, radii=(2,), resamples=50)
    np.testing.assert_array_equal(e.errors, [[1, NAN], [np.inf, 0], [0.5, 1.5]])
    assert (e.count, e.missing, e.absent) == (4, 1, 1)
    assert e.mre == 0.75
    np.testing.assert_array_equal(e.rates, [80.0])  # 4 of 5
    assert np.isfinite(e.mre_interval).all()
    assert e.worst()[0] == (2, 1)
    assert len(e.worst()) == 4


def test_nothing_predicted_is_no_accident(tmp_path):
    truth = images()
    p = moved(truth, BY)
    p.xy[:] = NAN
    e = evaluate(p, truth, resamples=10)
    assert math.isnan(e.mre)
    assert (e.rates == 0).all()
    e.write(tmp_path)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["mre"] is None
    assert "No landmark was predicted." in (tmp_path / "evaluation.html").read_text()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"names": ["left", "nose"]}, "predicted landmark 'nose' is not in the truth"),
        ({"ids": ["x", "y", "z"]}, "no image of the truth is in it .*'x'.*'a'"),
    ],
)
def test_names_that_do_not_match(change, text):
    truth = images()
    p = moved(truth, BY)
    with pytest.raises(ValueError, match=text):
        evaluate(Landmarks(change.get("ids", p.ids), change.get("names", p.names), p.xy), truth)


def test_landmarks_that_were_not_predicted():
    truth = images()
    with pytest.raises(ValueError, match="landmark 'right' of the truth was not predicted"):
        evaluate(Landmarks(truth.ids, ["left"], truth.landmarks[:, :1]), truth)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"radii": (2, 0)}, "radii must be"),
        ({"unit": "cm"}, "unit must be one of mm, px"),
        ({"spacing": (1, 2, 3)}, "spacing must be a number"),
        ({"spacing": -1}, "spacing must be positive"),
        ({"pair": (0, 2)}, "pair must be two landmarks below 2"),
        ({"level": 0}, "level must be between"),
    ],
)
def test_bad_options(options, text):
    truth = images()
    with pytest.raises(ValueError, match=text):
        evaluate(moved(truth, BY), truth, **options)


def test_what_is_no_landmarks():
    with pytest.raises(TypeError, match="predicted must be Landmarks or a data set, got list"):
        evaluate([1, 2], images())
    with pytest.raises(ValueError, match="truth: the arrays data set has no landmarks"):
        evaluate(moved(images(), BY), images(landmarks=None, landmark_names=()))


# ---- showing and writing ----

HOSTILE = '<script>alert("x")</script>$\\frac{'


class Check(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.said = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.said.append(data)


def test_files(tmp_path):
    truth = images()
    truth.landmarks[0, 1] = NAN
    e = evaluate(moved(images(), BY), truth, radii=(2, 2.5), resamples=100, random_state=3)
    paths = e.write(tmp_path / "new")
    names = ["metrics.json", "metrics.csv", "evaluation.html", "metrics.svg"]
    assert [p.name for p in paths] == names
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(names)
    content = json.loads(paths[0].read_text())
    assert content["mre"] == e.mre
    assert content["sdr"] == {"2": 80.0, "2.5": 100.0}
    assert content["interval"]["seed"] == 3
    assert content["by_landmark"][1] == {
        "name": "right",
        "count": 2,
        "mre": 0.75,
        "sd": 0.75,
        "median": 0.75,
        "largest": 1.5,
        "sdr": {"2": 100.0, "2.5": 100.0},
    }
    assert content["worst"][0] == {"image": "b", "landmark": "left", "error": 2.0}
    rows = list(csv.DictReader(paths[1].open(newline="")))
    assert len(rows) == 6
    assert rows[0] == {
        "image": "a",
        "landmark": "left",
        "x": "12.0",
        "y": "10.0",
        "true_x": "10.0",
        "true_y": "10.0",
        "error_mm": "1.0",
    }
    assert rows[1]["true_x"] == rows[1]["error_mm"] == ""
    assert paths[3].read_bytes().startswith(b"<svg xmlns=")


def test_the_same_evaluation_gives_the_same_bytes(tmp_path):
    truth = images()
    first = evaluate(moved(truth, BY), truth, resamples=100).write(tmp_path / "1")
    again = evaluate(moved(truth, BY), truth, resamples=100).write(tmp_path / "2")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in again]


def test_names_are_escaped(tmp_path):
    names = [HOSTILE, "right, wrong"]
    truth = images(ids=[HOSTILE + "1", '"quoted"', "c"], landmark_names=names)
    e = evaluate(moved(truth, BY, names=names), truth, resamples=10)
    e.write(tmp_path)
    page = (tmp_path / "evaluation.html").read_text()
    check = Check()
    check.feed(page)
    assert "script" not in check.tags
    assert any(HOSTILE + "1" in text for text in check.said)
    assert all(
        value.startswith("data:image/jpeg") for name, value in check.attributes if name == "src"
    )
    assert "http" not in [name for name, _ in check.attributes]
    html = e._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open(newline="")))
    assert rows[0]["image"] == HOSTILE + "1"
    assert rows[1]["landmark"] == "right, wrong"


def test_page_shows_the_worst_and_what_was_left_out(tmp_path):
    truth = images(4)
    truth.landmarks[3] = NAN
    e = evaluate(moved(images(4), np.vstack([BY, [1, 1]])), truth, resamples=10)
    e.write(tmp_path)
    page = (tmp_path / "evaluation.html").read_text()
    assert page.count("data:image/jpeg") == 6  # every case has a picture
    assert "Left out: no true landmark" in page
    assert "4.00 mm" in page
    e.write(tmp_path, pictures=False)
    assert "data:image" not in (tmp_path / "evaluation.html").read_text()


def test_an_image_that_cannot_be_read_is_said(tmp_path):
    truth = images()
    e = evaluate(moved(truth, BY), truth, resamples=10)

    def broken(i):
        raise OSError("gone <away>")

    e.images.image = broken
    e.write(tmp_path)
    page = (tmp_path / "evaluation.html").read_text()
    assert "image could not be read" in page
    assert "gone &lt;away&gt;" in page


def test_plot_and_text():
    truth = images()
    e = evaluate(moved(truth, BY), truth, resamples=100)
    drawing = str(error_figure(e.errors, e.names, e.radii, e.unit))
    assert drawing.count(">Error, mm</text>") == 2
    assert re.findall(r">(left|right)</text>", drawing) == ["left", "right"]
    assert "MRE 1.500 mm (95% interval" in str(e)
    assert "6 landmarks of 3 images" in repr(e)


def test_nothing_is_half_written(tmp_path, monkeypatch):
    truth = images()
    e = evaluate(moved(truth, BY), truth, resamples=10)
    monkeypatch.setattr("scp.report.plots.error_figure", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        e.write(tmp_path / "x")
    assert list((tmp_path / "x").iterdir()) == []


# ---- command line ----


@pytest.fixture
def files(tmp_path):
    """Predictions and truth as CSV."""
    truth = images()
    write_landmarks(tmp_path / "predicted.csv", moved(truth, BY))
    write_landmarks(tmp_path / "truth.csv", Landmarks.of(truth))
    return [str(tmp_path / "predicted.csv"), str(tmp_path / "truth.csv")]


def test_command_prints_a_table(files, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["evaluate", *files, "--spacing", "0.5", "--radii", "2,4", "--run", str(run)]) == 0
    said = capsys.readouterr().out
    assert "3 images, 2 landmarks; 6 compared, 0 not predicted" in said
    assert "MRE 1.500 mm (95% interval" in said
    assert "below 2 mm: 66.7 %" in said
    assert "a  right  4.00 mm" in said
    assert (run / "evaluation.html").is_file()
    assert json.loads((run / "metrics.json").read_text())["mre"] == 1.5
    assert f"largest errors first: a, b, c; all numbers in {run / 'evaluation.html'}" in said


def test_command_says_what_is_next(files, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *files]) == 0
    hint = capsys.readouterr().out.splitlines()[-1]
    assert main(shlex.split(hint)[1:]) == 0  # as it was printed
    assert (tmp_path / "evaluation" / "evaluation.html").is_file()
    write_kept("landmarks.csv", moved(images(), BY))
    assert main(["evaluate", "landmarks.csv", files[1]]) == 0
    assert "Correct what is wrong in landmarks.csv" in capsys.readouterr().out


def test_command_prints_json(files, capsys):
    assert main(["evaluate", *files, "--json", "--exclude", "a", "--resamples", "50"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["unit"] == "px"
    assert content["mre"] == 2.0  # (4 + 0 + 1 + 3) / 4
    assert content["excluded"] == ["a"]
    assert list(content["sdr"]) == ["5", "10", "20", "40"]


def test_command_with_images_and_the_grid(files, tmp_path, capsys):
    import cv2

    truth = images()
    (tmp_path / "images").mkdir()
    for i, name in enumerate(truth.ids):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), truth.image(i))
    command = [
        "evaluate",
        files[0],
        str(tmp_path / "images"),
        "--dataset",
        "table",
        "--annotations",
        files[1],
        "--spacing",
        "0.5",
    ]
    assert main([*command, "--grid", "20x10", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "whole pixels of a grid of 20 x 10, truth truncate" in said
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["grid"] == {"size": [20, 10], "rule": "truncate"}
    assert (tmp_path / "out" / "evaluation.html").read_text().count("data:image/jpeg") == 6


def test_command_in_percent(files, capsys):
    assert main(["evaluate", *files, "--normalise", "0,1"]) == 0
    assert "FR@10 33.33 %, AUC 0." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--unit", "mm"], "spacing: the truth has none"),
        (["--grid", "384"], "grid: the sizes of the images are needed"),
        (["--spacing", "-1"], "spacing must be positive"),
        (["--exclude", "zz"], "no image is called 'zz'"),
        (["--no-pictures"], "--no-pictures has no effect without --run or --out"),
        (["--no-pictures", "--out", "out"], "--no-pictures has no effect where no images"),
        (["--split", "train"], "--split has no effect"),
        (["--on-error", "raise"], "--on-error has no effect"),
        (["--sizes", "2,3"], "--sizes has no effect"),
    ],
)
def test_command_says_errors(files, options, text, capsys):
    assert main(["evaluate", *files, *options]) == 2
    assert text in capsys.readouterr().err


def test_command_refuses_radii(files, capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", *files, "--radii", "2,x"])
    assert "'2,x' is not a list of different positive numbers" in capsys.readouterr().err


def test_command_without_landmarks(files, tmp_path, capsys):
    import cv2

    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), images().image(0))
    assert main(["evaluate", files[0], str(tmp_path / "images")]) == 2
    assert "data set has no landmarks" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "none.csv"), files[1]]) == 2
    assert "none.csv" in capsys.readouterr().err


def test_exclude_names_one_image():
    truth = Landmarks(["001.png", "001.jpg", "002.png"], ["a"], np.zeros((3, 1, 2)))
    found = Landmarks(truth.ids, ["a"], [[[1.0, 0]], [[5.0, 0]], [[0.0, 0]]])
    result = evaluate(found, truth, exclude=["001.png"])
    assert result.mre == 2.5 and result.excluded == ["001.png"]
    with pytest.raises(ValueError, match=r"exclude: '001' could be 001\.png or 001\.jpg"):
        evaluate(found, truth, exclude=["001"])
    with pytest.raises(ValueError, match=r"exclude: no image is called '002\.jpg'"):
        evaluate(found, truth, exclude=["002.jpg"])
    assert evaluate(found, truth, exclude=["002"]).excluded == ["002.png"]
    bare = Landmarks(["001", "002"], ["a"], np.zeros((2, 1, 2)))
    named = Landmarks(["001.png", "002.png"], ["a"], np.zeros((2, 1, 2)))
    for exclude in ("001", "001.png"):
        assert evaluate(named, bare, exclude=[exclude]).excluded == ["001"]


def test_names_in_another_unicode_form_are_the_same():
    truth = Landmarks(["Mü.png", "b"], ["é"], np.zeros((2, 1, 2)))
    found = Landmarks(["Mu\u0308.png", "b"], ["e\u0301"], np.ones((2, 1, 2)))
    result = evaluate(found, truth, exclude=["Mu\u0308"])
    assert result.names == ["é"] and result.excluded == ["Mü.png"]
    assert evaluate(found, truth).count == 2
