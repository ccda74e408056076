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
    for step in range(1, STEPS + 1):
        g = gradient(images.x, np.concatenate([fixed, v]))[len(fixed) :]
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


def gradient(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Of `objective` by v, float64 [m][d]."""
    nearest = (x @ v.astype(x.dtype).T).argmax(axis=1)
    out = np.zeros_like(v, np.float64)
    for j in np.unique(nearest):
        out[j] = -x[nearest == j].sum(axis=0, dtype=np.float64) / (len(x) * TEMPERATURE)
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
