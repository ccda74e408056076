"""What the header of an image file says, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

MAX_PIXELS = 200_000_000


class HeaderError(ValueError):
    """What is wrong with the content of a file."""


@dataclass(frozen=True)
class Header:
    """What is known before decoding.

    Attributes:
        format: PNG, JPEG, BMP, TIFF, DICOM, NIfTI, MetaImage or NRRD.
        height, width: as stored.
        orientation: EXIF, 1..8.
        bits: 8 or 16, of the type that the pixels come in.
        white: the largest value that a pixel can have where the file says that it is less than
            the type holds; None where it says nothing.
        inverted: 16-bit pixels are stored with white as 0.
        spacing: mm per pixel as displayed, (sy, sx); None where the file says none.
        origin: where the spacing comes from, or why there is none, in words.
        measured: pixels are floating-point, signed or of 32 bits: a scale says which of them are
            black and white, and 65535 is white then.
        caution: what to know of the spacing before it is used, a sentence; or empty.
    """

    format: str
    height: int
    width: int
    orientation: int = 1
    bits: int = 8
    white: int | None = None
    inverted: bool = False
    spacing: tuple[float, float] | None = None
    origin: str = ""
    caution: str = ""
    measured: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) as displayed."""
        if self.orientation >= 5:
            return self.width, self.height
        return self.height, self.width


def read(file: BinaryIO, count: int, what: str) -> bytes:
    """Exactly `count` bytes of the file, which is called `what` if they are not there."""
    data = file.read(count)
    if len(data) != count:
        raise HeaderError(f"the {what} is truncated")
    return data
