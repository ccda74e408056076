"""How far off a place found probably is, without a label of its image.

Two things tell: the confidence of the votes, and how far from the templates' own landmarks the
place comes back (the cycle). What they mean in pixels was measured once (docs/lab/detection.md);
with several templates, each is also found from the others, where the truth is known, and corrects
that.
"""

from __future__ import annotations

import numpy as np

from ..values import array

# Of log(error in pixels of the grid): constant, per confidence, per log(cycle + 1). Measured on
# cephalograms, chest radiographs and faces: benchmarks/expected.py --fit.
ONE, SEVERAL = (2.137, -1.792, 0.357), (1.913, -2.033, 0.325)
LEFT_OUT = 25  # templates that are found from the others, at most
TYPICAL = 1.08  # errors in other images over those in templates, which are chosen to be typical
IMAGES, LANDMARKS = 2.0, 10.0  # templates that the measured constants count as: for all, for each
LIMITS = (0.2, 5.0)  # of the correction


def expected_error(
    confidence: np.ndarray, cycle: np.ndarray, several: np.ndarray | bool
) -> np.ndarray:
    """Expected distance from the truth, in pixels of the grid.

    The constants are those of trained features in four sizes. Others mean something else by a
    confidence: with several templates `error_scale` mends that, with one nothing does.

    Args:
        confidence: [...] in [0, 1]. cycle: [...] in pixels of the grid. several: [...], whether
            several annotated images have the landmark.
    """
    constants = np.where(np.asarray(several)[..., None], SEVERAL, ONE)
    constant, sure, back = np.moveaxis(constants, -1, 0)
    level = np.exp(constant + sure * array(confidence, "confidence", absent=True))
    return level * (array(cycle, "cycle", absent=True) + 1) ** back


def error_scale(errors: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """What `expected_error` is multiplied by, float64 [L], from templates found from the others.

    The ratio of the sums over all landmarks, then of each landmark against that; both lean on 1 by
    as much as IMAGES and LANDMARKS say, as logarithms. 1 of a landmark of which nothing is known.

    Args:
        errors, expected: [T][L], of the places found in T templates; NaN where not known.
    """
    known = np.isfinite(errors) & np.isfinite(expected)
    count = known.sum(axis=0)
    if not count.any():
        return np.ones(errors.shape[1])
    errors, expected = np.where(known, errors, 0), np.where(known, expected, 0)
    ratio = np.clip(errors.sum() / expected.sum(), *LIMITS)
    images = known.any(axis=1).sum()
    whole = ratio ** (images / (images + IMAGES))
    sums = np.where(count > 0, expected.sum(axis=0), 1)
    own = np.where(count > 0, np.clip(errors.sum(axis=0) / (sums * ratio), *LIMITS), 1.0)
    own = own ** (count / (count + LANDMARKS))
    own /= (own * sums * (count > 0)).sum() / (sums * (count > 0)).sum()
    return np.where(count > 0, TYPICAL * whole * own, 1.0)
