"""Arrays in .npy and .npz files that may be damaged: what a header claims is compared with the file
before anything is set aside or decoded."""

from __future__ import annotations

import io
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .plain import brief

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
    try:
        if np.lib.format.read_magic(file) != (1, 0):  # others may claim a header of 4 GB
            raise ValueError
        shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
    except _NO_HEADER as error:
        raise ValueError(f"not the header of an array ({type(error).__name__})") from None
    if fortran or kind.hasobject or any(n < 0 for n in shape):
        raise ValueError("not an array of numbers, row by row")
    return tuple(shape), kind


def parse_npy(data: bytes) -> np.ndarray:
    """The array of a .npy file, read-only; ValueError if it is not exactly one."""
    file = io.BytesIO(data)
    shape, kind = npy_header(file)
    count = math.prod(shape)
    if count * kind.itemsize != len(data) - file.tell():
        raise ValueError("the array has another size than its header says")
    return np.frombuffer(data, kind, count, file.tell()).reshape(shape)


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
