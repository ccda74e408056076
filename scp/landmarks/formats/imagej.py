"""ImageJ and Fiji: a .zip of the ROI Manager, or a .roi, for each image."""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import DatasetError
from ...runs import writing
from ..names import stem, visible
from ..table import Landmarks
from ..text import read_data, read_parts
from .base import Context, Format, Read
from .folders import beside, check_files, files_in, first_in
from .gather import Gathered
from .roi import Roi, RoiError, decode, encode

ZIP, ONE = ".zip", ".roi"
MAX_BYTES = 1 << 26  # of a file
UNPACKED = 16  # times its file: a .roi is a few hundred bytes and hardly packs
_FIRST = 1 << 16  # bytes that may always come out of a file
_BAD_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,  # a way of packing
    RuntimeError,  # a password
    EOFError,
    OSError,
    ValueError,
    OverflowError,
)
# What the ROI Manager calls a point that nobody named: its place.
_UNNAMED = re.compile(r"(\d{4,}-)+\d{4,}(-\d+)?", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x1f/\\:*?\"<>|]")


def _recognises(path: Path, head: str) -> bool:
    if path.is_dir():
        return any(first_in(path, suffix) is not None for suffix in (ZIP, ONE))
    lower = path.name.lower()
    return (lower.endswith(ZIP) and head[:2] == "PK") or (
        lower.endswith(ONE) and head[:4] == "Iout"
    )


def _read(path: Path, context: Context) -> Read:
    found, size = Gathered(path, context), 0
    files = [path]
    if path.is_dir():
        files = [f for s in (ZIP, ONE) if first_in(path, s) is not None for f in files_in(path, s)]
    for file in files:
        data = bytes(read_data(file, MAX_BYTES))
        size += len(data)
        name = file.name if file == path else file.relative_to(path).as_posix()
        row = found.image(name[: -len(ZIP)] or name, str(file), file.name)
        zipped = data[:2] == b"PK"
        regions = list(_unpacked(found, file, data) if zipped else _one(file, data))
        for where, roi in regions:
            _points(found, row, roi, where, len(regions) == 1)
    return found.read(size)


def _one(file: Path, data: bytes) -> Iterator[tuple[str, Roi]]:
    try:
        yield str(file), decode(data)
    except RoiError as error:
        raise DatasetError(f"{file}: {error}") from None


def _unpacked(found: Gathered, file: Path, data: bytes) -> Iterator[tuple[str, Roi]]:
    """The regions of a .zip; nothing is written anywhere, and no more is unpacked than regions
    take."""
    left = _FIRST + UNPACKED * len(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                name = visible(entry.filename)
                if not name.lower().endswith(ONE):
                    found.left_out("files that are no .roi")
                    continue
                with archive.open(entry) as packed:
                    content = bytes(read_parts(packed, left + 1))
                left -= len(content)
                if left < 0:
                    raise DatasetError(f"{file}, {name}: unpacks to more than ROIs would")
                roi = decode(content)
                name = roi.name or name[: -len(ONE)]
                yield f"{file}, {visible(name)}", Roi(roi.kind, name, roi.points, roi.properties)
    except RoiError as error:
        raise DatasetError(f"{file}, {name}: {error}") from None
    except DatasetError:
        raise
    except _BAD_ZIP as error:
        raise DatasetError(f"{file}: cannot be unpacked ({visible(str(error))[:200]})") from None


def _points(found: Gathered, row: int, roi: Roi, where: str, alone: bool) -> None:
    if roi.kind != "point":
        found.left_out(f"ROIs of type {roi.kind}")
        return
    hidden = roi.properties.get("hidden") == "true"
    if len(roi.points) > 1:
        names = [str(k + 1) if alone else f"{roi.name} {k + 1}" for k in range(len(roi.points))]
    elif _UNNAMED.fullmatch(roi.name):
        raise DatasetError(
            f"{where}: {roi.name} is a name that ImageJ made of the place of the point; call it "
            "after its landmark (Rename in the ROI Manager)"
        )
    else:
        names = [roi.name or "1"]
    for name, (x, y) in zip(names, roi.points, strict=True):
        if not (math.isfinite(x) and math.isfinite(y)):
            raise DatasetError(f"{where}: a point is not at finite x and y")
        found.point(row, name, (x, y), where, visible=not hidden)


def _write(path: Path, landmarks: Landmarks, context: Context) -> None:
    check_files(path, landmarks.ids, ZIP)
    path.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(landmarks.ids):
        here = np.flatnonzero(landmarks.present[i])
        if len(here):  # ImageJ opens no empty .zip
            with writing(beside(path, stem(name), ZIP)) as file:
                _pack(file, [_roi(landmarks, i, k) for k in here])


def _roi(landmarks: Landmarks, i: int, k: int) -> Roi:
    x, y = landmarks.xy[i, k]
    properties = {}
    if landmarks.visible is not None and not landmarks.visible[i, k]:
        properties["hidden"] = "true"
    if landmarks.confidence is not None and not np.isnan(landmarks.confidence[i, k]):
        properties["confidence"] = f"{landmarks.confidence[i, k]:.3f}"
    return Roi("point", landmarks.names[k], [(float(x), float(y))], properties)


def _pack(file: Path, regions: list[Roi]) -> None:
    used: set[str] = set()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for k, roi in enumerate(regions):
            name = _UNSAFE.sub("_", roi.name)
            if name.casefold() in used:
                name = f"{name} {k + 1}"
            used.add(name.casefold())
            archive.writestr(zipfile.ZipInfo(f"{name}{ONE}"), encode(roi))


IMAGEJ = Format(
    name="imagej",
    title="ImageJ ROIs",
    suffixes=("",),
    recognises=_recognises,
    read=_read,
    write=_write,
    instructions="Open an image in ImageJ or Fiji, and its .zip with it: the ROI Manager lists the "
    "points by name, Add takes new ones, which Rename calls after their landmarks. More, Save "
    "writes them to a .zip of the name of the image, in the same folder.",
)
