"""The plots of errors: their cumulative curve, and a box for each landmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import words
from .axes import Frame, ticks
from .svg import Drawing, circle, line, rect, short, tag, text


def share_below(errors: np.ndarray, lengths: Any) -> Any:
    """Percent of the errors below each length; NaN is left out, infinity never is below."""
    known = np.sort(errors[~np.isnan(errors)])
    return 100 * np.searchsorted(known, lengths, side="left") / max(len(known), 1)


def reach(errors: np.ndarray, radii: Sequence[float]) -> float:
    """Where the cumulative curve ends: nearly all errors, and all radii, are shorter."""
    finite = errors[np.isfinite(errors)]
    return max(float(np.quantile(finite, 0.99)) if len(finite) else 0.0, max(radii)) * 1.1


def columns_of(values: np.ndarray) -> list[np.ndarray]:
    """The finite values of each landmark, of values [N][L]."""
    return [column[np.isfinite(column)] for column in values.T]


def cumulative(errors: np.ndarray, radii: Sequence[float], unit: str) -> Drawing:
    """Share of the errors below each length, with the radii of the detection rates.

    errors: any shape; NaN is left out, infinity never is below.
    """
    count, top = int((~np.isnan(errors)).sum()), reach(errors, radii)
    frame = Frame(x=(0.0, top), y=(0.0, 100.0))
    frame.y_axis("Landmarks below it, %")
    frame.x_axis(f"Error, {unit}", ticks(0.0, top))
    for r in radii:
        frame.upright(r, "grid")
    at = np.linspace(0, top, 241)
    frame.path(zip(at, share_below(errors, at), strict=True), "line t0")
    rates = [(r, share_below(errors, r)) for r in radii]
    for r, rate in rates:
        frame.dot(r, rate, 4, "dot t0", f"{rate:.1f} % below {r:g} {unit}")
    said = ", ".join(f"{rate:.0f} % below {r:g} {unit}" for r, rate in rates)
    return frame.done(f"Cumulative curve of {words.count(count, 'error')}: {said}")


def boxes(errors: np.ndarray, names: Sequence[str], unit: str, width: float = 860) -> Drawing:
    """A box for each landmark: quartiles and median, whiskers to the furthest error within 1.5
    boxes, dots beyond. errors [N][L]; those that are not finite are left out, one must be."""
    columns = columns_of(errors)
    largest = max(float(c.max()) for c in columns if len(c))
    left = min(220.0, 24 + 6.6 * min(max(map(len, names)), 30))
    step = 21.0
    frame = Frame(
        x=(0.0, largest * 1.03 or 1.0),
        y=(float(len(names)), 0.0),
        width=width,
        height=54 + step * len(names),
        left=left,
        top=10,
    )
    frame.x_axis(f"Error, {unit}", ticks(*frame.x, 8), across=True)
    for l, (name, column) in enumerate(zip(names, columns, strict=True)):
        y = frame.py(l + 0.5)
        frame.parts.append(text(short(name, 30), left - 8, y + 4, "tick", "end"))
        if len(column):
            frame.parts.append(_box(frame, name, column, y, unit))
    return frame.done(
        f"Box plot of the errors of {words.count(len(names), 'landmark')}, at most "
        f"{largest:.2f} {unit}",
        "wider",
    )


def _box(frame: Frame, name: str, column: np.ndarray, y: float, unit: str) -> str:
    low, first, median, third, high = five(column)
    said = (
        f"{name}: median {median:.2f} {unit}, quartiles {first:.2f} and {third:.2f}, largest "
        f"{column.max():.2f}"
    )
    a, b, c, d, e = (frame.px(v) for v in (low, first, median, third, high))
    beyond = np.unique(column[(column < low) | (column > high)])
    return tag(
        "g",
        line(a, y, e, y, "mark"),
        rect(b, y - 6, max(d - b, 0.5), 12, "bar"),
        line(c, y - 6, c, y + 6, "mark"),
        *(circle(frame.px(v), y, 2, "point t7") for v in beyond),
        said=said,
    )


def five(values: np.ndarray) -> tuple[float, ...]:
    """Lower whisker, first quartile, median, third quartile, upper whisker of values [K]; a
    whisker is the furthest value within 1.5 times the distance of the quartiles."""
    first, median, third = np.percentile(values, [25, 50, 75])
    room = 1.5 * (third - first)
    inside = values[(values >= first - room) & (values <= third + room)]
    shown = (min(inside.min(), first), first, median, third, max(inside.max(), third))
    return tuple(float(v) for v in shown)
