"""One .roi of ImageJ, by roifile: its points, its name and its properties.

ImageJ counts points from the centre of a pixel: (0, 0) is the centre of the first one, of floats as
of whole numbers (its class Roi says so, since 1.52t).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from ...errors import DatasetError

_DAMAGED = (ValueError, TypeError, OverflowError, IndexError, struct.error)


class RoiError(ValueError):
    """What is wrong with a .roi."""


@dataclass(frozen=True)
class Roi:
    """A region of ImageJ.

    Attributes:
        kind: its type in small letters, "point". name: "" where it has none.
        points: (x, y), of a point only. properties: key and value.
    """

    kind: str
    name: str
    points: list[tuple[float, float]]
    properties: dict[str, str] = field(default_factory=dict)


def _roifile() -> ModuleType:
    try:
        import roifile
    except ImportError:
        raise DatasetError(
            "ROIs of ImageJ need roifile: pip install 'sample-choosing-policy[imagej]'"
        ) from None
    return roifile


def decode(data: bytes) -> Roi:
    """The region in the bytes of a file; RoiError."""
    if len(data) < 64 or data[:4] != b"Iout":
        raise RoiError("no ROI of ImageJ")
    roifile = _roifile()
    try:
        found = roifile.ImagejRoi.frombytes(data)
        points = found.coordinates() if found.roitype == roifile.ROI_TYPE.POINT else []
        pairs = [(float(x), float(y)) for x, y in points]
    except _DAMAGED:
        raise RoiError("the ROI is damaged") from None
    if found.roitype == roifile.ROI_TYPE.POINT and not pairs:
        raise RoiError("a ROI of type point without a point")
    lines = (line.partition(":") for line in found.props.splitlines())
    properties = {key.strip(): value.strip() for key, _, value in lines}
    return Roi(found.roitype.name.lower(), found.name, pairs, properties)


def encode(roi: Roi) -> bytes:
    """The bytes of a region of type point, with sub-pixel places."""
    roifile = _roifile()
    out = roifile.ImagejRoi.frompoints(np.array(roi.points, np.float32), name=roi.name)
    out.roitype = roifile.ROI_TYPE.POINT
    out.props = "".join(f"{key}: {value}\n" for key, value in roi.properties.items())
    return out.tobytes()
