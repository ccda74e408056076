"""The layers of a network as a table."""

from __future__ import annotations

from typing import Any

from .network import Network


def describe_layers(network: Network, size: tuple[int, int]) -> list[dict[str, Any]]:
    """One row per layer: name, op, height, width, channels, parameters, macs (multiply-adds of one
    image; only convolutions have any)."""
    rows = []
    shapes = network.shapes(*size).tolist()
    for i, (layer, block, shape) in enumerate(
        zip(network.layers, network.blocks.tolist(), shapes, strict=True)
    ):
        height, width, channels, macs = shape
        rows.append(
            {
                "name": network.names[i],
                "op": layer.op,
                "height": height,
                "width": width,
                "channels": channels,
                "parameters": block[1],
                "macs": macs,
            }
        )
    return rows
