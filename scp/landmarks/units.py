"""Coordinates that are no pixels: fractions or percent of the size of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DatasetError
from .table import Landmarks

# The width and height of an image in the unit; None: pixels, as many as it has.
UNITS: dict[str, float | None] = {"pixels": None, "fraction": 1.0, "percent": 100.0}
LARGE = 16  # pixels of a side: points of an image so large do not all lie in its first pixel
SOME = 3  # points that are enough to say so


def check_units(units: str | None) -> None:
    if units is not None and units not in UNITS:
        raise ValueError(f"units must be one of {', '.join(UNITS)}; got {units!r}")


def to_pixels(landmarks: Landmarks, units: str, shapes: Sequence[tuple[int, int]]) -> np.ndarray:
    """The points, float64 [N][L][2], in pixels from where `units` are counted from.

    shapes: (H, W) of each image. units: "fraction" or "percent".
    """
    whole = UNITS[units]
    assert whole is not None
    sizes = np.array(shapes, float).reshape(-1, 1, 2)[..., ::-1]
    return landmarks.xy / whole * sizes


def check_not_fractions(
    landmarks: Landmarks, shapes: Sequence[tuple[int, int]], path: object
) -> None:
    """DatasetError where all points of large images lie between 0 and 1: fractions, most likely."""
    points = landmarks.xy[landmarks.present]
    if len(points) < SOME or min(map(min, shapes), default=0) < LARGE:
        return
    if points.min() >= 0 and points.max() <= 1 and (points % 1 > 0).any():
        height, width = shapes[0]
        raise DatasetError(
            f"{path}: all coordinates lie between 0 and 1, in images like that of {width} x "
            f"{height} pixels: units='fraction' (--units fraction) says that they are parts of the "
            "width and height, units='pixels' that they are pixels"
        )
