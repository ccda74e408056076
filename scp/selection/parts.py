"""A matrix of more rows than memory holds, part by part: here, or by workers that read its file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..distributed import Workers, for_each
from .problem import Problem

PART = 2048  # rows of a part
BLOCK = 256  # rows that are worked on at once


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

    def _open(self) -> np.ndarray:
        return np.load(self.matrix, mmap_mode="r") if isinstance(self.matrix, Path) else self.matrix

    def __len__(self) -> int:
        return len(self._open())

    @property
    def columns(self) -> int:
        return self._open().shape[1]

    def held(self) -> int:
        """Bytes in memory: one block. The file's pages are the system's."""
        return 64 * BLOCK * self.columns

    def values(self, rows: Any) -> np.ndarray:
        """Some rows, float32 [rows][Q]; a copy."""
        numbers = np.arange(len(self))[rows]
        out = np.empty((len(numbers), self.columns), np.float32)
        for k in range(0, len(numbers), BLOCK):
            block = self._open()[numbers[k : k + BLOCK]]
            out[k : k + BLOCK] = block if self.change is None else self.change(block)
        return out

    def blocks(self, part: int) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, rows float64 [b][Q]) of a part."""
        end = min(len(self), (part + 1) * self.part)
        for first in range(part * self.part, end, BLOCK):
            yield first, self.values(slice(first, min(end, first + BLOCK))).astype(np.float64)

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
        owner: int64 [Q], the cluster of a column. second: float32 [Q], what it has without the row
            that it belongs to. each: rows of a cluster.
    """

    rows: MatrixRows
    weights: np.ndarray
    free: np.ndarray
    owner: np.ndarray
    second: np.ndarray
    each: int

    def __call__(self, part: int) -> dict[str, Any]:
        order = np.argsort(self.owner, kind="stable")
        clusters, starts = np.unique(self.owner[order], return_index=True)
        floor, weights = self.second[order].astype(np.float64), self.weights[order]
        gains, numbers = [], []
        for first, block in self.rows.blocks(part):
            over = np.maximum(block[:, order] - floor, 0) * weights
            gains.append(np.add.reduceat(over, starts, axis=1))
            numbers.append(first + np.arange(len(block)))
        gain, row = np.concatenate(gains), np.concatenate(numbers)
        gain[~self.free[row]] = -1
        best = np.argsort(-gain, axis=0, kind="stable")[: self.each]
        return {
            "clusters": clusters,
            "rows": row[best],
            "gains": np.take_along_axis(gain, best, axis=0),
        }


@dataclass(frozen=True)
class Above:
    """How far the rows of a part lie above floors: sums of weights * max(0, value - floor)."""

    rows: MatrixRows
    weights: np.ndarray
    floors: np.ndarray  # float32 [sets][Q]

    def __call__(self, part: int) -> dict[str, Any]:
        floors = self.floors.astype(np.float64)
        sums = [
            [np.maximum(block - floor, 0) @ self.weights for floor in floors]
            for _, block in self.rows.blocks(part)
        ]
        return {"sums": np.concatenate(sums, axis=1)}


def chosen_alone(rows: MatrixRows, numbers: np.ndarray, weights: np.ndarray, count: int):
    """The best `count` of some rows by greedy."""
    if len(numbers) <= count:
        return numbers
    values = rows.values(numbers)
    values.flags.writeable = False  # or the problem makes a copy
    found = Problem(values, weights).greedy(count)
    return np.sort(numbers[found.astype(np.int64)])


def by_part(task: Any, rows: MatrixRows, workers: Workers | None, folder: Path | None):
    """The results of all parts, in their order."""
    found = dict(for_each(task, rows.parts(), workers, folder, part=1))
    return [found[part] for part in rows.parts()]
