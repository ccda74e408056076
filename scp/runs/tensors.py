"""Tensors by name in safetensors files: weights and checkpoints."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .files import writing
from .plain import parse_json

CONTENT = "content"  # of the header: digest of the whole file


def write_safetensors(path: str | os.PathLike[str], header: dict, tensors: dict) -> None:
    """Tensors by name and a header of plain values, as JSON in the one entry "scp" of the file's
    metadata (several entries would lie in random order)."""
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    header = {**header, CONTENT: of_content(header, tensors)}
    data = save(tensors, {"scp": json.dumps(header, sort_keys=True)})
    with writing(path) as beside:
        beside.write_bytes(data)


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
        text = ascii(str(error))[1:-1][:200]
        raise ValueError(f"{path}: not a readable safetensors file: {text}") from None
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
