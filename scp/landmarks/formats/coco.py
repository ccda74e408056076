"""COCO key points as a format."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...runs import writing
from ..coco import parse_coco
from ..table import Landmarks
from ..text import read_text
from .base import Context, Format, Read
from .gather import Gathered

CATEGORY = "landmarks"


def _recognises(path: Path, head: str) -> bool:
    return head.lstrip()[:1] in ("{", "[")  # behind the formats that say what they are


def _read(path: Path, context: Context) -> Read:
    file = parse_coco(path, read_text(path), context.category, context.several)
    found, places = file.landmarks(), [f"images[{i}]" for i in range(len(file.files))]
    if context.images is None:
        return Read(found, places)
    named = Gathered(path, context)
    for place, name, shape in zip(places, file.files, file.shapes, strict=True):
        named.image(name, f"{path}, {place}", place, shape)
    return Read(replace(found, ids=named.ids), places)


def _write(path: Path, landmarks: Landmarks, context: Context) -> None:
    images, annotations = [], []
    for i, name in enumerate(landmarks.ids):
        height, width = context.size(name)
        image = {"id": i + 1, "file_name": name, "width": int(width), "height": int(height)}
        images.append({**(context.notes[i] if context.notes else {}), **image})
        if landmarks.present[i].any():
            annotations.append(_annotation(landmarks, i, len(annotations) + 1))
    category = {"id": 1, "name": CATEGORY, "supercategory": "", "keypoints": landmarks.names}
    content = {
        "info": {"description": "pixels; (0, 0) is the centre of the first pixel"},
        "images": images,
        "annotations": annotations,
        "categories": [{**category, "skeleton": []}],
    }
    with writing(path) as beside:
        beside.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _annotation(landmarks: Landmarks, i: int, number: int) -> dict[str, Any]:
    """The points of an image, with the box of the pixels that they are in."""
    present, xy = landmarks.present[i], np.nan_to_num(landmarks.xy[i])
    shown = np.ones(len(present), bool) if landmarks.visible is None else landmarks.visible[i]
    flat: list[float] = []
    for (x, y), v in zip(xy, np.where(present, 1 + shown, 0), strict=True):
        flat += [float(x), float(y), int(v)]
    least, most = xy[present].min(axis=0), xy[present].max(axis=0)
    width, height = (float(v) for v in most - least + 1)
    entry = {
        "id": number,
        "image_id": i + 1,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": flat,
        "num_keypoints": int(present.sum()),
        "bbox": [*least.tolist(), width, height],
        "area": width * height,
    }
    if landmarks.confidence is not None and not np.isnan(landmarks.confidence[i]).all():
        entry["score"] = float(np.nanmean(landmarks.confidence[i]))
    return entry


COCO = Format(
    name="coco",
    title="COCO key points",
    suffixes=(".json",),
    recognises=_recognises,
    read=_read,
    write=_write,
    takes=frozenset(("category", "several")),
    sized=True,
    instructions="Import this file as COCO key points, with the images under the names in it. What "
    "the tool exports as COCO key points, one instance in each image, is read back.",
)
