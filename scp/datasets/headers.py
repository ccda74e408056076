"""Headers and end markers of PNG, JPEG, BMP and TIFF, for files that may be broken in any way.

Every parser takes a seekable binary file and its length, and either returns a Header or raises
HeaderError; no other exception leaves for any content.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO


class HeaderError(ValueError):
    """What is wrong with the content of a file."""


@dataclass(frozen=True)
class Header:
    """format: PNG, JPEG, BMP or TIFF. height, width: as stored. orientation: EXIF, 1..8."""

    format: str
    height: int
    width: int
    orientation: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) as displayed."""
        if self.orientation >= 5:
            return self.width, self.height
        return self.height, self.width


def parse(file: BinaryIO, size: int) -> Header:
    """Tells the format by content and checks the structure to the end."""
    if size == 0:
        raise HeaderError("the file is empty")
    start = file.read(8)
    if start == b"\x89PNG\r\n\x1a\n":
        header = _png(file, size)
    elif start[:3] == b"\xff\xd8\xff":
        header = _jpeg(file, size)
    elif start[:2] == b"BM":
        header = _bmp(file, size)
    elif start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        header = _tiff(file, size)
    else:
        raise HeaderError("not a PNG, JPEG, BMP or TIFF image")
    if header.height < 1 or header.width < 1:
        raise HeaderError(
            f"the {header.format} header says {header.width} x {header.height} pixels"
        )
    return header


def _read(file: BinaryIO, count: int, what: str) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise HeaderError(f"the {what} is truncated")
    return data


# PNG: chunks (length, type, data, crc) from the signature to IEND ------------------------------


def _png(file: BinaryIO, size: int) -> Header:
    position, shape, orientation, data = 8, None, 1, False
    while True:
        file.seek(position)
        length, kind = struct.unpack(">I4s", _read(file, 8, "PNG file"))
        if position + 12 + length > size:
            raise HeaderError("the PNG file is truncated")
        if shape is None:
            if kind != b"IHDR" or length != 13:
                raise HeaderError("the PNG file has no valid header")
            width, height = struct.unpack(">II", _read(file, 8, "PNG file"))
            shape = height, width
        elif kind == b"eXIf":
            orientation = _exif(_read(file, min(length, 1 << 16), "PNG file"))
        elif kind == b"IDAT":
            data = True
        elif kind == b"IEND":
            if not data:
                raise HeaderError("the PNG file holds no pixels")
            return Header("PNG", *shape, orientation)
        position += 12 + length


def png_intact(data: bytes) -> bool:
    """Whether the checksums of a whole PNG file, one that `parse` accepts, are right."""
    position = 8
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if zlib.crc32(memoryview(data)[position + 4 : end]) != int.from_bytes(
            data[end : end + 4], "big"
        ):
            return False
        if kind == b"IEND":
            break
        position = end + 4
    return True


# JPEG: marker segments; after each scan entropy-coded data in which FF is followed by 0 or RSTn ---

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset(range(0xD0, 0xD8)) | {0x01}


def _jpeg(file: BinaryIO, size: int) -> Header:
    position, shape, orientation = 2, None, 1
    while True:
        file.seek(position)
        marker, code = _read(file, 2, "JPEG file")
        if marker != 0xFF:
            raise HeaderError("the JPEG file is damaged: a marker is missing")
        if code == 0xFF:  # fill byte
            position += 1
            continue
        if code in _ALONE:
            position += 2
            continue
        if code in (0xD8, 0xD9):
            raise HeaderError("the JPEG file holds no pixels")
        (length,) = struct.unpack(">H", _read(file, 2, "JPEG file"))
        if length < 2 or position + 2 + length > size:
            raise HeaderError("the JPEG file is truncated")
        if code in _FRAMES:
            if length < 8:
                raise HeaderError("the JPEG file is damaged: its frame header is too short")
            _, height, width = struct.unpack(">BHH", _read(file, 5, "JPEG file"))
            shape = height, width
        elif code == 0xE1:
            data = _read(file, length - 2, "JPEG file")
            if data[:6] == b"Exif\0\0":
                orientation = _exif(data[6:])
        elif code == 0xDA:
            if shape is None:
                raise HeaderError("the JPEG file has no frame header")
            _jpeg_end(file, size, position + 2 + length)
            return Header("JPEG", *shape, orientation)
        position += 2 + length


def _jpeg_end(file: BinaryIO, size: int, position: int) -> None:
    """The end-of-image marker. Usually the last two bytes; else looked for scan by scan."""
    if size - 2 >= position:
        file.seek(size - 2)
        if file.read(2) == b"\xff\xd9":
            return
    file.seek(position)
    data, at = file.read(), 0
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise HeaderError("the JPEG file is truncated: its end marker is missing")
        code = data[at + 1]
        if code == 0xD9:
            return
        if code == 0xFF:
            at += 1
        elif code == 0 or code in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


# BMP ----------------------------------------------------------------------------------------------


