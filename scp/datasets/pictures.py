"""Small pictures of all images of a data set, for comparing them with each other."""

from __future__ import annotations

import numpy as np

from ..progress import Progress, watch
from .base import Dataset

SIDE = 64


def pictures(dataset: Dataset, progress: Progress = False) -> np.ndarray:
    """float16 [N][64][64]: each image of mean 0 and deviation 1; zeros where it has no content."""
    bar = watch(progress, "duplicates", len(dataset))
    out = np.zeros((len(dataset), SIDE, SIDE), np.float16)
    for i in range(len(dataset)):
        out[i] = shrunk(standard(dataset.thumbnail(i, (2 * SIDE, 2 * SIDE))), SIDE)
        if bar:
            bar(i + 1, len(dataset))
    return out


def standard(image: np.ndarray) -> np.ndarray:
    """Mean 0, deviation 1; zeros if there is none."""
    spread = image.std()
    return (image - image.mean()) * np.float32(1 / spread if spread >= 1e-6 else 0)


def shrunk(image: np.ndarray, side: int) -> np.ndarray:
    """float32 [side][side], averaged over areas."""
    import cv2

    return cv2.resize(image.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)


def normalised(image: np.ndarray, sigma: float) -> np.ndarray:
    """Local mean out, local deviation to one."""
    import cv2

    image = image - cv2.GaussianBlur(image, (0, 0), sigma)
    return image / np.sqrt(cv2.GaussianBlur(image * image, (0, 0), 2.5 * sigma) + 1e-3)


def unit(images: np.ndarray) -> np.ndarray:
    """[n][...] -> [n][size], mean 0 and length 1."""
    rows = images.reshape(len(images), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
