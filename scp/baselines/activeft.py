"""ActiveFT: free vectors that move to where images are and away from each other."""

from __future__ import annotations

import numpy as np

from .candidates import Candidates

STEPS = 300
RATE = 1e-3  # of Adam
TEMPERATURE = 0.07
DECAY = (0.9, 0.999)


def activeft(images: Candidates, m: int) -> None:
    """m unit vectors, started at images drawn by chance, follow the gradient of

        - mean over images f of max over j of f.v_j / T
        + mean over j of log sum over k != j of exp(v_j.v_k / T)

    by Adam; then each takes the nearest image that is left. Vectors of initial rows stay where they
    are.
    """
    new = m - len(images.taken)
    if new <= 0:
        return
    fixed = images.x[images.covering]
    start = images.rng.choice(np.flatnonzero(images.allowed), new, replace=False)
    v = images.x[start].astype(np.float64)
    first, second = np.zeros_like(v), np.zeros_like(v)
    sums = NearestSums(images.x, len(fixed) + new)
    for step in range(1, STEPS + 1):
        g = gradient(images.x, np.concatenate([fixed, v]), sums)[len(fixed) :]
        first += (1 - DECAY[0]) * (g - first)
        second += (1 - DECAY[1]) * (g * g - second)
        rate = RATE * np.sqrt(1 - DECAY[1] ** step) / (1 - DECAY[0] ** step)
        v -= rate * first / (np.sqrt(second) + 1e-8)
        v /= np.linalg.norm(v, axis=1, keepdims=True)
    for near in v.astype(np.float32) @ images.x.T:
        if images.take_best(near) < 0:
            return


def objective(x: np.ndarray, v: np.ndarray) -> float:
    """What is minimised, of images [N][d] and vectors [m][d]."""
    fit = (x @ v.T).max(axis=1).mean() / TEMPERATURE
    return float(np.log(_apart(v).sum(axis=1)).mean() - fit) if len(v) > 1 else float(-fit)


class NearestSums:
    """Sums of the images nearest each of m vectors. From step to step few images change sides, so
    only the sums of those sides are made again."""

    def __init__(self, x: np.ndarray, m: int):
        self.x, self.sums = x, np.zeros((m, x.shape[1]))
        self._nearest = np.full(len(x), -1, np.intp)

    def of(self, v: np.ndarray) -> np.ndarray:
        """float64 [m][d], to be read only."""
        nearest = (self.x @ v.astype(self.x.dtype).T).argmax(axis=1)
        moved = nearest != self._nearest
        for j in {*nearest[moved].tolist(), *self._nearest[moved].tolist()} - {-1}:
            self.sums[j] = self.x[nearest == j].sum(axis=0, dtype=np.float64)
        self._nearest = nearest
        return self.sums


def gradient(x: np.ndarray, v: np.ndarray, sums: NearestSums | None = None) -> np.ndarray:
    """Of `objective` by v, float64 [m][d]. sums: kept from step to step."""
    sums = NearestSums(x, len(v)) if sums is None else sums
    out = sums.of(v) / -(len(x) * TEMPERATURE)
    if len(v) > 1:
        apart = _apart(v)
        share = apart / apart.sum(axis=1, keepdims=True)
        out += (share + share.T) @ v / (len(v) * TEMPERATURE)
    return out


def _apart(v: np.ndarray) -> np.ndarray:
    """exp(v_j.v_k / T), 0 where j = k."""
    out = np.exp(v @ v.T / TEMPERATURE)
    np.fill_diagonal(out, 0)
    return out
