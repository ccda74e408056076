"""The ISBI 2015 cephalometric challenge: a .txt for each image, its landmarks a line each."""

from __future__ import annotations

import math
from pathlib import Path

from ...errors import DatasetError
from ..table import numbered
from ..text import is_number, point_in, read_text, records
from .base import Context, Format, Read
from .gather import Gathered

LANDMARKS = (
    "sella",
    "nasion",
    "orbitale",
    "porion",
    "subspinale",
    "supramentale",
    "pogonion",
    "menton",
    "gnathion",
    "gonion",
    "lower incisal incision",
    "upper incisal incision",
    "upper lip",
    "lower lip",
    "subnasale",
    "soft tissue pogonion",
    "posterior nasal spine",
    "anterior nasal spine",
    "articulare",
)
SUFFIX = ".txt"


def _recognises(path: Path, head: str) -> bool:
    if path.is_dir():
        return bool(_files(path))
    cells = next((line for line in head.splitlines() if line.strip()), "").split(",")
    return path.suffix.lower() == SUFFIX and len(cells) == 2 and all(map(is_number, cells))


def _files(folder: Path) -> list[Path]:
    """001.txt, 002.txt, ... in a folder."""
    found = [f for f in folder.iterdir() if f.suffix.lower() == SUFFIX and f.stem.isdecimal()]
    return sorted(f for f in found if f.is_file() and not f.is_symlink())


def _read(path: Path, context: Context) -> Read:
    files = _files(path) if path.is_dir() else [path]
    found, size, first = Gathered(path, context), 0, (-1, path)
    for file in files:
        text = read_text(file)
        size += len(text)
        points = _points(file, text)
        count = first[0] if first[0] >= 0 else len(points)
        if len(points) != count:
            raise DatasetError(f"{file}: {len(points)} lines x,y, but {count} in {first[1].name}")
        first = first if first[0] >= 0 else (count, file)
        names = LANDMARKS if count == len(LANDMARKS) else numbered(count)
        row = found.image(file.stem, str(file), file.name)
        for name, (number, xy) in zip(names, points, strict=True):
            found.name(name, str(file))
            if not math.isnan(xy[0]):
                found.point(row, name, xy, f"{file}, line {number}")
    return found.read(size)


def _points(file: Path, text: str) -> list[tuple[int, tuple[float, float]]]:
    """(line, point) of each line x,y. The lines behind them, classes, have one number each."""
    points, ended = [], 0
    for number, cells in records(file, text, ","):
        where = f"{file}, line {number}"
        if len(cells) == 1 and points and is_number(cells[0]):
            ended = ended or number
        elif len(cells) != 2 or ended:
            raise DatasetError(f"{where}: expected x,y; got {','.join(cells)[:40]!r}")
        else:
            points.append((number, point_in(cells[0].strip(), cells[1].strip(), where, "")))
    return points


ISBI = Format(
    name="isbi",
    title="the text of the ISBI 2015 challenge",
    suffixes=("", SUFFIX),
    recognises=_recognises,
    read=_read,
)
