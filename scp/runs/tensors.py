"""Tensors by name in safetensors files: weights and checkpoints."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .files import writing
from .plain import brief, parse_json

CONTENT = "content"  # of the header: digest of the whole file

_TYPES = {"<f4": "F32", "<f8": "F64", "<f2": "F16", "<i8": "I64", "<i4": "I32", "|u1": "U8"}
_BLOCK = 1 << 20


def write_safetensors(path: str | os.PathLike[str], header: dict, tensors: dict) -> None:
    """Tensors by name and a header of plain values, as JSON in the one entry "scp" of the file's
    metadata (several entries would lie in random order). A file with this content already is left
    as it is.

    The bytes are those of safetensors' `save`, which holds the file in memory a second time and
    ends the process where that memory is not to be had; here nothing is copied.
    """
    start, parts = _layout({**header, CONTENT: of_content(header, tensors)}, tensors)
    if _is(Path(path), start, parts):
        return
    with writing(path) as beside, beside.open("wb") as file:
        file.write(start)
        for part in parts:
            file.write(part)


def _layout(header: dict, tensors: dict) -> tuple[bytes, list[memoryview]]:
    """The first bytes of the file, and those of the tensors in the order of the file."""
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    content: dict = {"__metadata__": {"scp": json.dumps(header, sort_keys=True)}}
    end = 0
    for name in order:
        array, begin = arrays[name], end
        end += array.nbytes
        content[name] = {
            "dtype": _TYPES[array.dtype.newbyteorder("<").str],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parts = [arrays[n].astype(arrays[n].dtype.newbyteorder("<"), copy=False) for n in order]
    return len(text).to_bytes(8, "little") + text, [
        p.reshape(-1).view(np.uint8).data for p in parts
    ]


def _is(path: Path, start: bytes, parts: list[memoryview]) -> bool:
    """Whether a file has these bytes."""
    try:
        if path.is_symlink() or path.stat().st_size != len(start) + sum(map(len, parts)):
            return False
        with path.open("rb") as file:
            return file.read(len(start)) == start and all(
                file.read(min(_BLOCK, len(part) - at)) == part[at : at + _BLOCK]
                for part in parts
                for at in range(0, len(part), _BLOCK)
            )
    except OSError:
        return False


def read_safetensors(
    path: str | os.PathLike[str], keep: Callable[[str], bool] | None = None
) -> tuple[dict, dict[str, np.ndarray]]:
    """The header that `write_safetensors` wrote ({} in other files) and the tensors.

    keep: which names to read (all if None).
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            names = [n for n in file.keys() if keep is None or keep(n)]  # noqa: SIM118
            header = parse_json((file.metadata() or {}).get("scp", "{}"))
            if not isinstance(header, dict):
                raise ValueError("the header is not an object")
            tensors = {n: file.get_tensor(n) for n in names}
    except (SafetensorError, TypeError, AttributeError, ValueError, OSError) as error:
        raise ValueError(f"{path}: not a readable safetensors file: {brief(error)}") from None
    told = header.pop(CONTENT, None)  # files of version 0.1.0 have none
    if keep is None and told is not None and told != of_content(header, tensors):
        raise ValueError(f"{path}: the file is damaged (header and tensors do not have its digest)")
    return header, tensors


def of_content(header: dict, tensors: dict) -> str:
    """BLAKE2b of all that a file holds: the header, and names, types, shapes and bytes."""
    text = json.dumps(json.loads(json.dumps(header)), sort_keys=True)  # as it is read
    content = hashlib.blake2b(text.encode(), digest_size=20)
    for name in sorted(tensors):
        array = tensors[name]
        content.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode())
        content.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return content.hexdigest()
