"""Random draws and antialiased shapes for procedural images."""

from __future__ import annotations

import numpy as np

from ... import _core


class Draw:
    """Random numbers that depend only on (seed, stream) and the order of the calls."""

    def __init__(self, seed: int, stream: int, count: int = 4096):
        self._words = _core.random_words(seed, stream, count)
        self._used = 0

    def _take(self, count: int) -> np.ndarray:
        if self._used + count > len(self._words):
            raise RuntimeError("the stream of random numbers is used up")
        self._used += count
        return self._words[self._used - count : self._used]

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        return low + (high - low) * float(self._take(1)[0]) / 2.0**32

    def normal(self, scale: float = 1.0) -> float:
        """Nearly Gaussian: a sum of four uniform numbers, so never beyond 3.5 scales."""
        return scale * float(bytes_to_normal(self._take(2))[0])

    def normals(self, *shape: int) -> np.ndarray:
        return np.array([self.normal() for _ in range(int(np.prod(shape)))]).reshape(shape)

    def chance(self, probability: float) -> bool:
        return self.uniform() < probability


def bytes_to_normal(words: np.ndarray) -> np.ndarray:
    """uint32 [2 n] -> float64 [n], mean 0 and deviation 1: sums of four 16-bit numbers."""
    sums = words.view("<u2").reshape(-1, 4).astype(np.float64).sum(axis=1)
    return (sums - 4 * 32767.5) / (65536.0 / 3.0**0.5)


def noise(seed: int, stream: int, shape: tuple[int, int]) -> np.ndarray:
    """float32 [H][W] of mean 0 and deviation 1, independent pixels: sums of four bytes."""
    words = _core.random_words(seed, stream, shape[0] * shape[1])
    values = words.view(np.uint8).reshape(*shape, 4)
    sums = values[..., 0].astype(np.int16)
    for k in range(1, 4):
        sums += values[..., k]
    return (sums.astype(np.float32) - np.float32(510)) * np.float32(1 / 147.8)


def spline(points, closed: bool = False, steps: int = 8) -> np.ndarray:
    """A Catmull-Rom curve through points [n][2]; float64 [about n * steps][2]."""
    p = np.asarray(points, np.float64)
    if closed:
        p = np.concatenate([p[-1:], p, p[:2]])
    else:
        p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = (np.arange(steps) / steps)[:, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, p[-2:-1]])


class Canvas:
    """A float32 image [H][W] that shapes are added to, as X-ray attenuation adds up.

    Shapes come in reference coordinates; `place` takes them to pixels. Widths and blurs are in
    reference units too.
    """

    _SHIFT = 4  # bits of sub-pixel position

    def __init__(self, shape: tuple[int, int], place, scale: float, vary: Draw | None = None):
        """`vary`: where to draw how much denser or thinner each layer is than its weight."""
        self.value = np.zeros(shape, np.float32)
        self.place = place
        self.scale = scale
        self.vary = vary
        self._layer = np.zeros(shape, np.uint8)

    def _fixed(self, points) -> np.ndarray:
        points = np.clip(self.place(np.asarray(points, np.float64)), -4000, 4000)
        return np.rint(points * (1 << self._SHIFT)).astype(np.int32)[:, None]

    def fill(self, points, level: int = 255) -> Canvas:
        """A polygon into the current layer, replacing what is there."""
        import cv2

        cv2.fillPoly(self._layer, [self._fixed(points)], level, cv2.LINE_AA, self._SHIFT)
        return self

    def line(self, points, width: float, level: int = 255, closed: bool = False) -> Canvas:
        """A polyline into the current layer."""
        import cv2

        width = max(1, round(width * self.scale))
        cv2.polylines(
            self._layer, [self._fixed(points)], closed, level, width, cv2.LINE_AA, self._SHIFT
        )
        return self

    def layer(self, blur: float = 0.0) -> np.ndarray:
        """The current layer as float32 in [0, 1], blurred; a new, empty layer begins."""
        layer = blurred(self._layer, blur * self.scale).astype(np.float32)
        self._layer[:] = 0
        return layer * np.float32(1 / 255)

    def add(self, weight: float, blur: float = 0.0) -> None:
        """Adds weight times the current layer; a new one begins."""
        if self.vary is not None:
            weight *= max(0.2, 1 + self.vary.normal(0.22))
        layer = blurred(self._layer, blur * self.scale)
        self.value += np.multiply(layer, np.float32(weight / 255), dtype=np.float32)
        self._layer[:] = 0


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; wide ones are made at a quarter of the size. Exact integers for uint8."""
    import cv2

    if sigma < 0.65:  # shapes are antialiased, and the whole film is blurred at the end
        return image
    if sigma < 6 or min(image.shape) < 32:
        return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    height, width = image.shape
    small = cv2.resize(image, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / 4, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
