"""Weights in files: models of scp as safetensors, and VGG-19 of ImageNet from elsewhere.

A model is one safetensors file: its tensors by name (`Network.tensors`), and in the header what
network they belong to. Nothing in such a file can be executed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import __version__
from .models import Network
from .models.vgg import VGG19, torchvision_names
from .torchfile import read_torch

FORMAT, VERSION = "model", 1
VGG19_FILE = "vgg19.safetensors"


@dataclass
class Model:
    """A network with its weights.

    Attributes:
        network: its structure, kept in the file whole.
        size: (H, W) of the images it is for.
        parameters, state: float32, flat (`Network.blocks`).
        preset, options: how `scp.models.build` made the network, for people; "" if it did not.
        training: what is known of how the weights came about, plain values.
    """

    network: Network
    size: tuple[int, int]
    parameters: np.ndarray
    state: np.ndarray
    preset: str = ""
    options: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)

    def digest(self) -> str:
        """SHA-256 of the structure and all weights: equal for models that give equal features."""
        content = hashlib.sha256(self.network.digest().encode())
        content.update(np.ascontiguousarray(self.parameters, "<f4"))
        content.update(np.ascontiguousarray(self.state, "<f4"))
        return content.hexdigest()


def save_model(path: str | os.PathLike, model: Model) -> None:
    """Write a model as one safetensors file; it appears whole or not at all. The same model gives
    the same bytes."""
    tensors = model.network.tensors(model.parameters, model.state)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "scp": __version__,
        "size": list(model.size),
        "channels": model.network.channels[model.network.outputs[0]],
        "preset": model.preset,
        "options": model.options,
        "training": model.training,
        "digest": model.network.digest(),
        "network": model.network.describe(),
    }
    write_safetensors(path, header, {k: np.asarray(v, np.float32) for k, v in tensors.items()})


def load_model(path: str | os.PathLike) -> Model:
    """Read a model. ValueError, with the file and the reason, when it is not one of this version
    or when its tensors are not those of the network it describes."""
    path = Path(path)
    header, tensors = read_safetensors(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: not a model of scp")
    if header.get("version") != VERSION:
        raise ValueError(
            f"{path}: layout {header.get('version')}, but this scp ({__version__}) reads {VERSION}"
        )
    try:
        network = Network.from_description(header["network"])
        height, width = (int(v) for v in header["size"])
        network.shapes(height, width)
        rest = str(header["preset"]), dict(header["options"]), dict(header["training"])
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: the header does not describe a network: {error}") from None
    if network.digest() != header.get("digest"):
        raise ValueError(f"{path}: the network does not have the digest in the header")
    parameters = np.zeros(network.n_parameters, np.float32)
    state = np.zeros(network.n_state, np.float32)
    _fill(path, network.tensors(parameters, state), tensors)
    return Model(network, (height, width), parameters, state, *rest)


def load_trained(path: str | os.PathLike, name: str, options: type, refinement: bool):
    """A trained model: (file, model, options of its training).

    Args:
        path: a file of `save_model`, or a run folder with one called `name`.
        options: their class. refinement: whether it is to find landmarks, or to give features.

    Raises:
        ValueError: as `load_model`, and for a model of the other kind, or options that are wrong.
    """
    path = Path(path, name) if Path(path).is_dir() else Path(path)
    model = load_model(path)
    kinds = ("refinement", "features") if refinement else ("features", "refinement")
    if bool(model.training.get("refinement")) != refinement:
        raise ValueError(f"{path}: a model of {kinds[1]}, not of {kinds[0]}")
    try:
        return path, model, options.from_dict(model.training.get("options", {}))
    except ValueError as error:
        raise ValueError(f"{path}: training: {error}") from None


def write_safetensors(path: str | os.PathLike, header: dict, tensors: dict) -> None:
    """Tensors by name and a header of plain values, as JSON in the one entry "scp" of the file's
    metadata (several entries would lie in random order)."""
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    _write(Path(path), save(tensors, {"scp": json.dumps(header, sort_keys=True)}))


def read_safetensors(
    path: str | os.PathLike, keep: Callable[[str], bool] | None = None
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


def _fill(path: Path, into: dict[str, np.ndarray], tensors: dict[str, np.ndarray]) -> None:
    """Copies tensors, all of them and no others, after checking them."""
    missing, foreign = sorted(set(into) - set(tensors)), sorted(set(tensors) - set(into))
    if missing:
        raise ValueError(f"{path}: {missing[0]} is missing ({len(missing)} tensors are)")
    if foreign:
        raise ValueError(f"{path}: {foreign[0]} does not belong to the network")
    for name, place in into.items():
        _check(path, name, tensors[name], place.shape)
        place[...] = tensors[name]


def _check(path: Path, name: str, tensor: np.ndarray, shape: tuple[int, ...]) -> None:
    if tensor.dtype.kind != "f":
        raise ValueError(f"{path}: {name} must hold floating point numbers, got {tensor.dtype}")
    if tensor.shape != shape:
        raise ValueError(f"{path}: {name} must have shape {shape}, got {tensor.shape}")
    if not np.isfinite(tensor).all():
        raise ValueError(f"{path}: {name} holds values that are not finite")


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


# ---- VGG-19 of ImageNet ----


def read_vgg19(path: str | os.PathLike) -> dict[str, np.ndarray]:
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
            f"{path}: {foreign[0]} does not belong to VGG-19 without batch norm (torchvision's "
            "vgg19)"
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


def import_vgg19(path: str | os.PathLike, to: str | os.PathLike | None = None) -> Path:
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


def put_vgg19(network: Network, parameters: np.ndarray, path: str | os.PathLike) -> None:
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
