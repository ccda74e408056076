"""Checks of what a user gives; each error names the argument."""

from __future__ import annotations

import numpy as np


def _matrix(values) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValueError(f"values must have 2 dimensions [N][Q], got {values.ndim}")
    if values.dtype.kind not in "fiub":
        raise TypeError(f"values must be numbers, got dtype {values.dtype}")
    return np.ascontiguousarray(values, np.float32)


def _vector(x, name: str, length: int) -> np.ndarray:
    x = np.ascontiguousarray(x, np.float64)
    if x.shape != (length,):
        raise ValueError(f"{name} must have shape ({length},), got {x.shape}")
    if not (np.isfinite(x) & (x >= 0)).all():
        raise ValueError(f"{name} must be finite and >= 0")
    return x


def _number(x, name: str) -> float:
    x = float(x)
    if not 0 <= x < np.inf:
        raise ValueError(f"{name} must be a finite number >= 0, got {x}")
    return x


def _whole(x, name: str, low: int, high: int | None) -> int:
    if isinstance(x, (bool, np.bool_)) or not isinstance(x, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {x!r}")
    if x < low or (high is not None and x > high):
        limit = f"at least {low}" if high is None else f"{low} to {high}"
        raise ValueError(f"{name} must be {limit}, got {x}")
    return int(x)
