"""Landmark files: points by image and by name, read and written.

Read are three kinds of file, told apart by their content:

    long CSV   image,landmark,x,y[,confidence][,error]    a line is one landmark of one image
    wide CSV   image,<name>_x,<name>_y,...                a line is one image
    COCO       JSON with images, annotations, categories  key points; v = 0 is an absent one

Points are (x, y) in pixels of the original image, pixel centres at integers. An absent point is NaN
in memory and two empty cells in a CSV. CSV is comma-separated UTF-8, with or without a byte order
mark; cells may be quoted.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .files import DatasetError, writing

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm", ".mha", ".nii.gz", ".nii")
_KEYS = ("image", "landmark", "x", "y")
_EXTRA = ("confidence", "error")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Points of N images with L landmarks each.

    Attributes:
        ids: N names of images, unique.
        names: L names of landmarks, unique.
        xy: float64 [N][L][2], (x, y) in pixels of the original image; NaN where absent.
        confidence: float64 [N][L], or None.
        error: float64 [N][L], the expected distance from the truth, or None.

    Raises:
        ValueError: names that are empty or not unique, arrays of another shape, infinite values.
    """

    ids: list[str]
    names: list[str]
    xy: np.ndarray
    confidence: np.ndarray | None = None
    error: np.ndarray | None = None

    def __post_init__(self):
        for field in ("ids", "names"):
            values = [str(v) for v in getattr(self, field)]
            object.__setattr__(self, field, values)
            if "" in values:
                raise ValueError(f"{field}: name {values.index('')} is empty")
            if len(set(values)) != len(values):
                twice = next(v for i, v in enumerate(values) if v in values[:i])
                raise ValueError(f"{field} must be unique, {twice!r} is there twice")
        shape = len(self.ids), len(self.names)
        for field, expected in (("xy", (*shape, 2)), ("confidence", shape), ("error", shape)):
            value = getattr(self, field)
            if value is None and field != "xy":
                continue
            value = np.asarray(value, np.float64)
            if value.shape != expected:
                raise ValueError(f"{field} must be {list(expected)}, got {list(value.shape)}")
            if np.isinf(value).any():
                raise ValueError(f"{field} must not be infinite")
            object.__setattr__(self, field, value)
        if (np.isnan(self.xy[..., 0]) != np.isnan(self.xy[..., 1])).any():
            raise ValueError("xy: a point has one coordinate only")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        absent = self.present.size - int(self.present.sum())
        more = f", {absent} points absent" if absent else ""
        return f"<{len(self.names)} landmarks of {len(self)} images{more}>"

    @property
    def present(self) -> np.ndarray:
        """bool [N][L]: the point is there."""
        return ~np.isnan(self.xy[..., 0])

    @classmethod
    def of(cls, dataset) -> Landmarks:
        """The landmarks of a `Dataset`; ValueError when it has none."""
        if dataset.landmarks is None:
            raise ValueError(f"the {dataset.name} data set has no landmarks")
        names = dataset.landmark_names or [str(k) for k in range(dataset.landmarks.shape[1])]
        return cls(dataset.ids, names, dataset.landmarks)

    def rows(self, ids: Sequence[str], absent: bool = False) -> Landmarks:
        """The landmarks of these images, in this order and under these names.

        A name that is not in `ids` is looked for without the suffixes of image files, so that
        "001" finds "001.bmp" and the other way round. A row that a name fits exactly is that
        name's alone.

        Args:
            ids: names of images, unique.
            absent: an image that is not listed gives NaN, instead of an error.

        Raises:
            ValueError: names the image that is missing, or that two names could mean.
        """
        found = self.find(ids)
        if not absent and (found < 0).any():
            raise ValueError(f"no landmarks for image {ids[int(np.argmax(found < 0))]!r}")
        here, rows = found >= 0, np.maximum(found, 0)

        def taken(value: np.ndarray | None) -> np.ndarray | None:
            if value is None:
                return None
            out = np.full((len(rows), *value.shape[1:]), np.nan)
            out[here] = value[rows[here]]
            return out

        return Landmarks(list(ids), self.names, *map(taken, (self.xy, self.confidence, self.error)))

    def find(self, ids: Sequence[str]) -> np.ndarray:
        """Row of each image, int64 [len(ids)], -1 where it is not listed; names match as in
        `rows`."""
        exact = {name: i for i, name in enumerate(self.ids)}
        out = np.array([exact.get(str(name), -1) for name in ids], np.int64)
        taken = set(out.tolist())
        stems: dict[str, list[int]] = {}
        for i, name in enumerate(self.ids):
            if i not in taken:
                stems.setdefault(stem(name), []).append(i)
        used: dict[int, str] = {}
        for k in np.flatnonzero(out < 0):
            name = str(ids[k])
            rows = stems.get(stem(name), [])
            if len(rows) > 1:
                could = " or ".join(self.ids[i] for i in rows[:3])
                raise ValueError(f"image {name!r} could be {could}")
            for i in rows:
                if i in used:
                    raise ValueError(f"{self.ids[i]!r} could be image {used[i]} or {name}")
                out[k], used[i] = i, name
        return out

    def columns(self, names: Sequence[str]) -> Landmarks:
        """These landmarks only, in this order; ValueError names one that is missing."""
        place = {name: k for k, name in enumerate(self.names)}
        for name in names:
            if name not in place:
                raise ValueError(f"no landmark is called {name!r}")
        at = [place[name] for name in names]
        confidence, error = (
            None if v is None else v[:, at].copy() for v in (self.confidence, self.error)
        )
        return Landmarks(self.ids, list(names), self.xy[:, at].copy(), confidence, error)


