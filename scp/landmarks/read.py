"""Landmark files: points by image and by name, read and written.

Read are three kinds of file, told apart by their content:

    long CSV   image,landmark,x,y[,confidence][,error][,source]  a line: one landmark of one image
    wide CSV   image,<name>_x,<name>_y,...                       a line: one image
    COCO       JSON with images, annotations, categories         key points; v = 0 is an absent one

Points are (x, y) in pixels of the original image, pixel centres at integers. An absent point is NaN
in memory and two empty cells in a CSV. CSV is comma-separated UTF-8, with or without a byte order
mark; cells may be quoted.
"""

from __future__ import annotations

import os

from ..errors import DatasetError
from .coco import parse_coco
from .csv import _KEYS, _long, _wide
from .table import Landmarks
from .text import csv_lines, read_text


def read_landmarks(path: str | os.PathLike[str], category: str | None = None) -> Landmarks:
    """The landmarks of a long or wide CSV, or of COCO key points.

    Images and landmarks keep the order in which the file first names them; of COCO, the order of
    its `images` and of its category's `keypoints`.

    Args:
        path: the file.
        category: of a COCO file with several categories that have key points, the one to read.

    Raises:
        DatasetError: names the file, the line (of JSON, the entry) and what is wrong.
    """
    return read_with_places(path, category)[0]


def read_with_places(path, category: str | None = None) -> tuple[Landmarks, list[str]]:
    """As `read_landmarks`, and where each image is first named: "line 12" or "images[3]"."""
    text = read_text(path)
    if text.lstrip()[:1] in ("{", "["):
        found = parse_coco(path, text, category).landmarks()
        return found, [f"images[{i}]" for i in range(len(found))]
    if category is not None:
        raise ValueError(f"category goes with COCO key points; {path} is a CSV")
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
    found, first = (_long if "landmark" in header else _wide)(path, where, header, lines)
    return found, [f"line {number}" for number in first]
