"""Text files read with errors that name file, line and cell."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import DatasetError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def read_text(path: str | os.PathLike[str]) -> str:
    """A UTF-8 file without its byte order mark; DatasetError names it, and the line."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{path}, line {number}: not UTF-8 text") from None


def csv_lines(path: str | os.PathLike[str], text: str) -> Iterator[tuple[int, list[str]]]:
    """Number of the first line and cells of each record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield number, cells
            number = reader.line_num + 1
    except csv.Error as error:
        raise DatasetError(f"{path}, line {number}: {error}") from None


def number_in(cell: str, where: str, column: str) -> float:
    """A finite number, or NaN of an empty cell; DatasetError otherwise."""
    cell = cell.strip()
    if _NUMBER.fullmatch(cell):
        value = float(cell)
        if math.isfinite(value):
            return value
    elif cell == "" or cell.lower() == "nan":
        return math.nan
    elif cell.lower().lstrip("+-") not in ("inf", "infinity"):
        raise DatasetError(f"{where}: {column}: {cell[:40]!r} is not a number")
    raise DatasetError(f"{where}: {column}: {cell[:40]!r} is infinite")


def point_in(x: str, y: str, where: str, name: str) -> tuple[float, float]:
    """A point of two cells; both are empty, or none."""
    point = number_in(x, where, f"{name}x"), number_in(y, where, f"{name}y")
    if math.isnan(point[0]) != math.isnan(point[1]):
        raise DatasetError(f"{where}: one of {name}x and {name}y is empty")
    return point
