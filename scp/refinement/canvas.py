"""Images on a canvas: scaled alike in both axes until they fit, in the middle, zeros around."""

from __future__ import annotations

import numpy as np

from ..datasets import Dataset


def _within(shape: tuple[int, int], size: tuple[int, int]) -> tuple[tuple[int, int], np.ndarray]:
    """(height, width) of the image on the canvas, and its corner (x, y)."""
    scale = min(size[0] / shape[0], size[1] / shape[1])
    height, width = (max(round(side * scale), 1) for side in shape)
    return (height, width), np.array([(size[1] - width) // 2, (size[0] - height) // 2])


def on_canvas(images: Dataset, i: int, size: tuple[int, int]) -> np.ndarray:
    """Image i, float32 [H][W] in 0..1."""
    inner, (x, y) = _within(images.shape(i), size)
    out = np.zeros(size, np.float32)
    out[y : y + inner[0], x : x + inner[1]] = images.grid(i, inner)
    return out


def to_canvas(xy: np.ndarray, shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Points of an image of that shape as points of the canvas."""
    inner, corner = _within(shape, size)
    return (xy + 0.5) * np.array([inner[1] / shape[1], inner[0] / shape[0]]) - 0.5 + corner


def from_canvas(xy: np.ndarray, shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """The inverse of `to_canvas`."""
    inner, corner = _within(shape, size)
    return (xy - corner + 0.5) * np.array([shape[1] / inner[1], shape[0] / inner[0]]) - 0.5


def peaks(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where heat maps [H][W][L] are highest: xy [L][2], the top of the parabola through the highest
    pixel and its neighbours along each axis; and the highest values [L]."""
    height, width, landmarks = maps.shape
    place = maps.reshape(-1, landmarks).argmax(0)
    at = np.stack([place % width, place // width], 1)
    xy, l = at.astype(np.float64), np.arange(landmarks)
    top = maps[at[:, 1], at[:, 0], l].astype(np.float64)
    for axis, limit in ((0, width), (1, height)):
        inside = (at[:, axis] > 0) & (at[:, axis] < limit - 1)
        sides = []
        for step in (-1, 1):
            near = at.copy()
            near[inside, axis] += step
            sides.append(maps[near[:, 1], near[:, 0], l].astype(np.float64))
        low, high = sides
        curve = 2 * top - low - high
        bent = inside & (curve > 0)
        xy[bent, axis] += (high - low)[bent] / (2 * curve[bent])
    return xy, top