def stem(name: str) -> str:
    """The name of an image without the suffix of an image file."""
    lower = name.lower()
    for suffix in SUFFIXES:
        if lower.endswith(suffix) and not lower.endswith("/" + suffix) and lower != suffix:
            return name[: -len(suffix)]
    return name


def read_landmarks(path: str | os.PathLike, category: str | None = None) -> Landmarks:
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
        from .coco import parse_coco

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


def read_text(path: str | os.PathLike) -> str:
    """A UTF-8 file without its byte order mark; DatasetError names it, and the line."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{path}, line {number}: not UTF-8 text") from None


def csv_lines(path: str | os.PathLike, text: str) -> Iterator[tuple[int, list[str]]]:
    """Number of the first line and cells of each record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield number, cells
            number = reader.line_num + 1
    except csv.Error as error:
        raise DatasetError(f"{path}, line {number}: {error}") from None


def number_in(cell: str, where: str, column: str) -> float:
    """A finite number, or NaN of an empty cell; DatasetError otherwise."""
    cell = cell.strip()
    if _NUMBER.fullmatch(cell):
        value = float(cell)
        if math.isfinite(value):
            return value
    elif cell == "" or cell.lower() == "nan":
        return math.nan
    elif cell.lower().lstrip("+-") not in ("inf", "infinity"):
        raise DatasetError(f"{where}: {column}: {cell[:40]!r} is not a number")
    raise DatasetError(f"{where}: {column}: {cell[:40]!r} is infinite")


def point_in(x: str, y: str, where: str, name: str) -> tuple[float, float]:
    """A point of two cells; both are empty, or none."""
    point = number_in(x, where, f"{name}x"), number_in(y, where, f"{name}y")
    if math.isnan(point[0]) != math.isnan(point[1]):
        raise DatasetError(f"{where}: one of {name}x and {name}y is empty")
    return point


