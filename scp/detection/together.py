"""The landmarks of an image decided together, by their usual places beside each other.

Parts that look alike (two eyes, ribs, paws) are told apart by where they are. The places found in
an image are compared with a template's landmarks, moved by the affine map that fits most of them. A
vote far from its usual place counts little; how far is far is learned from images without labels.
"""

from __future__ import annotations

import numpy as np

from ..values import array
from .votes import AGREE

LEAST = 10  # landmarks: with fewer, an affine map fits a wrong one too
STEPS = 15  # of the fit
NEAR = 0.04  # of a template's extent: residuals below count fully
SHARE = 0.9  # of the residuals of confident images that are normal
FAR = 2.0  # times their deviation: beyond, votes count less than half
SHARPNESS = 8  # of the fall there
ROUNDS = 2  # of votes and usual places
SAMPLE = 100  # images of a pool that say how far is far
FEWEST = 10  # of them
FLAT = 0.2  # of the larger stretch of a map: one that squeezes more fits nothing


def usual_places(xy: np.ndarray, confidence: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Where the landmarks of images usually are, seen from each other.

    A template's landmarks, by the affine map that fits the places found best: iterated least
    squares, weights confidence / (1 + (r / s)^2)^2 with s = 1.5 times the median residual r. Of
    several templates, that with the smallest median residual.

    Args:
        xy: float [N][L][2], places found, NaN where there is none. confidence: [N][L].
        shapes: float [T][L][2], landmarks of the templates, NaN where one is absent.

    Returns:
        float64 [N][L][2]; NaN where no template says anything, or where fewer than LEAST landmarks
        are known.
    """
    out = np.full(xy.shape, np.nan)
    best = np.full(len(xy), np.inf)
    present = np.isfinite(shapes).all(axis=-1)
    for there in np.unique(present, axis=0):  # templates with the same landmarks together
        if there.sum() < LEAST:
            continue
        alike = shapes[(present == there).all(axis=1)][:, there]
        fitted, residual = _fitted(xy[:, there], confidence[:, there], alike)
        first = residual.argmin(axis=0)
        better = np.flatnonzero(residual.min(axis=0) < best)
        best[better] = residual.min(axis=0)[better]
        out[better] = np.nan
        out[np.ix_(better, np.flatnonzero(there))] = fitted[first[better], better]
    return out


def _fitted(xy, confidence, shapes) -> tuple[np.ndarray, np.ndarray]:
    """Each of `shapes` [T][K][2] moved to the places of each image [N][K][2]: [T][N][K][2], and the
    median residuals [T][N]; infinite where too few are known or no map fits."""
    known = np.isfinite(xy).all(axis=-1)
    enough = known.sum(axis=1) >= LEAST
    xy = np.where(known[..., None], xy, 0)
    prior = np.where(known, np.nan_to_num(confidence) + 1e-6, 0)
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    extent = np.sqrt(np.square(centred).sum(axis=2).mean(axis=1))
    centred = centred / np.where(extent > 0, extent, 1)[:, None, None]
    basis = np.concatenate([centred, np.ones((*centred.shape[:2], 1))], axis=2)
    squares = (basis[..., :, None] * basis[..., None, :]).reshape(*basis.shape[:2], 9)
    across = basis.swapaxes(1, 2)[:, None]
    weight = np.broadcast_to(prior, (len(shapes), *prior.shape))
    for _ in range(STEPS):
        normal = (weight @ squares).reshape(len(shapes), len(xy), 3, 3) + 1e-9 * np.eye(3)
        moved = np.linalg.solve(normal, across @ (weight[..., None] * xy))
        fitted = basis[:, None] @ moved
        residual = np.where(known, np.hypot(*np.moveaxis(fitted - xy, -1, 0)), np.nan)
        residual[:, ~enough] = 0
        median = np.nanmedian(residual, axis=2)
        turn = np.linalg.det(moved[..., :2, :])
        scale = np.maximum(np.maximum(1.5 * median, NEAR * np.sqrt(np.abs(turn))), 1e-9)
        weight = prior / (1 + np.square(np.nan_to_num(residual) / scale[..., None])) ** 2
    stretch = np.linalg.svd(moved[..., :2, :], compute_uv=False)
    sound = (turn > 0) & (stretch[..., 1] > FLAT * stretch[..., 0]) & (extent > 0)[:, None]
    return fitted, np.where(enough & sound, median, np.inf)


def reach_of(
    xy: np.ndarray, confidence: np.ndarray, scales: np.ndarray, shapes: np.ndarray
) -> np.ndarray | None:
    """How far from its usual place each landmark may be, float64 [L] in pixels of the grid.

    From images that nobody marked: FAR times the deviation of the landmark in the half of them in
    which it was found with most confidence; 2 * AGREE at least. None where there is too little to
    learn from.

    Args:
        scales: float [N], original pixels per pixel of the grid. For the others see `usual_places`.
    """
    if len(xy) < FEWEST or not (np.isfinite(shapes).all(axis=-1).sum(axis=1) >= LEAST).any():
        return None
    off = np.hypot(*np.moveaxis(xy - usual_places(xy, confidence, shapes), -1, 0)) / scales[:, None]
    out = np.full(xy.shape[1], 2 * AGREE)
    for k, (distance, sure) in enumerate(zip(off.T, confidence.T, strict=True)):
        known = np.isfinite(distance)
        if known.sum() < FEWEST // 2:
            continue
        high = known & (sure >= np.median(sure[known]))
        deviation = np.quantile(distance[high], SHARE) / np.sqrt(-2 * np.log(1 - SHARE))
        out[k] = max(FAR * deviation, 2 * AGREE)
    return out


def trust_of(votes: np.ndarray, places: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """How much votes count by where they are: 1 at their usual places, half at the reach, then
    falling fast; 1 where no place is known.

    votes: float [M][...][L][2]. places: [...][L][2]. reach: [...][L], in the unit of both.
    """
    votes, places = array(votes, "votes", absent=True), array(places, "places", absent=True)
    distance = np.hypot(*np.moveaxis(votes - places, -1, 0)) / reach
    return np.where(np.isfinite(distance), 1 / (1 + np.nan_to_num(distance) ** SHARPNESS), 1.0)
