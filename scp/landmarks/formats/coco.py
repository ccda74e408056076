"""COCO key points as a format."""

from __future__ import annotations

from pathlib import Path

from ..coco import parse_coco
from ..text import read_text
from .base import Context, Format, Read


def _recognises(path: Path, head: str) -> bool:
    return head.lstrip()[:1] in ("{", "[")  # behind the formats that say what they are


def _read(path: Path, context: Context) -> Read:
    found = parse_coco(path, read_text(path), context.category, context.several).landmarks()
    return Read(found, [f"images[{i}]" for i in range(len(found))])


COCO = Format(
    name="coco",
    title="COCO key points",
    suffixes=(".json",),
    recognises=_recognises,
    read=_read,
    takes=frozenset(("category", "several")),
)
