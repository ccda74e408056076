"""Which images of a data set are chosen from, and which are measured on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..datasets import Dataset, DatasetError
from ..landmarks.csv import plain_cell
from ..landmarks.lists import read_ids
from ..landmarks.names import Index
from ..landmarks.text import IMAGE, csv_lines, read_text

TRAIN, TEST = ("train",), ("test", "val", "validation")  # usual names, the first that is there
COLUMN = "split"


@dataclass(frozen=True)
class Split:
    """Rows of a data set. name: in words, "val.txt"."""

    name: str
    rows: list[int]


def splits_of(
    dataset: Dataset,
    places: Sequence[Path],
    train: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    column: str | None = None,
) -> tuple[Split, Split | None]:
    """The images to choose from, and those to measure on (None: there are none).

    Args:
        places: folders in which train.txt, test.txt and val.txt are looked for.
        train, test: a file with one id a line; a value of the column; or a sub-folder of the
            images. None: the usual names. Where there is no train then, it is all but test.
        column: "FILE" or "FILE:COLUMN" of a table with a line for each image (or each landmark of
            it): the column, "split" by default, says where each image belongs.

    Raises:
        DatasetError: names a file and line. ValueError: no such split, an image in both.
    """
    values = None if column is None else _column(column, dataset)
    last = _split(dataset, places, test, TEST, values, "--test-split")
    first = _split(dataset, places, train, TRAIN, values, "--train-split")
    if first is None:
        out = set() if last is None else set(last.rows)
        rest = [i for i in range(len(dataset)) if i not in out]
        name = "all" if last is None else f"all but {last.name}"
        first = Split(name, rest)
    both = sorted(set(first.rows) & set(() if last is None else last.rows))
    if both:
        raise ValueError(
            f"{dataset.ids[both[0]]!r} is in {first.name} and in {last.name}"
            + (f" ({len(both)} such images)" if len(both) > 1 else "")
        )
    if not first.rows:
        raise ValueError(f"--train-split: no image is left for {first.name}")
    return first, last


def _split(dataset, places, given, usual, values, option: str) -> Split | None:
    if given is not None:
        found = _named(dataset, given, values)
        if found is None:
            said = "" if values is None else f", no value of the column ({_some(values)})"
            raise ValueError(
                f"{option}: {os.fspath(given)!r} is no file{said} and no folder of the images"
            )
        return found
    for name in usual:
        for place in places if values is None else ():
            if (place / f"{name}.txt").is_file():
                return _named(dataset, place / f"{name}.txt", None)
        found = _named(dataset, name, values, files=False)
        if found is not None:
            return found
    return None


def _named(dataset: Dataset, given, values, files: bool = True) -> Split | None:
    """The split that a file, a value of a column or a folder gives; None where it is none."""
    if files and os.path.isfile(given):
        return Split(os.path.basename(given), dataset.rows(read_ids(given), str(given)))
    name = os.fspath(given)
    if values is not None:
        rows = [i for i, value in enumerate(values) if value == name]
    else:
        rows = [i for i, image in enumerate(dataset.ids) if image.startswith(f"{name}/")]
    return Split(name, rows) if rows else None


def _some(values: list[str | None]) -> str:
    known = sorted({value for value in values if value is not None})
    return ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")


def _column(given: str, dataset: Dataset) -> list[str | None]:
    """Value of each image in a column of a table; None where it has none."""
    path, name = (given, COLUMN) if os.path.isfile(given) else _parted(given)
    index, header, out = Index(dataset.ids), None, [None] * len(dataset)
    for number, cells in csv_lines(path, read_text(path)):
        where = f"{path}, line {number}"
        if header is None:
            header = [cell.strip() for cell in cells]
            image = next((k for k, v in enumerate(header) if v.casefold() in IMAGE), None)
            if image is None or name not in header:
                missing = "image" if image is None else name
                raise DatasetError(f"{where}: no column {missing!r} ({', '.join(header)[:60]})")
            value = header.index(name)
            continue
        if len(cells) <= max(image, value):
            raise DatasetError(f"{where}: {len(header)} cells expected, got {len(cells)}")
        try:
            row = index.place(plain_cell(cells[image]))
        except ValueError as error:
            raise DatasetError(f"{where}: {error}") from None
        said = plain_cell(cells[value]).strip()
        if row < 0 or not said:  # of another folder, or not in any split
            continue
        if out[row] not in (None, said):
            raise DatasetError(f"{where}: {cells[image]!r} is in {said!r} and in {out[row]!r}")
        out[row] = said
    return out


def _parted(given: str) -> tuple[str, str]:
    path, colon, name = given.rpartition(":")
    if not colon or not os.path.isfile(path):
        raise DatasetError(f"--splits: {given}: no such file")
    return path, name
