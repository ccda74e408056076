"""The accuracy benchmark's metric on truth known by hand; the split is disjoint and fixed."""

import json

import accuracy
import numpy as np
import pytest
import readers

import scp
from scp.datasets import validation_split
from scp.detection import Matches

SIZE = (64, 64)


def test_split_is_disjoint_complete_and_fixed():
    ids = [f"{i + 1:03d}" for i in range(150)]
    fit, validation = validation_split(ids)
    assert [ids[i] for i in fit[:3]] == ["001", "003", "005"]
    assert len(fit) == len(validation) == 75
    assert sorted([*fit, *validation]) == list(range(150))
    shuffled = [ids[i] for i in np.random.default_rng(0).permutation(150)]
    again = validation_split(shuffled)[0]
    assert {shuffled[i] for i in again} == {ids[i] for i in fit}


def test_split_keeps_groups_together():
    ids = [f"{i:02d}" for i in range(12)]
    groups = ["a", "b", "c", "d"] * 3
    fit, validation = validation_split(ids, groups)
    assert {groups[i] for i in fit} == {"a", "c"} and {groups[i] for i in validation} == {"b", "d"}


@pytest.mark.parametrize(
    ("ids", "groups", "message"),
    [
        (["a", "a"], None, "unique"),
        (["a"], None, "two"),
        (["a", "b"], [1, 1], "two"),
        (["a", "b"], [1], "groups must hold 2"),
    ],
)
def test_split_refuses(ids, groups, message):
    with pytest.raises(ValueError, match=message):
        validation_split(ids, groups)


def test_rates_are_named_by_radius():
    assert accuracy.detection_rates([1.9, 2.0, 2.6, 9.0]) == {"2": 25, "2.5": 50, "3": 75, "4": 75}


def scored(counts=((True, True), (True, True))):
    """Two templates, two images, one landmark at (10, 10) in each; spacing 0.5 mm."""
    xy = np.array([[[[10.0, 14]], [[10, 10]]], [[[10, 10]], [[16, 18]]]])[:, None]
    similarity = np.array([[[0.5], [0.9]], [[0.5], [0.3]]], np.float32)[:, None]
    found = Matches(xy, similarity, np.array(counts), np.ones(2), np.ones(1))
    return accuracy.Scored(found, np.full((2, 1, 2), 10.0), np.full((2, 2), 0.5))


def test_single_templates_and_sets():
    s = scored()
    assert s.single() == pytest.approx([1.0, 2.5])
    # equal similarity: the first template; then the first is more similar
    assert s.of_set([0, 1], "confident").ravel() == pytest.approx([2.0, 0.0])
    away = 0.3**8 / (0.9**8 + 0.3**8)
    for rows in ([0, 1], [1, 0]):
        errors = s.of_set(rows, "weighted").ravel()
        assert errors == pytest.approx([1.0, 5.0 * away], rel=1e-4)
    with pytest.raises(ValueError, match="rule"):
        s.of_set([0], "best")


def test_a_template_is_not_its_own_evaluation():
    s = scored(((False, True), (True, False)))
    assert s.single() == pytest.approx([0.0, 0.0], abs=1e-12)
    assert s.of_set([0], "confident").shape == (1, 1)
    out = accuracy.summary(s, ids=["p", "q"])
    assert out["mean"] == pytest.approx(0, abs=1e-12) and out["best_id"] == "p"


def shifted(n=4):
    """One picture, moved by multiples of the coarsest stride: matching is exact by construction."""
    big = scp.datasets.phantom(1, seed=5, size=(256, 256)).grid(0, (128, 128))
    images = [np.rint(big[4 * i : 4 * i + 64, 8 * i : 8 * i + 64] * 255) for i in range(n)]
    marks = [[[40.0 - 8 * i, 30 - 4 * i], [30.0 - 8 * i, 44 - 4 * i]] for i in range(n)]
    data = scp.datasets.arrays([np.uint8(v) for v in images], spacing=0.5, landmarks=marks)
    return accuracy.Grids(data)


