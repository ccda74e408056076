"""Our own format, CSV."""

from __future__ import annotations

from pathlib import Path

from ...errors import DatasetError
from ..csv import read_long, read_wide, write_csv
from ..table import Landmarks
from ..text import read_text
from .base import Context, Format, Read
from .tables import read_table, table_of


def _recognises(path: Path, head: str) -> bool:
    return False  # the last of all formats: it takes what is left


def _read(path: Path, context: Context) -> Read:
    table = table_of(path, read_text(path))
    header = table.header
    if not _strict(header):
        return read_table(table, context)
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise DatasetError(f"{table.where}: column {name!r} is there twice")
        seen.add(name)
    lines = table.rows([name.casefold() for name in header])
    next(lines)
    kind = read_long if "landmark" in header else read_wide
    found, first = kind(path, table.characters, table.where, header, lines)
    return Read(found, [f"line {number}" for number in first])


def _strict(header: list[str]) -> bool:
    """The header is one of our own, in which nothing but our own columns may be."""
    if "image" not in header or "" in header:
        return False
    ends = any(name.endswith(("_x", "_y")) for name in header)
    return len(header) == 1 or "landmark" in header or ends


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
