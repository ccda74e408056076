"""LabelMe (and X-AnyLabeling): a JSON file beside each image, in pixels from its corner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DatasetError
from ...runs import writing
from ..json import load_json, number, objects, size_of, text_of
from ..names import stem
from ..table import Landmarks
from ..text import head_of, read_text
from .base import Context, Format, Read
from .folders import beside, check_files, files_in, first_in
from .gather import Gathered

VERSION = "5.5.0"  # of LabelMe, whose fields these are


def _recognises(path: Path, head: str) -> bool:
    if path.is_dir():
        first = first_in(path, ".json")
        if first is None:
            return False
        head = head_of(first)
    return head.lstrip()[:1] == "{" and '"shapes"' in head and '"version"' in head


def _read(path: Path, context: Context) -> Read:
    found, size = Gathered(path, context), 0
    for file in files_in(path, ".json"):
        text = read_text(file)
        size += len(text)
        _file(found, file, path, load_json(file, text))
    return found.read(size)


def _file(found: Gathered, file: Path, root: Path, content: Any) -> None:
    where = str(file)
    if not isinstance(content, dict):
        raise DatasetError(f"{where}: expected a JSON object with shapes and imagePath")
    said = text_of(content, "imagePath", where).replace("\\", "/")
    # imagePath starts from the file: of a folder of folders, the image is below it.
    inner = "" if file == root else file.parent.relative_to(root).as_posix()
    name = said.rsplit("/", 1)[-1] if said.startswith("../") else said
    name = name if inner in ("", ".") or "/" in name else f"{inner}/{name}"
    row = found.image(
        name, where, f"{file.name}", size_of(content, "imageHeight", "imageWidth", where)
    )
    for k, entry in enumerate(objects(content.get("shapes"), f"{where}, shapes")):
        at = f"{where}, shapes[{k}]"
        if entry.get("shape_type") != "point":
            found.left_out(f"shapes of type {str(entry.get('shape_type'))[:40]}")
            continue
        points = entry.get("points")
        if not isinstance(points, list) or len(points) != 1:
            raise DatasetError(f"{at}: a point has one entry in points")
        if not isinstance(points[0], list) or len(points[0]) != 2:
            raise DatasetError(f"{at}: a point is [x, y]")
        x, y = (number(v, f"{at}, points") for v in points[0])
        flags = entry.get("flags")
        hidden = isinstance(flags, dict) and flags.get("hidden") is True
        score = entry.get("score")
        found.point(
            row,
            text_of(entry, "label", at),
            (x, y),
            at,
            visible=not hidden,
            confidence=float("nan") if score is None else number(score, f"{at}, score"),
        )


def _write(path: Path, landmarks: Landmarks, context: Context) -> None:
    check_files(path, landmarks.ids, ".json")
    for i, name in enumerate(landmarks.ids):
        height, width = context.size(name)
        shapes = []
        for k in np.flatnonzero(landmarks.present[i]):
            hidden = landmarks.visible is not None and not landmarks.visible[i, k]
            shape = {
                "label": landmarks.names[k],
                "points": [landmarks.xy[i, k].tolist()],
                "group_id": None,
                "description": "",
                "shape_type": "point",
                "flags": {"hidden": True} if hidden else {},
            }
            if landmarks.confidence is not None and not np.isnan(landmarks.confidence[i, k]):
                shape["score"] = float(landmarks.confidence[i, k])
            shapes.append(shape)
        content = {
            "version": VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": name.rsplit("/", 1)[-1],
            "imageData": None,
            "imageHeight": int(height),
            "imageWidth": int(width),
        }
        with writing(beside(path, stem(name), ".json")) as file:
            file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


LABELME = Format(
    name="labelme",
    title="LabelMe JSON",
    suffixes=("",),
    recognises=_recognises,
    read=_read,
    write=_write,
    origin="corner",
    sized=True,
    instructions="Put the files of this folder beside the images, each has the name of its image. "
    "Then open the folder in LabelMe or X-AnyLabeling with Open Dir; what is saved there is read "
    "back from the same folder.",
)
