"""The rows of a large table that are most like others, without comparing all with all.

Rows are gathered in cells of similar ones (k-means of directions); a query looks into the few cells
whose centres are most like it. Images of one kind lie close together, so that cells differ much in
size: large ones are divided again. Then a query costs the same in every pool.

All rows are whole numbers, and short enough for float32 to add their products without rounding:
the same cells and neighbours come out whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_LENGTH = 2048  # of a row: sums of products stay below 2^24, and are divided without rounding
_SIZE, _MOST = 128, 512  # rows of a cell on average, and at most
_PROBES = 32  # cells that a query looks into
_SAMPLE, _ROUNDS = 40, 6  # rows of a cell that place its centre; rounds of k-means
_BLOCK = 1024  # queries at a time
_SEED = 0


def whole(rows: np.ndarray) -> np.ndarray:
    """int16 [n][d]: rows [n][d] of one length, in whole numbers."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.rint(rows * (_LENGTH / np.maximum(lengths, 1e-6))).astype(np.int16)


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float32 [..., n, m] of rows of whole numbers [..., n, d] and [..., m, d]: exact sums, divided
    by what a row and itself would give."""
    return a.astype(np.float32) @ b.astype(np.float32).swapaxes(-1, -2) / np.float32(_LENGTH**2)


class Cells:
    """Rows [n][d] of whole numbers, in cells."""

    def __init__(self, rows: np.ndarray):
        self.rows = rows
        self.members = list(_divided(rows, np.arange(len(rows))))
        self.centres = whole(
            np.stack([rows[m].sum(axis=0, dtype=np.float64) for m in self.members])
        )

    def nearest(self, queries: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For all queries [n][d], some at a time: their numbers [k], and the rows [k][count] that
        are most like each of them, ascending; -1 first where the cells hold fewer. Of equal ones
        the first are taken."""
        probes = np.concatenate(
            [
                np.argsort(-correlations(block, self.centres), axis=1, kind="stable")[:, :_PROBES]
                for block in _blocks(queries)
            ]
        )
        # Those that look into the same cells come together: larger products.
        for asked in _blocks(np.argsort(probes[:, 0], kind="stable")):
            yield asked, self._nearest(queries[asked], probes[asked], count)

    def _nearest(self, queries: np.ndarray, probes: np.ndarray, count: int) -> np.ndarray:
        n, none = len(self.rows), np.iinfo(np.int64).min
        best = np.full((probes.size, count), none)  # sum of products, and which row: one number
        for places in _groups(probes.ravel()):
            members = self.members[probes.ravel()[places[0]]]
            alike = correlations(queries[places // probes.shape[1]], self.rows[members])
            keys = np.rint(alike * _LENGTH**2).astype(np.int64) * n - members
            kept = min(count, len(members))
            best[places, :kept] = _largest(keys, kept)
        keys = _largest(best.reshape(len(queries), -1), count)
        return np.sort(np.where(keys == none, -1, -keys % n), axis=1)


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """[n][count]: the largest of each row, in no order."""
    return np.partition(values, values.shape[1] - count, axis=1)[:, -count:]


def _divided(rows: np.ndarray, members: np.ndarray) -> Iterator[np.ndarray]:
    """Cells, as ascending numbers of rows; the largest has _MOST of them."""
    if len(members) <= _MOST:
        yield members
        return
    own = _k_means(rows[members], -(-len(members) // _SIZE))
    parts = _groups(own)
    if max(map(len, parts)) > 0.9 * len(members):  # of equal rows: nothing tells them apart
        yield from np.array_split(members, -(-len(members) // _MOST))
        return
    for part in parts:
        yield from _divided(rows, members[part])


def _k_means(rows: np.ndarray, count: int) -> np.ndarray:
    """The cell of each row, below `count`; some may be empty."""
    rng = np.random.default_rng(_SEED)
    sample = rows[np.sort(rng.permutation(len(rows))[: _SAMPLE * count])]
    centres = sample[np.sort(rng.permutation(len(sample))[:count])]
    for _ in range(_ROUNDS):
        own = _most_alike(sample, centres)
        groups = _groups(own)
        means = np.stack([sample[g].sum(axis=0, dtype=np.float64) for g in groups])
        centres = centres.copy()
        centres[[own[g[0]] for g in groups]] = whole(means)
    return _most_alike(rows, centres)


def _most_alike(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.concatenate([correlations(b, centres).argmax(axis=1) for b in _blocks(rows)])


def _groups(labels: np.ndarray) -> list[np.ndarray]:
    """Numbers of the entries that have the same label, ascending, by label."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[k : k + _BLOCK] for k in range(0, len(rows), _BLOCK))
