"""What a refinement learns from: pseudo labels, their weights and the templates."""

from __future__ import annotations

import numpy as np

from ..datasets import Dataset, to_grid
from ..detection import templates_among
from ..landmarks import Landmarks
from ..values import array


def factor_of(network, size: tuple[int, int]) -> int:
    """How many times the images are larger than the network's one output."""
    if len(network.outputs) != 1:
        raise ValueError(f"network: one output is needed, got {len(network.outputs)}")
    try:
        height, width = (int(v) for v in network.shapes(*size)[network.outputs[0], :2])
    except ValueError as error:
        raise ValueError(f"size: {size[0]} x {size[1]} does not fit the network: {error}") from None
    if size[0] % height or size[1] % width or size[0] // height != size[1] // width:
        raise ValueError(
            f"size: the network turns images of {size[0]} x {size[1]} into maps of {height} x "
            f"{width}; sides must be multiples of 32"
        )
    return size[0] // height


def confidence_weights(confidence: np.ndarray, power: float = 2.0) -> np.ndarray:
    """Weights of pseudo labels, float64 [N][L] in 0..1: confidence [N][L] relative to the upper
    decile of its landmark, at most 1, to that power."""
    confidence = array(confidence, "confidence", absent=True)
    known = np.where(np.isfinite(confidence).any(axis=0), confidence, 0)
    top = np.nanquantile(known, 0.9, axis=0)
    ratio = np.divide(confidence, top, out=np.zeros_like(confidence), where=top > 0)
    return np.nan_to_num(np.clip(ratio, 0, 1)) ** power


def error_weights(errors: np.ndarray, power: float = 2.0) -> np.ndarray:
    """Weights of pseudo labels, float64 [N][L] in 0..1: the median expected error over their own
    [N][L], at most 1, to that power; 0 where it is not known."""
    errors = array(errors, "errors", absent=True)
    known = np.isfinite(errors)
    if not known.any():
        return np.zeros(errors.shape)
    middle = np.median(errors[known])
    ratio = middle / np.maximum(np.where(known, errors, np.inf), max(middle * 1e-6, 1e-12))
    return np.clip(ratio, 0, 1) ** power


def pseudo_labels(
    images: Dataset, found: Landmarks, weights: np.ndarray | None, power: float
) -> tuple[np.ndarray, np.ndarray]:
    """Places float64 [N][L][2], NaN where there is none, and their weights [N][L]; those that a
    person gave (`Landmarks.by_hand`) weigh 1 where no weights are given."""
    if not isinstance(found, Landmarks):
        raise TypeError(f"found must be Landmarks, got {type(found).__name__}")
    if not found.names:
        raise ValueError("found: at least one landmark is needed")
    labels = found.rows(images.ids, absent=True)
    shape = labels.xy.shape[:2]
    if weights is not None:
        weights = array(weights, "weights", copy=True)
    elif labels.confidence is None and labels.error is None:
        weights = np.ones(shape)
    else:
        weights = _weights(images, labels, power)
        weights[labels.by_hand] = 1
    if weights.shape != shape or not ((weights >= 0) & (weights <= 1)).all():
        raise ValueError(f"weights must be {list(shape)}, each 0 to 1")
    return labels.xy, weights


def _weights(images: Dataset, labels: Landmarks, power: float) -> np.ndarray:
    """By the expected errors, in images of one size; where these are not known, by confidence."""
    found = ~labels.by_hand & labels.present
    if labels.error is not None and np.isfinite(labels.error[found]).any():
        scale = np.sqrt([np.prod(images.shape(i), dtype=float) for i in range(len(images))])
        return error_weights(np.where(found, labels.error, np.nan) / scale[:, None], power)
    if labels.confidence is None:
        return np.ones(found.shape)
    return confidence_weights(np.where(labels.by_hand, np.nan, labels.confidence), power)


def true_labels(images: Dataset, names: list[str], templates) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the annotated images, int64 [M], and their landmarks of these names [M][L][2]."""
    if np.iterable(templates) and len(templates) == 0:
        return np.empty(0, np.int64), np.empty((0, len(names), 2))
    chosen = templates_among(images, templates)
    rows = np.array(images.rows(chosen.ids, "templates"), np.int64)
    if not chosen.landmark_names and chosen.landmarks.shape[1] == len(names):
        return rows, np.array(chosen.landmarks, np.float64)
    try:
        return rows, Landmarks.of(chosen).columns(names).xy
    except ValueError as error:
        raise ValueError(f"templates: {error}") from None


def _core_labels(images, size, xy, weights, rows, truth):
    """The labels of scp._core, on the grid: points, weights, rows with labels, all others."""
    xy, weights = xy.copy(), weights.copy()
    there = np.isfinite(truth).all(axis=-1)  # what is not marked keeps its pseudo label
    xy[rows] = np.where(there[..., None], truth, xy[rows])
    weights[rows] = np.where(there, 1, weights[rows])
    absent = ~np.isfinite(xy).all(axis=-1)
    weights[absent], xy[absent] = 0, 0
    points = np.stack([to_grid(xy[i], images.shape(i), size) for i in range(len(images))])
    others = np.setdiff1d(np.arange(len(images)), rows)
    return (
        points.astype(np.float32),
        weights.astype(np.float32),
        rows.astype(np.uint32),
        others.astype(np.uint32),
    )
