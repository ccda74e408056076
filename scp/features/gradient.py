"""Features without training: a pyramid of gradient orientations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import _core
from ..datasets import Dataset
from ..datasets.base import check_size
from ..values import whole
from .base import BaseExtractor, on_grid_of
from .pyramid import FeaturePyramid, aligned


class GradientExtractor(BaseExtractor):
    """Features without training: a pyramid of gradient orientations (csrc/include/scp/gradient.h).

        pyramid = scp.GradientExtractor(size=(384, 384)).pyramid(image)

    Args:
        size: (H, W) that images are resized to; multiples of 2^levels.
        levels: D.
        channels: C, a multiple of 16: 4 x 4 places times C / 16 directions.

    Attributes:
        grid_size: `size`, checked.
    """

    name = "gradient"

    def __init__(self, *, size: tuple[int, int] = (384, 384), levels: int = 5, channels: int = 64):
        self.size = size
        self.levels = levels
        self.channels = channels

    @property
    def grid_size(self) -> tuple[int, int]:
        """(H, W) that images are resized to."""
        levels, channels = whole(self.levels, "levels"), whole(self.channels, "channels")
        if not 1 <= levels <= 8:
            raise ValueError(f"levels must be 1 to 8, got {levels}")
        unit = 1 << levels
        size = check_size(self.size)
        if any(s % unit for s in size):
            raise ValueError(f"size must be two multiples of {unit} (2^levels), got {self.size}")
        if channels < 16 or channels % 16:
            raise ValueError(f"channels must be a multiple of 16, got {channels}")
        return size

    def check(self) -> GradientExtractor:
        """self; ValueError names an argument of the constructor that is wrong."""
        _ = self.grid_size
        return self

    def fit(
        self, images: Dataset | np.ndarray | Iterable[np.ndarray] | None = None, y: object = None
    ) -> GradientExtractor:
        """There is nothing to learn: the arguments of the constructor are checked."""
        return self.check()

    def resized(self, size: tuple[int, int]) -> GradientExtractor:
        """The same features for images of another size."""
        return GradientExtractor(size=size, levels=self.levels, channels=self.channels).check()

    def parameters(self) -> dict[str, Any]:
        """What the features depend on besides the image."""
        return {
            "features": self.name,
            "size": list(self.grid_size),
            "levels": self.levels,
            "channels": self.channels,
        }

    def pyramid(self, image: np.ndarray) -> FeaturePyramid:
        """The pyramid of one image, float32 [H][W] in [0, 1], of `grid_size`."""
        image = on_grid_of(self, image)
        features = aligned((1, self.cells, self.channels))
        norms = np.empty((1, self.cells), np.float32)
        _core.gradient_pyramid(features, norms, image[None], self.levels)
        return FeaturePyramid(features[0], norms[0], self.levels, *self.grid)

    def __sklearn_is_fitted__(self) -> bool:
        return True
