"""The files of a run folder."""

from __future__ import annotations

import json
import re
import struct
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from fuzzing import Target, json_growing, written

import scp
from scp.networks import build
from scp.networks.model import Model, load_model, save_model
from scp.runs import KnownImages, Rows, RunFolder, read_config, read_log, run_settings
from scp.selection.choice import asked_for, chosen_ids
from scp.training.checkpoints import Checkpoint, load_checkpoint, save_checkpoint

NETWORK = {"encoder": [16, 16], "depths": [0, 1], "decoder": [16], "channels": 16}


@cache
def _model() -> Model:
    network = build("laptop", **NETWORK)
    facts = {"steps": 7, "images": 3, "losses": [1.5], "options": {"steps": 7}}
    return Model(network, (64, 96), *network.initial(3), "laptop", NETWORK, facts)


def _safetensors_growing(size: int):
    """Headers that claim more than there is, or nest."""

    def file(header: bytes) -> bytes:
        return struct.pack("<Q", len(header)) + header

    yield struct.pack("<Q", 1 << 40) + b"{" * size
    yield file(b"[" * size)
    for text in ("[" * size, "1" * size, '{"a":' * (size // 5)):
        yield file(json.dumps({"__metadata__": {"scp": text}}).encode())
    shape = {"dtype": "F32", "shape": [1 << 20, 1 << 20], "data_offsets": [0, 1 << 42]}
    yield file(json.dumps({"x": shape}).encode()) + bytes(size)
    layers = [{"op": "input", "name": f"a{i}"} for i in range(size // 40)]
    yield file(_header({"network": {"layers": layers, "outputs": [0]}}))
    wide = dict(_model().network.describe())
    wide = json.loads(json.dumps(wide).replace("16", str(1 << 20)))
    yield file(_header({"network": wide}))
    yield file(_header({"size": [1 << 30, 1 << 30]}))


def _header(changes: dict) -> bytes:
    whole = {"format": "model", "version": 1, "preset": "", "options": {}, "training": {}}
    model = {"size": [64, 96], "network": _model().network.describe()}
    return json.dumps({"__metadata__": {"scp": json.dumps(whole | model | changes)}}).encode()


def _with_older(data: bytes) -> list[bytes]:
    """A file, and the same without its digest, so that mutations go deeper."""
    (length,) = struct.unpack("<Q", data[:8])
    content = json.loads(data[8 : 8 + length])
    header = json.loads(content["__metadata__"]["scp"])
    del header["content"]
    content["__metadata__"]["scp"] = json.dumps(header)
    text = json.dumps(content).encode()
    return [data, struct.pack("<Q", len(text)) + text + data[8 + length :]]


def _without_digest(data: bytes) -> list[bytes]:
    """The same of JSON and TOML."""
    older = re.sub(rb'"digest": "\w+",\s*|^digest = .*\n', b"", data)
    assert older != data
    return [data, older]


SIZES = {"parameters": 9, "state": 4}
IDENTITY = {"network": "a1b2", "images": "c3d4", "options": {"steps": 5, "batch": 2}}


def _checkpoint() -> bytes:
    arrays = {name: np.arange(n, dtype=np.float32) for name, n in SIZES.items()}
    content = Checkpoint(arrays, 3, 0.6, 1.5, [float("nan"), 2.0], IDENTITY)
    return written(lambda path: save_checkpoint(path, content))


ROWS = {"a.npy": ((5, 6), np.float32), "b.npy": ((5, 6), np.int32)}


@cache
def _rows() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        table = Rows(folder, "x.ledger", "a", ROWS)
        for i in range(4):
            table.put(i, np.full(6, i + 0.5, np.float32), np.full(6, i, np.int32))
        table.finish()
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def _read_rows(path: Path) -> None:
    for name, data in _rows().items():
        if name != path.name:
            (path.parent / name).write_bytes(data)
    table = Rows(path.parent, "x.ledger", "a", ROWS)
    for i in table.done:
        assert (table.arrays[0][i] == i + 0.5).all() and (table.arrays[1][i] == i).all()
    table.finish()


def _npy_growing(size: int):
    def file(header: str) -> bytes:
        text = header.encode()
        return b"\x93NUMPY\x02\0" + struct.pack("<I", len(text)) + text + bytes(size)

    yield file("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000000)}")
    yield file("(" * size)
    yield file("{'descr': " + "[" * 5000 + "'<f4'")
    yield file("1" * size)
    yield b"\x93NUMPY\x02\0" + struct.pack("<I", (1 << 32) - 1) + b" " * size


@cache
def _run_files() -> dict[str, bytes]:
    """The files of a finished selection."""
    pool = scp.datasets.phantom(4, seed=1, size=(64, 64))
    with tempfile.TemporaryDirectory() as folder:
        extractor = scp.GradientExtractor(size=(64, 64), channels=16)
        run = scp.Run(pool, folder, features=extractor, keypoints="random", count=6)
        run.select([1, 2], groups=["a", "b", "a", "c"])
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def _read_known(path: Path) -> None:
    """images.json or keypoints.npz; the other one is as it was."""
    for name in ("images.json", "keypoints.npz"):
        if name != path.name:
            (path.parent / name).write_bytes(_run_files()[name])
    pool = scp.datasets.phantom(4, seed=1, size=(64, 64))
    settings = json.loads(_run_files()["images.json"])["settings"]
    known = KnownImages(RunFolder(path.parent), pool, settings)
    for i in range(4):
        known.get(i)


def _toml_growing(size: int):
    yield b"a = " + b"[" * size
    yield b"a = " + b"{a=" * (size // 3)
    yield b"a" + b".a" * (size // 2) + b" = 1"
    yield b"a = " + b"1" * size
    yield b"".join(b"[%d]\n" % i for i in range(size // 8))
    yield b'a = "' + b"\\" * size


def _read_folder_log(path: Path) -> None:
    for entry in read_log(path):
        assert isinstance(entry["step"], int) and all(isinstance(v, float) for v in entry["levels"])


LOG = b'{"step": 1, "levels": [2.0, 1.5], "loss": 3.5}\n{"step": 2, "levels": [1.0, NaN]}\n{"st'


TARGETS = [
    Target(
        "weights",
        lambda: _with_older(written(lambda path: save_model(path, _model()))),
        load_model,
        (ValueError,),
        "weights.safetensors",
        [b"F32", b"F16", b"BF16", b"I64", b"\\", b'"'],
        _safetensors_growing,
    ),
    Target(
        "checkpoint",
        lambda: _with_older(_checkpoint()),
        lambda path: load_checkpoint(path, SIZES, IDENTITY, {}),
        (ValueError,),
        "checkpoint.safetensors",
        [b"F32", b"F16", b"BF16", b"I64", b"\\", b'"'],
        _safetensors_growing,
    ),
    *(
        Target(
            f"rows-{name}",
            lambda name=name: [_rows()[name]],
            _read_rows,
            (),
            name,
            [b"'descr'", b"'<f4'", b"'|O'", b"'shape'", b"(5, 6)", b"True"],
            _npy_growing,
        )
        for name in ("x.ledger", "a.npy", "b.npy")
    ),
    Target(
        "images.json",
        lambda: _without_digest(_run_files()["images.json"]),
        _read_known,
        (),
        "images.json",
        grow=json_growing,
    ),
    Target(
        "keypoints.npz",
        lambda: [_run_files()["keypoints.npz"]],
        _read_known,
        (),
        "keypoints.npz",
        [b"PK\1\2", b"PK\3\4", b"PK\5\6", b"\x93NUMPY", b"'shape'", b"<U9"],
    ),
    Target(
        "selection.json",
        lambda: _without_digest(_run_files()["selection.json"]),
        lambda path: (chosen_ids(path), asked_for(path)),
        (ValueError,),
        "selection.json",
        grow=json_growing,
    ),
    Target(
        "config.toml",
        lambda: _without_digest(_run_files()["config.toml"]),
        lambda path: (read_config(path), run_settings(path)),
        (ValueError,),
        "config.toml",
        [b"[a]\n", b'"""', b"'''", b"1979-05-27", b"inf", b"nan", b"0x", b"\\u"],
        _toml_growing,
    ),
    Target(
        "log.jsonl",
        lambda: [LOG],
        _read_folder_log,
        (),
        "log.jsonl",
        [b"\n", b"null"],
        json_growing,
    ),
]
