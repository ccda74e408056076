"""Procedural lateral skull radiographs with known landmarks, for trying things without data."""

from __future__ import annotations

import numpy as np

from ..base import Dataset, check_size
from ..cephalometric import LANDMARKS
from .anatomy import FRAME, Anatomy, anatomy
from .drawing import Canvas, Draw, blurred, noise, spline
from .skeleton import draw_head

# Streams of one image: its number times _STREAMS plus one of these.
_STREAMS = 8
_PATIENT, _LOOK, _POSE, _EXPOSURE, _GRAIN, _TEXTURE = range(6)


def phantom(
    n: int = 40, seed: int = 0, size: tuple[int, int] = (480, 384), per_patient: int = 1
) -> Dataset:
    """n procedural cephalograms with the 19 landmarks of the ISBI 2015 challenge.

    Patients differ in shape; images differ in pose, exposure, contrast, shading, noise and the
    marks of the cephalostat. An image depends on (seed, index, size) only, not on n.

    Args:
        n: number of images.
        seed: 0 .. 2**64 - 1.
        size: (rows, columns), at least (60, 48). The frame shows 240 x 192 mm.
        per_patient: images of each patient; above 1 the data set has groups.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if per_patient < 1:
        raise ValueError(f"per_patient must be at least 1, got {per_patient}")
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed must be in [0, 2**64), got {seed}")
    size = check_size(size)
    if size[0] < 60 or size[1] < 48:
        raise ValueError(f"size must be at least (60, 48), got {size}")
    return Phantom(n, seed, size, per_patient)


class Phantom(Dataset):
    """See `phantom`."""

    def __init__(self, n: int, seed: int, size: tuple[int, int], per_patient: int):
        self.seed, self.size, self.per_patient = seed, size, per_patient
        groups = [f"patient {i // per_patient + 1:03d}" for i in range(n)]
        super().__init__(
            "phantom",
            [f"{i + 1:03d}" for i in range(n)],
            shapes=[size] * n,
            spacing=np.tile([240.0 / size[0], 192.0 / size[1]], (n, 1)),
            landmarks=np.stack([self._place(i)(self._patient(i).landmarks()) for i in range(n)]),
            landmark_names=LANDMARKS,
            groups=groups if per_patient > 1 else None,
        )

    def _draw(self, i: int, stream: int) -> Draw:
        return Draw(self.seed, i * _STREAMS + stream)

    def _patient(self, i: int) -> Anatomy:
        return anatomy(self._draw(i // self.per_patient, _PATIENT))

    def _place(self, i: int):
        """The pose of image i: reference coordinates to pixels."""
        draw = self._draw(i, _POSE)
        angle, scale = draw.normal(0.06), 1.0 + draw.normal(0.035)
        shift = np.array([draw.normal(7.0), draw.normal(7.0)])
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        matrix = np.array([[cos, -sin], [sin, cos]])
        centre = np.array([190.0, 240.0])

        def place(points: np.ndarray) -> np.ndarray:
            return _to_pixels((points - centre) @ matrix.T + centre + shift, self.size)

        return place

    def depth(self, i: int) -> tuple[int, None]:
        return 8, None

    def image(self, i: int) -> np.ndarray:
        """Image i, uint8 [H][W]."""
        i = self._check(i)
        look = self._draw(i // self.per_patient, _LOOK)
        place = self._place(i)
        return render(self._patient(i), look, place, self.seed, i * _STREAMS, self.size)


def _to_pixels(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    scale = np.array([size[1] / FRAME[1], size[0] / FRAME[0]])
    return (np.asarray(points) + 0.5) * scale - 0.5


def render(
    patient: Anatomy, look: Draw, place, seed: int, stream: int, size: tuple[int, int]
) -> np.ndarray:
    """A radiograph, uint8 [H][W].

    Args:
        patient: the shape.
        look: for what else is the patient's: densities, small structures.
        place: reference coordinates to pixels.
        seed, stream: of what is the image's alone: exposure, grain, texture.
        size: (H, W).
    """
    draw = Draw(seed, stream + _EXPOSURE)
    scale = (size[0] * size[1] / (FRAME[0] * FRAME[1])) ** 0.5
    head = Canvas(size, place, scale, vary=look)
    draw_head(head, patient, look, noise(seed, stream + _TEXTURE, size))
    film = Canvas(size, lambda points: _to_pixels(points, size), scale)
    _cephalostat(film, head, patient, draw)
    return _expose(head.value, film, draw, noise(seed, stream + _GRAIN, size), scale)


def _cephalostat(film: Canvas, head: Canvas, patient: Anatomy, draw: Draw) -> None:
    """Ear rods (they move with the head), the ruler with its nasal rest, the marks of the frame."""
    ear = patient["porion"] + (0.0, 7.0)
    for offset, radius in (((0.0, 0.0), 7.5), (patient.second * 0.8, 5.0)):
        head.line(circle(ear + offset, radius), 1.3, closed=True)
    head.add(0.35, 0.4)
    x, y = 318.0 + draw.normal(5), 196.0 + draw.normal(8)
    bar = [(x - 2.5, -5), (x + 2.5, -5), (x + 2.5, y), (x - 2.5, y)]
    film.fill(bar).fill(box(x, y + 22, 11, 9)).fill(box(x - 13, y + 28, 14, 4))
    film.line(box(x, 30, 11, 62), 2, 180, closed=True)
    film.add(0.16, 0.7)
    for k in range(10):
        film.line([(x - 2, y - 34 + 4 * k), (x + 3, y - 34 + 4 * k)], 1)
    film.add(0.35, 0.3)


def circle(centre, radius: float) -> np.ndarray:
    angle = np.arange(24) * (2 * np.pi / 24)
    return np.asarray(centre) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def box(x: float, y: float, half_width: float, half_height: float) -> np.ndarray:
    return np.array([x, y]) + np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (
        half_width,
        half_height,
    )


def _expose(attenuation, film: Canvas, draw: Draw, grain: np.ndarray, scale: float) -> np.ndarray:
    """Attenuation to grey values: scatter, shading, film curve, unsharpness, grain, marks."""
    value = attenuation + film.value
    value = value + np.float32(draw.uniform(0.08, 0.16)) * blurred(value, 30 * scale)
    height, width = value.shape
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    value = value + np.float32(draw.normal(0.03)) * x + np.float32(draw.normal(0.03)) * y
    value += np.float32(0.06) * (x * x + y * y) * np.float32(draw.uniform(0, 1))
    step = draw.uniform(0.3, 0.45)  # the edge of a wedge filter
    value += np.float32(draw.uniform(0, 0.05)) / (1 + np.exp((x * 0.5 + 0.5 - step) * 60))
    gain, gamma = draw.uniform(1.15, 1.75), draw.uniform(0.85, 1.3)
    value = 1 - np.exp(-np.float32(gain) * np.maximum(value, 0))
    value = value ** np.float32(gamma)
    value = blurred(value, max(0.65, draw.uniform(0.65, 0.95) * scale))
    grain = blurred(grain, 0.7 * scale)
    level = np.float32(draw.uniform(0.006, 0.02) / max(float(grain.std()), 1e-6))
    value += level * (np.float32(0.4) + value) * grain
    low, high = draw.uniform(0.0, 0.05), draw.uniform(0.93, 1.0)
    value = np.float32(low) + np.float32(high - low) * value
    _frame(film, draw)
    value = np.maximum(value, film.layer(0.3))
    return np.rint(np.clip(value, 0, 1) * 255).astype(np.uint8)


def _frame(film: Canvas, draw: Draw) -> None:
    """White marks at the edge of the film, which no exposure changes."""
    shift = draw.normal(3)
    for x in (104, 195, 287):
        film.fill(box(x + shift, 5, 12, 9)).fill(box(x + shift + draw.normal(1), 477, 12, 6))
    edge = 3 + draw.uniform(0, 2)
    film.fill([(-2, -2), (386, -2), (386, edge), (-2, edge)])
    film.fill([(-2, -2), (1.5, -2), (1.5, 482), (-2, 482)])
    if draw.chance(0.6):
        top = draw.uniform(425, 460)
        film.fill(spline([(-20, top), (35, top + 8), (70, top + 25), (95, 490), (-20, 500)]))
