"""Facility location on one vector per image: `facility` and `repdiv`."""

from __future__ import annotations

import numpy as np

from ..selection import Problem
from .candidates import Candidates
from .distances import rows

REPRESENTATIVE = 0.7  # share of what repdiv takes by facility location


def similarities(x: np.ndarray) -> np.ndarray:
    """float32 [N][N]: exp(-|a - b|^2), the kernel of MaxHerding with its width of 1."""
    return np.concatenate([np.exp(-d) for _, d in rows(x)])


def facility(images: Candidates, m: int) -> None:
    """Greedy facility location with an RBF kernel (MaxHerding)."""
    _greedy(images, m, similarities(images.x))


def repdiv(images: Candidates, m: int) -> None:
    """Facility location for 70 % of m, then the image least similar to what was chosen."""
    kernel = similarities(images.x)
    _greedy(images, max(len(images.taken), round(REPRESENTATIVE * m), 1), kernel)
    near = kernel[images.covering].max(axis=0)
    while len(images.taken) < m and (row := images.take_best(-near)) >= 0:
        near = np.maximum(near, kernel[row])


def _greedy(images: Candidates, m: int, kernel: np.ndarray) -> None:
    for row in Problem(kernel, **images.rules).greedy(m)[len(images.taken) :]:
        images.take(int(row))
