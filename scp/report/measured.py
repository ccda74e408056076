"""Measurements in a page: a table, their distributions, and how they agree with true ones."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from . import words
from .axes import Frame, span, ticks
from .frame import ROWS, page, part
from .svg import Drawing, grid, short

MEASUREMENTS = "measurements"  # the part of a report that `section` is
WIDTH, HEIGHT, COLUMNS = 286.0, 168.0, 3  # of the small plots
BINS = 24


def section(measurements: Any) -> str:
    """The section as HTML."""
    return part("measured.html", context(measurements))


def page_of(measurements: Any) -> str:
    """The whole page of `Measurements`."""
    m = measurements
    content = context(m)
    return page(
        "measurements.html",
        content
        | {
            "title": words.clean(m.definitions.title),
            "body": _safe(part("measured.html", content)),
            "rows": _rows(m),
            "heads": [words.clean(titled(n, u)) for n, u in zip(m.names, m.units, strict=True)],
            "rows_more": max(0, len(m) - ROWS),
        },
    )


def _safe(html: str) -> Any:
    from markupsafe import Markup

    return Markup(html)


def context(m: Any) -> dict[str, Any]:
    """What the templates show."""
    classes = m.classes
    return {
        "images": len(m),
        "definitions": words.clean(m.definitions.title),
        "level": f"{m.level:.0%}".replace("%", "\u00a0%"),
        "intervals": bool(np.isfinite(m.low).any()),
        "table": [_line(m, k, classes[:, k]) for k in range(len(m.names))],
        "classified": any(d.classes for d in m.measures),
        "plots": distributions(m),
        "missing": [
            (words.clean(name), ", ".join(map(words.clean, marks)))
            for name, marks in m.missing.items()
        ],
        "remarks": [words.clean(text) for text in m.remarks],
        "agreement": None if m.agreement is None else _agreement(m.agreement),
        "w": words,
    }


def _line(m: Any, k: int, classes: np.ndarray) -> dict[str, Any]:
    """A row of the table of measurements."""
    values = m.values[:, k]
    known = values[~np.isnan(values)]
    name, unit, count, mean, sd = m.summary()[k]
    norm = m.norm(k)
    within = ""
    if norm is not None and len(known):
        within = f"{100 * np.mean((known >= norm[0]) & (known <= norm[1])):.0f} %"
    width = (m.high - m.low)[:, k]
    half = float(np.nanmedian(width)) / 2 if np.isfinite(width).any() else math.nan
    titles: dict[str, str] = {}
    for c in m.measures[k].classes:
        titles[c.name] = titles.get(c.name) or c.title
    counts = [f"{title or name}: {int((classes == name).sum())}" for name, title in titles.items()]
    return {
        "name": words.clean(name),
        "title": words.clean(m.measures[k].title),
        "unit": unit,
        "count": f"{count:,}",
        "mean": digits(mean, unit),
        "sd": digits(sd, unit),
        "range": _range(known.min(), known.max(), unit) if len(known) else "–",
        "half": f"± {digits(half, unit)}" if math.isfinite(half) else "–",
        "norm": "" if norm is None else f"{norm[0]:g} to {norm[1]:g}".replace(" ", "\u00a0"),
        "within": within,
        "classes": words.clean("; ".join(counts)) if known.size else "",
    }


def _rows(m: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """Image, and value and class of each measurement."""
    classes = m.classes
    return [
        (
            words.clean(image),
            [
                (digits(v, u), words.clean(c))
                for v, u, c in zip(m.values[i], m.units, classes[i], strict=True)
            ],
        )
        for i, image in enumerate(m.ids[:ROWS])
    ]


def _agreement(a: Any) -> dict[str, Any]:
    lines = []
    for row in a.summary():
        u = row["unit"]
        lines.append(
            {
                "name": words.clean(titled(row["name"], u)),
                "count": f"{row['count']:,}",
                "mean": digits(row["mean"], u, True),
                "sd": digits(row["sd"], u),
                "limits": _range(row["low"], row["high"], u, True),
                "absolute": digits(row["absolute"], u),
                "coverage": percent(100 * row["coverage"]),
                "success": percent(row["success"]),
                "right": percent(row["right"]),
            }
        )
    return {
        "images": len(a.ids),
        "excluded": len(a.excluded),
        "without": len(a.without_truth),
        "lines": lines,
        "plots": bland_altman(a),
        "success": percent(a.mean_success),
        "coverage": percent(100 * a.coverage),
        "scale": f"{a.needed_scale:.2f}" if math.isfinite(a.needed_scale) else "–",
    }


def digits(value: float, unit: str, sign: bool = False) -> str:
    """A value as it is shown: two decimals, three of a ratio."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:{'+' if sign else ''}.{2 if unit else 3}f}"
    return text.replace("-", "\u2212") if float(text) else text.lstrip("+-")


