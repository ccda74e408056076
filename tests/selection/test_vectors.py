"""Choosing on vectors: as on the matrix of all pairs, and a bound that holds for every set."""

from itertools import combinations

import numpy as np
import pytest

import scp
from scp import InfeasibleError, select_vectors
from scp.selection import shortlist as module
from scp.selection.vectors import Vectors


def clusters(n, d, count, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((count, d))
    spread = 1.2 * rng.random((n, 1)) * rng.standard_normal((n, d))
    return (centres[rng.integers(0, count, n)] + spread).astype(np.float32)


def matrix(x, kernel="cosine", gamma=None):
    return Vectors(x, kernel, gamma).values(slice(None))


@pytest.fixture
def short(monkeypatch):
    """Shortlists much shorter than the pool, so that every step is taken."""
    monkeypatch.setattr(module, "SHORTLIST", 40)
    monkeypatch.setattr(module, "FEW", 8)


@pytest.mark.parametrize("kernel", ["cosine", "rbf"])
def test_a_pool_that_fits_has_the_answer_of_the_matrix(kernel):
    x = clusters(120, 6, 9)
    found = select_vectors(x, 4, kernel=kernel)
    wanted = scp.select(matrix(x, kernel), 4)
    assert found.selected.tolist() == wanted.selected.tolist()
    assert found.score == pytest.approx(wanted.score, rel=1e-12)
    assert found.upper_bound == pytest.approx(wanted.upper_bound, rel=2e-3)
    assert found.next_gain == pytest.approx(wanted.next_gain, rel=1e-4)
    assert np.array_equal(found.cover, wanted.cover)
    assert found.certificate.check(matrix(x, kernel)) == []


@pytest.mark.parametrize("kernel", ["cosine", "rbf"])
@pytest.mark.parametrize("m", [1, 3, 12])
def test_large_pools(short, kernel, m):
    x = clusters(900, 12, 20, seed=m)
    values = matrix(x, kernel)
    found, wanted = select_vectors(x, m, kernel=kernel), scp.select(values, m)
    assert found.score == pytest.approx(values[found.selected].max(0).mean(), rel=1e-6)
    assert found.score >= 0.99 * wanted.score
    assert found.upper_bound >= wanted.score
    assert found.gap == pytest.approx((found.upper_bound - found.score) / found.upper_bound)
    assert found.gap < 0.08
    assert found.certificate.check(values) == []
    more = [values[[*found.selected, i]].max(0).mean() for i in range(len(x))]
    assert found.next_gain == pytest.approx(max(more) - found.score, abs=1e-6)


def test_no_set_lies_above_the_bound(short):
    for seed in range(6):
        x = clusters(60, 4, 5, seed)
        values = matrix(x)
        found = select_vectors(x, 2, passes=1, random_state=seed)
        best = max(values[list(pair)].max(0).mean() for pair in combinations(range(60), 2))
        assert found.score <= best + 1e-7 <= found.upper_bound + 2e-7


RULES = {
    "groups": lambda n: {"groups": [i // 7 for i in range(n)], "quota": 1},
    "groups with more": lambda n: {"groups": [i % 3 for i in range(n)], "quota": 2},
    "initial": lambda n: {"initial": [3, 50]},
    "include": lambda n: {"include": [0, n - 1]},
    "exclude": lambda n: {"exclude": range(0, n, 2)},
    "costs": lambda n: {"costs": 1 + np.arange(n) % 5, "budget": 7.0},
    "weights": lambda n: {"weights": np.where(np.arange(n) % 4 == 0, 1.0, 0.0)},
}


@pytest.mark.parametrize("name", RULES)
def test_rules(short, name):
    n, m = 400, 4
    x, rules = clusters(n, 8, 12), RULES[name](n)
    found, wanted = select_vectors(x, m, **rules), scp.select(matrix(x), m, **rules)
    assert found.score >= 0.97 * wanted.score
    assert found.upper_bound >= wanted.score - 1e-9
    assert found.m == m
    given = scp.selection.Problem(matrix(x), **rules)
    judged = given.judge(found.selected, "given", 0)  # raises where a rule is broken
    assert judged.score == pytest.approx(found.score, rel=1e-9)


def test_as_many_as_the_budget_allows(short):
    x, costs = clusters(300, 8, 12), 1.0 + np.arange(300) % 3
    found = select_vectors(x, None, costs=costs, budget=6.0)
    assert costs[found.selected].sum() <= 6
    wanted = scp.select(matrix(x), None, costs=costs, budget=6.0)
    assert found.score >= 0.97 * wanted.score
    assert found.upper_bound >= wanted.score


def test_distances(short):
    x = clusters(300, 8, 12)
    found = select_vectors(x, 5, min_distance=0.6)
    apart = 1 - matrix(x)[np.ix_(found.selected, found.selected)]
    assert (apart[~np.eye(5, dtype=bool)] >= 0.6).all()
    assert np.isnan(found.next_gain)


def test_the_same_bits_again_and_at_any_number_of_threads(short):
    x = clusters(500, 10, 15)
    found = []
    for count in (1, 3):
        scp.set_threads(count)
        found.append(select_vectors(x, 6, random_state=5))
    assert found[0] == found[1]


def test_one_vector_and_vectors_of_zeros():
    assert select_vectors([[2.0, 0.0]], 1).score == 1
    found = select_vectors(np.zeros((5, 3)), 2)
    assert found.score == found.upper_bound == 0 and found.proven


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"m": 0}, ValueError, "m must be"),
        ({"m": 31}, ValueError, "m must be"),
        ({"m": None}, ValueError, "budget"),
        ({"kernel": "linear"}, ValueError, "kernel"),
        ({"gamma": 1.0}, ValueError, "gamma"),
        ({"kernel": "rbf", "gamma": 0.0}, ValueError, "gamma"),
        ({"weights": np.full(30, -1.0)}, ValueError, "weights"),
        ({"weights": np.full(29, 1.0)}, ValueError, "weights"),
        ({"passes": 0}, ValueError, "passes"),
        ({"vectors": np.zeros((0, 3))}, ValueError, "vectors"),
        ({"vectors": np.zeros(3)}, ValueError, "vectors"),
        ({"vectors": np.full((30, 3), np.nan)}, ValueError, "vectors"),
        ({"exclude": range(28)}, InfeasibleError, "exclude"),
        ({"groups": ["a"] * 30}, InfeasibleError, "groups"),
        ({"max_memory": 1000}, MemoryError, "max_memory"),
    ],
)
def test_errors(arguments, error, text):
    given = {"vectors": clusters(30, 4, 3), "m": 3, **arguments}
    with pytest.raises(error, match=text):
        select_vectors(**given)
