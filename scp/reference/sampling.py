"""Views and point pairs of a training step, in float64.

The twin of csrc/train/contrast_sample.c and csrc/train/view.c.

The meaning of every transform is stated in csrc/include/scp/views.h. Draws are the same words of
the same streams; numbers differ from the core's by float32 rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import _core

VIEW_KEY, PASS_KEY = 0x5343505F56494557, 0x5343505F50415353
STREAMS, TRIES, MAX_NODES = 8, 64, 6
TRANSFORMS = [row["name"] for row in _core.options("train") if row["type"] == "strength"]


class Stream:
    """One stream of random words (scp/random.h)."""

    def __init__(self, seed: int, stream: int, room: int = 1 << 16):
        self.words = iter(_core.random_words(seed, stream, room).tolist())

    def below(self, n: int) -> int:
        product = next(self.words) * n
        while product % 2**32 < 2**32 % n:
            product = next(self.words) * n
        return product >> 32

    def uniform(self) -> float:
        high = next(self.words)
        return ((high << 32 | next(self.words)) >> 11) * 2.0**-53

    def spread(self) -> float:
        return 2 * self.uniform() - 1

    def normal(self) -> float:
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        return radius * math.cos(2 * math.pi * self.uniform())


def spline(p, t):
    """Catmull-Rom between p[1] and p[2]."""
    return p[1] + 0.5 * t * (
        p[2]
        - p[0]
        + t * (2 * p[0] - 5 * p[1] + 4 * p[2] - p[3] + t * (3 * (p[1] - p[2]) + p[3] - p[0]))
    )


def field_at(nodes: np.ndarray, x, y, width: int, height: int):
    """A field with nodes [g][g] from corner to corner, at places x, y (arrays)."""
    g = len(nodes)

    def along(values, coordinate, size):
        u = np.asarray(coordinate, float) * ((g - 1) / (size - 1) if size > 1 else 0)
        k = np.clip(np.floor(u), 0, g - 2).astype(int)
        taps = [np.clip(k + i, 0, g - 1) for i in (-1, 0, 1, 2)]
        return spline([values(tap) for tap in taps], u - k)

    return along(lambda i: along(lambda j: nodes[j, i], y, height), x, width)


@dataclass
class View:
    """What was drawn for one view."""

    width: int
    height: int
    strength: dict[str, float]
    matrix: np.ndarray
    base: np.ndarray
    elastic: np.ndarray  # [2][g][g]
    blur: float
    brightness: float
    contrast: float
    gamma: float
    noise: float
    multiply: np.ndarray
    add: np.ndarray
    noise_stream: tuple[int, int]

    def source(self, x, y):
        """Where pixel (x, y) of the view comes from."""
        out = [self.base[i] + self.matrix[i, 0] * x + self.matrix[i, 1] * y for i in (0, 1)]
        return [out[i] + field_at(self.elastic[i], x, y, self.width, self.height) for i in (0, 1)]

    def inverse(self, x: float, y: float):
        """The pixel that comes from (x, y), or None."""
        place = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        for _ in range(100):
            error = np.array([x, y]) - np.array(self.source(*place), float)
            if np.abs(error).max() <= 1e-6:
                return place
            place = place + np.linalg.solve(self.matrix, error)
            if not np.abs(place).max() <= 1e7:
                return None
        return None


def strengths(options, view: int) -> dict[str, float]:
    """Of every transform, in float32 as the core's."""
    return {name: float(np.float32(options[name][view])) for name in TRANSFORMS}


def is_cubic(options) -> bool:
    return options["interpolation"] == "cubic"


def is_replicate(options) -> bool:
    return options["border"] == "replicate"


def draw_view(strength, width, height, left, top, seed, streams) -> View:
    s = strength
    rng, side = Stream(seed, streams), min(width, height)
    angle = math.radians(rng.spread() * s["rotation"])
    zoom = math.exp(rng.spread() * s["scale"])
    shift = np.array([rng.spread() * s["translation"] * side for _ in range(2)])
    mirror = -1 if rng.uniform() < s["flip"] else 1
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = zoom * turn @ np.diag([mirror, 1.0])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    base = np.array([left, top]) + centre + shift - matrix @ centre
    g = 3 + rng.below(MAX_NODES - 2)

    def field(nodes, scale):
        return scale * np.array([[rng.normal() for _ in range(nodes)] for _ in range(nodes)])

    elastic = np.array([field(g, side * s["elastic"]) for _ in range(2)])
    return View(
        width,
        height,
        s,
        matrix,
        base,
        elastic,
        blur=rng.spread() * s["blur"],
        brightness=1 + rng.spread() * s["brightness"],
        contrast=1 + rng.spread() * s["contrast"],
        gamma=math.exp(rng.spread() * s["gamma"]),
        noise=rng.uniform() * s["noise"],
        multiply=field(3, s["shade_multiply"]),
        add=field(3, s["shade_add"]),
        noise_stream=(seed, streams + 1),
    )


