"""Selection, naively: the score (Eq. 9), and ways to the set that has the largest (Eq. 10): greedy,
exchanges, the paper's random search, and all subsets."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from .. import _core


def score(values, rows, weights) -> float:
    """Eq. 9: sum_q weights[q] * max over rows, which is Eq. 8 over templates; 0 without rows."""
    return float(weights @ np.asarray(values, np.float64)[list(rows)].max(0)) if len(rows) else 0.0


def greedy(values, m, weights) -> list[int]:
    """m times the row with the largest score, ties to the lowest index."""
    rows: list[int] = []
    for _ in range(m):
        rest = [c for c in range(len(values)) if c not in rows]
        rows.append(max(rest, key=lambda c: (score(values, [*rows, c], weights), -c)))
    return rows


def next_gain(values, rows, weights, allowed=lambda rows: True) -> float:
    """The most that one more row adds to Eq. 9; NaN where none is allowed."""
    rest = [[*rows, c] for c in range(len(values)) if c not in rows and allowed([*rows, c])]
    scores = [score(values, more, weights) for more in rest]
    return max(scores) - score(values, rows, weights) if scores else np.nan


def above(values, weights, floor, cluster, clusters) -> np.ndarray:
    """For each row and cluster of columns, the sum of weights * max(0, values - floor), added in
    order: float64 [rows][clusters]."""
    over = np.maximum(np.asarray(values, np.float64) - np.asarray(floor, np.float64), 0) * weights
    return np.array([np.bincount(cluster, row, clusters) for row in over])


def swap(values, rows, weights, allowed=lambda rows: True) -> list[int]:
    """Exchanges of one row, the best score first (ties: the smallest sorted set), while one gains
    more than 1e-9 of sum_q weights[q] * max over rows of |values|."""
    rows = sorted(rows)
    least = 1e-9 * float(weights @ np.abs(np.asarray(values, np.float64)).max(0))
    while True:
        moves = []
        for old in rows:
            for new in set(range(len(values))) - set(rows):
                move = sorted([*(r for r in rows if r != old), new])
                if allowed(move):
                    moves.append((-score(values, move, weights), move))
        if not moves or -min(moves)[0] <= score(values, rows, weights) + least:
            return rows
        rows = min(moves)[1]


def bound(values, m, weights, multipliers) -> float:
    """The Lagrangian bound: the sum of the multipliers [Q] and the m largest sums of excess."""
    excess = np.maximum(weights * np.asarray(values, np.float64) - multipliers, 0).sum(1)
    return float(multipliers.sum() + np.sort(excess)[::-1][:m].sum())


def random(values, m, weights, seed, draws) -> tuple[list[int], float]:
    """The first best of `draws` uniform subsets; draw i uses Philox stream i."""
    best, found = -np.inf, []
    for i in range(draws):
        rows = _core.random_subset(seed, i, m, len(values)).tolist()
        s = score(values, rows, weights)
        if s > best:
            best, found = s, rows
    return found, best


def random_within(values, costs, budget, weights, seed, draws) -> tuple[list[int], float]:
    """The first best of `draws` sets grown until the budget allows no further row; each row of set
    i is uniform among those still allowed and takes its number from Philox stream i."""
    best, found = -np.inf, []
    for i in range(draws):
        words = iter(_core.random_words(seed, i, 16 * len(values)).tolist())
        rows: list[int] = []
        while True:
            spent = sum(costs[r] for r in rows)
            rest = [r for r in range(len(values)) if r not in rows and spent + costs[r] <= budget]
            if not rest:
                break
            rows.append(rest[_below(words, len(rest))])
        s = score(values, rows, weights)
        if s > best:
            best, found = s, sorted(rows)
    return found, best


def _below(words, n) -> int:
    """Uniform in [0, n) from 32-bit words, without bias (Lemire's multiplication)."""
    product = next(words) * n
    while product % 2**32 < 2**32 % n:
        product = next(words) * n
    return product // 2**32


def best(values, m, weights, initial=(), allowed=lambda rows: True) -> tuple[list[int], float]:
    """The best allowed set by enumeration; the lexicographically smallest on ties."""
    top, found = -np.inf, []
    rest = [i for i in range(len(values)) if i not in initial]
    for rows in combinations(rest, m):
        if allowed(rows):
            s = score(values, [*initial, *rows], weights)
            if s > top + 1e-12:
                top, found = s, list(rows)
    return found, top
