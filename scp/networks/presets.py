"""The table of presets: a network, the size of its images, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..training import PAPER_TRANSFORMS
from .laptop import laptop
from .network import Network
from .vgg import paper


@dataclass(frozen=True)
class Preset:
    """One entry of the table.

    Attributes:
        summary: one line for people.
        build: makes the network; its keyword arguments are the network's options.
        size: (H, W) that images are resized to.
        network: options of `build` that differ from its defaults.
        training: values of `scp.training.TrainingOptions` that differ from its defaults.
    """

    summary: str
    build: Callable[..., Network]
    size: tuple[int, int]
    network: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


PRESETS: dict[str, Preset] = {
    "laptop": Preset(
        "narrow, grey, from nothing: minutes on two cores",
        laptop,
        (384, 384),
        training={"minutes": 10.0, "batch": 2, "points": 256},
    ),
    "paper": Preset(
        "VGG-19 with receptive field blocks, 64 channels, as published",
        paper,
        (384, 384),
        training={
            "steps": 61_800,
            "batch": 8,
            "points": 1,
            "transforms": PAPER_TRANSFORMS,
            "interpolation": "cubic",
            "learning_rate": 1e-3,
            "schedule": "step",
            "decay": 0.5,
            "decay_every": 1 / 6,
            "weight_decay": 1e-4,
        },
    ),
}


def preset(name: str) -> Preset:
    """The entry called `name`."""
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]


def build(name: str, **options: Any) -> Network:
    """The network of a preset; options override the preset's."""
    entry = preset(name)
    try:
        return entry.build(**{**entry.network, **options})
    except TypeError as error:
        raise ValueError(f"options of preset {name!r}: {error}") from None
