"""VAAL and instance classification in NumPy: the twin of csrc/train/crops.c, vaal.c, instances.c.

A network is (layers, blocks, outputs) of a `scp.networks.Network`; arrays are those of the core's
trainer by name, float64 where gradients are checked.
"""

from __future__ import annotations

import math

import numpy as np

from .nn import Twin
from .sampling import Stream, sources

CROP_KEY = 0x5343505F43524F50
KIND_KEYS = 0x5343505F4C41424C, 0x5343505F554E4C42  # labelled, unlabelled
LATENT_KEY = 0x5343505F4C4154
VAAL = "encoder", "decoder", "discriminator"
INSTANCES = "encoder", "first", "second"


# ---- crops ----


def draw(height, width, options, seed, stream):
    """left, top, width, height of a crop, and whether it is mirrored."""
    rng = Stream((seed ^ CROP_KEY) % 2**64, stream)
    least, stretch = options["smallest"], options["stretch"]
    for _ in range(10):
        part = height * width * (least + (1 - least) * rng.uniform())
        ratio = math.exp(math.log(stretch) * rng.spread())
        w, h = round(math.sqrt(part * ratio)), round(math.sqrt(part / ratio))
        if 1 <= w <= width and 1 <= h <= height:
            left, top = rng.below(width - w + 1), rng.below(height - h + 1)
            break
    else:
        w, h = min(width, round(height * stretch)), min(height, round(width * stretch))
        left, top = (width - w) // 2, (height - h) // 2
    return left, top, w, h, rng.uniform() < options["flip"]


def resizing(size: int, length: int) -> np.ndarray:
    """Weights along one axis, [size][length]: triangles as wide as two pixels of either."""
    scale = length / size
    centre = (np.arange(size) + 0.5) * scale - 0.5
    apart = np.abs(np.arange(length) - centre[:, None])
    weights = np.maximum(1 - apart / max(scale, 1), 0)
    return weights / weights.sum(1, keepdims=True)


def crops(pool, sources, channels, options, first):
    """Views [items][size][size][channels], -1 to 1."""
    size, out = options["size"], []
    for i, source in enumerate(sources):
        left, top, w, h, flip = draw(*pool.shape[1:], options, options["seed"], first + i)
        part = pool[source, top : top + h, left : left + w].astype(float)
        view = 2 * resizing(size, h) @ part @ resizing(size, w).T - 1
        out.append(np.repeat(view[:, :: -1 if flip else 1, None], channels, 2))
    return np.array(out)


# ---- VAAL ----


def vaal_batch(pool, rows, kind, number, options, latent, channels):
    """Views and normal numbers of batch `number` of a kind; rows: of that kind."""
    batch, seed = options["batch"], options["seed"]
    whole = len(rows) // batch
    order = sources(len(rows), len(rows), seed ^ KIND_KEYS[kind], number // whole)
    chosen = np.asarray(rows)[order[number % whole * batch :][:batch]]
    stream = 2 * number + kind
    rng = Stream(seed ^ LATENT_KEY, stream)
    normal = np.array([rng.normal() for _ in range(batch * latent)]).reshape(batch, latent)
    return crops(pool, chosen, channels, options, stream * batch), normal


def _model(networks, arrays, name):
    return Twin(*networks[name], *(arrays[f"{name}.{part}"] for part in ("parameters", "state")))


def _pixels(vectors):
    return vectors[:, None, None, :]


def _judged(logits, labelled):
    """Mean of -log(labelled ? D : 1 - D), and its gradient at the logits."""
    away = -logits if labelled else logits
    share = 1 / (1 + np.exp(-away))
    return np.logaddexp(0, away).mean(), (-share if labelled else share) / len(logits)


def vaal_move(networks, arrays, batches, options):
    """Reconstruction, divergence and adversary, and the gradients of their weighted sum in encoder
    and decoder. batches: (views, normal) of both kinds. Running statistics move in place."""
    losses, gradients = np.zeros(3), dict.fromkeys(VAAL[:2], 0)
    for views, normal in batches:
        encoder, decoder, critic = (_model(networks, arrays, m) for m in VAAL)
        code = encoder.forward(views)[0][:, 0, 0]
        mean, log_variance = np.split(code, 2, axis=1)
        deviation = np.exp(log_variance / 2)
        loss, slope = _judged(critic.forward(_pixels(mean))[0][:, 0, 0, 0], True)
        z = np.append(mean + deviation * normal, np.ones((len(mean), 1)), axis=1)
        image = decoder.forward(_pixels(z))[0]
        divergence = (mean**2 + np.exp(log_variance) - 1 - log_variance).sum() / 2
        losses += ((image - views) ** 2).mean(), divergence, loss
        of_mean = critic.backward([options["adversary"] * slope[:, None, None, None]])[1][:, 0, 0]
        more, back = decoder.backward([2 * (image - views) / image.size])
        gradients["decoder"] += more
        back, beta = back[:, 0, 0, :-1], options["beta"]
        at_mean = back + of_mean + beta * mean
        at_variance = (back * deviation * normal + beta * (np.exp(log_variance) - 1)) / 2
        both = np.concatenate([at_mean, at_variance], axis=1)
        gradients["encoder"] += encoder.backward([_pixels(both)])[0]
    return losses, gradients


def vaal_judge(networks, arrays, batches):
    """The discriminator's loss and gradient."""
    total, gradient = 0.0, 0
    for kind, (views, _) in enumerate(batches):
        encoder, _, critic = (_model(networks, arrays, m) for m in VAAL)
        mean = np.split(encoder.forward(views)[0][:, 0, 0], 2, axis=1)[0]
        loss, slope = _judged(critic.forward(_pixels(mean))[0][:, 0, 0, 0], kind == 0)
        total += loss
        gradient += critic.backward([slope[:, None, None, None]])[0]
    return total, gradient


# ---- instances ----


def instances_step(networks, arrays, views, sources, options):
    """Losses (both cross entropies, discrepancy) and the gradients of all models."""
    models = [_model(networks, arrays, m) for m in INSTANCES]
    code = models[0].forward(views)[0]
    answers = [head.forward(code)[0][:, 0, 0] for head in models[1:]]
    p, q = (np.exp(a) for a in answers)
    items = np.arange(len(views))
    losses = [-a[items, sources].mean() for a in answers] + [np.abs(p - q).sum(1).mean()]
    gradients, back = {}, np.zeros_like(code)
    for name, head, own, other in zip(INSTANCES[1:], models[1:], (p, q), (q, p), strict=True):
        slope = -options["discrepancy"] * np.sign(own - other) * own
        slope[items, sources] -= 1
        gradients[name], more = head.backward([_pixels(slope / len(views))])
        back += more
    gradients["encoder"] = models[0].backward([back])[0]
    return np.array(losses), gradients
