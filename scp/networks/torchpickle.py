"""The pickle in a PyTorch file: a program for a stack machine, of which only what builds plain
data is carried out.

What it may cost is bounded by the file: each step takes a byte of it or more, steps and bytes have
a limit, and no step touches more than it took from the stack. So nothing is hashed, compared or
written into a message but names and whole numbers: a tuple that holds another one twice, 45 deep,
has 2^45 leaves in 278 bytes.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, BinaryIO

MOST_PICKLE = 16 << 20  # bytes of a pickle; that of VGG-19 has 5 KB
MOST_STEPS = 1 << 20  # a tensor takes about 25
MOST_NAME = 1000  # characters of the name of a tensor or storage
MOST_AXES = 32
MOST_ITEMS = 1 << 48  # of an axis, a stride, a storage

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
EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
}


class UnsafeFileError(ValueError):
    """The file asks for something that is not read."""


@dataclass(frozen=True)
class _Name:
    """A name of the list, where the file expects what it would import."""

    name: str


@dataclass(frozen=True)
class Storage:
    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class Tensor:
    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Bounded:
    """A file that refuses to read more than `most` bytes at once, as a damaged length may ask."""

    def __init__(self, file: BinaryIO, most: int | None = MOST_PICKLE):
        self.file, self.most = file, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def read(self, count: int = -1) -> bytes:
        if self.most is None:
            return self.file.read(count)
        data = self.file.read(min(count, self.most + 1) if count >= 0 else self.most + 1)
        if max(count, len(data)) > self.most:
            raise ValueError(f"it asks for more than {self.most} bytes at once")
        return data

    def readline(self) -> bytes:
        return self.file.readline(MOST_NAME)


class Machine:
    """Attributes: storages: those that the pickles run so far refer to, by key."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self.steps = 0

    def run(self, file: BinaryIO) -> Any:
        """The value of the pickle that starts at the file's position."""
        self.stack: list = []
        self.marks: list[list] = []
        self.memo: dict[int, object] = {}
        for opcode, argument, _ in pickletools.genops(Bounded(file)):
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise UnsafeFileError(f"the pickle has more than {MOST_STEPS} instructions")
            if opcode.name == "STOP":
                return self.stack.pop()
            self._step(opcode.name, argument)
        raise ValueError("the pickle ends early")

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name in TUPLES:
            stack.append(tuple(reversed([stack.pop() for _ in range(TUPLES[name])])))
        else:
            step = getattr(self, f"do_{name.lower()}", None)
            if step is None:
                raise UnsafeFileError(f"the pickle has the instruction {name}")
            step(argument)

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

    def do_tuple(self, _):
        items = self._marked()
        self.stack.append(tuple(items))

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
        self._put(self.stack[-1], [key], [value])

    def do_setitems(self, _):
        items = self._marked()
        self._put(self.stack[-1], items[::2], items[1::2])

    def _put(self, target, keys: list, values: list) -> None:
        if not isinstance(target, dict):
            raise UnsafeFileError("the pickle sets items of something that is not a dict")
        for key, value in zip(keys, values, strict=True):
            target[_key(key)] = value

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

    def _name(self, module, name) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise UnsafeFileError("the pickle names something with a name that is not text")
        known = NAMES.get((module, name))
        if not known:
            shown = ascii(f"{module[:80]}.{name[:80]}")[1:-1]
            raise UnsafeFileError(
                f"the file names {shown}, which is not plain tensors; if this is a whole model, "
                "save model.state_dict() instead"
            )
        self.stack.append(_Name(known))

    def do_reduce(self, _):
        arguments, what = self.stack.pop(), self.stack.pop()
        if not isinstance(what, _Name) or not isinstance(arguments, tuple):
            raise UnsafeFileError("the pickle calls something that is not a name of the list")
        if what.name == MAPPING:
            self.stack.append(self._mapping(*arguments))
        elif what.name in TENSORS:
            self.stack.append(_tensor(*arguments[:4]))
        elif what.name == PARAMETER and arguments and isinstance(arguments[0], Tensor):
            self.stack.append(arguments[0])
        else:
            raise UnsafeFileError(f"the pickle calls {what.name}")

    def _mapping(self, pairs=()) -> dict:
        """An OrderedDict; Python 2 gave it a list of its pairs."""
        out: dict = {}
        self.steps += len(pairs)  # a list that is there once can be given any number of times
        if self.steps > MOST_STEPS:
            raise UnsafeFileError(f"the pickle asks for more than {MOST_STEPS} items")
        for pair in pairs:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise ValueError("a dict needs pairs of a name and a value")
            self._put(out, [pair[0]], [pair[1]])
        return out

    def do_build(self, _):
        self.stack.pop()  # _metadata of a state dict: version numbers
        if not isinstance(self.stack[-1], dict):
            raise UnsafeFileError("the pickle sets the state of something that is not a dict")

    def do_binpersid(self, _):
        entry = self.stack.pop()
        if not isinstance(entry, tuple) or not 5 <= len(entry) <= 6:
            raise UnsafeFileError("the pickle refers to something that is not a storage")
        kind, storage, key, _, count, *view = entry
        known = isinstance(storage, _Name) and storage.name in STORAGES
        if not isinstance(kind, str) or kind != "storage" or not known:
            raise UnsafeFileError("the pickle refers to something that is not a storage")
        if any(v is not None for v in view):
            raise UnsafeFileError("a storage that is part of another one is not read")
        if not isinstance(key, str) or not _counts(count):
            raise ValueError("a storage needs a name and a size")
        found = Storage(_key(key), STORAGES[storage.name], count)
        if self.storages.setdefault(key, found) != found:
            raise ValueError(f"storage {key[:80]!a} is described in two ways")
        self.stack.append(found)


def _key(value: object) -> Hashable:
    """A key of a dict: text or a whole number, neither long."""
    if isinstance(value, str) and len(value) <= MOST_NAME:
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value
    raise UnsafeFileError(
        f"a dict has a key that is no name: {type(value).__name__}"
        + (f" of {len(value)} characters" if isinstance(value, str) else "")
    )


def _counts(*values: object) -> bool:
    return all(type(v) is int and 0 <= v < MOST_ITEMS for v in values)


def _tensor(storage, offset, shape, strides) -> Tensor:
    if not all(isinstance(v, tuple | list) and len(v) <= MOST_AXES for v in (shape, strides)):
        raise ValueError(f"a tensor needs a shape and strides, of {MOST_AXES} axes at most")
    if not isinstance(storage, Storage) or not _counts(offset, *shape, *strides):
        raise ValueError("a tensor needs a storage and whole numbers")
    if len(strides) != len(shape):
        raise ValueError("a tensor needs as many strides as dimensions")
    count = math.prod(shape)
    reach = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + 1 if count else 0
    if offset + reach > storage.count or count > storage.count:
        raise ValueError("a tensor reaches beyond its storage")
    return Tensor(storage, offset, tuple(shape), tuple(strides))
