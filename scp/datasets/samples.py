"""Samples of pixels as grey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .header import HeaderError


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


def scaled(image: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """uint16 [H][W] of numbers of any kind: scale[0] and below is 0, scale[1] and above 65535.

    Raises:
        HeaderError: a pixel is NaN or infinite.
    """
    low, high = scale
    out = np.empty(image.shape, np.uint16)
    for k in range(0, len(image), 256):  # in double precision, a part at a time
        with np.errstate(invalid="ignore"):  # NaN
            rows = image[k : k + 256].astype(np.float64)
        if not np.isfinite(rows).all():
            y, x = np.argwhere(~np.isfinite(rows))[0]
            kind = "NaN" if np.isnan(rows[y, x]) else "infinite"
            raise HeaderError(f"the pixel in row {k + y}, column {x}, is {kind}")
        out[k : k + 256] = np.rint(np.clip((rows - low) / (high - low), 0, 1) * 65535)
    return out


def known_scale(scale) -> tuple[float, float] | None:
    """(low, high) as floats, or None; ValueError otherwise."""
    if scale is None:
        return None
    try:
        low, high = (float(v) for v in scale)
    except (TypeError, ValueError):
        raise ValueError(f"scale must be (low, high), got {scale!r}") from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"scale must be (low, high) with low below high, got {scale!r}")
    return low, high
