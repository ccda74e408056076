"""The curve around an answer, as the report shows it."""

import itertools

import numpy as np

from scp.selection import more_sizes, select

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
