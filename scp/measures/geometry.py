"""Angles and lengths of points in a plane whose y axis runs downwards, as that of an image does.

Points are float64 [...][2], (x, y). An absent point (NaN), and a direction between two points that
coincide, give NaN. Turning from the x axis to the y axis is clockwise to the eye.
"""

from __future__ import annotations

import numpy as np


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a| |b| sin of the angle from a to b, positive where it is clockwise to the eye."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1]


def turn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees from direction a to direction b, clockwise, above -180 to 180."""
    there = (dot(a, a) > 0) & (dot(b, b) > 0)
    return np.where(there, np.degrees(np.arctan2(cross(a, b), dot(a, b))), np.nan)


def length(a: np.ndarray) -> np.ndarray:
    return np.hypot(a[..., 0], a[..., 1])


def along(a: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """How far `a` goes in a direction."""
    return _over(dot(a, direction), length(direction))


def aside(a: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """How far `a` goes to the right hand of somebody who looks in a direction."""
    return _over(cross(direction, a), length(direction))


def _over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(b > 0, a / np.where(b > 0, b, 1), np.nan)


def handedness(xyz: np.ndarray) -> np.ndarray:
    """Of three points [...][3][2]: 1 where they run clockwise to the eye, -1 where the other way,
    NaN where they lie in a line or one is absent."""
    area = cross(xyz[..., 1, :] - xyz[..., 0, :], xyz[..., 2, :] - xyz[..., 0, :])
    return np.where(area == 0, np.nan, np.sign(area))
