"""A matrix of more rows than memory holds, part by part: here, or by workers that read its file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from ..distributed import Workers, for_each
from .problem import Problem

PART = 2048  # rows of a part at most
CELLS = 1 << 22  # of a block: what is worked on at once


@dataclass(frozen=True)
class Excess:
    """Rows s become -ln(1 - eta (s - r)), rounded up: what bounds a choice from a sample
    (`scp.selection.sampled`)."""

    reference: np.ndarray
    eta: float

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        exact = -np.log1p(-self.eta * (rows.astype(np.float64) - self.reference))
        return np.nextafter(exact.astype(np.float32), np.float32(np.inf))


@dataclass(frozen=True)
class MatrixRows:
    """A matrix float32 [N][Q], in memory or in a .npy file, each row changed by a function.

    Attributes:
        matrix: an array; or the path of the file, which workers open.
        change: of rows; None: as they are. part: rows of a part.
    """

    matrix: np.ndarray | Path
    change: Excess | None = None
    part: int = field(default_factory=lambda: PART)

    @classmethod
    def within(
        cls, matrix: np.ndarray | Path, change: Excess | None, max_memory: int
    ) -> MatrixRows:
        """In parts of which one, as a problem of its own, takes a quarter of the memory."""
        rows = cls(matrix, change)
        room = max_memory // 4 // (8 * rows.columns)  # a row there, and the core's copy
        return replace(rows, part=min(rows.part, max(16, room)))

    def _open(self) -> np.ndarray:
        return np.load(self.matrix, mmap_mode="r") if isinstance(self.matrix, Path) else self.matrix

    def __len__(self) -> int:
        return len(self._open())

    @property
    def columns(self) -> int:
        return self._open().shape[1]

    @property
    def block(self) -> int:
        """Rows of a block."""
        return max(1, CELLS // self.columns)

    def held(self) -> int:
        """Bytes in memory: one block. The file's pages are the system's."""
        return (4 if self.change is None else 28) * self.block * self.columns

    def values(self, rows: Any) -> np.ndarray:
        """Some rows, float32 [rows][Q]; a copy."""
        numbers = np.arange(len(self))[rows]
        out = np.empty((len(numbers), self.columns), np.float32)
        for k in range(0, len(numbers), self.block):
            block = out[k : k + self.block]
            np.take(self._open(), numbers[k : k + self.block], axis=0, out=block, mode="clip")
            if self.change is not None:
                block[:] = self.change(block)
        return out

    def above(self, part: int, weights: np.ndarray, floors: np.ndarray, cluster=None, clusters=1):
        """How far the rows of a part lie above floors, by cluster of columns.

        Args:
            floors: float32 [sets][Q]. cluster: uint32 [Q], below `clusters`; None: one.

        Returns:
            float64 [sets][rows][clusters].
        """
        if cluster is None:
            cluster = np.zeros(self.columns, np.uint32)
        out, end = [], min(len(self), (part + 1) * self.part)
        for first in range(part * self.part, end, self.block):
            rows = self.values(slice(first, min(end, first + self.block)))
            out.append([_core.select_above(rows, weights, f, cluster, clusters) for f in floors])
        return np.concatenate(out, axis=1)

    def parts(self) -> range:
        return range(-(-len(self) // self.part))


@dataclass(frozen=True)
class Candidates:
    """The rows that a part alone would choose."""

    rows: MatrixRows
    weights: np.ndarray
    free: np.ndarray  # bool [N]
    count: int

    def __call__(self, part: int) -> dict[str, Any]:
        first, end = part * self.rows.part, (part + 1) * self.rows.part
        numbers = first + np.flatnonzero(self.free[first:end])
        return {"rows": chosen_alone(self.rows, numbers, self.weights, self.count)}


@dataclass(frozen=True)
class Gains:
    """For each cluster of columns, the rows of a part that would add most to it.

    Attributes:
        owner: uint32 [Q], the cluster of a column, of `clusters`. second: float32 [Q], what it has
            without the row that it belongs to. each: rows of a cluster.
    """

    rows: MatrixRows
    weights: np.ndarray
    free: np.ndarray
    owner: np.ndarray
    clusters: int
    second: np.ndarray
    each: int

    def __call__(self, part: int) -> dict[str, Any]:
        gain = self.rows.above(part, self.weights, self.second[None], self.owner, self.clusters)[0]
        row = part * self.rows.part + np.arange(len(gain))
        gain[~self.free[row]] = -1
        best = np.argsort(-gain, axis=0, kind="stable")[: self.each]
        return {"rows": row[best], "gains": np.take_along_axis(gain, best, axis=0)}


@dataclass(frozen=True)
class Above:
    """How far the rows of a part lie above floors: sums of weights * max(0, value - floor)."""

    rows: MatrixRows
    weights: np.ndarray
    floors: np.ndarray  # float32 [sets][Q]

    def __call__(self, part: int) -> dict[str, Any]:
        return {"sums": self.rows.above(part, self.weights, self.floors)[:, :, 0]}


def chosen_alone(rows: MatrixRows, numbers: np.ndarray, weights: np.ndarray, count: int):
    """The best `count` of some rows by greedy."""
    if len(numbers) <= count:
        return numbers
    values = rows.values(numbers)
    found = Problem(values, weights, own=True).greedy(count)
    return np.sort(numbers[found.astype(np.int64)])


def by_part(task: Any, rows: MatrixRows, workers: Workers | None, folder: Path | None):
    """The results of all parts, in their order."""
    found = dict(for_each(task, rows.parts(), workers, folder, part=1))
    return [found[part] for part in rows.parts()]
