"""Supervised heat maps in NumPy: the twin of csrc/train/supervise*.c.

Read from the top: a view, its targets and losses, a step of the training. Options are dicts as
scp._core's, with all names.
"""

from __future__ import annotations

import math

import numpy as np

from .nn import Twin
from .sampling import Stream, sources
from .training import sgd

SUPERVISE_KEY = 0x5343505F53555056
MESH, INVERSE_STEPS = 2, 30


class Bent:
    """What was drawn for a view: pixel p comes from centre + move + R S (p + bend(p) - centre)."""

    def __init__(self, options, width: int, height: int, stream: int):
        rng, side = Stream(options["seed"] ^ SUPERVISE_KEY, stream), max(height, width)
        self.size = np.array([width, height])
        self.centre = (self.size - 1) / 2
        self.move = np.array([rng.spread() for _ in range(2)]) * options["move"] * side
        angle = rng.spread() * options["rotate"]
        zoom = 1 + rng.spread() * options["zoom"]
        scale = np.array([zoom * (1 + rng.spread() * options["stretch"]) for _ in range(2)])
        cos, sin = math.cos(angle), math.sin(angle)
        self.matrix = np.array([[cos, -sin], [sin, cos]]) * scale
        n = MESH + 3
        nodes = [rng.spread() * options["bend"] * side for _ in range(2 * n * n)]
        self.nodes = np.reshape(nodes, (2, n, n))
        self.added = rng.spread() * options["brighten"]
        self.factor = 1 + rng.spread() * options["contrast"]

    def spline(self, at, axis: int) -> np.ndarray:
        """Weights [.., MESH + 3] of the control points along an axis."""
        u = np.clip((np.asarray(at, float) + 0.5) / self.size[axis] * MESH, 0, MESH)[..., None]
        d = np.abs(u - np.arange(-1, MESH + 2))  # cubic B-splines at -1, 0, .., MESH + 1
        near = (4 - 6 * d**2 + 3 * d**3) / 6
        return np.where(d < 1, near, np.where(d < 2, (2 - d) ** 3 / 6, 0))

    def bend(self, x, y) -> np.ndarray:
        """[.., 2] at places x, y."""
        weights = self.spline(y, 1)[..., :, None] * self.spline(x, 0)[..., None, :]
        return np.einsum("aij,...ij->...a", self.nodes, weights)

    def source(self, x, y) -> np.ndarray:
        q = np.stack([x, y], -1) + self.bend(x, y) - self.centre
        return self.centre + self.move + q @ self.matrix.T

    def inverse(self, point) -> np.ndarray:
        q = self.centre + np.linalg.solve(self.matrix, point - self.centre - self.move)
        p = q
        for _ in range(INVERSE_STEPS):
            p = q - self.bend(*p)
        return p

    def image(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape
        y, x = np.mgrid[:height, :width]
        at = self.source(x, y)
        padded = np.pad(image.astype(float), 1)  # zeros outside
        at = np.clip(at + 1, 0, [width + 1, height + 1])
        low = np.minimum(at.astype(int), [width, height])
        (u, v), (i, j) = np.moveaxis(at - low, -1, 0), np.moveaxis(low, -1, 0)
        upper = padded[j, i] * (1 - u) + padded[j, i + 1] * u
        lower = padded[j + 1, i] * (1 - u) + padded[j + 1, i + 1] * u
        value = (255 * (upper * (1 - v) + lower * v) - 128) / 128
        return np.clip((value + self.added) * self.factor, -1, 1)


def sample(pool, labels, options, step):
    """images [B][H][W], points [B][L][2], weights [B][L], sources [B] of a step."""
    points, weights = labels
    chosen = sources(len(pool), options["batch"], options["seed"], step)
    height, width = pool.shape[1:]
    images, places = [], np.full((len(chosen), *points.shape[1:]), -1.0)
    for b, source in enumerate(chosen):
        bent = Bent(options, width, height, step * len(chosen) + b)
        images.append(bent.image(pool[source]))
        for l in np.flatnonzero(weights[source] > 0):
            places[b, l] = bent.inverse(points[source, l].astype(float))
    return np.array(images), places, weights[chosen], chosen


def targets(points, sigmas, height, width, integral):
    """Heat maps [B][H][W][L], and the squared distances of the pixels."""
    y, x = np.mgrid[:height, :width]
    square = (x[None, :, :, None] - points[:, None, None, :, 0]) ** 2
    square = square + (y[None, :, :, None] - points[:, None, None, :, 1]) ** 2
    return integral / (2 * np.pi * sigmas**2) * np.exp(-square / (2 * sigmas**2)), square


def objective(maps, sigmas, points, weights, integral, sigma_weight):
    """Losses [heat maps, sigmas], and the gradients of their sum in the maps and the sigmas."""
    target, square = targets(points, sigmas, *maps.shape[1:3], integral)
    share = weights[:, None, None] / len(maps)
    error = maps - target
    heat = (share * error**2).sum() / 2
    spread = sigma_weight * (weights / len(maps) * sigmas**2).sum() / 2
    slope = -(share * error * target * (square / sigmas**2 - 2) / sigmas).sum((0, 1, 2))
    slope = slope + sigma_weight * (weights / len(maps)).sum(0) * sigmas
    return np.array([heat, spread]), share * error, slope


def kernels(network) -> np.ndarray:
    """bool [P]: what is a weight of a convolution, not a bias."""
    out = np.zeros(network.n_parameters, bool)
    for layer, (at, n, _, _) in zip(network.layers, network.blocks, strict=True):
        if layer.op in ("conv", "transposed"):
            out[at : at + n - layer.bias * layer.channels] = True
    return out


def train_step(network, parameters, velocity, pool, labels, options, step, rate):
    """Losses [heat maps, weight decay, sigmas] of a step that moves parameters [P + L], the sigmas
    last, and velocity, in place."""
    images, points, weights, _ = sample(pool, labels, options, step)
    count, decay = network.n_parameters, options["weight_decay"]
    values, sigmas = parameters[:count], parameters[count:]
    twin = Twin(network.layers, network.blocks, network.outputs, values, np.zeros(0))
    (maps,) = twin.forward(images[..., None], options["seed"], step)
    (heat, spread), pull, slope = objective(
        maps, sigmas, points, weights, options["integral"], options["sigma_weight"]
    )
    gradient = np.concatenate([twin.backward([pull])[0], slope])
    decayed = np.append(kernels(network), np.zeros(len(sigmas), bool)) * parameters
    loss = decay * (decayed**2).sum() / 2
    gradient += decay * decayed
    parameters[:], velocity[:] = sgd(
        parameters,
        velocity,
        gradient,
        rate,
        options["momentum"],
        nesterov=True,
        clip=options["clip_norm"],
    )
    return np.array([heat, loss, spread])
