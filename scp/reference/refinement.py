"""Refinement in NumPy: the twin of csrc/train/refine_{sample,objective,vote}.c."""

from __future__ import annotations

import numpy as np

from .sampling import draw_view, is_cubic, is_replicate, photo, sources, strengths, warp

REFINE_KEY, STREAMS = 0x5343505F5245464E, 4
SHIFTS = 10


def sample(pool, labels, options, step):
    """images [B][H][W], points [B][L][2], weights [B][L], sources [B] of a step.

    options: a dict as scp._core's, with all names."""
    points, weights, labelled, pseudo = labels
    seed, n, k = (options[name] for name in ("seed", "labelled", "pseudo"))
    scale, shift = (2, -1) if options["inputs"] == "centred" else (1, 0)
    height, width = pool.shape[1:]
    chosen = [int(labelled[(step * n + i) % len(labelled)]) for i in range(n)]
    chosen += [int(pseudo[i]) for i in sources(len(pseudo), k, seed, step)] if k else []
    images, places, counts = [], [], []
    for b, source in enumerate(chosen):
        stream = (step * (n + k) + b) * STREAMS
        view = draw_view(strengths(options, 0), width, height, 0, 0, seed ^ REFINE_KEY, stream)
        image = photo(view, warp(view, pool[source], is_cubic(options), is_replicate(options)))
        images.append(scale * image + shift)
        at, weight = np.full(points.shape[1:], -1.0), weights[source].astype(float)
        for l in range(len(at)):
            place = view.inverse(*points[source, l].astype(float)) if weight[l] > 0 else None
            inside = place is not None and (
                -0.5 <= place[0] < width - 0.5 and -0.5 <= place[1] < height - 0.5
            )
            if inside:
                at[l] = place
            else:
                weight[l] = 0
        places.append(at)
        counts.append(weight)
    return np.array(images), np.array(places), np.array(counts), chosen


def centres(shape, factor):
    """x and y of the pixels of a map, in pixels of the image, [h][w] each."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (x + 0.5) * factor - 0.5, (y + 0.5) * factor - 0.5


def targets(point, shape, factor, radius):
    """The disc bool [h][w], and offsets in x and y, of one landmark."""
    x, y = centres(shape, factor)
    dx, dy = point[0] - x, point[1] - y
    return dx**2 + dy**2 < radius**2, dx / radius, dy / radius


def objective(maps, points, weights, height, width, radius, focal):
    """losses [3] and the gradient of their sum in maps [B][h][w][C], in the dtype of maps."""
    batch, landmarks = weights.shape
    shape = maps.shape[1:3]
    factor = height // shape[0]
    assert (height, width) == (shape[0] * factor, shape[1] * factor)
    losses, gradient = np.zeros(3), np.zeros_like(maps)
    disc = np.zeros((batch, landmarks, *shape), bool)
    offsets = np.zeros((2, batch, landmarks, *shape))
    for b, l in np.ndindex(batch, landmarks):
        if weights[b, l] > 0:
            disc[b, l], offsets[0, b, l], offsets[1, b, l] = targets(
                points[b, l], shape, factor, radius
            )
    w = weights.astype(np.float64)[..., None, None]
    covered = (w * disc).sum()
    z = np.moveaxis(maps[..., :landmarks], -1, 1)
    p, positive = 1 / (1 + np.exp(-z)), np.logaddexp(0, -z)  # positive: -log p
    negative = np.logaddexp(0, z)
    term = np.where(disc, (1 - p) * positive, p * negative)
    slope = np.where(disc, -(1 - p) * (p * positive + 1 - p), p * ((1 - p) * negative + p))
    if w.sum() > 0:
        scale = focal / (w.sum() * shape[0] * shape[1])
        losses[0] = scale * (w * term).sum()
        gradient[..., :landmarks] = np.moveaxis(scale * w * slope, 1, -1)
    if covered > 0:
        for axis in (0, 1):
            part = slice((1 + axis) * landmarks, (2 + axis) * landmarks)
            error = np.moveaxis(maps[..., part], -1, 1) - offsets[axis]
            losses[1 + axis] = (w * disc * np.abs(error)).sum() / covered
            gradient[..., part] = np.moveaxis(w * disc * np.sign(error) / covered, 1, -1)
    return losses, gradient


def vote(maps, landmarks, factor, kind, candidates, radius, window):
    """xy [L][2] and confidence [L] from maps [h][w][C]."""
    shape = maps.shape[:2]
    candidates = min(candidates, shape[0] * shape[1])
    x, y = (v.ravel() for v in centres(shape, factor))
    out, confidence = np.zeros((landmarks, 2)), np.zeros(landmarks)
    reach = max(window, factor)
    for l in range(landmarks):
        z, ox, oy = (maps[..., k * landmarks + l].ravel() for k in range(3))
        picked = np.sort(np.argsort(-z, kind="stable")[:candidates])
        highest = int(np.argmax(z))
        out[l] = x[highest], y[highest]
        sums = np.zeros(shape)
        if kind == "count":
            cells = np.float32(radius) / np.float32(factor)
            column = picked % shape[1] + np.trunc(ox[picked] * cells).astype(int)
            row = picked // shape[1] + np.trunc(oy[picked] * cells).astype(int)
            inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
            np.add.at(sums, (row[inside], column[inside]), 1)
            best = int(sums.argmax())
            if sums.max() > 0:
                out[l] = x[best], y[best]
                confidence[l] = sums.max() / candidates
            continue
        log_p = -np.logaddexp(0, -z[picked].astype(float))
        weight = np.exp(log_p - log_p.max())
        vx, vy = (
            x[picked] + radius * ox[picked].astype(float),
            y[picked] + radius * oy[picked].astype(float),
        )
        column, row = np.floor((vx + 0.5) / factor), np.floor((vy + 0.5) / factor)
        inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
        weight = np.where(inside, weight, 0)
        np.add.at(sums, (row[inside].astype(int), column[inside].astype(int)), weight[inside])
        padded = np.pad(sums, 1)
        sums = sum(
            (1 + (i == 1)) * (1 + (j == 1)) * padded[j : j + shape[0], i : i + shape[1]]
            for j in range(3)
            for i in range(3)
        )
        if not sums.max() > 0:
            continue
        best = int(sums.argmax())
        mx, my = x[best], y[best]
        for _ in range(SHIFTS):
            near = np.maximum(1 - ((vx - mx) ** 2 + (vy - my) ** 2) / reach**2, 0) * weight
            if not near.sum() > 0:
                break
            mx, my = (near * vx).sum() / near.sum(), (near * vy).sum() / near.sum()
            confidence[l] = near.sum() * np.exp(log_p.max()) / candidates
        out[l] = mx, my
    return out, confidence
