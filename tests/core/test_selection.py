"""The selection core behind scp.select: exchanges, bounds, multipliers, budgets of nodes."""

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scp import _core, _testing, select
from scp.reference import selection as reference
from scp.selection import Problem


def problem(v, w, **rules):
    n = len(v)
    return _core.select_problem(
        v,
        w,
        rules.get("roles", np.zeros(n, np.uint8)),
        rules.get("groups"),
        rules.get("quota", 1),
        rules.get("costs"),
        rules.get("budget", 0.0),
        rules.get("distances"),
        rules.get("min_distance", 0.0),
    )


def instance(seed, n=14, q=90):
    rng = np.random.default_rng(seed)
    return rng.random((n, q), np.float32), rng.random(q)


def rows(*numbers):
    return np.array(numbers, np.uint32)


@pytest.mark.parametrize("seed", range(8))
def test_exchanges_equal_their_twin(seed):
    v, w = instance(seed)
    start = rows(*np.random.default_rng(seed).permutation(14)[:4])
    found, swaps = _core.select_swap(problem(v, w), 4, start)
    assert found.tolist() == reference.swap(v, start.tolist(), w)
    assert (swaps == 0) == (found.tolist() == sorted(start.tolist()))
    groups = np.arange(14, dtype=np.uint32) % 5
    spread = rows(0, 1, 2, 3)
    found, _ = _core.select_swap(problem(v, w, groups=groups), 4, spread)
    twin = reference.swap(v, [0, 1, 2, 3], w, lambda r: len({groups[i] for i in r}) == len(r))
    assert found.tolist() == twin


@pytest.mark.parametrize("kind", ["weighted", "equal"])
def test_the_multipliers_prove_the_bound(kind):
    """Whoever has the multipliers can check the bound without trusting the core."""
    v, w = instance(3)
    if kind == "equal":
        w[:] = 0.25
    for m in (2, 3, 6):
        p = problem(v, w)
        found, _ = _core.select_swap(p, m, _core.select_greedy(p, m))
        score = _core.select_score(p, found)
        multipliers = np.full(90, np.nan, np.float32)
        bound, _ = _core.select_bound(p, m, found, score, 300, multipliers)
        if kind == "equal":  # then they are in units of the values
            assert abs(reference.bound(v, m, w, 0.25 * multipliers.astype(float)) - bound) <= 1e-9
        assert bound >= reference.best(v, m, w)[1]
        again, _ = _core.select_bound(p, m, found, score, 0, multipliers.copy())
        assert again >= reference.best(v, m, w)[1]
        worse, _ = _core.select_bound(p, m, found, score, 3, np.full(90, np.nan, np.float32))
        assert worse >= bound


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.floats(-2, 2))
def test_any_multipliers_give_a_valid_bound(seed, m, shift):
    v, w = instance(seed, n=9, q=30)
    p = problem(v, w)
    multipliers = (np.random.default_rng(seed).random(30) + shift).astype(np.float32)
    found = _core.select_greedy(p, m)
    bound, _ = _core.select_bound(p, m, found, _core.select_score(p, found), 0, multipliers)
    assert bound >= reference.best(v, m, w)[1]


def test_a_budget_of_nodes_keeps_the_bound_valid():
    rng = np.random.default_rng(5)
    v = (rng.random((40, 300)) * rng.random((40, 1))).astype(np.float32) + 0.5
    full = select(v, 5, method="exact")
    assert full.proven and full.upper_bound == full.score
    last, unproven = np.inf, 0
    for nodes in (0, 1, 16, 100, 400):
        s = select(v, 5, method="exact", max_nodes=nodes)
        assert s.upper_bound >= full.score >= s.score
        assert s.proven or s.gap > 0
        unproven += not s.proven
        last = min(last, s.upper_bound)
    assert unproven >= 2
    assert last <= select(v, 5, method="swap").upper_bound


def test_the_curve_starts_each_bound_from_the_one_before():
    v, w = instance(8, n=40, q=400)
    curve = select(v, [1, 2, 4, 8, 40], weights=w)
    for s in curve:
        alone = select(v, s.m, weights=w)
        assert s.selected.tolist() == alone.selected.tolist() and s.score == alone.score
        assert s.upper_bound >= s.score and s.gap <= alone.gap + 0.01
    assert curve[-1].proven and curve[-1].gap == 0
    assert all(a.upper_bound <= b.upper_bound + 1e-12 for a, b in itertools.pairwise(curve))


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"include": [7, 3]},
        {"groups": [i // 2 for i in range(30)]},
        {"costs": np.arange(30.0), "budget": 90.0},
        {"distances": 1 - np.eye(30), "min_distance": 0.5},
    ],
)
@pytest.mark.parametrize("method", ["greedy", "swap", "exact"])
def test_a_curve_takes_greedy_from_one_run_and_changes_no_bit(monkeypatch, rules, method):
    v, w = instance(4, n=30, q=200)
    sizes, calls = [4, 2, 7, 9, 3], []
    greedy = _core.select_greedy
    monkeypatch.setattr(
        _core, "select_greedy", lambda p, m, *r: calls.append(m) or greedy(p, m, *r)
    )
    curve = select(v, sizes, weights=w, method=method, max_nodes=50, **rules)
    nested = not {"costs", "distances"} & set(rules)
    assert calls == ([9] if nested else sizes)
    problem = Problem(v, w, **rules)
    for s, m in zip(curve, sizes, strict=True):
        problem._order = problem._order[:0]
        other = problem.solve(m, method, 0, 50)
        for name in ("selected", "gains", "cover", "cover_value"):
            assert np.array_equal(getattr(s, name), getattr(other, name))
        assert (s.score, s.upper_bound, s.proven) == (other.score, other.upper_bound, other.proven)


