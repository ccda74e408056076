"""The first weights of a network, drawn by counters: they depend on the seed only."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from .. import _core

if TYPE_CHECKING:
    from .network import Network

INITS = ("torch", "he", "he_normal", "small", "normal", "normal_out")
STREAM = 0x6E65_7400_0000_0000  # this + layer number
CUT = 2.0  # of a cut normal distribution, in deviations
CUT_DEVIATION = 0.87962566103423978  # what is left of a deviation of 1
SMALL = 1e-4


def initial(network: Network, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """See `Network.initial`."""
    parameters = np.zeros(network.n_parameters, np.float32)
    state = np.zeros(network.n_state, np.float32)
    rows = zip(network.layers, network.blocks, strict=True)
    for i, (l, (at, n, state_at, _)) in enumerate(rows):
        if l.op == "batch_norm":
            c = network.channels[i]
            parameters[at : at + c] = 1  # gamma; beta, mean: 0
            state[state_at + c : state_at + 2 * c] = 1  # variance
        elif n:
            fan = l.channels if l.op == "transposed" else network.channels[l.inputs[0]]
            fan *= l.kernel_y * l.kernel_x
            words = _core.random_words(seed, STREAM + i, int(n) + int(n) % 2)
            u = ((words >> 8).astype(np.float32) + np.float32(0.5)) * np.float32(2**-23) - 1
            init = network.inits[i]
            if init.startswith("normal"):
                if init == "normal_out":
                    fan = l.kernel_y * l.kernel_x * l.channels
                u = _normal(u)[:n] * np.float32(np.sqrt(2 / fan))
                u[n - l.bias * l.channels :] = 0
                parameters[at : at + n] = u
                continue
            u = u[:n]
            if init == "torch":
                u *= np.float32(1 / np.sqrt(fan))
            elif init == "he":
                u *= np.float32(np.sqrt(6 / fan))
            else:
                scale = SMALL if init == "small" else np.sqrt(2 / fan) / CUT_DEVIATION
                u = _cut_normal(u) * np.float32(scale)
            if init != "torch":
                u[n - l.bias * l.channels :] = 0
            parameters[at : at + n] = u
    return parameters, state


def _normal(u: np.ndarray) -> np.ndarray:
    """Normally distributed numbers from an even number of uniform ones between -1 and 1: Box and
    Muller."""
    a, b = np.split(u.astype(np.float64), 2)
    radius, angle = np.sqrt(-2 * np.log((a + 1) / 2)), np.pi * b
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)]).astype(np.float32)


def _cut_normal(u: np.ndarray) -> np.ndarray:
    """A normal distribution between -CUT and CUT from a uniform one between -1 and 1: the inverse
    of its integral, from a table (right to 1e-6)."""
    normal = NormalDist()
    low = normal.cdf(-CUT)
    table = np.linspace(-1, 1, 4097)
    places = [normal.inv_cdf(low + (1 - 2 * low) * (t + 1) / 2) for t in table.tolist()]
    return np.interp(u, table, places).astype(np.float32)
