"""There and back again: cycle distances, the objective, errors of predicted landmarks."""

from __future__ import annotations

import json

import numpy as np
import pytest

import scp
from scp.cli import main
from scp.similarity import cycle_distances, expected_error, trusted


@pytest.fixture(scope="module")
def job():
    pool = scp.datasets.phantom(4, seed=1)
    extractor = scp.GradientExtractor(size=(128, 128), channels=32)
    rng = np.random.default_rng(0)
    points = [rng.integers(16, 112, (k, 2)).astype(np.float32) for k in (5, 0, 7, 3)]
    grids = [pool.grid(i, (128, 128)) for i in range(4)]
    return extractor, points, grids


@pytest.mark.parametrize("mode", ("nearest", "bilinear"))
def test_distances_are_those_of_one_match_there_and_one_back(job, mode):
    extractor, points, grids = job
    run = scp.SimilarityJob(grids.__getitem__, 4, points, extractor, mode=mode)
    _, places = run.run()
    pyramids = extractor_pyramids(extractor, grids)
    found = cycle_distances(pyramids, points, places, mode=mode)
    unit = 1 if mode == "bilinear" else 2
    column = 0
    for i, xy in enumerate(points):
        for k in range(len(xy)):
            for t in range(4):
                query = pyramids[i].at(xy[k : k + 1])
                _, there, _ = scp.match(pyramids[t], *query, mode=mode)
                back = pyramids[t].at(there.astype(np.float64) * unit)
                _, home, _ = scp.match(pyramids[i], *back, mode=mode)
                expected = unit * np.hypot(*(home[0] - np.floor((xy[k] + 0.5) / unit)))
                assert found[t, column] == pytest.approx(expected, abs=1e-4)
            column += 1
    if mode == "nearest":  # a key point finds itself in its own image
        own = np.repeat(np.arange(4), [len(p) for p in points])
        assert (found[own, np.arange(15)] == 0).mean() > 0.9


def extractor_pyramids(extractor, grids):
    return [extractor.pyramid(g) for g in grids]


def test_a_distance_of_trust_counts_half():
    values = np.array([[0.8, 0.6]], np.float32)
    assert trusted(values, np.array([[0, 5.0]]), 5) == pytest.approx(np.array([[0.8, 0.3]]))
    with pytest.raises(ValueError, match="trust must be above 0"):
        trusted(values, values, float("nan"))


def test_the_expected_error_is_that_of_the_most_similar_template():
    values = np.array([[0.9, 0.2], [0.5, 0.7], [1, 1]])
    distances = np.array([[1.0, 9.0], [8.0, 3.0], [0, 0]])
    assert expected_error(values, distances, np.array([0.5, 0.5]), [0, 1]) == pytest.approx(2.0)
    assert expected_error(values, distances, np.array([0.25, 0.75]), [0]) == pytest.approx(7.0)


def test_places_of_another_shape_are_refused(job):
    extractor, points, grids = job
    with pytest.raises(ValueError, match=r"places must be \[4, 15\]"):
        cycle_distances(extractor_pyramids(extractor, grids), points, np.zeros((4, 3), np.int32))


def test_a_choice_by_cycles_from_the_command_line(tmp_path, capsys):
    command = "demo --minutes 0 -n 6 -m 2 --size 64 --count 20 --no-report --quiet"
    assert main([*command.split(), "--score", "cycle", "--run", str(tmp_path)]) == 0
    assert "pixels of the grid off on average" in capsys.readouterr().out
    content = json.loads((tmp_path / "selection.json").read_text())
    assert content["parameters"]["similarity"]["objective"] == "cycle"
    opened = scp.Run.open(tmp_path, scp.datasets.phantom(6, seed=0))
    assert (opened.score, opened.extractor.grid_size) == ("cycle", (64, 64))
    assert content["expected_error"] >= 0
    plain = scp.choose(
        scp.datasets.phantom(6, seed=0),
        2,
        run=tmp_path,
        report=False,
        features=scp.GradientExtractor(size=(64, 64)),
        count=20,
    )
    assert plain.expected_error is None and plain.selection.score > content["score"]
    with pytest.raises(ValueError, match="score must be one of"):
        scp.choose(scp.datasets.phantom(2, seed=0), 1, score="luck")


def test_places_found_by_one_template_come_back_to_it():
    pool = scp.datasets.phantom(3, seed=5)
    extractor = scp.GradientExtractor(size=(128, 128), channels=32)
    found = scp.LandmarkDetector(extractor=extractor, mode="nearest", views=1).fit_predict(
        pool, [0]
    )
    assert np.median(found.error[0]) < 2 * found.error[1:].mean()
    assert found.error.shape == (3, 19) and np.isfinite(found.error).all()
    assert found.rows(pool.ids).error is not None
