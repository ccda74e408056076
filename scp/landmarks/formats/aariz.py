"""Aariz and CEPHA29 (cephalograms): a JSON file for each image."""

from __future__ import annotations

from pathlib import Path

from ...errors import DatasetError
from ..json import load_json, number, objects, text_of
from ..text import head_of, read_text
from .base import Context, Format, Read
from .folders import files_in, first_in
from .gather import Gathered


def _recognises(path: Path, head: str) -> bool:
    if path.is_dir():
        first = first_in(path, ".json")
        if first is None:
            return False
        head = head_of(first)
    return head.lstrip()[:1] == "{" and '"ceph_id"' in head and '"landmarks"' in head


def _read(path: Path, context: Context) -> Read:
    found, size = Gathered(path, context), 0
    for file in files_in(path, ".json"):
        text = read_text(file)
        size += len(text)
        content = load_json(file, text)
        if not isinstance(content, dict):
            raise DatasetError(f"{file}: expected a JSON object with ceph_id and landmarks")
        row = found.image(text_of(content, "ceph_id", str(file)), str(file), file.name)
        for k, entry in enumerate(objects(content.get("landmarks"), f"{file}, landmarks")):
            where = f"{file}, landmarks[{k}]"
            name, value = text_of(entry, "title", where), entry.get("value")
            found.name(name, where)
            if value is None:  # absent
                continue
            if not isinstance(value, dict):
                raise DatasetError(f"{where}: value must be an object with x and y")
            if (value.get("x"), value.get("y")) == (None, None):
                continue
            x, y = (number(value.get(axis), f"{where}, {axis}") for axis in "xy")
            found.point(row, name, (x, y), where)
    return found.read(size)


AARIZ = Format(
    name="aariz",
    title="Aariz and CEPHA29 JSON",
    suffixes=("", ".json"),
    recognises=_recognises,
    read=_read,
)
