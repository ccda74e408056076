"""Training in NumPy: the twins of csrc/train/{contrast_objective,windowed,plain,optimisers,loop}.c.

Read from the top: what a pair of points costs, what a batch costs, how parameters move, and how a
step puts these together. Options are dicts as scp._core's, with all names.
"""

from __future__ import annotations

import numpy as np


def cell_of(place: float, size: int, cells: int) -> int:
    """The cell of a level in which a place lies (pixel centres are integers)."""
    return min(int(np.float32(place) + np.float32(0.5)), size - 1) * cells // size


def window(kind: str, level: int, reach: int, shape, row: int, column: int):
    """Rows and columns that count around the positive, as two slices."""
    if kind == "plain" or level == 0:
        return slice(0, shape[0]), slice(0, shape[1])
    return tuple(
        slice(max(at - reach, 0), min(at + reach, size))
        for at, size in zip((row, column), shape, strict=True)
    )


def pair_loss(image, query, row, column, level, options):
    """Loss of one pair (plain: Eq. 11), and its gradients in image [H][W][C] and query [C]."""
    kind, temperature = options["negatives"], options["temperature"]
    rows, columns = window(kind, level, options["window"], image.shape[:2], row, column)
    cells = image[rows, columns]
    lengths, length = np.linalg.norm(cells, axis=-1), np.linalg.norm(query)
    product = lengths * length + options["epsilon"]
    cosines = cells @ query / product
    logits = cosines / temperature
    if kind == "windowed":
        y, x = np.mgrid[rows, columns]
        distance = np.hypot(y - row, x - column)
        handicap = np.minimum(options["margin"] * distance, options["margin_limit"])
        logits = logits + handicap / temperature
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

    image, crop: lists of raw maps [B][H_d][W_d][C], coarsest first.
    """
    weights = options["level_weights"] or [1.0] * len(image)
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
            gradients[0][d][b] += weights[d] / len(pairs) * dimage
            gradients[1][d][q] += weights[d] / len(pairs) * dquery
    return losses, *gradients


def clipped(parameters, gradients, clip, decay):
    """The gradient of an optimiser: its norm is at most clip (0: any), then L2 is added."""
    norm = np.sqrt((gradients.astype(np.float64) ** 2).sum())
    scale = clip / norm if 0 < clip < norm else 1
    return scale * gradients + decay * parameters


def adam(parameters, m, v, gradients, step, rate, options):
    """Move number `step`, from 0; returns the new parameters, m and v."""
    beta1, beta2 = options["beta1"], options["beta2"]
    g = clipped(parameters, gradients, options["clip_norm"], options["weight_decay"])
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    t = step + 1
    root = np.sqrt(v / (1 - beta2**t)) + options["adam_epsilon"]
    return parameters - rate * (m / (1 - beta1**t)) / root, m, v


def sgd(parameters, velocity, gradients, rate, momentum, nesterov=False, decay=0.0, clip=0.0):
    """One move of SGD with momentum; returns the new parameters and velocity."""
    g = clipped(parameters, gradients, clip, decay)
    velocity = momentum * velocity + g
    return parameters - rate * (g + momentum * velocity if nesterov else velocity), velocity


def moving_average(teacher, student, momentum):
    """A teacher after one step of its student."""
    return momentum * teacher + (1 - momentum) * student


class Loop:
    """The loop of csrc/train/loop.c, for one phase.

    step(arrays, number) gives losses and a dict of gradients by model. groups: (model, slice of its
    parameters, "adam" or "sgd", options of it), with the model's name; what is in no group is
    frozen. teachers: name -> (student, momentum).
    """

    def __init__(self, step, groups, teachers):
        self.step, self.groups, self.teachers = step, groups, teachers

    def run(self, arrays, first, rates):
        """Losses [n][..] of the steps first .. in place, and how many were done."""
        losses = []
        for number, rate in enumerate(rates, first):
            loss, gradients = self.step(arrays, number)
            losses.append(loss)
            if not np.isfinite(loss).all():
                return np.array(losses), len(losses) - 1
            for group in self.groups:
                self.move(arrays, gradients[group[0]], group, number, rate)
            for teacher, (student, momentum) in self.teachers.items():
                old, new = (arrays[f"{name}.parameters"] for name in (teacher, student))
                old[:] = moving_average(old, new, momentum)
        return np.array(losses), len(losses)

    @staticmethod
    def move(arrays, gradients, group, number, rate):
        """One group's parameters and moments, in place."""
        model, part, optimiser, options = group
        p, g = arrays[f"{model}.parameters"][part], gradients[part]
        if optimiser == "sgd":
            velocity = arrays[f"{model}.velocity"]
            p[:], velocity[:] = sgd(p, velocity, g, rate, **options)
        else:
            m, v = arrays[f"{model}.first_moment"], arrays[f"{model}.second_moment"]
            p[:], m[:], v[:] = adam(p, m, v, g, number, rate, options)
