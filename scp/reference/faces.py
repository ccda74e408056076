"""Both stages of 3FabRec in NumPy: the twin of csrc/train/{faces_sample,structure,autoencode,
transfer,transfer_objective}.c.

Read from the top: a view, the structural loss, the gradients of a step of the auto-encoder, heat
maps. Options are dicts as scp._core's, with all names.
"""

from __future__ import annotations

import math

import numpy as np

from .sampling import Stream, sources

FACES_KEY, NORMAL_KEY = 0x5343505F46414345, 0x5343505F4E4F524D
USE = 0xD1B54A32D192ED03  # between the seeds of dropout in a step
MEANS = np.array([0.518, 0.418, 0.361])
WINDOW, SIGMA, TINY, BOX = 31, 1.5, 1e-8, 4


# ---- views ----


def rows(count: int, items: int, seed: int, step: int) -> list[int]:
    """The faces of a step: what does not fill a batch of a pass is left out."""
    batches = count // items
    first = step * items
    if batches:
        first = step // batches * count + step % batches * items
    return [sources(count, 1, seed, first + i)[0] for i in range(items)]


def sample(faces, points, swaps, options, items, side, step):
    """Views [items][side][side][3], their points [items][L][2], and the rows of the faces."""
    chosen, from_side = rows(len(faces), items, options["seed"], step), faces.shape[1]
    centre, corner = (from_side - 1) / 2, (from_side - side) // 2
    views, placed = [], []
    for i, row in enumerate(chosen):
        rng = Stream(options["seed"] ^ FACES_KEY, step * items + i)
        mirrored = rng.uniform() < options["flip"]
        angle = math.radians(rng.spread() * options["rotate"])
        move = np.array([rng.spread() * options["move"] * side for _ in range(2)])
        low, width = 1 - options["shrink"], options["shrink"] + options["grow"]
        scale = np.array([low + rng.uniform() * width for _ in range(2)])
        shear = np.array([[1, math.tan(math.radians(rng.spread() * options["shear"]))], [0, 1]])
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        matrix = turn @ shear * scale
        grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1) + corner
        at = centre + (grid - centre - move) @ np.linalg.inv(matrix).T
        p = np.asarray(points[row], float)
        if mirrored:
            at[..., 0] = from_side - 1 - at[..., 0]
            p = p[swaps]
            p[:, 0] = from_side - 1 - p[:, 0]
        views.append(bilinear(faces[row], at) / 255 - MEANS)
        placed.append(np.maximum(centre + move + (p - centre) @ matrix.T - corner, 0))
    return np.array(views), np.array(placed), chosen


def bilinear(image, at) -> np.ndarray:
    """Pixels [..][3] at places (x, y) [..][2], zeros outside."""
    side = len(image)
    wide = np.zeros((side + 2, side + 2, 3))
    wide[1:-1, 1:-1] = image
    at = np.clip(at, -1, side)
    low = np.minimum(np.floor(at).astype(int), side - 1)
    (u, v), (x, y) = np.moveaxis(at - low, -1, 0)[..., None], np.moveaxis(low + 1, -1, 0)
    top = (1 - u) * wide[y, x] + u * wide[y, x + 1]
    return (1 - v) * top + v * ((1 - u) * wide[y + 1, x] + u * wide[y + 1, x + 1])


# ---- structure ----


def structure(x, y) -> tuple[float, np.ndarray]:
    """1 - the contrast and structure term of SSIM, and its gradient with respect to y; images
    [items][side][side][3]."""
    items, side = x.shape[:2]
    valid, half = side - WINDOW + 1, WINDOW // 2
    window = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * SIGMA**2))
    line = np.zeros((valid, side))
    for k in range(valid):
        line[k, k : k + WINDOW] = window / window.sum()

    def blur(a):
        return np.einsum("ik,bklc,jl->bijc", line, a, line, optimize=True)

    def adjoint(a):
        return np.einsum("ik,bijc,jl->bklc", line, a, line, optimize=True)

    extent = np.where(x.reshape(items, -1).min(axis=1) < -0.5, 2.0, 1.0)
    stable = ((0.03 * extent) ** 2)[:, None, None, None]
    mean_x, mean_y = blur(x), blur(y)
    over = 2 * (blur(x * y) - mean_x * mean_y) + stable
    under = blur(x * x) - mean_x**2 + blur(y * y) - mean_y**2 + stable
    by_product, by_square = 2 / under, -over / under**2
    gradient = adjoint(-2 * mean_y * by_square - mean_x * by_product)
    gradient += 2 * y * adjoint(by_square) + x * adjoint(by_product)
    return 1 - float(np.mean(over / under)), -gradient / over.size


