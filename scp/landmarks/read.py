"""Landmark files: points by image and by name, read and written.

Read are three kinds of file, told apart by their content:

    long CSV   image,landmark,x,y[,confidence][,error][,source]  a line: one landmark of one image
    wide CSV   image,<name>_x,<name>_y,...                       a line: one image
    COCO       JSON with images, annotations, categories         key points; v = 0 is an absent one

Points are (x, y) in pixels of the original image, pixel centres at integers. An absent point is NaN
in memory and two empty cells in a CSV. CSV is UTF-8 or what its byte order mark says, with commas;
or with semicolons or tabs between, and decimal commas, as spreadsheets of many languages write it.
Cells may be quoted.
"""

from __future__ import annotations

import os
from dataclasses import replace

from ..errors import DatasetError
from .coco import parse_coco
from .csv import _KEYS, _long, _wide
from .table import Landmarks
from .text import csv_lines, read_text

# What is taken off the coordinates of a file that has (0, 0) at the "center" of the first pixel, at
# its "corner", or counts pixels from "one".
ORIGINS = {"center": 0.0, "corner": 0.5, "one": 1.0}


def read_landmarks(
    path: str | os.PathLike[str],
    category: str | None = None,
    *,
    origin: str = "center",
    several: str = "raise",
) -> Landmarks:
    """The landmarks of a long or wide CSV, or of COCO key points.

    Images and landmarks keep the order in which the file first names them; of COCO, the order of
    its `images` and of its category's `keypoints`.

    Args:
        path: the file.
        category: of a COCO file with several categories that have key points, the one to read.
        origin: what the file's coordinates count from: the "center" of the first pixel is (0, 0),
            or its "corner" is (0, 0), or its centre is (1, 1), "one".
        several: what an image of a COCO file with several instances does: "raise", or "largest"
            takes the largest.

    Raises:
        DatasetError: names the file, the line (of JSON, the entry) and what is wrong.
    """
    return read_with_places(path, category, origin, several)[0]


def read_with_places(
    path, category: str | None = None, origin: str = "center", several: str = "raise"
) -> tuple[Landmarks, list[str]]:
    """As `read_landmarks`, and where each image is first named: "line 12" or "images[3]"."""
    check_origin(origin)
    found, places = _read(path, category, several)
    if ORIGINS[origin]:
        found = replace(found, xy=found.xy - ORIGINS[origin])
    return found, places


def check_origin(origin: str) -> None:
    if origin not in ORIGINS:
        raise ValueError(f"origin must be one of {', '.join(ORIGINS)}; got {origin!r}")


def _read(path, category: str | None, several: str) -> tuple[Landmarks, list[str]]:
    text = read_text(path)
    if text.lstrip()[:1] in ("{", "["):
        found = parse_coco(path, text, category, several).landmarks()
        return found, [f"images[{i}]" for i in range(len(found))]
    for name, given in (("category", category is not None), ("several", several != "raise")):
        if given:
            raise ValueError(f"{name} goes with COCO key points; {path} is a CSV")
    lines = csv_lines(path, text)
    number, header = next(lines, (1, []))
    header = [cell.strip() for cell in header]
    where = f"{path}, line {number}"
    if "image" not in header:
        raise DatasetError(
            f"{where}: expected a header {','.join(_KEYS)} or image,NAME_x,NAME_y,...; got "
            f"{','.join(header)[:60]!r}"
        )
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise DatasetError(f"{where}: column {name!r} is there twice")
        seen.add(name)
    kind = _long if "landmark" in header else _wide
    found, first = kind(path, len(text), where, header, lines)
    return found, [f"line {number}" for number in first]
