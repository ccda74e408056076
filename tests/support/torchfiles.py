"""Files as torch.save writes them, made without PyTorch."""

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"f4": "FloatStorage", "f2": "HalfStorage", "f8": "DoubleStorage", "i8": "LongStorage"}


class Fake:
    """A tensor, as PyTorch pickles it."""

    def __init__(self, array: np.ndarray, key: str, strides=None, offset: int = 0):
        self.array, self.key, self.offset = array, key, offset
        step, self.strides = 1, []
        for n in reversed(array.shape):
            self.strides.insert(0, step)
            step *= n
        self.strides = strides or tuple(self.strides)

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        arguments = (self, self.offset, self.array.shape, self.strides, False, OrderedDict())
        return rebuild, (Storage(self), *arguments[1:])


class Storage:
    def __init__(self, tensor: Fake):
        self.tensor = tensor


class Pickler(pickle.Pickler):
    legacy = False

    def persistent_id(self, item):
        if not isinstance(item, Storage):
            return None
        tensor = item.tensor
        dtype = tensor.array.dtype.str[1:]
        kind = getattr(sys.modules["torch"], STORAGES[dtype])
        entry = ("storage", kind, tensor.key, "cpu", tensor.array.size + tensor.offset)
        return (*entry, None) if self.legacy else entry


def fake_torch(monkeypatch) -> None:
    """Modules that pickle finds the names in while a file is written."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        raise AssertionError("executed")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = (
        "torch._utils",
        "_rebuild_tensor_v2",
    )
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch._utils = utils
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def dumps(value, legacy=False) -> bytes:
    out = io.BytesIO()
    pickler = Pickler(out, protocol=2)
    pickler.legacy = legacy
    pickler.dump(value)
    return out.getvalue()


def state_dict(arrays: dict[str, np.ndarray]) -> OrderedDict:
    content = OrderedDict((n, Fake(a, str(i))) for i, (n, a) in enumerate(arrays.items()))
    content._metadata = OrderedDict({"": {"version": 1}})
    return content


def raw(fake: Fake) -> bytes:
    return bytes(fake.array.itemsize * fake.offset) + fake.array.tobytes()


def write_zip(path, content: dict, table: bytes | None = None) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", dumps(content) if table is None else table)
        archive.writestr("archive/byteorder", "little")
        for fake in {f.key: f for f in content.values() if isinstance(f, Fake)}.values():
            archive.writestr(f"archive/data/{fake.key}", raw(fake))
        archive.writestr("archive/version", "3\n")


def write_stream(path, content: dict, table: bytes | None = None) -> None:
    fakes = {f.key: f for f in content.values() if isinstance(f, Fake)}
    with open(path, "wb") as file:
        file.write(pickle.dumps(MAGIC, 2) + pickle.dumps(1001, 2))
        file.write(
            pickle.dumps(
                {
                    "protocol_version": 1001,
                    "little_endian": True,
                    "type_sizes": {"short": 2, "int": 4, "long": 4},
                },
                2,
            )
        )
        file.write(dumps(content, legacy=True) if table is None else table)
        file.write(pickle.dumps(sorted(fakes), 2))
        for key in sorted(fakes):
            file.write(struct.pack("<q", fakes[key].array.size + fakes[key].offset))
            file.write(raw(fakes[key]))
