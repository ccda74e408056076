"""Rules that take an image of each k-means cluster: `kmeans`, `typiclust` and `pixels`."""

from __future__ import annotations

import numpy as np

from ..errors import warn
from .candidates import Candidates
from .distances import one_thread, squared

TYPICLUST_MOST = 500  # clusters
TYPICLUST_SMALL = 5  # members of a cluster that is left out, at most
NEIGHBOURS = 20


def kmeans(images: Candidates, m: int) -> None:
    """The image nearest each of m centres (with initial rows: of as many centres more, and those of
    the initial rows are left out)."""
    labels, centres = clusters(images.x, m + len(images.covering), images.seed)
    near = -squared(images.x, centres)[np.arange(len(images)), labels]
    _walk(images, m, labels, lambda row_of: near)


def pixels(images: Candidates, m: int) -> None:
    """As `kmeans`, but any image of the cluster, by chance (DeepLabCut on thumbnails)."""
    labels, _ = clusters(images.x, m + len(images.covering), images.seed)
    chance = images.rng.random(len(images))
    _walk(images, m, labels, lambda row_of: chance)


def typiclust(images: Candidates, m: int) -> None:
    """TypiClust: of each cluster the image whose neighbours in it are nearest, large clusters
    first."""
    count = min(m + len(images.covering), TYPICLUST_MOST)
    labels, _ = clusters(images.x, count, images.seed)
    large = np.bincount(labels)[labels] > TYPICLUST_SMALL

    def walk(some: np.ndarray) -> None:
        _walk(images, m, some, lambda inside: _typicality(images.x, inside))

    if large.any():
        walk(np.where(large, labels, -1))
    if len(images.taken) < m:
        few = "no cluster has" if not large.any() else "too few images are in clusters of"
        warn(
            f"typiclust: {few} more than {TYPICLUST_SMALL} images, so the small ones are not left "
            "out; with so few images for m another method says more"
        )
        walk(labels)


def clusters(x: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(labels int [N], centres float32 [count][d]) of k-means; fewer where vectors are equal."""
    fit = _fit(x, count, seed)
    return fit.labels_.astype(np.intp), fit.cluster_centers_.astype(np.float32)


def centres(x: np.ndarray, count: int) -> np.ndarray:
    """float32 [count][d], k-means centres of vectors; where fewer differ, some come twice."""
    found = _fit(x, count, 0).cluster_centers_.astype(np.float32)
    return found[np.arange(count) % len(found)]


def _fit(x: np.ndarray, count: int, seed: int):
    """scikit-learn's k-means, started once."""
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        raise ImportError(
            "k-means needs scikit-learn: pip install 'sample-choosing-policy[baselines]'"
        ) from None
    if count > 1:
        count = min(count, len(np.unique(x, axis=0)))
    with one_thread():  # `centres` is called outside of `pick`
        return KMeans(count, n_init=1, random_state=seed % 2**32).fit(x)


def _walk(images: Candidates, m: int, labels: np.ndarray, value) -> None:
    """Takes m rows: those clusters first that hold the fewest rows so far, then the largest ones;
    in a cluster the row with the largest value.

    labels: of the clusters, -1: in none. value: of bool [N], the members, float [N].
    """
    sizes = np.bincount(labels[labels >= 0])
    held = np.zeros(len(sizes), np.intp)
    for row in images.covering:
        if labels[row] >= 0:
            held[labels[row]] += 1
    values: dict[int, np.ndarray] = {}
    open_ = sizes > 0
    while len(images.taken) < m and open_.any():
        cluster = min(np.flatnonzero(open_), key=lambda c: (held[c], -sizes[c], c))
        inside = labels == cluster
        if cluster not in values:
            values[cluster] = value(inside)
        if images.take_best(values[cluster], inside) < 0:
            open_[cluster] = False  # no row of it is allowed
        else:
            held[cluster] += 1


def _typicality(x: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """1 / (mean distance to the k nearest of its cluster + 1e-5), k = min(20, half of it)."""
    rows = np.flatnonzero(inside)
    k = max(1, min(NEIGHBOURS, len(rows) // 2))
    out = np.full(len(x), -np.inf)
    if len(rows) == 1:
        out[rows] = 0
        return out
    d = np.sqrt(squared(x[rows], x[rows]))
    np.fill_diagonal(d, np.inf)
    out[rows] = 1 / (np.partition(d, k - 1, axis=1)[:, :k].mean(axis=1) + 1e-5)
    return out
