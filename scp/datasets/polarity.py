"""Images that look like negatives of the others: MONOCHROME1 of DICOM saved without its flag.

The middle picture of a pool, the median over all images, correlates with each of them, and
negatively with a negative. Pools differ in how alike their images are, so that two things must
agree: the picture as it is, and its details with local mean and contrast taken out.

Measured in docs/lab/datasets.md.
"""

from __future__ import annotations

import numpy as np

from ..progress import Progress
from .base import Dataset
from .pictures import BLOCK, normalised, pictures, shrunk, unit

_SIDE = 32
_OPPOSITE = -0.1  # correlation with the middle picture
_FEWEST = 3  # of two images nobody can say which is the negative


def find_inverted(
    dataset: Dataset, progress: Progress = False, seen: np.ndarray | None = None
) -> list[int]:
    """Rows of the images whose black and white are exchanged, compared with most of the data set.

    Args:
        dataset: the images. progress: see `scp.progress`.
        seen: `pictures` of the data set, if they are there already.

    Raises:
        DatasetError: an image cannot be decoded.
    """
    if len(dataset) < _FEWEST:
        return []
    seen = pictures(dataset, progress) if seen is None else seen
    opposite = np.ones(len(seen), bool)
    for sigma in (None, 4.0):
        rows = _rows(seen, sigma)
        parts = range(0, rows.shape[1], 64)  # a median copies what it is of
        middle = np.concatenate([np.median(rows[:, k : k + 64], axis=0) for k in parts])
        middle /= max(np.linalg.norm(middle), 1e-6)
        opposite &= rows @ middle < _OPPOSITE
    return np.flatnonzero(opposite).tolist()


def _rows(seen: np.ndarray, sigma: float | None) -> np.ndarray:
    """float32 [N][d]: pictures as rows of mean 0 and length 1, details alone where sigma says."""
    rows = np.empty((len(seen), _SIDE * _SIDE), np.float32)
    for start in range(0, len(seen), BLOCK):
        small = [shrunk(picture, _SIDE) for picture in seen[start : start + BLOCK]]
        if sigma is not None:
            small = [normalised(picture, sigma) for picture in small]
        rows[start : start + len(small)] = unit(np.array(small))
    return rows
