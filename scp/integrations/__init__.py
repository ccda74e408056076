"""Run folders in other programs: MONAI Label and FiftyOne. These are imported when asked for."""

from .fiftyone import add_to_fiftyone, fiftyone_samples, to_fiftyone
from .monailabel import strategy

__all__ = ["add_to_fiftyone", "fiftyone_samples", "strategy", "to_fiftyone"]
