"""COCO key points: JSON with images, annotations and categories.

    images       [{id, file_name, width, height}]
    annotations  [{image_id, category_id, keypoints: [x, y, v, ...], area, bbox, iscrowd}]
    categories   [{id, name, keypoints: [names]}]

v = 0 is an absent key point, 1 one that is hidden, 2 one that is seen.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ..errors import DatasetError, warn
from .json import load_json, number, objects
from .names import check_alike, form, writable
from .table import Landmarks
from .text import check_table

SEVERAL = ("raise", "largest")


@dataclass(frozen=True)
class CocoFile:
    """One category of a COCO file.

    Attributes:
        notes: what of the file was not used, a sentence each.
        files: file name of each image, in the order of the file.
        shapes: (H, W) of each image, or None where the file does not say.
        names: L key points.
        xy: float64 [N][L][2]; NaN where absent.
        visible: bool [N][L]: v is not 1; None where it is nowhere.
    """

    files: list[str]
    shapes: list[tuple[int, int] | None]
    names: list[str]
    xy: np.ndarray
    visible: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    def landmarks(self) -> Landmarks:
        self.warn()
        return Landmarks(self.files, self.names, self.xy, visible=self.visible)

    def warn(self) -> None:
        """A warning for each of the notes."""
        for note in self.notes:
            warn(note)


def parse_coco(path, text: str, category: str | None = None, several: str = "raise") -> CocoFile:
    """The key points of one category, one instance per image.

    Annotations without any key point and those of crowds (iscrowd = 1) do not count. What is left
    out so is counted in `notes`; an annotation of an image or a category that the file does not
    have is an error.

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
    categories = _categories(path, content)
    chosen, names = _category(path, categories, category)
    index, files, shapes = _images(path, content)
    check_table(path, len(text), len(files), len(names))
    xy = np.full((len(files), len(names), 2), np.nan)
    visible = np.ones(xy.shape[:2], bool)
    best: dict[int, int] = {}  # annotation of each image
    left: Counter[str] = Counter()
    for k, entry in enumerate(objects(content.get("annotations"), f"{path}, annotations")):
        where = f"{path}, annotations[{k}]"
        i = _known(index, entry, "image_id", where, "image")
        kind = _known(categories, entry, "category_id", where, "category")[1]
        if entry["category_id"] != chosen:
            if entry.get("keypoints") and not kind:
                left["annotations with key points, of a category that names none"] += 1
            continue
        points, seen, unseen = _points(entry, len(names), where)
        if _flag(entry, where):
            left["annotations of crowds (iscrowd = 1)"] += 1
            continue
        left["key points with v = 0 that have a place"] += unseen
        if np.isnan(points).all():
            if not entry.get("keypoints") and entry.get("num_keypoints") != 0:
                left["annotations without keypoints"] += 1
            continue
        if i in best:
            if several == "raise":
                raise DatasetError(
                    f"{where}: image {files[i]!r} has annotations[{best[i]}] already; one "
                    'instance per image is expected (or the largest, with several="largest")'
                )
            left["instances that are not the largest of their image"] += 1
            if not _area(path, entry, k) > _area(path, content["annotations"][best[i]], best[i]):
                continue
        best[i] = k
        xy[i], visible[i] = points, seen
    notes = [f"{path}: not used: {what}: {count}" for what, count in left.items() if count]
    hidden = None if visible.all() else visible
    return CocoFile(files, shapes, names, xy, hidden, notes)


def _load(path, text: str) -> dict:
    content = load_json(path, text)
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: expected a JSON object with images, annotations, categories")
    return content


def _field(entry: dict, name: str, kinds, where: str):
    value = entry.get(name)
    if not isinstance(value, kinds) or isinstance(value, bool) or value == "":
        raise DatasetError(f"{where}: {name} is missing or of the wrong type")
    return _encoded(value, name, where)


def _encoded(value, name: str, where: str):
    """The value; DatasetError where it is text that no file can hold (half of a character)."""
    if isinstance(value, str) and value != writable(value):
        raise DatasetError(f"{where}: {name} {value[:60]!r} is no Unicode text")
    return value


