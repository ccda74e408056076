"""Measurements from landmarks.

found = scp.read_landmarks("landmarks.csv")
result = scp.measure(found, "isbi2015", spacing=0.1)
result.values, result.low, result.high, result.classes
result.write("measurements")
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..datasets import Dataset
from ..datasets.spacing import spacing_of
from ..errors import DatasetError
from ..landmarks import Landmarks
from ..values import real
from .agreement import agreement
from .definitions import BUILT_IN, LENGTH, Definitions
from .parse import read_definitions
from .result import Measurements
from .values import Points, spread_of, values_of

# What makes 90 % intervals hold 90 % (benchmarks/measurements.py --halves 2): errors are not
# normal, and those of one image not quite independent.
ERROR_SCALE = 1.1
PER_AXIS = (2 / np.pi) ** 0.5  # sd of a coordinate of a point whose mean distance is 1


def measure(
    landmarks: Landmarks | Dataset,
    definitions: str | os.PathLike[str] | Mapping[str, Any] | Definitions = "cephalometry",
    *,
    spacing: ArrayLike | str | os.PathLike[str] | None = None,
    images: Dataset | None = None,
    truth: Landmarks | Dataset | None = None,
    level: float = 0.9,
    error_scale: float = ERROR_SCALE,
) -> Measurements:
    """Distances, angles and what is made of them, of each image, from landmarks by name.

    Pixels become square (mm) before anything is measured. Without a spacing, pixels are taken to be
    square, lengths are in pixels, and classes and norms in mm are not used.

    An interval is from the landmarks' expected errors (`Landmarks.error`): points err in both
    directions alike and independently of each other, and a value moves as its slope says; widened
    by what was found to be needed (docs/how-to/measure.md). Points that a person gave count as
    exact.

    Args:
        landmarks: `Landmarks`, or a `Dataset` that has some.
        definitions: "cephalometry", "isbi2015", a TOML file, or tables like those of one.
        spacing: mm per pixel: one number, (sy, sx), [N][2], or a CSV image,sy,sx.
        images: the `Dataset` of the landmarks, for its spacing.
        truth: true landmarks, to compare with (`Measurements.agreement`): of the same images by id,
            measured alike.
        level: of the intervals, the share of true values that they are to hold.
        error_scale: what the expected errors are multiplied by.

    Raises:
        DatasetError: definitions that cannot be understood; a landmark that no image has, of a
            measurement that is not optional; with the file and the key.
        ValueError: names the argument.
    """
    definitions = read_definitions(definitions)
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    if isinstance(landmarks, Dataset) and images is None:
        images = landmarks
    marks = _landmarks(landmarks, "landmarks")
    if not 0 <= real(error_scale, "error_scale") < float("inf"):
        raise ValueError(f"error_scale must be a number from 0 on, got {error_scale}")
    known = None if truth is None else _true(truth, marks)
    mm = _spacing(spacing, images, marks)
    result = _measured(marks, definitions, mm, level, error_scale)
    if spacing is None and mm is not None and images is not None and images.spacing_note():
        result.remarks.append(f"Spacing of the files: {images.spacing_note()}.")
    if known is None:
        return result
    return replace(result, agreement=agreement(result, _measured(known, definitions, mm, level, 1)))


def can_measure(names: Sequence[str]) -> bool:
    """Whether landmarks of these names give most measurements of cephalograms."""
    try:
        definitions = read_definitions("cephalometry")
        columns = definitions.columns(names)
    except DatasetError:  # names that could be two
        return False
    needed = definitions.landmarks()
    known = [all(name in columns for name in needed[m.name]) for m in definitions.shown]
    return sum(known) > len(known) / 2


def _measured(
    marks: Landmarks, definitions: Definitions, mm: np.ndarray | None, level: float, scale: float
) -> Measurements:
    columns = definitions.columns(marks.names)
    missing = _missing(definitions, columns, marks)
    pixel = np.ones((len(marks), 2)) if mm is None else np.where(np.isnan(mm), 1.0, mm)
    pixel = pixel[:, None, ::-1]  # [N][1][2], of x and y
    points = Points(definitions, marks.xy * pixel, columns)
    shown = definitions.shown
    values = _table(values_of(definitions, points), shown)
    half = np.full(values.shape, np.nan)
    if marks.error is not None:
        sd = (scale * PER_AXIS * np.where(marks.by_hand, 0.0, marks.error))[..., None] * pixel
        half = _table(spread_of(definitions, points, sd), shown)
        half *= NormalDist().inv_cdf(0.5 + level / 2)
    unmeasured = np.zeros(len(marks), bool) if mm is None else np.isnan(mm).any(axis=1)
    lengths = np.array([m.unit == LENGTH for m in shown])
    values[np.ix_(unmeasured, lengths)] = np.nan  # pixels among millimetres
    return Measurements(
        ids=marks.ids,
        names=[m.name for m in shown],
        units=["px" if mm is None and m.unit == LENGTH else m.unit for m in shown],
        values=values,
        low=values - half,
        high=values + half,
        level=level,
        error_scale=scale,
        definitions=definitions,
        by_hand=marks.by_hand.any(axis=1),
        missing=missing,
        remarks=_remarks(definitions, points, mm, unmeasured),
    )


def _table(columns: Mapping[str, np.ndarray], shown) -> np.ndarray:
    """[N][M] of the measurements that are shown."""
    return np.stack([columns[m.name] for m in shown], axis=1)


def _landmarks(source: Landmarks | Dataset, name: str) -> Landmarks:
    if isinstance(source, Landmarks):
        return source
    if isinstance(source, Dataset):
        try:
            return Landmarks.of(source)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    raise TypeError(f"{name} must be Landmarks or a data set, got {type(source).__name__}")


def _true(truth: Landmarks | Dataset, marks: Landmarks) -> Landmarks:
    """The true landmarks of these images, absent where there are none."""
    try:
        known = _landmarks(truth, "truth").rows(marks.ids, absent=True)
    except ValueError as error:
        raise ValueError(f"truth: {str(error).removeprefix('truth: ')}") from None
    if not known.present.any():
        raise ValueError(f"truth: none of the images {marks.ids[0]!r}, ... is in it")
    return known


def _spacing(spacing, images: Dataset | None, marks: Landmarks) -> np.ndarray | None:
    """mm per pixel, [N][2] (sy, sx), NaN where an image has none; None where no image has."""
    mm = spacing_of(spacing, marks.ids)
    if mm is None and images is not None and images.spacing is not None:
        rows = Landmarks(images.ids, ["spacing"], np.asarray(images.spacing)[:, None])
        mm = rows.rows(marks.ids, absent=True).xy[:, 0]
    return None if mm is None or np.isnan(mm).all() else mm


def _missing(
    definitions: Definitions, columns: Mapping[str, int], marks: Landmarks
) -> dict[str, list[str]]:
    """Measurement -> landmarks that no image has; DatasetError where that is not meant to be."""
    there = {name for name, k in columns.items() if marks.present[:, k].any()}
    needed = definitions.landmarks()
    missing = {
        m.name: lacking
        for m in definitions.shown
        if (lacking := [name for name in needed[m.name] if name not in there])
    }
    strict = definitions.source not in BUILT_IN
    odd = [m for m in definitions.shown if m.name in missing and strict and not m.optional]
    if odd or len(missing) == len(definitions.shown):
        name = odd[0].name if odd else next(iter(missing))
        some = ", ".join(marks.names[:8]) + (", ..." if len(marks.names) > 8 else "")
        hint = "optional = true leaves the measurement empty" if odd else "define your own (TOML)"
        raise DatasetError(
            f"{definitions.source}: measures.{name}: no image has the landmark "
            f"{missing[name][0]!r}; there are {some}; {hint}"
        )
    return missing


def _remarks(definitions, points: Points, mm: np.ndarray | None, unmeasured) -> list[str]:
    """What a reader of the numbers must know."""
    out = []
    lengths = [m.name for m in definitions.shown if m.unit == LENGTH]
    if mm is None:
        said = "No spacing is known: pixels are taken to be square"
        also = ", lengths are in pixels and without classes" if lengths else ""
        out.append(f"{said}{also}.")
    elif unmeasured.any():
        count = int(unmeasured.sum())
        said = "1 image has" if count == 1 else f"{count} images have"
        also = ", their lengths are empty" if lengths else ""
        out.append(f"{said} no spacing: pixels are taken to be square there{also}.")
    if mirrored := int((points.sense < 0).sum()):
        said = "1 image is" if mirrored == 1 else f"{mirrored} images are"
        three = ", ".join(definitions.clockwise)
        out.append(f"{said} mirrored ({three} run counter-clockwise): signs are turned there.")
    return out
