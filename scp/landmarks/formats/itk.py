"""Millimetres per pixel as programs built on ITK (3D Slicer, ITK-SNAP) take them from a picture.

They do not know what anybody else said of the spacing: of a picture it is what its file says, and
1 mm where that is nothing. Pixel (0, 0) is at (0, 0), and no axis is turned.

    JPEG       dots per inch or per centimetre of its JFIF header
    TIFF       its resolution, where its unit is the inch or the centimetre
    PNG, BMP   1 mm: their resolution is not read
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

from ...errors import DatasetError
from .base import Context

PICTURES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
_MM = {1: 25.4, 2: 10.0}  # of an inch, of a centimetre, by JFIF's number of the unit


def spacing_of(name: str, context: Context) -> tuple[float, float]:
    """(sx, sy) of an image by its id: of a picture as its file says, of others as it is known."""
    assert context.images is not None
    file = context.file(name)
    if file is None or not file.lower().endswith(PICTURES):
        return known_spacing(name, context)
    if file.lower().endswith((".tif", ".tiff")):
        return _of_tiff(file)
    return _of_jpeg(file) if file.lower().endswith((".jpg", ".jpeg")) else (1.0, 1.0)


def known_spacing(name: str, context: Context) -> tuple[float, float]:
    """(sx, sy) of an image by its id, as the images know it; 1 mm where nothing is known."""
    assert context.images is not None
    if context.images.spacing is None:
        return 1.0, 1.0
    sy, sx = context.images.spacing[context.row(name)]
    return (float(sx), float(sy)) if sx > 0 and sy > 0 else (1.0, 1.0)


def _of_jpeg(file: str) -> tuple[float, float]:
    """The JFIF segment is the first of a file that has one."""
    try:
        head = Path(file).open("rb").read(18)  # noqa: SIM115
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read ({error.strerror})") from None
    if len(head) < 18 or head[2:4] != b"\xff\xe0" or head[6:11] != b"JFIF\0":
        return 1.0, 1.0
    unit, x, y = struct.unpack(">BHH", head[13:18])
    return (_MM[unit] / x, _MM[unit] / y) if unit in _MM and x and y else (1.0, 1.0)


def _of_tiff(file: str) -> tuple[float, float]:
    import tifffile

    try:
        with tifffile.TiffFile(file) as content:
            tags = content.pages.first.tags
            unit = tags.valueof("ResolutionUnit", 2)
            ratios = [tags.valueof(f"{axis}Resolution") for axis in "XY"]
    except Exception as error:  # tifffile has errors of many types
        raise DatasetError(f"{file}: cannot be read ({str(error)[:200]})") from None
    if int(unit) - 1 not in _MM or None in ratios:
        return 1.0, 1.0
    values = [above / below if below else 0.0 for above, below in ratios]
    if not all(math.isfinite(value) and value > 0 for value in values):
        return 1.0, 1.0
    return _MM[int(unit) - 1] / values[0], _MM[int(unit) - 1] / values[1]
