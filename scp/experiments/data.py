"""The images of a study: those to choose from, and those to measure on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets
from ..datasets import Dataset, DatasetError, find_duplicates
from ..datasets.base import Subset
from ..datasets.hand import SIZES, WRISTS
from ..datasets.reading import folder_at
from ..evaluation.metrics import RADII, wrist_spacing
from ..keypoints.detect import PRESETS
from ..progress import Progress
from ..runs import RunFolder, read_json
from . import paper
from .splits import splits_of
from .units import MM, Unit, unit_of

DATASETS = ("cephalometric", "hand", "phantom", "table", "coco", "folder")
DUPLICATES = "duplicates.json"
ANNOTATIONS = ("landmarks.csv", "landmarks.json", "annotations.json")
HAND_RADII = (2.0, 4.0, 7.0, 10.0)  # mm, of hands in the code of the paper's relatives


class NoTestImagesError(DatasetError):
    """The data set has none, or none are told apart."""


class Remembered(Subset):
    """A data set whose resized images are kept in memory once made; of images that have no files,
    which are made anew each time, the images too."""

    def __init__(self, whole: Dataset, rows: Sequence[int] | None = None, kept=None):
        super().__init__(whole, list(range(len(whole)) if rows is None else rows))
        self._grids, self._images = ({}, {}) if kept is None else kept

    def image(self, i):
        row = self._rows[self._check(i)]
        if self._whole.path(row) is not None:
            return super().image(i)
        if row not in self._images:
            self._images[row] = super().image(i)
        return self._images[row].copy()

    def grids(self, i, sizes):
        made = self._whole.path(self._rows[self._check(i)]) is None
        return Dataset.grids(self, i, sizes) if made else super().grids(i, sizes)

    def grid(self, i, size=(384, 384)):
        key = self._rows[self._check(i)], tuple(size)
        if key not in self._grids:
            self._grids[key] = next(iter(self.grids(i, [size])))
        return self._grids[key].copy()

    def subset(self, rows):
        return Remembered(
            self._whole, [self._rows[self._check(i)] for i in rows], (self._grids, self._images)
        )


@dataclass(frozen=True)
class Data:
    """What a study works on.

    Attributes:
        train: the pool; its landmarks are looked at only where it is measured.
        test: images of a test set, or None. distinct: its rows that repeat no training image and
            no earlier test image; int64.
        name: in words. kind: "cephalometric", ... test_name: of the split, in words.
        unit: what errors are counted in. radii: of success rates, in that unit.
        numbers: of the paper on such images, which stand beside.
        wrist: of hands in mm, the two landmarks that are 50 mm apart: the way "grid" then measures
            as the code of the paper's relatives does (`scp.metrics.wrist_spacing`).
        keypoint_options: of the detector (`scp.keypoints.detect`).
    """

    train: Dataset
    test: Dataset | None
    distinct: np.ndarray
    name: str
    kind: str = "arrays"
    test_name: str = "test"
    unit: Unit = MM
    radii: tuple[float, ...] = RADII
    numbers: paper.Numbers = paper.NONE
    wrist: tuple[int, int] | None = None
    keypoint_options: Mapping[str, Any] = field(default_factory=dict)

    def grid_spacing(self, dataset: Dataset, size: tuple[int, int]) -> np.ndarray | None:
        """Units per pixel of the grid, where they do not follow from those of the image."""
        if self.wrist is None:
            return None
        shapes = [dataset.shape(i) for i in range(len(dataset))]
        return wrist_spacing(
            dataset.landmarks, pair=self.wrist, way="grid", shape=shapes, size=size
        )


def load(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    images: int | None = None,
    test: bool = True,
    annotations: str | os.PathLike[str] | None = None,
    train_split: str | os.PathLike[str] | None = None,
    test_split: str | os.PathLike[str] | None = None,
    splits: str | None = None,
    sizes: tuple[int, int] | None = None,
    spacing: object = None,
    unit: str | Sequence[str | int] | Unit | None = None,
    read: Mapping[str, Any] | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress = None,
) -> Data:
    """The data set of a study.

    Args:
        name: "cephalometric" (ISBI 2015), "hand" (the Digital Hand Atlas), "phantom" (made images,
            as many to train as to test, of other patients); or your own images with a file of
            landmarks: "table", "coco", or "folder" (a table whose images are told apart by the
            folder they are in, train/ and test/).
        root: its folder. Own images: it holds landmarks.csv (or .json) and the images, or a
            folder `images` with them.
        images: of the phantom, 40 of each part if None.
        test: whether test images are needed.
        annotations: the file of landmarks, where it is not called so or lies elsewhere.
        train_split, test_split: cephalograms: "train", "test1" (default), "test2"; own images: a
            file of ids, a value of the column of `splits`, or a sub-folder (`splits_of`); by
            default train.txt and test.txt or val.txt.
        splits: "FILE:COLUMN" of a table that says which image belongs where.
        sizes: of the hands, (609, 300) images to train and to test.
        spacing: mm per pixel (`scp.datasets.Dataset.with_spacing`); of hands also "wrist" (default)
            or "payer" (`scp.datasets.hand`).
        unit: of errors, "mm", "px", "side" (percent of the longer side of the image) or two
            landmarks (percent of their distance). None: mm where the spacing is known, else px.
        read: how a file of landmarks is read: format, units, origin, category, several
            (`scp.datasets.table`).
        folder: where duplicates.json is kept.
        progress: see `scp.progress`.

    Raises:
        DatasetError: no landmarks, no test images; names the folder.
        ValueError: what does not go with such a data set.
    """
    if name not in DATASETS:
        raise ValueError(f"--dataset must be one of {', '.join(DATASETS)}, got {name!r}")
    given = {
        "images": images,
        "root": root,
        "annotations": annotations,
        "train_split": train_split,
        "test_split": test_split,
        "splits": splits,
        "sizes": sizes,
        "spacing": spacing,
        "read": read or None,
    }
    for option, value in given.items():
        if value is not None and name not in GOES_WITH[option]:
            if name == "phantom" and option == "root":
                raise ValueError("--root: the phantom has no folder")
            word = "a file of landmarks" if option == "read" else f"--{option.replace('_', '-')}"
            raise ValueError(f"{word}: goes with --dataset {', '.join(GOES_WITH[option])}")
    if name == "phantom":
        train, other, whole, more = _phantom(40 if images is None else images, test)
    elif root is None:
        raise ValueError(f"--root: the folder of the {_WORDS.get(name, 'images')} is needed")
    elif name == "cephalometric":
        train, other, whole, more = _cephalometric(root, test, train_split, test_split)
    elif name == "hand":
        train, other, whole, more = _hand(root, test, annotations, sizes, spacing)
    else:
        train, other, whole, more = _own(
            name, root, annotations, train_split, test_split, splits, dict(read or {})
        )
        if test and other is None:
            raise NoTestImagesError(
                f"{root}: which images are measured on? --test-split says it, --evaluation paper "
                "needs none"
            )
        other = other if test else None
    if spacing is not None and more.get("wrist") is None:
        train = train.with_spacing(spacing)
        other = other and other.with_spacing(spacing)
    unit = unit_of(unit, train)
    if unit.kind != "mm":
        more.pop("wrist", None)
        more["numbers"] = paper.NONE
        more["radii"] = unit.radii
    unit.of(train)
    if other is not None:
        unit.of(other)
    distinct = np.arange(0 if other is None else len(other), dtype=np.int64)
    if other is not None and whole is not None:
        pairs = _pairs(whole, RunFolder.of(folder), progress)
        distinct = distinct_rows(train.ids, other.ids, pairs)
        if not len(distinct):
            raise DatasetError(f"{root}: every test image repeats a training image")
    return Data(Remembered(train), other and Remembered(other), distinct, unit=unit, **more)


# What goes with which data set, of the arguments of `load`.
_LISTED = ("table", "coco", "folder")
GOES_WITH = {
    "images": ("phantom",),
    "root": ("cephalometric", "hand", *_LISTED),
    "annotations": ("hand", *_LISTED),
    "train_split": ("cephalometric", *_LISTED),
    "test_split": ("cephalometric", *_LISTED),
    "splits": _LISTED,
    "sizes": ("hand",),
    "spacing": ("hand", *_LISTED),
    "read": _LISTED,
}
_WORDS = {"cephalometric": "cephalograms", "hand": "hands"}


def _phantom(n: int, test: bool):
    train = datasets.phantom(n, seed=0)
    other = datasets.phantom(n, seed=1) if test else None
    more = {"name": f"{n} phantoms", "kind": "phantom", "numbers": paper.CEPHALOGRAMS}
    return train, other, None, more


def _cephalometric(root, test: bool, train_split, test_split):
    train = datasets.cephalometric(root, split=train_split or "train")
    _need_landmarks(train)
    other, whole, test_split = None, None, test_split or "test1"
    if test:
        try:
            other = datasets.cephalometric(root, split=test_split)
        except DatasetError as error:
            raise NoTestImagesError(
                f"{error}; real test images are measured there, --evaluation paper needs none"
            ) from None
        _need_landmarks(other)
        _apart(train, other, root)
        whole = datasets.cephalometric(root, split="all")
    numbers = paper.CEPHALOGRAMS
    more = {"name": f"ISBI 2015, {root}", "kind": "cephalometric", "numbers": numbers}
    return train, other, whole, {**more, "test_name": test_split}


def _hand(root, test: bool, annotations, sizes, spacing):
    named = spacing is None or spacing in WRISTS
    wrist = (spacing or "wrist") if named else None
    how = {"table": annotations, "spacing": wrist, "unmatched": "skip"}
    how["sizes"] = SIZES if sizes is None else tuple(sizes)
    train, other, whole = datasets.hand(root, "train", **how), None, None
    if test:
        try:
            other = datasets.hand(root, "test", **how)
        except DatasetError as error:
            raise NoTestImagesError(
                f"{error}; see --sizes: real test images are measured there, --evaluation paper "
                "needs none"
            ) from None
        whole = datasets.hand(root, "all", **how)
    more = {
        "name": f"Digital Hand Atlas, {root}",
        "kind": "hand",
        "numbers": paper.HANDS,
        "radii": HAND_RADII,
        "keypoint_options": PRESETS["hand"],
    }
    if named:
        a, b = more["wrist"] = WRISTS[wrist]
        more["name"] += f"; mm: 50 between landmarks {a} and {b} of the wrist ({wrist!r})"
    return train, other, whole, more


def _own(kind: str, root, annotations, train_split, test_split, splits, read: dict):
    """Images with a file of landmarks."""
    root = folder_at(root)
    if annotations is None:
        there = [root / name for name in ANNOTATIONS if (root / name).is_file()]
        if not there:
            raise DatasetError(
                f"{root}: no {' or '.join(ANNOTATIONS)} in it; --annotations FILE names the file "
                "of landmarks"
            )
        annotations = there[0]
    at = root / "images" if (root / "images").is_dir() else root
    if kind == "coco":
        whole = datasets.coco(annotations, at, **read)
    else:
        whole = datasets.table(annotations, at, unmatched="skip", **read)
    known, whole = len(whole) + len(whole.skipped), _labelled(whole)
    places = [root, Path(annotations).parent]
    first, last = splits_of(whole, places, train_split, test_split, splits)
    train = whole.subset(first.rows)
    other = None if last is None else whole.subset(last.rows)
    more = {"name": f"{annotations}, {first.name}", "kind": kind}
    if left_out := known - len(whole):
        more["name"] += f" (left out, without landmarks: {left_out})"
    if last is not None:
        more["test_name"] = last.name
        whole = whole.subset([*first.rows, *last.rows])
    return train, other, whole, more


def _labelled(dataset: Dataset) -> Dataset:
    """Without the images that have no landmark at all: nothing can be measured there."""
    keep = np.flatnonzero(np.isfinite(dataset.landmarks).all(axis=2).any(axis=1))
    if not len(keep):
        raise DatasetError(f"{dataset.root}: none of the images has a landmark")
    return dataset if len(keep) == len(dataset) else dataset.subset(keep.tolist())


def _need_landmarks(dataset: Dataset) -> None:
    if dataset.landmarks is None:
        raise DatasetError(
            f"{dataset.root}: no landmarks (folders 400_junior and 400_senior), so nothing can be "
            "measured"
        )


def _apart(train: Dataset, other: Dataset, root) -> None:
    both = set(train.ids) & set(other.ids)
    if both:
        raise ValueError(f"{root}: {min(both)!r} is a training image and a test image")


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


def _pairs(whole: Dataset, folder: RunFolder | None, progress) -> list[tuple[str, str]]:
    """Ids of images that show the same picture; from the folder if it knows these images."""
    paths = [whole.path(i) for i in range(len(whole))]
    stamp = [
        [name, None if path is None else os.path.getsize(path)]
        for name, path in zip(whole.ids, paths, strict=True)
    ]
    if folder is not None and (folder / DUPLICATES).is_file():
        try:
            content = read_json(folder / DUPLICATES)
            if content["images"] == stamp:
                return [tuple(pair) for pair in content["pairs"]]
        except (ValueError, KeyError, TypeError):
            pass
    pairs = [(whole.ids[p.a], whole.ids[p.b]) for p in find_duplicates(whole, progress)]
    if folder is not None:
        folder.write_json(DUPLICATES, {"images": stamp, "pairs": pairs})
    return pairs
