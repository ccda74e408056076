"""Phantom radiographs as image files."""

from collections.abc import Sequence
from pathlib import Path

import cv2

from scp.datasets import Dataset


def write_images(folder: Path, pool: Dataset, names: Sequence[str] | None = None) -> Path:
    """The images of a pool as NAME.png, by default under their ids; the folder."""
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(pool.ids if names is None else names):
        assert cv2.imwrite(str(folder / f"{name}.png"), pool.image(i))
    return folder
