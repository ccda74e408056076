"""Label Studio: a list of tasks in JSON; points in percent of the image, from its corner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DatasetError
from ...runs import writing
from ..json import load_json, number, objects, size_of
from ..table import Landmarks
from ..text import read_text
from .base import Context, Format, Read
from .gather import Gathered

TAG, OF, MODEL = "landmarks", "image", "scp"


def _recognises(path: Path, head: str) -> bool:
    start = head.lstrip()[:1]
    return start in ("[", "{") and '"keypoints"' not in head and '"data"' in head


def _read(path: Path, context: Context) -> Read:
    text = read_text(path)
    content = load_json(path, text)
    tasks = objects([content] if isinstance(content, dict) else content, str(path))
    found = Gathered(path, context)
    for k, task in enumerate(tasks):
        place = f"tasks[{k}]"
        _task(found, task, f"{path}, {place}", place)
    return found.read(len(text))


def _task(found: Gathered, task: dict[str, Any], where: str, place: str) -> None:
    data = task.get("data")
    if not isinstance(data, dict):
        raise DatasetError(f"{where}: data must be an object")
    # "scp_id" is what an export of ours said; a tool may have changed the name of the file.
    name = data.get("scp_id") or data.get("image") or data.get("img")
    if not isinstance(name, str):
        raise DatasetError(f"{where}: data has no image")
    entries = []
    for item in objects(task.get("annotations") or [], f"{where}.annotations"):
        if item.get("was_cancelled"):
            found.left_out("annotations that were cancelled")
        else:
            entries.append(item)
    if len(entries) > 1:
        raise DatasetError(
            f"{where}: {len(entries)} annotations of one image; export one of each task"
        )
    guessed = not entries
    entries = entries or objects(task.get("predictions") or [], f"{where}.predictions")[:1]
    results = [
        (entry, f"{where}.result[{j}]")
        for item in entries
        for j, entry in enumerate(objects(item.get("result") or [], f"{where}.result"))
    ]
    row = found.image(name, where, place, _size(results))
    for entry, at in results:
        _point(found, row, entry, at, guessed)


def _size(results) -> tuple[int, int] | None:
    for entry, at in results:
        size = size_of(entry, "original_height", "original_width", at)
        if size is not None:
            return size
    return None


def _point(found: Gathered, row: int, entry: dict[str, Any], at: str, guessed: bool) -> None:
    value = entry.get("value")
    if entry.get("type") not in ("keypointlabels", "keypoint") or not isinstance(value, dict):
        found.left_out(f"results of type {str(entry.get('type'))[:40]}")
        return
    labels = value.get("keypointlabels") or []
    if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str):
        raise DatasetError(f"{at}: a point needs one label in keypointlabels")
    if entry.get("image_rotation"):
        raise DatasetError(f"{at}: the image was turned in Label Studio; turn it back there")
    shape = size_of(entry, "original_height", "original_width", at) or found.shape(row)
    if shape is None:
        raise DatasetError(
            f"{at}: neither original_width and original_height nor the images (images=) say how "
            "large the image is, and points are in percent of it"
        )
    if found.shape(row) not in (None, shape):
        raise DatasetError(f"{at}: the size of the image is another one than in the first result")
    x, y = (
        number(value.get(axis), f"{at}, {axis}") / 100 * length - 0.5
        for axis, length in (("x", shape[1]), ("y", shape[0]))
    )
    score = entry.get("score") if guessed else None
    found.point(
        row,
        labels[0],
        (x, y),
        at,
        visible=not value.get("hidden", False),
        confidence=float("nan") if score is None else number(score, f"{at}, score"),
    )


def _write(path: Path, landmarks: Landmarks, context: Context) -> None:
    rows = [_written(landmarks, i, context) for i in range(len(landmarks))]
    with writing(path) as beside:
        beside.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _written(landmarks: Landmarks, i: int, context: Context) -> dict[str, Any]:
    name, notes = landmarks.ids[i], context.notes[i] if context.notes else {}
    height, width = context.size(name)
    guessed = landmarks.source is not None and bool(
        (~landmarks.by_hand & landmarks.present)[i].any()
    )
    results = []
    for k in np.flatnonzero(landmarks.present[i]):
        x, y = landmarks.xy[i, k]
        value = {
            "x": float((x + 0.5) / width * 100),
            "y": float((y + 0.5) / height * 100),
            "width": 0.5,
            "keypointlabels": [landmarks.names[k]],
        }
        if landmarks.visible is not None and not landmarks.visible[i, k]:
            value["hidden"] = True
        entry = {
            "id": f"p{k}",
            "type": "keypointlabels",
            "from_name": TAG,
            "to_name": OF,
            "original_width": int(width),
            "original_height": int(height),
            "image_rotation": 0,
            "value": value,
        }
        if guessed and landmarks.confidence is not None:
            entry["score"] = float(np.nan_to_num(landmarks.confidence[i, k]))
        results.append(entry)
    task: dict[str, Any] = {"data": {"image": name, "scp_id": name, **notes}}
    if guessed:
        scores = [entry["score"] for entry in results if "score" in entry]
        mean = float(np.mean(scores)) if scores else 0.0
        task["predictions"] = [{"model_version": MODEL, "score": mean, "result": results}]
    elif results:
        task["annotations"] = [{"result": results}]
    return task


LABEL_STUDIO = Format(
    name="label-studio",
    title="Label Studio JSON",
    suffixes=(".json",),
    recognises=_recognises,
    read=_read,
    write=_write,
    origin=None,
    sized=True,
    instructions='In a project with <Image name="image" value="$image"/> and <KeyPointLabels '
    'name="landmarks" toName="image"> with these names, serve the images (local files or a '
    "cloud) under the paths in the tasks. Then import this file; what was marked comes back with "
    "Export, JSON.",
)
