"""Checks of the numbers of a layer; each error names the argument."""

from __future__ import annotations

import numpy as np


def positive(name: str, value) -> int:
    if value != int(value) or not 1 <= value < 1 << 31:
        raise ValueError(f"{name} must be a whole number above 0, got {value}")
    return int(value)


def above(name: str, value) -> float:
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be above 0, got {value}")
    return float(value)


def pair(name: str, value) -> tuple[int, int]:
    if isinstance(value, (int, np.integer)):
        return int(value), int(value)
    if len(value) != 2 or any(v != int(v) for v in value):
        raise ValueError(f"{name} must be a whole number or a pair (y, x), got {value!r}")
    return int(value[0]), int(value[1])
