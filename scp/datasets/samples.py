"""Samples of pixels as grey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def filled(plane: np.ndarray, bits: int) -> np.ndarray:
    """Samples of so many bits in uint8, where the largest is 255, or in uint16, moved up."""
    if bits in (8, 16):
        return plane
    if bits < 8:
        return ((plane.astype(np.uint16) * 255 * 2 // ((1 << bits) - 1) + 1) // 2).astype(np.uint8)
    return plane.astype(np.uint16) << (16 - bits)


def luma(planes: Sequence[np.ndarray]) -> np.ndarray:
    """Red, green and blue as OpenCV makes them grey when it reads a file."""
    red, green, blue = (plane.astype(np.int32) for plane in planes)
    return ((4899 * red + 9617 * green + 1868 * blue + 8192) >> 14).astype(planes[0].dtype)
