"""The size to which the images of a pool are resized, where nobody says."""

from __future__ import annotations

import numpy as np

from ..datasets import Dataset

SAMPLE = 200  # images that are looked at, at most
LEAST = 128  # pixels of a side, at least
SQUARE = 1.6  # sides: images up to so much longer than wide, or wider than long, become squares
ALIKE = 1.5  # sides: the shapes of a pool vary less, or its images become squares


def usual_size(
    images: Dataset, largest: tuple[int, int] = (384, 384), unit: int = 32
) -> tuple[int, int]:
    """(H, W) for the images of a pool: about as many pixels as they have, and as `largest` has at
    most.

    Images become squares, as in the paper, unless most are much longer than wide, or wider than
    long: then the size has the shape of the median image.

    Args:
        images: at least one; up to 200 of them are looked at, evenly.
        unit: sides are multiples of it, 2^levels, and 128 pixels at least.
    """
    if len(images) == 0:
        raise ValueError("images: the data set is empty")
    count = min(SAMPLE, len(images))
    rows = (i * len(images) // count for i in range(count))
    sides = np.array([images.shape(i) for i in rows], np.float64)
    pixels = min(float(np.median(sides.prod(axis=1))), float(np.prod(largest)))
    ratio = np.log(sides[:, 0] / sides[:, 1])
    middle, (low, high) = np.median(ratio), np.quantile(ratio, [0.1, 0.9])
    if abs(middle) <= np.log(SQUARE) or high - low > np.log(ALIKE):
        middle = 0.0
    wanted = np.sqrt(pixels) * np.exp([middle / 2, -middle / 2])
    least = -(-LEAST // unit) * unit
    height, width = (max(round(float(side) / unit) * unit, least) for side in wanted)
    while height * width > np.prod(largest) and max(height, width) > least:
        height, width = (height - unit, width) if height >= width else (height, width - unit)
    return height, width
