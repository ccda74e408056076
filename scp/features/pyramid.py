"""Dense feature pyramids: what two places of two images are compared by.

A pyramid has D levels with strides 2^D .. 2 pixels, coarsest first. Every cell of every level holds
one vector of C channels, unit length, with the norm it had before kept beside it. All extractors
give this type, so what follows does not know where features come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..values import Result, array

LAYOUTS = ("hwc", "chw")


def cell_offsets(levels: int, height: int, width: int) -> np.ndarray:
    """First cell of each level, and their number: int64 [D+1]; level 0 is height x width cells."""
    return np.concatenate([[0], np.cumsum([height * width << 2 * d for d in range(levels)])])


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An uninitialised float32 array that begins at a cache line: vectors of 16 channels then lie
    in as few lines as they can, and the search is 5 % faster."""
    size = 4 * int(np.prod(shape, dtype=np.int64))
    room = np.empty(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size].view(np.float32).reshape(shape)


@dataclass(frozen=True, eq=False, repr=False)
class FeaturePyramid(Result):
    """Features of one image.

    Attributes:
        features: float32 [cells of all levels][C], unit vectors (zero where the norm is 0); level
            after level, coarsest first, each row-major.
        norms: float32 [cells of all levels], lengths before normalisation.
        levels: D. height, width: the grid of level 0, in cells.
    """

    features: np.ndarray
    norms: np.ndarray
    levels: int
    height: int
    width: int

    @classmethod
    def from_levels(cls, maps: Sequence[ArrayLike], *, layout: str | None = None) -> FeaturePyramid:
        """A pyramid from raw maps, coarsest first, each twice as large as the last.

        Vectors are normalised here; channels are filled up with zeros to a multiple of 16, which
        changes no similarity.

        Args:
            maps: [H_d][W_d][C] each.
            layout: "hwc", or "chw" for maps [C][H_d][W_d], as PyTorch has them. None: "hwc", where
                nothing speaks against it; it must be said for tensors of PyTorch, and for a single
                map that looks like the other.
        """
        levels = _maps(maps, layout)
        height, width, channels = levels[0].shape
        padded = -(-channels // 16) * 16
        rows, norms = [], []
        for level in levels:
            flat = np.zeros((level.shape[0] * level.shape[1], padded), np.float32)
            flat[:, :channels] = level.reshape(-1, channels)
            norm = np.sqrt(np.einsum("nc,nc->n", flat, flat, dtype=np.float64))
            flat /= np.maximum(norm, 1e-30)[:, None].astype(np.float32)
            rows.append(flat)
            norms.append(norm.astype(np.float32))
        features = aligned((sum(map(len, rows)), padded))
        return cls(
            np.concatenate(rows, out=features), np.concatenate(norms), len(levels), height, width
        )

    def __repr__(self) -> str:
        cells, channels = self.features.shape
        return (
            f"<FeaturePyramid: {self.levels} levels, the first {self.height} x {self.width}; "
            f"{cells} cells of {channels} channels>"
        )

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the image the pyramid describes."""
        return self.height << self.levels, self.width << self.levels

    def level(self, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Features [H_d][W_d][C] and norms [H_d][W_d] of one level (views)."""
        if not 0 <= d < self.levels:
            raise ValueError(f"d must be 0 to {self.levels - 1}, got {d}")
        first, last = cell_offsets(self.levels, self.height, self.width)[d : d + 2]
        shape = self.height << d, self.width << d
        return (
            self.features[first:last].reshape(*shape, -1),
            self.norms[first:last].reshape(shape),
        )

    def at(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The query vectors of points, float32 [K][D][C], and their norms [K][D].

        xy: points [K][2] in pixels of the described image. A point takes the vector of the cell
        that holds its nearest pixel, without interpolation (the paper's code does the same).
        """
        height, width = self.size
        xy = array(xy, "xy", None, 2)
        if not np.isfinite(xy).all():
            raise ValueError("xy must be finite")
        x = np.clip(np.floor(xy[:, 0] + 0.5).astype(np.int64), 0, width - 1)
        y = np.clip(np.floor(xy[:, 1] + 0.5).astype(np.int64), 0, height - 1)
        offsets = cell_offsets(self.levels, self.height, self.width)
        shifts = self.levels - np.arange(self.levels)
        columns = self.width << np.arange(self.levels)
        cells = offsets[:-1] + (y[:, None] >> shifts) * columns + (x[:, None] >> shifts)
        return self.features[cells], self.norms[cells]

    def between(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `at`, with the vectors interpolated: each level bilinearly between the centres of its
        cells, lengths included, borders replicated. xy: points [K][2], not rounded."""
        xy = array(xy, "xy", ndim=2)
        rows, lengths = [], []
        for d in range(self.levels):
            features, norms = self.level(d)
            stride = 1 << (self.levels - d)
            last = np.array([features.shape[1] - 1, features.shape[0] - 1])
            place = np.clip((xy + 0.5) / stride - 0.5, 0, last)
            low = np.minimum(place.astype(np.int64), np.maximum(last - 1, 0))
            high = np.minimum(low + 1, last)
            u, v = (place - low).T
            vector = np.zeros((len(xy), features.shape[2]))
            for x, y, weight in (
                (low[:, 0], low[:, 1], (1 - u) * (1 - v)),
                (high[:, 0], low[:, 1], u * (1 - v)),
                (low[:, 0], high[:, 1], (1 - u) * v),
                (high[:, 0], high[:, 1], u * v),
            ):
                vector += features[y, x] * (weight * norms[y, x])[:, None]
            norm = np.sqrt((vector**2).sum(axis=1))
            rows.append(vector / np.maximum(norm, 1e-30)[:, None])
            lengths.append(norm)
        return np.stack(rows, axis=1).astype(np.float32), np.stack(lengths, axis=1).astype(
            np.float32
        )


def _maps(maps: Sequence[ArrayLike], layout: str | None) -> list[np.ndarray]:
    """The maps of all levels, float32 [H_d][W_d][C]."""
    if layout not in (None, *LAYOUTS):
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, got {layout!r}")
    if isinstance(maps, Mapping) or not np.iterable(maps):
        raise TypeError(f"maps must be a sequence of arrays, coarsest first, got {maps!r}")
    levels = [array(m, f"maps[{d}]", np.float32, 3) for d, m in enumerate(maps)]
    if not levels:
        raise ValueError("maps must hold at least one level")
    if layout is None:
        tensors = any(type(m).__module__.partition(".")[0] == "torch" for m in maps)
        if tensors or _channels_first(levels):
            raise ValueError(
                f"layout: maps[0] of shape {levels[0].shape} may be [C][H][W]; say layout='chw' if "
                "it is, layout='hwc' if it is [H][W][C]"
            )
    if layout == "chw":
        levels = [np.moveaxis(level, 0, 2) for level in levels]
    height, width, channels = levels[0].shape
    for d, level in enumerate(levels):
        if level.shape != (height << d, width << d, channels):
            raise ValueError(
                f"maps[{d}] must have shape {(height << d, width << d, channels)} ([H][W][C], each "
                f"level twice as large as the one before), got {level.shape}"
            )
        if level.size == 0 or not np.isfinite(level).all():
            raise ValueError(f"maps[{d}] must be finite and not empty")
    return levels


def _channels_first(levels: list[np.ndarray]) -> bool:
    """Whether the last two axes, not the first two, double from level to level; of a single map,
    whether they look more like the sides of an image: whether they are more alike."""
    first, *others = (level.shape for level in levels)
    if others:
        return others[0] == (first[0], 2 * first[1], 2 * first[2])
    a, b, c = map(max, first, (1, 1, 1))
    return max(b / c, c / b) < max(a / b, b / a)


class Extractor(Protocol):
    """What similarity needs of features, whoever computes them; members are as in
    `GradientExtractor`. `working_bytes()` as well, where they need memory of their own."""

    @property
    def grid_size(self) -> tuple[int, int]: ...
    @property
    def levels(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def grid(self) -> tuple[int, int]: ...
    def pyramid_bytes(self) -> int: ...
    def parameters(self) -> dict[str, Any]: ...
    def pyramid(self, image: np.ndarray) -> FeaturePyramid: ...
