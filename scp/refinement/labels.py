"""What a refinement learns from: pseudo labels, their weights and the templates."""

from __future__ import annotations

import numpy as np

from ..datasets import to_grid


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


def _rows(templates, n: int) -> np.ndarray:
    rows = np.array(templates, np.int64).reshape(-1)
    if len(np.unique(rows)) != len(rows) or (rows < 0).any() or (rows >= n).any():
        raise ValueError(f"templates must be different rows, 0 to {n - 1}, got {list(templates)}")
    return rows


def _labels(pool, xy, weights, rows, truth):
    """Pseudo labels, weights and truth, checked: float64 [N][L][2], [N][L], [M][L][2]."""
    n = len(pool)
    xy = np.array(xy, np.float64)
    if xy.ndim != 3 or xy.shape[0] != n or xy.shape[1] == 0 or xy.shape[2] != 2:
        raise ValueError(f"xy must be [{n}][L][2], got {list(xy.shape)}")
    weights = np.ones(xy.shape[:2]) if weights is None else np.array(weights, np.float64)
    if weights.shape != xy.shape[:2] or not ((weights >= 0) & (weights <= 1)).all():
        raise ValueError(f"weights must be {list(xy.shape[:2])}, each 0 to 1")
    if truth is None:
        if len(rows) and pool.landmarks is None:
            raise ValueError(
                "truth: the pool has no landmarks, so those of the templates are needed"
            )
        truth = pool.landmarks[rows] if len(rows) else np.empty((0, *xy.shape[1:]))
    truth = np.array(truth, np.float64)
    if truth.shape != (len(rows), *xy.shape[1:]):
        raise ValueError(
            f"truth must be {[len(rows), *xy.shape[1:]]}, one entry per template, got "
            f"{list(truth.shape)}"
        )
    return xy, weights, truth


def _core_labels(pool, size, xy, weights, rows, truth):
    """The labels of scp._core, on the grid: points, weights, rows with labels, all others."""
    xy, weights = xy.copy(), weights.copy()
    xy[rows], weights[rows] = truth, 1
    absent = ~np.isfinite(xy).all(axis=-1)
    weights[absent], xy[absent] = 0, 0
    points = np.stack([to_grid(xy[i], pool.shape(i), size) for i in range(len(pool))])
    others = np.setdiff1d(np.arange(len(pool)), rows)
    return (
        points.astype(np.float32),
        weights.astype(np.float32),
        rows.astype(np.uint32),
        others.astype(np.uint32),
    )
