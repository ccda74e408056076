"""Key points: where an image is asked how well a template explains it.

Every detector is followed by the same three steps: a border filter, a greedy minimum distance in
the order of response, and the `count` points of highest response (the paper, section 3.2). An image
keeps fewer points when it has fewer. Ties in response go to the smaller y, then the smaller x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from ..errors import warn
from ..values import Result, array, real, whole

METHODS = ("sift", "surf", "orb", "random")
# Options of each detector and their defaults.
OPTIONS: dict[str, dict[str, float]] = {
    "sift": {
        "contrast_threshold": 0.04,
        "edge_threshold": 10.0,
        "octave_layers": 3,
        "sigma": 1.6,
    },
    "surf": {"hessian_threshold": 100.0, "octaves": 4, "octave_layers": 3},
    "orb": {"features": 2000, "levels": 8, "scale": 1.2, "fast_threshold": 10},
    "random": {},
}
_RANGES = {
    "contrast_threshold": (0, 1),
    "edge_threshold": (1, 1e6),
    "octave_layers": (1, 16),
    "sigma": (0.5, 16),
    "hessian_threshold": (0, 1e12),
    "octaves": (1, 5),
    "features": (1, 1_000_000),
    "levels": (1, 32),
    "scale": (1.01, 4),
    "fast_threshold": (1, 255),
}
# SIFT settings of the paper's data sets, to pass on: detect(image, **PRESETS["hand"]).
PRESETS: dict[str, dict[str, float]] = {
    "head": {"contrast_threshold": 0.04, "edge_threshold": 10.0, "min_distance": 10.0},
    "hand": {"contrast_threshold": 0.01, "edge_threshold": 10.0, "min_distance": 10.0},
    "leg": {"contrast_threshold": 0.01, "edge_threshold": 8.0, "min_distance": 150.0**0.5},
    "chest": {"contrast_threshold": 0.02, "edge_threshold": 10.0, "min_distance": 10.0},
}


@dataclass(eq=False, repr=False)
class KeyPoints(Result):
    """Key points of one image, best first.

    Attributes:
        xy: float32 [K][2], (x, y) in pixels of the image that was given, centres at integers.
        response: float32 [K], descending; its unit depends on the detector, 1 for random points.
    """

    xy: np.ndarray
    response: np.ndarray

    def __len__(self) -> int:
        return len(self.response)

    def __repr__(self) -> str:
        return f"<KeyPoints: {len(self)} points>"


def detect(
    image: np.ndarray,
    method: str = "sift",
    count: int = 100,
    border: float = 0.1,
    min_distance: float = 10.0,
    random_state: int = 0,
    index: int = 0,
    label: str | None = None,
    **options: Any,
) -> KeyPoints:
    """Key points of a grey image.

    Args:
        image: float32 or float64 in [0, 1], or uint8, [H][W].
        method: "sift" and "orb" (OpenCV), "surf" (fast Hessian), or "random" (uniform).
        count: the most points to keep.
        border: part of each side without points: kept are border * W < x < W - border * W
            and the same in y.
        min_distance: pixels; of two points nearer than this the one of lower response goes.
        random_state, index: for "random": the points depend on these, the size and the filters.
        label: a name of the image for the warning.
        options: of the detector, see OPTIONS.

    Returns:
        KeyPoints, of at most `count` points. No point at all is legal and warned of.

    Raises:
        TypeError, ValueError: a bad argument, or values that are not finite or outside [0, 1].
    """
    image = _as_bytes(image)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    count = whole(count, "count", 1)
    if not 0 <= real(border, "border") < 0.5:
        raise ValueError(f"border must be in [0, 0.5), got {border}")
    if not 0 <= real(min_distance, "min_distance") < np.inf:
        raise ValueError(f"min_distance must be a finite number of pixels >= 0, got {min_distance}")
    options = _check_options(method, options)
    if method == "random":
        xy = _random(image.shape, count, border, min_distance, random_state, index)
        response = np.ones(len(xy))
    else:
        xy, response = _DETECTORS[method](image, **options)
        xy, response = _sorted(xy, response)
    keep = _spread(xy, image.shape, count, border, min_distance)
    if len(keep) == 0:
        name = "an image" if label is None else label
        warn(f"{name} has no {method} key point", RuntimeWarning)
    return KeyPoints(xy[keep].astype(np.float32), response[keep].astype(np.float32))


def _check_options(method: str, options: dict) -> dict:
    """All options of the method, each a number of the kind of its default and in its range."""
    defaults = OPTIONS[method]
    unknown = sorted(set(options) - set(defaults))
    if unknown:
        raise TypeError(
            f"{unknown[0]} is no option of {method}; it has: {', '.join(defaults) or 'none'}"
        )
    checked = dict(defaults)
    for name, value in options.items():
        low, high = _RANGES[name]
        if not low <= real(value, name) <= high:
            raise ValueError(f"{name} must be from {low:g} to {high:g}, got {value}")
        checked[name] = type(defaults[name])(value)
    return checked


def _as_bytes(image: np.ndarray) -> np.ndarray:
    image = array(image, "image", None)
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"image must be [rows][columns] and not empty, got shape {image.shape}")
    if image.dtype == np.uint8:
        return image
    if image.dtype.kind != "f":
        raise TypeError(f"image must be uint8 or float in [0, 1], got dtype {image.dtype}")
    low, high = float(image.min()), float(image.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("image holds values that are not finite")
    if low < -1e-3 or high > 1 + 1e-3:
        raise ValueError(f"image values must be in [0, 1], got {low:g} to {high:g}")
    return np.rint(image.clip(0, 1) * 255).astype(np.uint8)


def _sorted(xy: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Response descending, then y, then x; one point a place (SIFT: one per orientation)."""
    xy = np.asarray(xy, np.float64).reshape(-1, 2)
    response = np.asarray(response, np.float64).reshape(-1)
    order = np.lexsort((xy[:, 0], xy[:, 1], -response))
    xy, response = xy[order], response[order]
    _, first = np.unique(xy, axis=0, return_index=True)
    first.sort()
    return xy[first], response[first]


