"""Pictures of what an auto-encoder makes of faces."""

from __future__ import annotations

import numpy as np

from ..runs import RunFolder
from .views import pixels

PICTURES = "reconstructions.png"
COLUMNS = 8


def rows_of(count: int) -> np.ndarray:
    """The faces that are drawn, spread over all."""
    return np.unique(np.linspace(0, count - 1, min(count, 2 * COLUMNS)).round().astype(int))


def sheet(views: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Faces, their reconstructions below them, COLUMNS in a row: uint8 [H][W][3]."""
    count, side = views.shape[:2]
    lines = -(-count // COLUMNS)
    out = np.full((2 * lines * side, min(count, COLUMNS) * side, 3), 255, np.uint8)
    for k, pair in enumerate(zip(pixels(views), pixels(made), strict=True)):
        for j, picture in enumerate(pair):
            y, x = (2 * (k // COLUMNS) + j) * side, k % COLUMNS * side
            out[y : y + side, x : x + side] = picture
    return out


def write_sheet(folder: RunFolder, name: str, views: np.ndarray, made: np.ndarray) -> None:
    """As a PNG file of the folder."""
    import cv2

    done, data = cv2.imencode(".png", sheet(views, made)[..., ::-1])
    if not done:
        raise OSError(f"{folder / name}: the picture cannot be encoded")
    with folder.writing(name) as path:
        path.write_bytes(data.tobytes())
