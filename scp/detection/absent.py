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
WHOLE = 0.5  # of the landmarks: a template with fewer was not marked as a whole
LIKELY = 0.5  # below, a landmark counts as absent


def evidence(
    confidence: np.ndarray, places: np.ndarray, reach: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """What INSIDE and SURE are multiplied by, [L] each; for the arguments see `presence`."""
    x, y = np.moveaxis(array(places, "places", absent=True), -1, 0)
    border = np.minimum(np.minimum(x, shape[1] - 1 - x), np.minimum(y, shape[0] - 1 - y))
    inside = np.clip(border / (array(reach, "reach") / 2), -FARTHEST, FARTHEST)
    inside = np.where(np.isfinite(inside), inside, UNKNOWN)
    return inside, np.log(array(confidence, "confidence") + FLOOR)


def lacking_odds(having: np.ndarray, lacking: np.ndarray) -> np.ndarray:
    """Log odds of a landmark among the templates, each side counted half higher, over those where
    all have it."""
    return np.log((having + 0.5) / (having + lacking + 0.5)) - np.log((lacking + 0.5) / 0.5)


def presence(
    confidence: np.ndarray,
    places: np.ndarray,
    reach: np.ndarray,
    shape: tuple[int, int],
    shapes: np.ndarray,
) -> np.ndarray:
    """Probability that each landmark is in an image, float64 [L].

    Args:
        confidence: [L] of its votes. places: [L][2], usual places in pixels of the image, NaN where
            none is known. reach: [L], two deviations from there, in pixels of the image.
        shape: (H, W) of the image.
        shapes: [T][L][2], landmarks of the annotated templates, NaN where one is absent. A template
            with less than WHOLE of them was not marked as a whole, and what it lacks says nothing.
    """
    inside, sure = evidence(confidence, places, reach, shape)
    there = np.isfinite(shapes).all(axis=-1)
    whole = there.mean(axis=1) >= WHOLE
    lacking = (~there & whole[:, None]).sum(axis=0)
    odds = CONSTANT + INSIDE * inside + SURE * sure + lacking_odds(there.sum(axis=0), lacking)
    return 1 / (1 + np.exp(-odds))
