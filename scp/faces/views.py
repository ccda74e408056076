"""Faces as the networks see them: squares with some room around, whose middle is a view."""

from __future__ import annotations

import numpy as np

from ..datasets import Dataset
from ..datasets.colour import face_square
from ..datasets.wflw import Faces, margin, to_crop
from ..progress import Progress, watch

MEANS = np.array([0.518, 0.418, 0.361])  # red, green, blue (SCP_FACE_MEANS)


def side_of(images: Dataset, size: int, room: float) -> int:
    """Of the squares: that of the diagonal of a view for WFLW, as published; else room * size."""
    return margin(size)[0] if isinstance(images, Faces) else int(np.ceil(room * size))


def squares(
    images: Dataset, size: int, room: float, progress: Progress = None
) -> tuple[np.ndarray, np.ndarray]:
    """Squares of all faces, uint8 [N][P][P][3], and their landmarks [N][L][2] in pixels of them."""
    side = side_of(images, size, room)
    out = np.empty((len(images), side, side, 3), np.uint8)
    marks = []
    bar = watch(progress, "faces", len(images))
    for i in range(len(images)):
        out[i], points = face_square(images, i, side, size)
        marks.append(points)
        if bar:
            bar(i + 1, len(images))
    return out, np.array(marks, np.float64)


def middle(faces: np.ndarray, size: int) -> np.ndarray:
    """The views without augmentation, float32 [N][size][size][3]: pixel / 255 - MEANS."""
    begin = (faces.shape[1] - size) // 2
    view = faces[:, begin : begin + size, begin : begin + size]
    return view.astype(np.float32) / np.float32(255) - MEANS.astype(np.float32)


def pixels(views: np.ndarray) -> np.ndarray:
    """Views or reconstructions as pictures, uint8."""
    return np.clip(np.rint((views + MEANS) * 255), 0, 255).astype(np.uint8)


def to_image(xy: np.ndarray, images: Dataset, i: int, side: int, size: int) -> np.ndarray:
    """Points [L][2] of a view as points of image i."""
    xy = xy + (side - size) // 2
    if isinstance(images, Faces):
        place = images.squares[i]
        xy = (xy + 0.5) * (place[2] / side) - 0.5 + place[:2]
        return to_crop(xy, place, images.size)
    height, width = images.shape(i)
    return (xy + 0.5) * np.array([width / side, height / side]) - 0.5
