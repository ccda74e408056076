"""Selection on a device gives the bits of the CPU: here on the host emulation of CUDA, with
`pytest -m cuda` on a GPU as well."""

import cudabuild
import numpy as np
import pytest

from scp import _core, select
from scp.reference import selection as reference
from scp.selection import Problem

FIELDS = ("selected", "gains", "score", "upper_bound", "cover", "cover_value", "proven", "history")


@pytest.fixture(params=cudabuild.PLACES)
def device(request):
    return cudabuild.use(request.param, request)


def matrix(n, q, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    values = rng.random((n, q), dtype=np.float32)
    return np.round(values * 4) / 4 if ties else values


def same(a, b):
    for name in FIELDS:
        x, y = getattr(a, name), getattr(b, name)
        assert np.array_equal(np.asarray(x), np.asarray(y)), name


# Clients around the widths of the sums: 8 and 16 lanes, blocks of 256 and 512.
@pytest.mark.parametrize("q", [1, 7, 8, 17, 255, 528, 1025])
@pytest.mark.parametrize("method", ["random", "greedy", "swap", "exact"])
def test_every_method_gives_the_bits_of_the_cpu(device, method, q):
    values = matrix(14, q, seed=q)
    for m in (1, 3, 6):
        options = {"method": method, "draws": 300, "random_state": 5, "checkpoints": (7, 100)}
        same(
            select(values, m, device=device, **options), select(values, m, device="cpu", **options)
        )


def test_ties_weights_and_equal_rows(device):
    values = matrix(12, 40, ties=True)
    values[5] = values[2]
    weights = np.linspace(0, 1, 40)
    for method in ("random", "greedy", "swap", "exact"):
        options = {"method": method, "weights": weights, "draws": 500}
        same(
            select(values, 4, device=device, **options), select(values, 4, device="cpu", **options)
        )


def test_rules_stay_with_the_cpu_and_their_sums_go_to_the_device(device):
    values = matrix(16, 60, seed=3)
    rng = np.random.default_rng(1)
    distances = rng.random((16, 16))
    distances = np.triu(distances, 1) + np.triu(distances, 1).T
    for rules in (
        {"initial": [1, 4], "include": [7], "exclude": [0]},
        {"groups": [i // 3 for i in range(16)]},
        {"costs": rng.random(16), "budget": 1.5},
        {"distances": distances, "min_distance": 0.2},
    ):
        for method in ("random", "greedy", "swap", "exact"):
            options = {"method": method, "draws": 200, **rules}
            same(
                select(values, 4, device=device, **options),
                select(values, 4, device="cpu", **options),
            )
    options = {"method": "random", "draws": 100, "costs": rng.random(16), "budget": 1.5}
    same(
        select(values, None, device=device, **options),
        select(values, None, device="cpu", **options),
    )


def test_a_random_search_is_that_of_the_reference(device):
    values = matrix(9, 30, seed=8)
    found = select(values, 3, method="random", draws=64, random_state=11, device=device)
    rows, score = reference.random(values, 3, np.full(30, 1 / 30), 11, 64)
    assert sorted(found.selected) == rows and abs(found.score - score) < 1e-12


@pytest.mark.parametrize("m", [2, 3, 4, 5])
@pytest.mark.parametrize("ties", [False, True])
def test_enumeration_finds_the_best_set(device, m, ties):
    values = matrix(11, 25, seed=m, ties=ties)
    weights = np.full(25, 1 / 25)
    best, score = reference.best(values.astype(np.float64), m, weights)
    results = []
    for where in ("cpu", device):
        problem = Problem(values, device=where)
        start = np.arange(m, dtype=np.uint32)  # a poor start: many sets remain
        multipliers = np.full(25, np.nan, np.float32)
        _core.select_bound(problem.core, m, start, 0.0, 30, multipliers)
        results.append(_core.select_enumerate(problem.core, start, multipliers, 10**6))
        rows, found, bound, sets, proven = results[-1]
        assert proven and bound == found and abs(found - score) < 1e-12 and sets > 0
        if not ties:
            assert rows.tolist() == best
    assert str(results[0]) == str(results[1])


def test_enumeration_gives_up_beyond_its_limit(device):
    problem = Problem(matrix(12, 20), device=device)
    start = np.arange(4, dtype=np.uint32)
    multipliers = np.zeros(20, np.float32)
    _, _, bound, sets, proven = _core.select_enumerate(problem.core, start, multipliers, 3)
    assert not proven and sets > 3 and bound > _core.select_score(problem.core, start)


def test_enumeration_refuses_rules():
    problem = Problem(matrix(12, 20), include=[3])
    with pytest.raises(RuntimeError):
        _core.select_enumerate(
            problem.core, np.arange(4, dtype=np.uint32), np.zeros(20, np.float32), 10
        )
