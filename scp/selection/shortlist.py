"""Choosing from more rows than a problem can hold.

A shortlist of rows is a problem that `select` solves exactly as it is: all its columns, few of its
rows. Between two solutions each cluster of a chosen row proposes the rows that would serve it best.
The bound is of all rows: multipliers of the shortlist's columns, and one pass over all rows that
says how far each lies above them (docs/explanation/selection.md).
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from .. import _core
from .answer import Selection
from .certificate import Certificate
from .problem import Problem

SHORTLIST = 768  # rows at most, unless more must be on it
FEW = 64  # rows at least
PROPOSED = 8  # of a cluster, in each round
ROUNDS = 8  # of proposals
STEPS = 150  # of the subgradient descent, in each pass
CUTS = 40  # of a third of the range of the budget's multiplier
BETTER = 1e-5  # of the score: what a round must bring to be followed by another


class Rows(Protocol):
    """The rows that are chosen from."""

    def __len__(self) -> int: ...
    def held(self) -> int:
        """Bytes that they take in memory."""

    def values(self, rows: Any) -> np.ndarray:
        """Similarity of some rows to all columns, float32 [rows][columns]."""


class Shortlist:
    """One choice. Rows are numbers of the pool; `plain` holds the rules, all values 0.

    What a subclass knows of the pool is where a first shortlist comes from (`_first`), which rows
    may better an answer (`_proposals`), and what all rows say of multipliers (`_over_all`).
    """

    def __init__(self, pool: Rows, plain: Problem, weights, m: int, apart, max_memory: int):
        self.pool, self.plain, self.weights, self.m, self.apart = pool, plain, weights, m, apart
        self.initial = np.array(plain.rows["initial"], np.int64)
        self.include = np.array(plain.rows["include"], np.int64)
        self.free = np.flatnonzero((plain.roles == 0) | (plain.roles == 2))
        self.groups = plain.parameters["groups"]
        n, columns = len(pool), len(weights)
        some = self._most() + len(self.initial)
        held = pool.held() + 64 * max(n, columns)  # and what has an entry for each
        row = 9 * columns  # bytes: here, the core's copy, and some room
        room = (max_memory - held) // row
        least = min(n, some + FEW)
        if room < least:
            # a caller may hold a quarter of it
            raise MemoryError(
                f"max_memory: too small for {n} images and m = {m}: "
                f"{(held + row * least) * 4 // 3 + 4} bytes are enough"
            )
        self.room = int(min(room, n, max(SHORTLIST, 2 * some)))
        self.rows = self.listed = np.zeros(0, np.int64)  # the answer so far, and the shortlist
        self.problem: Any = None  # of the shortlist, all columns
        self._above = np.zeros(n)  # how far each row lies above the multipliers of the last bound

    def _most(self) -> int:
        """Rows of an answer, at most."""
        if self.m >= 0:
            return self.m
        costs = np.cumsum(np.sort(self.plain.costs[self.free]))
        return int(np.searchsorted(costs, self.plain.budget * (1 + 1e-9), side="right"))

    def run(self, seed: int, tolerance: float, passes: int, progress) -> Selection:
        self.rows = self._first(seed)
        self._improve(progress)
        found = self._bounded(seed, progress)
        while passes > 1 and found.gap > tolerance and not self._all_on():
            passes -= 1
            self._list(self._proposals(self._above))
            self._exchange(progress)
            found = self._bounded(seed, progress)
        return found

    def _all_on(self) -> bool:
        """Whether the shortlist holds every row that may be chosen."""
        return len(self.listed) == len(self.free) + len(self.initial)

    # ---- of a pool ----

    def _first(self, seed: int) -> np.ndarray:
        """An answer, and the first shortlist."""
        raise NotImplementedError

    def _proposals(self, above: np.ndarray | None) -> np.ndarray:
        """For each cluster, the rows that serve it best: by what they add to the members' second
        best, or by `above`, a number for each row."""
        raise NotImplementedError

    def _over_all(self, floors: np.ndarray, progress) -> tuple[np.ndarray, np.ndarray]:
        """How far each row lies above the two floors, rounded up: the multipliers, and what the
        answer has; the second is what a row would add to it."""
        raise NotImplementedError

    # ---- shortlists ----

    def _list(self, proposed: np.ndarray, others: np.ndarray | None = None) -> None:
        """A new shortlist: the rows of the answer, those proposed, and of the others (the shortlist
        before) as many as there is room for."""
        others = self.listed if others is None else others
        fixed = np.unique(np.concatenate([self.rows, self.initial, self.include]))
        listed = np.union1d(fixed, _some(np.setdiff1d(proposed, fixed), self.room - len(fixed)))
        others = np.setdiff1d(others, listed)
        fill = _some(others, self.room - len(listed))
        self.listed = np.union1d(listed, fill).astype(np.int64)
        self.problem = None  # its memory is for the next one
        values = self.pool.values(self.listed)
        costs, groups = self.plain.costs, self.groups
        rules = {
            "initial": np.searchsorted(self.listed, self.initial),
            "include": np.searchsorted(self.listed, self.include),
            "groups": None if groups is None else [groups[i] for i in self.listed],
            "quota": 1 if groups is None else self.plain.quota,
            "costs": None if costs is None else costs[self.listed],
            "budget": None if costs is None else self.plain.budget,
        }
        if self.apart is not None:
            distances = 1 - values[:, self.listed].astype(np.float64)
            np.fill_diagonal(distances, 0)
            rules |= {"distances": np.maximum(distances, 0), "min_distance": self.apart}
        self.problem = Problem(values, self.weights, own=True, **rules)

    def _local(self) -> np.ndarray:
        """The answer as rows of the shortlist."""
        return np.searchsorted(self.listed, np.sort(self.rows)).astype(np.uint32)

    def _exchange(self, progress) -> None:
        better, _ = _core.select_swap(self.problem.core, self.m, self._local(), progress)
        self.rows = self.listed[np.sort(better)]

    def _improve(self, progress) -> None:
        """Rounds of exchanges and proposals."""
        score = -math.inf
        for left in range(ROUNDS - 1, -1, -1):
            self._exchange(progress)
            before, score = score, _core.select_score(self.problem.core, self._local())
            if left == 0 or not score > before + BETTER * abs(score) or self._all_on():
                break
            self._list(self._proposals(None))

    # ---- the answer ----

    def _bounded(self, seed: int, progress) -> Selection:
        """The answer, with a bound of all rows."""
        problem, listed, local = self.problem, self.listed, self._local()
        multipliers = np.full(problem.q, np.nan, np.float32)
        score = _core.select_score(problem.core, local)
        _, mu = _core.select_bound(problem.core, self.m, local, score, STEPS, multipliers, progress)
        ordered, gains, score, cover, cover_value = _core.select_explain(problem.core, local)
        threshold = self._threshold(multipliers)
        floors = self._floors(threshold, cover_value)
        self._above, more = self._over_all(floors, progress)
        limit, mu = self._limit(threshold, self._above, mu)
        if self.m in (len(self.free), len(self.include)):  # there is one set
            limit = score
        chosen = listed[ordered.astype(np.int64)]
        bound = max(limit, score)
        parameters = {**self.plain.parameters, "min_distance": self.apart}
        return Selection(
            selected=chosen,
            gains=gains,
            score=score,
            upper_bound=bound,
            gap=(bound - score) / bound if bound > 0 else 0.0 if bound == score else math.nan,
            cover=np.where(cover >= 0, listed[np.maximum(cover, 0)], -1),
            cover_value=cover_value,
            method="swap",
            m=len(chosen),
            random_state=seed,
            proven=bool(bound <= score),
            parameters=parameters,
            certificate=Certificate(
                self.m,
                bound,
                parameters,
                self.weights,
                problem._unit(),
                multipliers,
                mu,
                np.zeros(0),
            ),
            next_gain=self._next(more, chosen),
        )

    def _threshold(self, multipliers: np.ndarray) -> np.ndarray:
        """Of every column, what a row must exceed to count for the bound; initial rows count."""
        out = self.problem._unit() * multipliers.astype(np.float64)
        if len(self.initial):
            out = np.maximum(out, self.weights * self.pool.values(self.initial).max(axis=0))
        return out

    def _floors(self, threshold: np.ndarray, cover_value: np.ndarray) -> np.ndarray:
        """float32 [2][columns]: the threshold as similarity, rounded for the bound; what the answer
        has already."""
        floors = np.full((2, len(threshold)), 3.0e38, np.float32)
        w = self.weights
        np.divide(threshold, w, out=floors[0], where=w > 0, casting="same_kind")
        high = (w > 0) & (floors[0].astype(np.float64) * w > threshold)
        floors[0] = np.where(high, np.nextafter(floors[0], np.float32(-np.inf)), floors[0])
        floors[1] = cover_value
        return floors

    def _limit(self, threshold: np.ndarray, above: np.ndarray, mu: float) -> tuple[float, float]:
        """The bound, rounded up: sums of Q numbers in double precision; and the multiplier of the
        budget that gives it. mu: one to begin with."""
        most, mu = self._largest_sum(above, mu)
        size = float(np.abs(threshold).sum() + abs(most))
        rounding = (len(threshold) + len(above)) * 2.0**-53 * size
        return float(threshold.sum() + most) + rounding, mu

    def _largest_sum(self, above: np.ndarray, mu: float) -> tuple[float, float]:
        """No allowed set has a larger sum of `above`: numbers and groups are kept, the budget by a
        multiplier, which is returned too; distances are not looked at."""
        count = len(self.free) if self.m < 0 else self.m
        free = np.setdiff1d(self.free, self.include)
        left = max(0, count - len(self.include))
        forced = float(above[self.include].sum())

        def largest(profit: np.ndarray) -> float:
            order = np.argsort(-profit, kind="stable")
            if self.groups is not None:
                order = order[_first_of_groups(self.plain, free[order])]
            best = profit[order[:left]]
            return float(best.sum() if self.m >= 0 else best[best > 0].sum())

        costs = self.plain.costs
        if costs is None:
            return forced + largest(above[free]), 0.0
        room = max(self.plain.budget * (1 + 1e-9) - float(costs[self.include].sum()), 0.0)

        def limit(mu: float) -> float:  # convex in mu
            return mu * room + largest(above[free] - mu * costs[free])

        priced = costs[free] > 0
        with np.errstate(over="ignore"):
            dearest = (above[free][priced] / costs[free][priced]).max(initial=0.0)
        low, high = 0.0, float(min(dearest, 1e300))
        tried = {at: limit(at) for at in (low, mu)}
        for _ in range(CUTS):
            left_at, right_at = low + (high - low) / 3, high - (high - low) / 3
            tried |= {at: limit(at) for at in (left_at, right_at)}
            if tried[left_at] <= tried[right_at]:
                high = right_at
            else:
                low = left_at
        best = min(tried, key=lambda at: (tried[at], at))
        return forced + tried[best], best

    def _next(self, more: np.ndarray, chosen: np.ndarray) -> float:
        """The most that one more row adds, of those that the rules let join."""
        if self.apart is not None:
            return math.nan
        gains = Problem(more[:, None].astype(np.float32), None, **_rules_of(self.plain))
        return _core.select_next(gains.core, np.sort(chosen).astype(np.uint32))


def _some(rows: np.ndarray, count: int) -> np.ndarray:
    """At most so many of the rows, evenly from all of them."""
    left = max(0, min(count, len(rows)))
    return rows[np.arange(left) * len(rows) // max(1, left)]


def owners(values: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of every column: which of the rows `order` is the most similar, the first of equal ones, and
    the similarity of the next."""
    owner = np.zeros(values.shape[1], np.int64)
    best = np.full(values.shape[1], -np.inf, np.float32)
    second = np.zeros(values.shape[1], np.float32)
    for k, row in enumerate(order):
        value = values[row]
        first = value > best
        second = np.where(first, np.maximum(best, 0), np.maximum(second, value))
        owner[first], best = k, np.maximum(best, value)
    return owner, second


def _first_of_groups(plain: Problem, order: np.ndarray) -> np.ndarray:
    """Places in `order` of rows that their groups' quotas let in, the first ones first."""
    taken = np.zeros(int(plain.groups.max()) + 1, np.int64)
    fixed = np.array([*plain.rows["initial"], *plain.rows["include"]], np.int64)
    np.add.at(taken, plain.groups[fixed], 1)
    groups = plain.groups[order]
    by_group = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[by_group], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    out = np.empty(len(order), np.int64)
    out[by_group] = rank
    return np.flatnonzero(out + taken[groups] < plain.quota)


def _rules_of(plain: Problem) -> dict[str, Any]:
    """The rules of a problem as its arguments."""
    given = plain.parameters
    out = {name: given[name] for name in ("initial", "include", "exclude", "groups", "budget")}
    return out | {"costs": plain.costs, "quota": 1 if given["quota"] is None else given["quota"]}
