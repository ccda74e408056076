"""Text files read with errors that name file, line and cell; the work is linear in their size."""

from __future__ import annotations

import codecs
import csv
import io
import math
import os
import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import IO

from ..errors import DatasetError

MAX_BYTES = 1 << 29  # of a file; the key points of COCO 2017 take 240 MB
MAX_CELL = 100  # characters of a number
TABLE_CELLS = 1 << 16  # that a table of images and landmarks may always have
CELLS_PER_CHARACTER = 8  # of its file, where it is larger

# No digit can be matched in two ways: the time is linear.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_LINE = re.compile(r"[^\r\n]+")
_LINE_END = re.compile(r"\r\n|\r|\n")
MAX_HEADER = 1 << 20
HEAD = 1 << 16  # bytes
# What a column of images is called in the first line.
IMAGE = ("image", "images", "image_id", "id", "ids", "name", "file", "filename", "file_name")
_MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: str | os.PathLike[str]) -> str:
    """A file of UTF-8, or of what its byte order mark says, without the mark; DatasetError names
    it, and the line."""
    data = read_data(path, MAX_BYTES)
    if data.startswith(b"PK\x03\x04"):
        raise DatasetError(f"{path}: a spreadsheet or an archive, no text; save it as CSV (UTF-8)")
    encoding = _encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        kind = "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
        hint = "; save it as UTF-8" if kind == "UTF-8" else ""
        raise DatasetError(f"{path}, line {number}: not {kind} text{hint}") from None
    if (at := text.find("\0")) >= 0:  # names would differ in what nobody sees
        number = text.count("\n", 0, at) + 1
        raise DatasetError(f"{path}, line {number}: a null character; save it as UTF-8 text")
    return text


def read_data(path: str | os.PathLike[str], most: int) -> bytearray:
    """The bytes of a file; DatasetError where there is none or where they are more than `most`."""
    try:
        with open(path, "rb") as file:
            data = read_parts(file, most + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise DatasetError(f"{path}: cannot be read ({_reason(error)})") from error
    if len(data) > most:
        raise DatasetError(f"{path}: larger than {most >> 20} MiB, too large for a list")
    return data


def read_parts(file: IO[bytes], most: int) -> bytearray:
    """So many bytes at most, in parts: memory for all of them would be set aside at once."""
    data = bytearray()
    while len(data) < most and (part := file.read(min(1 << 20, most - len(data)))):
        data += part
    return data


def head_of(path: str | os.PathLike[str]) -> str:
    """The start of a text file, by which its format is known; DatasetError where there is none."""
    try:
        with open(path, "rb") as file:
            return decoded(file.read(HEAD))
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise DatasetError(f"{path}: cannot be read ({_reason(error)})") from error


def decoded(data: bytes) -> str:
    """The start of a text file of which later lines do not matter: what is no text is replaced."""
    return data.decode(_encoding(data), "replace")


def _encoding(data: bytes | bytearray) -> str:
    return next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def csv_lines(path: str | os.PathLike[str], text: str) -> Iterator[tuple[int, list[str]]]:
    """Number of the first line and cells of each record that is not blank.

    Where a spreadsheet wrote semicolons or tabs, as the header shows, a number may have a decimal
    comma: it is given with a point.
    """
    delimiter, names = _header(text)
    for number, cells in records(path, text, delimiter):
        yield number, cells if delimiter == "," else with_points(cells, names)


def records(
    path: str | os.PathLike[str], text: str, delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    """Number of the first line and cells of each record that is not blank, as they stand; " " as
    the delimiter is any white space."""
    if delimiter == " ":
        for number, line in enumerate(_LINE_END.split(text), 1):
            if line.strip():
                yield number, line.split()
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    number = 1
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield number, cells
            number = reader.line_num + 1
    except csv.Error as error:
        said = str(error).replace("\t", "\\t")  # the delimiter
        raise DatasetError(f"{path}, line {number}: {said}") from None


def delimiter_of(text: str) -> str:
    """What stands between the cells, as the first line shows: where a column of images does not
    tell, the most frequent one; " " is white space."""
    delimiter, names = _header(text)
    line = next((line for line in _LINE.findall(text[:MAX_HEADER]) if line.strip()), "")
    if names or any(cell.strip().strip('"').casefold() in IMAGE for cell in line.split(",")[1:]):
        return delimiter
    # Numbers with decimal commas have as many commas as semicolons.
    found = max("\t;,", key=line.count)
    return found if found in line else " "


def _header(text: str) -> tuple[str, list[str]]:
    """What stands between the cells, and the names of the columns where it is no comma."""
    line = next((line for line in _LINE.findall(text[:MAX_HEADER]) if line.strip()), "")
    for delimiter in ";\t":
        names = [cell.strip().strip('"').strip().casefold() for cell in line.split(delimiter)]
        if len(names) > 1 and any(name in IMAGE for name in names):
            return delimiter, names
    return ",", []


def with_points(cells: list[str], names: list[str]) -> list[str]:
    """Cells whose decimal commas are points, but for those of names. names: of the columns."""
    return [
        cell.replace(",", ".")
        if _COMMA.fullmatch(cell.strip()) and name not in (*IMAGE, "landmark")
        else cell
        for cell, name in zip_longest(cells, names[: len(cells)], fillvalue="")
    ]


def number_in(cell: str, where: str, column: str) -> float:
    """A finite number, or NaN of an empty cell; DatasetError otherwise."""
    cell = cell.strip()
    if len(cell) > MAX_CELL:
        raise DatasetError(
            f"{where}: {column}: {cell[:20]!r}... has {len(cell)} characters, a number has "
            f"{MAX_CELL} at most"
        )
    if _NUMBER.fullmatch(cell):
        value = float(cell)
        if math.isfinite(value):
            return value
    elif cell == "" or cell.lower() == "nan":
        return math.nan
    elif cell.lower().lstrip("+-") not in ("inf", "infinity"):
        raise DatasetError(f"{where}: {column}: {cell[:40]!r} is not a number")
    raise DatasetError(f"{where}: {column}: {cell[:40]!r} is infinite")


def is_number(cell: str) -> bool:
    """The cell is a finite number."""
    cell = cell.strip()
    return len(cell) <= MAX_CELL and bool(_NUMBER.fullmatch(cell)) and math.isfinite(float(cell))


def point_in(x: str, y: str, where: str, name: str) -> tuple[float, float]:
    """A point of two cells; both are empty, or none."""
    if not x and not y:
        return math.nan, math.nan
    point = number_in(x, where, f"{name}x"), number_in(y, where, f"{name}y")
    if math.isnan(point[0]) != math.isnan(point[1]):
        raise DatasetError(f"{where}: one of {name}x and {name}y is empty")
    return point


def check_table(path, characters: int, images: int, landmarks: int, hint: str = "") -> None:
    """DatasetError, before memory is asked for, where a file names so many images and landmarks
    that hardly any image can have many of them: a column of something else, mostly."""
    if images * landmarks > max(TABLE_CELLS, CELLS_PER_CHARACTER * characters):
        raise DatasetError(
            f"{path}: {images:,} images with {landmarks:,} landmarks each do not come from "
            f"{characters:,} characters; is the column of landmarks the right one?{hint}"
        )
