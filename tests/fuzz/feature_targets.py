"""Features of people's own in files."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
from fuzzing import Target
from safetensors.numpy import save

import scp
from scp.datasets import DatasetError
from scp.features import MapExtractor, own_features

IMAGES = scp.datasets.arrays([np.zeros((8, 8), np.uint8)] * 3, ids=["a", "b", "c"])
VECTORS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
MAPS = np.random.default_rng(1).normal(size=(3, 2, 4, 4)).astype(np.float32)


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _npz(save, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def _read(path: Path) -> None:
    features = own_features(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features = features.of_images(IMAGES)
    if isinstance(features, MapExtractor):
        try:
            pyramids = [features.pyramid_of(IMAGES, i) for i in range(3)]
        except ValueError as error:  # names the image
            raise ValueError(f"{path}: {error}") from None
        assert all((np.abs(p.features) <= 1.0001).all() for p in pyramids)
    else:
        lengths = np.linalg.norm(features.unit(IMAGES).astype(np.float64), axis=1)
        assert np.allclose(lengths, 1, atol=1e-5)


def _header(shape: str, kind: str = "<f4") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text + b"\n").to_bytes(2, "little") + text + b"\n"


def _npy_growing(size: int):
    for shape in ("(3, 99999999999)", "(0, 4)", "(3, 0)", "(3,)", "()", "(3, 1, 0, 0)", "(-1, 4)"):
        yield _header(shape) + bytes(size)
    yield _header(f"(3, {size // 12})") + bytes(size // 12 * 12)
    yield _header(f"({size // 4}, 1)") + bytes(size // 4 * 4)
    yield _header(f"(3, {max(size // 24, 1)}, 1, 2)") + bytes(max(size // 24, 1) * 24)
    yield _header("(" * min(size, 60_000))
    yield _header("(3, 4)", "<U4") + bytes(3 * 4 * 16)
    yield b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\x7f" + bytes(size)


def _npz_growing(size: int):
    for data in _npy_growing(size * 8):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("vectors.npy", data)
        yield file.getvalue()
    for n in (size // 100, size // 200):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for k in range(n):
                archive.writestr(f"{k}.npy", b"")
        yield file.getvalue()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.npy", _header(f"(3, {size * 60})") + bytes(size * 720))
    yield file.getvalue()


def _csv_growing(size: int):
    yield b"image,x\n" + b"a,1\n" * (size // 4)
    yield b"a" + b",1" * (size // 2)
    yield b"a," + b"1" * size
    yield b'a,"' + b"1" * size
    yield b"a;1,5\n" * (size // 6)
    yield b"\n" * size + b"a,1\nb,2\nc,3"


def _tensors_growing(size: int):
    for text in (
        b'{"a":' * (size // 5),
        b'{"a":{"dtype":"F32","shape":[' + b"1," * (size // 2) + b'1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,4]}}',
        b"{" + b" " * size + b"}",
    ):
        yield len(text).to_bytes(8, "little") + text + bytes(4)
    yield (size * 1000).to_bytes(8, "little") + bytes(size)


IDS = np.array(["c", "a", "b"])
TARGETS = [
    Target(
        "features.npy",
        lambda: [_npy(VECTORS), _npy(np.asfortranarray(VECTORS)), _npy(MAPS.astype(">f8"))],
        _read,
        file="case.npy",
        words=(b"'<f4'", b"'|O'", b"True", b"'<U8'", b"(3, 4)", b"\x02", b"<M8[s]"),
        grow=_npy_growing,
    ),
    Target(
        "features.npz",
        lambda: [
            _npz(np.savez, vectors=VECTORS, ids=IDS),
            _npz(np.savez_compressed, vectors=VECTORS, ids=IDS.astype("S")),
            _npz(np.savez, maps0=MAPS[:, :, ::2, ::2], maps1=MAPS, ids=IDS),
        ],
        _read,
        file="case.npz",
        words=(b"PK\x05\x06", b"PK\x01\x02", b"ids.npy", b"|O", b"<U1"),
        grow=_npz_growing,
    ),
    Target(
        "features.csv",
        lambda: [
            b"image,x,y\nc,1,2\na,3,4e-1\nb,5,6\n",
            b"c,1,2\r\na,3,4\r\nb,5,-6",
            "\ufeffimage;x\nc;1,5\na;2\nb;3\n".encode(),
        ],
        _read,
        file="case.csv",
        words=(b",", b"\n", b"nan", b"inf", b"1e999", b'"', b";", b"\xff\xfe", b"\x00"),
        grow=_csv_growing,
        errors=(ValueError, DatasetError),
    ),
    Target(
        "features.safetensors",
        lambda: [
            save({"vectors": VECTORS}),
            save({name: np.arange(1, 5, dtype=np.float32) + k for k, name in enumerate("cab")}),
            save({"maps": MAPS}),
        ],
        _read,
        file="case.safetensors",
        words=(b'"F32"', b'"F64"', b'"BF16"', b"[3,4]", b'"__metadata__"', b"{", b"\xff" * 8),
        grow=_tensors_growing,
    ),
]
