"""DeepLabCut: a CSV of three or four header lines for each video; pixels, as its labelling shows
them, with pixel centres at whole numbers."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from pathlib import Path

import numpy as np

from ...errors import DatasetError
from ...runs import writing
from ..names import either, visible
from ..table import Landmarks
from ..text import number_in, point_in, read_text, records
from .base import Context, Format, Read
from .folders import beside, files_in, first_in
from .gather import Gathered

FOLDER, START, SCORER = "labeled-data", "CollectedData_", "scp"
ROOT = "images"  # the video of images that are in no folder
LEVELS = ("scorer", "individuals", "bodyparts", "coords")

# Of an individual: the places of x, y and likelihood of each body part.
Parts = dict[str, dict[str, int]]


def _recognises(path: Path, head: str) -> bool:
    if path.is_dir():
        return first_in(path, ".csv", START) is not None
    return head.lstrip("\ufeff\r\n").startswith("scorer,")


def _read(path: Path, context: Context) -> Read:
    found, size = Gathered(path, context), 0
    files = files_in(path, ".csv", START) if path.is_dir() else [path]
    for file in files:
        text = read_text(file)
        size += len(text)
        place = "" if file == path else f"{file.name}, "
        _file(found, file, place, text, context)
    return found.read(size)


def _file(found: Gathered, file: Path, place: str, text: str, context: Context) -> None:
    lines = list(records(file, text, ","))
    first, animals = _header(file, lines)
    individuals = _individuals(animals, context, file)
    for animal in individuals:
        for part in animals[animal]:
            found.name(part, f"{file}, line 1")
    width = len(lines[0][1])
    for number, cells in lines[_levels(lines) :]:
        where = f"{file}, line {number}"
        if len(cells) != width:
            raise DatasetError(f"{where}: {width} cells expected, got {len(cells)}")
        name = "/".join(cell.strip() for cell in cells[:first]).replace("\\", "/")
        name = name.rsplit(f"{FOLDER}/", 1)[-1]
        row = found.image(name, where, f"{place}line {number}")
        points = {a: _points(animals[a], cells, where) for a in individuals}
        for animal in _chosen(animals, points, context, where):
            for part, (x, y, score) in points[animal].items():
                found.point(row, part, (x, y), where, confidence=score)


def _levels(lines: list[tuple[int, list[str]]]) -> int:
    """How many lines the header has."""
    return next((k for k, (_, cells) in enumerate(lines[:4], 1) if cells[0] == "coords"), 0)


def _header(file: Path, lines: list[tuple[int, list[str]]]) -> tuple[int, dict[str, Parts]]:
    """The first column with points, and the columns of each individual."""
    count = _levels(lines)
    rows = {cells[0]: cells for _, cells in lines[:count]}
    if list(rows) not in ([*LEVELS], [LEVELS[0], *LEVELS[2:]]):
        raise DatasetError(
            f"{file}, line 1: expected the lines scorer, bodyparts, coords of DeepLabCut (with "
            "individuals between, for several animals)"
        )
    coords = rows["coords"]
    if any(len(cells) != len(coords) for cells in rows.values()):
        raise DatasetError(f"{file}, line 1: the lines of the header are not equally long")
    first = next((k for k, cell in enumerate(coords) if k and cell.strip()), 0)
    if first not in (1, 3):
        raise DatasetError(
            f"{file}, line {lines[count - 1][0]}: one column for the path of the image, or three "
            "for labeled-data, the video and the image, are expected before the coordinates"
        )
    if len(scorers := dict.fromkeys(rows["scorer"][first:])) > 1:
        some = either([visible(name[:40]) for name in scorers])
        raise DatasetError(
            f"{file}, line 1: several scorers, {some}; save one of them in a file of its own"
        )
    animals: dict[str, Parts] = {}
    for k in range(first, len(coords)):
        animal = rows["individuals"][k] if "individuals" in rows else ""
        places = animals.setdefault(animal, {}).setdefault(rows["bodyparts"][k], {})
        axis = coords[k].strip()
        if axis not in ("x", "y", "likelihood") or axis in places:
            raise DatasetError(
                f"{file}, line {lines[count - 1][0]}: x, y and likelihood once for each body part "
                f"are expected, got {axis[:40]!r} for {rows['bodyparts'][k][:40]!r}"
            )
        places[axis] = k
    for parts in animals.values():
        for part, places in parts.items():
            if "x" not in places or "y" not in places:
                raise DatasetError(f"{file}, line 1: {part[:40]!r} has only one of x and y")
    return first, animals


def _individuals(animals: dict[str, Parts], context: Context, file: Path) -> list[str]:
    if context.category is None:
        return list(animals)
    if context.category not in animals:
        known = ", ".join(repr(name[:40]) for name in list(animals)[:10])
        raise ValueError(f"{file}: no individual {context.category!r}; there are {known}")
    return [context.category]


def _points(parts: Parts, cells: list[str], where: str) -> dict[str, tuple[float, float, float]]:
    found = {}
    for part, at in parts.items():
        x, y = point_in(
            cells[at["x"]].strip(), cells[at["y"]].strip(), where, f"{visible(part[:40])} "
        )
        if not math.isnan(x):
            score = (
                number_in(cells[at["likelihood"]], where, "likelihood")
                if "likelihood" in at
                else None
            )
            found[part] = x, y, math.nan if score is None else score
    return found


def _chosen(
    animals: dict[str, Parts],
    points: dict[str, dict[str, tuple[float, float, float]]],
    context: Context,
    where: str,
) -> list[str]:
    """The individuals of an image that are read: those with points, if none shares a body part
    with another one."""
    there = [animal for animal, parts in points.items() if parts]
    counts = Counter(part for animal in there for part in animals[animal])
    shared = [animal for animal in there if any(counts[part] > 1 for part in animals[animal])]
    if not shared:
        return there
    if context.several != "largest":
        some = ", ".join(visible(animal[:40]) for animal in shared[:3])
        raise DatasetError(
            f"{where}: {len(shared)} individuals in one image ({some}): category= (--category) "
            "names one, several='largest' takes the largest of each image"
        )
    largest = max(shared, key=lambda a: _extent(points[a]))
    return [a for a in there if a == largest or a not in shared]


def _extent(points: dict[str, tuple[float, float, float]]) -> float:
    xy = np.array([point[:2] for point in points.values()])
    return float(np.ptp(xy, axis=0).sum())


# ---- out ----


def _write(path: Path, landmarks: Landmarks, context: Context) -> None:
    videos: dict[str, list[int]] = {}
    parents: dict[str, str] = {}
    for i, name in enumerate(landmarks.ids):
        parent = name.rpartition("/")[0]
        video = parent.rpartition("/")[2] or ROOT
        if parents.setdefault(video, parent) != parent:
            raise ValueError(
                f"{path}: {parents[video] or 'the folder itself'!r} and {parent!r} would both be "
                f"the video {video!r} of DeepLabCut; rename one"
            )
        videos.setdefault(video, []).append(i)
    if path.suffix.lower() == ".csv":
        if len(videos) > 1:
            raise ValueError(
                f"{path}: images of {len(videos)} folders, and DeepLabCut has a file for each; "
                "give the name of a folder, without .csv"
            )
        (video,) = videos
        _write_video(path, landmarks, video, videos[video])
        return
    for video, rows in videos.items():
        file = beside(path, f"{FOLDER}/{video}/{START}{SCORER}", ".csv")
        _write_video(file, landmarks, video, rows)


def _write_video(file: Path, landmarks: Landmarks, video: str, rows: list[int]) -> None:
    names = [name for name in landmarks.names for _ in "xy"]
    text = io.StringIO(newline="")
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["scorer", "", "", *(SCORER for _ in names)])
    out.writerow(["bodyparts", "", "", *names])
    out.writerow(["coords", "", "", *("xy"[k % 2] for k in range(len(names)))])
    for i in rows:
        image = landmarks.ids[i].rpartition("/")[2]
        values = ["" if math.isnan(v) else repr(float(v)) for v in landmarks.xy[i].ravel()]
        out.writerow([FOLDER, video, image, *values])
    with writing(file) as target:
        target.write_text(text.getvalue(), "utf-8", newline="")


DEEPLABCUT = Format(
    name="deeplabcut",
    title="DeepLabCut CSV",
    suffixes=("", ".csv"),
    recognises=_recognises,
    read=_read,
    write=_write,
    takes=frozenset(("category", "several")),
    instructions="In a DeepLabCut project whose config.yaml has scorer: scp and these names as "
    "bodyparts, put the images beside the CSV in labeled-data/VIDEO, and list the videos under "
    "video_sets. Then deeplabcut.convertcsv2h5(config) makes the .h5 that DeepLabCut works with; "
    "what it saves, CollectedData_scp.csv, is read back.",
)
