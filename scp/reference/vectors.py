"""Similarities of vectors, and how far they lie above floors (csrc/include/scp/vectors.h)."""

from __future__ import annotations

import numpy as np


def values(left, right, gamma) -> np.ndarray:
    """k of every pair, float64 [rows][columns]."""
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    if gamma == 0:
        return np.maximum(a @ b.T, 0)
    return np.exp(-gamma * np.square(a[:, None] - b[None]).sum(-1))


def excess(left, right, gamma, floors, weights) -> np.ndarray:
    """Sums over columns of weights * max(0, k - floor), float64 [sets][rows]."""
    above = values(left, right, gamma)[None] - np.asarray(floors, np.float64)[:, None]
    return np.maximum(above, 0) @ np.asarray(weights, np.float64)
