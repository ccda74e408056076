"""What all feature extractors have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from ..datasets import Dataset
from ..datasets.base import resize
from ..datasets.levels import whites
from ..estimator import Estimator
from ..values import array
from .pyramid import FeaturePyramid, cell_offsets
from .store import PyramidStore


class BaseExtractor(Estimator):
    """Base class of extractors: sizes, and pyramids of many images.

    A subclass has `name`, `grid_size`, `levels`, `channels`, `parameters`, `pyramid`, `resized`,
    `fit`, and `check` for its constructor's arguments.

    Attributes:
        grid_size: (H, W) of the grid of places, which most also resize images to.
        image_size: (H, W) that images are resized to, and key points are found in. unit: what its
            sides are multiples of.
        levels: D. channels: C, of a vector. stored: features are looked up by the ids of images.
    """

    name: str
    stored = False
    grid_size: tuple[int, int]
    levels: int
    channels: int

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of level 0 in cells."""
        height, width = self.grid_size
        return height >> self.levels, width >> self.levels

    @property
    def image_size(self) -> tuple[int, int]:
        """(H, W) that images are resized to."""
        return self.grid_size

    @property
    def unit(self) -> int:
        """What sides of images are multiples of."""
        return 1 << self.levels

    @property
    def cells(self) -> int:
        """Cells of all levels."""
        return int(cell_offsets(self.levels, *self.grid)[-1])

    def pyramid_bytes(self) -> int:
        """Memory of one pyramid."""
        return self.cells * (self.channels + 1) * 4

    @property
    def hardly_trained(self) -> str:
        """A sentence about features that were trained for a few steps only; "" for others."""
        return ""

    def check(self) -> Self:
        """self; ValueError names an argument of the constructor that is wrong."""
        raise NotImplementedError

    def fit(self, images: Dataset | np.ndarray | Iterable[np.ndarray], y: object = None) -> Self:
        """Learn the features."""
        raise NotImplementedError

    def parameters(self) -> dict[str, Any]:
        """What the features depend on besides the image."""
        raise NotImplementedError

    def resized(self, size: tuple[int, int]) -> Self:
        """The same features for images of another size."""
        raise NotImplementedError

    def pyramid(self, image: np.ndarray) -> FeaturePyramid:
        """The pyramid of one image, float32 [H][W] in [0, 1], of `image_size`."""
        raise NotImplementedError

    def of_images(self, dataset: Dataset) -> Self:
        """The features for the images of a data set; ValueError names one that has none."""
        return self

    def pyramid_of(self, images: Dataset, i: int) -> FeaturePyramid:
        """The pyramid of image i of a data set."""
        return self.pyramid(images.grid(i, self.image_size))

    def transform(
        self,
        images: Dataset | np.ndarray | Iterable[np.ndarray],
        *,
        max_memory: int | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> PyramidStore:
        """The pyramids of images: a sequence of FeaturePyramid.

        Args:
            images: a data set; or an array [N][H][W] or several [H][W], uint8, uint16 (white is
                what they show together), or floating point in 0..1, which are resized where needed.
            max_memory: bytes to hold, 2 GiB if None; the others go to a nameless file in `folder`.
        """
        if self.stored:
            pyramids = (self.pyramid_of(images, i) for i in range(len(images)))
            return PyramidStore(pyramids, max_memory, folder)
        return PyramidStore((self.pyramid(g) for g in self._grids(images)), max_memory, folder)

    def fit_transform(
        self,
        images: Dataset | np.ndarray | Iterable[np.ndarray],
        y: object = None,
        **options: Any,
    ) -> PyramidStore:
        """`fit` with these options, then `transform`."""
        return self.fit(images, **options).transform(images)

    def _grids(self, images) -> Iterator[np.ndarray]:
        """The images as float32 [H][W] of the extractor's size."""
        size = self.image_size
        if isinstance(images, Dataset):
            for i in range(len(images)):
                yield images.grid(i, size)
            return
        if isinstance(images, (str, bytes, os.PathLike)) or not np.iterable(images):
            raise TypeError(
                f"images must be a data set (scp.datasets.folder(path)) or arrays, got {images!r}"
            )
        if isinstance(images, np.ndarray) and images.ndim != 3:
            raise ValueError(f"images must be [N][H][W], got shape {list(images.shape)}")
        checked = [_checked(image, f"images[{i}]") for i, image in enumerate(images)]
        if not checked:
            raise ValueError("images: at least one is needed")
        for image, white in zip(checked, whites(checked), strict=True):
            yield resize(image, size, white)


def check_extractor(value: object, name: str) -> None:
    """TypeError unless `value` is an object that gives pyramids."""
    if getattr(value, "name", "") == "vectors":
        raise TypeError(
            f"{name}: vectors of whole images say nothing of places in them; give trained or "
            "gradient features, or maps of your own"
        )
    if isinstance(value, type) or not hasattr(type(value), "pyramid"):
        raise TypeError(
            f"{name} must be a trained FeatureExtractor or a GradientExtractor, got {value!r}"
        )


def on_grid_of(extractor: BaseExtractor, image) -> np.ndarray:
    """An image that has the extractor's size already, float32 in 0..1."""
    size = extractor.image_size
    image = array(image, "image", np.float32)
    if image.shape != size:
        raise ValueError(f"image must have shape {size}, got {image.shape}")
    if not (image.min() >= 0 and image.max() <= 1):  # NaN fails too
        raise ValueError("image must be finite and lie in 0..1; Dataset.grid gives such images")
    return image


def _checked(image, name: str) -> np.ndarray:
    image = array(image, name, None)
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"{name} must be [rows][columns] and not empty, got {list(image.shape)}")
    if image.dtype.kind == "f":
        image = image.astype(np.float32, copy=False)
        if not ((image >= 0) & (image <= 1)).all():
            raise ValueError(f"{name} must lie in 0..1 where it is floating point")
    elif image.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"{name} must be uint8, uint16 or floating point, got {image.dtype}")
    return image
