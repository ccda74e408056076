"""Which vectors represent all others: facility location on a vector per image, without the matrix
of all pairs.

    score(S) = sum_q weights[q] * max over t in S and initial of k(x_t, x_q)

A shortlist of rows is a problem that `select` solves exactly as it is: all its columns, few of its
rows. Between two solutions each cluster of a chosen row proposes the rows that would serve it best.
The bound is of all rows: multipliers of the shortlist's columns, and one pass over all pairs that
says how far each row lies above them (docs/explanation/selection.md).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ..progress import Progress, watch
from ..values import array, real, whole
from .answer import Selection
from .certificate import OUTWARD, Certificate
from .problem import Problem

KERNELS = ("cosine", "rbf")
SHORTLIST = 768  # rows at most, unless more must be on it
FEW = 64  # rows at least
PROPOSED = 8  # of a cluster, in each round
JUDGES = 8192  # members of a cluster that say which of its rows serves it best
ROUNDS = 8  # of proposals
STEPS = 150  # of the subgradient descent, in each pass
BETTER = 1e-5  # of the score: what a round must bring to be followed by another


def select_vectors(
    vectors: ArrayLike,
    m: int | None,
    *,
    kernel: str = "cosine",
    gamma: float | None = None,
    weights: ArrayLike | None = None,
    initial: Iterable[int] = (),
    include: Iterable[int] = (),
    exclude: Iterable[int] = (),
    groups: Sequence[Hashable] | None = None,
    quota: int = 1,
    costs: ArrayLike | None = None,
    budget: float | None = None,
    min_distance: float | None = None,
    tolerance: float = 0.01,
    passes: int = 2,
    max_memory: int = 1 << 30,
    random_state: int = 0,
    progress: Progress = None,
) -> Selection:
    """Choose the m rows of vectors that represent all rows best.

    Args:
        vectors: float [N][d], finite; one row per image, from any network.
        m: number of rows; None: as many as the budget allows.
        kernel: "cosine": the cosine of two vectors, 0 where it is negative. "rbf":
            exp(-gamma |a - b|^2); gamma: 1 / d if None.
        weights: float64 [N], >= 0, of the rows as clients; 1 / N each if None.
        initial, include, exclude, groups, quota, costs, budget: see `scp.select`.
        min_distance: chosen rows, and chosen and initial rows, are at least so far apart; the
            distance of two rows is 1 - k.
        tolerance: of the gap; a further pass is made while it is larger, `passes` at most. A pass
            takes N x N x d multiplications.
        max_memory: bytes, the vectors' own copy included.
        random_state: of the first shortlist. progress: see `scp.progress`.

    Returns:
        As of `scp.select` with the matrix of all pairs: score, gains, cover, next_gain and a bound
        that is certain, not probable. With min_distance, next_gain is NaN.

    Raises:
        InfeasibleError (a ValueError): no set satisfies the rules.
        MemoryError: max_memory is too small; says what is needed.
        ValueError, TypeError: a bad argument, by name.
    """
    seed = whole(random_state, "random_state", 0, 2**64 - 1)
    pool = Vectors(vectors, kernel, gamma)
    n = len(pool)
    limit, passes = real(tolerance, "tolerance"), whole(passes, "passes", 1)
    rules: dict[str, Any] = {"initial": initial, "include": include, "exclude": exclude}
    rules |= {"groups": groups, "quota": quota, "costs": costs, "budget": budget}
    plain = Problem(np.zeros((n, 1), np.float32), None, **rules)  # names what is wrong in the rules
    size = -1 if m is None else whole(m, "m", 1, n)
    if m is None and costs is None:
        raise ValueError("m may be None only with costs and a budget")
    w = np.full(n, 1.0 / n) if weights is None else array(weights, "weights", copy=True)
    if w.shape != (n,) or not (np.isfinite(w) & (w >= 0)).all():
        raise ValueError(f"weights must be {n} finite numbers >= 0")
    apart = None if min_distance is None else real(min_distance, "min_distance")
    search = _Search(pool, plain, w, size, apart, whole(max_memory, "max_memory", 1))
    return search.run(seed, limit, passes, watch(progress, "selection", 1))


class Vectors:
    """Rows that are compared with each other, float32 [N][d]."""

    def __init__(self, vectors: ArrayLike, kernel: str = "cosine", gamma: float | None = None):
        if kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, got {kernel!r}")
        x = array(vectors, "vectors", np.float32, 2, copy=True)
        if not x.size:
            raise ValueError(f"vectors must not be empty, got shape {x.shape}")
        if not (sound := np.isfinite(x).all(axis=1)).all():
            raise ValueError(f"vectors must be finite; row {int(sound.argmin())} is not")
        if kernel == "cosine":
            if gamma is not None:
                raise ValueError("gamma goes with the kernel rbf")
            for rows in (x[i : i + 4096] for i in range(0, len(x), 4096)):
                length = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))[:, None]
                rows /= np.where(length > 0, length, 1).astype(np.float32)
            self.gamma = 0.0
        else:
            self.gamma = 1.0 / x.shape[1] if gamma is None else real(gamma, "gamma")
            if not 0 < self.gamma <= 1e30:
                raise ValueError(f"gamma must be above 0, got {gamma}")
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def values(self, rows: Any, columns: Any = slice(None), progress=None) -> np.ndarray:
        """k of rows and columns, float32 [rows][columns]."""
        return _core.vectors_values(self.x[rows], self.x[columns], self.gamma, progress)

    def excess(self, rows, columns, floors, weights, progress=None) -> np.ndarray:
        """Sums over columns of weights * max(0, k - floor), float64 [sets][rows]."""
        floors, w = np.asarray(floors, np.float32), np.asarray(weights, np.float32)
        left, right = self.x[rows], self.x[columns]
        return _core.vectors_excess(left, right, self.gamma, floors, w, progress)


class _Search:
    """One choice. Rows are numbers of the pool; `plain` holds the rules, all values 0."""

    def __init__(self, pool: Vectors, plain: Problem, weights, m: int, apart, max_memory: int):
        self.pool, self.plain, self.weights, self.m, self.apart = pool, plain, weights, m, apart
        self.initial = np.array(plain.rows["initial"], np.int64)
        self.include = np.array(plain.rows["include"], np.int64)
        self.free = np.flatnonzero((plain.roles == 0) | (plain.roles == 2))
        self.groups = plain.parameters["groups"]
        n = len(pool)
        some = max(m, 0) + len(self.initial)
        held = pool.x.nbytes + 64 * n  # the vectors, and what has an entry for each
        room = (max_memory - held) // (8 * n)  # a row here, and the core's copy
        least = min(n, some + FEW)
        if room < least:
            raise MemoryError(
                f"max_memory: {max_memory} bytes are not enough for {n} vectors and m = {m}; at "
                f"least {held + 8 * n * least} are needed"
            )
        self.room = int(min(room, n, max(SHORTLIST, 2 * some)))
        self.rows = self.listed = np.zeros(0, np.int64)  # the answer so far, and the shortlist
        self.problem: Any = None  # of the shortlist, all columns
        self._above = np.zeros(n)  # how far each row lies above the multipliers of the last bound

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

    # ---- shortlists ----

    def _first(self, seed: int) -> np.ndarray:
        """The answer on a random shortlist."""
        allowed = self.plain.greedy(self.m)  # a set, or the error that says why there is none
        known = [allowed.astype(np.int64)]
        if self.apart is not None:
            known.append(self._spread())
        count = min(self.room, len(self.free))
        drawn = self.free[_core.random_subset(seed, 0, count, len(self.free))]
        self._list(np.concatenate(known), drawn)
        return self.listed[np.sort(self.problem.greedy(self.m))]

    def _spread(self) -> np.ndarray:
        """Rows far from each other: m of the free ones, each the farthest from those before."""
        near = np.full(len(self.free), -np.inf, np.float32)
        for row in self.initial:
            near = np.maximum(near, self.pool.values([row], self.free)[0])
        out = []
        for _ in range(self.m if self.m > 0 else FEW):
            row = int(near.argmin())
            out.append(self.free[row])
            near = np.maximum(near, self.pool.values([self.free[row]], self.free)[0])
        return np.array(out, np.int64)

    def _list(self, proposed: np.ndarray, others: np.ndarray | None = None) -> None:
        """A new shortlist: the rows of the answer, those proposed, and of the others (the shortlist
        before) as many as there is room for."""
        others = self.listed if others is None else others
        listed = np.unique(np.concatenate([self.rows, proposed, self.initial, self.include]))
        others = np.setdiff1d(others, listed)
        left = max(0, min(self.room - len(listed), len(others)))
        fill = others[np.arange(left) * len(others) // max(1, left)]
        self.listed = np.union1d(listed, fill).astype(np.int64)
        self.problem = None  # its memory is for the next one
        values = self.pool.values(self.listed)
        values.flags.writeable = False  # or the problem makes a copy
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
        self.problem = Problem(values, self.weights, **rules)

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

    def _proposals(self, above: np.ndarray | None) -> np.ndarray:
        """For each cluster, the rows that serve it best: by what they add to the members' second
        best, or by `above`, a number for each row."""
        fixed = np.concatenate([self.rows, self.initial])
        owner, second = _owners(self.problem.values, np.searchsorted(self.listed, fixed))
        each = max(1, min(PROPOSED, (self.room - len(fixed)) // max(1, len(fixed))))
        out = [np.zeros(0, np.int64)]
        for k in range(len(fixed)):
            members = np.flatnonzero(owner == k)
            allowed = members[np.isin(self.plain.roles[members], (0, 2))]
            if not len(allowed):
                continue
            if above is None:
                judges = members[:: max(1, -(-len(members) // JUDGES))]
                floors = second[None, judges]
                gain = self.pool.excess(allowed, judges, floors, self.weights[judges])[0]
            else:
                gain = above[allowed]
            out.append(allowed[np.argsort(-gain, kind="stable")[:each]])
        return np.concatenate(out)

    # ---- the answer ----

    def _bounded(self, seed: int, progress) -> Selection:
        """The answer, with a bound of all rows."""
        problem, listed, local = self.problem, self.listed, self._local()
        multipliers = np.full(problem.q, np.nan, np.float32)
        score = _core.select_score(problem.core, local)
        _, mu = _core.select_bound(problem.core, self.m, local, score, STEPS, multipliers, progress)
        ordered, gains, score, cover, cover_value = _core.select_explain(problem.core, local)
        limit, self._above, more = self._over_all(multipliers, cover_value, progress)
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

    def _over_all(self, multipliers, cover_value, progress):
        """The bound of all rows, how far each lies above the multipliers, and what each would add
        to the answer."""
        w = self.weights
        threshold = self.problem._unit() * multipliers.astype(np.float64)
        if len(self.initial):
            known = self.pool.values(self.initial).max(axis=0)
            threshold = np.maximum(threshold, w * known)
        floors = np.full((2, len(w)), 3.0e38, np.float32)
        np.divide(threshold, w, out=floors[0], where=w > 0, casting="same_kind")
        floors[0] = np.nextafter(floors[0], np.float32(-np.inf))  # rounded for the bound
        floors[1] = cover_value
        above, more = self.pool.excess(slice(None), slice(None), floors, w, progress)
        above *= 1 + OUTWARD
        limit = threshold.sum() + self._largest_sum(above)
        return float(limit), above, more

    def _largest_sum(self, above: np.ndarray) -> float:
        """No allowed set has a larger sum of `above`: numbers, groups, costs are kept, distances
        are not looked at."""
        count = len(self.free) if self.m < 0 else self.m
        forced = above[self.include].sum()
        free = np.setdiff1d(self.free, self.include)
        order = free[np.argsort(-above[free], kind="stable")]
        if self.groups is not None:
            order = order[_first_of_groups(self.plain, order)]
        limits = [above[order[: max(0, count - len(self.include))]].sum()]
        if self.plain.costs is not None:
            room = self.plain.budget * (1 + 1e-9) - self.plain.costs[self.include].sum()
            limits.append(_knapsack(above[order], self.plain.costs[order], room))
        return float(forced + min(limits))

    def _next(self, more: np.ndarray, chosen: np.ndarray) -> float:
        """The most that one more row adds, of those that the rules let join."""
        if self.apart is not None:
            return math.nan
        gains = Problem(more[:, None].astype(np.float32), None, **_rules_of(self.plain))
        return _core.select_next(gains.core, np.sort(chosen).astype(np.uint32))


def _owners(values: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _knapsack(gains: np.ndarray, costs: np.ndarray, room: float) -> float:
    """The largest sum of gains at a cost of `room`, parts of rows allowed."""
    order = np.argsort(-gains / np.maximum(costs, 1e-300), kind="stable")
    before = np.cumsum(costs[order]) - costs[order]
    share = np.clip((room - before) / np.maximum(costs[order], 1e-300), 0, 1)
    return float((share * gains[order]).sum())


def _rules_of(plain: Problem) -> dict[str, Any]:
    """The rules of a problem as its arguments."""
    given = plain.parameters
    out = {name: given[name] for name in ("initial", "include", "exclude", "groups", "budget")}
    return out | {"costs": plain.costs, "quota": 1 if given["quota"] is None else given["quota"]}
