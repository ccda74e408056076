"""A network that learns from what was found (the paper, section 3.3)."""

from .options import RefinementOptions
from .refiner import REFINED, LandmarkRefiner, Refined, confidence_weights

__all__ = [
    "REFINED",
    "LandmarkRefiner",
    "Refined",
    "RefinementOptions",
    "confidence_weights",
]
