"""Step 1 of the search for duplicates: pairs of images whose small pictures (32 x 32, local mean
and contrast taken out) correlate at some small shift.

In a small pool each image is compared with all others. In a large one it is compared with the few
whose spectrum is most like its own: the amplitudes of a windowed Fourier transform hardly change
with a shift, a little zoom, tone, noise or compression, and differ from subject to subject.

Measured in docs/lab/datasets.md.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import product

import numpy as np

from ..progress import Progress, watch
from .neighbours import Cells, correlations, whole
from .pictures import BLOCK, SIDE, normalised, shrunk, unit

ALL_PAIRS = 2000  # images of a pool in which all pairs are compared
NEIGHBOURS = 10  # likely partners of an image that are looked at closely
SCALES = (1.0, 1.14, 1 / 1.14)  # of images in each other that are looked for
LISTED = 33  # images that an image of a large pool is compared with, itself among them
_SMALL, _MARGIN, _SHIFTS = 32, 3, 2  # cells; cells left out at each side; cells of shift
_LIKELY = 0.75  # correlation at 32 x 32
_WAVES = 6  # of the spectrum, in each direction
_FEW = 64  # images compared with those of their lists at a time
_TOGETHER = 11  # of a list: so small a product stays on one thread, and others would only wait

# For a view of an image: the image, others (-1: none), and how well it agrees with each of them.
_Compared = Iterator[tuple[int, np.ndarray, np.ndarray]]


def large(n: int) -> bool:
    """Whether a pool of n images is too large for all its pairs."""
    return n > ALL_PAIRS


def likely_pairs(seen: np.ndarray, flat: np.ndarray, progress: Progress = False) -> np.ndarray:
    """Pairs of images that are worth a closer look.

    Args:
        seen: `pictures` of the images.
        flat: bool [N]: images without content. They are in no pair.
        progress: of the work in a large pool.

    Returns:
        int32 [n][3], ascending: images a < b, and where in `SCALES` the scale of a in b is.
    """
    found, done = array("i"), 0
    bar = watch(progress, "likely duplicates", 2 * len(seen)) if large(len(seen)) else None
    compare = _with_listed if large(len(seen)) else _with_all
    for zoomed, compared in enumerate(compare(seen)):
        for a, others, values in compared:
            values[flat[others] | (others == a) | (others < 0) | flat[a]] = -1
            for k in np.argsort(-values, kind="stable")[:NEIGHBOURS]:
                if values[k] >= _LIKELY:
                    b = int(others[k])
                    found.extend((min(a, b), max(a, b), zoomed if a < b else 2 * zoomed))
            done += 1
            if bar:
                bar(done, 2 * len(seen))
    return np.unique(np.array(found, np.int32).reshape(-1, 3), axis=0)


def _with_all(seen: np.ndarray) -> Iterator[_Compared]:
    """Each image, and then the middle of each, with all images."""
    everyone = np.arange(len(seen))
    middle = unit(_middle(_views(seen, False)))

    def compared(zoomed: bool) -> _Compared:
        for rows in np.split(everyone, range(BLOCK, len(seen), BLOCK)):
            best = np.full((len(rows), len(seen)), -1.0, np.float32)
            for moved in _moved(_views(seen[rows], zoomed)):
                np.maximum(best, unit(moved) @ middle.T, out=best)
            for a, values in zip(rows.tolist(), best, strict=True):
                yield a, everyone, values

    return (compared(zoomed) for zoomed in (False, True))


def _with_listed(seen: np.ndarray) -> Iterator[_Compared]:
    """Each image, and then the middle of each, with the images of the most similar spectra."""
    parts = [slice(k, k + BLOCK) for k in range(0, len(seen), BLOCK)]
    middle = np.empty((len(seen), (_SMALL - 2 * _MARGIN) ** 2), np.int16)
    waves = []
    for part in parts:
        small = _views(seen[part], False)
        waves.append(spectra(small))
        middle[part] = whole(unit(_middle(small)))
    waves = np.concatenate(waves)
    mean, spread = waves.mean(axis=0), np.maximum(waves.std(axis=0), 1e-6)
    cells = Cells(whole((waves - mean) / spread))

    def compared(zoomed: bool) -> _Compared:
        asked = cells.rows
        if zoomed:
            there = (spectra(_views(seen[part], True)) for part in parts)
            asked = np.concatenate([whole((w - mean) / spread) for w in there])
        for rows, listed in cells.nearest(asked, LISTED):
            for k in range(0, len(rows), _FEW):
                few, others = rows[k : k + _FEW], listed[k : k + _FEW]
                moved = [unit(m) for m in _moved(_views(seen[few], zoomed))]
                best = _best(whole(np.stack(moved, axis=1)), middle[others])
                yield from zip(few.tolist(), others, best, strict=True)

    return (compared(zoomed) for zoomed in (False, True))


def _best(moved: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """float32 [n][k]: correlation of views [n][shifts][d] and k pictures [n][k][d] each, at the
    best shift."""
    parts = np.split(middle, range(_TOGETHER, middle.shape[1], _TOGETHER), axis=1)
    return np.concatenate([correlations(moved, part).max(axis=1) for part in parts], axis=1)


def spectra(views: np.ndarray) -> np.ndarray:
    """float32 [n][d]: roots of the amplitudes of the low frequencies of small pictures."""
    window = np.hanning(_SMALL + 2)[1:-1].astype(np.float32)
    waves = np.abs(np.fft.rfft2(views * window[:, None] * window))
    low = waves[:, np.r_[-_WAVES : _WAVES + 1], : _WAVES + 1]
    return np.sqrt(low.reshape(len(views), -1)).astype(np.float32)


def _views(seen: np.ndarray, zoomed: bool) -> np.ndarray:
    """The small pictures [n][32][32] of `pictures`, or of their middle."""
    cut = round(SIDE * (1 - 1 / SCALES[1]) / 2) if zoomed else 0
    shown = seen[:, cut : SIDE - cut, cut : SIDE - cut]
    return np.array([normalised(shrunk(picture, _SMALL), 2.0) for picture in shown])


def _moved(views: np.ndarray) -> Iterator[np.ndarray]:
    """What small pictures show in the middle, moved by each of the shifts."""
    shifts = range(-_SHIFTS, _SHIFTS + 1)
    return (_middle(views, dy, dx) for dy, dx in product(shifts, shifts))


def _middle(views: np.ndarray, dy: int = 0, dx: int = 0) -> np.ndarray:
    low, high = _MARGIN, _SMALL - _MARGIN
    return views[:, low + dy : high + dy, low + dx : high + dx]
