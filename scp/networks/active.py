"""Networks that say which images to label: the autoencoder and discriminator of VAAL, and one
encoder with classifiers (csrc/include/scp/active.h)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .network import Network

WIDTHS = (128, 256, 512, 1024)  # of VAAL's encoder
LATENT, HIDDEN, IMAGE_CHANNELS = 32, 512, 3


def _side(size: int, widths: Sequence[int]) -> int:
    """Of the coarsest map."""
    factor = 2 ** len(widths)
    if size % factor or not widths:
        raise ValueError(f"size must be a multiple of {factor}, got {size}")
    return size // factor


def encoder(size: int, outputs: int, widths: Sequence[int] = WIDTHS) -> Network:
    """[size][size][3] to one pixel of `outputs` numbers: 4 x 4 convolutions of stride 2 without
    bias, batch norm, ReLU; then a linear layer of the whole map (weights as PyTorch draws them)."""
    net = Network("normal")
    x = net.input(IMAGE_CHANNELS, name="image")
    for k, width in enumerate(widths, 1):
        x = net.conv(x, width, 4, stride=2, padding=1, bias=False, name=f"conv{k}")
        x = net.relu(net.batch_norm(x, name=f"norm{k}"), name=f"relu{k}")
    net.init = "torch"
    net.output(net.conv(x, outputs, _side(size, widths), padding=0, name="code"))
    return net


def decoder(size: int, latent: int = LATENT, widths: Sequence[int] = WIDTHS) -> Network:
    """One pixel of `latent` numbers and a 1 to [size][size][3]: a linear layer to the coarsest map
    (the weights of the 1 are its biases), then 4 x 4 transposed convolutions of stride 2, with
    batch norm and ReLU between."""
    net = Network("normal")
    x = net.input(latent + 1, name="latent")
    side = _side(size, widths)
    x = net.transposed(x, widths[-1], side, stride=1, padding=0, bias=False, name="map")
    net.init = "torch"
    for k, width in enumerate(reversed(widths[:-1]), 1):
        x = net.transposed(x, width, 4, bias=False, name=f"up{k}")
        x = net.relu(net.batch_norm(x, name=f"norm{k}"), name=f"relu{k}")
    net.output(net.transposed(x, IMAGE_CHANNELS, 4, name="image"))
    return net


def perceptron(inputs: int, outputs: int, hidden: int = HIDDEN, classes: bool = False) -> Network:
    """One pixel of `inputs` numbers to `outputs`: two hidden layers with ReLU. classes: outputs are
    logarithms of probabilities."""
    net = Network("normal")
    x = net.input(inputs, name="code")
    for k in (1, 2):
        x = net.relu(net.linear(x, hidden, name=f"hidden{k}"), name=f"relu{k}")
    x = net.linear(x, outputs, name="out")
    net.output(net.log_softmax(x, name="classes") if classes else x)
    return net


def first_weights(network: Network, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and state. The decoder's linear layer has the fan of a linear layer, not that of
    the transposed convolution that it is, and biases of 0."""
    parameters, state = network.initial(seed % 2**64)
    if "map" in network.names:
        number = network.names.index("map")
        layer, inputs = network.layers[number], network.channels[0]
        weights = network.tensors(parameters, state)["map.weight"]
        fan = layer.kernel_y * layer.kernel_x * layer.channels
        weights *= np.float32(np.sqrt(fan / (inputs - 1)))
        weights[:, :, -1] = 0
    return parameters, state
