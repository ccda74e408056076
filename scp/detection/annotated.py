"""Annotated images: which they are, and their landmarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..datasets import Dataset, arrays
from ..landmarks import Landmarks


def annotated(
    images: Dataset | Iterable[np.ndarray], landmarks: ArrayLike | Landmarks | None = None
) -> Dataset:
    """Images and landmarks as one data set: see `LandmarkDetector.fit`."""
    if not isinstance(images, Dataset):
        if landmarks is None:
            raise ValueError("landmarks: arrays have none of their own")
        if isinstance(landmarks, Landmarks):
            raise ValueError(
                "landmarks: a table of landmarks goes with a data set, not with arrays"
            )
        return arrays(images, landmarks=landmarks)
    if landmarks is None:
        return images
    names = []
    if isinstance(landmarks, Landmarks):
        names, landmarks = landmarks.names, landmarks.rows(images.ids).xy
    return images.with_landmarks(landmarks, names)


def templates_among(
    images: Dataset, templates: Landmarks | Dataset | Sequence[int] | Sequence[str]
) -> Dataset:
    """The annotated ones among images, with their landmarks: what `templates` means everywhere.

    Args:
        images: all of them.
        templates: landmarks of some of the images, joined by id; or these images as a data set; or
            their rows or ids, where the data set has landmarks.
    """
    if isinstance(templates, Dataset):
        return templates
    if isinstance(templates, Landmarks):
        found = templates.find(images.ids)
        rows = [i for i, k in enumerate(found) if k >= 0]
        strange = sorted(set(range(len(templates))) - set(found.tolist()))
        if strange:
            raise ValueError(
                f"image {templates.ids[strange[0]]!r} is not among the {len(images)} images"
            )
        return images.subset(rows).with_landmarks(templates.xy[found[rows]], templates.names)
    rows = list(templates)
    if any(isinstance(row, str) for row in rows):
        rows = images.rows([str(row) for row in rows], "templates")
    if any(isinstance(row, (bool, np.bool_)) or row != int(row) for row in rows):
        raise ValueError(f"templates must be rows or ids of images, got {rows}")
    numbers = np.array(rows, np.int64).reshape(-1)
    n = len(images)
    if len(np.unique(numbers)) != len(numbers) or ((numbers < 0) | (numbers >= n)).any():
        raise ValueError(f"templates must be different rows, 0 to {n - 1}, got {rows}")
    return images.subset(rows)
