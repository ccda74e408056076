"""Selection against enumeration, its own verifier, and the rules."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scp
from scp import InfeasibleError, _core, _testing, select, verify
from scp.reference import selection as reference

METHODS = ("random", "greedy", "swap", "exact")


def matrix(seed, n=9, q=37, kind="uniform"):
    rng = np.random.default_rng(seed)
    v = rng.random((n, q), np.float32)
    if kind == "coarse":  # many ties
        v = np.round(v * 4) / 4
    if kind == "negative":
        v = v - 2
    return v.astype(np.float32), rng.random(q)


@pytest.mark.parametrize("kind", ["uniform", "coarse", "negative"])
@pytest.mark.parametrize("seed", range(6))
def test_exact_is_the_best_of_all_subsets(seed, kind):
    v, w = matrix(seed, kind=kind)
    for m in (1, 2, 3, 5, 9):
        s = select(v, m, weights=w, method="exact")
        rows, best = reference.best(v, m, w)
        assert s.proven and s.gap == 0 and len(s.selected) == m
        assert abs(s.score - best) <= 1e-9 * max(1, abs(best))
        if kind == "uniform":
            assert sorted(s.selected) == rows
        assert abs(verify(v, s, w) - s.score) <= 1e-9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(6))
def test_every_bound_holds_under_every_rule(method, seed):
    v, w = matrix(seed, n=8, q=23)
    rng = np.random.default_rng(100 + seed)
    groups = rng.integers(0, 4, 8).tolist()
    costs = rng.integers(1, 5, 8).astype(float)
    d = rng.random((8, 8))
    d = (d + d.T) / 2
    for initial, include, exclude, grouped, costed, spaced in product(
        ((), (2,)), ((), (5,)), ((), (0,)), (0, 1), (0, 1), (0, 1)
    ):

        def allowed(
            rows,
            initial=initial,
            include=include,
            exclude=exclude,
            grouped=grouped,
            costed=costed,
            spaced=spaced,
        ):
            every = [*initial, *rows]
            pairs = [(a, b) for i, a in enumerate(every) for b in every[:i]]
            return (
                set(include) <= set(rows)
                and not set(exclude) & set(rows)
                and not (grouped and np.bincount([groups[r] for r in every]).max() > 2)
                and not (costed and costs[list(rows)].sum() > 8)
                and not (spaced and any(d[a, b] < 0.3 for a, b in pairs))
            )

        rules = {"initial": initial, "include": include, "exclude": exclude}
        if grouped:
            rules.update(groups=groups, quota=2)
        if costed:
            rules.update(costs=costs, budget=8.0)
        if spaced:
            rules.update(distances=d, min_distance=0.3)
        rows, best = reference.best(v, 3, w, initial, allowed)
        if not rows:
            with pytest.raises(InfeasibleError):
                select(v, 3, weights=w, method=method, draws=500, **rules)
            continue
        s = select(v, 3, weights=w, method=method, draws=500, **rules)
        assert allowed(s.selected.tolist())
        assert s.score <= best + 1e-9 and s.upper_bound >= best - 1e-12
        if method == "exact":
            assert s.proven and abs(s.score - best) <= 1e-9
        verify(v, s, w)


@pytest.mark.parametrize("seed", range(4))
def test_greedy_and_random_equal_their_twins(seed):
    v, w = matrix(seed, n=12, q=50)
    assert select(v, 5, weights=w, method="greedy").selected.tolist() == reference.greedy(v, 5, w)
    s = select(
        v, 3, weights=w, method="random", draws=300, checkpoints=(10, 100), random_state=seed
    )
    rows, best = reference.random(v, 3, w, seed, 300)
    assert sorted(s.selected) == rows and abs(s.score - best) <= 1e-12
    assert [c for c, _ in s.history] == [10, 100, 300]
    for draws, score in s.history:
        assert abs(score - reference.random(v, 3, w, seed, draws)[1]) <= 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_random_within_a_budget_equals_its_twin(seed):
    v, w = matrix(seed, n=12, q=50)
    costs = np.random.default_rng(seed).integers(1, 6, 12).astype(float)
    for budget in (5.0, 11.0, 40.0):
        s = select(
            v,
            None,
            weights=w,
            method="random",
            costs=costs,
            budget=budget,
            draws=200,
            checkpoints=(10,),
            random_state=seed,
        )
        rows, best = reference.random_within(v, costs, budget, w, seed, 200)
        assert sorted(s.selected) == rows and abs(s.score - best) <= 1e-12
        assert [c for c, _ in s.history] == [10, 200]
        ten = reference.random_within(v, costs, budget, w, seed, 10)[1]
        assert abs(s.history[0][1] - ten) <= 1e-12
        exact = select(v, None, weights=w, method="exact", costs=costs, budget=budget)
        assert exact.proven and exact.score >= s.score - 1e-12
        assert s.upper_bound >= exact.score
        verify(v, s, w)


@pytest.mark.parametrize("method", METHODS)
def test_a_budget_that_allows_no_row_gives_none(method):
    v, w = matrix(2)
    s = select(v, None, weights=w, method=method, costs=[2.0] * 9, budget=1.0)
    assert s.m == 0 and s.score == 0 and (s.cover == -1).all()
    assert verify(v, s, w) == 0


def test_same_bits_on_every_set_and_thread_count():
    v, w = matrix(1, n=40, q=700)
    outcomes = set()
    for isa in _core.isas():
        for threads in (1, 2, 5):
            _testing.set_isa(isa)
            _core.set_threads(threads)
            for method in METHODS:
                s = select(v, 4, weights=w, method=method, draws=2000)
                outcomes.add((method, s.selected.tobytes(), s.score, s.upper_bound))
    assert len(outcomes) == len(METHODS)


def test_a_gap_needs_a_bound_above_zero():
    v = matrix(0, n=12, q=5, kind="negative")[0]
    s = select(v, 3, method="random", draws=1)
    assert not s.proven and s.score < s.upper_bound < 0
    assert np.isnan(s.gap) and s == s
    below = f"at most {s.upper_bound - s.score:.4g} below the best"
    assert s.proof == below and below in str(s) and "%" not in str(s)
    best = select(v, 3, method="exact")
    assert best.proven and best.gap == 0 and best.proof == "proved best"
    for scale in (1e-30, 1e30):  # shares do not depend on the unit
        one = select(matrix(0)[0] * np.float32(scale), 3, method="random", draws=1)
        assert one.gap > 0 and one.proof == f"gap {one.gap:.2%}"
    zero = select(np.zeros((4, 3)), 2, method="greedy")
    assert zero.upper_bound == zero.score == zero.gap == 0 and zero.proven


@pytest.mark.parametrize("method", METHODS)
def test_weights_whose_scores_overflow_are_refused(method):
    v = matrix(1)[0]
    huge = np.full(v.shape[1], 1e308)
    with pytest.raises(ValueError, match="weights must be smaller: their sum overflows"):
        select(v, 2, weights=huge, method=method)
    with pytest.raises(ValueError, match="weights must be smaller: their sum overflows"):
        select(v * np.float32(1e38), 2, weights=huge / 1e30, method=method)
    with pytest.raises(ValueError, match="weights must not all be 0"):
        select(v, 2, weights=0 * huge, method=method)
    s = select(v, 2, weights=huge / 1e12, method=method)
    assert np.isfinite([s.score, s.upper_bound, s.gap]).all()
    same = select(v, 2, weights=np.ones(v.shape[1]), method=method)
    assert s.selected.tolist() == same.selected.tolist()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 40), st.data())
def test_properties(seed, n, q, data):
    v = np.random.default_rng(seed).normal(size=(n, q)).astype(np.float32)
    m = data.draw(st.integers(1, n))
    curve = select(v, range(1, m + 1), method="swap")
    for k, s in enumerate(curve, 1):
        assert len(set(s.selected.tolist())) == k == s.m
        assert s.upper_bound >= s.score and (s.gap >= 0 or s.upper_bound <= 0)
        verify(v, s)
    g = select(v, m, method="greedy")
    assert all(a >= b - 1e-9 for a, b in zip(g.gains[1:], g.gains[2:], strict=False))
    best = [select(v, k, method="exact").score for k in (m, max(m - 1, 1))]
    assert best[0] >= best[1] - 1e-12


def test_allocation_failure_leaves_nothing():
    v, _ = matrix(3, n=30, q=200)
    select(v, 3, method="exact")
    before = _testing.alloc_state()[0]
    for method in METHODS:
        failed = True
        for n in [*range(1, 60), *range(60, 20000, 97)]:
            _testing.alloc_fail_at(n)
            try:
                select(v, 3, method=method, draws=200)
                failed = False
            except MemoryError:
                pass
            finally:
                _testing.alloc_fail_at(0)
            assert _testing.alloc_state()[0] == before  # the traceback is gone, and the problem too
            if not failed:
                break
        assert not failed and n > 3


def test_progress_can_stop_the_work():
    v, _ = matrix(4, n=150, q=9000)

    def stop(stage, done, total):
        if total > 1:  # the core's own
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        select(v, 6, method="random", draws=10**6, progress=stop)


BAD = [
    ({"m": 10}, ValueError, "m must be at most 9"),
    ({"m": 0}, ValueError, "m must be"),
    ({"m": 2.5}, TypeError, "m must be"),
    ({"m": []}, ValueError, "m must not be"),
    ({"m": None}, ValueError, "budget"),
    ({"method": "best"}, ValueError, "method"),
    ({"include": [3, 3]}, ValueError, "include: row 3 is named twice"),
    ({"include": [3], "exclude": [3]}, ValueError, "exclude: row 3 is named and in include"),
    ({"initial": [9]}, ValueError, "initial must be 0 to 8"),
    ({"groups": [1, 2]}, ValueError, "groups"),
    ({"groups": [[]] * 9}, TypeError, "groups"),
    ({"groups": [1] * 9, "quota": -1}, ValueError, "quota"),
    ({"costs": [1.0] * 9}, ValueError, "budget"),
    ({"costs": [-1.0] * 9, "budget": 3}, ValueError, "costs"),
    ({"costs": [1.0] * 9, "budget": np.nan}, ValueError, "budget"),
    ({"min_distance": 0.5}, ValueError, "distances"),
    ({"distances": -np.eye(9), "min_distance": 1}, ValueError, "negative"),
    ({"quota": 2}, ValueError, "groups"),
    ({"distances": np.triu(np.ones((9, 9))), "min_distance": 1}, ValueError, "symmetric"),
    ({"weights": [1.0]}, ValueError, "weights"),
    ({"random_state": -1}, ValueError, "random_state"),
    ({"random_state": "x"}, TypeError, "random_state"),
    ({"draws": 0, "method": "random"}, ValueError, "draws"),
]


@pytest.mark.parametrize("change, error, text", BAD)
def test_bad_arguments_are_named(change, error, text):
    v, _ = matrix(0)
    arguments = {"m": 2, **change}
    with pytest.raises(error, match=text):
        select(v, arguments.pop("m"), **arguments)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_placed(value):
    v, _ = matrix(0)
    v[4, 6] = value
    with pytest.raises(ValueError, match=r"values\[4, 6\]"):
        select(v, 2)
    for bad in (np.zeros((0, 3)), np.zeros((3, 0)), np.zeros(3)):
        with pytest.raises(ValueError, match="values"):
            select(bad, 1)


def test_infeasible_says_why():
    v, _ = matrix(0)
    for rules, text in (
        ({"exclude": range(6)}, "leave 3 of 9"),
        ({"groups": ["a"] * 9}, "1 groups with at most 1 each allow 1"),
        ({"costs": [2.0] * 9, "budget": 5.0}, "the 4 cheapest cost 8, the budget is 5"),
        ({"distances": np.zeros((9, 9)), "min_distance": 1.0}, "min_distance"),
    ):
        with pytest.raises(InfeasibleError, match=text):
            select(v, 4, **rules)


def test_budget_without_m_and_one_image():
    v, _ = matrix(5)
    s = select(v, None, costs=np.arange(1.0, 10.0), budget=6.0)
    assert np.arange(1.0, 10.0)[s.selected].sum() <= 6
    assert select(v[:1], 1, method="exact").selected.tolist() == [0]
    assert select(v, 9).gap <= 1e-9


def test_estimator_and_text():
    v, _ = matrix(6)
    t = scp.TemplateSelector(n_templates=2, method="exact").fit(v)
    assert t.score_ == t.selection_.score and len(t.selected_) == 2
    assert "proved best" in str(t.selection_) and "<table>" in t.selection_._repr_html_()
    json.dumps(t.selection_.parameters)
    assert t.set_params(n_templates=3).get_params()["n_templates"] == 3
    with pytest.raises(ValueError, match="nonsense"):
        t.set_params(nonsense=1)


def test_verify_finds_what_is_wrong():
    v, _ = matrix(7)
    s = select(v, 2)
    for change in ({"score": s.score + 1e-3}, {"gains": s.gains * 2}, {"upper_bound": 0.0}):
        with pytest.raises(ValueError):
            verify(v, type(s)(**{**s.__dict__, **change}))
