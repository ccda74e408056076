"""Landmarks in CSV files: a point a line (long), or an image a line (wide)."""

from __future__ import annotations

import math
import os
import re

import numpy as np

from ..errors import DatasetError
from ..runs import writing
from .names import check_alike, check_split
from .table import SOURCES, Landmarks
from .text import check_table, number_in, point_in

KEYS = ("image", "landmark", "x", "y")
_EXTRA = ("confidence", "error", "presence")
# Spreadsheets run a cell that begins so (the full-width signs in some languages); behind an
# apostrophe they show it as text.
_RUN = re.compile("'*[=+\\-@\t\r\uff0b\uff0d\uff1d\uff20]")


def safe_cell(name: str) -> str:
    """A name as the content of a cell that no spreadsheet runs; `plain_cell` gives it again."""
    return f"'{name}" if _RUN.match(name) else name


def csv_cell(name: str) -> str:
    """`safe_cell` in quotes, where CSV needs them."""
    name = safe_cell(name)
    # The csv module leaves a carriage return bare where lines end in a line feed.
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\r\n') else name


def plain_cell(cell: str) -> str:
    """The name that a cell of `csv_cell` stands for (without quotes, as the csv module reads)."""
    return cell[1:] if cell.startswith("'") and _RUN.match(cell) else cell


def _cells(where: str, cells: list[str], header: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise DatasetError(f"{where}: {len(header)} cells expected, got {len(cells)}")
    row = dict(zip(header, cells, strict=True))
    if not row["image"]:
        raise DatasetError(f"{where}: image is empty")
    row["image"] = plain_cell(row["image"])
    return row


def read_long(path, size: int, where: str, header: list[str], lines) -> tuple[Landmarks, list[int]]:
    for name in KEYS:
        if name not in header:
            raise DatasetError(f"{where}: column {name!r} is missing")
    known = (*KEYS, *_EXTRA, "source", "visible")
    for name in header:
        if name not in known:
            raise DatasetError(f"{where}: unknown column {name!r} (known: {', '.join(known)})")
    extra = [name for name in _EXTRA if name in header]
    ids: dict[str, int] = {}
    first: list[int] = []
    names: dict[str, int] = {}
    seen: dict[tuple[int, int], tuple[int, list[float], str, bool]] = {}
    for number, cells in lines:
        where = f"{path}, line {number}"
        row = _cells(where, cells, header)
        if not row["landmark"]:
            raise DatasetError(f"{where}: landmark is empty")
        row["landmark"] = plain_cell(row["landmark"])
        if row["image"] not in ids:
            first.append(number)
        values = [*point_in(row["x"], row["y"], where, "")]
        values += [number_in(row[name], where, name) for name in extra]
        at = (
            ids.setdefault(row["image"], len(ids)),
            names.setdefault(row["landmark"], len(names)),
        )
        if at in seen:
            raise DatasetError(
                f"{where}: landmark {row['landmark']!r} of image {row['image']!r} is in line "
                f"{seen[at][0]} already"
            )
        source = row.get("source", "").strip()
        if source not in ("", *SOURCES):
            raise DatasetError(f"{where}: source: {source[:40]!r} is none of {', '.join(SOURCES)}")
        seen[at] = number, values, source, visible_in(row.get("visible", ""), where)
    if not seen:
        raise DatasetError(f"{path}: no landmark in it")
    some = ", ".join(map(repr, list(names)[:3]))
    check_table(path, size, len(ids), len(names), f" The first: {some}")
    check_alike(list(names), str(path))
    table = np.full((len(ids), len(names), 2 + len(extra)), np.nan)
    source = np.full(table.shape[:2], "", f"<U{max(map(len, SOURCES))}")
    visible = np.ones(table.shape[:2], bool)
    for at, (_, values, said, shown) in seen.items():
        table[at], source[at], visible[at] = values, said, shown
    check_split(list(names), ~np.isnan(table[..., 0]), str(path))
    more = {name: table[..., 2 + k].copy() for k, name in enumerate(extra)}
    if "source" in header:
        more["source"] = source
    if "visible" in header:
        more["visible"] = visible
    return Landmarks(list(ids), list(names), table[..., :2].copy(), **more), first


def visible_in(cell: str, where: str) -> bool:
    """1 or nothing: seen; 0: hidden."""
    if cell.strip() not in ("", "0", "1"):
        raise DatasetError(f"{where}: visible: {cell[:40]!r} is neither 1 nor 0 (hidden)")
    return cell.strip() != "0"


def read_wide(path, size: int, where: str, header: list[str], lines) -> tuple[Landmarks, list[int]]:
    columns, names = set(header), {}
    for column in header:
        if column == "image":
            continue
        name, axis = column[:-2], column[-2:]
        if axis not in ("_x", "_y") or not name:
            raise DatasetError(
                f"{where}: unknown column {column!r} (expected image, NAME_x, NAME_y)"
            )
        other = name + ("_y" if axis == "_x" else "_x")
        if other not in columns:
            raise DatasetError(f"{where}: column {column!r} without {other!r}")
        names.setdefault(name)
    if not names:
        raise DatasetError(f"{where}: no landmark in the header")
    labels = [plain_cell(name) for name in names]
    check_alike(labels, where)
    first: dict[str, int] = {}
    points = []
    for number, cells in lines:
        where = f"{path}, line {number}"
        row = _cells(where, cells, header)
        if row["image"] in first:
            raise DatasetError(
                f"{where}: image {row['image']!r} is in line {first[row['image']]} already"
            )
        first[row["image"]] = number
        points.append([point_in(row[f"{n}_x"], row[f"{n}_y"], where, f"{n}_") for n in names])
    if not first:
        raise DatasetError(f"{path}: no image in it")
    xy = np.array(points)
    check_split(labels, ~np.isnan(xy[..., 0]), where)
    return Landmarks(list(first), labels, xy), list(first.values())


def write_csv(path: str | os.PathLike[str], landmarks: Landmarks) -> None:
    """A long CSV, whole or absent; numbers are read back exactly.

    Each image has a line for each landmark, with empty cells for what is absent. A name that a
    spreadsheet would run (=, +, -, @) has an apostrophe before it, which reading takes off.

    Raises:
        ValueError: a name that cannot be written as UTF-8, or has a null character.
    """
    extra = [name for name in _EXTRA if getattr(landmarks, name) is not None]
    source, visible = landmarks.source, landmarks.visible
    said = [name for name in ("source", "visible") if getattr(landmarks, name) is not None]
    lines = [",".join((*KEYS, *extra, *said))]
    for i, image in enumerate(landmarks.ids):
        for k, name in enumerate(landmarks.names):
            values = [*landmarks.xy[i, k], *(getattr(landmarks, v)[i, k] for v in extra)]
            cells = ["" if math.isnan(v) else repr(float(v)) for v in values]
            if source is not None:
                cells.append(str(source[i, k]))
            if visible is not None:
                cells.append(str(int(visible[i, k])) if cells[0] else "")
            lines.append(",".join((csv_cell(image), csv_cell(name), *cells)))
    text = "\n".join(lines) + "\n"
    if "\0" in text:
        raise ValueError(f"{path}: a name has a null character in it")
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        text = error.object[max(error.start - 20, 0) : error.end]
        raise ValueError(f"{path}: {text!r} cannot be written as UTF-8") from None
    with writing(path) as beside:
        beside.write_bytes(data)
