"""The images of a pool as its key points were found in them: what workers are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..datasets import DatasetError
from ..runs.fingerprints import from_16_bits, of_image, to_16_bits
from ..runs.images import NAME as KNOWN

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..features import Extractor, FeaturePyramid


@dataclass(frozen=True)
class PoolImages:
    """Images on the grid, in 16 bits, and their features.

    Attributes:
        size: that they are resized to. digests: SHA-256 of each image, in 16 bits.
    """

    dataset: Dataset
    extractor: Extractor
    size: tuple[int, int]
    digests: list[str]

    def bits(self, i: int) -> np.ndarray:
        """Image i, uint16, decoded.

        Raises:
            DatasetError: the file's pixels are not those that its key points were found in.
        """
        bits = to_16_bits(self.dataset.grid(i, self.size))
        if of_image(bits) != self.digests[i]:
            raise DatasetError(
                f"{self.dataset.path(i)}: the image changed since its key points were found; "
                f"delete {KNOWN} in the run folder and start again"
            )
        return bits

    def pyramid(self, i: int, bits: np.ndarray | None = None) -> FeaturePyramid:
        """The features of image i. bits: of it, if they are there."""
        if getattr(self.extractor, "stored", False):
            return self.extractor.pyramid_of(self.dataset, i)
        return self.extractor.pyramid(from_16_bits(self.bits(i) if bits is None else bits))
