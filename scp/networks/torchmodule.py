"""The text of a PyTorch module that computes what a network computes, without scp."""

from __future__ import annotations

from .._version import __version__
from .network import Layer, Network

HEAD = '''\
"""{what}, as a PyTorch module; written by scp {version}.

Needs PyTorch and the weights in the .safetensors file beside this one; nothing else.

    model = {name}()
    maps = model(images)  # [B][1][H][W], grey, 0 (black) to 1

{answer}
"""

import hashlib
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

SIZE = {size}  # (H, W) of the images that it was trained on
{more}SHA256 = "{digest}"  # of the file of weights


def read_weights(path):
    """The tensors of a .safetensors file."""
    data = bytearray(Path(path).read_bytes())
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ValueError(f"{{path}}: not the weights that belong to this code")
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {{}}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            numbers = data[start + first : start + last]
            tensors[name] = torch.frombuffer(numbers, dtype=torch.float32).reshape(entry["shape"])
    return tensors


class {name}(nn.Module):
    def __init__(self, weights=Path(__file__).with_suffix(".safetensors")):
        """weights: their file; None: random ones, for training anew."""
        super().__init__()
'''
TAIL = """\
        if weights is not None:
            missing, unknown = self.load_state_dict(read_weights(weights), strict=False)
            missing = [name for name in missing if not name.endswith("num_batches_tracked")]
            if missing or unknown:
                raise ValueError(f"{weights}: not of this network: {missing + unknown}")
        self.eval()

"""
FEATURES = '''
    def pyramid(self, images):
        """Unit vectors and their lengths before, level by level, as scp compares them."""
        maps = [(level, level.norm(dim=1, keepdim=True)) for level in self(images)]
        return [(level / length.clamp_min(1e-30), length) for level, length in maps]
'''


def module_text(
    network: Network,
    names: list[str],
    *,
    size: tuple[int, int],
    scale: float,
    shift: float,
    landmarks: list[str],
    digest: str,
) -> str:
    """The module. names: of the layers, names of code; size, scale, shift, landmarks: what is known
    of the model; digest: SHA-256 of the file of weights."""
    features = not landmarks
    levels = len(network.outputs)
    answer = (
        f"maps is a list of {levels} levels [B][C][h][w], coarsest first."
        if features
        else "maps is a list of one [B][3 L][h][w] for L landmarks: logits of heat maps, then\n"
        "offsets in x, then offsets in y."
    )
    head = HEAD.format(
        what="Features" if features else "Landmarks",
        version=__version__,
        name="Features" if features else "Refiner",
        answer=answer,
        size=tuple(size),
        more="" if features else f"LANDMARKS = {landmarks!a}\n",
        digest=digest,
    )
    makes, steps = [], []
    for number, (layer, name) in enumerate(zip(network.layers, names, strict=True)):
        inputs = [names[k] for k in layer.inputs]
        if layer.op == "input":
            channels = layer.channels
            pixels = "images" if (scale, shift) == (1, 0) else f"{scale!r} * images + {shift!r}"
            wide = f"({pixels}).expand(-1, {channels}, -1, -1)" if channels > 1 else pixels
            steps.append(f"{name} = {wide}")
            continue
        made = _made(network, number, layer)
        if made:
            makes.append(f"self.{name} = {made}")
        steps.append(f"{name} = {_step(layer, f'self.{name}', inputs)}")
    answers = ", ".join(names[k] for k in network.outputs)
    indent = "        "
    body = "".join(f"{indent}{line}\n" for line in makes)
    run = "".join(f"{indent}{line}\n" for line in steps)
    forward = f"    def forward(self, images):\n{run}{indent}return [{answers}]\n"
    return head + body + TAIL + forward + (FEATURES if features else "")


def _made(network: Network, number: int, layer: Layer) -> str:
    """What a layer with weights, or a norm, is made as."""
    below = network.channels[layer.inputs[0]]
    if layer.op in ("conv", "transposed"):
        kind = "Conv2d" if layer.op == "conv" else "ConvTranspose2d"
        return (
            f"nn.{kind}({below}, {network.channels[number]}, ({layer.kernel_y}, {layer.kernel_x}), "
            f"stride={layer.stride}, padding=({layer.pad_y}, {layer.pad_x}), "
            f"dilation={layer.dilation}, bias={bool(layer.bias)})"
        )
    if layer.op == "upsample":
        kernel, factor = layer.kernel_y, layer.factor
        return (
            f"nn.ConvTranspose2d({below}, {below}, {kernel}, stride={factor}, "
            f"padding={(kernel - factor) // 2}, groups={below}, bias=False)"
        )
    if layer.op == "batch_norm":
        return f"nn.BatchNorm2d({below}, eps={layer.epsilon!r}, momentum={layer.momentum!r})"
    if layer.op == "dropout":
        return f"nn.Dropout({layer.rate!r})"
    return ""


def _step(layer: Layer, own: str, inputs: list[str]) -> str:
    """What a layer computes."""
    x = inputs[0]
    if layer.op in ("conv", "transposed", "upsample", "batch_norm", "dropout"):
        return f"{own}({x})"
    if layer.op == "leaky":
        return f"F.relu({x})" if layer.slope == 0 else f"F.leaky_relu({x}, {layer.slope!r})"
    align = f'mode="bilinear", align_corners={bool(layer.align)}'
    return {
        "instance_norm": f"F.instance_norm({x}, eps={layer.epsilon!r})",
        "sigmoid": f"torch.sigmoid({x})",
        "tanh": f"torch.tanh({x})",
        "log_softmax": f"F.log_softmax({x}, dim=1)",
        "max_pool": f"F.max_pool2d({x}, 3, 2, 1)" if layer.kernel_y else f"F.max_pool2d({x}, 2)",
        "resize": f"F.interpolate({x}, scale_factor={layer.factor}, {align})",
        "concat": f"torch.cat([{', '.join(inputs)}], dim=1)",
        "add": " + ".join(inputs),
        "multiply": " * ".join(inputs),
        "average_pool": f"F.avg_pool2d({x}, {layer.factor})",
        "mean": f"{x}.mean(dim=(2, 3), keepdim=True)",
    }[layer.op]
