"""Objectives and Adam in NumPy: the twins of csrc/train/{objective,windowed,plain,adam}.c."""

from __future__ import annotations

import numpy as np

WINDOWED, PLAIN = range(2)


def cell_of(place: float, size: int, cells: int) -> int:
    """The cell of a level in which a place lies (pixel centres are integers)."""
    return min(int(np.float32(place) + np.float32(0.5)), size - 1) * cells // size


def window(kind: int, level: int, reach: int, shape, row: int, column: int):
    """Rows and columns that count around the positive, as two slices."""
    if kind == PLAIN or level == 0:
        return slice(0, shape[0]), slice(0, shape[1])
    return tuple(
        slice(max(at - reach, 0), min(at + reach, size))
        for at, size in zip((row, column), shape, strict=True)
    )


def pair_loss(image, query, row, column, level, options):
    """Loss of one pair (plain: Eq. 11), and its gradients in image [H][W][C] and query [C]."""
    kind, reach, temperature, margin, limit, epsilon, _ = options
    rows, columns = window(kind, level, reach, image.shape[:2], row, column)
    cells = image[rows, columns]
    lengths, length = np.linalg.norm(cells, axis=-1), np.linalg.norm(query)
    product = lengths * length + epsilon
    cosines = cells @ query / product
    logits = cosines / temperature
    if kind == WINDOWED:
        y, x = np.mgrid[rows, columns]
        distance = np.hypot(y - row, x - column)
        logits = logits + np.minimum(margin * distance, limit) / temperature
    positive = row - rows.start, column - columns.start
    largest = logits.max()
    weights = np.exp(logits - largest)
    loss = largest + np.log(weights.sum()) - logits[positive]

    weights /= weights.sum()
    weights[positive] -= 1
    weights /= temperature  # d loss / d cosine
    unit = query / length if length > 0 else query
    units = cells / np.where(lengths > 0, lengths, 1)[..., None]
    image_gradient = np.zeros_like(image)
    change = (unit - cosines[..., None] * units) * (weights * length / product)[..., None]
    image_gradient[rows, columns] = change
    change = (units - cosines[..., None] * unit) * (weights * lengths / product)[..., None]
    return loss, image_gradient, change.sum((0, 1))


def objective(image, crop, crop_points, image_points, height, width, side, options):
    """Losses [D], and the gradients of their weighted sum in the maps of both views.

    image, crop: lists of raw maps [B][H_d][W_d][C], coarsest first. options as scp._core's.
    """
    losses = np.zeros(len(image))
    gradients = [np.zeros_like(m) for m in image], [np.zeros_like(m) for m in crop]
    pairs = [(b, k) for b, k in np.ndindex(crop_points.shape[:2]) if crop_points[b, k, 0] >= 0]
    for d, (big, small) in enumerate(zip(image, crop, strict=True)):
        for b, k in pairs:
            x, y = crop_points[b, k]
            q = b, y * small.shape[1] // side, x * small.shape[2] // side
            row = cell_of(image_points[b, k, 1], height, big.shape[1])
            column = cell_of(image_points[b, k, 0], width, big.shape[2])
            loss, dimage, dquery = pair_loss(big[b], small[q], row, column, d, options)
            losses[d] += loss / len(pairs)
            gradients[0][d][b] += options[6][d] / len(pairs) * dimage
            gradients[1][d][q] += options[6][d] / len(pairs) * dquery
    return losses, *gradients


def adam(parameters, m, v, gradients, step, rate, options):
    """One step; returns the new parameters, m and v."""
    beta1, beta2, epsilon, decay, clip = options
    norm = np.sqrt((gradients.astype(np.float64) ** 2).sum())
    scale = clip / norm if 0 < clip < norm else 1
    g = scale * gradients + decay * parameters
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    t = step + 1
    move = rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return parameters - move, m, v
