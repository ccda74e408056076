"""Features without training: a pyramid of gradient orientations."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from .pyramid import FeaturePyramid, Grids, aligned


class GradientExtractor(Grids):
    """Features without training: a pyramid of gradient orientations (csrc/include/scp/gradient.h).

    Args:
        size: (H, W) that images are resized to; multiples of 2^levels.
        levels: D.
        channels: C, a multiple of 16: 4 x 4 places times C / 16 directions.
    """

    name = "gradient"

    def __init__(self, size: tuple[int, int] = (384, 384), levels: int = 5, channels: int = 64):
        self.size = size
        self.levels = levels
        self.channels = channels
        unit = 1 << levels
        if not 1 <= levels <= 8:
            raise ValueError(f"levels must be 1 to 8, got {levels}")
        if len(size) != 2 or any(s < unit or s % unit for s in size):
            raise ValueError(f"size must be two multiples of {unit} (2^levels), got {size}")
        if channels < 16 or channels % 16:
            raise ValueError(f"channels must be a multiple of 16, got {channels}")

    def resized(self, size: tuple[int, int]) -> GradientExtractor:
        """The same features for images of another size."""
        return GradientExtractor(size, self.levels, self.channels)

    def parameters(self) -> dict[str, Any]:
        """What the features depend on besides the image."""
        return {
            "features": self.name,
            "size": list(self.size),
            "levels": self.levels,
            "channels": self.channels,
        }

    def pyramid(self, image: np.ndarray) -> FeaturePyramid:
        """The pyramid of one image, float32 [H][W] in [0, 1], of the extractor's size."""
        image = np.ascontiguousarray(image, np.float32)
        if image.shape != tuple(self.size):
            raise ValueError(f"image must have shape {tuple(self.size)}, got {image.shape}")
        features = aligned((1, self.cells, self.channels))
        norms = np.empty((1, self.cells), np.float32)
        _core.gradient_pyramid(features, norms, image[None], self.levels)
        return FeaturePyramid(features[0], norms[0], self.levels, *self.grid)
