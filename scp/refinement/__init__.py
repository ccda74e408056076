"""A network that learns from what was found (the paper, section 3.3)."""

from .labels import confidence_weights, error_weights
from .options import RefinementOptions, SupervisedOptions
from .refiner import REFINED, LandmarkRefiner
from .supervised import SupervisedDetector

__all__ = [
    "REFINED",
    "LandmarkRefiner",
    "RefinementOptions",
    "SupervisedDetector",
    "SupervisedOptions",
    "confidence_weights",
    "error_weights",
]
