"""The paper's network: VGG-19, a decoder, and a head at every level.

VGG-19 (configuration E, without batch norm) gives the outputs of its five max pools, strides 2 to
32; a decoder joins them upwards; 1 x 1 heads at strides 32 .. 2 are the features. The heads of the
three coarsest levels look through a receptive field block.
"""

from __future__ import annotations

from .network import Network

VGG19 = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels and convolutions of each group
DECODER = (256, 128, 64, 128)  # channels at strides 16, 8, 4, 2


def vgg19(net: Network, x: int) -> list[int]:
    """VGG-19's convolutions; the numbers of its five pooled maps, finest first. Layers are called
    vgg.conv1_1 .. vgg.conv5_4."""
    taps = []
    for g, (channels, depth) in enumerate(VGG19, 1):
        for i in range(1, depth + 1):
            x = net.relu(net.conv(x, channels, name=f"vgg.conv{g}_{i}"), name=f"vgg.relu{g}_{i}")
        x = net.max_pool(x, name=f"vgg.pool{g}")
        taps.append(x)
    return taps


def torchvision_names() -> dict[str, str]:
    """The name that torchvision's vgg19 gives each of `vgg19`'s layers: "vgg.conv1_1" ->
    "features.0"."""
    names, position = {}, 0
    for g, (_, depth) in enumerate(VGG19, 1):
        for i in range(1, depth + 1):
            names[f"vgg.conv{g}_{i}"] = f"features.{position}"
            position += 2  # the convolution and its ReLU
        position += 1  # the pool
    return names


def _conv_norm(
    net, x, channels, name, kernel=3, dilation=1, bias=False, relu=False, instance=False
) -> int:
    x = net.conv(x, channels, kernel, dilation=dilation, bias=bias, name=name)
    x = (net.instance_norm if instance else net.batch_norm)(x, name=f"{name}.norm")
    return net.relu(x, name=f"{name}.relu") if relu else x


def up(
    net: Network, x: int, skip: int | None, channels: int, name: str, instance: bool = False
) -> int:
    """Twice as large, beside the skip connection, and two convolutions, each with batch norm (or
    instance norm) and ReLU."""
    x = net.resize(x, 2, align=True, name=f"{name}.resize")
    if skip is not None:
        x = net.concat(skip, x, name=f"{name}.concat")
    for i in (1, 2):
        x = _conv_norm(net, x, channels, f"{name}.conv{i}", bias=True, relu=True, instance=instance)
    return x


def _receptive_field_block(net: Network, x: int, name: str) -> int:
    """Four linear branches that see 1, 3, 5 and 7 times as far, joined, beside a shortcut."""
    c = net.channels[x]
    branches = [_conv_norm(net, x, c, f"{name}.b0", 1)]
    for b, k in enumerate((3, 5, 7), 1):
        y = _conv_norm(net, x, c, f"{name}.b{b}.0", 1)
        y = _conv_norm(net, y, c, f"{name}.b{b}.1", (1, k))
        y = _conv_norm(net, y, c, f"{name}.b{b}.2", (k, 1))
        branches.append(_conv_norm(net, y, c, f"{name}.b{b}.3", 3, dilation=k))
    joined = net.concat(*branches, name=f"{name}.concat")
    joined = _conv_norm(net, joined, c, f"{name}.join")
    shortcut = _conv_norm(net, x, c, f"{name}.shortcut", 1)
    return net.relu(net.add(joined, shortcut, name=f"{name}.add"), name=f"{name}.relu")


def paper(
    channels: int = 64, blocks: bool = True, full: bool = False, image_channels: int = 3
) -> Network:
    """The paper's network.

    Args:
        channels: of the features.
        blocks: receptive field blocks before the heads of strides 32, 16 and 8.
        full: also the step to stride 1 and its head, which the authors' code builds and never
            uses: they get no gradient and change no feature.
        image_channels: 3 as VGG-19 was trained; grey images are repeated.
    """
    net = Network("he")  # until weights of ImageNet are put in
    taps = vgg19(net, net.input(image_channels, name="image"))
    net.init = "torch"
    x = taps[-1]
    widths = [None, *DECODER]
    for level, skip in enumerate([None, *taps[-2::-1]]):
        name = 5 - level  # as the paper counts: 5 is the coarsest
        if level:
            x = up(net, x, skip, widths[level], f"up{level}")
        y = _receptive_field_block(net, x, f"rfb{name}") if blocks and level < 3 else x
        net.output(net.conv(y, channels, 1, name=f"head{name}"))
    if full:
        x = up(net, x, None, DECODER[-1], "up5")
        net.output(net.conv(x, channels, 1, name="head0"))
    return net
