"""One image file: what its header says, whether it is whole, and its grey pixels.

OpenCV decodes a truncated JPEG or BMP without an error, so the structure is checked here first:
`inspect` reads headers and end markers only (a few kilobytes), `read_grey` checks again what it
decodes. The format is told by content; the suffix of the file means nothing here.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import DatasetError
from . import dicom, slices, tiff
from .header import MAX_PIXELS, Header, HeaderError
from .headers import jpeg_scans, parse, png_pixels
from .levels import extent_of
from .samples import scaled

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm", ".dicom", *slices.SUFFIXES)


def inspect(path: str | os.PathLike[str]) -> Header:
    """Header of an image file whose structure is whole to the end.

    Raises:
        DatasetError: empty, truncated, no image, too large, or not readable; names the file.
    """
    try:
        check_regular(path)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _parse(path, file, size)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error


def folder_at(path: str | os.PathLike[str]) -> Path:
    """The path of a folder that is there; DatasetError says what is wrong with it."""
    if not os.fspath(path):  # of a variable that is not set; Path makes it the current folder
        raise DatasetError("the name of the folder of images is empty")
    folder = Path(path)
    if not folder.is_dir():
        kind = "a file, not a folder" if folder.exists() else "no such folder"
        raise DatasetError(f"{folder}: {kind}")
    return folder


def check_regular(path: str | os.PathLike[str]) -> None:
    """DatasetError unless the path is a file or leads to one: a named pipe would wait for ever."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a folder says so itself
        raise DatasetError(f"{path}: cannot be read (a pipe or a device, no file)")


def _parse(path, file, size: int) -> Header:
    try:
        header = parse(file, size) if slices.suffix_of(path) is None else slices.header(path)
    except HeaderError as error:
        raise DatasetError(f"{path}: {error}") from error
    if header.height * header.width > MAX_PIXELS:
        raise DatasetError(
            f"{path}: {header.width} x {header.height} pixels are more than the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels"
        )
    return header


def read_grey(
    path: str | os.PathLike[str],
    at_least: tuple[int, int] | None = None,
    white: Callable[[], int] | None = None,
    scale: tuple[float, float] | None = None,
) -> np.ndarray:
    """Grey pixels of an image file, uint8 or uint16 [H][W]; more is lighter.

    Colour becomes luma, alpha is dropped, an EXIF orientation is applied; of several pages the
    first counts.

    Args:
        path: the file.
        at_least: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, but not below these
            (rows, columns).
        white: the largest value that a pixel can have, called where a 16-bit TIFF stores white as
            0, and its values are taken from it; by default what the file says, else 65535.
        scale: (black, white) of pixels that are floating-point, signed or of 32 bits.

    Raises:
        DatasetError: names the file and says what is wrong.
    """
    header, image = _stored(path, at_least)
    if header.measured:
        check_scale(path, header, scale)
        try:
            return scaled(image, scale)
        except HeaderError as error:
            raise DatasetError(f"{path}: {error}") from None
    if header.inverted:
        top = np.uint16(white() if white is not None else header.white or 65535)
        image = top - np.minimum(image, top)
    return image


def check_scale(path, header: Header, scale: tuple[float, float] | None) -> None:
    """DatasetError where pixels need a scale and there is none."""
    if header.measured and scale is None:
        raise DatasetError(
            f"{path}: pixels are floating-point, signed or of 32 bits: say which of them are black "
            "and white, scale=(low, high), --scale LOW,HIGH"
        )


def extent(path: str | os.PathLike[str]) -> tuple[int, int]:
    """`levels.extent_of` the file's pixels as stored: 0 may be white."""
    return extent_of(_stored(path, None)[1])


def _stored(path, at_least: tuple[int, int] | None) -> tuple[Header, np.ndarray]:
    try:
        check_regular(path)
        data = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    header = _parse(path, io.BytesIO(data), len(data))
    try:
        if slices.suffix_of(path) is not None:
            return header, slices.pixels(path)
        if header.format == "TIFF":
            return header, _tiff(data, header)
        if header.format == "DICOM":
            return header, dicom.grey(data)
        return header, _opencv(data, header, at_least)
    except HeaderError as error:
        raise DatasetError(f"{path}: {error}") from error
    except MemoryError as error:
        size = f"{header.width} x {header.height} pixels"
        raise MemoryError(f"{path}: not enough memory to decode {size}") from error


def _tiff(data: bytes, header: Header) -> np.ndarray:
    layout = tiff.layout(io.BytesIO(data), len(data))
    tiff.check_streams(data, layout)
    if not layout.obeyed:
        return _decoded(data, header, 1, header.shape)  # turned by OpenCV, whatever the flag says
    try:
        image = tiff.grey(data, layout)
    except MemoryError:
        raise
    except Exception as error:  # of many kinds, for damaged data
        raise HeaderError("the TIFF data cannot be decoded") from error
    return _orient(image, header.orientation)


def _opencv(data: bytes, header: Header, at_least: tuple[int, int] | None) -> np.ndarray:
    divisor = 1
    if header.format == "PNG":
        data = png_pixels(data)
    if header.format == "JPEG":
        jpeg_scans(data, header)
        for divisor in (8, 4, 2, 1) if at_least is not None else ():
            if all(
                have // divisor >= want for have, want in zip(header.shape, at_least, strict=True)
            ):
                break
    shape = -(-header.height // divisor), -(-header.width // divisor)
    return _orient(_decoded(data, header, divisor, shape), header.orientation)


def _decoded(data: bytes, header: Header, divisor: int, shape: tuple[int, int]) -> np.ndarray:
    """The pixels as OpenCV decodes them, which must be of this shape."""
    import cv2

    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH
    if divisor > 1:
        flags = getattr(cv2, f"IMREAD_REDUCED_GRAYSCALE_{divisor}")
    try:
        with _quiet():
            image = cv2.imdecode(
                np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION
            )
    except cv2.error:
        image = None
    if image is None:
        np.empty((header.height, header.width, 4), np.uint8)  # OpenCV does not say it: MemoryError
        raise HeaderError(f"the {header.format} data cannot be decoded")
    if image.dtype not in (np.uint8, np.uint16):
        raise HeaderError(f"{image.dtype} pixels; 8 or 16 bit are supported")
    if image.shape != shape:
        raise HeaderError(f"{image.shape} pixels decoded, the header says {shape}")
    return image


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
