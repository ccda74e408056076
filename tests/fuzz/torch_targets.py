"""PyTorch files: the pickle by itself, and both layouts."""

from __future__ import annotations

import io
import struct
import zipfile
from collections import OrderedDict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torchfiles
from fuzzing import Target, written
from torchfiles import Fake, dumps, state_dict

from scp.networks.torchfile import UnsafeFileError, read_torch


@cache
def _torch_parts() -> list[tuple[bytes, OrderedDict]]:
    with pytest.MonkeyPatch.context() as patch:
        torchfiles.fake_torch(patch)
        arrays = {
            "features.0.weight": np.ones((2, 3, 3, 3), np.float32),
            "features.0.bias": np.arange(4, dtype=np.float16),
            "count": np.array(7, np.int64),
        }
        whole = state_dict(arrays)
        nested = OrderedDict(part=Fake(np.arange(6, dtype=np.float32).reshape(2, 3), "7", offset=5))
        return [
            (dumps(whole), whole),
            (dumps({"epoch": 3, "loss": 0.5, "state_dict": nested}), nested),
        ]


def _torch_files(write) -> list[bytes]:
    with pytest.MonkeyPatch.context() as patch:
        torchfiles.fake_torch(patch)
        return [written(lambda p, c=content: write(p, c)) for _, content in _torch_parts()]


def _read_pickle(path: Path) -> None:
    """The file is the pickle of an archive."""
    table, out = path.read_bytes(), io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", table)
        for key, size in {"0": 216, "1": 8, "2": 8, "7": 44}.items():
            archive.writestr(f"archive/data/{key}", bytes(size))
    path.write_bytes(out.getvalue())
    _consume(read_torch(path))


def _consume(arrays) -> None:
    for array in arrays.values():
        assert array.nbytes < 1 << 20
        array.sum()


PICKLE_WORDS = [
    *(b"h\x00", b"q\x00", b"h\x01", b"q\x01", b"\x86", b"\x87", b"\x85", b"(", b"t", b"}", b"]"),
    *(b")", b"R", b"Q", b"b", b"s", b"u", b"a", b"e", b"K\x01", b"\x8a\x08" + b"\xff" * 8, b"N"),
    *(
        b"ccollections\nOrderedDict\n",
        b"ctorch._utils\n_rebuild_tensor_v2\n",
        b"X\x01\0\0\0x",
        b"0",
    ),
    *(
        b"\x94",
        b"\x8f",
        b"\x90",
        b"\x91",
        b"\x8c\x01x",
        b"X\xff\xff\xff\x7f",
        b"\x8b\xff\xff\xff\x7f",
    ),
]


def _torch_growing(size: int):
    """Tuples that hold the one before twice; dicts of one list; shapes of one tuple; long names."""
    head = b"\x80\x02"
    deep = head + b"Nq\0" + b"h\0h\0\x86q\0" * (size // 7)
    yield deep + b"."
    yield head + b"}" + deep[2:] + b"Ns."
    yield head + b"(" * (size - 3) + b"."
    yield head + b"\x8c\x01x" + b"\x85" * size + b"."
    pairs = b"](" + b"K\x01K\x02\x86" * (size // 10) + b"e\x85q\0"
    yield head + pairs + b"ccollections\nOrderedDict\nq\1" + b"h\1h\0R" * (size // 10) + b"."
    name = b"X" + struct.pack("<I", size // 4) + b"x" * (size // 4)
    yield head + name + b"q\0" + name + b"q\1}" + b"h\0Nsh\1Ns" * (size // 16) + b"."
    shape = b"(" + b"K\1" * (size // 4) + b"tq\0"
    call = b"ctorch._utils\n_rebuild_tensor_v2\nq\1" + b"h\1(Nh\0h\0h\0tR" * (size // 24)
    yield head + shape + call + b"."
    digits = b"\x8b" + struct.pack("<I", size // 2) + b"\x7f" * (size // 2) + b"q\0"
    yield head + digits + b"}" + b"h\0Ns" * (size // 8) + b"."
    yield head + b"L" + b"9" * size + b"L\n."


TARGETS = [
    Target(
        "torch-pickle",
        lambda: [table for table, _ in _torch_parts()],
        _read_pickle,
        (ValueError, UnsafeFileError),
        "case.pth",
        PICKLE_WORDS,
        _torch_growing,
    ),
    Target(
        "torch-zip",
        lambda: _torch_files(torchfiles.write_zip),
        lambda path: _consume(read_torch(path)),
        (ValueError, UnsafeFileError),
        "case.pth",
        [b"PK\1\2", b"PK\3\4", b"PK\5\6", b"data.pkl", b"archive/"],
    ),
    Target(
        "torch-stream",
        lambda: _torch_files(torchfiles.write_stream),
        lambda path: _consume(read_torch(path)),
        (ValueError, UnsafeFileError),
        "case.pth",
        PICKLE_WORDS,
        lambda size: _torch_growing(size),
    ),
]
