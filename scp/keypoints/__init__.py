"""Key points: where an image is asked how well a template explains it."""

from .detect import METHODS, OPTIONS, PRESETS, KeyPoints, detect
from .pool import Pool

__all__ = [
    "METHODS",
    "OPTIONS",
    "PRESETS",
    "KeyPoints",
    "Pool",
    "detect",
]
