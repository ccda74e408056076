"""Rules that spread over the vectors: `kcenter` and `probcover`."""

from __future__ import annotations

import numpy as np

from .candidates import Candidates
from .clusters import clusters
from .distances import rows, squared

PURE = 0.95  # share of balls that hold one cluster only


def kcenter(images: Candidates, m: int) -> None:
    """Farthest first (core-set), from the initial rows, else from the image nearest the mean."""
    if not images.covering:
        mean = images.x.mean(axis=0, dtype=np.float64).astype(np.float32)
        images.take_best(-squared(images.x, mean[None])[:, 0])
    near = np.full(len(images), np.inf, np.float32)
    for row in images.covering:
        near = np.minimum(near, squared(images.x, images.x[row][None])[:, 0])
    while len(images.taken) < m and (row := images.take_best(near)) >= 0:
        near = np.minimum(near, squared(images.x, images.x[row][None])[:, 0])


def probcover(images: Candidates, m: int) -> None:
    """ProbCover: the ball of radius delta that covers most of what is not covered, m times. delta
    is the largest with which 95 % of the balls hold images of one k-means cluster only. Once
    all is covered, the image farthest from what was chosen is taken."""
    labels, _ = clusters(images.x, m + len(images.covering), images.seed)
    limit = reach(images.x, labels)
    inside = [  # rows in the ball of each row
        np.flatnonzero(row) for _, block in rows(images.x) for row in block < limit
    ]
    count = np.array([len(ball) for ball in inside], np.float64)
    covered = np.zeros(len(images), bool)

    def cover(row: int) -> None:
        new = inside[row][~covered[inside[row]]]
        covered[new] = True
        for other in new:  # a ball holds a row if the row's ball holds its centre
            count[inside[other]] -= 1

    for row in images.covering:
        cover(row)
    while len(images.taken) < m:
        if not (count[images.allowed] > 0).any():
            kcenter(images, m)
            return
        cover(images.take_best(count))


def reach(x: np.ndarray, labels: np.ndarray) -> float:
    """delta^2: a ball is pure below the distance to the nearest image of another cluster, so the
    largest delta of which 95 % are pure is a quantile of these distances."""
    other = np.concatenate(
        [
            np.where(labels[first : first + len(d), None] == labels, np.inf, d).min(axis=1)
            for first, d in rows(x)
        ]
    )
    return float(np.sort(other)[int((1 - PURE) * (len(x) - 1))])
