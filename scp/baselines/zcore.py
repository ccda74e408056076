"""ZCore: images that random points in random pairs of dimensions meet, less what is near them."""

from __future__ import annotations

import numpy as np

from .. import _core
from .candidates import Candidates

DRAWS = 1_000_000


def zcore(images: Candidates, m: int) -> None:
    """The images of the largest scores. A draw takes two dimensions and in each a number of the
    triangular distribution (smallest, median, largest); the nearest image by the sum of distances
    gets 1, and its neighbours lose 1 together, each a share of its distance^-4."""
    found = scores(images.x, images.seed)
    while len(images.taken) < m and images.take_best(found) >= 0:
        pass


def scores(x: np.ndarray, seed: int) -> np.ndarray:
    """Of each image, float64 [N]."""
    shape = np.stack([x.min(0), np.median(x, 0), x.max(0)], axis=1).astype(np.float32)
    return _core.zcore(np.ascontiguousarray(x.T), shape, seed, DRAWS)
