"""One .roi of ImageJ: its points, its name and its properties; big-endian, 64 bytes of header.

    4  version (short)      8  top, left, bottom, right      60  offset of the second header
    6  type (byte)         16  number of points, or 0 and an int at 18
    64 x of each point from left, then y from top (shorts); with option 128, x and y as floats

ImageJ counts points from the centre of a pixel: (0, 0) is the centre of the first one, of floats as
of whole numbers (its class Roi says so, since 1.52t).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

POINT, SUB_PIXEL = 10, 128
TYPES = (
    *("polygon", "rectangle", "oval", "line", "freeline", "polyline"),
    *("none", "freehand", "traced", "angle", "point"),
)
_VERSION, _HEADER = 228, 64
_LEAST = -5000  # smaller shorts are large numbers without a sign


class RoiError(ValueError):
    """What is wrong with a .roi."""


@dataclass(frozen=True)
class Roi:
    """A region of ImageJ.

    Attributes:
        kind: a name in TYPES. name: "" where it has none. points: (x, y), of a point only.
        properties: key and value.
    """

    kind: str
    name: str
    points: list[tuple[float, float]]
    properties: dict[str, str] = field(default_factory=dict)


def decode(data: bytes) -> Roi:
    """The region in the bytes of a file; RoiError."""
    if len(data) < _HEADER or data[:4] != b"Iout":
        raise RoiError("no ROI of ImageJ")
    kind = data[6]
    if kind >= len(TYPES):
        raise RoiError(f"type {kind} is not known")
    name, properties = _second_header(data)
    points = _points(data) if kind == POINT else []
    return Roi(TYPES[kind], name, points, properties)


def _points(data: bytes) -> list[tuple[float, float]]:
    version, _, top, left = struct.unpack_from(">hhhh", data, 4)
    (count,) = struct.unpack_from(">H", data, 16)
    if count == 0:
        (count,) = struct.unpack_from(">i", data, 18)
    (options,) = struct.unpack_from(">h", data, 50)
    floats = bool(options & SUB_PIXEL) and version >= 222
    if not 0 < count <= (len(data) - _HEADER) // (12 if floats else 4):
        raise RoiError(f"{count} points are not in {len(data)} bytes")
    if floats:
        values = struct.unpack_from(f">{2 * count}f", data, _HEADER + 4 * count)
        left = top = 0
    else:
        values = struct.unpack_from(f">{2 * count}H", data, _HEADER)
        left, top = (v + 65536 if v < _LEAST else v for v in (left, top))
    pairs = zip(values[:count], values[count:], strict=True)
    return [(float(left + x), float(top + y)) for x, y in pairs]


def _second_header(data: bytes) -> tuple[str, dict[str, str]]:
    (at,) = struct.unpack_from(">i", data, 60)
    if not _HEADER <= at <= len(data) - 52:
        return "", {}
    name = _text(data, *struct.unpack_from(">ii", data, at + 16))
    lines = _text(data, *struct.unpack_from(">ii", data, at + 40)).splitlines()
    pairs = (line.partition(":") for line in lines)
    return name, {key.strip(): value.strip() for key, _, value in pairs}


def _text(data: bytes, at: int, length: int) -> str:
    if length <= 0 or at < _HEADER or at + 2 * length > len(data):
        return ""
    try:
        return data[at : at + 2 * length].decode("utf-16-be")
    except UnicodeDecodeError:
        raise RoiError("the name is no Unicode text") from None


def encode(roi: Roi) -> bytes:
    """The bytes of a region of type point, with sub-pixel places."""
    count = len(roi.points)
    whole = [(round(x), round(y)) for x, y in roi.points]
    left, top = (min(p[k] for p in whole) for k in (0, 1))
    right, bottom = (max(p[k] for p in whole) + 1 for k in (0, 1))
    from_left = [p[0] - left for p in whole] + [p[1] - top for p in whole]
    xs, ys = zip(*roi.points, strict=True)
    places = struct.pack(f">{2 * count}H", *from_left)
    places += struct.pack(f">{2 * count}f", *xs, *ys)
    name = roi.name.encode("utf-16-be")
    more = "".join(f"{key}: {value}\n" for key, value in roi.properties.items()).encode("utf-16-be")
    second = _HEADER + len(places)
    texts = second + 64
    box = [v & 0xFFFF for v in (top, left, bottom, right)]
    header = struct.pack(">4shBx5H", b"Iout", _VERSION, POINT, *box, count)
    header += bytes(50 - len(header)) + struct.pack(">h4xii", SUB_PIXEL, 0, second)
    said = bytes(16) + struct.pack(">ii", texts, len(name) // 2) + bytes(16)
    said += struct.pack(">ii", texts + len(name), len(more) // 2)
    return header + places + said + bytes(64 - len(said)) + name + more
