"""Puts the page together: pictures as data, points, and the program that marks them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DatasetError
from ..landmarks import FOUND, Landmarks
from ..report import words
from ..report.frame import asset as shared
from ..report.frame import hashed, part
from ..report.pictures import Picture, Pictures
from ..runs import writing

PAGE_SIZE = 48 << 20  # bytes of a page; pictures that do not fit are made smaller
SIDE = 4096  # pixels of the longer side of a picture; tablets decode no larger ones well
SMALL_SIDE = 64  # no picture is made smaller than that
FINE = 1 << 20  # pixels; smaller pictures are looked at pixel by pixel and kept better
QUALITY, FINE_QUALITY = 90, 96
SCRIPTS = ("state", "storage", "view", "draw", "panel", "save", "input", "main")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Written:
    """A page that was written.

    Attributes:
        path: of the file. size: its bytes. points: what it shows, by image and landmark.
        saves: the name of the file that it saves.
        smaller: id -> ((H, W), (h, w)) of each image that is embedded smaller than it is.
    """

    path: Path
    size: int
    points: Landmarks
    saves: str
    smaller: dict[str, tuple[tuple[int, int], tuple[int, int]]]


def write_page(
    path: str | os.PathLike[str],
    *,
    dataset: Any,
    rows: Sequence[int],
    points: Landmarks,
    key: str,
    title: str = "",
    notes: Sequence[str] = (),
    usual: np.ndarray | None = None,
    page_size: int = PAGE_SIZE,
) -> Written:
    """Write the page for some images of a data set, whole or not at all.

    Args:
        path: of the file.
        dataset: images with `ids`, `image(i)` and `shape(i)`.
        rows: the images to show, in this order.
        points: of these images in this order, (x, y) in pixels of the original images. Those that
            are `by_hand` are shown as marked, others that are present as found.
        key: what tells this work from other work in the same browser, the run folder's path.
        title: heading; notes: a line for each image, of why it is shown.
        usual: float64 [L][3], for each landmark the sums of x / W and y / H over images marked
            elsewhere, and how many these are; for the hint where it usually is.
        page_size: bytes of the file at most. Images are embedded smaller where they do not fit;
            points stay exact.

    Raises:
        ValueError: no image or landmark; a `page_size` into which the images do not fit.
        DatasetError: an image that cannot be read.
    """
    from markupsafe import Markup

    if not len(rows) or not points.names:
        raise ValueError("annotate: there must be an image and a landmark to mark")
    title = words.clean(title or "images")
    kind = "corrected" if (points.present & ~points.by_hand).any() else "marks"
    saves = f"{_UNSAFE.sub('-', title).strip('-.') or 'images'}-{kind}.csv"
    given = _points(points)
    work = [[str(dataset.ids[i]) for i in rows], points.names]
    content = {
        "key": f"scp-annotate-{_digest([key, *work])}",
        "base": _digest(given),
        "saves": saves,
        "landmarks": points.names,
        "usual": [] if usual is None else np.asarray(usual, float).tolist(),
        "images": [],
    }
    script = "".join(_asset(f"{name}.js") for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{script}}})();\n'
    style = shared("colours.css") + _asset("annotate.css")
    spent = len(script) + len(style) + 3 * len(_json(content | {"points": given})) + (32 << 10)
    pictures = _Embedded(dataset, (page_size - spent) / len(rows))
    smaller = {}
    for place, i in enumerate(rows):
        picture = pictures.of(i)
        height, width = picture.original
        if (picture.height, picture.width) != (height, width):
            smaller[str(dataset.ids[i])] = ((height, width), (picture.height, picture.width))
        content["images"].append(
            {
                "id": str(dataset.ids[i]),
                "note": words.clean(notes[place]) if len(notes) else "",
                "width": width,
                "height": height,
                "uri": picture.uri,
                "points": given[place],
            }
        )
    context = {
        "title": title,
        "style": Markup(style),
        "script": Markup(script),
        "style_hash": hashed(style),
        "script_hash": hashed(script),
        "data": Markup(_json(content)),
    }
    data = part("annotate.html", context, _asset).encode("utf-8")
    target = Path(path)
    with writing(target) as beside:
        beside.write_bytes(data)
    return Written(target, len(data), points, saves, smaller)


class _Embedded:
    """Pictures of at most so many characters."""

    def __init__(self, dataset: Any, budget: float):
        self.pictures = Pictures(dataset)
        self.budget = budget

    def of(self, i: int) -> Picture:
        height, width = self.pictures.shape(i) or (SIDE, SIDE)
        quality = FINE_QUALITY if height * width <= FINE else QUALITY
        side = min(SIDE, max(height, width))
        while True:
            picture = self.pictures.small(i, side, quality)
            if picture.original is None or not picture.uri:
                name = self.pictures.dataset.ids[i]
                raise DatasetError(f"image {name!r} cannot be read: {self.pictures.problems[i]}")
            if len(picture.uri) <= self.budget:
                return picture
            if side <= SMALL_SIDE:
                raise ValueError("page_size: the images do not fit; give more, or fewer images")
            share = math.sqrt(max(self.budget, 0) / len(picture.uri))
            side = max(SMALL_SIDE, int(side * min(0.95 * share, 0.95)))


def _points(points: Landmarks) -> list[list[list[Any] | None]]:
    """[N][L]: [x, y, source, hidden], x and y null of what is absent; null of what nobody knows."""
    hand, source = points.by_hand, points.source
    return [
        [
            None
            if not (points.present[i, k] or hand[i, k])
            else [
                *(None if math.isnan(v) else float(v) for v in points.xy[i, k]),
                str(source[i, k]) if source is not None and hand[i, k] else FOUND,
                not (points.visible is None or points.visible[i, k]),
            ]
            for k in range(len(points.names))
        ]
        for i in range(len(points))
    ]


def _json(content: Any) -> str:
    """JSON that can stand in a script element: no text in it ends one, or begins a comment."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(content: Any) -> str:
    return hashlib.sha256(_json(content).encode()).hexdigest()[:32]


def _asset(name: str) -> str:
    """A file of this folder."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
