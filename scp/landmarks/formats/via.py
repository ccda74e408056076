"""VIA (VGG Image Annotator), in pixels from the corner: JSON or CSV of annotations, projects."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DatasetError
from ...runs import writing
from ..json import load_json, number
from ..table import Landmarks
from ..text import csv_lines, read_text
from .base import Context, Format, Read
from .gather import Gathered
from .via3 import is_via3, label_of, read_via3

HEADER = (
    *("filename", "file_size", "file_attributes", "region_count", "region_id"),
    *("region_shape_attributes", "region_attributes"),
)


def _recognises(path: Path, head: str) -> bool:
    first = head.lstrip()[:1]
    if first != "{":
        return "region_shape_attributes" in head.lstrip().partition("\n")[0]
    # A long head may hold images without regions only, or the settings of a project.
    entries = all(name in head for name in ('"filename"', '"regions"', '"file_attributes"'))
    return entries or '"_via_settings"' in head or is_via3(head)


def _read(path: Path, context: Context) -> Read:
    text = read_text(path)
    found = Gathered(path, context)
    if text.lstrip()[:1] != "{":
        _lines(found, path, text)
        return found.read(len(text))
    content = load_json(path, text)
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: expected a JSON object of VIA")
    if "metadata" in content and "attribute" in content:
        read_via3(found, content, path)
        return found.read(len(text))
    entries = content.get("_via_img_metadata", content)
    if not isinstance(entries, dict):
        raise DatasetError(f"{path}: _via_img_metadata must be an object")
    for k, entry in enumerate(entries.values()):
        _image(found, entry, f"{path}, images[{k}]", f"images[{k}]")
    return found.read(len(text))


def _image(found: Gathered, entry: Any, where: str, place: str) -> None:
    name = entry.get("filename") if isinstance(entry, dict) else None
    if not isinstance(name, str):
        raise DatasetError(f"{where}: filename is missing or no text")
    row = found.image(name, where, place)
    regions = entry.get("regions", [])
    regions = list(regions.values()) if isinstance(regions, dict) else regions  # VIA 1
    if not isinstance(regions, list):
        raise DatasetError(f"{where}: regions must be a list")
    for k, region in enumerate(regions):
        at = f"{where}.regions[{k}]"
        shape = region.get("shape_attributes") if isinstance(region, dict) else None
        said = region.get("region_attributes") if isinstance(region, dict) else None
        _region(found, row, shape, said, at)


def _lines(found: Gathered, path: Path, text: str) -> None:
    """CSV: a line for each region, and one for an image without any."""
    lines = csv_lines(path, text)
    _, header = next(lines, (1, []))
    header = [name.strip().lstrip("#") for name in header]  # VIA 1 has a # before the first
    if missing := [name for name in ("filename", *HEADER[-2:]) if name not in header]:
        raise DatasetError(f"{path}, line 1: no column {missing[0]}")
    at = [header.index(name) for name in ("filename", *HEADER[-2:])]
    for k, cells in lines:
        where = f"{path}, line {k}"
        if len(cells) != len(header):
            raise DatasetError(f"{where}: {len(cells)} cells, expected {len(header)}")
        name, shape, said = (cells[i] for i in at)
        row = found.row(name, where, f"line {k}")
        shape, said = (load_json(where, cell) if cell.strip() else {} for cell in (shape, said))
        if shape != {}:
            _region(found, row, shape, said, where)


def _region(found: Gathered, row: int, shape: Any, said: Any, at: str) -> None:
    if not isinstance(shape, dict) or not isinstance(said, dict):
        raise DatasetError(f"{at}: expected shape_attributes and region_attributes")
    if shape.get("name") != "point":
        found.left_out(f"regions of shape {str(shape.get('name'))[:40]}")
        return
    xy = number(shape.get("cx"), f"{at}, cx"), number(shape.get("cy"), f"{at}, cy")
    label = label_of(said, at)
    found.point(row, label, xy, at, visible=said.get("hidden") != "true")


def _write(path: Path, landmarks: Landmarks, context: Context) -> None:
    entries = _entries(landmarks, context)
    if path.suffix.lower() == ".csv":
        out = io.StringIO(newline="")
        table = csv.writer(out, lineterminator="\n")
        table.writerow(HEADER)
        for entry in entries:
            first = entry["filename"], entry["size"], json.dumps(entry["file_attributes"])
            regions = entry["regions"] or [{"shape_attributes": {}, "region_attributes": {}}]
            count = len(entry["regions"])
            for k, region in enumerate(regions):
                cells = map(json.dumps, (region["shape_attributes"], region["region_attributes"]))
                table.writerow([*first, count, k, *cells])
        text = out.getvalue()
    else:
        keyed = {f"{entry['filename']}{entry['size']}": entry for entry in entries}
        text = json.dumps(keyed, ensure_ascii=False, indent=1) + "\n"
    with writing(path) as beside:
        beside.write_text(text, "utf-8")


def _entries(landmarks: Landmarks, context: Context) -> list[dict[str, Any]]:
    """VIA knows a file that was opened by its name without folders and its size in bytes."""
    short = [name.rsplit("/", 1)[-1] for name in landmarks.ids]
    count, out = Counter(short), []
    for i, name in enumerate(landmarks.ids):
        file = context.file(name)
        notes = context.notes[i] if context.notes else {}
        out.append(
            {
                "filename": short[i] if count[short[i]] == 1 else name,
                "size": os.path.getsize(file) if file and os.path.isfile(file) else -1,
                "regions": [_written(landmarks, i, k) for k in range(len(landmarks.names))],
                "file_attributes": {key: str(value) for key, value in notes.items()},
            }
        )
        out[-1]["regions"] = [region for region in out[-1]["regions"] if region]
    return out


def _written(landmarks: Landmarks, i: int, k: int) -> dict[str, Any] | None:
    if not landmarks.present[i, k]:
        return None
    x, y = landmarks.xy[i, k]
    said = {"landmark": landmarks.names[k]}
    if landmarks.visible is not None and not landmarks.visible[i, k]:
        said["hidden"] = "true"
    if landmarks.confidence is not None and not np.isnan(landmarks.confidence[i, k]):
        said["confidence"] = f"{landmarks.confidence[i, k]:.3f}"
    shape = {"name": "point", "cx": float(x), "cy": float(y)}
    return {"shape_attributes": shape, "region_attributes": said}


VIA = Format(
    name="via",
    title="VIA JSON or CSV",
    suffixes=(".json", ".csv"),
    recognises=_recognises,
    read=_read,
    write=_write,
    origin="corner",
    sized=True,
    instructions="In VIA 2, add the images (Add Files), then Annotation, Import Annotations, and "
    "this file; points have the region attribute landmark. What comes back with Annotation, "
    "Export Annotations is read, as JSON or as CSV.",
)
