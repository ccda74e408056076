"""Networks of heat maps, trained on labelled images alone: the spatial configuration network of
Payer et al. (Medical Image Analysis 54, 2019), and the U-net inside it by itself.

One output of L channels at the size of the images (csrc/include/scp/supervise.h). No norms; zeros
around every map; a leaky ReLU of slope 0.1 behind every convolution but the last ones.
"""

from __future__ import annotations

from typing import Any

from .network import Network
from .presets import Preset

SLOPE = 0.1


def scn(
    landmarks: int,
    filters: int = 128,
    levels: int = 4,
    rate: float = 0.5,
    kernel: int = 11,
    reduction: int = 16,
) -> Network:
    """What looks where (a U-net) times where landmarks lie to each other (wide kernels on its maps,
    smaller by `reduction`).

    Args:
        landmarks: L. filters: channels of every map between. levels: of the U-net.
        rate: of dropout, on each level. kernel: of the spatial part. reduction: of its maps.
    """
    net, local = _local(landmarks, filters, levels, rate)
    x = net.average_pool(local, reduction, name="spatial.pool")
    for i in range(3):
        x = _conv(net, x, filters, f"spatial.conv{i}", kernel)
    net.init = "small"
    x = net.tanh(net.conv(x, landmarks, kernel, name="spatial.heatmaps"), name="spatial.tanh")
    x = net.upsample(x, reduction, "cubic", name="spatial.up")
    net.output(net.multiply(local, x, name="heatmaps"))
    return net


def unet(landmarks: int, filters: int = 128, levels: int = 4, rate: float = 0.5) -> Network:
    """The U-net of `scn` alone, whose maps are the heat maps."""
    net, local = _local(landmarks, filters, levels, rate)
    net.output(local)
    return net


def _conv(net: Network, x: int, channels: int, name: str, kernel: int = 3) -> int:
    x = net.conv(x, channels, kernel, name=name)
    return net.leaky(x, SLOPE, name=f"{name}.leaky")


def _local(landmarks: int, filters: int, levels: int, rate: float) -> tuple[Network, int]:
    """The network up to the maps of the U-net. On each level two convolutions lead down, and one
    beside them across; on the way up maps are enlarged and added."""
    net = Network("he_normal")
    x = _conv(net, net.input(1, name="image"), filters, "conv0")
    across = []
    for level in range(levels):
        name = f"local{level}"
        if level:
            x = net.average_pool(x, name=f"{name}.pool")
        x = _conv(net, x, filters, f"{name}.down0")
        x = _conv(net, net.dropout(x, rate, name=f"{name}.dropout"), filters, f"{name}.down1")
        across.append(_conv(net, x, filters, f"{name}.across"))
    x = across[-1]
    for level in reversed(range(levels - 1)):
        up = net.upsample(x, name=f"local{level}.up")
        x = net.add(across[level], up, name=f"local{level}.sum")
    net.init = "small"
    local = net.conv(x, landmarks, name="local.heatmaps")
    net.init = "he_normal"
    return net, local


REDUCED = {"filters": 64}
SUPERVISED: dict[str, Preset] = {
    "scn": Preset(
        "spatial configuration network as published: 512 pixels, 128 filters; for a GPU",
        scn,
        (512, 512),
        training={"steps": 30_000},
    ),
    "scn-reduced": Preset(
        "the same, reduced: 256 pixels, 64 filters, 5,000 steps",
        scn,
        (256, 256),
        network=REDUCED,
        training={"steps": 5_000},
    ),
    "unet": Preset(
        "the U-net of scn-reduced alone: heat maps without the spatial part",
        unet,
        (256, 256),
        network=REDUCED,
        training={"steps": 5_000},
    ),
}


def supervised(name: str) -> Preset:
    """The entry called `name`."""
    if name not in SUPERVISED:
        raise ValueError(f"network must be one of {', '.join(SUPERVISED)}, got {name!r}")
    return SUPERVISED[name]


def build_supervised(name: str, landmarks: int, **options: Any) -> Network:
    """The network of a preset for that many landmarks; options override the preset's."""
    entry = supervised(name)
    try:
        return entry.build(landmarks, **{**entry.network, **options})
    except TypeError as error:
        raise ValueError(f"options of network {name!r}: {error}") from None
