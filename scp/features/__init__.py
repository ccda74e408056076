"""Feature pyramids: of gradients, or of a network that learned from the images."""

from .base import BaseExtractor, check_extractor
from .choose import extractor_for
from .gradient import GradientExtractor
from .learned import FeatureExtractor
from .maps import MapExtractor
from .own import own_features
from .pyramid import Extractor, FeaturePyramid, aligned, cell_offsets
from .size import usual_size
from .store import PyramidStore
from .train import train
from .vectors import ImageVectors

__all__ = [
    "BaseExtractor",
    "Extractor",
    "FeatureExtractor",
    "FeaturePyramid",
    "GradientExtractor",
    "ImageVectors",
    "MapExtractor",
    "PyramidStore",
    "aligned",
    "cell_offsets",
    "check_extractor",
    "extractor_for",
    "own_features",
    "train",
    "usual_size",
]
