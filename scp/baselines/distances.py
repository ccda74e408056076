"""Distances between vectors, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np

BLOCK = 1 << 24  # distances in memory at a time, 64 MiB


def one_thread() -> AbstractContextManager[object]:
    """Keeps matrix products and k-means on one thread, where threadpoolctl (of scikit-learn) is
    there: their sums have one order then, and products as small as these lose time on several."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(1)


def unit(x: np.ndarray) -> np.ndarray:
    """Vectors divided by their length; a vector of zeros stays one."""
    length = np.linalg.norm(x.astype(np.float64), axis=-1, keepdims=True)
    return (x / np.where(length > 0, length, 1)).astype(np.float32)


def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float32 [len(a)][len(b)], squared Euclidean distances."""
    out = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)[None] - 2 * (a @ b.T)
    return np.maximum(out, 0, out=out)


def rows(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, squared distances [rows][N]) of blocks of x to all of x."""
    step = max(1, BLOCK // max(1, len(x)))
    for first in range(0, len(x), step):
        yield first, squared(x[first : first + step], x)
