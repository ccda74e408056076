"""How far to trust matches, without labels: there and back again.

A key point of one image is found in another, and the place found is searched in the first image
again. Where the way back ends beside the key point, one of the two matches is wrong. The distance
is an error estimate that needs no annotation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..features import FeaturePyramid
from ..progress import Progress, watch
from ..values import whole_numbers
from .matching import match

TRUST = 6.0  # pixels of the grid: a key point that comes back this far off counts half


def cycle_distances(
    pyramids: Sequence[FeaturePyramid],
    points: Sequence[np.ndarray],
    places: np.ndarray,
    *,
    mode: str = "nearest",
    epsilon: float = 1e-3,
    progress: Progress = False,
) -> np.ndarray:
    """Distance between each key point and where it comes back to from each image.

    Args:
        pyramids: of N images. points: per image, [K_n][2], key points on the grid.
        places: int32 [N][Q] of `SimilarityJob.run`: where in image t key point q is found.
        mode, epsilon: those of the job.
        progress: see `scp.progress`.

    Returns:
        float32 [N][Q], pixels of the grid; row = image that was searched, as in the similarity
        matrix. Nearest: both ends are cells, and a key point that comes home is at distance 0.
    """
    n = len(pyramids)
    counts = np.array([len(p) for p in points], np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    if places.shape != (n, offsets[-1]):
        raise ValueError(f"places must be {[n, int(offsets[-1])]}, got {list(places.shape)}")
    out = np.zeros(places.shape, np.float32)
    unit = 1 if mode == "bilinear" else 2  # pixels of one step of a place
    bar = watch(progress, "cycles", n)
    for i in range(n):
        part = slice(offsets[i], offsets[i + 1])
        if counts[i]:
            width = pyramids[i].size[1] // unit
            vectors, norms = [], []
            for t in range(n):
                place = np.stack([places[t, part] % width, places[t, part] // width], axis=1)
                q, length = pyramids[t].at(place * unit)
                vectors.append(q)
                norms.append(length)
            _, back, _ = match(
                pyramids[i],
                np.concatenate(vectors),
                np.concatenate(norms),
                mode=mode,
                epsilon=epsilon,
            )
            home = np.floor((np.asarray(points[i], np.float64) + 0.5) / unit)
            apart = back.reshape(n, counts[i], 2) - home
            out[:, part] = unit * np.sqrt((apart**2).sum(axis=-1))
        if bar:
            bar(i + 1, n)
    return out


def trusted(values: np.ndarray, distances: np.ndarray, trust: float = TRUST) -> np.ndarray:
    """Similarities [N][Q] divided by 1 + (distance / trust)^2: what `scp.select` takes to choose
    the images whose matches come back."""
    if not trust > 0:
        raise ValueError(f"trust must be above 0, got {trust}")
    return (values / (1 + np.square(distances / trust))).astype(np.float32)


def expected_error(
    values: np.ndarray, distances: np.ndarray, weights: np.ndarray, templates: Sequence[int]
) -> float:
    """The error to expect from a set of templates, in pixels of the grid: the mean distance of key
    points in their most similar template.

    weights: [Q], `scp.client_weights`. It is a lower bound in practice: a match that is wrong in
    the same way in both directions comes back.
    """
    rows = np.array(whole_numbers(templates, "templates", 0, len(values) - 1), np.int64)
    best = values[rows].argmax(axis=0)
    return float(distances[rows][best, np.arange(distances.shape[1])] @ weights)
