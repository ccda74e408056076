"""scp: which few medical images to annotate, and how good that choice is.

    import scp
    pool = scp.datasets.folder("radiographs")
    choice = scp.choose(pool, 5, run="runs/mine")      # files and report.html in runs/mine
    choice.ids, choice.selection.score, choice.selection.upper_bound

With features that are learned from the images first:

    scp.FeatureExtractor("laptop").fit(pool, minutes=10, run="runs/mine")

The parts, in the order of the method: `datasets`, `keypoints.detect`; `FeatureExtractor` (with
`models`, `training`, `weights`), `GradientExtractor` and `FeaturePyramid`; `SimilarityJob` and
`match`, `select` and `verify`, `report.write_report`.
"""

__version__ = "0.1.0"

from . import datasets, keypoints
from ._core import InfeasibleError
from .extractor import FeatureExtractor
from .features import FeaturePyramid, GradientExtractor
from .pipeline import Choice, choose
from .selection import Selection, TemplateSelector, select, verify
from .similarity import (
    SimilarityJob,
    client_weights,
    code_direction,
    image_distances,
    match,
)

__all__ = [
    "Choice",
    "FeatureExtractor",
    "FeaturePyramid",
    "GradientExtractor",
    "InfeasibleError",
    "Selection",
    "SimilarityJob",
    "TemplateSelector",
    "choose",
    "client_weights",
    "code_direction",
    "datasets",
    "image_distances",
    "keypoints",
    "match",
    "select",
    "verify",
]
