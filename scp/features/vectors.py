"""One vector per image: features of whole images, which say how similar two of them are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..datasets import Dataset
from ..values import array
from .stored import Stored, known_by, of_arrays, read_stored

MOST_DIMENSIONS = 1 << 17


class ImageVectors:
    """Features of whole images, computed elsewhere: a vector per image.

        scp.Run(pool, "runs/mine", features=scp.features.ImageVectors("vectors.npz")).select(5)

    The similarity of two images is the cosine of their vectors, 0 where that is negative. Lengths
    do not count, and no mean is taken off. There are no key points and no places: images can be
    chosen by such features, landmarks cannot be found.

    Args:
        vectors: [N][d], or a file: .npy; .npz with `vectors` and `ids`; .csv, .safetensors.
        ids: image ids of the rows, or a file with one a line; None: those of the .npz; without any,
            the rows are the images in their order.
    """

    name = "vectors"
    hardly_trained = ""

    def __init__(
        self,
        vectors: ArrayLike | str | os.PathLike[str],
        *,
        ids: Sequence[str] | str | os.PathLike[str] | None = None,
    ):
        if isinstance(vectors, (str, os.PathLike)):
            stored = read_stored(vectors, ids)
        else:
            given = array(vectors, "vectors", None, copy=True)
            if given.ndim != 2:
                raise ValueError(f"vectors must be [N][d], got {list(given.shape)}")
            if isinstance(ids, (str, os.PathLike)):
                raise TypeError("ids must be a sequence of image ids, got a file")
            stored = of_arrays([given], ids)
        self._take(stored)

    @classmethod
    def of(cls, stored: Stored) -> ImageVectors:
        """Those of a file that was read."""
        self = cls.__new__(cls)
        self._take(stored)
        return self

    def _take(self, stored: Stored) -> None:
        where = stored.source or "vectors"
        if len(stored.arrays) != 1 or stored.arrays[0].ndim != 2:
            raise ValueError(f"{where}: one array [N][d] is needed, with a vector per image")
        if not 1 <= stored.arrays[0].shape[1] <= MOST_DIMENSIONS:
            d = stored.arrays[0].shape[1]
            raise ValueError(f"{where}: vectors of 1 to {MOST_DIMENSIONS:,} numbers, not {d:,}")
        self.stored = stored

    def __repr__(self) -> str:
        n, d = self.stored.arrays[0].shape
        return f"<ImageVectors: {n} images, {d} numbers each>"

    @property
    def dimensions(self) -> int:
        """d."""
        return int(self.stored.arrays[0].shape[1])

    def parameters(self) -> dict[str, Any]:
        """What the similarity depends on besides the images."""
        return {
            "features": self.name,
            "source": self.stored.source,
            "dimensions": self.dimensions,
            **known_by(self.stored),
        }

    def of_images(self, dataset: Dataset) -> ImageVectors:
        """The same for the images of a data set.

        Raises:
            ValueError: an image has no vector, or one without a direction; names the image.
        """
        other = ImageVectors.of(self.stored.bound(dataset.ids))
        other.unit(dataset)
        return other

    def unit(self, dataset: Dataset) -> np.ndarray:
        """Vectors of unit length of the images of a data set, float32 [N][d]."""
        stored = self.stored if self.stored.ids is not None else self.stored.bound(dataset.ids)
        where, vectors = stored.source or "vectors", stored.arrays[0]
        out = np.empty((len(dataset), self.dimensions), np.float32)
        for i, row in enumerate(stored.rows(dataset.ids)):
            vector = np.asarray(vectors[row], np.float64)
            if not np.isfinite(vector).all():
                raise ValueError(f"{where}: the vector of {dataset.ids[i]!r} is not finite")
            largest = np.abs(vector).max()
            if not largest > 0:
                raise ValueError(f"{where}: the vector of {dataset.ids[i]!r} is zero: no direction")
            vector = vector / largest  # before squares that overflow
            out[i] = vector / np.linalg.norm(vector)
        return out