def warp(view: View, image: np.ndarray, cubic: bool, replicate: bool) -> np.ndarray:
    """The view's pixels, read from the image once."""
    y, x = np.mgrid[: view.height, : view.width].astype(float)
    sx, sy = view.source(x, y)
    rows, columns = image.shape
    i, j = np.floor(sx).astype(int), np.floor(sy).astype(int)

    def pixel(di, dj):
        a, b = i + di, j + dj
        inside = (a >= 0) & (a < columns) & (b >= 0) & (b < rows)
        value = image[np.clip(b, 0, rows - 1), np.clip(a, 0, columns - 1)].astype(float)
        return value if replicate else np.where(inside, value, 0)

    u, v = sx - i, sy - j
    if not cubic:
        upper = (1 - u) * pixel(0, 0) + u * pixel(1, 0)
        return (1 - v) * upper + v * ((1 - u) * pixel(0, 1) + u * pixel(1, 1))
    lines = [spline([pixel(k, l) for k in (-1, 0, 1, 2)], u) for l in (-1, 0, 1, 2)]
    return np.clip(spline(lines, v), 0, 1)


def blurred(x: np.ndarray) -> np.ndarray:
    taps = np.array([1, 4, 6, 4, 1]) / 16
    p = np.pad(x, ((2, 2), (0, 0)), "edge")
    x = sum(w * p[k : k + len(x)] for k, w in enumerate(taps))
    p = np.pad(x, ((0, 0), (2, 2)), "edge")
    return sum(w * p[:, k : k + x.shape[1]] for k, w in enumerate(taps))


def photo(view: View, x: np.ndarray) -> np.ndarray:
    """The photometric transforms."""
    s, size = view.strength, (view.width, view.height)
    rows, columns = np.mgrid[: view.height, : view.width]
    if s["blur"] > 0:
        x = np.clip(x + view.blur * (blurred(x) - x), 0, 1)
    if s["brightness"] > 0:
        x = np.clip(x * view.brightness, 0, 1)
    if s["contrast"] > 0:
        x = np.clip(x.mean() + view.contrast * (x - x.mean()), 0, 1)
    if s["gamma"] > 0:
        x = x**view.gamma
    if s["shade_multiply"] > 0:
        x = np.clip(x * (1 + field_at(view.multiply, columns, rows, *size)), 0, 1)
    if s["shade_add"] > 0:
        x = np.clip(x + field_at(view.add, columns, rows, *size), 0, 1)
    if s["noise"] > 0:
        words = _core.random_words(*view.noise_stream, x.size)
        total = words.view(np.uint8).reshape((*x.shape, 4)).sum(-1, dtype=np.int64)
        x = np.clip(x + view.noise * (total - 510) / math.sqrt((256**2 - 1) / 3), 0, 1)
    return x


def sources(count: int, batch: int, seed: int, step: int) -> list[int]:
    """The images of a step: shuffled passes through the pool, one after another."""
    out = []
    for item in range(step * batch, (step + 1) * batch):
        rng, order = Stream(seed ^ PASS_KEY, item // count, 4 * count), list(range(count))
        for i in range(count, 1, -1):
            j = rng.below(i)
            order[i - 1], order[j] = order[j], order[i - 1]
        out.append(order[item % count])
    return out


def sample(pool, options, side, step):
    """images [B][H][W], crops [B][P][P], crop_points, image_points [B][K][2], sources [B].

    options: a dict as scp._core's, with all names. side: P, pixels of the crop."""
    seed, batch, points = (options[n] for n in ("seed", "batch", "points"))
    cubic, replicate = is_cubic(options), is_replicate(options)
    height, width = pool.shape[1:]
    chosen = sources(len(pool), batch, seed, step)
    key, border = seed ^ VIEW_KEY, int(np.float32(options["point_margin"]) * side)
    images, crops = [], []
    crop_points, image_points = np.full((2, batch, points, 2), -1.0)
    for b, source in enumerate(chosen):
        stream = (step * batch + b) * STREAMS
        rng = Stream(key, stream)
        left, top = rng.below(width - side + 1), rng.below(height - side + 1)
        image = draw_view(strengths(options, 0), width, height, 0, 0, key, stream + 2)
        crop = draw_view(strengths(options, 1), side, side, left, top, key, stream + 4)
        images.append(photo(image, warp(image, pool[source], cubic, replicate)))
        crops.append(photo(crop, warp(crop, pool[source], cubic, replicate)))
        for k in range(points):
            for _ in range(TRIES):
                x = border + rng.below(side - 2 * border)
                y = border + rng.below(side - 2 * border)
                sx, sy = crop.source(x, y)
                if not (-0.5 <= sx < width - 0.5 and -0.5 <= sy < height - 0.5):
                    continue
                place = image.inverse(float(sx), float(sy))
                if place is None or not (
                    -0.5 <= place[0] < width - 0.5 and -0.5 <= place[1] < height - 0.5
                ):
                    continue
                crop_points[b, k], image_points[b, k] = (x, y), place
                break
    return np.array(images), np.array(crops), crop_points.astype(int), image_points, chosen
