"""The networks of 3FabRec (Browatzki and Wallraven, CVPR 2020), layers named as in its release.

    encoder             pictures [S][S][3] -> z: a ResNet-18 without its last layers
    generator           z -> pictures: transposed convolutions and inverse basic blocks
    latent_discriminator, discriminator
    autoencoder         encoder and generator in one, with all activations as outputs
    detector            encoder and generator up to its first block, then transfer layers

S = 256 is the published size. At 128 the released code leaves out the encoder's "layer0", takes
stride 1 in "layer1", and leaves out the generator's "layer5": heat maps have 128 pixels in both.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..networks import Network

SIZES = (128, 256)
DROPOUT, SLOPE = 0.2, 0.2  # of the discriminators
STAGES = 4  # of the generator, whose activations are x1 .. x4
HIDDEN = 1000  # of the latent discriminator


def encoder(size: int = 256, latent: int = 99, width: int = 64) -> Network:
    net = Network("normal_out")
    net.output(_encode(net, net.input(3, name="image"), size, latent, width, ""))
    return net


def generator(size: int = 256, latent: int = 99, width: int = 64) -> Network:
    net = Network("normal_out")
    net.output(_generate(net, net.input(latent, name="z"), size, width, "")[1])
    return net


def latent_discriminator(latent: int = 99, hidden: int = HIDDEN) -> Network:
    net = Network("torch")
    x = net.input(latent, name="z")
    for k, name in enumerate(("lin1", "lin2")):
        x = net.dropout(net.linear(x, hidden, name=name), DROPOUT, name=f"dropout{k + 1}")
        x = net.relu(x, name=f"{name}.relu")
    net.output(net.sigmoid(net.linear(x, 1, name="lin3"), name="probability"))
    return net


def discriminator(width: int = 64) -> Network:
    """For pictures of 128 or 256 pixels."""
    net = Network("torch")
    x = net.input(3, name="image")
    for k, channels in enumerate((width // 2, width, 2 * width, 4 * width, 4 * width)):
        x = net.conv(x, channels, 4, stride=2, padding=1, bias=False, name=f"conv{k}")
        if k > 0:
            x = net.batch_norm(x, name=f"bn{k}")
        x = net.leaky(x, SLOPE, name=f"conv{k}.leaky")
    x = net.mean(net.conv(x, 1, 4, padding=0, bias=False, name="last"), name="mean")
    net.output(net.sigmoid(x, name="probability"))
    return net


def autoencoder(size: int = 256, latent: int = 99, width: int = 64) -> Network:
    """Outputs: z, x1 .. x4, the reconstruction."""
    net = Network("normal_out")
    z = _encode(net, net.input(3, name="image"), size, latent, width, "Q.")
    maps, x = _generate(net, z, size, width, "P.")
    for y in (z, *maps, x):
        net.output(y)
    return net


def features(size: int = 256, latent: int = 99, width: int = 64) -> Network:
    """The auto-encoder up to x1."""
    net = Network("normal_out")
    z = _encode(net, net.input(3, name="image"), size, latent, width, "Q.")
    net.output(_start(net, z, width, "P.")[1])
    return net


def head(landmarks: int, width: int = 64) -> Network:
    """x1 -> heat maps: a transfer layer before each block of the generator, whose norms are folded
    into their convolutions (`fold`)."""
    net = Network("torch")
    net.output(_transfer(net, net.input(4 * width, name="x1"), landmarks, width))
    return net


def detector(landmarks: int, size: int = 256, latent: int = 99, width: int = 64) -> Network:
    """`features` and `head` in one."""
    net = Network("torch")
    z = _encode(net, net.input(3, name="image"), size, latent, width, "Q.")
    net.output(_transfer(net, _start(net, z, width, "P.")[1], landmarks, width))
    return net


def moving(network: Network) -> np.ndarray:
    """The layers of a `head` that learn, uint32: t1 .. t4 and the last one."""
    names = [*(f"t{k}" for k in range(1, STAGES + 1)), "lin"]
    return np.array([network.names.index(name) for name in names], np.uint32)


# ---- weights ----


def assemble(network: Network, tensors: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and state of the network from tensors by name; norms that it has not are folded
    into the convolutions before them. What there is none of stays as it was drawn at first."""
    parameters, state = network.initial(0)
    for name, place in network.tensors(parameters, state).items():
        layer, _, what = name.rpartition(".")
        norm = _norm_of(layer)
        if what in ("weight", "bias") and f"{norm}.gamma" in tensors and norm not in network.names:
            place[...] = fold(tensors, layer, norm)[what == "bias"]
        elif name in tensors:
            place[...] = tensors[name]
    return parameters, state


