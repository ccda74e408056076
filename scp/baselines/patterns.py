"""FreeSel: several local patterns per image, drawn by their distance to those that are covered."""

from __future__ import annotations

import numpy as np

from .candidates import Candidates

PATTERNS = 5  # per image


def freesel(images: Candidates, m: int) -> None:
    """d^2 sampling: the next pattern is drawn with a chance of its squared cosine distance to the
    nearest pattern of the chosen images, and its image is taken. Without initial rows the first
    image is drawn evenly."""
    x = images.x if images.x.ndim == 3 else images.x[:, None]
    n, count, d = x.shape
    flat = x.reshape(n * count, d)
    near = np.ones(n * count)

    def cover(row: int) -> None:
        distance = 1 - (flat @ x[row].T).max(axis=1).astype(np.float64)
        np.minimum(near, np.maximum(distance, 0), out=near)

    for row in images.covering:
        cover(row)
    while len(images.taken) < m and (allowed := images.allowed).any():
        chance = near**2 * np.repeat(allowed, count)
        if not images.covering or not chance.sum() > 0:
            chance = np.repeat(allowed, count).astype(np.float64)
        total = np.cumsum(chance)
        at = int(np.searchsorted(total, images.rng.random() * total[-1], "right"))
        at = min(at, int(np.flatnonzero(chance)[-1]))  # a draw may round up to the sum
        images.take(at // count)
        cover(at // count)
