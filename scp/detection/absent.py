"""Whether a landmark is in an image at all.

Two things tell: where its usual place is, beside the landmarks that were found, and how confident
the votes are. What they mean was measured on images of which parts were cut off
(docs/lab/detection.md).
"""

from __future__ import annotations

import numpy as np

from ..values import array

# Of the log odds: constant, per deviation from the border of the image inwards, per
# log(confidence + FLOOR). Measured: benchmarks/absent.py.
CONSTANT, INSIDE, SURE, FLOOR = 2.9, 0.9, 1.5, 0.02
FARTHEST = 4.0  # deviations that count
UNKNOWN = 1.0  # deviations inwards where no usual place is known
LIKELY = 0.5  # below, a landmark counts as absent


def presence(
    confidence: np.ndarray,
    places: np.ndarray,
    reach: np.ndarray,
    shape: tuple[int, int],
    having: np.ndarray,
    templates: int,
) -> np.ndarray:
    """Probability that each landmark is in an image, float64 [L].

    Args:
        confidence: [L] of its votes. places: [L][2], usual places in pixels of the image, NaN where
            none is known. reach: [L], two deviations from there, in pixels of the image.
        shape: (H, W) of the image.
        having: [L], how many of the annotated `templates` have the landmark: its odds among them,
            each side counted half higher, multiply the odds.
    """
    confidence = array(confidence, "confidence")
    x, y = np.moveaxis(array(places, "places", absent=True), -1, 0)
    border = np.minimum(np.minimum(x, shape[1] - 1 - x), np.minimum(y, shape[0] - 1 - y))
    inside = np.clip(border / (array(reach, "reach") / 2), -FARTHEST, FARTHEST)
    inside = np.where(np.isfinite(inside), inside, UNKNOWN)
    odds = CONSTANT + INSIDE * inside + SURE * np.log(confidence + FLOOR)
    lacking = templates - having
    odds = odds + np.log((having + 0.5) / (templates + 0.5)) - np.log((lacking + 0.5) / 0.5)
    return 1 / (1 + np.exp(-odds))
