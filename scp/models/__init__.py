"""Networks: the builder, the architectures, and the table of presets."""

from .laptop import laptop
from .network import Layer, Network
from .presets import PRESETS, Preset, build, preset
from .refine import REFINEMENTS, build_refinement, refinement
from .vgg import paper, torchvision_names, vgg19

__all__ = [
    "PRESETS",
    "REFINEMENTS",
    "Layer",
    "Network",
    "Preset",
    "build",
    "build_refinement",
    "laptop",
    "paper",
    "preset",
    "refinement",
    "torchvision_names",
    "vgg19",
]
