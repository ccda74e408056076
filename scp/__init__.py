"""scp: which few medical images to annotate, and how good that choice is.

    import scp
    pool = scp.datasets.folder("radiographs")
    choice = scp.choose(pool, 5, run="runs/mine")      # files and report.html in runs/mine
    choice.ids, choice.selection.score, choice.selection.upper_bound

With features that are learned from the images first:

    scp.FeatureExtractor(preset="laptop").fit(pool, minutes=10, run="runs/mine")

When the images chosen are annotated, their landmarks are found in all the others:

    extractor = scp.FeatureExtractor.load("runs/mine")
    marks = scp.read_landmarks("marks.csv")            # of the images chosen
    detector = scp.LandmarkDetector(extractor=extractor)
    detector.fit(pool.subset(choice.selection.selected), marks)
    found = detector.predict(pool)                     # found.xy, found.confidence

The parts, in the order of the method: `datasets`, `keypoints`; `FeatureExtractor` (with `networks`,
`training`), `GradientExtractor` and `FeaturePyramid`; `SimilarityJob` and `match`; `select` and
`verify`; `Run` and `choose` for all of these; `baselines`, other ways to choose;
`LandmarkDetector`, `LandmarkRefiner`, `evaluate`, `measure`; `report.write_report`. Of faces:
`FaceAutoencoder` and `FaceDetector`. On many machines: `distributed`.
"""

# ruff: noqa: E402
from .signals import signal_of_import

signal_of_import(True)  # before what takes long

from importlib import import_module

from . import baselines, datasets, devices, distributed, faces, keypoints, networks
from ._core import InfeasibleError
from ._version import __version__
from .detection import Detections, LandmarkDetector, combine, match_templates
from .devices import get_threads, set_threads
from .evaluation import Evaluation, evaluate, metrics
from .faces import FaceAutoencoder, FaceDetector
from .features import FeatureExtractor, FeaturePyramid, GradientExtractor, usual_size
from .landmarks import Landmarks, convert_landmarks, read_landmarks, write_landmarks
from .measures import Measurements, measure, read_definitions
from .refinement import (
    LandmarkRefiner,
    SupervisedDetector,
    confidence_weights,
    error_weights,
)
from .report import write_report
from .run import Run, choose
from .selection import Choice, Selection, TemplateSelector, select, select_vectors, verify
from .similarity import (
    Queries,
    SimilarityJob,
    client_weights,
    code_direction,
    image_distances,
    match,
)

__all__ = [
    "Choice",
    "Detections",
    "Evaluation",
    "FaceAutoencoder",
    "FaceDetector",
    "FeatureExtractor",
    "FeaturePyramid",
    "GradientExtractor",
    "InfeasibleError",
    "LandmarkDetector",
    "LandmarkRefiner",
    "Landmarks",
    "Measurements",
    "Queries",
    "Run",
    "Selection",
    "SimilarityJob",
    "SupervisedDetector",
    "TemplateSelector",
    "__version__",
    "baselines",
    "choose",
    "client_weights",
    "code_direction",
    "combine",
    "confidence_weights",
    "convert_landmarks",
    "datasets",
    "devices",
    "distributed",
    "error_weights",
    "evaluate",
    "experiments",
    "faces",
    "get_threads",
    "image_distances",
    "keypoints",
    "match",
    "match_templates",
    "measure",
    "metrics",
    "networks",
    "read_definitions",
    "read_landmarks",
    "select",
    "select_vectors",
    "set_threads",
    "usual_size",
    "verify",
    "write_landmarks",
    "write_report",
]


def __getattr__(name: str):
    if name == "experiments":  # only when asked for: nothing else needs it
        return import_module(".experiments", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