@pytest.mark.parametrize("mode", ("bilinear", "nearest"))
def test_matching_finds_a_moved_picture(mode):
    extractor = scp.GradientExtractor(size=SIZE, levels=2)
    s = accuracy.match_landmarks(extractor, shifted(), mode=mode)
    xy, counts = s.matches.xy[:, 0], s.matches.counts
    assert xy.shape == (4, 4, 2, 2) and counts.sum() == 12
    away = np.abs(xy - s.truth)  # half a cell of the finest level, and half a pixel
    assert np.all(away[counts] <= 1.5)
    assert np.all(s.single() <= 1.5 * 2**0.5 * 0.5)


def test_sample_is_every_nth_image():
    extractor = scp.GradientExtractor(size=SIZE, levels=2)
    data = shifted()
    part = accuracy.match_landmarks(extractor, data, data, sample=2)
    full = accuracy.match_landmarks(extractor, data, data)
    assert np.array_equal(part.matches.xy, full.matches.xy[:, :, ::2])
    assert part.matches.counts.all()
    own = accuracy.match_landmarks(extractor, data, sample=2)
    assert own.matches.counts.sum() == 6 and not own.matches.counts[2, 1]


def test_images_are_kept_in_the_cache_and_rows_go_together(tmp_path):
    data = scp.datasets.phantom(3, seed=2, size=(96, 80))
    first = accuracy.Grids(data, tmp_path, "key").grid(1, SIZE)
    assert np.abs(first - data.grid(1, SIZE)).max() < 1e-5
    (file,) = tmp_path.iterdir()
    np.save(file, np.load(file) // 2)
    again = accuracy.Grids(data, tmp_path, "key")
    other = [SIZE, (32, 64)]
    assert [g.shape for g in again.grids(1, other)] == other
    assert np.abs(again.grid(1, SIZE) - first / 2).max() < 1e-5
    part = again.subset([2, 0])
    assert part.ids == ["003", "001"] and np.array_equal(part.landmarks, data.landmarks[[2, 0]])


def test_duplicates_of_training_images_and_of_earlier_test_images_are_left_out(tmp_path):
    pairs = [("001", "152"), ("002", "009"), ("153", "155")]
    (tmp_path / "duplicates.json").write_text(json.dumps(pairs))
    train = [f"{i:03d}" for i in range(1, 151)]
    test = [f"{i:03d}" for i in range(151, 157)]
    rows = accuracy.distinct("unused", train, test, tmp_path)
    assert [test[i] for i in rows] == ["151", "153", "154", "156"]


def test_evaluation_on_the_phantom_from_end_to_end(tmp_path, monkeypatch):
    phantom = scp.datasets.phantom
    monkeypatch.setattr(scp.datasets, "phantom", lambda n, seed: phantom(8, seed, (120, 96)))
    extractor = scp.GradientExtractor(size=SIZE, levels=3)
    out = accuracy.evaluate(extractor, "phantom", "test1", sample=2, cache=str(tmp_path), views=1)
    assert (out["templates"], out["images"]) == (8, 4)
    assert out["best"] - 1e-9 <= out["pick1"]["confident"] <= out["worst"] + 1e-9
    assert out["pick1"]["confident"] == pytest.approx(out["pick1"]["agreeing"], abs=1e-9)
    accuracy.show(out)
    json.dumps(out)
    out = accuracy.evaluate(extractor, "phantom", "validation", cache=str(tmp_path), pick=False)
    assert (out["templates"], out["images"]) == (4, 4) and "pick1" not in out


def test_what_the_choice_of_one_reader_gains_for_the_other():
    errors, of = np.arange(1.0, 21), np.arange(20.0, 0, -1)  # the two readers contradict each other
    assert readers.gains(errors, errors) == pytest.approx((1 - 1 / 10.5, 1 - 5.5 / 10.5))
    assert readers.gains(errors, of) == pytest.approx((1 - 20 / 10.5, 1 - 15.5 / 10.5))
    both = {name: scored() for name in readers.READERS}
    out = readers.compare(both, [1], 1, "agreeing")
    assert out["pearson"] == pytest.approx(1) and out["senior"]["mean"] == pytest.approx(1.75)
    assert out["senior"]["best_of_other"][0] == out["senior"]["best"] == pytest.approx(1 - 1 / 1.75)
    assert out["junior"]["scp"] == pytest.approx(1 - 2.5 / 1.75)
