"""Which format a file has, by its content; headers and end markers of PNG, JPEG and BMP, for files
that may be broken in any way.

Every parser takes a seekable binary file and its length, and either returns a Header or raises
HeaderError; no other exception leaves for any content.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import BinaryIO

from . import dicom, tiff
from .header import MAX_PIXELS, Header, HeaderError, read
from .tiff import exif


def parse(file: BinaryIO, size: int) -> Header:
    """Tells the format by content and checks the structure to the end."""
    if size == 0:
        raise HeaderError("the file is empty")
    if dicom.is_dicom(file):  # its first 128 bytes are anything, a TIFF header too
        return dicom.header(file, size)
    file.seek(0)
    start = file.read(8)
    if start == b"\x89PNG\r\n\x1a\n":
        header = _png(file, size)
    elif start[:3] == b"\xff\xd8\xff":
        header = _jpeg(file, size)
    elif start[:2] == b"BM":
        header = _bmp(file, size)
    elif start[:4] in tiff.STARTS:
        header = tiff.layout(file, size).header()
    else:
        raise HeaderError("not a PNG, JPEG, BMP, TIFF or DICOM image")
    if header.height < 1 or header.width < 1:
        raise HeaderError(
            f"the {header.format} header says {header.width} x {header.height} pixels"
        )
    return header


# PNG: chunks (length, type, data, crc) from the signature to IEND ------------------------------

_PIXELS = frozenset([b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"])
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type


def _png(file: BinaryIO, size: int) -> Header:
    position, shape, orientation, data, depth, white = 8, None, 1, False, 8, None
    while True:
        file.seek(position)
        length, kind = struct.unpack(">I4s", read(file, 8, "PNG file"))
        if position + 12 + length > size:
            raise HeaderError("the PNG file is truncated")
        if shape is None:
            if kind != b"IHDR" or length != 13:
                raise HeaderError("the PNG file has no valid header")
            width, height, depth, colour = struct.unpack(">IIBB", read(file, 10, "PNG file"))
            shape = height, width
        elif kind == b"eXIf":
            orientation = exif(read(file, min(length, 1 << 16), "PNG file"))
        elif kind == b"sBIT" and colour != 3 and depth >= 8 and 1 <= length <= 4:
            bits = max(read(file, length, "PNG file"))
            white = (1 << bits) - 1 if 0 < bits < depth else None
        elif kind == b"IDAT":
            data = True
        elif kind == b"IEND":
            if not data:
                raise HeaderError("the PNG file holds no pixels")
            return Header("PNG", *shape, orientation, 16 if depth == 16 else 8, white)
        position += 12 + length


def png_pixels(data: bytes) -> bytes:
    """A whole PNG file, one that `parse` accepts, of which only the pixels are left: texts, colour
    profiles and further frames may inflate to more than them.

    Raises:
        HeaderError: a checksum is wrong, or the data are longer than pixels can be.
    """
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    row = 1 + -(-width * depth * _SAMPLES.get(colour, 4) // 8)
    position, kept, pixels = 8, [data[:8]], 0
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if zlib.crc32(memoryview(data)[position + 4 : end]) != int.from_bytes(
            data[end : end + 4], "big"
        ):
            raise HeaderError("the PNG data is damaged: a checksum is wrong")
        if kind in _PIXELS:
            kept.append(data[position : end + 4])
        pixels += length if kind == b"IDAT" else 0
        if kind == b"IEND":
            break
        position = end + 4
    if pixels > 2 * height * row + (1 << 16):  # deflate hardly makes anything longer
        raise HeaderError("the PNG data is damaged: it inflates to more than its pixels")
    return b"".join(kept)


# JPEG: marker segments; after each scan entropy-coded data in which FF is followed by 0 or RSTn ---

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset(range(0xD0, 0xD8)) | {0x01}
_LOSSLESS = frozenset([0xC3, 0xC7, 0xCB, 0xCF])
_AFTER_SCAN = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
_WORK = 16 * MAX_PIXELS  # pixels of all scans: of the largest image a progressive JPEG, usually 10


def _jpeg(file: BinaryIO, size: int) -> Header:
    position, shape, orientation = 2, None, 1
    while True:
        file.seek(position)
        marker, code = read(file, 2, "JPEG file")
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
        (length,) = struct.unpack(">H", read(file, 2, "JPEG file"))
        if length < 2 or position + 2 + length > size:
            raise HeaderError("the JPEG file is truncated")
        if code in _FRAMES:
            if length < 8:
                raise HeaderError("the JPEG file is damaged: its frame header is too short")
            bits, height, width = struct.unpack(">BHH", read(file, 5, "JPEG file"))
            if bits != 8:
                kind = "lossless JPEG" if code in _LOSSLESS else "JPEG"
                raise HeaderError(
                    f"a {kind} of {bits} bits; JPEG is read with 8 bits: save it as 16-bit PNG "
                    "or TIFF"
                )
            shape = height, width
        elif code == 0xE1:
            data = read(file, length - 2, "JPEG file")
            if data[:6] == b"Exif\0\0":
                orientation = exif(data[6:])
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
    while found := _AFTER_SCAN.search(data, at):
        at = found.start()
        if data[at + 1] == 0xD9:
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise HeaderError("the JPEG file is truncated: its end marker is missing")


def jpeg_scans(data: bytes, header: Header) -> None:
    """HeaderError if the scans of a JPEG file decode to more pixels than the largest image."""
    scans = data.count(b"\xff\xda")
    if scans * header.height * header.width > _WORK:
        raise HeaderError(f"the JPEG file goes over its pixels {scans} times")


# BMP ----------------------------------------------------------------------------------------------


def _bmp(file: BinaryIO, size: int) -> Header:
    file.seek(10)
    offset, header = struct.unpack("<II", read(file, 8, "BMP file"))
    if header == 12:
        width, height, _, bits = struct.unpack("<HHHH", read(file, 8, "BMP file"))
        compression, data = 0, 0
    elif header >= 40:
        width, height, _, bits, compression, data = struct.unpack(
            "<iiHHII", read(file, 20, "BMP file")
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
