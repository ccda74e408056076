"""The report: one HTML file, self-contained and offline, that explains a selection.

    from scp.report import write_report
    write_report("report.html", dataset=images, keypoints_xy=xy, offsets=offsets,
                 values=similarity, selection=selection)

The file makes no request of any kind: pictures are data: URIs, plots are SVG, and its own content
security policy forbids the rest. Ids, file names and messages are untrusted text and are escaped.
The same input gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..runs import writing
from ..values import array
from . import measured
from .found import LANDMARKS, NEXT, between, landmarks_in, next_steps, replace, section
from .page import render

__all__ = ["landmarks_in", "show_landmarks", "show_measurements", "write_report"]


def write_report(
    path: str | os.PathLike[str],
    *,
    dataset: Any,
    keypoints_xy: np.ndarray,
    offsets: np.ndarray,
    values: np.ndarray,
    selection: Any,
    curve: Sequence[Any] = (),
    second: Any = None,
    notes: Mapping[str, Any] | None = None,
    title: str | None = None,
    landmarks: Any = None,
) -> Path:
    """Write the HTML report of a selection and return its path.

    The file appears whole or not at all.

    Args:
        dataset: N images with `ids`, `image(i)` and `shape(i)`; an image that cannot be read is
            shown as a placeholder and listed.
        keypoints_xy: float32 [Q][2], (x, y) in original pixels, image by image.
        offsets: int64 [N+1]; the key points of image n are offsets[n] .. offsets[n+1]-1. An image
            may have none.
        values: float [N][Q], similarity of every key point (column) in every image (row). May be a
            memmap: it is read in blocks of rows.
        selection: the Selection to explain.
        curve: Selections for increasing M, for the curve of score and bound.
        second: the Selection of a second round, after this one, or None.
        notes: optional `parameters` (nested mapping), `warnings` (texts), `skipped` ((id, reason)
            pairs), `duplicates` ((id, id, kind) triples), `next` ((sentence, command) pairs),
            `elapsed` (stage -> seconds), `command` (text) and `versions` (mapping).
        title: heading above the report; the dataset's name if None.
        landmarks: found in the images, a `scp.Landmarks`, or None: `show_landmarks` can add
            them later.

    Raises:
        ValueError: shapes do not agree.
    """
    if not hasattr(values, "shape") or not hasattr(values, "dtype"):  # else read in blocks of rows
        values = array(values, "values", None, 2)
    offsets = array(offsets, "offsets", np.int64, 1)
    points = array(keypoints_xy, "keypoints_xy", np.float32).reshape(-1, 2)
    _check(len(dataset), points, offsets, values, selection)
    html = render(
        dataset, points, offsets, values, selection, curve, notes or {}, title, landmarks, second
    )
    target = Path(path)
    with writing(target) as beside:
        beside.write_bytes(html.encode("utf-8"))
    return target


def show_landmarks(
    path: str | os.PathLike[str],
    dataset: Any,
    landmarks: Any,
    templates: Sequence[int],
    *,
    steps: Sequence[tuple[str, str]] = (),
    remark: str = "",
) -> bool:
    """Put landmarks found into a report of the same images, in place of those it shows.

    path: of the report. dataset, landmarks: as in `write_report`. templates: rows of the images
    that were annotated, where the landmarks have no source. steps: what to do next, (sentence,
    command), in place of what it says. remark: what to know of the landmarks.

    Returns whether there is a report at `path` that has a place for them.
    """
    target = Path(path)
    if not target.is_file():
        return False
    html = target.read_text(encoding="utf-8")
    rows = np.array(templates, np.int64)
    html = replace(html, LANDMARKS, section(dataset, landmarks, rows, remark=remark))
    if html is None:
        return False
    html = (replace(html, NEXT, next_steps(steps)) if steps else None) or html
    html = replace(html, measured.MEASUREMENTS, "") or html  # they were those of other landmarks
    with writing(target) as beside:
        beside.write_bytes(html.encode("utf-8"))
    return True


def show_measurements(path: str | os.PathLike[str], measurements: Any) -> bool:
    """Put measurements into a report below its landmarks, in place of those it shows, until other
    landmarks are shown.

    path: of the report. measurements: `scp.measures.Measurements`.

    Returns whether there is a report at `path` that has a place for them.
    """
    target = Path(path)
    if not target.is_file():
        return False
    html = target.read_text(encoding="utf-8")
    html = replace(html, measured.MEASUREMENTS, "") or html
    before, end, after = html.partition(f"<!-- end of {LANDMARKS} -->")
    if not end:
        return False
    new = between(measured.MEASUREMENTS, measured.section(measurements))
    with writing(target) as beside:
        beside.write_bytes(f"{before}{end}{new}{after}".encode())
    return True


def _check(n: int, points: np.ndarray, offsets: np.ndarray, values: Any, selection: Any) -> None:
    if n == 0:
        raise ValueError("dataset: holds no images")
    if offsets.shape != (n + 1,) or offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise ValueError(
            f"offsets: expected {n + 1} increasing numbers from 0, got shape {offsets.shape}"
        )
    q = int(offsets[-1])
    if len(points) != q:
        raise ValueError(f"keypoints_xy: expected {q} points as offsets says, got {len(points)}")
    if tuple(values.shape) != (n, q):
        raise ValueError(f"values: expected shape ({n}, {q}), got {tuple(values.shape)}")
    chosen = np.asarray(selection.selected)
    if (
        chosen.ndim != 1
        or ((chosen < 0) | (chosen >= n)).any()
        or len(set(chosen.tolist())) != len(chosen)
    ):
        raise ValueError(f"selection.selected: expected distinct image numbers below {n}")
    if len(selection.gains) != len(chosen):
        raise ValueError(
            f"selection.gains: expected {len(chosen)} numbers, got {len(selection.gains)}"
        )
    for name in ("cover", "cover_value"):
        if len(getattr(selection, name)) != q:
            raise ValueError(
                f"selection.{name}: expected {q} entries, got {len(getattr(selection, name))}"
            )
    cover = np.asarray(selection.cover)
    if q and (cover.min() < -1 or cover.max() >= n):
        raise ValueError(f"selection.cover: expected image numbers below {n}")
