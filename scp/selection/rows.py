"""Choosing from a matrix that lies on disk, in two rounds: each part of its rows names candidates,
and of all candidates together a shortlist is chosen from (`scp.selection.shortlist`).

The parts' answers need no more memory than a part, and may come from many machines. The bound is
that of the whole matrix: one more pass over all parts.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from ..distributed import Workers
from ..progress import Progress, watch
from ..values import array, whole
from .answer import Selection
from .parts import Above, Candidates, Excess, Gains, MatrixRows, by_part, chosen_alone
from .problem import Problem
from .shortlist import FEW, PROPOSED, Shortlist, owners
from .solve import METHODS, select

RULES = ("initial", "include", "exclude", "groups", "quota", "costs", "budget")


def select_rows(
    values: Any,
    m: int,
    weights: Any,
    *,
    change: Excess | None = None,
    max_memory: int = 1 << 30,
    tolerance: float = 0.002,
    passes: int = 2,
    random_state: int = 0,
    workers: Workers | None = None,
    folder: Path | None = None,
    progress: Progress = False,
    **rules: Any,
) -> Selection:
    """As `scp.select` with the method "swap", of a matrix that need not fit into memory.

    Args:
        values: float32 [N][Q], finite; of a memmap the file is opened again, part by part.
        m: -1: as many as the budget allows. weights: float64 [Q].
        change: of the rows, before anything else.
        tolerance, passes: see `scp.select_vectors`.
        workers: that look at the parts, where they see the file; see `scp.distributed`. folder: for
            their results.
        rules: initial, include, exclude, groups, quota, costs, budget.
    """
    w = array(weights, "weights", copy=True)
    n = len(values)
    plain = Problem(np.zeros((n, 1), np.float32), None, **rules)
    path = _file_of(values)
    memory = whole(max_memory, "max_memory", 1)
    rows = MatrixRows.within(np.asarray(values) if path is None else path, change, memory)
    if path is None:
        workers = None  # a matrix in memory would be sent to them
    search = _MatrixSearch(rows, plain, w, m, None, memory)
    search.workers, search.folder = workers, folder
    return search.run(random_state, tolerance, passes, watch(progress, "selection", 1))


def beyond(size: int, max_memory: int | None) -> bool:
    """Whether what the search makes of a matrix of that many bytes would take more than half of
    this."""
    return max_memory is not None and size > max_memory // 2


def check_memory(
    size: int, max_memory: int | None, method: str, min_distance: float | None = None
) -> None:
    """MemoryError where a matrix of that many bytes is too large for what is asked."""
    asked = None if method == "swap" else f"the method {method}"
    asked = asked if min_distance is None else "min_distance"
    if asked and beyond(size, max_memory):
        raise MemoryError(
            f"max_memory: too small for {asked} with this matrix: give {3 * size} bytes, or take "
            "the method swap without min_distance"
        )


def select_within(
    values: np.ndarray,
    m: Sequence[int] | None,
    method: str,
    options: dict[str, Any],
    *,
    max_memory: int,
    workers: Workers | None = None,
    folder: Path | None = None,
    progress: Progress = False,
) -> list[Selection]:
    """As `scp.select`; a matrix that is too large for the memory is looked at part by part, where
    the method is "swap".

    Args:
        m: None: as many as the budget allows. options: of `scp.select`, weights among them.
        max_memory, workers, folder: see `select_rows`.

    Raises:
        MemoryError: max_memory is too small for what is asked; says what is needed.
    """
    if not beyond(values.nbytes, max_memory) or method not in METHODS:
        return select(values, m or [None], method=method, progress=progress, **options)
    check_memory(values.nbytes, max_memory, method, options.get("min_distance"))
    for name in set(options) - set(inspect.signature(select).parameters):
        raise TypeError(f"select() got an unexpected keyword argument {name!r}")
    given = {name: options[name] for name in RULES if name in options}
    return [
        select_rows(
            values,
            -1 if size is None else size,
            options["weights"],
            max_memory=max_memory,
            workers=workers,
            folder=folder,
            random_state=options["random_state"],
            progress=progress,
            **given,
        )
        for size in m or [None]
    ]


def _file_of(values: np.ndarray) -> Path | None:
    """The .npy file that an array is a map of, all of it; None of other arrays."""
    base: Any = values
    while base is not None and not (isinstance(base, np.memmap) and base.filename):
        base = getattr(base, "base", None)
    if base is None or base.ctypes.data != values.ctypes.data:
        return None
    path = Path(base.filename).resolve()
    try:
        there = np.load(path, mmap_mode="r")
    except (OSError, ValueError):  # it has another name by now
        return None
    same = (there.shape, there.dtype, there.strides) == (values.shape, values.dtype, values.strides)
    if not same or base.mode not in ("r", "r+"):
        return None
    some = np.unique(np.linspace(0, len(values) - 1, 5).astype(np.int64))  # it may be another file
    return path if np.array_equal(there[some], values[some]) else None


class _MatrixSearch(Shortlist):
    """A choice from the rows of a matrix: columns are other things than rows."""

    pool: MatrixRows
    workers: Workers | None = None
    folder: Path | None = None

    def _parts(self, task: Any) -> list[dict[str, np.ndarray]]:
        return by_part(task, self.pool, self.workers, self.folder)

    def _allowed(self) -> np.ndarray:
        """bool [N], rows that may be chosen."""
        out = np.zeros(len(self.pool), bool)
        out[self.free] = True
        return out

    def _first(self, seed: int) -> np.ndarray:
        """The answer among the candidates of all parts."""
        known = self.plain.greedy(self.m).astype(np.int64)  # a set, or why there is none
        count = self.m if self.m > 0 else FEW
        found = self._parts(Candidates(self.pool, self.weights, self._allowed(), count))
        names = np.concatenate([part["rows"] for part in found])
        most = max(count, (self.room - len(known)) // 2)
        while len(names) > most:  # a round among the candidates
            size = min(self.room, max(2 * count, most))
            groups = np.array_split(names, -(-len(names) // size))
            left = [chosen_alone(self.pool, group, self.weights, count) for group in groups]
            if sum(map(len, left)) >= len(names):
                names = names[:most]
                break
            names = np.concatenate(left)
        count = min(self.room, len(self.free))
        drawn = self.free[_core.random_subset(seed, 0, count, len(self.free))]
        self.rows = known
        self._list(names, drawn)
        return self.listed[np.sort(self.problem.greedy(self.m))]

    def _proposals(self, above: np.ndarray | None) -> np.ndarray:
        fixed = np.concatenate([self.rows, self.initial])
        each = max(1, min(PROPOSED, (self.room - len(fixed)) // max(1, len(fixed))))
        if above is not None:
            free = self.free[np.argsort(-above[self.free], kind="stable")]
            return free[: each * len(fixed)]
        owner, second = owners(self.problem.values, np.searchsorted(self.listed, fixed))
        owner = owner.astype(np.uint32)
        task = Gains(self.pool, self.weights, self._allowed(), owner, len(fixed), second, each)
        found = self._parts(task)
        rows = np.concatenate([part["rows"] for part in found])
        gains = np.concatenate([part["gains"] for part in found])
        best = np.argsort(-gains, axis=0, kind="stable")[:each]
        picked = np.take_along_axis(rows, best, axis=0)
        return np.unique(picked[np.take_along_axis(gains, best, axis=0) > 0])

    def _over_all(self, floors, progress):
        found = self._parts(Above(self.pool, self.weights, floors))
        above, more = np.concatenate([part["sums"] for part in found], axis=1)
        return above * (1 + self.pool.columns * 2.0**-52), more  # sums in double precision
