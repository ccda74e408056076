"""3D Slicer's markups: a .mrk.json (or an old .fcsv) for each image, in millimetres.

Slicer shows a picture as a volume of one slice. Pixel (x, y), counted from 0, is there at
(x sx, y sy, 0) in LPS, which is (-x sx, -y sy, 0) in RAS; (sx, sy) is the spacing of the volume.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DatasetError
from ...runs import writing
from ..json import load_json, number, objects
from ..names import stem
from ..table import Landmarks
from ..text import number_in, read_text
from .base import Context, Format, Read
from .folders import beside, check_files, files_in, first_in
from .gather import Gathered
from .itk import known_spacing, spacing_of

JSON, OLD = ".mrk.json", ".fcsv"
SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    "Resources/Schema/markups-schema-v1.0.3.json#"
)
_SYSTEMS = {"LPS": 1.0, "RAS": -1.0, 1: 1.0, 0: -1.0}  # and what turns x and y to LPS
_ABSENT = ("undefined", "preview", "missing")
_OLD_ABSENT = ("0", "1", "3")  # the same, of an .fcsv
_HIDDEN = "hidden"  # in the description: Slicer's own visibility only says what is drawn
PLANE = 0.01  # of a millimetre: how far a point may be from the slice

Spacing = Callable[[str, Context], tuple[float, float]]


def _recognises(path: Path, head: str) -> bool:
    if path.is_dir():
        return any(first_in(path, suffix) is not None for suffix in (JSON, OLD))
    if path.name.lower().endswith(OLD):
        return head.lstrip()[:1] == "#"
    return head.lstrip()[:1] == "{" and '"markups"' in head and '"controlPoints"' in head


def _read(spacing: Spacing, path: Path, context: Context) -> Read:
    if context.images is None:
        raise DatasetError(
            f"{path}: points of 3D Slicer are in mm; the images (images=) say how large a pixel is"
        )
    found, size = Gathered(path, context), 0
    suffix = OLD if path.is_dir() and first_in(path, JSON) is None else JSON
    for file in files_in(path, suffix):
        text = read_text(file)
        size += len(text)
        name = file.name if file == path else file.relative_to(path).as_posix()
        for end in (JSON, OLD, ".json"):
            if name.lower().endswith(end):
                name = name[: -len(end)]
                break
        row = found.image(name, str(file), file.name)
        per_pixel = spacing(found.names_of_images.id_of(name, str(file)), context)
        if file.name.lower().endswith(OLD):
            _old_points(found, row, per_pixel, file, text)
        else:
            _points(found, row, per_pixel, file, load_json(file, text))
    return found.read(size)


def _points(found: Gathered, row: int, spacing, file: Path, content: Any) -> None:
    if not isinstance(content, dict):
        raise DatasetError(f"{file}: expected a JSON object with markups")
    for j, node in enumerate(objects(content.get("markups"), f"{file}, markups")):
        where = f"{file}, markups[{j}]"
        if node.get("type") != "Fiducial":
            found.left_out(f"markups of type {str(node.get('type'))[:40]}")
            continue
        units = node.get("coordinateUnits", "mm")
        if units != "mm" and (not isinstance(units, list) or set(map(str, units)) - {"mm"}):
            raise DatasetError(f"{where}: coordinateUnits {str(units)[:40]!r}: only mm are read")
        turn = _turn(node.get("coordinateSystem", "LPS"), where)
        for k, point in enumerate(objects(node.get("controlPoints") or [], where)):
            at = f"{where}.controlPoints[{k}]"
            label, status = point.get("label"), point.get("positionStatus", "defined")
            if not isinstance(label, str):
                raise DatasetError(f"{at}: label is missing or no text")
            if status in _ABSENT:
                found.name(label, at)
                continue
            if status != "defined":
                raise DatasetError(f"{at}: positionStatus {str(status)[:40]!r} is not known")
            place = point.get("position")
            if not isinstance(place, list) or len(place) != 3:
                raise DatasetError(f"{at}: position must be [x, y, z]")
            place = [number(v, f"{at}, position") for v in place]
            said = str(point.get("description") or "").split("; ")
            _point(found, row, label, place, turn, spacing, at, _HIDDEN not in said)


def _old_points(found: Gathered, row: int, spacing, file: Path, text: str) -> None:
    turn, columns = _SYSTEMS["RAS"], None
    for k, line in enumerate(text.splitlines()):
        where = f"{file}, line {k + 1}"
        key, _, value = (part.strip() for part in line.lstrip("# ").partition("="))
        if not line.strip():
            continue
        if line.startswith("#"):
            if key == "CoordinateSystem":
                turn = _turn(int(value) if value in ("0", "1") else value, where)
            elif key == "columns":
                columns = [name.strip() for name in value.split(",")]
            continue
        if columns is None or not {"x", "y", "z", "label"} <= set(columns):
            raise DatasetError(f"{where}: expected a line # columns = id,x,y,z,...,label,... first")
        try:
            (cells,) = csv.reader([line], strict=True)
        except (csv.Error, ValueError) as error:
            raise DatasetError(f"{where}: {error}") from None
        said = dict(zip(columns, cells, strict=False))
        if len(cells) < len(columns) and not {"x", "y", "z", "label"} <= set(said):
            raise DatasetError(f"{where}: {len(cells)} cells, expected {len(columns)}")
        place = [number_in(said[axis], where, axis) for axis in "xyz"]
        status = cells[len(columns)].strip() if len(cells) > len(columns) else ""
        if status in _OLD_ABSENT or any(map(math.isnan, place)):
            found.name(said["label"], where)
            continue
        hidden = said.get("desc") == _HIDDEN
        _point(found, row, said["label"], place, turn, spacing, where, not hidden)


def _point(found: Gathered, row, label, place, turn, spacing, where: str, visible: bool) -> None:
    x, y, z = place
    if not abs(z) <= PLANE * max(spacing):
        raise DatasetError(
            f"{where}: {label!r} is {z:g} mm off the slice of the image; images that Slicer shows "
            "turned or elsewhere than at (0, 0, 0), as their file says, are not supported"
        )
    found.point(row, label, (turn * x / spacing[0], turn * y / spacing[1]), where, visible=visible)


def _turn(system: Any, where: str) -> float:
    try:
        return _SYSTEMS[system]
    except (KeyError, TypeError):
        text = f"{where}: coordinateSystem {str(system)[:40]!r} is neither LPS nor RAS"
        raise DatasetError(text) from None


def _write(spacing: Spacing, path: Path, landmarks: Landmarks, context: Context) -> None:
    check_files(path, landmarks.ids, JSON)
    for i, name in enumerate(landmarks.ids):
        sx, sy = spacing(name, context)
        points = []
        for k, label in enumerate(landmarks.names):
            here = bool(landmarks.present[i, k])
            x, y = landmarks.xy[i, k] if here else (0.0, 0.0)
            points.append(
                {
                    "id": str(k + 1),
                    "label": label,
                    "description": _description(landmarks, i, k),
                    "associatedNodeID": "",
                    "position": [float(x * sx), float(y * sy), 0.0],
                    "selected": True,
                    "locked": False,
                    "visibility": True,
                    "positionStatus": "defined" if here else "undefined",
                }
            )
        node = {
            "type": "Fiducial",
            "coordinateSystem": "LPS",
            "coordinateUnits": "mm",
            "locked": False,
            "fixedNumberOfControlPoints": False,
            "labelFormat": "%N-%d",
            "lastUsedControlPointNumber": len(points),
            "controlPoints": points,
        }
        text = json.dumps({"@schema": SCHEMA, "markups": [node]}, ensure_ascii=False, indent=1)
        with writing(beside(path, stem(name), JSON)) as file:
            file.write_text(text + "\n", "utf-8")


def _description(landmarks: Landmarks, i: int, k: int) -> str:
    said = []
    if landmarks.visible is not None and not landmarks.visible[i, k]:
        said.append(_HIDDEN)
    if landmarks.confidence is not None and not np.isnan(landmarks.confidence[i, k]):
        said.append(f"confidence {landmarks.confidence[i, k]:.3f}")
    return "; ".join(said)


def _format(name: str, title: str, spacing: Spacing, recognises, hint: str) -> Format:
    return Format(
        name=name,
        title=title,
        suffixes=("",),
        recognises=recognises,
        read=partial(_read, spacing),
        write=partial(_write, spacing),
        sized=True,
        instructions=f"{hint} drop the file of the same name onto Slicer: its points are in the "
        "module Markups, those without a place are set with Place; File, Save as NAME.mrk.json "
        "into the same folder brings them back.",
    )


SLICER = _format(
    "slicer",
    "3D Slicer markups",
    spacing_of,
    _recognises,
    "Load one image (Add data, as it is, without Centered). Then",
)
# The same files, where somebody set the spacing of the volumes in Slicer.
SLICER_MM = _format(
    "slicer-mm",
    "3D Slicer markups, spacing set in Slicer",
    known_spacing,
    lambda path, head: False,
    "Load one image, and set the spacing of its volume (module Volumes) to that of the data set. "
    "Then",
)
