"""Measurements: intervals, absent points, spacing, classes, files, agreement."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from heads import heads

import scp
from scp.datasets import DatasetError
from scp.measures import Class, Measure
from scp.measures.result import classes_of
from scp.report.measured import bland_altman, distributions

LINE = {"measures": {"d": {"distance": ["p", "q"]}}}


def pair(n=1, error=None, source=None, xy=((0, 0), (3, 4)), **more):
    ids = [f"i{k}" for k in range(n)]
    points = np.tile(np.array(xy, float), (n, 1, 1))
    return scp.Landmarks(ids, ["p", "q"], points, error=error, source=source, **more)


# ---- intervals ----


def test_an_interval_of_a_distance_by_hand():
    error = np.array([[2.0, 3.0]])
    result = scp.measure(pair(error=error), LINE, error_scale=1)
    sd = np.sqrt((2 / np.pi) * (2.0**2 + 3.0**2))  # each end moves it along the line only
    assert result.high[0, 0] - 5 == pytest.approx(1.6448536 * sd, rel=1e-6)
    assert 5 - result.low[0, 0] == pytest.approx(1.6448536 * sd, rel=1e-6)
    wide = scp.measure(pair(error=error), LINE, level=0.99)  # as needed on real images: 1.1
    assert wide.high[0, 0] - 5 == pytest.approx(1.1 * 2.5758293 * sd, rel=1e-6)


def test_intervals_hold_what_they_say_where_errors_are_as_expected():
    """Points that err as the model says: 90 % of the true values are held, of every measurement."""
    truth = heads(600, seed=1)
    rng = np.random.default_rng(2)
    expected = rng.uniform(2, 20, truth.present.shape)
    sd = expected * np.sqrt(2 / np.pi)
    found = scp.Landmarks(
        truth.ids,
        truth.names,
        truth.xy + rng.normal(0, 1, truth.xy.shape) * sd[..., None],
        error=expected,
    )
    result = scp.measure(found, "isbi2015", spacing=(0.1, 0.13), truth=truth, error_scale=1)
    shares = [row["coverage"] for row in result.agreement.summary()]
    assert len(shares) == 8 and all(0.85 < share < 0.95 for share in shares[:7]), shares
    assert result.agreement.coverage == pytest.approx(0.9, abs=0.02)
    assert result.agreement.needed_scale == pytest.approx(1, abs=0.05)
    narrow = scp.measure(found, "isbi2015", spacing=(0.1, 0.13), truth=truth, error_scale=0.5)
    needed = narrow.agreement.needed_scale
    assert needed == pytest.approx(result.agreement.needed_scale)
    held = scp.measure(found, "isbi2015", spacing=(0.1, 0.13), truth=truth, error_scale=needed)
    assert held.agreement.coverage == pytest.approx(0.9, abs=1e-3)


def test_what_a_person_gave_is_exact_and_what_nobody_knows_is_open():
    marked = pair(error=np.array([[0.0, 1.0]]), source=[["marked", "found"]])
    result = scp.measure(marked, LINE, error_scale=1)
    assert result.high[0, 0] - 5 == pytest.approx(1.6448536 * np.sqrt(2 / np.pi), rel=1e-6)
    both = pair(error=np.array([[0.0, 0.0]]), source=[["marked", "corrected"]])
    result = scp.measure(both, LINE)
    assert result.low[0, 0] == result.high[0, 0] == 5
    unknown = scp.measure(pair(error=np.array([[np.nan, 1.0]])), LINE)
    assert np.isnan(unknown.low).all() and unknown.values[0, 0] == 5
    assert np.isnan(scp.measure(pair(), LINE).low).all()


def test_an_error_of_a_landmark_that_does_not_matter_does_not():
    xy = np.array([[[0.0, 0], [3, 4], [9, 9]]])
    marks = scp.Landmarks(["i"], ["p", "q", "r"], xy, error=np.array([[1.0, 1, np.nan]]))
    assert np.isfinite(scp.measure(marks, LINE).low).all()


# ---- spacing ----


def test_spacing_comes_before_angles():
    angle = {"measures": {"a": {"angle": ["p", "q", "r"]}, **LINE["measures"]}}
    marks = scp.Landmarks(["i"], ["p", "q", "r"], np.array([[[1.0, 0], [0, 0], [1, 1]]]))
    flat = scp.measure(marks, angle, spacing=(0.5, 1.0))
    assert flat.values[0, 0] == pytest.approx(np.degrees(np.arctan2(0.5, 1)))
    assert flat.values[0, 1] == 1 and flat.units == ["deg", "mm"] and not flat.remarks
    square = scp.measure(marks, angle)
    assert square.values[0, 0] == pytest.approx(45) and square.units == ["deg", "px"]
    assert "pixels are taken to be square" in square.remarks[0]


def test_spacing_of_the_images_by_id(tmp_path: Path):
    marks = pair(2)
    (tmp_path / "s.csv").write_text("image,sy,sx\ni1,2,2\ni0,1,1\n")
    assert scp.measure(marks, LINE, spacing=tmp_path / "s.csv").values[:, 0].tolist() == [5, 10]
    assert scp.measure(marks, LINE, spacing=[[1, 1], [2, 2]]).values[:, 0].tolist() == [5, 10]
    pool = scp.datasets.phantom(2, seed=0, size=(64, 48))
    own = pool.with_spacing([[3.0, 3], [1, 1]])
    here = scp.Landmarks([pool.ids[1], pool.ids[0]], ["p", "q"], marks.xy)
    assert scp.measure(here, LINE, images=own).values[:, 0].tolist() == [5, 15]
    with pytest.raises(ValueError, match="spacing must be positive"):
        scp.measure(marks, LINE, spacing=0)


def test_lengths_of_an_image_without_spacing_are_empty(tmp_path: Path):
    pool = scp.datasets.phantom(2, seed=0, size=(64, 48)).with_spacing(1.0)
    pool.spacing = np.array([[1.0, 1], [np.nan, np.nan]])
    marks = scp.Landmarks(pool.ids, ["p", "q"], pair(2).xy)
    tables = {"measures": {**LINE["measures"], "r": {"ratio": ["d", "d"]}}}
    result = scp.measure(marks, tables, images=pool)
    assert result.values[0].tolist() == [5, 1] and np.isnan(result.values[1, 0])
    assert result.values[1, 1] == 1 and "1 image has no spacing" in result.remarks[0]
    assert result.empty == {"d": 1}


def test_classes_of_lengths_need_millimetres():
    tables = {"measures": {"d": {"distance": ["p", "q"], "norm": [1, 9]}}}
    tables["measures"]["d"]["classes"] = [{"name": "short", "to": 5}, {"name": "long", "above": 5}]
    assert scp.measure(pair(), tables, spacing=1).classes.tolist() == [["short"]]
    assert scp.measure(pair(), tables, spacing=1.01).classes.tolist() == [["long"]]
    pixels = scp.measure(pair(), tables)
    assert pixels.classes.tolist() == [[""]] and pixels.norm(0) is None


# ---- absent points and landmarks ----


def test_absent_points_give_empty_cells_and_are_counted():
    marks = heads(5)
    marks.xy[1, 0] = np.nan  # sella
    result = scp.measure(marks, "isbi2015", spacing=0.1)
    assert (
        np.isnan(result.column("SNA")[1]) and np.isfinite(np.delete(result.column("SNA"), 1)).all()
    )
    # Nothing tells which way the head looks, so what is signed is empty too.
    assert result.empty == dict.fromkeys(
        ("ANB", "SNB", "SNA", "ODI", "APDI", "FHI", "FMA", "MW"), 1
    )
    row = next(r for r in csv.DictReader(io.StringIO(result.csv())) if r["image"] == "1")
    assert row == {"image": "1", "measurement": "ANB", "value": "", "low": "", "high": "",
                   "unit": "deg", "class": ""}  # fmt: skip
    assert "empty" in repr(result)


def test_a_landmark_that_no_image_has():
    marks = heads(3).columns(["sella", "nasion", "subspinale", "supramentale"])
    result = scp.measure(marks, "isbi2015")
    assert np.isfinite(result.column("ANB")).all() and result.missing["FHI"] == ["Go", "Me"]
    with pytest.raises(
        DatasetError, match=r"isbi2015: measures\.ANB: no image has the landmark 'S'"
    ):
        scp.measure(pair(), "isbi2015")
    own = {"measures": {"a": {"distance": ["p", "tip"]}, **LINE["measures"]}}
    with pytest.raises(
        DatasetError, match=r"measures\.a: no image has the landmark 'tip'; there are"
    ):
        scp.measure(pair(), own)
    own["measures"]["a"]["optional"] = True
    result = scp.measure(pair(), own)
    assert result.missing == {"a": ["tip"]} and np.isnan(result.values[0, 0])


def test_arguments():
    for options, said in (
        ({"level": 1}, "level must be between"),
        ({"error_scale": -1}, "error_scale must be"),
        ({"error_scale": float("nan")}, "error_scale must be"),
        ({"error_scale": None}, "error_scale must be a number, got None"),
        ({"truth": 3}, "truth must be Landmarks"),
    ):
        with pytest.raises((ValueError, TypeError), match=said):
            scp.measure(pair(), LINE, **options)
    with pytest.raises(TypeError, match="landmarks must be"):
        scp.measure(np.zeros((3, 2)), LINE)
    with pytest.raises(ValueError, match="truth: none of the images 'i0'"):
        other = scp.Landmarks(["x"], ["p", "q"], np.ones((1, 2, 2)))
        scp.measure(pair(), LINE, truth=other)


# ---- classes ----


def test_ends_of_classes_are_open_or_closed_as_they_say():
    classes = (
        Class("low", below=1),
        Class("point", from_=1, to=1),
        Class("middle", above=1, below=3),
        Class("high", from_=4),
    )
    values = np.array([0.999, 1, 1.001, 2.999, 3, 4, np.nan])
    said = classes_of(Measure("m", "distance", classes=classes), values)
    assert said.tolist() == ["low", "point", "middle", "middle", "", "high", ""]


def test_the_ends_of_the_challenge():
    known = scp.read_definitions("isbi2015")
    ends = {
        "ANB": [(3.199, "3"), (3.2, "1"), (5.7, "1"), (5.701, "2")],
        "SNB": [(74.599, "2"), (74.6, "1"), (78.7, "1"), (78.701, "3")],
        "SNA": [(79.399, "3"), (79.4, "1"), (83.2, "1"), (83.201, "2")],
        "ODI": [(68.399, "3"), (68.4, "1"), (80.5, "1"), (80.501, "2")],
        "APDI": [(77.599, "2"), (77.6, "1"), (85.2, "1"), (85.201, "3")],
        "FHI": [(0.6499, "3"), (0.65, "1"), (0.75, "1"), (0.7501, "2")],
        "FMA": [(26.799, "3"), (26.8, "1"), (31.4, "1"), (31.401, "2")],
        "MW": [(-0.1, "3"), (0, "2"), (0.1, "3"), (1.999, "3"), (2, "1"), (4.5, "1"), (4.501, "4")],
    }
    assert [m.name for m in known.shown] == list(ends)
    for name, pairs in ends.items():
        values, wanted = zip(*pairs, strict=True)
        assert classes_of(known[name], np.array(values)).tolist() == list(wanted), name


# ---- agreement ----


def test_agreement_by_hand():
    truth = pair(4)
    found = scp.Landmarks(truth.ids, truth.names, truth.xy.copy())
    found.xy[:, 1] = [(3, 5), (3, 4), (3, 3), (6, 8)]
    tables = {"measures": {"d": {"distance": ["p", "q"]}}}
    tables["measures"]["d"]["classes"] = [{"name": "in", "to": 6}, {"name": "out", "above": 6}]
    a = scp.measure(found, tables, spacing=1, truth=truth).agreement
    d = np.array([34**0.5, 5, 18**0.5, 10]) - 5
    row = a.summary()[0]
    assert row["count"] == 4 and row["mean"] == pytest.approx(d.mean())
    assert row["low"] == pytest.approx(d.mean() - 1.96 * d.std(ddof=1))
    assert row["high"] == pytest.approx(d.mean() + 1.96 * d.std(ddof=1))
    assert a.confusion(0).tolist() == [[3, 1, 0], [0, 0, 0]]
    assert row["success"] == row["right"] == 75
    assert np.isnan(row["coverage"]) and np.isnan(a.coverage)


def test_the_success_rate_is_the_mean_of_the_diagonal():
    """Of 4 images in class "in" 3 are found, of 1 in class "out" none: 37.5 %, not 60 %."""
    truth = pair(5)
    truth.xy[4, 1] = (30, 40)
    found = scp.Landmarks(truth.ids, truth.names, truth.xy.copy())
    found.xy[3, 1] = np.nan  # not found: not in its class
    found.xy[4, 1] = (3, 4)
    tables = {"measures": {"d": {"distance": ["p", "q"]}}}
    tables["measures"]["d"]["classes"] = [{"name": "in", "to": 6}, {"name": "out", "above": 6}]
    a = scp.measure(found, tables, spacing=1, truth=truth).agreement
    assert a.confusion(0).tolist() == [[3, 0, 1], [1, 0, 0]]
    assert a.success(0) == a.mean_success == pytest.approx(37.5) and a.right(0) == 60


def test_images_by_hand_are_not_judged_and_truth_is_found_by_id():
    found = pair(3, source=[["marked"] * 2, ["found", "corrected"], ["found"] * 2])
    truth = scp.Landmarks(["i2.png", "i0.png", "i1.png"], ["p", "q"], pair(3).xy * 2)
    a = scp.measure(found, LINE, truth=truth).agreement
    assert a.ids == ["i2"] and a.excluded == ["i0", "i1"] and a.differences.tolist() == [[-5]]
    all_by_hand = pair(2, source=[["marked"] * 2] * 2)
    assert len(scp.measure(all_by_hand, LINE, truth=pair(2)).agreement.ids) == 2
    less = scp.measure(pair(3), LINE, truth=pair(2)).agreement
    assert less.without_truth == ["i2"]


def test_differences_of_angles_are_within_half_a_turn():
    angle = {"measures": {"a": {"angle": ["e", "o", "x"], "signed": True}}}
    xy = np.array([[[1.0, 0], [0, 0], [-1, 0.1]]])
    marks = scp.Landmarks(["i"], ["e", "o", "x"], xy)
    truth = scp.Landmarks(["i"], ["e", "o", "x"], xy * (1, -1))
    a = scp.measure(marks, angle, truth=truth).agreement
    assert abs(a.differences[0, 0]) == pytest.approx(2 * np.degrees(np.arctan(0.1)))


# ---- files and showing ----


def test_files_and_records(tmp_path: Path):
    marks = heads(6)
    error = np.full(marks.present.shape, 10.0)
    found = scp.Landmarks([f"=a{k},<b>" for k in range(6)], marks.names, marks.xy, error=error)
    truth = scp.Landmarks(found.ids, marks.names, marks.xy + 3)
    result = scp.measure(found, "isbi2015", spacing=0.1, truth=truth)
    paths = result.write(tmp_path / "out")
    assert [p.name for p in paths] == ["measurements.csv", "measurements.json", "measurements.html"]
    rows = list(csv.DictReader(io.StringIO(paths[0].read_text())))
    assert len(rows) == 48 and rows[0]["image"] == "'=a0,<b>"
    assert (
        float(rows[9]["value"]) == result.values[1, 1] and float(rows[9]["low"]) == result.low[1, 1]
    )
    assert rows[7]["unit"] == "mm" and rows[5]["class"] == result.classes[0, 5]
    content = json.loads(paths[1].read_text())
    assert content["values"] == result.records() and len(content["measurements"]) == 8
    assert len(content["agreement"]["measurements"][0]["confusion"]) == 3
    page = paths[2].read_text()
    assert "<b>" not in page and "Bland-Altman" in page and "http-equiv" in page
    assert "src=" not in page and "url(" not in page
    (single,) = result.write(tmp_path / "one.csv")
    assert single.read_text() == paths[0].read_text()
    again = scp.measure(found, "isbi2015", spacing=0.1, truth=truth)
    assert again == result and hash(again) == hash(result)
    assert again.write(tmp_path / "again")[2].read_bytes() == paths[2].read_bytes()


def test_it_is_shown_in_a_few_lines(tmp_path: Path):
    pandas = pytest.importorskip("pandas")
    result = scp.measure(heads(6), "cephalometry", spacing=0.1)
    assert repr(result) == "<10 measurements of 6 images, 6 values empty>"
    assert "<table>" in result._repr_html_() and len(result) == 6
    table = pandas.DataFrame(result.records())
    assert (
        table.shape == (60, 7) and table.pivot(index="image", columns="measurement").shape[0] == 6
    )
    distributions(result).save(tmp_path / "plot.svg")
    assert "ANB" in (tmp_path / "plot.svg").read_text()
    with pytest.raises(ValueError, match="no measurement is called 'X'"):
        result.column("X")
    compared = scp.measure(heads(6), "cephalometry", spacing=0.1, truth=heads(6, seed=4))
    assert "mean difference" in str(bland_altman(compared.agreement))
    assert "mean absolute" in compared.agreement._repr_html_()
    assert repr(compared.agreement).startswith("<Agreement: 10 measurements of 6 images, ")


def test_a_data_set_with_landmarks():
    pool = scp.datasets.phantom(3, seed=0, size=(64, 48))
    a, b = pool.landmark_names[:2]
    result = scp.measure(pool, {"measures": {"d": {"distance": [a, b]}}})
    sy, sx = pool.spacing.T
    way = pool.landmarks[:, 1] - pool.landmarks[:, 0]
    np.testing.assert_allclose(result.values[:, 0], np.hypot(way[:, 0] * sx, way[:, 1] * sy))
    assert (sy != sx).all()


def test_real_readers_agree_as_the_challenge_says(real_data):
    """Junior against senior reader of Test1: what the challenge's own program says of them."""
    root = real_data("cephalometric")
    readers = [scp.datasets.cephalometric(root, "test1", who) for who in ("junior", "senior")]
    a = scp.measure(readers[0], "isbi2015", truth=readers[1]).agreement
    rates = [68.5, 77.5, 69.3, 78.2, 81.3, 64.8, 74.1, 89.0]
    assert [row["success"] for row in a.summary()] == pytest.approx(rates, abs=0.05)
