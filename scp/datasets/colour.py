"""Colour of images, for what learns from it; everything else in scp is grey."""

from __future__ import annotations

import os

import numpy as np

from ..errors import DatasetError
from .base import Dataset
from .reading import _quiet, inspect, read_grey
from .wflw import Faces, crop

COLOURED = ("JPEG", "PNG", "BMP")


def read_colour(path: str | os.PathLike[str]) -> np.ndarray:
    """The pixels of a JPEG, PNG or BMP file, uint8 [H][W][3], red, green, blue; 16 bits become 8, a
    grey file and every other format have three equal channels. An EXIF orientation is applied.

    Raises:
        DatasetError: as `scp.datasets.reading.read_grey`.
    """
    grey = read_grey(path)  # every check of the file
    header = inspect(path)
    if header.format not in COLOURED:
        return np.repeat(_bytes(grey)[..., None], 3, axis=2)
    import cv2

    with _quiet():
        image = cv2.imread(os.fspath(path), cv2.IMREAD_COLOR)
    if image is None or image.shape[:2] != grey.shape:
        raise DatasetError(f"{path}: the {header.format} data cannot be decoded in colour")
    return np.ascontiguousarray(_bytes(image)[..., ::-1])


def _bytes(image: np.ndarray) -> np.ndarray:
    return image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)


def face_square(dataset: Dataset, i: int, side: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Face i with its surroundings, uint8 [side][side][3], and its landmarks [L][2] in pixels of it
    (NaN where there are none).

    The faces of WFLW are cut out anew from their photographs, side being that of
    `scp.datasets.wflw.margin(size)`; any other image is stretched to the side.
    """
    import cv2

    if isinstance(dataset, Faces):
        place, photograph = dataset.squares[i], read_colour(dataset.sources[i])
        marks = (dataset.original_landmarks[i] - place[:2] + 0.5) * (side / place[2]) - 0.5
        return crop(photograph, place, size, side), marks
    marks = None if dataset.landmarks is None else np.asarray(dataset.landmarks[i], np.float64)
    path = dataset.path(i)
    if path is not None:
        image = read_colour(path)
    else:
        image = np.repeat(_bytes(dataset.image(i))[..., None], 3, axis=2)
    height, width = image.shape[:2]
    if marks is not None:
        marks = (marks + 0.5) * np.array([side / width, side / height]) - 0.5
    if (height, width) != (side, side):
        way = cv2.INTER_AREA if min(height, width) > side else cv2.INTER_CUBIC
        image = cv2.resize(image, (side, side), interpolation=way)
    return np.ascontiguousarray(image), _none(marks)


def _none(marks: np.ndarray | None) -> np.ndarray:
    return np.empty((0, 2)) if marks is None else marks