def _bmp(file: BinaryIO, size: int) -> Header:
    file.seek(10)
    offset, header = struct.unpack("<II", _read(file, 8, "BMP file"))
    if header == 12:
        width, height, _, bits = struct.unpack("<HHHH", _read(file, 8, "BMP file"))
        compression, data = 0, 0
    elif header >= 40:
        width, height, _, bits, compression, data = struct.unpack(
            "<iiHHII", _read(file, 20, "BMP file")
        )
    else:
        raise HeaderError("the BMP file has no valid header")
    height = abs(height)  # negative: rows from top to bottom
    if bits not in (1, 2, 4, 8, 16, 24, 32):
        raise HeaderError(f"the BMP file has {bits} bits per pixel")
    if compression in (0, 3, 6):
        data = (width * bits + 31) // 32 * 4 * height
    if offset < 14 + header or offset + data > size:
        raise HeaderError("the BMP file is truncated")
    return Header("BMP", height, width)


# TIFF: a directory of tags; strips or tiles must lie inside the file ------------------------------

_COMPRESSIONS = {1, 3, 4, 5, 7, 8, 32773, 32946}
_DEFLATE = {8, 32946}
_TYPES = {1: "B", 2: "c", 3: "H", 4: "I", 13: "I", 16: "Q"}  # those that sizes and offsets use


def _tiff(file: BinaryIO, size: int) -> Header:
    file.seek(0)
    tags = _tiff_tags(file, size, {256, 257, 258, 259, 273, 274, 279, 324, 325, 339})
    if not tags.get(256) or not tags.get(257):
        raise HeaderError("the TIFF file has no image size")
    bits, kind = max(tags.get(258, (1,))), tags.get(339, (1,))[0]
    if bits > 16 or kind not in (1, 4):
        name = {2: "signed", 3: "floating-point"}.get(kind, "")
        raise HeaderError(f"{bits}-bit {name} TIFF pixels; unsigned 8 or 16 bit are supported")
    if tags.get(259, (1,))[0] not in _COMPRESSIONS:
        raise HeaderError(f"the TIFF compression {tags[259][0]} is not supported")
    offsets, counts = tags.get(273) or tags.get(324), tags.get(279) or tags.get(325)
    if not offsets:
        raise HeaderError("the TIFF file holds no pixels")
    if counts is not None and len(counts) != len(offsets):
        raise HeaderError("the TIFF file is damaged: its strips do not match")
    for offset, count in zip(offsets, counts or [1] * len(offsets), strict=True):
        if offset + count > size:
            raise HeaderError("the TIFF file is truncated")
    return Header("TIFF", tags[257][0], tags[256][0], _orientation(tags.get(274)))


def tiff_intact(data: bytes) -> bool:
    """Whether the checksums of a TIFF file that `parse` accepts are right; only deflate has them.

    OpenCV shows damaged strips of an 8-bit TIFF as black, without an error.
    """
    tags = _tiff_tags(io.BytesIO(data), len(data), {259, 273, 279, 324, 325})
    if tags.get(259, (1,))[0] not in _DEFLATE:
        return True
    offsets, counts = tags.get(273) or tags.get(324), tags.get(279) or tags.get(325)
    view = memoryview(data)
    try:
        for offset, count in zip(offsets, counts or (), strict=True):
            stream = zlib.decompressobj()
            stream.decompress(view[offset : offset + count])
            if not stream.eof:
                return False
    except (zlib.error, ValueError):
        return False
    return True


def _tiff_tags(file: BinaryIO, size: int, wanted: set[int]) -> dict[int, tuple[int, ...]]:
    """Values of the wanted integer tags of the first directory."""
    start = _read(file, 8, "TIFF file")
    order = "<" if start[:2] == b"II" else ">"
    big = start[2:4] in (b"+\0", b"\0+")
    if big:
        (at,) = struct.unpack(order + "Q", _read(file, 8, "TIFF file"))
        count_format, entry_format, inline = order + "Q", order + "HHQ8s", 8
    else:
        (at,) = struct.unpack(order + "I", start[4:])
        count_format, entry_format, inline = order + "H", order + "HHI4s", 4
    if at >= size:
        raise HeaderError("the TIFF file is truncated")
    file.seek(at)
    (entries,) = struct.unpack(
        count_format, _read(file, struct.calcsize(count_format), "TIFF file")
    )
    width = struct.calcsize(entry_format)
    if entries * width + inline > size - file.tell():  # and the place of the next directory
        raise HeaderError("the TIFF file is truncated")
    directory = _read(file, entries * width, "TIFF file")
    tags = {}
    for tag, kind, count, raw in struct.iter_unpack(entry_format, directory):
        if tag not in wanted or kind not in _TYPES or count == 0:
            continue
        item = order + _TYPES[kind].replace("c", "B")
        length = count * struct.calcsize(item)
        if length > size:
            raise HeaderError("the TIFF file is truncated")
        if length > inline:
            (at,) = struct.unpack(order + ("Q" if big else "I"), raw)
            if at + length > size:
                raise HeaderError("the TIFF file is truncated")
            file.seek(at)
            raw = _read(file, length, "TIFF file")
        tags[tag] = tuple(v[0] for v in struct.iter_unpack(item, raw[:length]))
    return tags


def _orientation(values: tuple[int, ...] | None) -> int:
    return values[0] if values and 1 <= values[0] <= 8 else 1


def _exif(data: bytes) -> int:
    """Orientation of an EXIF block, 1 when there is none or it is damaged."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    try:
        return _orientation(_tiff_tags(io.BytesIO(data), len(data), {274}).get(274))
    except HeaderError:
        return 1
