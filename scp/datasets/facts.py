"""What is said of a data set in a line: sizes and spacing of its images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def sizes(shapes: Sequence[tuple[int, int]]) -> str:
    """ "480 x 400 pixels" (rows, columns), or from the smallest to the largest; "" of no images."""
    if not len(shapes):
        return ""
    rows, columns = ((min(side), max(side)) for side in zip(*shapes, strict=True))
    return f"{_range(rows, 'd')} x {_range(columns, 'd')} pixels"


def spacing(mm: np.ndarray | None) -> str:
    """ "0.1 mm per pixel", or a range and how many images have none; "" where none is known.

    mm: float64 [N][2], NaN where it is not known."""
    known = np.zeros((0, 2)) if mm is None else mm[np.isfinite(mm).all(axis=1)]
    if mm is None or not len(known):
        return ""
    without = len(mm) - len(known)
    more = f" ({without} without)" if without else ""
    return f"{_range((float(known.min()), float(known.max())), 'g')} mm per pixel{more}"


def _range(ends: tuple[float, float], form: str) -> str:
    low, high = (format(v, form) for v in ends)
    return low if low == high else f"{low} to {high}"
