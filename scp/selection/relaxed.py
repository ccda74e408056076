"""What a set of rows may still score, from above, in float64: the arithmetic of a certificate.

For any l >= w * cover of the rows that every set holds, and any mu >= 0,

    score(S) <= sum_q l_q + sum over c in S of sum_q max(w_q v_cq - l_q, 0),

and the largest second sum under size, groups and budget (with its multiplier mu) is a matter of
sorting. Nothing here calls the core: it is what the core is checked against.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from ..landmarks.names import group_numbers

CELLS = 1 << 22  # of the matrix that are looked at together
KEPT = 1 << 24  # cells of a matrix that is kept in float64


@dataclass
class Region:
    """The sets that hold the rows `taken` and otherwise rows of `open` (both int64)."""

    taken: np.ndarray
    open: np.ndarray


@dataclass
class Limit:
    """No set of a region scores more than `value`; none with open[i] in it more than with_row[i],
    none without the row more than `without(row)`."""

    value: float
    with_row: np.ndarray
    profit: np.ndarray
    chosen: np.ndarray  # bool, by place in open
    region: Region

    def without(self, row: int) -> float:
        """Only where no rule but the size binds."""
        at = int(np.flatnonzero(self.region.open == row)[0])
        if not self.chosen[at]:
            return self.value
        rest = self.profit[~self.chosen]
        return self.value - self.profit[at] + rest.max() if len(rest) else -np.inf


class Relaxed:
    """A matrix with weights and rules.

    Args:
        values: [N][Q], an array or what gives float32 rows by an array of their numbers.
        weights: float64 [Q].
        rules: as `Selection.parameters` has them.
        m: rows of a set; -1: any number within the budget.
        near: bool [N][N], rows that are closer than min_distance; None without that rule.
    """

    def __init__(
        self,
        values: Any,
        weights: np.ndarray,
        rules: dict[str, Any],
        m: int,
        near: np.ndarray | None = None,
    ):
        self.values, self.weights, self.m = values, weights, m
        self.n, self.q = values.shape
        self.initial, self.include, exclude = (
            np.array(sorted(rules.get(name) or ()), np.int64)
            for name in ("initial", "include", "exclude")
        )
        self.groups = None
        if rules.get("groups") is not None:
            keys = [tuple(g) if isinstance(g, list) else g for g in rules["groups"]]
            self.groups = np.array(group_numbers(keys))
            self.room = np.full(self.groups.max() + 1, int(rules["quota"]))
            np.subtract.at(self.room, self.groups[self.initial], 1)
            self.room = np.maximum(self.room, 0)
        self.costs = None if rules.get("costs") is None else np.array(rules["costs"], np.float64)
        budget = float(rules.get("budget") or 0)
        self.budget = budget + 1e-9 * budget  # 0.1 + 0.2 fits 0.3
        self.near = near
        self.plain = self.groups is None and self.costs is None and near is None
        allowed = np.ones(self.n, bool)
        allowed[self.initial] = allowed[exclude] = False
        self.candidates = np.flatnonzero(allowed)
        allowed[self.include] = False
        self.whole = Region(self.include, np.flatnonzero(allowed))
        self.root = self.region(self.include, self.whole.open)
        self.size, self.digest = self._scan(exclude)
        self.tolerance = 1e-9 * self.size
        self._kept = None
        if self.n * self.q <= KEPT:
            self._kept = np.asarray(values[np.arange(self.n)], np.float64) * weights

    def _scan(self, exclude: np.ndarray) -> tuple[float, list[bytes]]:
        """The largest possible score, and for each row what tells different rows apart."""
        high, digest = np.zeros(self.q), []
        for rows in self.blocks(np.arange(self.n)):
            block = np.ascontiguousarray(self.values[rows], np.float32)
            if not np.isfinite(block).all():
                raise ValueError("values must be finite")
            digest += [hashlib.blake2b(row, digest_size=16).digest() for row in block]
            used = block[~np.isin(rows, exclude)]
            if len(used):
                np.maximum(high, np.abs(used).max(axis=0), out=high)
        return float(self.weights @ high), digest

    def blocks(self, rows: np.ndarray) -> list[np.ndarray]:
        step = max(1, CELLS // self.q)
        return [rows[at : at + step] for at in range(0, len(rows), step)]

    # ---- sets ----

    def cover(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """float64 [Q]: w * the best value of these rows and the initial ones; of none, the smallest
        value of all rows that may be chosen, which every set covers."""
        rows = np.concatenate([self.initial, np.asarray(rows, np.int64)])
        if not len(rows) + len(self.candidates):
            return np.zeros(self.q)
        best = self.extreme(np.maximum, rows) if len(rows) else self.extreme(np.minimum)
        return self.weights * best.astype(np.float64)

    def extreme(self, of: np.ufunc, rows: np.ndarray | None = None, values: Any = None):
        """The largest or smallest value of each column over rows, the candidates if None; of
        `values`, which gives them, instead of the matrix: float32 [Q]."""
        values = self.values.__getitem__ if values is None else values
        parts = (
            of.reduce(values(r)) for r in self.blocks(self.candidates if rows is None else rows)
        )
        return reduce(of, parts)

    def score(self, rows: Sequence[int] | np.ndarray) -> float:
        """Eq. 9; 0 of no rows."""
        return float(self.cover(rows).sum()) if len(rows) + len(self.initial) else 0.0

    def allows(self, taken: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Which of the rows may join those taken."""
        allowed = ~np.isin(rows, taken)
        if self.groups is not None:
            used = np.bincount(self.groups[taken], minlength=len(self.room))
            allowed &= (used < self.room)[self.groups[rows]]
        if self.costs is not None:
            allowed &= self.costs[taken].sum() + self.costs[rows] <= self.budget
        if self.near is not None:
            allowed &= ~self.near[np.ix_(rows, np.concatenate([self.initial, taken]))].any(axis=1)
        return allowed

    def region(self, taken: np.ndarray, rows: np.ndarray) -> Region:
        """Without the rows that the rules forbid beside those taken."""
        taken = np.asarray(taken, np.int64)
        if self.plain:
            return Region(taken, rows)
        return Region(taken, rows[self.allows(taken, rows)])

    def violated(self, rows: Sequence[int]) -> str | None:
        """What a choice breaks, in words."""
        chosen = [int(r) for r in rows]
        if not set(chosen) <= set(self.candidates.tolist()):
            return "an image is excluded, annotated already, or does not exist"
        if not set(self.include.tolist()) <= set(chosen):
            return "an image of `include` is missing"
        for at, row in enumerate(chosen):
            before = np.array(chosen[:at], np.int64)
            if row in chosen[:at]:
                return "an image is named twice"
            if not self.allows(before, np.array([row]))[0]:
                return "groups, budget or min_distance do not allow it"
        return None

    # ---- bounds ----

    def excess(self, rows: np.ndarray, threshold: np.ndarray) -> np.ndarray:
        """sum_q max(w_q v_cq - threshold_q, 0) of each row c."""
        total, out = threshold.sum(), np.empty(len(rows))
        step = max(1, CELLS // self.q)
        for at in range(0, len(rows), step):
            block = rows[at : at + step]
            if self._kept is not None:
                part = self._kept[block]
            else:
                part = np.asarray(self.values[block], np.float64) * self.weights
            np.maximum(part, threshold, out=part)
            out[at : at + len(block)] = part.sum(axis=1) - total
        return out

    def missing(self, region: Region) -> int:
        """Rows that a set of the region lacks; -1: any number of them."""
        return -1 if self.m < 0 else self.m - len(region.taken)

    def decided(self, region: Region) -> float | None:
        """The largest score in the region where it is plain, -inf if it holds no set; else None."""
        missing = self.missing(region)
        if missing > len(region.open):
            return -np.inf
        if missing == len(region.open) or not len(region.open):
            taken = region.taken
            for row in region.open:
                if not self.allows(taken, np.array([row]))[0]:
                    return -np.inf
                taken = np.append(taken, row)
            empty = missing < 0 and len(taken) + len(self.initial) == 0
            return -np.inf if empty else self.score(taken)  # the empty set is no choice
        if missing == 0:
            return self.score(region.taken)
        if missing == 1:
            floor = self.cover(region.taken)
            return float(floor.sum() + self.excess(region.open, floor).max())
        return None

    def limit(self, region: Region, threshold: np.ndarray, mu: float) -> Limit:
        """From multipliers: threshold [Q], at least the cover of the rows taken; mu >= 0."""
        profit = self.excess(region.open, threshold)
        base, missing = float(threshold.sum()), self.missing(region)
        if self.costs is not None:
            profit = profit - mu * self.costs[region.open]
            base += mu * max(self.budget - float(self.costs[region.taken].sum()), 0.0)
        order = np.argsort(-profit, kind="stable")
        if self.groups is not None:
            used = np.bincount(self.groups[region.taken], minlength=len(self.room))
            order = order[first_of_each(self.groups[region.open[order]], self.room - used)]
        order = order[profit[order] > 0] if missing < 0 else order[:missing]
        value = base + float(profit[order].sum())
        chosen = np.zeros(len(profit), bool)
        chosen[order] = True
        last = profit[order[-1]] if len(order) == missing > 0 else 0.0
        with_row = np.where(chosen, value, value - last + profit)
        return Limit(value, with_row, profit, chosen, region)


def first_of_each(labels: np.ndarray, room: np.ndarray) -> np.ndarray:
    """bool: entry i is among the first room[labels[i]] of its label."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    start = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(order) else order
    counts = np.diff(np.r_[start, len(order)])
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(start, counts)
    return rank < np.maximum(room, 0)[labels]
