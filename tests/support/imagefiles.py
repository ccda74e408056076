"""Image files for the tests, written byte by byte where OpenCV cannot write them."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np


def encode(suffix: str, image: np.ndarray, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, image, list(options))
    assert done
    return data.tobytes()


def exif(orientation: int) -> bytes:
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def png(image: np.ndarray, orientation: int) -> bytes:
    data = encode(".png", image)
    chunk = b"eXIf" + exif(orientation)
    length, check = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    return data[:33] + length + chunk + check + data[33:]


def jpeg(image: np.ndarray, orientation: int) -> bytes:
    data = encode(".jpg", image, cv2.IMWRITE_JPEG_QUALITY, 100)
    block = b"Exif\0\0" + exif(orientation)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


def tiff(image: np.ndarray, orientation: int = 1, order: str = "<", kind: int = 1) -> bytes:
    """Uncompressed, one strip, grey; kind: 1 unsigned, 2 signed, 3 floating point."""
    height, width = image.shape
    data = image.astype(image.dtype.newbyteorder(order)).tobytes()
    tags = [
        (256, width),
        (257, height),
        (258, 8 * image.dtype.itemsize),
        (259, 1),
        (262, 1),
        (273, 8),
        (274, orientation),
        (277, 1),
        (278, height),
        (279, len(data)),
        (339, kind),
    ]
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    out += data + struct.pack(order + "H", len(tags))
    for tag, value in tags:
        out += struct.pack(order + "HHII", tag, 4, 1, value)
    return out + struct.pack(order + "I", 0)


def displayed(stored: np.ndarray, orientation: int) -> np.ndarray:
    """What each EXIF orientation means, from the words of the standard: where row 0 and column 0
    of the stored image are seen."""
    return {
        1: lambda a: a,  # top, left
        2: np.fliplr,  # top, right
        3: lambda a: np.rot90(a, 2),  # bottom, right
        4: np.flipud,  # bottom, left
        5: lambda a: a.T,  # left, top
        6: lambda a: np.rot90(a, -1),  # right, top
        7: lambda a: np.rot90(a, 2).T,  # right, bottom
        8: np.rot90,  # left, bottom
    }[orientation](stored)
