"""Plots of selections, images and errors, for notebooks and papers.

Each function returns a `Drawing`: a notebook shows it as the value of a cell, with numbers under
the pointer, and `drawing.save("name.svg")` writes it. The report draws with the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import charts, overlay, poolmap
from .errors import boxes, cumulative
from .pictures import Picture, Pictures
from .stats import measure, project
from .svg import Drawing, grid
from .words import signed

SIZE = 260  # longer side of a picture in the drawing
SHARP = 2  # pixels of the file for each of it


def coverage_curve(selections: Any) -> Drawing:
    """Score against M with the certified upper bound.

    selections: Selections of different M, in any order; one alone is drawn pick by pick.
    """
    series = [selections] if hasattr(selections, "selected") else list(selections)
    if not series:
        raise ValueError("selections: expected at least one Selection")
    series.sort(key=lambda s: len(s.selected))
    return charts.coverage_curve(series, series[-1])


def coverage_map(
    values: np.ndarray, offsets: np.ndarray, selection: Any, dataset: Any = None
) -> Drawing:
    """The pool in the plane: images coloured by the template that represents them.

    values [N][Q] and offsets [N+1] as in `write_report`. dataset: of the images, for their names
    and for pictures of the templates. Raises ValueError if fewer than three images with key points
    differ.
    """
    offsets = np.asarray(offsets, dtype=np.int64)
    pool = measure(values, offsets, selection)
    where = project(values, offsets, pool.templates)
    if where is None:
        raise ValueError("values: a map needs three images with key points that differ")
    if dataset is None:
        return poolmap.pool_map(pool, where, [f"image {n}" for n in range(len(pool.counts))], {})
    thumbs = poolmap.thumbnails(pool, where, Pictures(dataset))
    return poolmap.pool_map(pool, where, dataset.ids, thumbs)


def chosen_images(
    dataset: Any,
    keypoints_xy: np.ndarray,
    offsets: np.ndarray,
    selection: Any,
    columns: int = 5,
) -> Drawing:
    """The chosen images in pick order with their key points and gains.

    keypoints_xy [Q][2] in original pixels and offsets [N+1] as in `write_report`.
    """
    chosen = [int(i) for i in selection.selected]
    if not chosen:
        raise ValueError("selection: no image was chosen")

    reader, tiles = Pictures(dataset), []
    for i in chosen:
        xy = np.asarray(keypoints_xy[offsets[i] : offsets[i + 1]])
        picture = readable(reader, i)
        marks = overlay.key_points(xy, picture.original)
        tiles.append(marks.over(picture, SIZE, f"Image {dataset.ids[i]}"))
    titles = [
        f"{k}. {dataset.ids[i]}\n{signed(float(gain))}"
        for k, (i, gain) in enumerate(zip(chosen, selection.gains, strict=True), 1)
    ]
    return grid(tiles, columns, titles)


def found_landmarks(
    dataset: Any,
    landmarks: Any,
    rows: Sequence[int],
    truth: np.ndarray | None = None,
    columns: int = 5,
) -> Drawing:
    """Some images with the landmarks found in them (crosses) and, where they are known, the true
    ones (rings).

    landmarks: of all images of the dataset, xy [N][L][2] in original pixels, with confidence
    [N][L] or without. rows: images to draw. truth: [N][L][2] likewise; NaN is not drawn.
    """
    rows = [int(i) for i in rows]
    if not rows:
        raise ValueError("rows: expected at least one image")
    reader, tiles, titles = Pictures(dataset), [], []
    confidence = getattr(landmarks, "confidence", None)
    for i in rows:
        tiles.append(
            landmark_picture(reader, i, landmarks.xy[i], None if truth is None else truth[i])
        )
        mean = "" if confidence is None else f"\nconfidence {np.nanmean(confidence[i]):.2f}"
        titles.append(f"{dataset.ids[i]}{mean}")
    return grid(tiles, columns, titles)


def landmark_picture(reader: Pictures, i: int, found: np.ndarray, truth: Any = None) -> Drawing:
    """Image i with landmarks found in it and, where they are known, the true ones, [L][2] each."""
    picture = readable(reader, i)
    h, w = picture.original
    marks = overlay.landmarks(np.asarray(found), truth, (0, 0, w, h), size=1.4)
    return marks.over(picture, SIZE, f"Image {reader.dataset.ids[i]}")


def readable(reader: Pictures, i: int) -> Picture:
    """A picture of image i. Raises ValueError where the report shows a placeholder."""
    picture = reader.small(i, SHARP * SIZE)
    if not picture.uri:
        raise ValueError(f"dataset: {reader.problems[i]}")
    return picture


def error_figure(
    errors: np.ndarray, names: Sequence[str], radii: Sequence[float], unit: str
) -> Drawing:
    """The cumulative curve of errors [N][L] with the radii of the detection rates, and a box for
    each of the L landmarks: quartiles, median, whiskers to the furthest error within 1.5 boxes.

    NaN is left out; an infinite error (a landmark that was not predicted) counts in the curve only.
    """
    parts = [cumulative(errors, radii, unit)]
    if np.isfinite(errors).any():
        parts.append(boxes(errors, names, unit, width=560))
    return grid(parts, 2)
