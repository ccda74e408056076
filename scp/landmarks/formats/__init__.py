"""Formats of landmark files: a row each. A new format is a file here and a line in FORMATS."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import DatasetError
from ..text import head_of
from .aariz import AARIZ
from .base import Context, Format, Images, Read
from .coco import COCO
from .cvat import CVAT
from .deeplabcut import DEEPLABCUT
from .house import CSV
from .imagej import IMAGEJ
from .isbi import ISBI
from .labelme import LABELME
from .labelstudio import LABEL_STUDIO
from .slicer import SLICER, SLICER_MM
from .tps import TPS
from .via import VIA
from .yolo import YOLO

__all__ = ["FORMATS", "Context", "Format", "Images", "Read", "format_of", "named", "writable_names"]

# The first that recognises a file takes it: formats that say what they are come before those that
# take what is left.
FORMATS: tuple[Format, ...] = (
    LABEL_STUDIO,
    CVAT,
    SLICER,
    SLICER_MM,
    IMAGEJ,
    YOLO,
    LABELME,
    VIA,
    AARIZ,
    COCO,
    DEEPLABCUT,
    TPS,
    ISBI,
    CSV,
)


def named(name: str) -> Format:
    """The format of this name; ValueError lists them."""
    for row in FORMATS:
        if row.name == name:
            return row
    raise ValueError(f"format must be one of {', '.join(r.name for r in FORMATS)}; got {name!r}")


def writable_names() -> list[str]:
    """Names of the formats that are written."""
    return [row.name for row in FORMATS if row.write is not None]


def format_of(path: str | os.PathLike[str]) -> Format:
    """The format of a file or a folder, by its content; a file that none recognises is taken for
    our own CSV, whose error says what is expected."""
    path = Path(path)
    head = "" if path.is_dir() else head_of(path)
    for row in FORMATS:
        if row.recognises(path, head):
            return row
    if path.is_dir():
        raise DatasetError(
            f"{path}: cannot be read: neither a run folder nor a folder of a tool (formats: "
            f"{', '.join(row.name for row in FORMATS)})"
        )
    return CSV