def _categories(path, content: dict) -> dict[int | str, tuple[str, list[str]]]:
    """Name and key points by id."""
    found: dict[int | str, tuple[str, list[str]]] = {}
    seen: set[str] = set()
    for k, entry in enumerate(objects(content.get("categories"), f"{path}, categories")):
        where = f"{path}, categories[{k}]"
        number, name = _field(entry, "id", (int, str), where), _field(entry, "name", str, where)
        points = entry.get("keypoints") or []
        if not isinstance(points, list) or not all(isinstance(v, str) and v for v in points):
            raise DatasetError(f"{where}: keypoints must be a list of names")
        points = [_encoded(v, "keypoints", where) for v in points]
        if len(set(points)) != len(points):
            raise DatasetError(f"{where}: the names of keypoints are not unique")
        check_alike(points, where)
        if name in seen or number in found:
            raise DatasetError(f"{where}: the name or the id is there twice")
        seen.add(name)
        found[number] = name, points
    return found


def _category(path, categories, wanted: str | None) -> tuple[int | str, list[str]]:
    """Id and key points of the category that is wanted, or of the only one."""
    found = {name: (number, points) for number, (name, points) in categories.items() if points}
    if not found:
        raise DatasetError(f"{path}: no category has keypoints")
    choices = ", ".join(map(repr, found))
    if wanted is None and len(found) > 1:
        raise DatasetError(f"{path}: several categories have keypoints, choose one of {choices}")
    if wanted is None:
        return next(iter(found.values()))
    same = [value for name, value in found.items() if name == wanted or form(name) == form(wanted)]
    if not same:
        raise DatasetError(f"{path}: no category {wanted!r} with keypoints; there are {choices}")
    return found.get(wanted, same[0])


def _known(known: dict, entry: dict, name: str, where: str, what: str):
    """What `known` has for the entry's id of an image or a category."""
    number = _field(entry, name, (int, str), where)
    if number not in known:
        other = str(number) if isinstance(number, int) else _whole(number)
        hint = f", but one has {other!r}: ids are text or numbers alike" if other in known else ""
        raise DatasetError(f"{where}: no {what} has the id {number!r}{hint}")
    return known[number]


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 20 else None


def _flag(entry: dict, where: str) -> bool:
    if entry.get("iscrowd") not in (None, 0, 1):
        raise DatasetError(f"{where}: iscrowd must be 0 or 1, got {str(entry['iscrowd'])[:40]}")
    return entry.get("iscrowd") == 1


def _images(path, content: dict):
    """Place by id; file names; (H, W) or None."""
    index, files, shapes = {}, {}, []
    for k, entry in enumerate(objects(content.get("images"), f"{path}, images")):
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


def _points(entry: dict, count: int, where: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Key points [count][2], which are seen (v is not 1), and how many have v = 0 though they have
    a place."""
    flat = entry.get("keypoints")
    out, shown, unseen = np.full((count, 2), np.nan), np.ones(count, bool), 0
    if flat is None or flat == []:  # a box only
        return out, shown, unseen
    if not isinstance(flat, list) or len(flat) != 3 * count:
        raise DatasetError(f"{where}: keypoints must hold {count} times x, y, v")
    for k in range(count):
        at = f"{where}, keypoints[{3 * k}]"
        x, y, seen = (number(v, at) for v in flat[3 * k : 3 * k + 3])
        if seen not in (0, 1, 2):
            raise DatasetError(f"{at}: v must be 0, 1 or 2, got {seen:g}")
        if seen:
            out[k] = x, y
            shown[k] = seen == 2
        unseen += not seen and (x, y) != (0, 0)
    return out, shown, unseen


def _area(path, entry: dict, k: int) -> float:
    where = f"{path}, annotations[{k}]"
    if entry.get("area") is not None:
        return number(entry["area"], f"{where}, area")
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise DatasetError(f"{where}: neither area nor bbox, which instance is the largest?")
    width, height = (number(v, f"{where}, bbox") for v in box[2:])
    return width * height
