"""Networks: the builder, the architectures, and the table of presets."""

from .configuration import SUPERVISED, build_supervised, scn, supervised, unet
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
    "SUPERVISED",
    "Layer",
    "Model",
    "Network",
    "Preset",
    "build",
    "build_refinement",
    "build_supervised",
    "describe_layers",
    "export_model",
    "import_vgg19",
    "laptop",
    "load_model",
    "paper",
    "preset",
    "refinement",
    "save_model",
    "scn",
    "supervised",
    "torchvision_names",
    "unet",
    "vgg19",
]
