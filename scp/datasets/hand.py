"""The Digital Hand Atlas with the 37 landmarks of Payer et al. (Medical Image Analysis 2019).

all.csv       no header; a line is id,x0,y0,...,x36,y36 in pixels
3142.jpg ...  the radiographs, anywhere below the root, named by id
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..landmarks.names import form
from ..landmarks.text import csv_lines, number_in, read_text
from .base import Dataset, check_files, check_on_error
from .folder import walk
from .joining import check_inside, check_unmatched
from .reading import DatasetError, folder_at

COUNT = 37
NAMES = tuple(str(k) for k in range(COUNT))
SPLITS = ("train", "test", "all")
SIZES = (609, 300)
WRIST_MM = 50.0
# Between which two landmarks the wrist is taken to be WRIST_MM wide. "wrist": as the paper's code
# and its relatives do; "payer": as the code and the sample files of Payer et al. do, 8 % more mm.
WRISTS = {"wrist": (0, 4), "payer": (1, 5)}
_PLACES = ("all.csv", "setup/all.csv")
_LOSSLESS = (".png", ".bmp", ".tif", ".tiff")


def hand(
    root: str | os.PathLike[str],
    split: str = "train",
    *,
    table: str | os.PathLike[str] | None = None,
    spacing: str | None = "wrist",
    sizes: tuple[int, int] = SIZES,
    unmatched: str = "raise",
    on_error: str = "raise",
) -> Dataset:
    """The hand radiographs of one split, with 37 landmarks called "0" to "36".

    An image belongs to the line of all.csv that begins with its file name without suffix; the
    order of files and lines does not matter. The ids that have both, in the order of strings, are
    split: the first 609 train, the next 300 test; what is left is in "all" only. When an id exists
    in several formats, a lossless one is taken. `folder` says which files are left out and counted.

    Args:
        root: the folder of the images.
        split: "train", "test" or "all".
        table: the file of landmarks; by default all.csv or setup/all.csv below the root.
        spacing: which two landmarks of an image are 50 mm apart, measured in its original pixels:
            "wrist": 0 and 4, as in the code of the paper and of its relatives; "payer": 1 and 5, as
            in the code of Payer et al. (the same pixels are 8 % more mm); None: no spacing.
        sizes: images to train and to test.
        unmatched: what a line without an image and an image without a line do: "raise", or "skip"
            (listed in `skipped`).
        on_error: what a damaged image or a landmark far outside its image does: "raise" or "skip".

    Raises:
        DatasetError: names the file, and the line.
    """
    check_on_error(on_error)
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")
    if spacing not in (*WRISTS, None):
        known = ", ".join(map(repr, WRISTS))
        raise ValueError(f"spacing must be {known} or None, got {spacing!r}")
    wrist = None if spacing is None else WRISTS[spacing]
    root = folder_at(root)
    table = _find_table(root) if table is None else Path(table)
    rows = read_table(table)
    odd: list[tuple[str, str]] = []
    files = _images(root, odd)
    skipped = check_unmatched(
        unmatched,
        [(v, f"{table}, line {rows[v][0]}: no image called {v}") for v in rows if v not in files],
        [(v, f"{files[v]}: no line {v} in {table}") for v in sorted(files) if v not in rows],
    )
    both = sorted(rows.keys() & files.keys())
    if not both:
        raise DatasetError(f"{table}: none of its {len(rows)} ids is the name of an image")
    ids = _part(both, split, sizes)
    if not ids:
        raise DatasetError(f"{root}: only {len(both)} images, none is left for split {split!r}")
    points = np.array([rows[v][1] for v in ids])

    def check(i: int, shape: tuple[int, int]) -> None:
        where = f"{table}, line {rows[ids[i]][0]}"
        check_inside(points[i], shape, where, NAMES)
        if wrist is not None and not _width(points[i], wrist) > 0:
            a, b = wrist
            raise DatasetError(f"{where}: landmarks {a} and {b} are the same point, no wrist width")

    keep, headers, damaged = check_files(ids, [files[v] for v in ids], on_error, check)
    if not keep:
        raise DatasetError(f"{root}: none of {len(ids)} images is usable; {damaged[0][1]}")
    kept, points = [ids[i] for i in keep], points[keep]
    scale = None if wrist is None else np.array([WRIST_MM / _width(p, wrist) for p in points])
    return Dataset(
        "hand",
        kept,
        root=root,
        files=[files[v] for v in kept],
        **headers,
        spacing=None if scale is None else np.stack([scale, scale], axis=1),
        landmarks=points,
        landmark_names=NAMES,
        skipped=sorted(odd) + skipped + damaged,
    )


def read_table(path: str | os.PathLike[str]) -> dict[str, tuple[int, np.ndarray]]:
    """Lines of all.csv: id -> number of the line and points float64 [37][2], (x, y).

    Raises:
        DatasetError: names the file and the line.
    """
    rows: dict[str, tuple[int, np.ndarray]] = {}
    for number, cells in csv_lines(path, read_text(path)):
        where = f"{path}, line {number}"
        if len(cells) != 1 + 2 * COUNT:
            raise DatasetError(f"{where}: {1 + 2 * COUNT} cells expected, got {len(cells)}")
        name = form(cells[0])
        if not name:
            raise DatasetError(f"{where}: the id is empty")
        if name in rows:
            raise DatasetError(f"{where}: id {name} is in line {rows[name][0]} already")
        values = [
            number_in(cell, where, f"column {k}") for k, cell in enumerate(cells[1:], start=2)
        ]
        if np.isnan(values).any():
            empty = int(np.argmax(np.isnan(values))) + 2
            raise DatasetError(f"{where}: column {empty} is empty")
        rows[name] = number, np.array(values).reshape(COUNT, 2)
    if not rows:
        raise DatasetError(f"{path}: no line in it")
    return rows


def _find_table(root: Path) -> Path:
    for name in _PLACES:
        if (root / name).is_file():
            return root / name
    raise DatasetError(f"{root}: no {' or '.join(_PLACES)} in it")


def _images(root: Path, odd: list[tuple[str, str]]) -> dict[str, Path]:
    """Id -> file. odd: takes what `walk` leaves out."""
    best: dict[str, tuple[bool, Path]] = {}
    for name in sorted(walk(root, odd)):
        path = root / name
        number = form(path.stem)
        new = path.suffix.lower() not in _LOSSLESS, path
        old = best.setdefault(number, new)
        if old[1] == path:
            continue
        if old[0] == new[0]:
            raise DatasetError(f"{path}: image {number} is there twice, also as {old[1]}")
        best[number] = min(old, new)
    return {name: path for name, (_, path) in best.items()}


def _part(ids: Sequence[str], split: str, sizes: tuple[int, int]) -> list[str]:
    train, test = (int(v) for v in sizes)
    if train < 1 or test < 0:
        raise ValueError(f"sizes must be two counts (train, test), got {sizes}")
    first, last = {"train": (0, train), "test": (train, train + test), "all": (0, None)}[split]
    return list(ids[first:last])


def _width(points: np.ndarray, wrist: tuple[int, int]) -> float:
    """Pixels between the landmarks of the wrist."""
    a, b = wrist
    return float(np.hypot(*(points[a] - points[b])))
