"""Networks: the builder, the architectures, and the table of presets."""

from .export import export_model
from .imagenet import import_vgg19
from .laptop import laptop
from .layers import describe_layers
from .model import Model, load_model, save_model
from .network import Layer, Network
from .presets import PRESETS, Preset, build, preset
from .refine import REFINEMENTS, build_refinement, refinement
from .vgg import paper, torchvision_names, vgg19

__all__ = [
    "PRESETS",
    "REFINEMENTS",
    "Layer",
    "Model",
    "Network",
    "Preset",
    "build",
    "build_refinement",
    "describe_layers",
    "export_model",
    "import_vgg19",
    "laptop",
    "load_model",
    "paper",
    "preset",
    "refinement",
    "save_model",
    "torchvision_names",
    "vgg19",
]
