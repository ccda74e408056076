"""Landmark files: points by image and by name, read and written.

What a file is, is seen in its content (`scp.landmarks.formats`). Our own is CSV:

    long   image,landmark,x,y[,confidence][,error][,source][,visible]   a line: one point
    wide   image,<name>_x,<name>_y,...                                  a line: one image

Points are (x, y) in pixels of the original image, pixel centres at integers; files that count
otherwise are converted here, once. An absent point is NaN in memory and two empty cells in a CSV.
CSV is UTF-8 or what its byte order mark says, with commas; or with semicolons or tabs between, and
decimal commas, as spreadsheets of many languages write it. Cells may be quoted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DatasetError
from .formats import FORMATS, Context, Images, format_of, named, writable_names
from .names import Index
from .table import Landmarks
from .units import UNITS, check_not_fractions, check_units, to_pixels

# What is taken off the coordinates of a file that has (0, 0) at the "center" of the first pixel, at
# its "corner", or counts pixels from "one".
ORIGINS = {"center": 0.0, "corner": 0.5, "one": 1.0}


def read_landmarks(
    path: str | os.PathLike[str],
    category: str | None = None,
    *,
    origin: str | None = None,
    several: str = "raise",
    format: str | None = None,
    images: Images | None = None,
    units: str | None = None,
) -> Landmarks:
    """The landmarks of a file, or of a folder where a tool writes a file per image.

    Images and landmarks keep the order in which the file first names them; of COCO, the order of
    its `images` and of its category's `keypoints`.

    Args:
        path: the file.
        category: of a file with several categories that have key points (COCO) or several
            individuals (DeepLabCut), the one to read.
        origin: what the file's coordinates count from: the "center" of the first pixel is (0, 0),
            or its "corner" is (0, 0), or its centre is (1, 1), "one". None: as its format says.
        several: what an image with several instances (COCO) or individuals (DeepLabCut) does:
            "raise", or "largest" takes the largest.
        format: its name in `scp.landmarks.formats`, where the content does not tell.
        images: what is known of the images, a `scp.datasets.Dataset` for one; for formats that do
            not count in pixels, and for names that a tool changed.
        units: what a file that does not say it counts in: "pixels"; "fraction" of the width and
            height, 0 to 1, or "percent", 0 to 100, of which (0, 0) is the corner of the image
            unless `origin` says otherwise. None: pixels, and an error where all points are between
            0 and 1 in large images.

    Raises:
        DatasetError: names the file, the line (of JSON, the entry) and what is wrong.
    """
    return read_with_places(path, category, origin, several, format, images, units)[0]


def read_with_places(
    path,
    category: str | None = None,
    origin: str | None = None,
    several: str = "raise",
    format: str | None = None,
    images: Images | None = None,
    units: str | None = None,
) -> tuple[Landmarks, list[str]]:
    """As `read_landmarks`, and where each image is first named: "line 12" or "images[3]"."""
    check_origin(origin)
    check_units(units)
    row = format_of(path) if format is None else named(format)
    for name, given in (("category", category is not None), ("several", several != "raise")):
        if given and name not in row.takes:
            takers = ", ".join(r.title for r in FORMATS if name in r.takes)
            raise ValueError(f"{name} goes with {takers}; {path} is {row.title}")
    for name, value in (("origin", origin), ("units", units)):
        if value is not None and row.origin is None:
            raise ValueError(f"{name} goes with files that count pixels; {path} is {row.title}")
    whole = UNITS[units or "pixels"]
    if whole is not None and images is None:
        raise ValueError(
            f"{path}: units={units!r}: the images are needed too (images=), their sizes make the "
            "pixels"
        )
    read = row.read(Path(path), Context(images, category, several, whole=whole))
    found = read.landmarks
    if row.origin is None:
        return found, read.places
    xy, usual = found.xy, row.origin
    if whole is not None and units is not None:
        xy, usual = to_pixels(found, units, _shapes(found, images, path, absent=False)), "corner"
    elif units is None and images is not None:
        check_not_fractions(found, _shapes(found, images, path), path)
    shift = ORIGINS[usual if origin is None else origin]
    return replace(found, xy=xy - shift) if shift or whole else found, read.places


def _shapes(found: Landmarks, images, path, absent: bool = True) -> list[tuple[int, int]]:
    """(H, W) of each image that a file names; absent: of those that are there."""
    index = Index(images.ids)
    try:
        rows = [index.place(name) for name in found.ids]
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
    if not absent and -1 in rows:
        raise DatasetError(f"{path}: no image is called {found.ids[rows.index(-1)]!r}")
    return [images.shape(i) for i in rows if i >= 0]


def needs_images(path, format: str | None = None, units: str | None = None) -> bool:
    """Reading needs the images: the file counts in something that depends on them."""
    row = format_of(path) if format is None else named(format)
    return row.origin is None or row.placed or UNITS.get(units or "pixels") is not None


def check_origin(origin: str | None) -> None:
    if origin is not None and origin not in ORIGINS:
        raise ValueError(f"origin must be one of {', '.join(ORIGINS)}; got {origin!r}")


def write_landmarks(
    path: str | os.PathLike[str],
    landmarks: Landmarks,
    format: str | None = None,
    images: Images | None = None,
    notes: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Landmarks in a file, whole or absent, or in a folder where the tool wants a file per image.

    By default a long CSV, whose numbers are read back exactly: each image has a line for each
    landmark, with empty cells for what is absent; a name that a spreadsheet would run (=, +, -, @)
    has an apostrophe before it, which reading takes off.

    Args:
        path: the file, or the folder.
        format: its name in `scp.landmarks.formats`.
        images: what is known of the images, for formats that need their size or spacing.
        notes: of each image what the tool may show beside it, {"gain": 0.1}.

    Raises:
        ValueError: a name that cannot be written as UTF-8, or has a null character; a format that
            is not written, or that needs the images; an image that is not among them.
    """
    row = named("scp" if format is None else format)
    if row.write is None:
        raise ValueError(
            f"format {row.name!r} is read only; written are {', '.join(writable_names())}"
        )
    if row.sized:
        if images is None:
            raise ValueError(
                f"{path}: {row.title}: the images are needed too (images=), their sizes go into it"
            )
        rows = Index(images.ids).rows(landmarks.ids, str(path))
        landmarks = replace(landmarks, ids=[images.ids[i] for i in rows])
    if notes is not None and len(notes) != len(landmarks):
        raise ValueError(f"notes must hold {len(landmarks)} entries, got {len(notes)}")
    shift = ORIGINS[row.origin or "center"]
    moved = replace(landmarks, xy=landmarks.xy + shift) if shift else landmarks
    row.write(Path(path), moved, Context(images, notes=notes))
