"""Images that are in a data set twice: same pixels, or the same picture saved again.

Every image becomes a small picture with its local mean and local contrast taken out, so that
brightness, contrast, gamma and recompression matter little. All pairs are compared at 32 x 32 over
small shifts by matrix products; the likely ones are aligned and compared at 128 x 128.

Measured on the 300 cephalograms of ISBI 2015 (training and Test1): all 23 pairs that occur twice
are found, at distances of 0.00 to 0.04, and none of the 44,827 others; the nearest of those that
reach the second comparison is at 0.48. Of 690 changed copies (30 images; shifts to 6 % of the side,
scales 0.96 to 1.04, turns to 2 degrees, gamma 0.5 to 2, JPEG quality 20, noise of deviation 0.1,
a quarter of the size) all are found, at up to 0.34.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..progress import Progress, watch
from .base import Dataset

_SMALL, _MARGIN, _SHIFTS = 32, 3, 2  # cells; cells left out at each side; cells of shift
_LARGE = 128
_LIKELY = 0.75  # correlation at 32 x 32
_NEIGHBOURS = 10  # likely partners of an image that are looked at closely
_NEAR = 0.35  # distance of a near duplicate
_BLOCK = 512  # images compared at a time


@dataclass(frozen=True)
class DuplicatePair:
    """Images a < b of a data set.

    kind: "exact" (same size and same pixels once decoded) or "near". distance: 1 - correlation of
    the aligned, contrast-normalised pictures; 0 for the same picture.
    """

    a: int
    b: int
    kind: str
    distance: float


def find_duplicates(dataset: Dataset, progress: Progress = False) -> list[DuplicatePair]:
    """Pairs of images that show the same picture, ordered by a, then b.

    Args:
        dataset: the images.
        progress: see `scp.progress`.

    Raises:
        DatasetError: an image cannot be decoded.
    """
    bar = watch(progress, "duplicates", len(dataset))
    large = np.empty((len(dataset), _LARGE, _LARGE), np.float16)
    small = np.empty((len(dataset), _SMALL, _SMALL), np.float32)
    flat = []
    for i in range(len(dataset)):
        image = dataset.thumbnail(i, (_LARGE, _LARGE))
        spread = image.std()
        if spread < 1e-6:
            flat.append(i)
        image = (image - image.mean()) / max(spread, 1e-6)
        large[i] = _normalised(image, 2.0)
        small[i] = _normalised(_shrunk(image), 2.0)
        if bar:
            bar(i + 1, len(dataset))
    pairs = []
    for a, b in [*_likely(small, set(flat)), *_flat_pairs(flat, dataset)]:
        distance = 0.0 if a in flat else _distance(large[a], large[b])
        if not distance <= _NEAR:
            continue
        same = distance < 0.05 and _same_pixels(dataset, a, b)
        if same:
            pairs.append(DuplicatePair(a, b, "exact", 0.0))
        elif a not in flat:
            pairs.append(DuplicatePair(a, b, "near", round(distance, 6)))
    return sorted(pairs, key=lambda p: (p.a, p.b))


def _shrunk(image: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(image, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)


def _normalised(image: np.ndarray, sigma: float) -> np.ndarray:
    """Local mean out, local deviation to one."""
    import cv2

    image = image - cv2.GaussianBlur(image, (0, 0), sigma)
    return image / np.sqrt(cv2.GaussianBlur(image * image, (0, 0), 2.5 * sigma) + 1e-3)


def _unit(images: np.ndarray) -> np.ndarray:
    """[n][h][w] -> [n][h * w], mean 0 and length 1."""
    rows = images.reshape(len(images), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def _likely(small: np.ndarray, flat: set[int]) -> list[tuple[int, int]]:
    """Pairs a < b whose small pictures agree at some small shift of one against the other."""
    low, high = _MARGIN, _SMALL - _MARGIN
    middle = _unit(small[:, low:high, low:high])
    shifts = range(-_SHIFTS, _SHIFTS + 1)
    pairs = set()
    for start in range(0, len(small), _BLOCK):
        block = small[start : start + _BLOCK]
        best = np.full((len(block), len(small)), -1.0, np.float32)
        for dy in shifts:
            for dx in shifts:
                moved = block[:, low + dy : high + dy, low + dx : high + dx]
                np.maximum(best, _unit(moved) @ middle.T, out=best)
        best[np.arange(len(block)), start + np.arange(len(block))] = -1  # itself
        for r, row in enumerate(best):
            a = start + r
            for b in np.argsort(-row, kind="stable")[:_NEIGHBOURS].tolist():
                if row[b] >= _LIKELY and a not in flat and b not in flat:
                    pairs.add((min(a, b), max(a, b)))
    return sorted(pairs)


def _flat_pairs(flat: list[int], dataset: Dataset) -> list[tuple[int, int]]:
    """Images without any content have nothing to compare but their pixels."""
    return [
        (a, b)
        for k, a in enumerate(flat)
        for b in flat[k + 1 :]
        if dataset.shape(a) == dataset.shape(b)
    ]


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """1 - the correlation of two normalised pictures [n][n], as they are or aligned by a shift."""
    import cv2

    a, b = a.astype(np.float32), b.astype(np.float32)
    n = len(a)
    window = cv2.createHanningWindow((n, n), cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(a, b, window)
    margin = n // 8
    inner = slice(margin + 1, n - margin - 1)
    best = -1.0
    for x, y in ((0.0, 0.0), (dx, dy)):
        if abs(x) > margin or abs(y) > margin:
            continue
        matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
        moved = cv2.warpAffine(b, matrix, (n, n), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        rows = _unit(np.stack([a[inner, inner], moved[inner, inner]])).astype(np.float64)
        best = max(best, float(rows[0] @ rows[1]))
    return max(0.0, 1.0 - best)


def _same_pixels(dataset: Dataset, a: int, b: int) -> bool:
    if dataset.shape(a) != dataset.shape(b):
        return False
    return np.array_equal(dataset.image(a), dataset.image(b))
