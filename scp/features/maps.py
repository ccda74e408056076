"""Maps of your own as feature pyramids: what stands where the built-in extractors stand."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..datasets import Dataset
from ..datasets.base import check_size
from ..distributed.paths import sent
from ..landmarks.names import Index
from ..values import array
from .base import BaseExtractor, on_grid_of
from .code import code_digest, is_code, load_function
from .pyramid import FeaturePyramid
from .stored import Stored, known_by, of_arrays, read_stored

MOST_LEVELS, MOST_CHANNELS, MOST_CELLS = 8, 4096, 1 << 22
SHORTEST = 1e-30  # a shorter vector has no direction


class MapExtractor(BaseExtractor):
    """Dense features of your own: a map [C][H][W] of an image, or several levels of it.

        dino = scp.features.MapExtractor(function, size=(518, 518))
        scp.Run(pool, "runs/mine", features=dino).select(5)

    A map covers the whole image: cell (y, x) of H x W cells is the same part of the picture, so its
    stride is (rows / H, columns / W) pixels. Levels differ in size by factors of 2; they may come
    in any order, and have any numbers of channels. The vector of a cell counts by its direction
    only: it is brought to unit length, and a zero vector is similar to nothing. The similarity of
    two places is the product over levels of the cosines there, 0 where one is negative.

    Args:
        maps: a function from an image, float32 [H][W] in [0, 1] of `size`, to its map or maps
            (arrays or tensors, [C][H][W] or [1][C][H][W]); or "FILE.py:NAME", such a function; or
            what was computed before: [N][C][H][W], or a sequence of these, a level each; a .npy or
            .npz file of them; a folder of ID.npy or ID.LEVEL.npy.
        size: (H, W) that images are resized to: what the function gets, and where key points are
            found.
        ids: image ids of the rows of arrays, or a file with one a line; None: those of the .npz;
            without any, the rows are the images of a run in their order.
        version: a word of yours about what the function reads (weights): features are computed
            anew where it, or the function's text, changed.

    Attributes:
        image_size: `size`, checked. grid_size: (H, W) of the grid of places: twice the finest map.
        levels, channels: D, and C of the widest level, filled up to a multiple of 16.
    """

    name = "maps"

    def __init__(
        self,
        maps: Callable[[np.ndarray], Any]
        | str
        | os.PathLike[str]
        | Sequence[ArrayLike]
        | ArrayLike,
        *,
        size: tuple[int, int] = (384, 384),
        ids: Sequence[str] | str | os.PathLike[str] | None = None,
        version: str = "",
    ):
        self.maps = maps
        self.size = size
        self.ids = ids
        self.version = version

    # ---- what the arguments come to ----

    def check(self) -> Self:
        """self; ValueError names an argument of the constructor that is wrong."""
        _ = self.image_size
        self._source()
        return self

    def fit(
        self, images: Dataset | np.ndarray | Iterable[np.ndarray] | None = None, y: object = None
    ) -> Self:
        """There is nothing to learn: the arguments of the constructor are checked."""
        return self.check()

    def __sklearn_is_fitted__(self) -> bool:
        return True

    @property
    def image_size(self) -> tuple[int, int]:
        return check_size(self.size)

    @property
    def grid_size(self) -> tuple[int, int]:
        height, width = self._shapes()[-1][1:]
        return 2 * height, 2 * width

    @property
    def levels(self) -> int:
        return len(self._shapes())

    @property
    def channels(self) -> int:
        return -(-max(shape[0] for shape in self._shapes()) // 16) * 16

    @property
    def unit(self) -> int:
        """What sides of the image are multiples of, where the coarsest map has whole strides."""
        (_, height, width), (rows, columns) = self._shapes()[0], self.image_size
        whole = rows % height == 0 and columns % width == 0 and rows // height == columns // width
        return rows // height if whole else 1

    def parameters(self) -> dict[str, Any]:
        """What the features depend on besides the image."""
        source = self._source()
        stored = isinstance(source, Stored)
        if not hasattr(self, "_facts"):  # a large file is read once for it
            self._facts = known_by(source) if stored else {"sha256": code_digest(*self._code)}
        return {
            "features": self.name,
            "source": source.source if stored else self._name(),
            "size": list(self.image_size),
            "grid": list(self.grid_size),
            "levels": self.levels,
            "channels": self.channels,
            **self._facts,
            **({"version": self.version} if self.version else {}),
        }

    def _name(self) -> str:
        return os.fspath(self.maps) if is_code(self.maps) else ""

    def _source(self) -> Stored | Callable[[np.ndarray], Any]:
        """What was stored, or the function."""
        if not hasattr(self, "_kept"):
            self._kept = self._open()
        return self._kept

    def _open(self) -> Stored | Callable[[np.ndarray], Any]:
        if callable(self.maps) or is_code(self.maps):
            if self.ids is not None:
                raise ValueError("ids: a function is given each image, so its maps need none")
            self._code = (self.maps, None) if callable(self.maps) else load_function(self._name())
            return self._code[0]
        if isinstance(self.maps, (str, os.PathLike)):
            stored = read_stored(self.maps, self.ids)
        else:
            levels = self.maps if isinstance(self.maps, (list, tuple)) else [self.maps]
            if not levels:
                raise ValueError("maps: at least one level is needed")
            if isinstance(self.ids, (str, os.PathLike)):
                raise TypeError("ids must be a sequence of image ids, got a file")
            stored = of_arrays(
                [array(m, f"maps[{k}]", None, copy=True) for k, m in enumerate(levels)], self.ids
            )
        if not stored.files and any(a.ndim != 4 or not len(a) for a in stored.arrays):
            shapes = ", ".join(str(list(a.shape)) for a in stored.arrays)
            where = stored.source or "maps"
            raise ValueError(f"{where}: maps must be [N][C][H][W], one level each, got {shapes}")
        return stored

    def _shapes(self) -> list[tuple[int, int, int]]:
        """(C, H, W) of the levels, coarsest first."""
        if not hasattr(self, "_levels"):
            source = self._source()
            if isinstance(source, Stored):
                maps, where = source.of(0), source.source or "maps"
            else:
                rows, columns = self.image_size
                ramp = np.linspace(0, 1, rows * columns, dtype=np.float32).reshape(rows, columns)
                maps, where = self._called(ramp, "an image"), "features of an image"
            self._levels = [m.shape for m in _sorted(maps, where)]
        return self._levels

    # ---- pyramids ----

    def of_images(self, dataset: Dataset) -> Self:
        """The same features, after a check that there are some of every image of a data set, of one
        size; rows without ids are its images in their order.

        Raises:
            ValueError: names the image.
        """
        source = self._source()
        if not isinstance(source, Stored):
            return self
        other = copy.copy(self)
        other._kept = source.bound(dataset.ids)
        for name in ("_index", "_levels", "_facts"):
            other.__dict__.pop(name, None)
        if other._kept.files:
            for name in dataset.ids:
                other._check_shapes(other._maps_of(name), name)
        return other

    def resized(self, size: tuple[int, int]) -> Self:
        """The same function for images of another size."""
        if isinstance(self._source(), Stored):
            raise ValueError(
                "views: features from files are of one size, so they have one view, not turned"
            )
        other = copy.copy(self)
        other.size = size
        other.__dict__.pop("_levels", None)
        return other

    def pyramid(self, image: np.ndarray) -> FeaturePyramid:
        """The pyramid of one image, float32 [H][W] in [0, 1], of `image_size`; of a function."""
        if isinstance(self._source(), Stored):
            raise ValueError("maps: stored by image, not by pixels; use pyramid_of(dataset, i)")
        image = on_grid_of(self, image)
        return self._pyramid(self._called(image, "an image"), "an image")

    @property
    def stored(self) -> bool:
        """Whether features are looked up by id, without pixels."""
        return isinstance(self._source(), Stored)

    def pyramid_of(self, images: Dataset, i: int) -> FeaturePyramid:
        """The pyramid of image i of a data set."""
        name = images.ids[i]
        if not self.stored:
            image = on_grid_of(self, images.grid(i, self.image_size))
            return self._pyramid(self._called(image, repr(name)), repr(name))
        return self._pyramid(self._maps_of(name), repr(name))

    def _maps_of(self, name: str) -> list[np.ndarray]:
        source = self._source()
        if source.ids is None or not hasattr(self, "_index"):
            source.rows([name])  # says what is missing
            self._index = Index(source.ids)
        row = self._index.place(name)
        if row < 0:
            raise ValueError(f"{source.source or 'maps'}: no features of image {name!r}")
        return source.of(row)

    def _called(self, image: np.ndarray, name: str) -> list[np.ndarray]:
        """What the function gives for an image, as arrays."""
        try:
            found = self._source()(image.copy())
        except Exception as error:  # whatever people's code raises
            raise RuntimeError(
                f"features: {self._name() or 'the function'} fails for {name}: "
                f"{type(error).__name__}: {error}"
            ) from error
        several = found if isinstance(found, (list, tuple)) else [found]
        maps = [array(m, f"features of {name}, map {k}", None) for k, m in enumerate(several)]
        return [m[0] if m.ndim == 4 and len(m) == 1 else m for m in maps]

    def _check_shapes(self, maps: list[np.ndarray], name: str) -> list[np.ndarray]:
        levels = _sorted(maps, f"features of {name}")
        shapes = [level.shape for level in levels]
        if shapes != self._shapes():
            raise ValueError(
                f"features of {name}: [C][H][W] must be {_said(self._shapes())} as for the others, "
                f"got {_said(shapes)}"
            )
        return levels

    def _pyramid(self, maps: list[np.ndarray], name: str) -> FeaturePyramid:
        levels = self._check_shapes(maps, name)
        widest = max(shape[0] for shape in self._shapes())
        filled = []
        for level in levels:
            values = array(level, f"features of {name}", np.float32)
            _check_finite(values, name)
            filled.append(np.pad(values, ((0, widest - len(values)), (0, 0), (0, 0))))
        pyramid = FeaturePyramid.from_levels(filled, layout="chw")
        there = (pyramid.norms > SHORTEST).astype(np.float32)
        pyramid.features[there == 0] = 0
        return replace(pyramid, norms=there)

    def transform(
        self,
        images: Dataset | np.ndarray | Iterable[np.ndarray],
        *,
        max_memory: int | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> Any:
        """The pyramids of images: see `scp.features.BaseExtractor.transform`. Features from files
        need a data set."""
        if isinstance(self._source(), Stored) and not isinstance(images, Dataset):
            raise TypeError("images must be a data set: features from files go by its ids")
        return super().transform(images, max_memory=max_memory, folder=folder)

    def __getstate__(self) -> dict[str, Any]:
        """The arguments; what was opened is opened again. Other processes get whole paths."""
        state = dict(vars(self))
        if isinstance(self.maps, (str, os.PathLike)):
            state["maps"] = sent(self.maps)
        if is_code(self.maps):
            for name in ("_kept", "_code"):
                state.pop(name, None)
        return state


def _said(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)


def _sorted(maps: Sequence[np.ndarray], where: str) -> list[np.ndarray]:
    """Levels, coarsest first, each twice as large as the one before."""
    if not 1 <= len(maps) <= MOST_LEVELS:
        raise ValueError(f"{where}: 1 to {MOST_LEVELS} maps are needed, got {len(maps)}")
    for level in maps:
        if level.ndim != 3 or level.size == 0 or level.dtype.kind not in "fiu":
            more = " (tokens [H * W][C]: reshape them and put the channels first)"
            raise ValueError(
                f"{where}: a map must be numbers [C][H][W], got {level.dtype} "
                f"{list(level.shape)}{more if level.ndim == 2 else ''}"
            )
    levels = sorted(maps, key=lambda level: level.shape[1])
    _, height, width = levels[0].shape
    for d, level in enumerate(levels):
        if level.shape[1:] != (height << d, width << d):
            raise ValueError(
                f"{where}: each level [C][H][W] must have twice the rows and columns of the one "
                f"before, got {_said([m.shape for m in levels])}; leave out some, or resize them"
            )
    cells, channels = levels[-1].shape[1] * levels[-1].shape[2], max(len(m) for m in levels)
    if cells > MOST_CELLS or channels > MOST_CHANNELS:
        raise ValueError(
            f"{where}: at most {MOST_CHANNELS} channels and {MOST_CELLS:,} cells, got "
            f"{_said([m.shape for m in levels])}"
        )
    return levels


def _check_finite(level: np.ndarray, name: str) -> None:
    wrong = ~np.isfinite(level)
    if wrong.any():
        c, y, x = (int(v) for v in np.argwhere(wrong)[0])
        raise ValueError(
            f"features of {name}: {level[c, y, x]} at channel {c}, cell ({y}, {x}) of a map of "
            f"{level.shape[1]} x {level.shape[2]} ({int(wrong.sum())} such numbers)"
        )
