"""Certificates: they hold wherever they are given, and no other bound passes with them."""

import json
import pickle
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import scp
from scp import InfeasibleError
from scp.selection import Certificate

METHODS = ("greedy", "swap", "exact", "random")


def random_problem(rng):
    """A small matrix with ties, negative values, equal rows or far scales; weights, m and rules."""
    n, q, kind = int(rng.integers(2, 9)), int(rng.integers(1, 30)), rng.integers(5)
    values = rng.random((n, q)).astype(np.float32)
    if kind == 1:
        values = np.round(values * 3) / 3
    if kind == 2:
        values = values - 2
    if kind == 3:
        values = values[rng.integers(0, max(1, n // 2), n)]
    if kind == 4:
        values = (values - 0.5) * np.float32(10.0 ** rng.integers(-30, 30))
    weights = rng.random(q) if rng.random() < 0.6 else np.full(q, 1 / q)
    m, rules, rows = int(rng.integers(1, n + 1)), {}, rng.permutation(n).tolist()
    for name, most in (("initial", 3), ("include", 2), ("exclude", 3)):
        if rng.random() < 0.3:
            rules[name] = [rows.pop() for _ in range(min(len(rows), rng.integers(0, most)))]
    if rng.random() < 0.3:
        rules |= {"groups": rng.integers(0, 4, n).tolist(), "quota": int(rng.integers(1, 3))}
    if rng.random() < 0.3:
        rules |= {"costs": rng.integers(0, 5, n).astype(float), "budget": float(rng.integers(0, 9))}
        m = None if rng.random() < 0.5 else m
    if rng.random() < 0.3:
        distances = rng.random((n, n))
        rules |= {"distances": (distances + distances.T) / 2, "min_distance": 0.4}
    return values, weights, m, rules


def best_score(values, weights, m, rules):
    """By enumeration, -inf where nothing is allowed; the empty set is no choice."""
    initial = rules.get("initial", [])

    def allowed(rows):
        every = [*initial, *rows]
        pairs = [(a, b) for a in rows for b in every if a != b]
        held = (
            [sum(rules["groups"][e] == rules["groups"][r] for e in every) for r in rows]
            if ("groups" in rules)
            else []
        )
        return (
            set(rules.get("include", ())) <= set(rows)
            and not set(rows) & {*rules.get("exclude", ()), *initial}
            and all(count <= rules["quota"] for count in held)
            and ("costs" not in rules or rules["costs"][list(rows)].sum() <= rules["budget"])
            and ("distances" not in rules or all(rules["distances"][p] >= 0.4 for p in pairs))
        )

    sizes = range(1, len(values) + 1) if m is None else [m]
    sets = (rows for size in sizes for rows in combinations(range(len(values)), size))
    v = values.astype(np.float64)
    return max(
        (weights @ v[[*initial, *s]].max(axis=0) for s in sets if allowed(s)), default=-np.inf
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_certificate_holds_and_proves_nothing_below_the_optimum(seed):
    rng, proofs, bounds = np.random.default_rng(seed), 0, 0
    for _ in range(60):
        values, weights, m, rules = random_problem(rng)
        best = best_score(values, weights, m, rules)
        tolerance = 1e-9 * float(weights @ np.abs(values.astype(np.float64)).max(axis=0))
        for method in METHODS:
            nodes = int(rng.choice([0, 1, 3, 10**6]))
            try:
                s = scp.select(
                    values, m, weights=weights, method=method, draws=20, max_nodes=nodes, **rules
                )
            except InfeasibleError:
                continue
            distances = rules.get("distances")
            assert s.certificate.check(values, distances) == []
            if not len(s.selected):
                continue
            bounds += 1
            proofs += s.proven
            assert s.upper_bound >= best - tolerance
            assert not s.proven or abs(s.score - best) <= tolerance
            low = best - 3 * tolerance - 1e-300
            assert replace(s.certificate, upper_bound=low).check(values, distances)
    assert proofs > 30 and bounds - proofs > 30


def pool(seed=0, n=18, q=60):
    rng = np.random.default_rng(seed)
    return rng.random((n, q), np.float32), rng.random(q)


def test_a_proof_is_a_tree_and_every_part_of_it_is_needed():
    values, weights = pool()
    s = scp.select(values, 4, weights=weights, method="exact")
    certificate, rng = s.certificate, np.random.default_rng(1)
    assert s.proven and len(certificate.trace) > 100 and certificate.check(values) == []
    assert replace(certificate, trace=certificate.trace[:0]).check(values)
    for keep in rng.integers(1, len(certificate.trace), 10):
        assert replace(certificate, trace=certificate.trace[:keep]).check(values)
    for _ in range(60):  # whatever a forger writes: no bound below the optimum comes out
        trace = certificate.trace.copy()
        at = rng.integers(0, len(trace), 3)
        trace[at] = rng.choice([-1, 0, 1, 2, 3.5, 17, 18, 1e9, np.nan, np.inf, trace[at[0]]], 3)
        low = s.score - 1e-6
        assert replace(certificate, trace=trace, upper_bound=low).check(values)


def test_a_certificate_is_for_one_matrix_and_its_rules():
    values, weights = pool()
    s = scp.select(values, 4, weights=weights, method="exact", exclude=[int(i) for i in range(5)])
    assert s.certificate.check(values) == []
    assert s.certificate.check(values * np.float32(1.01))
    free = replace(s.certificate, rules={**s.parameters, "exclude": []})
    assert free.check(values)


def test_a_certificate_survives_pickle_and_json():
    values, weights = pool(n=12, q=30)
    s = scp.select(
        values, None, weights=weights, method="exact", costs=np.ones(12), budget=3, max_nodes=4
    )
    for again in (
        pickle.loads(pickle.dumps(s)).certificate,
        Certificate.from_dict(json.loads(json.dumps(s.certificate.to_dict()))),
    ):
        assert again.check(values) == [] and again.upper_bound == s.upper_bound
        assert np.array_equal(again.trace, s.certificate.trace)


def test_a_proof_that_would_be_too_large_is_left_out(monkeypatch):
    values, weights = pool()
    monkeypatch.setattr("scp.selection.problem.TRACE", 100)
    s = scp.select(values, 4, weights=weights, method="exact")
    assert s.proven and len(s.certificate.trace) == 0
    assert "not proved" in s.certificate.check(values)[0]