def _range(low: float, high: float, unit: str, sign: bool = False) -> str:
    """On one line."""
    return f"{digits(low, unit, sign)}\u00a0to\u00a0{digits(high, unit, sign)}"


def percent(value: float) -> str:
    return f"{value:.1f}\u00a0%" if math.isfinite(value) else "–"


def titled(name: str, unit: str) -> str:
    """A measurement with its unit."""
    return f"{name}, {'°' if unit == 'deg' else unit}" if unit else name


# ---- plots ----


def distributions(m: Any) -> Drawing | str:
    """A histogram of each measurement, with what is usual as a band."""
    tiles, titles = [], []
    for k, name in enumerate(m.names):
        known = m.values[~np.isnan(m.values[:, k]), k]
        if len(known):
            tiles.append(_histogram(known, name, m.units[k], m.norm(k)))
            titles.append(words.clean(titled(name, m.units[k])))
    return replace(grid(tiles, COLUMNS, titles), class_="wider") if tiles else ""


def bins(
    known: np.ndarray, norm: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Counts, edges and range of the histogram of the values of a measurement."""
    low, high = span([*known, *(norm or ())], 0.04)
    edges = np.linspace(low, high, min(BINS, max(6, int(2 * len(known) ** 0.5))) + 1)
    return np.histogram(known, edges)[0], edges, (low, high)


def _histogram(
    known: np.ndarray, name: str, unit: str, norm: tuple[float, float] | None
) -> Drawing:
    counts, edges, (low, high) = bins(known, norm)
    frame = Frame(
        x=(low, high),
        y=(0.0, float(counts.max()) * 1.08),
        width=WIDTH,
        height=HEIGHT,
        left=34,
        right=10,
        top=24,
        bottom=26,
    )
    said = f"{name} of {words.count(len(known), 'image')}"
    if norm is not None:
        usual = f"usual: {norm[0]:g} to {norm[1]:g}"
        frame.bar(norm, frame.y, "band t1", usual)
        said += f", {usual}"
    frame.y_axis("Images", 4, whole=True)
    frame.x_axis("", ticks(low, high, 5))
    for a, b, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            text = f"{digits(a, unit)} to {digits(b, unit)}: {words.count(int(count), 'image')}"
            frame.bar((a, b), (0.0, float(count)), "bar t0", text, 0.5)
    return frame.done(words.clean(said))


def bland_altman(a: Any) -> Drawing | str:
    """Of each measurement the difference from the true value against the mean of both, with the
    mean difference and the limits of agreement (Bland and Altman, 1986)."""
    tiles, titles = [], []
    for k, row in enumerate(a.summary()):
        if row["count"] > 1:
            tiles.append(_difference(a, k, row))
            titles.append(words.clean(titled(row["name"], row["unit"])))
    return replace(grid(tiles, COLUMNS, titles), class_="wider") if tiles else ""


def pairs(a: Any, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of measurement k: the images where both values are known, their differences, and the means
    of both values."""
    difference = a.differences[:, k]
    here = np.flatnonzero(~np.isnan(difference))
    return here, difference[here], a.truth[here, k] + difference[here] / 2


def _difference(a: Any, k: int, row: dict[str, Any]) -> Drawing:
    unit = row["unit"]
    here, difference, middle = pairs(a, k)
    frame = Frame(
        x=span(middle, 0.05),
        y=span([*difference, row["low"], row["high"]], 0.06),
        width=WIDTH,
        height=HEIGHT + 24,
        left=40,
        right=10,
        top=24,
        bottom=44,
    )
    frame.y_axis("Measured \u2212 true", 5)
    frame.x_axis("Mean of both", ticks(*frame.x, 5))
    ends = frame.x
    for value, class_, what in (
        (row["mean"], "line t1", "mean difference"),
        (row["low"], "line t1 dashed", "lower limit of agreement"),
        (row["high"], "line t1 dashed", "upper limit of agreement"),
    ):
        frame.path([(x, value) for x in ends], class_, f"{what} {digits(value, unit, True)}")
    for i, x, y in zip(here, middle, difference, strict=True):
        said = f"{short(a.ids[i], 40)}: {digits(y, unit, True)}"
        frame.dot(float(x), float(y), 2.2, "point t0", said)
    limits = f"limits {digits(row['low'], unit, True)} and {digits(row['high'], unit, True)}"
    said = f"mean difference {digits(row['mean'], unit, True)}, {limits}"
    return frame.done(words.clean(f"Bland-Altman plot of {row['name']}: {said}"))
