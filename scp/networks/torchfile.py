"""Reads the tensors of a PyTorch file (.pt, .pth) without PyTorch and without running anything.

Two layouts exist: a zip archive (PyTorch 1.6 and later: data.pkl, and data/KEY for each storage)
and a bare stream (before: four pickles, then the storages). What a pickle may do is in
`torchpickle`; time and memory are at most in proportion to the size of the file.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..runs import brief
from .torchpickle import MOST_PICKLE, Bounded, Machine, Storage, Tensor, UnsafeFileError

MAGIC = 0x1950A86A20F9469CFC6C
MOST_ENTRIES = 8 << 20  # bytes of an archive's table of contents: some 100,000 entries
_DAMAGED = (
    *(ValueError, TypeError, LookupError, ArithmeticError, EOFError, AttributeError),
    *(struct.error, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError),
)


def read_torch(
    path: str | os.PathLike[str], keep: Callable[[str], bool] | None = None
) -> dict[str, np.ndarray]:
    """The tensors of a saved state dict, by name.

    Args:
        path: the file; a mapping from names to tensors, or one with such a mapping under
            "state_dict". Values that are not tensors are left out.
        keep: which names to read (all if None); the others cost no memory.

    Returns:
        Arrays of the saved type (bfloat16 as float32, bool as uint8); tensors that shared their
        memory in the file share it here.

    Raises:
        UnsafeFileError: the file names something else than plain data, or is not of this kind.
        ValueError: it is damaged.
    """
    path = Path(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(4)
        file.seek(0)
        try:
            if start == b"PK\x03\x04":
                return _read_zip(file, size, keep)
            if start[:1] == b"\x80":
                return _read_stream(file, size, keep)
            raise UnsafeFileError("neither a zip archive nor a pickle, so not a PyTorch file")
        except UnsafeFileError as error:
            raise UnsafeFileError(f"{path}: {error}") from None
        except (*_DAMAGED, OSError) as error:  # OSError: a place before the start of the file
            raise ValueError(f"{path}: damaged: {brief(error)}") from None


def _read_zip(file, size: int, keep) -> dict[str, np.ndarray]:
    bounded = Bounded(file, MOST_ENTRIES)
    with zipfile.ZipFile(bounded) as archive:
        bounded.most = None
        names = archive.namelist()
        if len(set(names)) != len(names):
            raise UnsafeFileError("the archive has two entries of one name")
        pickles = [n for n in names if n.endswith("/data.pkl") and n.count("/") == 1]
        if len(pickles) != 1:
            raise UnsafeFileError("the archive has no data.pkl, so it is not a PyTorch file")
        prefix = pickles[0].removesuffix("data.pkl")
        if f"{prefix}constants.pkl" in names:
            raise UnsafeFileError("this is a TorchScript program; save model.state_dict() instead")
        order = "<"
        if f"{prefix}byteorder" in names:
            word = _unpacked(archive, f"{prefix}byteorder", 16).strip()
            order = {b"little": "<", b"big": ">"}[word]
        content = Machine().run(io.BytesIO(_unpacked(archive, pickles[0], MOST_PICKLE)))
        left = size

        def load(storage: Storage) -> np.ndarray:
            nonlocal left
            info = archive.getinfo(f"{prefix}data/{storage.key}")
            count = storage.count * _size(storage.dtype)
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != count:
                raise ValueError(f"storage {storage.key} must hold {count} plain bytes")
            left -= count
            if left < 0:
                raise ValueError("the storages together are larger than the file")
            return _decode(archive.read(info), storage.dtype, order)

        return _collect(content, keep, load)


def _unpacked(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A small entry, packed or not; what it says of its size is what is unpacked at most."""
    info = archive.getinfo(name)
    if info.file_size > most or info.compress_size > most:
        raise UnsafeFileError(f"{name} is too large for what it should be")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsafeFileError(f"{name} is packed in a way that PyTorch does not use")
    return archive.read(info)


def _read_stream(file, size: int, keep) -> dict[str, np.ndarray]:
    machine = Machine()
    first = machine.run(file)
    if type(first) is not int or first != MAGIC:
        raise UnsafeFileError("a pickle, but not one that torch.save has written")
    if machine.run(file) != 1001:
        raise UnsafeFileError("protocol of torch.save is not 1001")
    order = "<" if machine.run(file)["little_endian"] else ">"
    machine = Machine()
    content, keys = machine.run(file), machine.run(file)
    places, storages = {}, machine.storages
    for key in keys:
        (count,) = struct.unpack(f"{order}q", file.read(8))
        if not isinstance(key, str) or key not in storages or storages[key].count != count:
            raise ValueError("a storage has another name or size than the table says")
        places[key] = file.tell()
        if file.seek(count * _size(storages[key].dtype), os.SEEK_CUR) > size:
            raise ValueError("the file ends early")

    def load(storage: Storage) -> np.ndarray:
        file.seek(places[storage.key])
        return _decode(file.read(storage.count * _size(storage.dtype)), storage.dtype, order)

    return _collect(content, keep, load)


def _collect(content, keep, load) -> dict[str, np.ndarray]:
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise UnsafeFileError("it holds no state dict")
    out, storages = {}, {}
    for name, tensor in content.items():
        if isinstance(name, str) and isinstance(tensor, Tensor) and (not keep or keep(name)):
            key = tensor.storage.key
            if key not in storages:
                storages[key] = load(tensor.storage)
            start = storages[key][tensor.offset :]
            strides = [s * start.itemsize for s in tensor.strides]
            out[name] = as_strided(start, tensor.shape, strides, writeable=False)
    return out


def _size(dtype: str) -> int:
    return 2 if dtype == "bf16" else np.dtype(dtype).itemsize


def _decode(data: bytes, dtype: str, order: str) -> np.ndarray:
    if dtype == "bf16":
        return (np.frombuffer(data, f"{order}u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, order + dtype).astype(dtype)
