"""Images that are in a data set twice: same pixels, or the same exposure saved again.

Similar subjects look alike too: two wings, two skulls. What only copies share is that *every* part
lies in its place once they are aligned: anatomy differs by a few pixels here and there, tone,
compression, noise, crop and scale move nothing. Three steps, each for what the one before leaves:

1. small pictures (32 x 32, local mean and contrast taken out) correlate at some small shift
   (likely.py);
2. aligned by an affine map at 64 x 64, they correlate in detail;
3. aligned at 256 x 256, the patches of the one with texture are found in the other, each within one
   pixel of where the map says. The distance is the share of patches that are not.

Measured in docs/lab/datasets.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ..progress import Progress, watch
from .base import Dataset
from .likely import NEIGHBOURS, SCALES, large, likely_pairs
from .pictures import SIDE, normalised, pictures, standard, unit

_FINE = 256
_ALIGNED = 0.7  # correlation at 64 x 64, of local mean and contrast over 1.5 pixels
_NEAR = 0.25  # distance of a near duplicate
_PATCH, _AROUND, _FEW = 32, 6, 8  # pixels; pixels searched at each side; patches at least


@dataclass(frozen=True)
class DuplicatePair:
    """Images a < b of a data set.

    kind: "exact" (same size and same pixels once decoded) or "near". distance: the share of the
    picture's patches that do not lie in the same place in the other; 0 for the same picture.
    """

    a: int
    b: int
    kind: str
    distance: float


def find_duplicates(
    dataset: Dataset, progress: Progress = False, seen: np.ndarray | None = None
) -> list[DuplicatePair]:
    """Pairs of images that are the same exposure, ordered by a, then b.

    Args:
        dataset: the images.
        progress: see `scp.progress`.
        seen: `pictures` of the data set, if they are there already.

    Raises:
        DatasetError: an image cannot be decoded.
    """
    seen = pictures(dataset, progress) if seen is None else seen
    flat = np.array([not picture.any() for picture in seen], bool)
    likely = likely_pairs(seen, flat, progress)
    bar = watch(progress, "comparing", len(likely)) if large(len(seen)) else None
    pairs, fine, done = _flat_pairs(dataset, np.flatnonzero(flat).tolist()), _Fine(dataset), 0
    for (a, b), rows in groupby(map(np.ndarray.tolist, likely), key=lambda row: row[:2]):
        scales = [SCALES[scale] for _, _, scale in rows]
        found = _aligned(seen[a], seen[b], scales)
        distance = _distance(fine(a), fine(b), found) if found is not None else 1.0
        if distance <= _NEAR:
            same = distance == 0 and _same_pixels(dataset, a, b)
            pairs.append(DuplicatePair(a, b, "exact" if same else "near", round(distance, 6)))
        done += len(scales)
        if bar:
            bar(done, len(likely))
    return sorted(pairs, key=lambda p: (p.a, p.b))


def _flat_pairs(dataset: Dataset, rows: list[int]) -> list[DuplicatePair]:
    """The same pixels among images without content; in a large pool each with the next few."""
    equal: dict[tuple, list[int]] = {}
    for i in rows:  # each is read once
        image = dataset.image(i)
        pixels = hashlib.sha256(image.astype(np.float32).tobytes()).digest()
        equal.setdefault((image.shape, pixels), []).append(i)
    most = NEIGHBOURS if large(len(dataset)) else len(dataset)
    return [
        DuplicatePair(a, b, "exact", 0.0)
        for group in equal.values()
        for k, a in enumerate(group)
        for b in group[k + 1 : k + 1 + most]
    ]


class _Fine:
    """The larger pictures, made when asked for; the last few are kept."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset
        self._kept: dict[int, np.ndarray] = {}

    def __call__(self, i: int) -> np.ndarray:
        if i not in self._kept:
            if len(self._kept) >= 64:
                del self._kept[next(iter(self._kept))]
            self._kept[i] = standard(self.dataset.thumbnail(i, (_FINE, _FINE)))
        return self._kept[i]


