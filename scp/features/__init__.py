"""Feature pyramids: of gradients, or of a network that learned from the images."""

from .base import BaseExtractor, check_extractor
from .choose import extractor_for
from .gradient import GradientExtractor
from .learned import FeatureExtractor
from .pyramid import Extractor, FeaturePyramid, aligned, cell_offsets
from .store import PyramidStore
from .train import train

__all__ = [
    "BaseExtractor",
    "Extractor",
    "FeatureExtractor",
    "FeaturePyramid",
    "GradientExtractor",
    "PyramidStore",
    "aligned",
    "cell_offsets",
    "check_extractor",
    "extractor_for",
    "train",
]
