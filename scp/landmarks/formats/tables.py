"""Tables of landmarks as people have them: columns called in many ways, or no header at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import DatasetError, warn
from ..csv import plain_cell, visible_in
from ..names import visible
from ..text import delimiter_of, number_in, point_in, records, with_points
from .base import Context, Read
from .columns import Columns, columns_of, without_header
from .gather import Gathered

_INDEX = ("", "unnamed: 0")  # how pandas and R call the column that numbers the lines


@dataclass(frozen=True)
class Table:
    """Cells of a text file, without what spreadsheets and pandas add.

    Attributes:
        path: of the file. characters: that it has. delimiter: between the cells.
        lines: number of the line, cells; the first is the header, if there is one.
    """

    path: Path
    characters: int
    delimiter: str
    lines: list[tuple[int, list[str]]]

    @property
    def header(self) -> list[str]:
        return self.lines[0][1] if self.lines else []

    @property
    def where(self) -> str:
        """Of the first line, for messages."""
        return f"{self.path}, line {self.lines[0][0] if self.lines else 1}"

    def rows(self, names: list[str]) -> Iterator[tuple[int, list[str]]]:
        """The lines, with a point where a number has a decimal comma. names: of the columns."""
        for number, cells in self.lines:
            yield number, cells if self.delimiter == "," else with_points(cells, names)


def table_of(path: Path, text: str) -> Table:
    """The cells of a text. Left out are comments (#) before the header, empty lines, empty columns
    at the end, and a first column that only numbers the lines."""
    text = _without_comments(text)
    delimiter = delimiter_of(text)
    lines = [line for line in records(path, text, delimiter) if any(map(str.strip, line[1]))]
    if not lines:
        return Table(path, len(text), delimiter, [])
    header = [cell.strip() for cell in lines[0][1]]
    while header and not header[-1]:
        header.pop()
    width = len(header)
    for number, cells in lines[1:]:
        extra = [cell for cell in cells[width:] if cell.strip()]
        if extra and len(lines[0][1]) > width:
            raise DatasetError(
                f"{path}, line {number}: {extra[0][:40]!r} is in a column without a name"
            )
        if not extra:
            del cells[width:]
    lines[0] = lines[0][0], header
    if header[0].casefold() in _INDEX and _counts(lines[1:]):
        lines = [(number, cells[1:]) for number, cells in lines]
    return Table(path, len(text), delimiter, lines)


def _without_comments(text: str) -> str:
    """The text, in which the lines with # before the header are empty."""
    at = 0
    while text.startswith(("#", "\n", "\r"), at):
        at = next((k for k in range(at, len(text)) if text[k] in "\r\n"), len(text)) + 1
    start = text[:at]
    return "".join(c for c in start if c in "\r\n") + text[at:] if "#" in start else text


def _counts(lines: list[tuple[int, list[str]]]) -> bool:
    """The first cells are 0, 1, 2, ... or 1, 2, 3, ..."""
    cells = [cells[0].strip() for _, cells in lines if cells]
    return bool(cells) and any(
        all(cell == str(k) for k, cell in enumerate(cells, start)) for start in (0, 1)
    )


def read_table(table: Table, context: Context) -> Read:
    """The landmarks of a table whose header is in none of our own two forms."""
    header = table.header
    first = [cell.strip() for cell in next(table.rows([]), (1, [""]))[1]]
    columns = without_header(first) if first else None
    if columns is not None:
        count = len(columns.points)
        warn(
            f"{table.path}: read without a header: the image, then x and y of {count} landmarks "
            f"called 1 to {count}; a header image,1_x,1_y,... says it"
        )
        header = ["image", *("" for _ in first[1:])]
    else:
        columns = columns_of(header, table.where)
        _check_header(header, table.where)
    if columns.unused:
        said = ", ".join(repr(name[:40]) for name in columns.unused[:5])
        more = f" and {len(columns.unused) - 5} more" if len(columns.unused) > 5 else ""
        warn(f"{table.path}: columns that are not used: {said}{more}")
    names = ["" for _ in header]
    names[columns.image] = "image"
    if columns.landmark is not None:
        names[columns.landmark] = "landmark"
    found = Gathered(table.path, context)
    lines = table.rows(names)
    if header is table.header:
        next(lines)
    for number, cells in lines:
        where = f"{table.path}, line {number}"
        if len(cells) != len(names):
            raise DatasetError(f"{where}: {len(names)} cells expected, got {len(cells)}")
        _line(found, columns, [cell.strip() for cell in cells], where, f"line {number}")
    read = found.read(table.characters)
    _check_lines(columns, read, table.where)
    return read


def _check_header(header: list[str], where: str) -> None:
    seen: set[str] = set()
    for name in header:
        if name in seen and name.lower() not in ("", "x", "y"):
            raise DatasetError(f"{where}: column {name[:60]!r} is there twice")
        seen.add(name)


def _line(found: Gathered, columns: Columns, cells: list[str], where: str, place: str) -> None:
    name = plain_cell(cells[columns.image])
    long = columns.landmark is not None
    row = found.row(name, where, place) if long else _image(found, columns, name, where, place)
    for label, x, y, score in columns.points:
        shown = True
        axes = f"{visible(label[:40])}_" if len(columns.points) > 1 else ""
        if columns.landmark is not None:
            label = plain_cell(cells[columns.landmark])
        if columns.visible is not None:
            shown = visible_in(cells[columns.visible], where)
        found.name(label, where)
        point = point_in(cells[x], cells[y], where, axes)
        confidence = math.nan if score is None else number_in(cells[score], where, "confidence")
        if not math.isnan(point[0]):
            found.point(row, label, point, where, visible=shown, confidence=confidence)


def _image(found: Gathered, columns: Columns, name: str, where: str, place: str) -> int:
    try:
        return found.image(name, where, place)
    except DatasetError as error:
        if len(columns.points) > 1 or "already" not in str(error):
            raise
        hint = "a table with several points of an image needs a column 'landmark'"
        raise DatasetError(f"{error}; {hint}") from None


def _check_lines(columns: Columns, read: Read, where: str) -> None:
    """DatasetError where a column `id` counts the lines, and is not the landmark."""
    present = read.landmarks.present
    if columns.maybe_lines and len(present) > 1 and (present.sum(axis=0) <= 1).all():
        raise DatasetError(
            f"{where}: no landmark is in two images: the column that was taken for its name seems "
            "to count the lines; call the right one 'landmark'"
        )
