"""Checks of what a user gives to a selection; each error names the argument."""

from __future__ import annotations

import numpy as np

from ..values import array, real


def _matrix(values, copy: bool = False) -> np.ndarray:
    return array(values, "values", np.float32, 2, copy=copy)


def _vector(x, name: str, length: int) -> np.ndarray:
    x = array(x, name, copy=True)
    if x.shape != (length,):
        raise ValueError(f"{name} must have shape ({length},), got {x.shape}")
    if not (np.isfinite(x) & (x >= 0)).all():
        raise ValueError(f"{name} must be finite and >= 0")
    return x


def _number(x, name: str) -> float:
    x = real(x, name)
    if not 0 <= x < np.inf:
        raise ValueError(f"{name} must be a finite number >= 0, got {x}")
    return x
