"""What the rules of this folder try to make large, of any set of images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..values import array
from .activeft import objective as activeft
from .choose import METHODS, checked_vectors
from .clusters import NEIGHBOURS, clusters
from .cover import reach
from .distances import one_thread, squared
from .facility import similarities
from .zcore import scores

Value = Callable[[np.ndarray], float]  # of one set


def objective(
    vectors: ArrayLike, sets: ArrayLike, method: str = "kmeans", *, random_state: int = 0
) -> np.ndarray:
    """What a rule tries to make large, float64 [S] for S sets of M images each.

    Args:
        vectors, method, random_state: as in `pick`. sets: rows of the images, integers [S][M].

    What, of a set:

    - kmeans, pixels: minus the mean squared distance of all images to the nearest of the set
    - kcenter: minus the largest distance to the nearest of the set
    - typiclust: mean of 1 / the mean distance to the 20 nearest images
    - probcover: share of the images in balls around the set, as large as the rule has them for M
    - facility: mean over all images of the largest kernel exp(-d^2) to the set
    - repdiv: the same, plus the mean over the set of 1 minus the largest kernel to the others of it
    - freesel: minus the mean, over all patterns, of the squared cosine distance to the nearest
    - zcore: mean of the scores
    - activeft: minus the objective of the moved vectors, at the set
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    x = checked_vectors(vectors, method)
    rows = array(sets, "sets", np.int64)
    if rows.ndim != 2 or rows.size == 0:
        raise ValueError(f"sets must have shape [S][M] and not be empty, got {list(rows.shape)}")
    if rows.min() < 0 or rows.max() >= len(x):
        raise ValueError(f"sets must be rows 0 to {len(x) - 1}")
    with one_thread():
        value = _MAKE[method](x, rows.shape[1], random_state)
        return np.array([value(row) for row in rows])


def _kmeans(x: np.ndarray, m: int, seed: int) -> Value:
    d = squared(x, x)
    return lambda rows: -float(d[rows].min(axis=0).mean(dtype=np.float64))


def _kcenter(x: np.ndarray, m: int, seed: int) -> Value:
    d = np.sqrt(squared(x, x))
    return lambda rows: -float(d[rows].min(axis=0).max())


def _typiclust(x: np.ndarray, m: int, seed: int) -> Value:
    d = np.sqrt(squared(x, x))
    np.fill_diagonal(d, np.inf)
    k = min(NEIGHBOURS, len(x) - 1)
    if k == 0:
        return lambda rows: 0.0
    near = np.partition(d, k - 1, axis=1)[:, :k].mean(axis=1, dtype=np.float64)
    typical = 1 / (near + 1e-5)
    return lambda rows: float(typical[rows].mean())


def _probcover(x: np.ndarray, m: int, seed: int) -> Value:
    labels, _ = clusters(x, m, seed)
    inside = squared(x, x) < reach(x, labels)
    return lambda rows: float(inside[rows].any(axis=0).mean())


def _facility(x: np.ndarray, m: int, seed: int) -> Value:
    kernel = similarities(x)
    return lambda rows: float(kernel[rows].max(axis=0).mean(dtype=np.float64))


def _repdiv(x: np.ndarray, m: int, seed: int) -> Value:
    kernel = similarities(x)

    def value(rows: np.ndarray) -> float:
        covered = float(kernel[rows].max(axis=0).mean(dtype=np.float64))
        if len(rows) == 1:
            return covered
        among = kernel[np.ix_(rows, rows)].copy()
        np.fill_diagonal(among, 0)
        return covered + float((1 - among.max(axis=1)).mean(dtype=np.float64))

    return value


def _freesel(x: np.ndarray, m: int, seed: int) -> Value:
    patterns = x if x.ndim == 3 else x[:, None]
    n, count, d = patterns.shape
    flat = patterns.reshape(n * count, d)
    near = np.stack([(flat @ image.T).max(axis=1) for image in patterns])

    def value(rows: np.ndarray) -> float:
        distance = np.maximum(1 - near[rows].max(axis=0).astype(np.float64), 0)
        return -float((distance**2).mean())

    return value


def _zcore(x: np.ndarray, m: int, seed: int) -> Value:
    found = scores(x, seed)
    return lambda rows: float(found[rows].mean())


def _activeft(x: np.ndarray, m: int, seed: int) -> Value:
    return lambda rows: -activeft(x, x[rows].astype(np.float64))


_MAKE: dict[str, Callable[[np.ndarray, int, int], Value]] = {
    "kmeans": _kmeans,
    "kcenter": _kcenter,
    "typiclust": _typiclust,
    "probcover": _probcover,
    "facility": _facility,
    "repdiv": _repdiv,
    "pixels": _kmeans,
    "freesel": _freesel,
    "zcore": _zcore,
    "activeft": _activeft,
}