# ---- the auto-encoder ----


def judge(p, is_true: bool) -> tuple[float, np.ndarray]:
    """-mean log of a probability, or of its complement; and the gradient."""
    q = (p if is_true else 1 - p) + TINY
    return -float(np.mean(np.log(q))), (-1 if is_true else 1) / (q * p.size)


def normal(seed: int, step: int, count: int) -> np.ndarray:
    """Box and Muller."""
    rng, out = Stream(seed ^ NORMAL_KEY, step), []
    while len(out) < count:
        radius = math.sqrt(-2 * math.log(1 - rng.uniform()))
        angle = 2 * math.pi * rng.uniform()
        out += [radius * math.cos(angle), radius * math.sin(angle)]
    return np.array(out[:count])


def play(twin, real, made, options, step) -> tuple[float, np.ndarray]:
    """Loss and gradient [P] of a discriminator that tells real from made."""
    loss, gradient = 0.0, 0
    for use, batch, is_true in ((1, real, True), (2, made, False)):
        (p,) = twin.forward(batch, (options["seed"] + use * USE) % 2**64, step)
        part, slope = judge(p, is_true)
        loss, gradient = loss + part, gradient + twin.backward([slope])[0]
    return loss, gradient


def codes_step(encoder, generator, latent, image, views, options, step):
    """Losses and the gradients of encoder and generator, all terms on; `latent` and `image` are the
    discriminators as they have become, each a `scp.reference.nn.Twin` (None: that term is off)."""
    (z,) = encoder.forward(views, options["seed"], step)
    (made,) = generator.forward(z, options["seed"], step)
    losses = {"reconstruction": 255 * float(np.abs(made - views).mean())}
    back = 0.5 * 255 * np.sign(made - views) / made.size
    losses["structure"], slope = structure(views, made)
    back += 0.5 * options["structure_weight"] * slope
    seed = (options["seed"] + 3 * USE) % 2**64
    if image is not None:
        (p,) = image.forward(made, seed, step)
        losses["image"], slope = judge(p, True)
        back += image.backward([options["gan_weight"] * slope])[1]
    of_generator, dz = generator.backward([back])
    if latent is not None:
        (p,) = latent.forward(z, seed, step)
        losses["latent"], slope = judge(p, True)
        dz = dz + latent.backward([options["latent_weight"] * slope])[1]
    return losses, encoder.backward([dz])[0], of_generator


# ---- heat maps ----


def targets(points, side: int, pixels: int, sigma: float) -> np.ndarray:
    """Gaussians [items][pixels][pixels][L] around points [items][L][2] of a view, in stamps that
    begin at int(p - w / 2)."""
    window = int(5 * sigma)
    p = np.clip(np.asarray(points, float) * pixels / side, 0, pixels - 1)
    first = np.trunc(p - window / 2).astype(int)[:, None]
    k = np.arange(pixels)[None, :, None, None]
    bell = np.exp(-((k - first - (window + 1) // 2) ** 2) / (2 * sigma**2))
    bell = np.where((k >= first) & (k < first + window), bell, 0)
    return bell[:, None, :, :, 0] * bell[:, :, None, :, 1]


def objective(maps, points, side: int, sigma: float, weight: float) -> tuple[float, np.ndarray]:
    """Loss of heat maps [items][pixels][pixels][L], and its gradient."""
    error = maps - targets(points, side, maps.shape[1], sigma)
    return weight * float(np.mean(error**2)), 2 * weight * error / error.size


def peaks(maps, side: int) -> np.ndarray:
    """xy [L][2] of the highest places of maps [pixels][pixels][L] after a box blur."""
    pixels, landmarks = maps.shape[1:]
    wide = np.pad(np.asarray(maps, float), ((BOX, BOX), (BOX, BOX), (0, 0)))
    shifts = [(j, i) for j in range(2 * BOX + 1) for i in range(2 * BOX + 1)]
    blurred = sum(wide[j : j + len(maps), i : i + pixels] for j, i in shifts)
    place = blurred.reshape(-1, landmarks).argmax(axis=0)
    return np.stack([place % pixels, place // pixels], 1) * side / len(maps)
