"""Random sets of templates and what their values come to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .. import _core


def random_subsets(n: int, m: int, draws: int = 1000, random_state: int = 0) -> np.ndarray:
    """Sets of m of the numbers 0 .. n-1.

    All sets in lexicographic order for M = 1 or if there are at most `draws`, else `draws` random
    ones: draw i is the start of a Fisher-Yates shuffle with the words of stream i
    of `random_state` (m in its upper half), each set alike, the same set possibly twice.

    Returns:
        int64 [draws][m], ascending within a set.
    """
    if not 1 <= m <= n:
        raise ValueError(f"M = {m}: there are {n} images to choose from")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    if m == 1 or math.comb(n, m) <= draws:
        return np.array(list(combinations(range(n), m)), np.int64)
    out = np.empty((draws, m), np.int64)
    for i in range(draws):
        words = _core.random_words(random_state, (m << 32) + i, m)
        cards = np.arange(n)
        for k, word in enumerate(words.tolist()):
            other = k + (word * (n - k) >> 32)
            cards[k], cards[other] = cards[other], cards[k]
        out[i] = np.sort(cards[:m])
    return out


@dataclass(frozen=True)
class Spread:
    """Values of several sets.

    mean, sd: sd is that of the population (ddof 0). low, high: the smallest and largest value;
    first_low, first_high: where they first stand. values: float64 [sets].
    """

    mean: float
    sd: float
    low: float
    high: float
    first_low: int
    first_high: int
    values: np.ndarray

    def share_below(self, value: float) -> float:
        """Percent of the sets strictly below a value."""
        return float(100 * np.mean(self.values < value))


def spread(values: Sequence[float]) -> Spread:
    """Of finite values, at least one."""
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError("values must be [sets], at least one, all finite")
    low, high = int(values.argmin()), int(values.argmax())
    return Spread(
        float(values.mean()),
        float(values.std()),
        float(values[low]),
        float(values[high]),
        low,
        high,
        values,
    )


def shares(values: Sequence[float], edges: Sequence[float]) -> np.ndarray:
    """Part of the values in each bin (edges[i], edges[i + 1]], float64 [len(edges) - 1].

    As in the released code the first bin holds everything up to its upper edge and the last
    everything above its lower one, so the parts sum to 1.
    """
    values, edges = np.asarray(values, np.float64), np.asarray(edges, np.float64)
    upper = np.concatenate([edges[1:-1], [np.inf]])
    below = np.array([(values <= edge).sum() for edge in upper])
    return np.diff(np.concatenate([[0], below])) / len(values)
