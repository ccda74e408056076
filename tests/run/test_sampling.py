"""A run that chooses from a sample of the key points."""

import json

import numpy as np
import pytest

import scp
from scp.run import sampling
from scp.runs.folder import SAMPLED, VECTORS


@pytest.fixture(scope="module")
def pool():
    return scp.datasets.phantom(24, seed=3, size=(96, 80))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(sampling, "PILOT_IMAGES", 10)
    monkeypatch.setattr(sampling, "PILOT_COLUMNS", 100)


def opened(pool, folder=None, **options):
    extractor = scp.GradientExtractor(size=(64, 64))
    return scp.Run(pool, folder, features=extractor, count=30, duplicates=False, **options)


@pytest.fixture(scope="module")
def whole(pool):
    run = opened(pool)
    return run, run.select(4)


def test_the_score_is_that_of_the_whole_matrix(pool, whole, tmp_path):
    exact = whole[1]
    found = opened(pool, tmp_path / "run", sample=300).select([2, 4])
    values, weights = exact.values, scp.client_weights(exact.offsets)
    for one in found.curve:
        assert one.score == pytest.approx(values[one.selected].max(0) @ weights, rel=1e-6)
        assert one.gains.sum() == pytest.approx(one.score)
        assert one.probability == 0.99 and not one.proven and one.certificate is None
        best = scp.select(values, one.m, weights=weights, method="exact").score
        assert one.score <= best <= one.upper_bound
        assert "with probability 99%" in one.proof
    assert found.values.shape == (24, 300) and found.offsets[-1] == len(found.points) == 300
    assert found.selection.score >= 0.95 * exact.selection.score


def test_a_stopped_run_goes_on_and_files_say_what_they_hold(pool, tmp_path):
    path = tmp_path / "run"
    first = opened(pool, path, sample=200)
    choice = first.select(3)
    report = first.report().read_text()
    said = json.loads((path / "selection.json").read_text())
    assert said["probability"] == 0.99 and said["score"] == choice.selection.score
    assert "certificate" not in said and not (path / "proof.npz").exists()
    assert "probability" in report
    sample, points = np.load(path / "sample.npy"), np.load(path / "keypoints.npz")["xy"]
    assert np.array_equal(points[sample], choice.points)
    again = opened(pool, path, sample=200).select(3)
    assert again.selection == choice.selection and again.resumed == 24
    verdict = scp.verify(path)
    assert not verdict and "sample" in str(verdict)
    reopened = scp.Run.open(path, pool, features=scp.GradientExtractor(size=(64, 64)))
    assert reopened.sample == 200
    assert reopened.report().exists()
    opened(pool, path).select(3)  # all key points, in the same folder
    assert scp.verify(path)
    assert not any((path / name).exists() for name in (*SAMPLED, *VECTORS))


def test_features_are_made_twice_at_most(pool, tmp_path, monkeypatch):
    """Once for the vectors of an image's own key points, once where those of others are searched;
    those of the chosen ones again."""
    made = []
    run = opened(pool, tmp_path / "run", sample=200)
    own = type(run.extractor).pyramid
    monkeypatch.setattr(
        type(run.extractor), "pyramid", lambda self, image: made.append(1) or own(self, image)
    )
    run.select(3)
    assert len(made) <= 2 * len(pool) + sampling.PILOT_IMAGES + 3 * 3
    made.clear()
    run.select(4)
    assert len(made) <= 3 * 4  # of the images that are scored


def test_the_same_bits_at_any_number_of_threads(pool):
    found = []
    for count in (1, 3):
        scp.set_threads(count)
        found.append(opened(pool, sample=150).select(3).selection)
    assert found[0] == found[1]


def test_the_reference_knows_nothing_of_the_sample(pool):
    for seed in (0, 1):
        run = opened(pool, sample=150, random_state=seed)
        other = opened(pool, sample=90, random_state=seed)
        assert run._sampling._references(3) == other._sampling._references(3)
        images, values = run._sampling._pilot
        assert len(images) == 10 and values.shape == (10, 100)
    drawn = scp.selection.draw_columns(run.points().offsets, 100, 1)
    assert not np.array_equal(drawn, scp.selection.draw_columns(run.points().offsets, 100, 1, 1))


def test_rules(pool, whole):
    values, weights = whole[1].values, scp.client_weights(whole[1].offsets)
    groups = [i // 6 for i in range(24)]
    run = opened(pool, sample=300)
    found = run.select(3, initial=[2, 5], exclude=[0], groups=groups, quota=2).selection
    both = [2, 5, *found.selected]
    assert found.score == pytest.approx(values[both].max(0) @ weights, rel=1e-6)
    assert 0 not in found.selected and np.bincount([groups[i] for i in both]).max() <= 2
    cheap = run.select(None, costs=np.arange(24) + 1.0, budget=9.0).selection
    assert cheap.upper_bound >= cheap.score and (cheap.selected + 1).sum() <= 9
    with pytest.raises(ValueError, match="min_distance"):
        run.select(3, min_distance=0.5)


def test_large_pools_are_sampled_unless_told_otherwise(pool, monkeypatch):
    monkeypatch.setattr(sampling, "IMAGES", 20)
    assert opened(pool).sample == sampling.COLUMNS
    assert opened(pool, sample=None).sample is None
    assert opened(pool, score="cycle").sample is None
    monkeypatch.setattr(sampling, "IMAGES", 24)
    assert opened(pool).sample is None
    run, plain = opened(pool, sample=100), opened(pool).estimate()
    assert run.estimate().seconds > 0 and opened(pool).estimate(whole=True).disk == plain.disk
    whole = run.estimate(whole=True)
    assert whole.seconds > 0 and whole.disk == plain.disk
    assert whole.memory > run.estimate().memory


@pytest.mark.parametrize("sample", [0, -3, 2.5, "many"])
def test_errors(pool, sample):
    with pytest.raises((ValueError, TypeError), match="sample"):
        opened(pool, sample=sample)


def test_cycles_and_vectors_are_of_all(pool):
    with pytest.raises(ValueError, match="sample"):
        opened(pool, sample=100, score="cycle")
    with pytest.raises(ValueError, match="sample"):
        scp.Run(pool, features=np.ones((24, 3)) + np.eye(24, 3), sample=10)


def test_the_report_shows_some_of_many(pool, tmp_path, monkeypatch):
    from scp.run import reporting

    monkeypatch.setattr(reporting, "SHOWN", 8)
    run = opened(pool, tmp_path / "run", sample=300)
    choice = run.select(3, initial=[7])
    text = run.report().read_text()
    assert "of 8 of 24 images" in text
    assert all(name in text for name in choice.ids)


def test_of_many_duplicates_a_few_are_named(pool, tmp_path):
    images = scp.datasets.arrays([pool.image(0)] * 8 + [pool.image(i) for i in range(1, 5)])
    options = {"features": scp.GradientExtractor(size=(64, 64)), "count": 20}
    choice = scp.Run(images, tmp_path / "run", **options).select(2)
    (text,) = (text for text in choice.warnings if "show the same picture" in text)
    assert text.startswith("28 pairs") and text.count(" = ") == 5
    assert text.endswith("and 23 more, all in selection.json")
    said = json.loads((tmp_path / "run" / "selection.json").read_text())
    assert len(said["duplicates"]) == 28
    assert not any("selection.json" in w for w in scp.Run(images, **options).select(2).warnings)
