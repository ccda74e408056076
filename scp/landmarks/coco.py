"""COCO key points: JSON with images, annotations and categories.

    images       [{id, file_name, width, height}]
    annotations  [{image_id, category_id, keypoints: [x, y, v, ...], area, bbox, iscrowd}]
    categories   [{id, name, keypoints: [names]}]

v = 0 is an absent key point, 1 one that is hidden, 2 one that is seen.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from ..errors import DatasetError
from .table import Landmarks

SEVERAL = ("raise", "largest")


@dataclass(frozen=True)
class CocoFile:
    """One category of a COCO file.

    Attributes:
        files: file name of each image, in the order of the file.
        shapes: (H, W) of each image, or None where the file does not say.
        names: L key points.
        xy: float64 [N][L][2]; NaN where absent.
    """

    files: list[str]
    shapes: list[tuple[int, int] | None]
    names: list[str]
    xy: np.ndarray

    def landmarks(self) -> Landmarks:
        return Landmarks(self.files, self.names, self.xy)


def parse_coco(path, text: str, category: str | None = None, several: str = "raise") -> CocoFile:
    """The key points of one category, one instance per image.

    Annotations without any key point and those of crowds (iscrowd = 1) do not count.

    Args:
        path: for messages.
        text: the JSON.
        category: its name; needed when several categories have key points.
        several: what an image with several instances does: "raise", or "largest" takes the one
            with the largest area (bbox where there is no area), the first of equals.

    Raises:
        DatasetError: names the file and the entry.
    """
    if several not in SEVERAL:
        raise ValueError(f"several must be one of {', '.join(SEVERAL)}, got {several!r}")
    content = _load(path, text)
    chosen, names = _category(path, content, category)
    index, files, shapes = _images(path, content)
    xy = np.full((len(files), len(names), 2), np.nan)
    best: dict[int, int] = {}  # annotation of each image
    for k, entry in enumerate(_entries(path, content, "annotations")):
        where = f"{path}, annotations[{k}]"
        image = _field(entry, "image_id", (int, str), where)
        if image not in index:
            raise DatasetError(f"{where}: no image has the id {image!r}")
        if entry.get("category_id") != chosen or entry.get("iscrowd") == 1:
            continue
        points = _points(entry, len(names), where)
        if np.isnan(points).all():
            continue
        i = index[image]
        if i in best:
            if several == "raise":
                raise DatasetError(
                    f"{where}: image {files[i]!r} has annotations[{best[i]}] already; one "
                    'instance per image is expected (or the largest, with several="largest")'
                )
            if not _area(path, entry, k) > _area(path, content["annotations"][best[i]], best[i]):
                continue
        best[i] = k
        xy[i] = points
    return CocoFile(files, shapes, names, xy)


def _load(path, text: str) -> dict:
    def constant(name):
        raise ValueError(f"{name} is no number of JSON")

    try:
        content = json.loads(text, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}, line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: expected a JSON object with images, annotations, categories")
    return content


def _entries(path, content: dict, name: str) -> list[dict]:
    entries = content.get(name)
    if not isinstance(entries, list):
        raise DatasetError(f"{path}: {name} must be a list")
    for k, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise DatasetError(f"{path}, {name}[{k}]: expected an object")
    return entries


def _field(entry: dict, name: str, kinds, where: str):
    value = entry.get(name)
    if not isinstance(value, kinds) or isinstance(value, bool) or value == "":
        raise DatasetError(f"{where}: {name} is missing or of the wrong type")
    return value


def _category(path, content: dict, wanted: str | None) -> tuple[int | str, list[str]]:
    found: dict[str, tuple[int | str, list[str]]] = {}
    for k, entry in enumerate(_entries(path, content, "categories")):
        where = f"{path}, categories[{k}]"
        number, name = _field(entry, "id", (int, str), where), _field(entry, "name", str, where)
        points = entry.get("keypoints") or []
        if not isinstance(points, list) or not all(isinstance(v, str) and v for v in points):
            raise DatasetError(f"{where}: keypoints must be a list of names")
        if len(set(points)) != len(points):
            raise DatasetError(f"{where}: the names of keypoints are not unique")
        if name in found or number in [n for n, _ in found.values()]:
            raise DatasetError(f"{where}: the name or the id is there twice")
        if points:
            found[name] = number, points
    if not found:
        raise DatasetError(f"{path}: no category has keypoints")
    choices = ", ".join(map(repr, found))
    if wanted is None and len(found) > 1:
        raise DatasetError(f"{path}: several categories have keypoints, choose one of {choices}")
    if wanted is not None and wanted not in found:
        raise DatasetError(f"{path}: no category {wanted!r} with keypoints; there are {choices}")
    return found[wanted] if wanted is not None else next(iter(found.values()))


def _images(path, content: dict):
    """Place by id; file names; (H, W) or None."""
    index, files, shapes = {}, {}, []
    for k, entry in enumerate(_entries(path, content, "images")):
        where = f"{path}, images[{k}]"
        number = _field(entry, "id", (int, str), where)
        name = _field(entry, "file_name", str, where)
        for value, seen in ((number, index), (name, files)):
            if value in seen:
                raise DatasetError(f"{where}: {value!r} is in images[{seen[value]}] already")
        index[number] = files[name] = k
        size = entry.get("height"), entry.get("width")
        whole = all(isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in size)
        if size != (None, None) and not whole:
            raise DatasetError(f"{where}: width and height must be positive whole numbers")
        shapes.append(size if whole else None)
    if not files:
        raise DatasetError(f"{path}: no image in it")
    return index, list(files), shapes


def _number(value, where: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            if math.isfinite(value):
                return float(value)
        except OverflowError:
            pass
    raise DatasetError(f"{where}: {str(value)[:40]} is not a finite number")


def _points(entry: dict, count: int, where: str) -> np.ndarray:
    flat = entry.get("keypoints")
    if flat is None or flat == []:  # a box only
        return np.full((count, 2), np.nan)
    if not isinstance(flat, list) or len(flat) != 3 * count:
        raise DatasetError(f"{where}: keypoints must hold {count} times x, y, v")
    out = np.full((count, 2), np.nan)
    for k in range(count):
        at = f"{where}, keypoints[{3 * k}]"
        x, y, seen = (_number(v, at) for v in flat[3 * k : 3 * k + 3])
        if seen not in (0, 1, 2):
            raise DatasetError(f"{at}: v must be 0, 1 or 2, got {seen:g}")
        if seen:
            out[k] = x, y
    return out


def _area(path, entry: dict, k: int) -> float:
    where = f"{path}, annotations[{k}]"
    if entry.get("area") is not None:
        return _number(entry["area"], f"{where}, area")
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise DatasetError(f"{where}: neither area nor bbox, which instance is the largest?")
    width, height = (_number(v, f"{where}, bbox") for v in box[2:])
    return width * height
