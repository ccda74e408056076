"""ZCore's scores, draw by draw (csrc/include/scp/zcore.h)."""

from __future__ import annotations

import numpy as np

from .. import _core
from .selection import _below


def scores(x: np.ndarray, seed: int, draws: int) -> np.ndarray:
    """float64 [N] of vectors float32 [N][d]."""
    out = np.zeros(len(x))
    for i in range(draws):
        words = iter(_core.random_words(seed, i, 64).tolist())
        a = _below(words, x.shape[1])
        b = _below(words, x.shape[1] - 1)
        pair = x[:, [a, b + (b >= a)]]
        point = np.array([_triangular(column, _uniform(words)) for column in pair.T], np.float32)
        near = int(np.abs(pair - point).sum(1).argmin())
        out[near] += 1
        others = np.arange(len(x)) != near
        r = np.abs(pair - pair[near]).sum(1)[others].astype(np.float64)
        if len(r):
            share = (r == 0) * 1.0 if (r == 0).any() else (r.min() / r) ** 4
            out[others] -= share / share.sum()
    return out


def _triangular(column: np.ndarray, u: float) -> float:
    """Of the smallest, median and largest value, by the inverse of its distribution function."""
    low, mid, high = float(column.min()), float(np.float32(np.median(column))), float(column.max())
    width = high - low
    if u * width < mid - low:
        return low + np.sqrt(u * width * (mid - low))
    return high - np.sqrt((1 - u) * width * (high - mid))


def _uniform(words) -> float:
    high, low = next(words), next(words)
    return ((high << 32 | low) >> 11) * 2.0**-53
