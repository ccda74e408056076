"""Reads the tensors of a PyTorch file (.pt, .pth) without PyTorch and without running anything.

Such a file is a pickle: a program for a stack machine that can import and call whatever it names.
Here only the instructions that build plain data are carried out, and the names of a fixed list
stand for values, never for something that is called. Everything else is refused with its name.

Two layouts exist: a zip archive (PyTorch 1.6 and later: data.pkl, and data/KEY for each storage)
and a bare stream (before: four pickles, then the storages).
"""

from __future__ import annotations

import math
import os
import pickletools
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import as_strided

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "bf16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "u1",
}
MAPPING, PARAMETER = "OrderedDict", "_rebuild_parameter"
TENSORS = "_rebuild_tensor_v2", "_rebuild_tensor"
NAMES = {
    ("collections", "OrderedDict"): MAPPING,
    **{("torch._utils", name): name for name in (*TENSORS, PARAMETER)},
    **{(m, s): s for s in STORAGES for m in ("torch", "torch.cuda")},
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
LITERALS = {
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "LONG4",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "BINSTRING",
    "SHORT_BINSTRING",
}
MOST_PICKLE = 64 << 20  # bytes of a pickle; that of VGG-19 has 5 KB


class UnsafeFileError(ValueError):
    """The file asks for something that is not read."""


@dataclass(frozen=True)
class _Name:
    """A name of the list, where the file expects what it would import."""

    name: str


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


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
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            if start == b"PK\x03\x04":
                return _read_zip(file, keep)
            if start[:1] == b"\x80":
                return _read_stream(file, path.stat().st_size, keep)
        raise UnsafeFileError("neither a zip archive nor a pickle, so not a PyTorch file")
    except UnsafeFileError as error:
        raise UnsafeFileError(f"{path}: {error}") from None
    except (
        ValueError,
        KeyError,
        IndexError,
        EOFError,
        struct.error,
        zipfile.BadZipFile,
        NotImplementedError,
        UnicodeDecodeError,
        TypeError,
        RuntimeError,
    ) as error:
        raise ValueError(f"{path}: damaged: {error}") from None


def _read_zip(file, keep) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        pickles = [n for n in names if n.endswith("/data.pkl") and n.count("/") == 1]
        if len(pickles) != 1:
            raise UnsafeFileError("the archive has no data.pkl, so it is not a PyTorch file")
        prefix = pickles[0].removesuffix("data.pkl")
        if f"{prefix}constants.pkl" in names:
            raise UnsafeFileError("this is a TorchScript program; save model.state_dict() instead")
        if archive.getinfo(pickles[0]).file_size > MOST_PICKLE:
            raise UnsafeFileError("data.pkl is too large to be the table of a state dict")
        order = "<"
        if f"{prefix}byteorder" in names:
            order = {b"little": "<", b"big": ">"}[archive.read(f"{prefix}byteorder").strip()]
        with archive.open(pickles[0]) as table:
            content = _Machine().run(table)

        def load(storage: _Storage) -> np.ndarray:
            info = archive.getinfo(f"{prefix}data/{storage.key}")
            size = storage.count * _size(storage.dtype)
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != size:
                raise ValueError(f"storage {storage.key} must hold {size} plain bytes")
            return _decode(archive.read(info), storage.dtype, order)

        return _collect(content, keep, load)


def _read_stream(file, size: int, keep) -> dict[str, np.ndarray]:
    machine = _Machine()
    if machine.run(file) != MAGIC:
        raise UnsafeFileError("a pickle, but not one that torch.save has written")
    if machine.run(file) != 1001:
        raise UnsafeFileError("protocol of torch.save is not 1001")
    order = "<" if machine.run(file)["little_endian"] else ">"
    machine = _Machine()
    content, keys = machine.run(file), machine.run(file)
    places, storages = {}, machine.storages
    for key in keys:
        (count,) = struct.unpack(f"{order}q", file.read(8))
        if key not in storages or storages[key].count != count:
            raise ValueError(f"storage {key!r} has another size than the table says")
        places[key] = file.tell()
        if file.seek(count * _size(storages[key].dtype), os.SEEK_CUR) > size:
            raise ValueError("the file ends early")

    def load(storage: _Storage) -> np.ndarray:
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
        if isinstance(name, str) and isinstance(tensor, _Tensor) and (not keep or keep(name)):
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


class _Bounded:
    """A file that refuses to read what a damaged length asks for."""

    def __init__(self, file):
        self.file = file

    def read(self, count: int) -> bytes:
        if not 0 <= count <= MOST_PICKLE:
            raise ValueError(f"the pickle asks for {count} bytes at once")
        return self.file.read(count)

    def readline(self) -> bytes:
        return self.file.readline(MOST_PICKLE)


class _Machine:
    """The part of pickle's stack machine that builds data."""

    def __init__(self):
        self.storages: dict[str, _Storage] = {}

    def run(self, file):
        """The value of the pickle that starts at the file's position."""
        self.stack: list = []
        self.marks: list[list] = []
        self.memo: dict[int, object] = {}
        for opcode, argument, _ in pickletools.genops(_Bounded(file)):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name in CONSTANTS:
                self.stack.append(CONSTANTS[name])
            elif name in LITERALS:
                self.stack.append(argument)
            else:
                step = getattr(self, f"do_{name.lower()}", None)
                if step is None:
                    raise UnsafeFileError(f"the pickle has the instruction {name}")
                step(argument)
        raise ValueError("the pickle ends early")

    def _marked(self) -> list:
        """What was pushed since the last mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def do_proto(self, argument):
        if argument > 5:
            raise UnsafeFileError(f"pickle protocol {argument} is not known")

    def do_frame(self, argument):
        pass

    def do_mark(self, _):
        self.marks.append(self.stack)
        self.stack = []

    def do_pop(self, _):
        self.stack.pop()

    def do_empty_dict(self, _):
        self.stack.append({})

    def do_empty_list(self, _):
        self.stack.append([])

    def do_empty_tuple(self, _):
        self.stack.append(())

    def do_tuple(self, _):
        items = tuple(self._marked())
        self.stack.append(items)

    def do_tuple1(self, _):
        self.stack[-1:] = [tuple(self.stack[-1:])]

    def do_tuple2(self, _):
        self.stack[-2:] = [tuple(self.stack[-2:])]

    def do_tuple3(self, _):
        self.stack[-3:] = [tuple(self.stack[-3:])]

    def do_binput(self, argument):
        self.memo[argument] = self.stack[-1]

    do_long_binput = do_binput

    def do_memoize(self, _):
        self.memo[len(self.memo)] = self.stack[-1]

    def do_binget(self, argument):
        self.stack.append(self.memo[argument])

    do_long_binget = do_binget

    def do_setitem(self, _):
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key, value])

    def do_setitems(self, _):
        items = self._marked()
        self._put(items)

    def _put(self, items):
        if not isinstance(self.stack[-1], dict):
            raise UnsafeFileError("the pickle sets items of something that is not a dict")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def do_append(self, _):
        value = self.stack.pop()
        self._extend([value])

    def do_appends(self, _):
        items = self._marked()
        self._extend(items)

    def _extend(self, items):
        if not isinstance(self.stack[-1], list):
            raise UnsafeFileError("the pickle appends to something that is not a list")
        self.stack[-1].extend(items)

    def do_global(self, argument):
        self._name(*argument.split(" ", 1))

    def do_stack_global(self, _):
        name, module = self.stack.pop(), self.stack.pop()
        self._name(module, name)

    def _name(self, module, name):
        known = isinstance(module, str) and isinstance(name, str) and NAMES.get((module, name))
        if not known:
            raise UnsafeFileError(
                f"the file names {module}.{name}, which is not plain tensors; if this is a whole "
                "model, save model.state_dict() instead"
            )
        self.stack.append(_Name(known))

    def do_reduce(self, _):
        arguments, what = self.stack.pop(), self.stack.pop()
        if not isinstance(what, _Name) or not isinstance(arguments, tuple):
            raise UnsafeFileError("the pickle calls something that is not a name of the list")
        if what.name == MAPPING:
            self.stack.append(dict(*arguments) if arguments else {})
        elif what.name in TENSORS:
            self.stack.append(self._tensor(*arguments[:4]))
        elif what.name == PARAMETER and isinstance(arguments[0], _Tensor):
            self.stack.append(arguments[0])
        else:
            raise UnsafeFileError(f"the pickle calls {what.name}")

    def do_build(self, _):
        self.stack.pop()  # _metadata of a state dict: version numbers
        if not isinstance(self.stack[-1], dict):
            raise UnsafeFileError("the pickle sets the state of something that is not a dict")

    def do_binpersid(self, _):
        entry = self.stack.pop()
        kind, storage, key, _, count, *view = entry
        if kind != "storage" or not isinstance(storage, _Name) or storage.name not in STORAGES:
            raise UnsafeFileError(f"the pickle refers to {kind!r}, which is not a storage")
        if any(v is not None for v in view):
            raise UnsafeFileError("a storage that is part of another one is not read")
        if not isinstance(key, str) or type(count) is not int or count < 0:
            raise ValueError("a storage needs a name and a size")
        found = _Storage(key, STORAGES[storage.name], count)
        if self.storages.setdefault(key, found) != found:
            raise ValueError(f"storage {key!r} is described in two ways")
        self.stack.append(found)

    def _tensor(self, storage, offset, shape, strides) -> _Tensor:
        numbers = [offset, *shape, *strides]
        if not isinstance(storage, _Storage) or any(type(v) is not int or v < 0 for v in numbers):
            raise ValueError("a tensor needs a storage and whole numbers")
        if len(strides) != len(shape):
            raise ValueError("a tensor needs as many strides as dimensions")
        count = math.prod(shape)
        reach = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + 1 if count else 0
        if offset + reach > storage.count or count > storage.count:
            raise ValueError("a tensor reaches beyond its storage")
        return _Tensor(storage, offset, tuple(shape), tuple(strides))
