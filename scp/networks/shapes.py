"""The sizes of a network's maps for a size of image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .network import Network


def shapes(network: Network, height: int, width: int) -> np.ndarray:
    """See `Network.shapes`."""
    out = np.zeros((len(network.layers), 4), np.int64)
    for i, l in enumerate(network.layers):
        sizes = [tuple(int(v) for v in out[k, :2]) for k in l.inputs]
        h, w = sizes[0] if sizes else (int(height), int(width))
        if any(s != (h, w) for s in sizes):
            raise ValueError(f"layer {network.names[i]}: inputs of different sizes: {sizes}")
        macs = 0
        if l.op in ("conv", "transposed"):
            reach = [l.dilation * (k - 1) + 1 for k in (l.kernel_y, l.kernel_x)]
            pads, before = (2 * l.pad_y, 2 * l.pad_x), h * w
            if l.op == "conv":
                h, w = (
                    (s + p - r) // l.stride + 1 for s, p, r in zip((h, w), pads, reach, strict=True)
                )
                before = h * w
            else:
                h, w = (
                    (s - 1) * l.stride - p + r for s, p, r in zip((h, w), pads, reach, strict=True)
                )
            macs = before * l.kernel_y * l.kernel_x * network.channels[l.inputs[0]] * l.channels
        elif l.op == "max_pool":
            h, w = (h + (l.kernel_y == 3)) // 2, (w + (l.kernel_y == 3)) // 2
        elif l.op == "average_pool":
            h, w = h // l.factor, w // l.factor
        elif l.op in ("resize", "upsample"):
            h, w = h * l.factor, w * l.factor
        elif l.op == "mean":
            h, w = 1, 1
        if h < 1 or w < 1:
            raise ValueError(f"layer {network.names[i]}: images {height} x {width} are too small")
        out[i] = h, w, network.channels[i], macs
    return out