def fold(tensors: Mapping[str, np.ndarray], conv: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias of a convolution without bias and the batch norm behind it, as it stands."""
    gamma, beta, mean, variance = (
        np.asarray(tensors[f"{norm}.{what}"], np.float64)
        for what in ("gamma", "beta", "mean", "variance")
    )
    scale = gamma / np.sqrt(variance + 1e-5)
    weights = np.asarray(tensors[f"{conv}.weight"], np.float64) * scale
    return weights.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _norm_of(conv: str) -> str:
    stem, _, last = conv.rpartition(".")
    last = {"conv1": "bn1", "conv2": "bn2", "0": "1"}.get(last, "-")
    return f"{stem}.{last}" if stem else last


# ---- parts ----


def _encode(net: Network, x: int, size: int, latent: int, width: int, prefix: str) -> int:
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(map(str, SIZES))}, got {size!r}")

    def block(x: int, channels: int, stride: int, name: str) -> int:
        y = net.conv(x, channels, 3, stride, bias=False, name=f"{name}.conv1")
        y = net.relu(net.batch_norm(y, name=f"{name}.bn1"), name=f"{name}.relu1")
        y = net.conv(y, channels, 3, bias=False, name=f"{name}.conv2")
        y = net.batch_norm(y, name=f"{name}.bn2")
        if stride != 1 or net.channels[x] != channels:
            x = net.conv(x, channels, 1, stride, bias=False, name=f"{name}.downsample.0")
            x = net.batch_norm(x, name=f"{name}.downsample.1")
        return net.relu(net.add(y, x, name=f"{name}.sum"), name=f"{name}.relu2")

    x = net.conv(x, width, 7, 2, padding=3, bias=False, name=f"{prefix}conv1")
    x = net.relu(net.batch_norm(x, name=f"{prefix}bn1"), name=f"{prefix}relu1")
    x = net.max_pool(x, 3, name=f"{prefix}maxpool")
    stages = [("layer0", 1, 1)] if size == 256 else []
    stages += [("layer1", 1, 2 if size == 256 else 1)]
    stages += [("layer2", 2, 2), ("layer3", 4, 2), ("layer4", 8, 2)]
    for name, wider, stride in stages:
        x = block(x, wider * width, stride, f"{prefix}{name}.0")
        x = block(x, wider * width, 1, f"{prefix}{name}.1")
    net.init = "torch"
    x = net.linear(net.mean(x, name=f"{prefix}avgpool"), latent, name=f"{prefix}fc")
    net.init = "normal_out"
    return x


def _up(net: Network, x: int, channels: int, name: str, bias: bool = False) -> int:
    """A transposed convolution that doubles the size, first drawn as PyTorch does."""
    kept, net.init = net.init, "torch"
    x = net.transposed(x, channels, 4, 2, padding=1, bias=bias, name=name)
    net.init = kept
    return x


def _inverse_block(net: Network, x: int, channels: int, name: str, folded: bool = False) -> int:
    def norm(y: int, norm_name: str) -> int:
        return y if folded else net.batch_norm(y, name=f"{name}.{norm_name}")

    y = norm(_up(net, x, channels, f"{name}.conv1", folded), "bn1")
    y = net.relu(y, name=f"{name}.relu1")
    y = norm(net.conv(y, channels, 3, bias=folded, name=f"{name}.conv2"), "bn2")
    x = norm(_up(net, x, channels, f"{name}.upsample.0", folded), "upsample.1")
    return net.relu(net.add(y, x, name=f"{name}.sum"), name=f"{name}.relu2")


def _start(net: Network, z: int, width: int, prefix: str) -> tuple[int, int]:
    """x0 and x1."""
    net.init = "torch"
    x = net.linear(z, 8 * width, name=f"{prefix}fc")
    x = net.transposed(x, 8 * width, 4, 1, padding=0, bias=False, name=f"{prefix}conv1")
    net.init = "normal_out"
    x = net.relu(net.batch_norm(x, name=f"{prefix}bn1"), name=f"{prefix}relu1")
    return x, _inverse_block(net, x, 4 * width, f"{prefix}layer1.0")


def _generate(net: Network, z: int, size: int, width: int, prefix: str) -> tuple[list[int], int]:
    """x1 .. x4, and the picture."""
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(map(str, SIZES))}, got {size!r}")
    maps = [_start(net, z, width, prefix)[1]]
    for k, wider in ((2, 2), (3, 1), (4, 1)):
        maps.append(_inverse_block(net, maps[-1], wider * width, f"{prefix}layer{k}.0"))
    x = maps[-1]
    if size == 256:
        x = _inverse_block(net, x, width, f"{prefix}layer5.0")
    return maps, net.tanh(_up(net, x, 3, f"{prefix}lin"), name=f"{prefix}tanh")


def _transfer(net: Network, x: int, landmarks: int, width: int) -> int:
    net.init = "torch"
    for k, wider in ((1, 4), (2, 2), (3, 1), (4, 1)):
        if k > 1:
            x = _inverse_block(net, x, wider * width, f"P.layer{k}.0", folded=True)
        x = net.conv(x, wider * width, 3, bias=False, name=f"t{k}")
    return _up(net, x, landmarks, "lin")
