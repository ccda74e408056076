"""Which vectors represent all others: facility location on a vector per image, without the matrix
of all pairs.

    score(S) = sum_q weights[q] * max over t in S and initial of k(x_t, x_q)

Rows are chosen from a shortlist (`scp.selection.shortlist`); the bound takes one pass over all
pairs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ..progress import Progress, watch
from ..values import array, real, whole
from .answer import Selection
from .certificate import OUTWARD
from .problem import Problem
from .shortlist import FEW, PROPOSED, Shortlist, owners

KERNELS = ("cosine", "rbf")
JUDGES = 8192  # members of a cluster that say which of its rows serves it best


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
    search = VectorSearch(pool, plain, w, size, apart, whole(max_memory, "max_memory", 1))
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

    def held(self) -> int:
        """Bytes of the vectors."""
        return self.x.nbytes

    def values(self, rows: Any, columns: Any = slice(None), progress=None) -> np.ndarray:
        """k of rows and columns, float32 [rows][columns]."""
        return _core.vectors_values(self.x[rows], self.x[columns], self.gamma, progress)

    def excess(self, rows, columns, floors, weights, progress=None) -> np.ndarray:
        """Sums over columns of weights * max(0, k - floor), float64 [sets][rows]."""
        floors, w = np.asarray(floors, np.float32), np.asarray(weights, np.float32)
        left, right = self.x[rows], self.x[columns]
        return _core.vectors_excess(left, right, self.gamma, floors, w, progress)


class VectorSearch(Shortlist):
    """A choice from vectors: rows and columns are the same images."""

    pool: Vectors

    def _first(self, seed: int) -> np.ndarray:
        """The answer on a random shortlist."""
        allowed = self.plain.greedy(self.m)  # a set, or the error that says why there is none
        known = [allowed.astype(np.int64)]
        if self.apart is not None:
            known.append(self._spread())
        count = min(self.room, len(self.free))
        drawn = self.free[_core.random_subset(seed, 0, count, len(self.free))]
        self.rows = np.unique(np.concatenate(known))
        self._list(np.zeros(0, np.int64), drawn)
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

    def _proposals(self, above: np.ndarray | None) -> np.ndarray:
        fixed = np.concatenate([self.rows, self.initial])
        owner, second = owners(self.problem.values, np.searchsorted(self.listed, fixed))
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

    def _over_all(self, floors, progress):
        above, more = self.pool.excess(slice(None), slice(None), floors, self.weights, progress)
        return above * (1 + OUTWARD), more
