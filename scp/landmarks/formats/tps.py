"""tpsDig: landmarks without names, a block of lines for each image, y counted from the bottom.

Pixel (column c, row r) of an image of H rows is c, H - r there, which needs the image. A point of
two negative coordinates is absent, as the programs that read these files take it.
"""

from __future__ import annotations

import math
from pathlib import Path

from ...errors import DatasetError, warn
from ...runs import writing
from ..names import visible
from ..table import Landmarks, numbered
from ..text import number_in, read_text, records
from .base import Context, Format, Read
from .gather import Gathered

ABSENT = "-1.00000 -1.00000"
MOST = 1 << 20  # landmarks of an image


def _recognises(path: Path, head: str) -> bool:
    line = next((line for line in head.splitlines() if line.strip()), "")
    return line.strip().upper().startswith(("LM=", "LM3=")) or path.suffix.lower() == ".tps"


def _read(path: Path, context: Context) -> Read:
    text = read_text(path)
    found = Gathered(path, context)
    lines = list(records(path, text, " "))
    at = 0
    while at < len(lines):
        at = _image(found, lines, at, path)
    return found.read(len(text))


def _image(found: Gathered, lines: list[tuple[int, list[str]]], at: int, path: Path) -> int:
    """Reads one block of lines from `at`; the place behind it."""
    place = f"line {lines[at][0]}"
    where = f"{path}, {place}"
    key, value = _pair(lines[at][1])
    if key == "LM3":
        raise DatasetError(f"{where}: LM3: landmarks in space; only those of images (LM) are read")
    if key != "LM":
        raise DatasetError(f"{where}: expected LM=, got {' '.join(lines[at][1])[:40]!r}")
    points, at = _points(lines, at + 1, _count(value, where), path)
    said: dict[str, str] = {}
    while at < len(lines):
        number, cells = lines[at]
        key, value = _pair(cells)
        if key in ("LM", "LM3"):
            break
        at += 1
        if key in ("CURVES", "OUTLINES"):
            if count := _count(value, f"{path}, line {number}"):
                found.left_out(key.lower(), count)
        elif key == "POINTS":
            _, at = _points(lines, at, _count(value, f"{path}, line {number}"), path)
        elif not key:
            raise DatasetError(
                f"{path}, line {number}: expected NAME=VALUE, got {' '.join(cells)[:40]!r}"
            )
        elif said.setdefault(key, value) != value:
            raise DatasetError(f"{path}, line {number}: {key[:40]!r} is there twice in one block")
    name = said.get("IMAGE") or said.get("ID")
    if not name:
        raise DatasetError(f"{where}: neither IMAGE= nor ID= says of which image the points are")
    row = found.image(name, where, place)
    shape = found.shape(row)
    if shape is None:
        raise DatasetError(
            f"{where}: the images are needed too (images=): y counts from their bottom"
        )
    for k, (number, x, y) in enumerate(points, 1):
        found.name(str(k), where)
        if not ((x < 0 and y < 0) or math.isnan(x) or math.isnan(y)):
            found.point(row, str(k), (x, shape[0] - y), f"{path}, line {number}")
    return at


def _pair(cells: list[str]) -> tuple[str, str]:
    """NAME and VALUE of a line NAME=VALUE, else two empty texts."""
    key, equals, value = " ".join(cells).partition("=")
    return (key.strip().upper(), value.strip()) if equals else ("", "")


def _count(value: str, where: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 8 and int(value) <= MOST):
        raise DatasetError(f"{where}: {value[:40]!r} is no number of points")
    return int(value)


def _points(
    lines: list[tuple[int, list[str]]], at: int, count: int, path: Path
) -> tuple[list[tuple[int, float, float]], int]:
    """(line, x, y) of so many lines from `at`, and the place behind them."""
    points = []
    for number, cells in lines[at : at + count]:
        where = f"{path}, line {number}"
        if len(cells) != 2:
            raise DatasetError(f"{where}: expected x y, got {' '.join(cells)[:40]!r}")
        x, y = (number_in(cell, where, axis) for cell, axis in zip(cells, "xy", strict=True))
        points.append((number, x, y))
    if len(points) < count:
        raise DatasetError(f"{path}: ends after {len(points)} of {count} points")
    return points, at + count


def _write(path: Path, landmarks: Landmarks, context: Context) -> None:
    if landmarks.names != numbered(len(landmarks.names)):
        some = ", ".join(visible(name[:40]) for name in landmarks.names[:5])
        warn(
            f"{path}: a .tps file has no names: the {len(landmarks.names)} landmarks are 1, 2, ... "
            f"in this order: {some}{', ...' if len(landmarks.names) > 5 else ''}"
        )
    lines = []
    for i, name in enumerate(landmarks.ids):
        if len(name.splitlines()) > 1 or name != " ".join(name.split()):
            raise ValueError(f"{path}: {name!a} cannot be in a .tps file: blanks or a line end")
        height = context.size(name)[0]
        lines.append(f"LM={len(landmarks.names)}")
        for x, y in landmarks.xy[i]:
            if x < 0 and height - y < 0:
                raise ValueError(f"{path}: a point of {name!r} is left of and below its image")
            lines.append(ABSENT if math.isnan(x) else f"{x:.5f} {height - y:.5f}")
        lines += [f"IMAGE={name}", f"ID={i}", ""]
    with writing(path) as beside:
        beside.write_text("\n".join(lines), "utf-8", newline="\n")


TPS = Format(
    name="tps",
    title="tpsDig .tps",
    suffixes=(".tps",),
    recognises=_recognises,
    read=_read,
    write=_write,
    sized=True,
    placed=True,
    instructions="Put the .tps beside the images and open it in tpsDig, which shows the landmarks "
    "by numbers, in the order of the names. Give what it saves to: scp detect --templates FILE.",
)
