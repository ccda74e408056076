"""Faces of a study: those to choose from, those to measure on, and groups of these."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import datasets
from ..datasets import Dataset, DatasetError
from ..datasets.wflw import FLAGS, Faces
from ..faces import EYES
from ..landmarks.lists import read_ids

TABLE = "landmarks.csv"


@dataclass(frozen=True)
class FaceData:
    """What Table 3 is made of.

    Attributes:
        train, test: with all their landmarks. groups: name -> rows of the test faces; "full" first.
        eyes: the landmarks whose distance errors are divided by. name: in words.
    """

    train: Dataset
    test: Dataset
    groups: dict[str, np.ndarray]
    eyes: tuple[int, int]
    name: str


def load_faces(root: str | os.PathLike[str] | None, size: int = 256) -> FaceData:
    """WFLW in its official layout, or a folder with images/, landmarks.csv, train.txt and test.txt.

    Args:
        root: the folder. None: six generated radiographs in the place of faces, and three to test,
            to try things without data. size: of the crops of WFLW, pixels.

    Raises:
        DatasetError: names the file that is missing or wrong.
    """
    if root is None:
        return _data(_made(6, seed=0), _made(3, seed=1), "generated radiographs, no faces")
    root = Path(root)
    if (root / "WFLW_annotations").is_dir():
        train = datasets.wflw(root, "train", size=size)
        test = datasets.wflw(root, "test", size=size)
        return _data(train, test, f"WFLW, {root}")
    whole = datasets.table(root / TABLE, root / "images")
    parts = []
    for name in ("train", "test"):
        path = root / f"{name}.txt"
        try:
            parts.append(whole.subset(whole.rows(read_ids(path), str(path))))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path}: {error}") from None
    return _data(*parts, f"faces, {root}")


def _made(n: int, seed: int) -> Dataset:
    """Radiographs with as many landmarks as faces have, some of them several times."""
    made = datasets.phantom(n, seed, (240, 192))
    return made.with_landmarks(made.landmarks[:, np.arange(68) % made.landmarks.shape[1]])


def _data(train: Dataset, test: Dataset, name: str) -> FaceData:
    for part, faces in (("train", train), ("test", test)):
        if faces.landmarks is None or not np.isfinite(faces.landmarks).all():
            raise DatasetError(f"{name}: every landmark of the {part} faces is needed")
    count = np.shape(train.landmarks)[1]
    if count not in EYES:
        raise DatasetError(f"{name}: faces have 98 or 68 landmarks, not {count}")
    groups = {"full": np.arange(len(test))}
    if isinstance(test, Faces):
        for k, flag in enumerate(FLAGS):
            rows = np.flatnonzero(test.flags[:, k])
            if len(rows):
                groups[flag] = rows
    return FaceData(train, test, groups, EYES[count], name)
