"""Compressed pixels inside DICOM files: how large the image is that they decode to.

Decoders believe the compressed data, whatever the header around it says.
"""

from __future__ import annotations

import struct

from .header import MAX_PIXELS, HeaderError

_FRAMES = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}  # F7: JPEG-LS
_ALONE = frozenset(range(0xD0, 0xD8)) | {0x01}
_SIZE_2000 = b"\xff\x4f\xff\x51"  # JPEG 2000: start of a codestream and of its sizes
_DAMAGED = "the DICOM file is damaged: its compressed image has no valid header"


def coded_shape(stream: bytes) -> tuple[int, int, int]:
    """(H, W, samples) of a JPEG, JPEG-LS or JPEG 2000 stream.

    Raises:
        HeaderError: it has no such header, or decodes to far more pixels than it shows.
    """
    if stream[:2] == b"\xff\xd8":
        return _jpeg_shape(stream)
    shapes, at = set(), stream.find(_SIZE_2000)
    while at >= 0:
        if at + 42 > len(stream):
            raise HeaderError(_DAMAGED)
        width, height, left, top = struct.unpack_from(">IIII", stream, at + 8)
        (samples,) = struct.unpack_from(">H", stream, at + 40)
        shapes.add((height - top, width - left, samples))
        at = stream.find(_SIZE_2000, at + 4)
    if len(shapes) != 1:
        raise HeaderError(_DAMAGED)
    return shapes.pop()


def _jpeg_shape(stream: bytes) -> tuple[int, int, int]:
    found, position = None, 2
    while found is None:
        if position + 4 > len(stream) or stream[position] != 0xFF:
            raise HeaderError(_DAMAGED)
        code = stream[position + 1]
        if code == 0xFF or code in _ALONE:
            position += 1 if code == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", stream, position + 2)
        if code in _FRAMES and length >= 8 and position + 10 <= len(stream):
            found = struct.unpack_from(">HHB", stream, position + 5)
        elif code in (0xD8, 0xD9, 0xDA, 0xDE) or length < 2:  # DE: several frames
            raise HeaderError(_DAMAGED)
        position += 2 + length
    height, width, samples = found
    if stream.count(b"\xff\xda") * height * width > 16 * MAX_PIXELS:
        raise HeaderError("the DICOM file goes over its pixels hundreds of times")
    return height, width, samples


def check_rle(stream: bytes, pixels: int, planes: int) -> None:
    """HeaderError if an RLE stream is longer than planes of so many bytes can be, or has others."""
    if len(stream) < 64 or struct.unpack_from("<I", stream)[0] != planes:
        raise HeaderError(_DAMAGED)
    if len(stream) > 2 * pixels * planes + (1 << 16):
        raise HeaderError("the DICOM file is damaged: its RLE data is longer than its pixels")