def _spread(
    xy: np.ndarray, shape: tuple[int, int], count: int, border: float, min_distance: float
) -> np.ndarray:
    """Indices kept by the border and the greedy minimum distance, at most count, in order."""
    size = np.array([shape[1], shape[0]], np.float64)
    low, high = np.float32(border * size), np.float32(size - border * size)
    single = xy.astype(np.float32)  # as returned: on the border is outside there too
    inside = ((single > low) & (single < high)).all(axis=1)
    left = np.flatnonzero(inside)
    keep = []
    while len(left) and len(keep) < count:
        keep.append(left[0])
        away = ((xy[left] - xy[left[0]]) ** 2).sum(axis=1) >= min_distance**2
        away[0] = False
        left = left[away]
    return np.array(keep, np.intp)


def _random(
    shape: tuple[int, int],
    count: int,
    border: float,
    min_distance: float,
    random_state: int,
    index: int,
) -> np.ndarray:
    """Uniform points in the border box, in the order drawn: enough that `count` of them usually
    keep their distance. A longer request begins with the same points."""
    if not 0 <= random_state < 1 << 64 or not 0 <= index < 1 << 64:
        raise ValueError(
            f"random_state and index must be in [0, 2**64), got {random_state} and {index}"
        )
    words = _core.random_words(random_state, index, 2 * (20 * count if min_distance > 0 else count))
    unit = words.reshape(-1, 2).astype(np.float64) / 2.0**32
    size = np.array([shape[1], shape[0]], np.float64)
    low = border * size
    return low + unit * (np.minimum(size - border * size, size - 1) - low)


def _sift(image, contrast_threshold, edge_threshold, octave_layers, sigma):
    import cv2

    if min(image.shape) < 12:  # smaller than twice the border that SIFT leaves out
        return np.empty((0, 2)), np.empty(0)
    detector = cv2.SIFT_create(0, octave_layers, contrast_threshold, edge_threshold, sigma)
    return _from_opencv(detector.detect(image, None))


def _orb(image, features, levels, scale, fast_threshold):
    import cv2

    border = 31
    if min(image.shape) <= 2 * border:
        return np.empty((0, 2)), np.empty(0)
    detector = cv2.ORB_create(
        features, scale, levels, border, 0, 2, cv2.ORB_HARRIS_SCORE, 31, fast_threshold
    )
    return _from_opencv(detector.detect(image, None))


def _from_opencv(points) -> tuple[np.ndarray, np.ndarray]:
    xy = np.array([p.pt for p in points], np.float64).reshape(-1, 2)
    return xy, np.array([p.response for p in points], np.float64)


def _surf(image, hessian_threshold, octaves, octave_layers):
    found = _core.surf(image, hessian_threshold, octaves, octave_layers)
    return found[:, :2], found[:, 3]


_DETECTORS = {"sift": _sift, "surf": _surf, "orb": _orb}
