"""Bounds from a sample of the key points: they hold, and they close."""

from itertools import combinations

import numpy as np
import pytest

import scp
from scp.selection.sampled import draw_columns, log_sets, sampled_bound

N, M = 14, 2


def pool(seed, each=60):
    """Values [N][Q] of N images with `each` key points, some alike; one image has none."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 4, N)
    counts = np.where(np.arange(N) == 3, 0, each)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    owner = np.repeat(np.arange(N), counts)
    alike = kinds[:, None] == kinds[owner]
    values = np.where(alike, 0.5, 0.1) + 0.4 * rng.random((N, offsets[-1]))
    return values.astype(np.float32), offsets


def test_a_sample_takes_each_image_equally_often():
    offsets = np.array([0, 5, 5, 6, 30])
    columns = draw_columns(offsets, 31, random_state=4)
    owners = np.searchsorted(offsets, columns, "right") - 1
    counts = np.bincount(owners, minlength=4)
    assert counts[1] == 0 and sorted(counts[[0, 2, 3]]) == [10, 10, 11]
    assert (np.diff(columns) >= 0).all()
    assert np.array_equal(columns, draw_columns(offsets, 31, random_state=4))
    assert not np.array_equal(columns, draw_columns(offsets, 31, random_state=4, stream=1))
    drawn = draw_columns(offsets, 60_000, random_state=1)
    assert np.bincount(drawn)[6:30] / 60_000 == pytest.approx(np.full(24, 1 / 72), rel=0.2)
    with pytest.raises(ValueError, match="no image"):
        draw_columns([0, 0, 0], 5)
    for wrong in ([0, 3, 2], [1, 2], [0.5, 2], [[0, 1]]):
        with pytest.raises(ValueError, match="offsets"):
            draw_columns(wrong, 5)


def test_numbers_of_sets():
    assert np.exp(log_sets(9, 4)) == pytest.approx(126)
    assert np.exp(log_sets(9, -1)) == pytest.approx(512)


@pytest.mark.parametrize("eta", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(12))
def test_no_set_lies_above_the_bound(seed, eta):
    values, offsets = pool(seed)
    weights = scp.client_weights(offsets)
    best = max(values[list(pair)].max(0) @ weights for pair in combinations(range(N), M))
    reference = values[[0, 1]].max(0)
    columns = draw_columns(offsets, 400, random_state=seed)
    found = sampled_bound(
        values[:, columns],
        reference[columns],
        float(reference @ weights),
        M,
        share=(N - 1) / N,
        eta=eta,
    )
    assert best <= found.upper_bound
    assert found.probability == 0.99 and found.columns == 400


def test_the_bound_closes_with_the_sample():
    values, offsets = pool(0, 2000)
    weights = scp.client_weights(offsets)
    reference, share = values[[0, 1]].max(0), (N - 1) / N
    best = scp.select(values, M, weights=weights, method="exact").score
    gaps = []
    for count in (500, 4000, 32_000):
        columns = draw_columns(offsets, count)
        given = values[:, columns], reference[columns], float(reference @ weights), M
        gaps.append(sampled_bound(*given, share=share, eta=0.3).upper_bound - best)
    assert gaps[0] > 2 * gaps[1] > 0 and gaps[2] > 0
    surer = sampled_bound(*given, share=share, eta=0.3, probability=0.999999)
    assert surer.upper_bound - best > gaps[2]


def test_rules_lower_it():
    values, offsets = pool(1)
    columns = draw_columns(offsets, 400)
    given = values[:, columns], np.zeros(400), 0.0, M
    free, fewer = sampled_bound(*given), sampled_bound(*given, exclude=range(4, N))
    assert fewer.upper_bound < free.upper_bound
    more = sampled_bound(*given, initial=[0, 5])
    assert more.upper_bound > free.upper_bound  # two rows more


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"values": np.full((3, 4), 1.5, np.float32)}, "values"),
        ({"values": np.full((3, 4), np.nan, np.float32)}, "values"),
        ({"reference": np.full(4, -0.5)}, "reference"),
        ({"reference": np.zeros(3)}, "reference"),
        ({"eta": 1.0}, "eta"),
        ({"eta": 0.0}, "eta"),
        ({"probability": 1.0}, "probability"),
    ],
)
def test_errors(change, text):
    given = {"values": np.zeros((3, 4), np.float32), "reference": np.zeros(4), "mean": 0.0, "m": 1}
    with pytest.raises(ValueError, match=text):
        sampled_bound(**(given | change))
