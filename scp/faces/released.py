"""The auto-encoder that the authors of 3FabRec released, read without PyTorch and without running
anything that is in the file (`scp.networks.torchfile`)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..networks.model import Model
from ..networks.torchfile import read_torch
from . import networks

SUFFIXES = (".mdl", ".pth", ".pt")
NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}


def is_released(path: str | os.PathLike[str]) -> bool:
    return str(path).endswith(SUFFIXES) and Path(path).is_file()


def read_released(path: str | os.PathLike[str]) -> Model:
    """The model of a file in the layout of the release: a state dict, or one under "state_dict",
    whose names begin with Q. (encoder) and P. (generator). Its size, 128 or 256, is told by its
    layers.

    Raises:
        UnsafeFileError, ValueError: names the file, and the tensor that is missing or wrong.
    """
    found = read_torch(path, keep=lambda name: name.startswith(("Q.", "P.")))
    try:
        latent, wide = found["Q.fc.weight"].shape
        size = 256 if "P.layer5.0.conv1.weight" in found else 128
        options = {"size": size, "latent": int(latent), "width": int(wide) // 8}
        network = networks.autoencoder(**options)
    except KeyError as error:
        raise ValueError(
            f"{path}: {error.args[0]} is missing: no auto-encoder of 3FabRec"
        ) from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: no auto-encoder of 3FabRec: {error}") from None
    parameters, state = network.initial(0)
    for name, place in network.tensors(parameters, state).items():
        layer, _, what = name.rpartition(".")
        is_norm = network.layers[network.names.index(layer)].op == "batch_norm"
        source = f"{layer}.{NORM[what] if is_norm else what}"
        if source not in found:
            raise ValueError(f"{path}: {source} is missing")
        values = np.asarray(found[source], np.float32)
        if what == "weight" and not is_norm:
            values = _weights(values, network.layers[network.names.index(layer)].op)
        if values.shape != place.shape:
            raise ValueError(f"{path}: {source} must have shape {place.shape}, got {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"{path}: {source} holds values that are not finite")
        place[...] = values
    facts = {"autoencoder": True, "released": True}
    return Model(network, (size, size), parameters, state, "fabrec", options, facts)


def _weights(values: np.ndarray, op: str) -> np.ndarray:
    """From [out][in][ky][kx], transposed [in][out][ky][kx], linear [out][in]."""
    if values.ndim == 2:
        values = values[:, :, None, None]
    if values.ndim != 4:
        return values
    return values.transpose(2, 3, 0, 1) if op == "transposed" else values.transpose(2, 3, 1, 0)
