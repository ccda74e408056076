"""Our own format, CSV."""

from __future__ import annotations

from pathlib import Path

from ...errors import DatasetError
from ..csv import KEYS, read_long, read_wide, write_csv
from ..table import Landmarks
from ..text import csv_lines, read_text
from .base import Context, Format, Read


def _recognises(path: Path, head: str) -> bool:
    line = next((line for line in head.splitlines() if line.strip()), "")
    return any("image" in [cell.strip().strip('"') for cell in line.split(d)] for d in ",;\t")


def _read(path: Path, context: Context) -> Read:
    text = read_text(path)
    lines = csv_lines(path, text)
    number, header = next(lines, (1, []))
    header = [cell.strip() for cell in header]
    where = f"{path}, line {number}"
    if "image" not in header:
        raise DatasetError(
            f"{where}: expected a header {','.join(KEYS)} or image,NAME_x,NAME_y,...; got "
            f"{','.join(header)[:60]!r}"
        )
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise DatasetError(f"{where}: column {name!r} is there twice")
        seen.add(name)
    kind = read_long if "landmark" in header else read_wide
    found, first = kind(path, len(text), where, header, lines)
    return Read(found, [f"line {number}" for number in first])


def _write(path: Path, landmarks: Landmarks, context: Context) -> None:
    write_csv(path, landmarks)


CSV = Format(
    name="scp",
    title="CSV, a line for a point or for an image",
    suffixes=(".csv",),
    recognises=_recognises,
    read=_read,
    write=_write,
    instructions="Fill in x and y of each line; leave both empty where a landmark is absent. "
    "Give the file to: scp detect --templates FILE.",
)
