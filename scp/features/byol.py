"""What BYOL trains beside the network: projectors and a predictor, and the target they start as."""

from __future__ import annotations

import numpy as np

from ..networks import Network


def head(channels: int, hidden: int) -> Network:
    """A projector, or the predictor: [..][channels] to the same, as csrc/train/byol.c makes it."""
    net = Network("torch")
    x = net.conv(net.input(channels, name="features"), hidden, 1, name="hidden")
    x = net.relu(net.batch_norm(x, name="norm"), name="relu")
    net.output(net.conv(x, channels, 1, name="out"))
    return net


def initial(
    parameters: np.ndarray, state: np.ndarray, channels: int, hidden: int, levels: int, seed: int
) -> dict[str, np.ndarray]:
    """The arrays of a training by BYOL that do not start at 0.

    Args:
        parameters, state: of the network. channels: of its features.
        hidden: channels inside the heads. levels: with a loss.
        seed: of the heads; those of seeds next to each other may have layers in common.
    """
    net = head(channels, hidden)
    heads = [net.initial((seed + 1 + d) % 2**64) for d in range(levels + 1)]
    projectors, states = (np.concatenate(v) for v in zip(*heads[:levels], strict=True))
    return {
        "parameters": parameters,
        "state": state,
        "projectors.parameters": projectors,
        "projectors.state": states,
        "predictor.parameters": heads[levels][0],
        "predictor.state": heads[levels][1],
        "target.parameters": parameters,
        "target.state": state,
        "target.projectors.parameters": projectors,
        "target.projectors.state": states,
    }
