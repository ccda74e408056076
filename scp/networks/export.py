"""A model for others to run: as a PyTorch module without scp, or as ONNX.

FILE.py is code that a person can read, one line a layer; its weights stand beside it in
FILE.safetensors, which it reads by itself. (Weights as text in the code would be a third larger,
slow to import, and beyond what hosts of code take: the paper's network has 232 MB.)
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..runs import naming, write_safetensors, writing
from .model import Model
from .network import Layer, Network
from .onnxfile import onnx_model
from .torchmodule import module_text

SUFFIXES = (".py", ".onnx")
INPUTS = {"unit": (1.0, 0.0), "centred": (2.0, -1.0)}  # scale and shift of what a network reads
RESERVED = ("bfloat16", *(f"level{d}" for d in range(2000)))  # a member of modules; outputs


def export_model(model: Model, path: str | os.PathLike[str]) -> list[Path]:
    """Write a model for others: FILE.py with FILE.safetensors (PyTorch), or FILE.onnx.

    Both take images [B][1][H][W], grey in 0..1, of any size that the network takes, and give its
    maps [B][C][h][w], coarsest first: what `Model.run` gives, and for refinement what the refiner
    reads, with what it does to images before.

    Returns:
        the files.

    Raises:
        ValueError: another suffix. ImportError: ONNX is not installed.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"to: the name of the file must end in .py or .onnx, got {path}")
    names = layer_names(model.network)
    tensors = _as_torch(model.network, names, model.network.tensors(model.parameters, model.state))
    facts = _facts(model)
    if path.suffix == ".onnx":
        content = onnx_model(model.network, names, tensors, **facts).SerializeToString()
        with writing(path) as beside, naming(path, len(content)):
            beside.write_bytes(content)
        return [path]
    weights = path.with_suffix(".safetensors")
    write_safetensors(weights, {"format": "torch"}, tensors)
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with writing(path) as beside:
        text = module_text(model.network, names, digest=digest, **facts)
        beside.write_text(text, encoding="utf-8")
    return [path, weights]


def layer_names(network: Network) -> list[str]:
    """Names of the layers as names of code, each once, whatever a file calls them. All have a
    digit, so that none hides a word of Python or a member of a module."""
    used: set[str] = set(RESERVED)
    out = []
    for number, name in enumerate(network.names):
        word = re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_")[:60]
        word = word if word[:1].isalpha() else f"layer_{word}"
        if word in used or not any(c.isdigit() for c in word):
            word = f"{word.strip('_')}_{number}"
        while word in used:
            word += "x"
        used.add(word)
        out.append(word)
    return out


def _facts(model: Model) -> dict[str, Any]:
    """What goes into the file besides the layers."""
    training = model.training
    landmarks, kind = [], "unit"
    if training.get("refinement"):
        landmarks = [str(name) for name in training.get("names", ())]
        kind = str(training.get("options", {}).get("inputs", "unit"))
    if kind not in INPUTS:
        raise ValueError(f"model: inputs must be one of {', '.join(INPUTS)}, got {kind!r}")
    scale, shift = INPUTS[kind]
    size = (int(model.size[0]), int(model.size[1]))
    return {"size": size, "scale": scale, "shift": shift, "landmarks": landmarks}


def _as_torch(
    network: Network, names: list[str], tensors: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Weights by the names and in the layout of PyTorch: [out][in][ky][kx] of convolutions,
    [in][out][ky][kx] of transposed ones."""
    terms = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
    out = {}
    for layer, ours, name in zip(network.layers, network.names, names, strict=True):
        for part in ("weight", "bias", *terms):
            tensor = tensors.get(f"{ours}.{part}")
            if tensor is None:
                continue
            if tensor.ndim == 4:
                tensor = tensor.transpose((3, 2, 0, 1) if layer.op == "conv" else (2, 3, 0, 1))
            out[f"{name}.{terms.get(part, part)}"] = np.ascontiguousarray(tensor, np.float32)
        if layer.op == "upsample":
            width = network.channels[layer.inputs[0]]
            out[f"{name}.weight"] = np.tile(_fixed_kernel(layer), (width, 1, 1, 1))
    return out


def _fixed_kernel(layer: Layer) -> np.ndarray:
    """Of an upsampling layer: linear, or cubic (Keys, a = -1/2), [k][k]."""
    kernel, factor = layer.kernel_y, layer.factor
    if (kernel - factor) % 2:
        raise ValueError(f"upsample: a factor of {factor} has no transposed convolution elsewhere")
    x = np.abs((np.arange(kernel) + 0.5) / factor - kernel / factor / 2)
    if kernel == 2 * factor:
        line = 1 - x
    else:
        far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        line = np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, far)
    return np.outer(line, line).astype(np.float32)
