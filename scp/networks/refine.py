"""Networks of refinement: a heat map and two offset maps per landmark (csrc/include/scp/refine.h).

One output of 3 L channels: logits of L heat maps, L offsets in x, L offsets in y.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from .laptop import laptop, trunk
from .network import Network
from .presets import Preset
from .vgg import DECODER, up, vgg19

HEAD = "landmarks"  # the layer of the output


def refine_laptop(landmarks: int, width: int = 0, **options) -> Network:
    """The trunk of `laptop` with one head at stride 2.

    The trunk's layers have the names of `laptop`'s, so that trained features are a start.

    Args:
        landmarks: L.
        width: channels of a further 3 x 3 convolution before the head; 0: none.
        options: of `laptop`, without channels.
    """
    names = inspect.signature(laptop).parameters
    if unknown := sorted(set(options) - (set(names) - {"channels"})):
        raise TypeError(f"unexpected option {unknown[0]!r}")
    values = {n: options.get(n, p.default) for n, p in names.items() if n != "channels"}
    net = Network("torch")

    def head(x: int, level: int) -> None:
        if level > 1:
            return
        if width:
            x = net.conv(x, width, bias=False, name="last.conv1")
            x = net.relu(net.batch_norm(x, name="last.conv1.norm"), name="last.conv1.relu")
        net.output(net.conv(x, 3 * landmarks, 1, name=HEAD))

    trunk(net, head=head, **values)
    return net


def refine_paper(landmarks: int, image_channels: int = 3) -> Network:
    """The paper's: VGG-19, five steps up with instance norm, a head on all pixels."""
    net = Network("he")  # until weights of ImageNet are put in
    taps = vgg19(net, net.input(image_channels, name="image"))
    net.init = "torch"
    x = taps[-1]
    for i, (channels, skip) in enumerate(
        zip((*DECODER, DECODER[-1] // 2), [*taps[-2::-1], None], strict=True), 1
    ):
        x = up(net, x, skip, channels, f"up{i}", instance=True)
    net.output(net.conv(x, 3 * landmarks, 1, name=HEAD))
    return net


def rare_discs(network: Network, parameters: np.ndarray, share: float) -> None:
    """Sets the biases of the head, in place, so that the heat maps begin at the share of pixels in
    a disc and the offsets at 0."""
    layer = network.names.index(HEAD)
    tensors = network.tensors(parameters, np.zeros(network.n_state, np.float32))
    bias, count = tensors[f"{HEAD}.bias"], network.channels[layer] // 3
    bias[:count] = math.log(share / (1 - share))
    bias[count:] = 0


REFINEMENTS: dict[str, Preset] = {
    "laptop": Preset(
        "the narrow network of the features, at stride 2",
        refine_laptop,
        (384, 384),
        training={"minutes": 10.0},
    ),
    "paper": Preset(
        "VGG-19 with instance norm, on all pixels, as published",
        refine_paper,
        (384, 384),
        training={
            "steps": 45_000,
            "labelled": 1,
            "pseudo": 3,
            "radius": 19 / 384,
            "focal": 2.0,
            "power": 0.0,
            "transforms": (),
            "inputs": "centred",
            "prior": False,
            "vote": "count",
            "learning_rate": 3e-4,
            "schedule": "step",
            "decay": 0.1,
            "decay_every": 1 / 3,
        },
    ),
}


def refinement(name: str) -> Preset:
    """The entry called `name`."""
    if name not in REFINEMENTS:
        raise ValueError(f"preset must be one of {', '.join(REFINEMENTS)}, got {name!r}")
    return REFINEMENTS[name]


def build_refinement(name: str, landmarks: int, **options: Any) -> Network:
    """The network of a preset for that many landmarks; options override the preset's."""
    entry = refinement(name)
    try:
        return entry.build(landmarks, **{**entry.network, **options})
    except TypeError as error:
        raise ValueError(f"options of preset {name!r}: {error}") from None
