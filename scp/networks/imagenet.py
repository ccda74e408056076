"""VGG-19 of ImageNet: weights that others have trained, read without executing anything."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..runs import read_safetensors, write_safetensors
from .model import VERSION, _check, _fill
from .network import Network
from .torchfile import read_torch
from .vgg import VGG19, torchvision_names

VGG19_FILE = "vgg19.safetensors"


def read_vgg19(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The convolutions of torchvision's VGG-19 from a .pth or safetensors file.

    Returns float32 "vgg.conv1_1.weight" [ky][kx][in][out], "vgg.conv1_1.bias" [out], ..; the
    classifier is not read. Nothing of the file is executed. Raises ValueError naming the file and
    the reason: a name is missing, a shape differs, a value is not finite, the file holds more than
    tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")

    def keep(name: str) -> bool:
        return "features." in name

    with path.open("rb") as file:
        start = file.read(9)
    if len(start) == 9 and start[8:] == b"{":
        _, found = read_safetensors(path, keep)
    else:
        found = read_torch(path, keep)
    found = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    names = torchvision_names()
    wanted = {f"{n}.{part}" for n in names.values() for part in ("weight", "bias")}
    foreign = sorted(set(found) - wanted)
    if foreign:
        raise ValueError(
            f"{path}: {ascii(foreign[0])[1:-1][:80]} does not belong to VGG-19 without batch norm "
            "(torchvision's vgg19)"
        )
    out, inputs = {}, 3
    for g, (channels, depth) in enumerate(VGG19, 1):
        for i in range(1, depth + 1):
            ours = f"vgg.conv{g}_{i}"
            shapes = {"weight": (channels, inputs, 3, 3), "bias": (channels,)}
            for part, shape in shapes.items():
                theirs = f"{names[ours]}.{part}"
                if theirs not in found:
                    raise ValueError(f"{path}: {theirs} is missing; is this torchvision's vgg19?")
                _check(path, theirs, found[theirs], shape)
                tensor = found[theirs].astype(np.float32)
                if part == "weight":
                    tensor = np.ascontiguousarray(tensor.transpose(2, 3, 1, 0))
                out[f"{ours}.{part}"] = tensor
            inputs = channels
    return out


def store() -> Path:
    """The folder of imported weights: $SCP_WEIGHTS, else scp below $XDG_DATA_HOME or
    ~/.local/share."""
    if os.environ.get("SCP_WEIGHTS"):
        return Path(os.environ["SCP_WEIGHTS"])
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "scp"


def import_vgg19(path: str | os.PathLike[str], to: str | os.PathLike[str] | None = None) -> Path:
    """Convert VGG-19's weights once, for every later training of the preset `paper`.

    path: see `read_vgg19`. to: the file to write, in the `store` if None. Returns that file.
    """
    tensors = read_vgg19(path)
    target = Path(to) if to is not None else store() / VGG19_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(target, {"format": "vgg19", "version": VERSION}, tensors)
    return target


def stored_vgg19() -> Path | None:
    """The file that `import_vgg19` has written, or None."""
    path = store() / VGG19_FILE
    return path if path.is_file() else None


def put_vgg19(network: Network, parameters: np.ndarray, path: str | os.PathLike[str]) -> None:
    """Copy imported weights into the VGG-19 layers of a network's parameters."""
    path = Path(path)
    header, tensors = read_safetensors(path)
    if header.get("format") != "vgg19":
        tensors = read_vgg19(path)
    into = network.tensors(parameters, np.zeros(network.n_state, np.float32))
    into = {name: view for name, view in into.items() if name.startswith("vgg.")}
    if not into:
        raise ValueError("network: it has no VGG-19 layers, so there is no place for the weights")
    _fill(path, into, tensors)
