"""A network with its weights, as one safetensors file in which nothing can be executed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..runs import brief, read_safetensors, write_safetensors
from ..values import Result
from .network import Network

FORMAT, VERSION = "model", 1
KINDS = ("refinement", "supervised", "autoencoder", "transfer")  # flags; none: features
MOST_MISSING = 1 << 24  # weights of a layer that is missing, which is named then


@dataclass(eq=False, repr=False)
class Model(Result):
    """A network with its weights.

    Attributes:
        network: its structure, kept in the file whole.
        size: (H, W) of the images it is for.
        parameters, state: float32, flat (`Network.blocks`).
        preset, options: how `scp.networks.build` made the network, for people; "" if it did not.
        training: what is known of how the weights came about, plain values.
    """

    network: Network
    size: tuple[int, int]
    parameters: np.ndarray
    state: np.ndarray
    preset: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.size))
        kind = self.preset or "own"
        return f"<Model: {kind} network, {len(self.parameters):,} parameters, images of {size}>"

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """The network's maps for images: see `Network.run`."""
        return self.network.run(images, self.parameters, self.state)

    def digest(self) -> str:
        """SHA-256 of the structure and all weights: equal for models that give equal features."""
        content = hashlib.sha256(self.network.digest().encode())
        content.update(np.ascontiguousarray(self.parameters, "<f4"))
        content.update(np.ascontiguousarray(self.state, "<f4"))
        return content.hexdigest()


def save_model(path: str | os.PathLike[str], model: Model) -> None:
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


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model. ValueError, with the file and the reason, when it is not one of this version
    or when its tensors are not those of the network it describes."""
    path = Path(path)
    header, tensors = read_safetensors(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: not a model of scp")
    if header.get("version") != VERSION:
        found = ascii(header.get("version"))[:20]
        raise ValueError(f"{path}: layout {found}, but this scp ({__version__}) reads {VERSION}")
    try:
        network = Network.from_description(header["network"])
        height, width = (int(v) for v in header["size"])
        network.shapes(height, width)
        rest = str(header["preset"]), dict(header["options"]), dict(header["training"])
        claimed, there = (
            network.n_parameters + network.n_state,
            sum(t.size for t in tensors.values()),
        )
        if claimed > 2 * there + MOST_MISSING:  # before that much is set aside
            raise ValueError(f"it claims {claimed} weights, and there are {there}")
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{path}: the header does not describe a network: {brief(error)}"
        ) from None
    if network.digest() != header.get("digest"):
        raise ValueError(f"{path}: the network does not have the digest in the header")
    parameters = np.zeros(network.n_parameters, np.float32)
    state = np.zeros(network.n_state, np.float32)
    _fill(path, network.tensors(parameters, state), tensors)
    return Model(network, (height, width), parameters, state, *rest)


def load_trained(path: str | os.PathLike[str], name: str, options: type, kind: str):
    """A trained model: (file, model, options of its training).

    Args:
        path: a file of `save_model`, or a run folder with one called `name`.
        options: their class. kind: "features" or one of KINDS.

    Raises:
        ValueError: as `load_model`, and for a model of the other kind, or options that are wrong.
    """
    path = Path(path, name) if Path(path).is_dir() else Path(path)
    model = load_model(path)
    flags = [name for name in KINDS if model.training.get(name)]
    if (found := "".join(flags) or "features") != kind:
        raise ValueError(f"{path}: a model of {found}, not of {kind}")
    try:
        return path, model, options.from_dict(model.training.get("options", {}))
    except ValueError as error:
        raise ValueError(f"{path}: training: {error}") from None


def _fill(path: Path, into: dict[str, np.ndarray], tensors: dict[str, np.ndarray]) -> None:
    """Copies tensors, all of them and no others, after checking them."""
    missing, foreign = sorted(set(into) - set(tensors)), sorted(set(tensors) - set(into))
    if missing:
        raise ValueError(f"{path}: {missing[0]} is missing ({len(missing)} tensors are)")
    if foreign:
        raise ValueError(f"{path}: {ascii(foreign[0])[1:-1][:80]} does not belong to the network")
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