def _aligned(a: np.ndarray, b: np.ndarray, scales: Iterable[float]) -> np.ndarray | None:
    """The affine map [2][3] from places in a to places in b, pictures [n][n], that makes them most
    alike, starting from these scales, and from a shift; None when they stay different."""
    import cv2

    n = len(a)
    a, b = a.astype(np.float32), b.astype(np.float32)
    wide = normalised(a, 3.0), normalised(b, 3.0)
    window = cv2.createHanningWindow((n, n), cv2.CV_32F)
    # phaseCorrelate multiplies what it is given by the window, in place.
    (dx, dy), _ = cv2.phaseCorrelate(wide[0].copy(), wide[1].copy(), window)
    best, out = 0.0, None
    middle = (n - 1) / 2
    for scale, x, y in [(1.0, dx, dy), *((scale, 0.0, 0.0) for scale in scales)]:
        if max(abs(x), abs(y)) <= n / 6:
            x, y = x + middle * (1 - scale), y + middle * (1 - scale)
            start = np.array([[scale, 0, x], [0, scale, y]], np.float32)
            found, correlation = _refined(*wide, start)
            if correlation > best and np.abs(found[:, :2] - np.eye(2)).max() < 0.25:
                best, out = correlation, found
    if out is None:
        return None
    moved, there = _moved(normalised(b, 1.5), out)
    there[:4], there[-4:], there[:, :4], there[:, -4:] = False, False, False, False
    if there.sum() < n * n / 4:
        return None
    rows = unit(np.stack([normalised(a, 1.5)[there], moved[there]]))
    return out if float(rows[0] @ rows[1]) >= _ALIGNED else None


def _moved(b: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """b where the map puts it, and which pixels come from inside it."""
    import cv2

    how = {"dsize": b.shape[::-1], "flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP}
    there = cv2.warpAffine(np.ones_like(b), found, **how)
    return cv2.warpAffine(b, found, **how), there > 0.99


def _refined(a: np.ndarray, b: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, float]:
    import cv2

    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-4)
    try:
        correlation, found = cv2.findTransformECC(a, b, start, cv2.MOTION_AFFINE, stop, None, 5)
    except cv2.error:  # the pictures leave each other
        return start, -1.0
    return found, float(correlation)


def _distance(a: np.ndarray, b: np.ndarray, coarse: np.ndarray) -> float:
    """The share of patches of a, pictures [n][n], that are not in b where the map, refined from
    that at 64 x 64, puts them."""
    import cv2

    n, scale = len(a), _FINE / SIDE
    start = coarse.astype(np.float64)
    start[:, 2] = scale * start[:, 2] + (scale - 1) / 2 * (1 - start[:, :2].sum(axis=1))
    found, _ = _refined(normalised(a, 6.0), normalised(b, 6.0), start.astype(np.float32))
    moved, there = _moved(normalised(b, 3.0), found)
    detail, picture = np.abs(a - cv2.GaussianBlur(a, (0, 0), 3.0)), normalised(a, 3.0)
    places, texture = [], []
    for y in range(_PATCH // 2, n - _PATCH - _AROUND + 1, _PATCH // 2):
        for x in range(_PATCH // 2, n - _PATCH - _AROUND + 1, _PATCH // 2):
            around = _window(y, x, _AROUND)
            if there[around].all():
                places.append((y, x))
                texture.append(detail[_window(y, x, 0)].mean())
    if len(places) < _FEW:
        return 1.0
    enough = min(np.mean(texture) / 2, np.sort(texture)[-_FEW])
    missed = [
        not _in_place(picture[_window(y, x, 0)], moved[_window(y, x, _AROUND)])
        for (y, x), value in zip(places, texture, strict=True)
        if value >= enough
    ]
    return float(np.mean(missed))


def _window(y: int, x: int, around: int) -> tuple[slice, slice]:
    return slice(y - around, y + _PATCH + around), slice(x - around, x + _PATCH + around)


def _in_place(patch: np.ndarray, around: np.ndarray) -> bool:
    """Whether a patch fits best within one pixel of the middle of a larger one."""
    import cv2

    fit = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
    x, y = cv2.minMaxLoc(fit)[3]
    return max(abs(x - _AROUND), abs(y - _AROUND)) <= 1


def _same_pixels(dataset: Dataset, a: int, b: int) -> bool:
    if dataset.shape(a) != dataset.shape(b):
        return False
    return np.array_equal(dataset.image(a), dataset.image(b))
