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


def write_cephalometric(root: Path, pool: Dataset) -> Path:
    """A pool as the training images of the ISBI 2015 challenge in the official layout; the root."""
    (root / "RawImage").mkdir(parents=True)
    write_images(root / "RawImage" / "TrainingData", pool)
    for reader in ("400_junior", "400_senior"):
        (root / reader).mkdir()
        for name, xy in zip(pool.ids, pool.landmarks, strict=True):
            lines = [f"{x:.0f},{y:.0f}\n" for x, y in xy]
            (root / reader / f"{name}.txt").write_text("".join(lines))
    return root
