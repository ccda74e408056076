"""Lists beside the images: ids, and values by image. They take what landmark files take: quotes, a
header, UTF-8 or what the byte order mark says."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..errors import DatasetError
from .csv import plain_cell
from .formats import format_of
from .formats.house import CSV
from .names import Index
from .read import read_landmarks
from .text import IMAGE, csv_lines, read_text

NAMES = ("landmark", "landmarks", "name", "names")  # what a column of names is called

# What a column of values is called in the first line.
VALUES = {
    "group": ("group", "groups", "patient", "patients", "patient_id", "subject", "subject_id"),
    "cost": ("cost", "costs", "price"),
}


def read_ids(path: str | os.PathLike[str]) -> list[str]:
    """Ids of images, one a line; a first line that is the name of a column ("image", "id") is left
    out. DatasetError names the file and the line."""
    ids = []
    for number, cells in csv_lines(path, read_text(path)):
        name = ",".join(cells).strip()  # a name with commas may stand there without quotes
        if number == 1 and name.casefold() in IMAGE:
            continue
        ids.append(plain_cell(name))
    return ids


def holds_landmarks(path: str | os.PathLike[str]) -> bool:
    """Whether a file (or a folder) is one of landmarks, and no list. DatasetError names one that
    cannot be read."""
    if format_of(path) is not CSV:
        return True
    _, header = next(csv_lines(path, read_text(path)), (1, []))
    return len(header) > 1 and any(cell.strip().casefold() in IMAGE for cell in header)


def read_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of landmarks: of a file of landmarks, or one a line. DatasetError names the file."""
    if holds_landmarks(path):
        return read_landmarks(path).names
    names = []
    for _, cells in csv_lines(path, read_text(path)):
        names.append(plain_cell(",".join(cells).strip()))
    if names and names[0].casefold() in NAMES:
        del names[0]
    if not names:
        raise DatasetError(f"{path}: no name in it")
    return names


def read_values(path: str | os.PathLike[str], ids: Sequence[str], value: str) -> dict[int, str]:
    """Lines id,value of images in `ids`: value by row.

    A header is optional: with one, columns may come in any order, and others are not used.

    Args:
        path: the file. ids: of the images. value: what it holds, "group" or "cost".

    Raises:
        DatasetError: names the file and the line.
    """
    known, table, first = Index(ids), {}, {}
    columns: tuple[int, int] | None = None
    for number, cells in csv_lines(path, read_text(path)):
        where = f"{path}, line {number}"
        if not first and columns is None and _is_header(cells, known):
            columns = _columns(where, cells, value)
            continue
        if columns is not None and len(cells) > max(columns):
            name, found = (cells[k].strip() for k in columns)
        else:
            name, found = ",".join(cells[:-1]).strip(), cells[-1].strip()
        if not name or len(cells) < 2:
            raise DatasetError(f"{where}: expected id,{value}, got {','.join(cells)[:60]!r}")
        try:
            row = known.place(plain_cell(name))
        except ValueError as error:
            raise DatasetError(f"{where}: {error}") from None
        if row < 0:
            hint = "" if first else " (a header has image or id in it)"
            raise DatasetError(f"{where}: no image is called {name!r}{hint}")
        if row in first:
            raise DatasetError(f"{where}: {name!r} appears twice, also in line {first[row]}")
        first[row], table[row] = number, found
    return table


def _is_header(cells: list[str], known: Index) -> bool:
    named = [cell.strip().casefold() for cell in cells]
    return any(name in IMAGE for name in named) and cells[0].strip() not in known.names


def _columns(where: str, header: list[str], value: str) -> tuple[int, int]:
    """Places of the image and of the value."""
    names = [cell.strip().casefold() for cell in header]
    image = next(k for k, name in enumerate(names) if name in IMAGE)
    others = [k for k in range(len(names)) if k != image]
    wanted = [k for k in others if names[k] in VALUES[value]] or others
    if len(wanted) != 1:
        got = ",".join(names)[:60]
        raise DatasetError(
            f"{where}: which column is the {value}? expected id,{value}, got {got!r}"
        )
    return image, wanted[0]
