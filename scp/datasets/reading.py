"""One image file: what its header says, whether it is whole, and its grey pixels.

OpenCV decodes a truncated JPEG or BMP without an error, so the structure is checked here first:
`inspect` reads headers and end markers only (a few kilobytes), `read_grey` checks again what it
decodes. The format is told by content; the suffix of the file means nothing here.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import DatasetError
from .headers import Header, HeaderError, parse, png_intact, tiff_intact

MAX_PIXELS = 200_000_000
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def inspect(path: str | os.PathLike[str]) -> Header:
    """Header of an image file whose structure is whole to the end.

    Raises:
        DatasetError: empty, truncated, no image, too large, or not readable; names the file.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _parse(path, file, size)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error


def _parse(path, file, size: int) -> Header:
    try:
        header = parse(file, size)
    except HeaderError as error:
        raise DatasetError(f"{path}: {error}") from error
    if header.height * header.width > MAX_PIXELS:
        raise DatasetError(
            f"{path}: {header.width} x {header.height} pixels are more than the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels"
        )
    return header


def read_grey(path: str | os.PathLike[str], at_least: tuple[int, int] | None = None) -> np.ndarray:
    """Grey pixels of an image file, uint8 or uint16 [H][W].

    Colour becomes luma, alpha is dropped, an EXIF orientation is applied; of several pages the
    first counts.

    Args:
        path: the file.
        at_least: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, but not below these
            (rows, columns).

    Raises:
        DatasetError: names the file and says what is wrong.
    """
    import cv2

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    header = _parse(path, io.BytesIO(data), len(data))
    intact = {"PNG": png_intact, "TIFF": tiff_intact}.get(header.format)
    if intact is not None and not intact(data):
        raise DatasetError(f"{path}: the {header.format} data is damaged: a checksum is wrong")
    flags, divisor = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH, 1
    if at_least is not None and header.format == "JPEG":
        for divisor in (8, 4, 2, 1):
            shape = header.shape
            if shape[0] // divisor >= at_least[0] and shape[1] // divisor >= at_least[1]:
                break
        if divisor > 1:
            flags = getattr(cv2, f"IMREAD_REDUCED_GRAYSCALE_{divisor}")
    try:
        with _quiet():
            image = cv2.imdecode(
                np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION
            )
    except (cv2.error, MemoryError) as error:
        raise DatasetError(f"{path}: the {header.format} data cannot be decoded") from error
    if image is None:
        raise DatasetError(f"{path}: the {header.format} data cannot be decoded")
    if image.dtype not in (np.uint8, np.uint16):
        raise DatasetError(f"{path}: {image.dtype} pixels; 8 or 16 bit are supported")
    # OpenCV turns a TIFF by itself, whatever the flag says.
    expected = header.shape if header.format == "TIFF" else (header.height, header.width)
    expected = (-(-expected[0] // divisor), -(-expected[1] // divisor))
    if image.shape != expected:
        raise DatasetError(f"{path}: {image.shape} pixels decoded, the header says {expected}")
    return image if header.format == "TIFF" else _orient(image, header.orientation)


def _orient(image: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF orientation 1..8: how stored rows and columns become displayed ones."""
    if orientation >= 5:
        image = image.T
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


@contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV's own log lines are held back: the exception says it."""
    import cv2

    logging = getattr(cv2.utils, "logging", None)
    if logging is None:
        yield
        return
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)