def _cells(where: str, cells: list[str], header: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise DatasetError(f"{where}: {len(header)} cells expected, got {len(cells)}")
    row = dict(zip(header, cells, strict=True))
    if not row["image"]:
        raise DatasetError(f"{where}: image is empty")
    return row


def _long(path, where: str, header: list[str], lines) -> tuple[Landmarks, list[int]]:
    for name in _KEYS:
        if name not in header:
            raise DatasetError(f"{where}: column {name!r} is missing")
    known = (*_KEYS, *_EXTRA)
    for name in header:
        if name not in known:
            raise DatasetError(f"{where}: unknown column {name!r} (known: {', '.join(known)})")
    extra = [name for name in _EXTRA if name in header]
    ids: dict[str, int] = {}
    first: list[int] = []
    names: dict[str, int] = {}
    seen: dict[tuple[int, int], tuple[int, list[float]]] = {}
    for number, cells in lines:
        where = f"{path}, line {number}"
        row = _cells(where, cells, header)
        if not row["landmark"]:
            raise DatasetError(f"{where}: landmark is empty")
        if row["image"] not in ids:
            first.append(number)
        values = [*point_in(row["x"], row["y"], where, "")]
        values += [number_in(row[name], where, name) for name in extra]
        at = (
            ids.setdefault(row["image"], len(ids)),
            names.setdefault(row["landmark"], len(names)),
        )
        if at in seen:
            raise DatasetError(
                f"{where}: landmark {row['landmark']!r} of image {row['image']!r} is in line "
                f"{seen[at][0]} already"
            )
        seen[at] = number, values
    if not seen:
        raise DatasetError(f"{path}: no landmark in it")
    table = np.full((len(ids), len(names), 2 + len(extra)), np.nan)
    for at, (_, values) in seen.items():
        table[at] = values
    more = {name: table[..., 2 + k].copy() for k, name in enumerate(extra)}
    return Landmarks(list(ids), list(names), table[..., :2].copy(), **more), first


def _wide(path, where: str, header: list[str], lines) -> tuple[Landmarks, list[int]]:
    columns, names = set(header), {}
    for column in header:
        if column == "image":
            continue
        name, axis = column[:-2], column[-2:]
        if axis not in ("_x", "_y") or not name:
            raise DatasetError(
                f"{where}: unknown column {column!r} (expected image, NAME_x, NAME_y)"
            )
        other = name + ("_y" if axis == "_x" else "_x")
        if other not in columns:
            raise DatasetError(f"{where}: column {column!r} without {other!r}")
        names.setdefault(name)
    if not names:
        raise DatasetError(f"{where}: no landmark in the header")
    first: dict[str, int] = {}
    points = []
    for number, cells in lines:
        where = f"{path}, line {number}"
        row = _cells(where, cells, header)
        if row["image"] in first:
            raise DatasetError(
                f"{where}: image {row['image']!r} is in line {first[row['image']]} already"
            )
        first[row["image"]] = number
        points.append([point_in(row[f"{n}_x"], row[f"{n}_y"], where, f"{n}_") for n in names])
    if not first:
        raise DatasetError(f"{path}: no image in it")
    return Landmarks(list(first), list(names), np.array(points)), list(first.values())


def write_landmarks(path: str | os.PathLike, landmarks: Landmarks) -> None:
    """A long CSV, whole or absent; numbers are read back exactly.

    Each image has a line for each landmark, with empty cells for what is absent.

    Raises:
        ValueError: a name that cannot be written as UTF-8.
    """
    extra = [name for name in _EXTRA if getattr(landmarks, name) is not None]
    lines = [",".join((*_KEYS, *extra))]
    for i, image in enumerate(landmarks.ids):
        for k, name in enumerate(landmarks.names):
            values = [*landmarks.xy[i, k], *(getattr(landmarks, v)[i, k] for v in extra)]
            cells = ("" if math.isnan(v) else repr(float(v)) for v in values)
            lines.append(",".join((_quoted(image), _quoted(name), *cells)))
    try:
        data = ("\n".join(lines) + "\n").encode()
    except UnicodeEncodeError as error:
        text = error.object[max(error.start - 20, 0) : error.end]
        raise ValueError(f"{path}: {text!r} cannot be written as UTF-8") from None
    with writing(path) as beside:
        beside.write_bytes(data)


def _quoted(cell: str) -> str:
    # The csv module leaves a carriage return bare where lines end in a line feed.
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell
