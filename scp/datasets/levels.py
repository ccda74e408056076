"""Which value is white: what files say, else what the images of a pool show.

A 16-bit file of 10, 12 or 14 bits, the usual export of DICOM, is nearly black when 65,535 is taken
for white. One image cannot tell a dark picture from a small range; a pool can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import DatasetError

_STRAY = 50_000  # one pixel of so many may be lighter than white: defects of a detector
_DARK = 63  # an 8-bit pool with a lighter pixel than this has 8 bits


class Levels(Protocol):
    """What is asked of the images of a pool."""

    def __len__(self) -> int: ...

    def depth(self, i: int) -> tuple[int, int | None]:
        """(8 or 16, the largest possible value that the file says, or None)."""

    def extent(self, i: int) -> tuple[int, int]:
        """`extent_of` image i, as stored."""


@dataclass(frozen=True)
class Range:
    """Of each image.

    bits: 8 or 16, of its type. white: the value that is white. shown: the bits that its own values
    need; those of the type where it was not looked at. low: its smallest value; 0 where it was not
    looked at.
    """

    bits: list[int]
    white: list[int]
    shown: list[int]
    low: list[int]


def find_range(images: Levels) -> Range:
    """The range of a pool. Images of 16 bits are decoded once for it, of those of 8 bits as many as
    it takes to see one that is not dark."""
    depths = [_depth(images, i) for i in range(len(images))]
    bits = [own for own, _ in depths]
    out = Range(bits, [(1 << own) - 1 for own in bits], list(bits), [0] * len(bits))
    for own in (8, 16):
        silent = [i for i, depth in enumerate(depths) if depth == (own, None)]
        for said in sorted({value for kind, value in depths if kind == own and value}):
            rows = [i for i, depth in enumerate(depths) if depth == (own, said)]
            if not _set(out, images, rows, said):
                silent += rows
        _set(out, images, silent, None)
    return out


def extent_of(image: np.ndarray) -> tuple[int, int]:
    """The smallest and the largest value of an image, without stray pixels: of 16 bits, those that
    alone need a bit more."""
    low, high = int(image.min()), int(image.max())
    stray = image.size // _STRAY if image.dtype == np.uint16 else 0
    while stray and high > 1:
        below = (1 << (high.bit_length() - 1)) - 1
        if np.count_nonzero(image > below) > stray:
            break
        high = int(image[image <= below].max(initial=0))
    return min(low, high), high


def _depth(images: Levels, i: int) -> tuple[int, int | None]:
    try:
        return images.depth(i)
    except DatasetError:  # said when the image itself is read
        return 8, None


def _extent(images: Levels, i: int) -> tuple[int, int]:
    try:
        return images.extent(i)
    except DatasetError:
        return 0, 0


def _set(out: Range, images: Levels, rows: Sequence[int], said: int | None) -> bool:
    """Enter the range of images that say the same of it; False if that is not true."""
    extents = []
    for i in rows:
        extents.append(_extent(images, i))
        if said is None and out.bits[i] == 8 and extents[-1][1] > _DARK:
            return True
    for i, (low, high) in zip(rows, extents, strict=True):
        out.low[i], out.shown[i] = low, max(1, high.bit_length())
    if said is not None and any(high > said for _, high in extents):
        return False
    if said is None and any(low < high for low, high in extents):
        said = (1 << max(out.shown[i] for i in rows)) - 1
    for i in rows:
        out.white[i] = said or out.white[i]
    return True


def mixed(found: Range, ids: Sequence[str]) -> list[str]:
    """A warning where images of one pool have different ranges, else nothing.

    Images one bit below the largest are dark pictures, not another range.
    """
    groups: dict[int, list[str]] = {}
    for name, white, shown in zip(ids, found.white, found.shown, strict=True):
        used = white if shown >= white.bit_length() - 1 else (1 << shown) - 1
        groups.setdefault(used, []).append(name)
    if len(groups) < 2:
        return []
    parts = []
    for used in sorted(groups):
        names = groups[used]
        more = ", ..." if len(names) > 2 else ""
        parts.append(f"{len(names)} up to {used} ({', '.join(names[:2])}{more})")
    return [
        "images of different ranges: "
        + ", ".join(parts)
        + "; what is bright in one is dark in another: save all in the same range"
    ]


def offset(found: Range, ids: Sequence[str]) -> list[str]:
    """A warning where no 16-bit image has a pixel in the lower half of the range: numbers with a
    sign that were stored without one, say. Their contrast is less than half of what it could be.
    """
    rows = [i for i, own in enumerate(found.bits) if own == 16]
    if not rows or any(found.low[i] <= found.white[i] // 2 for i in rows):
        return []
    first = min(rows, key=found.low.__getitem__)
    return [
        f"no pixel is below half of white: values begin at {found.low[first]} of "
        f"{found.white[first]} ({ids[first]}); with such an offset contrast is lost and landmarks "
        "are found less well: subtract it"
    ]


def whites(images: Sequence[np.ndarray]) -> list[int]:
    """The white of each of several arrays, uint8 or uint16; of others, 1."""
    whole = [i for i, image in enumerate(images) if image.dtype in (np.uint8, np.uint16)]
    found = find_range(_Arrays([images[i] for i in whole]))
    out = [1] * len(images)
    for i, white in zip(whole, found.white, strict=True):
        out[i] = white
    return out


@dataclass(frozen=True)
class _Arrays:
    """Arrays as a pool."""

    images: Sequence[np.ndarray]

    def __len__(self) -> int:
        return len(self.images)

    def depth(self, i: int) -> tuple[int, None]:
        return 8 * self.images[i].dtype.itemsize, None

    def extent(self, i: int) -> tuple[int, int]:
        return extent_of(self.images[i])