def test_a_curve_that_goes_too_far_names_the_first_impossible_size():
    v, w = instance(4, n=12, q=20)
    groups = [i // 3 for i in range(12)]
    for sizes, first in (([2, 4, 6, 5], 6), ([5, 8], 5)):
        with pytest.raises(_core.InfeasibleError, match=f"^{first} images cannot be chosen"):
            select(v, sizes, weights=w, groups=groups)


@pytest.mark.parametrize(("n", "q", "clusters"), [(1, 1, 1), (7, 60, 1), (30, 91, 5)])
def test_rows_above_a_floor_equal_their_twin(n, q, clusters):
    v, w = instance(q, n, q)
    rng = np.random.default_rng(0)
    floor, cluster = rng.random(q, np.float32), rng.integers(0, clusters, q).astype(np.uint32)
    floor[::7] = 3e38
    wanted = reference.above(v, w, floor, cluster, clusters)
    for isa, threads in [(_core.isas()[0], 1), (_core.isas()[-1], 3)]:
        _testing.set_isa(isa)
        _core.set_threads(threads)
        assert np.array_equal(_core.select_above(v, w, floor, cluster, clusters), wanted)


def test_one_problem_serves_many_threads():
    v, w = instance(9, n=40, q=500)
    p = problem(v, w)
    expected = _core.select_swap(p, 5, _core.select_greedy(p, 5))[0].tolist()
    found = []

    def work():
        for _ in range(5):
            found.append(_core.select_swap(p, 5, _core.select_greedy(p, 5))[0].tolist())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [expected] * 20


def test_a_problem_keeps_its_arrays_alive():
    v, w = instance(10)
    expected = reference.greedy(v, 3, w)
    p = problem(v.copy(), w.copy())
    overwrite = [np.full((14, 90), 7, np.float32) for _ in range(50)]
    assert _core.select_greedy(p, 3).tolist() == expected and len(overwrite) == 50


def test_progress_exceptions_reach_the_caller():
    rng = np.random.default_rng(0)
    v = rng.random((120, 12_000), np.float32)
    before = _testing.alloc_state()[0]

    def stop(stage, done, total):
        assert 0 <= done <= total
        if total > 1:  # the core's own
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        select(v, 6, method="exact", progress=stop)
    assert _testing.alloc_state()[0] == before


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda p: _core.select_score(p, rows(14)), ValueError, r"set\[0\] must hold different"),
        (lambda p: _core.select_score(p, rows(1, 1)), ValueError, r"set\[1\] must hold different"),
        (
            lambda p: _core.select_score(p, np.array([1])),
            TypeError,
            r"set must be uint32 \[size\], got int64 of shape",
        ),
        (
            lambda p: _core.select_score(object(), rows(1)),
            TypeError,
            "problem must be Problem, got object",
        ),
        (lambda p: _core.select_greedy(p, 15), ValueError, "m must be"),
        (lambda p: _core.select_greedy(p, -2), ValueError, "m must be"),
        (lambda p: _core.select_greedy(p, -1), _core.InfeasibleError, "select_greedy"),
        (
            lambda p: _core.select_random(p, 2, 0, 10, np.array([3, 2])),
            ValueError,
            r"checkpoints\[1\] must ascend .*, got 2",
        ),
        *(
            (lambda p, seed=seed: _core.select_random(p, 2, seed, 10, np.array([10])), error, text)
            for seed, error, text in (
                (-1, ValueError, "seed must be int from 0 to 18446744073709551615, got -1"),
                (2**64, ValueError, "seed must be int from 0 to .*, got 18446744073709551616"),
                (0.5, TypeError, "seed must be int from .*, got 0.5"),
            )
        ),
        (
            lambda p: _core.select_bound(p, 2, rows(0, 1), 0.0, 5, np.zeros(3, np.float32)),
            ValueError,
            "multipliers: clients must be 90, as in problem, got 3",
        ),
        (
            lambda p: _core.select_exact(p, 2, rows(0, 1), 9.0, np.zeros(90, np.float32), -1),
            ValueError,
            "max_nodes",
        ),
        (
            lambda p: _core.select_above(*instance(0), np.ones(90, "f4"), np.ones(90, "u4"), 1),
            ValueError,
            r"cluster\[0\] is no cluster",
        ),
    ],
)
def test_the_core_names_bad_arguments(call, error, text):
    v, w = instance(0)
    with pytest.raises(error, match=text):
        call(problem(v, w))
