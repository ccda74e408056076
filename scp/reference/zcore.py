"""ZCore's scores, draw by draw (csrc/include/scp/zcore.h)."""

from __future__ import annotations

import numpy as np

from .. import _core
from .selection import _below

PARTS = 32  # runs of draws that are summed by themselves
LANES = 8  # of sums


def scores(x: np.ndarray, seed: int, draws: int) -> np.ndarray:
    """float64 [N] of vectors float32 [N][d]."""
    out = np.zeros(len(x))
    each, more = divmod(draws, PARTS)
    ends = np.cumsum([each + (part < more) for part in range(PARTS)])
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        sums = np.zeros(len(x))
        for i in range(first, end):
            _draw(sums, x, seed, i)
        out += sums
    return out


def _draw(sums: np.ndarray, x: np.ndarray, seed: int, i: int) -> None:
    words = iter(_core.random_words(seed, i, 64).tolist())
    a = _below(words, x.shape[1])
    b = _below(words, x.shape[1] - 1)
    va, vb = x[:, [a, b + (b >= a)]].T
    pa, pb = (np.float32(_triangular(column, _uniform(words))) for column in (va, vb))
    near = int((np.abs(va - pa) + np.abs(vb - pb)).argmin())
    sums[near] += 1
    r = np.abs(va - va[near]) + np.abs(vb - vb[near])
    r[near] = np.inf
    if len(x) == 1:
        return
    if r.min() == 0:
        sums[r == 0] -= 1 / (r == 0).sum()
        return
    ratio = r.min() / r
    share = ((ratio * ratio) * (ratio * ratio)).astype(np.float64)
    sums -= 1 / _lanes_sum(share) * share


def _lanes_sum(values: np.ndarray) -> float:
    lanes = np.zeros(LANES)
    for first in range(0, len(values), LANES):
        part = values[first : first + LANES]
        lanes[: len(part)] += part
    for half in (4, 2, 1):
        lanes[:half] += lanes[half : 2 * half]
    return float(lanes[0])


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
