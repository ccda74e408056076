"""Annotated images: which they are, and their landmarks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..datasets import Dataset, arrays
from ..errors import warn
from ..landmarks import Landmarks, hand_marks, under
from ..values import whole_numbers


def annotated(
    images: Dataset | Iterable[np.ndarray], landmarks: ArrayLike | Landmarks | None = None
) -> Dataset:
    """Images and landmarks as one data set: see `LandmarkDetector.fit`. Images without a point are
    left out, see `marked`."""
    return marked(_joined(images, landmarks))


def marked(images: Dataset) -> Dataset:
    """The images that have a point: an image without one teaches nothing and is no template. A
    warning counts the others.

    Raises:
        ValueError: no image has landmarks, or a point.
    """
    if images.landmarks is None:
        raise ValueError("templates: these images have no landmarks, so give Landmarks")
    there = np.isfinite(images.landmarks).all(axis=-1).any(axis=-1)
    if len(there) and not there.any():
        raise ValueError(
            f"templates: no landmark is marked in them ({len(there)} images: {_some(images.ids)})"
        )
    if there.all():
        return images
    empty = [images.ids[i] for i in np.flatnonzero(~there)]
    warn(
        f"templates: {len(empty)} of {len(images)} images have no point and are left out: "
        f"{_some(empty)}"
    )
    return images.subset(np.flatnonzero(there))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _joined(images: Dataset | Iterable[np.ndarray], landmarks) -> Dataset:
    if not isinstance(images, Dataset):
        if landmarks is None:
            raise ValueError("landmarks: arrays have none of their own")
        if isinstance(landmarks, Landmarks):
            raise ValueError(
                "landmarks: a table of landmarks goes with a data set, not with arrays"
            )
        return as_dataset(images).with_landmarks(landmarks)
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
            their rows or ids, where the data set has landmarks. Images without a point are no
            templates (`marked`), and points that were found (`Landmarks.source`) no landmarks.
    """
    return marked(_among(images, templates))


def _among(images: Dataset, templates) -> Dataset:
    if isinstance(templates, Dataset):
        return templates
    if isinstance(templates, Landmarks):
        try:
            known = under(hand_marks(templates), images.ids)
        except ValueError as error:
            raise ValueError(f"templates: {error}") from None
        if templates.source is not None and known.present.any():  # what was found only goes
            there = known.present.any(axis=0)
            known = known.columns([n for n, some in zip(known.names, there, strict=True) if some])
            said = known.by_hand.any(axis=1)
            known = known.rows([name for name, some in zip(known.ids, said, strict=True) if some])
        rows = images.rows(known.ids, "templates")
        return images.subset(rows).with_landmarks(known.xy, known.names)
    if isinstance(templates, (str, bytes)) or not np.iterable(templates):
        raise TypeError(
            f"templates must be landmarks, a data set, or rows or ids of images, got {templates!r}"
        )
    rows = list(templates)
    if any(isinstance(row, str) for row in rows):
        rows = images.rows([str(row) for row in rows], "templates")
    try:
        rows, n = whole_numbers(rows, "templates"), len(images)
    except TypeError:
        raise ValueError(f"templates must be rows or ids of images, got {rows}") from None
    if len(set(rows)) != len(rows) or not all(0 <= row < n for row in rows):
        raise ValueError(f"templates must be different rows, 0 to {n - 1}, got {rows}")
    return images.subset(rows)


def as_dataset(images: Dataset | Iterable[np.ndarray]) -> Dataset:
    """A data set; one of arrays is made."""
    if isinstance(images, Dataset):
        return images
    if isinstance(images, (str, bytes, os.PathLike)) or not np.iterable(images):
        raise TypeError(
            f"images must be a data set (scp.datasets.folder(path)) or arrays, got {images!r}"
        )
    return arrays(images)
