"""Tensors by name in safetensors files: weights and checkpoints."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .files import writing


def write_safetensors(path: str | os.PathLike[str], header: dict, tensors: dict) -> None:
    """Tensors by name and a header of plain values, as JSON in the one entry "scp" of the file's
    metadata (several entries would lie in random order)."""
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
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
            header = json.loads((file.metadata() or {}).get("scp", "{}"))
            if not isinstance(header, dict):
                raise ValueError("the header is not an object")
            return header, {n: file.get_tensor(n) for n in names}
    except (SafetensorError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: not a readable safetensors file: {error}") from None
