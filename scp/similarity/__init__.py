"""How well each image explains the key points of every other (the paper, section 3.2)."""

from .cycle import cycle_distances, expected_error, trusted
from .exact import set_scores
from .job import Estimate, SimilarityJob
from .matching import DeviceSearch, Queries, match
from .point_vectors import PointVectors
from .scores import client_weights, code_direction, image_distances
from .vectors import VectorSimilarity, WholeImages

__all__ = [
    "DeviceSearch",
    "Estimate",
    "PointVectors",
    "Queries",
    "SimilarityJob",
    "VectorSimilarity",
    "WholeImages",
    "client_weights",
    "code_direction",
    "cycle_distances",
    "expected_error",
    "image_distances",
    "match",
    "set_scores",
    "trusted",
]
