"""What the similarity matrix says: weights of key points, distances of images."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..values import array


def client_weights(offsets: ArrayLike) -> np.ndarray:
    """Weight of every key point in the score, float64 [Q]: 1 / (N K_n) for a point of image n.

    The score is then the mean over images of the mean over their key points (the paper, Eq. 9);
    an image without key points counts as 0.
    """
    counts = np.diff(_offsets(offsets))
    return np.repeat(1.0 / (len(counts) * np.maximum(counts, 1)), counts)


def code_direction(values: ArrayLike, offsets: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The other reading of Eq. 7, as the authors' code has it: key points of the *template*
    searched in the image.

    Returns V float32 [N][N * K], K = max K_n, with V[t][x * K + k] = similarity of key point k of
    template t in image x (0 where t has fewer points), and weights [N * K] that make
    the score a mean. Pass both to `scp.select`. Key point k of one template has nothing to do with
    key point k of another, so prefer the default direction; this one is for comparison.
    """
    offsets, values = _offsets(offsets), _values(values, offsets)
    n = len(offsets) - 1
    most = int(np.diff(offsets).max(initial=0))
    out = np.zeros((n, n, most), np.float32)
    for t in range(n):
        block = values[:, offsets[t] : offsets[t + 1]]
        out[t, :, : block.shape[1]] = block
    return out.reshape(n, -1), np.full(n * most, 1.0 / max(n * most, 1))


def image_distances(values: ArrayLike, offsets: ArrayLike) -> np.ndarray:
    """Distance of images, float64 [N][N] in [0, 1]: 1 - the mean similarity of one image's key
    points in the other, averaged over both directions; 0 on the diagonal."""
    offsets, values = _offsets(offsets), _values(values, offsets)
    n = len(offsets) - 1
    mean = np.zeros((n, n))
    for a in range(n):
        if offsets[a + 1] > offsets[a]:
            mean[:, a] = values[:, offsets[a] : offsets[a + 1]].mean(axis=1, dtype=np.float64)
    distance = 1 - (mean + mean.T) / 2
    np.fill_diagonal(distance, 0)
    return np.clip(distance, 0, 1)


def _offsets(offsets: ArrayLike) -> np.ndarray:
    """First column of every image, and their number, int64 [N+1]."""
    given = array(offsets, "offsets", None, 1)
    if given.dtype.kind not in "iu" or len(given) < 2 or given[0] or (given[1:] < given[:-1]).any():
        raise ValueError("offsets must be whole numbers [N+1] that begin with 0 and do not fall")
    return given.astype(np.int64)


def _values(values: ArrayLike, offsets: np.ndarray) -> np.ndarray:
    values = array(values, "values", None, 2)
    shape = len(offsets) - 1, int(offsets[-1])
    if values.shape != shape:
        raise ValueError(f"values must be {list(shape)}, as the offsets say, got {values.shape}")
    return values
