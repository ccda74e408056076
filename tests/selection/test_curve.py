"""The curve around an answer, as the report shows it."""

import itertools

import numpy as np

from scp.selection import more_sizes, second_round, select

VALUES = np.random.default_rng(0).random((12, 40), np.float32)


def test_a_curve_goes_as_far_as_the_rules_leave_images():
    rules = {"initial": [0, 1], "exclude": [2]}
    curve = more_sizes(VALUES, [select(VALUES, 3, **rules)], rules)
    assert [c.m for c in curve] == list(range(1, 10))
    assert all(a.score <= b.score for a, b in itertools.pairwise(curve))


def test_a_curve_that_rules_could_make_impossible_is_left_as_it_is():
    rules = {"costs": np.ones(12), "budget": 3.0}
    curve = [select(VALUES, 3, **rules)]
    assert more_sizes(VALUES, curve, rules) is curve


def test_a_second_round_goes_on_from_the_first():
    rules = {"initial": [0], "exclude": [2]}
    first = select(VALUES, 4, **rules)
    second = second_round(VALUES, first, rules)
    taken = {0, 2, *first.selected.tolist()}
    assert second.m == 4 and not taken & set(second.selected.tolist())
    rows = [0, *first.selected, *second.selected]
    assert np.isclose(second.score, VALUES[rows].max(0).mean(), rtol=1e-6)
    assert second.score >= first.score
    assert second_round(VALUES, select(VALUES, 11, exclude=[2]), {"exclude": [2]}) is None
    assert second_round(VALUES, first, {"groups": np.zeros(12, int)}) is None
