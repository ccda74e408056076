"""Networks: the builder, the architectures, and the table of presets."""

from .laptop import laptop
from .network import Layer, Network
from .presets import PRESETS, Preset, build, preset
from .vgg import paper, torchvision_names, vgg19

__all__ = [
    "PRESETS",
    "Layer",
    "Network",
    "Preset",
    "build",
    "laptop",
    "paper",
    "preset",
    "torchvision_names",
    "vgg19",
]
