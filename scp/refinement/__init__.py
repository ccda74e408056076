"""A network that learns from what was found (the paper, section 3.3)."""

from .labels import confidence_weights
from .options import RefinementOptions
from .refiner import REFINED, LandmarkRefiner

__all__ = [
    "REFINED",
    "LandmarkRefiner",
    "RefinementOptions",
    "confidence_weights",
]
