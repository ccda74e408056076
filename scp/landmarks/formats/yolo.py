"""YOLO pose (Ultralytics): a .txt for each image, in fractions of its size, and data.yaml.

    class cx cy w h x1 y1 [v1] x2 y2 [v2] ...     a line: one instance

data.yaml says how many points there are, with v or without (kpt_shape), and may name them
(kpt_names). v is that of COCO: 0 absent, 1 hidden, 2 seen; 0 0 is an absent point too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DatasetError
from ...runs import writing
from ..coco import SEVERAL
from ..names import form, stem
from ..table import Landmarks, numbered
from ..text import head_of, number_in, read_text
from ..yaml import load_yaml
from .base import Context, Format, Read
from .folders import beside, check_files, files_in
from .gather import Gathered

SAYS, LABELS = "data.yaml", "labels"
CLASS = "landmarks"
KEYS = ("kpt_shape", "names", "kpt_names")
MOST = 10_000  # points
_ENDS = (".yaml", ".yml")


def _recognises(path: Path, head: str) -> bool:
    if path.is_dir():
        return any("kpt_shape" in head_of(file) for file in _descriptions(path))
    return path.name.lower().endswith(_ENDS) and "kpt_shape" in head


def _descriptions(folder: Path) -> list[Path]:
    files = [f for f in folder.iterdir() if f.name.lower().endswith(_ENDS) and f.is_file()]
    return sorted(files, key=lambda f: (f.name != SAYS, f.name))


def _read(path: Path, context: Context) -> Read:
    if context.several not in SEVERAL:
        raise ValueError(f"several must be one of {', '.join(SEVERAL)}, got {context.several!r}")
    root = path if path.is_dir() else path.parent
    says = next(iter(_descriptions(root)), root / SAYS) if path.is_dir() else path
    text = read_text(says)
    about = _About(says, load_yaml(says, text, KEYS), context.category)
    found, size = Gathered(path, context), len(text)
    for name in about.points:
        found.name(name, str(says))
    files = [(file, file.relative_to(root).parts) for file in files_in(root, ".txt")]
    below = [(file, parts) for file, parts in files if LABELS in parts[:-1]] or files
    for file, parts in below:
        text = read_text(file)
        size += len(text)
        # labels/train/1.txt is of images/train/1.png, train/labels/1.txt of train/images/1.png
        name = "/".join("images" if part == LABELS else part for part in parts)
        row = found.image(name[: -len(".txt")], str(file), file.name)
        shape = found.shape(row)
        if shape is None:
            raise DatasetError(
                f"{path}: points of YOLO are in fractions of the image; the images (images=) say "
                "how large it is"
            )
        _instances(found, row, shape, file, text, about, context.several)
    return found.read(size)


class _About:
    """What data.yaml says.

    Attributes:
        points: names. dims: 2, or 3 with v. classes: name by number. wanted: the class that is
        read, or None.
    """

    def __init__(self, path: Path, said: dict[str, Any], category: str | None):
        self.path = path
        shape = said.get("kpt_shape")
        if (
            not isinstance(shape, list)
            or len(shape) != 2
            or not isinstance(shape[0], int)
            or not 0 < shape[0] <= MOST
            or shape[1] not in (2, 3)
        ):
            raise DatasetError(f"{path}: kpt_shape must be [NUMBER OF POINTS, 2 or 3]")
        count, self.dims = shape
        self.classes = _by_number(said.get("names"))
        self.wanted = None
        if category is not None:
            same = [k for k, name in self.classes.items() if form(str(name)) == form(category)]
            if not same:
                known = ", ".join(repr(str(v)) for v in self.classes.values())
                raise DatasetError(f"{path}: no class {category!r}; there are {known}")
            self.wanted = same[0]
        named = said.get("kpt_names")
        if isinstance(named, dict):  # of each class, by number or by name
            of = self.classes.get(self.wanted or "0", "0")
            named = named.get(self.wanted or "0", named.get(str(of)))
        self.points = numbered(count)
        if isinstance(named, list):
            if len(named) != count or len(set(map(str, named))) != count:
                raise DatasetError(f"{path}: kpt_names must be {count} names, each once")
            self.points = [str(name) for name in named]


def _by_number(names: Any) -> dict[str, Any]:
    if isinstance(names, list):
        return {str(k): name for k, name in enumerate(names)}
    return names if isinstance(names, dict) else {}


def _instances(found: Gathered, row, shape, file: Path, text: str, about, several: str) -> None:
    """The one instance of an image, or the largest."""
    best: tuple[float, list[float], str] | None = None
    for k, line in enumerate(text.splitlines()):
        cells, where = line.split(), f"{file}, line {k + 1}"
        if not cells:
            continue
        if len(cells) != 5 + about.dims * len(about.points):
            raise DatasetError(
                f"{where}: {len(cells)} numbers, expected 5 and {about.dims} for each of "
                f"{len(about.points)} points (kpt_shape in {about.path.name})"
            )
        values = [number_in(cell, where, f"number {j + 1}") for j, cell in enumerate(cells)]
        if any(value != value for value in values):
            raise DatasetError(f"{where}: a number is nan")
        kind = cells[0]
        if about.wanted is not None and kind != about.wanted:
            found.left_out(f"instances of class {kind[:20]}")
            continue
        if about.wanted is None and len(about.classes) > 1:
            known = ", ".join(repr(str(v)) for v in about.classes.values())
            raise DatasetError(f"{about.path}: several classes, choose one (category) of {known}")
        area = values[3] * values[4]
        if best is not None:
            if several == "raise":
                raise DatasetError(
                    f"{where}: the image has an instance in {best[2]} already; one instance per "
                    'image is expected (or the largest, with several="largest")'
                )
            found.left_out("instances that are not the largest of their image")
            if not area > best[0]:
                continue
        best = area, values[5:], f"line {k + 1}"
    if best is not None:
        _points(found, row, shape, best[1], about, f"{file}, {best[2]}")


def _points(found: Gathered, row: int, shape, values: list[float], about, where: str) -> None:
    for k, name in enumerate(about.points):
        x, y, *seen = values[k * about.dims : (k + 1) * about.dims]
        v = seen[0] if seen else 2.0
        if v not in (0, 1, 2):
            raise DatasetError(
                f"{where}: v of {name!r} must be 0, 1 or 2, got {v:g} (what YOLO predicts has a "
                "confidence there, and is not read)"
            )
        if v and (x, y) != (0, 0) and x >= 0 and y >= 0:
            xy = x * shape[1] - 0.5, y * shape[0] - 0.5
            found.point(row, name, xy, where, visible=v == 2)


def _write(path: Path, landmarks: Landmarks, context: Context) -> None:
    check_files(path, landmarks.ids, ".txt")
    for i, name in enumerate(landmarks.ids):
        with writing(beside(path / LABELS, stem(name), ".txt")) as file:
            file.write_text(_line(landmarks, i, context.size(name)), "utf-8")
    names = [json.dumps(name, ensure_ascii=False) for name in landmarks.names]
    count = len(names)
    text = (
        "# put the images into images/, in the folders that labels/ has\n"
        f"path: .\ntrain: ./images\nval: ./images\nkpt_shape: [{count}, 3]\n"
        f"flip_idx: [{', '.join(map(str, range(count)))}]\n"
        f"names:\n  0: {CLASS}\nkpt_names:\n  0: [{', '.join(names)}]\n"
    )
    with writing(path / SAYS) as file:
        file.write_text(text, "utf-8")


def _line(landmarks: Landmarks, i: int, shape: tuple[int, int]) -> str:
    present = landmarks.present[i]
    if not present.any():
        return ""  # an image without an instance
    height, width = shape
    parts = (np.nan_to_num(landmarks.xy[i]) + 0.5) / [width, height]
    shown = np.ones(len(present), bool) if landmarks.visible is None else landmarks.visible[i]
    half = 0.5 / np.array([width, height])  # the box is that of the pixels
    least = np.clip(parts[present].min(axis=0) - half, 0, 1)
    most = np.clip(parts[present].max(axis=0) + half, 0, 1)
    cells = [f"{v:.9f}" for v in (*(least + most) / 2, *(most - least))]
    for (x, y), here, seen in zip(parts, present, shown, strict=True):
        cells += [f"{x:.9f}", f"{y:.9f}", "2" if seen else "1"] if here else ["0", "0", "0"]
    return f"0 {' '.join(cells)}\n"


YOLO = Format(
    name="yolo-pose",
    title="YOLO pose",
    suffixes=("",),
    recognises=_recognises,
    read=_read,
    write=_write,
    origin=None,
    takes=frozenset(("category", "several")),
    sized=True,
    instructions="Put the images into the folder images beside labels, under the same names. The "
    "folder is then read by Ultralytics (data.yaml) and by CVAT (Ultralytics YOLO Pose 1.0), and "
    "what CVAT exports is read back.",
)
