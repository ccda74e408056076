"""The images of a study: those to choose from, and those to measure on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import datasets
from ..datasets import Dataset, DatasetError, find_duplicates
from ..datasets.base import Subset
from ..progress import Progress
from ..runs import RunFolder, read_json

DATASETS = ("cephalometric", "phantom")
DUPLICATES = "duplicates.json"


class Remembered(Subset):
    """A data set whose resized images are kept in memory once made."""

    def __init__(self, whole: Dataset, rows: Sequence[int] | None = None, grids=None):
        super().__init__(whole, list(range(len(whole)) if rows is None else rows))
        self._grids = {} if grids is None else grids

    def grid(self, i, size=(384, 384)):
        key = self._rows[self._check(i)], tuple(size)
        if key not in self._grids:
            self._grids[key] = super().grid(i, size)
        return self._grids[key].copy()

    def subset(self, rows):
        return Remembered(self._whole, [self._rows[self._check(i)] for i in rows], self._grids)


@dataclass(frozen=True)
class Data:
    """What a study works on.

    Attributes:
        train: the pool; its landmarks are looked at only where it is measured.
        test: images of a test set, or None. distinct: its rows that repeat no training image and
            no earlier test image; int64.
        name: in words.
    """

    train: Dataset
    test: Dataset | None
    distinct: np.ndarray
    name: str


def load(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    images: int | None = None,
    test: bool = True,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress = None,
) -> Data:
    """The data set of a study.

    Args:
        name: "cephalometric" (150 training images, Test1) or "phantom" (as many training as test
            images, of other patients).
        root: of the cephalograms. images: of the phantom, 40 of each part if None.
        test: whether the test images are needed.
        folder: where duplicates.json is kept.
        progress: see `scp.progress`.

    Raises:
        DatasetError: no landmarks, no Test1; names the folder.
    """
    none = np.empty(0, np.int64)
    if name == "phantom":
        if root is not None:
            raise ValueError("--root: the phantom has no folder")
        n = 40 if images is None else images
        train, other = datasets.phantom(n, seed=0), None
        if test:
            other = datasets.phantom(n, seed=1)
        return Data(
            Remembered(train),
            other and Remembered(other),
            np.arange(n) if test else none,
            f"{n} phantoms",
        )
    if name != "cephalometric":
        raise ValueError(f"--dataset must be one of {', '.join(DATASETS)}, got {name!r}")
    if root is None:
        raise ValueError("--root: the folder of the cephalograms is needed")
    if images is not None:
        raise ValueError("--images: goes with --dataset phantom")
    train, other, distinct = datasets.cephalometric(root, split="train"), None, none
    _need_landmarks(train)
    if test:
        try:
            other = datasets.cephalometric(root, split="test1")
        except DatasetError as error:
            raise DatasetError(
                f"{error}; real test images are measured there, --evaluation paper needs none"
            ) from None
        _need_landmarks(other)
        distinct = distinct_rows(train.ids, other.ids, _pairs(root, RunFolder.of(folder), progress))
    return Data(Remembered(train), other and Remembered(other), distinct, f"ISBI 2015, {root}")


def _need_landmarks(dataset: Dataset) -> None:
    if dataset.landmarks is None:
        raise DatasetError(
            f"{dataset.root}: no landmarks (folders 400_junior and 400_senior), so nothing can be "
            "measured"
        )


def distinct_rows(
    train: Sequence[str], test: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> np.ndarray:
    """Rows of the test images that repeat no training image and no earlier test image, int64.

    pairs: ids of images that show the same picture.
    """
    known, rank = set(train), {name: i for i, name in enumerate(test)}
    out = set()
    for a, b in pairs:
        if a in known or b in known:
            out |= {a, b} - known
        elif a in rank and b in rank:
            out.add(max(a, b, key=rank.__getitem__))
    return np.array([i for i, name in enumerate(test) if name not in out], np.int64)


def _pairs(root, folder: RunFolder | None, progress) -> list[tuple[str, str]]:
    """Ids of images that show the same picture; from the folder if it knows these images."""
    both = datasets.cephalometric(root, split="all")
    stamp = [[name, os.path.getsize(both.path(i))] for i, name in enumerate(both.ids)]
    if folder is not None and (folder / DUPLICATES).is_file():
        try:
            content = read_json(folder / DUPLICATES)
            if content["images"] == stamp:
                return [tuple(pair) for pair in content["pairs"]]
        except (ValueError, KeyError, TypeError):
            pass
    pairs = [(both.ids[p.a], both.ids[p.b]) for p in find_duplicates(both, progress)]
    if folder is not None:
        folder.write_json(DUPLICATES, {"images": stamp, "pairs": pairs})
    return pairs
