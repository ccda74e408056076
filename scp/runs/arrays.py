"""Arrays in .npy and .npz files that may be damaged: what a header claims is compared with the file
before anything is set aside or decoded."""

from __future__ import annotations

import io
import math
import os
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .plain import brief

MOST_UNPACKED, MOST_PACKING = 24 << 20, 40  # bytes; times the size of the file
_DAMAGED = (
    *(ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError, EOFError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)
_NO_HEADER = (*_DAMAGED, SyntaxError, tokenize.TokenError, MemoryError)  # it is read as Python


def npy_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array whose .npy header begins at the file's position; the numbers
    follow it.

    Raises:
        ValueError: no such header; or objects, or an array in the order of Fortran.
    """
    shape, fortran, kind = _header(file)
    if fortran:
        raise ValueError("not an array of numbers, row by row")
    return shape, kind


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the first index runs fastest, and type."""
    try:
        if np.lib.format.read_magic(file) != (1, 0):  # others may claim a header of 4 GB
            raise ValueError
        with warnings.catch_warnings():  # of headers that Python 2 wrote
            warnings.simplefilter("ignore")
            shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
    except _NO_HEADER as error:
        raise ValueError(f"not the header of an array ({type(error).__name__})") from None
    if kind.hasobject:
        raise ValueError("an array of Python objects, which is not read: save numbers or texts")
    if any(n < 0 for n in shape):
        raise ValueError("not an array of numbers, row by row")
    return tuple(shape), fortran, kind


def parse_npy(data: bytes) -> np.ndarray:
    """The array of a .npy file, read-only; ValueError if it is not exactly one."""
    file = io.BytesIO(data)
    shape, kind = npy_header(file)
    count = math.prod(shape)
    if count * kind.itemsize != len(data) - file.tell():
        raise ValueError("the array has another size than its header says")
    return np.frombuffer(data, kind, count, file.tell()).reshape(shape)


def map_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of a .npy file in any order of its axes, read-only, read where it is used.

    Raises:
        ValueError: it is not exactly one array of plain values; names the file.
    """
    try:
        with Path(path).open("rb") as file:
            shape, fortran, kind = _header(file)
            start = file.tell()
            there, said = os.fstat(file.fileno()).st_size - start, math.prod(shape) * kind.itemsize
            if there != said:
                raise ValueError(f"its header says {said} bytes of numbers, and there are {there}")
            order = "F" if fortran else "C"
            if not said:
                return np.empty(shape, kind, order)
            return np.memmap(file, kind, "r", start, shape, order).view(np.ndarray)
    except _DAMAGED as error:
        raise ValueError(f"{path}: damaged: {brief(error)}") from None


def unpack_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """All arrays of a .npz file of `numpy.savez` or `numpy.savez_compressed`, read-only.

    Raises:
        ValueError: it is damaged; or it claims to be larger unpacked than MOST_UNPACKED and
            MOST_PACKING times the file; names the file.
    """
    with Path(path).open("rb") as raw:
        try:
            return dict(_unpacked_all(raw))
        except (*_DAMAGED, OSError) as error:  # OSError: a place before the start of the file
            raise ValueError(f"{path}: damaged: {brief(error)}") from None


def _unpacked_all(raw: BinaryIO) -> Iterator[tuple[str, np.ndarray]]:
    left = max(MOST_UNPACKED, MOST_PACKING * os.fstat(raw.fileno()).st_size)
    with zipfile.ZipFile(raw) as archive:
        for info in archive.infolist():
            left -= info.file_size
            if left < 0:
                raise ValueError("packed too well to be trusted: use numpy.savez, or .npy")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{info.filename} is packed in a way that NumPy does not use")
            yield info.filename.removesuffix(".npy"), _unpacked(archive, info)


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as file:
        shape, fortran, kind = _header(file)
        size = math.prod(shape) * kind.itemsize
        if size != info.file_size - file.tell():
            raise ValueError(f"{info.filename} has another size than its header says")
        data = file.read(size + 1)  # to the end: the checksum is looked at there
        if len(data) != size:
            raise ValueError(f"{info.filename} ends early")
    if kind.itemsize == 0:
        return np.empty(shape, kind)
    flat = np.frombuffer(data, kind)
    return flat.reshape(shape, order="F" if fortran else "C")


def read_npz(
    path: str | os.PathLike[str], names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """These arrays of a .npz file that `numpy.savez` wrote, not packed; or all.

    Raises:
        ValueError: it is damaged, one is missing, or they claim more than the file has; names the
            file.
    """
    try:
        data = Path(path).read_bytes()
        left = len(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [name.removesuffix(".npy") for name in archive.namelist()]
            out = {}
            for name in found if names is None else names:
                info = archive.getinfo(f"{name}.npy")
                left -= info.file_size
                if info.compress_type != zipfile.ZIP_STORED or left < 0:
                    raise ValueError(f"{name} is packed, or too large")
                out[name] = parse_npy(archive.read(info))
            return out
    except _DAMAGED as error:
        raise ValueError(f"{path}: damaged: {brief(error)}") from None
