"""The page that shows an evaluation: numbers, curve, boxes, and the worst cases with pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import svg, words
from .frame import ROWS, page
from .pictures import Pictures

WORST = 12  # cases with a picture
SHARE = 0.12  # of the longer side of the image: the region shown around a case, at least
PREDICTED, TRUE = "#56b4e9", "#ffd84d"


def render(evaluation: Any, pictures: bool = True) -> str:
    """The whole page of an `Evaluation`; without `pictures` no image is read."""
    from markupsafe import Markup

    e = evaluation
    landmarks, images = e.by_landmark(), e.by_image()
    cases, problems = _cases(e, pictures)
    order = np.argsort(-np.nan_to_num(images.mean, nan=np.inf), kind="stable")
    context = {
        "title": words.clean(getattr(e.images, "name", None) or "landmarks"),
        "unit": e.unit,
        "said": _said(e),
        "facts": _facts(e),
        "rates": [
            (f"{r:g}", _percent(rate), f"{_percent(low)} to {_percent(high)}")
            for r, rate, (low, high) in zip(e.radii, e.rates, e.rates_intervals, strict=True)
        ],
        "radii": [f"{r:g}" for r in e.radii],
        "level": f"{e.level:.0%}".replace("%", "\u00a0%"),
        "curve": Markup(cumulative(e.errors, e.radii, e.unit)),
        "boxes": Markup(boxes(e.errors, e.names, e.unit)) if e.count else "",
        "landmarks": _rows(e.names, landmarks, range(len(e.names))),
        "images": _rows(e.ids, images, order[:ROWS]),
        "images_more": max(0, len(e.ids) - ROWS),
        "cases": cases,
        "notes": [
            (title, [words.clean(i) for i in ids[:ROWS]], max(0, len(ids) - ROWS))
            for title, ids in (
                ("Left out: no true landmark", e.left_out),
                ("Not evaluated: no prediction", e.not_predicted),
                ("Excluded on demand", e.excluded),
            )
            if ids
        ],
        "missing": words.count(e.missing, "landmark") if e.missing else "",
        "grid": f"{e.grid['size'][0]} × {e.grid['size'][1]} ({e.grid['rule']})" if e.grid else "",
        "details": words.flatten(
            {
                "unit": e.unit,
                "radii": list(e.radii),
                "interval": {"level": e.level, "resamples": e.resamples, "seed": e.seed},
                "grid": e.grid or "none: errors in the original images",
            }
        ),
        "unread": problems,
        "w": words,
    }
    return page("evaluation.html", context)


def _said(e: Any) -> str:
    low, high = e.mre_interval
    if not e.count:
        return "No landmark was predicted."
    return (
        f"The predicted landmarks lie {_length(e.mre)} {e.unit} from the true ones on average; "
        f"{e.level:.0%} interval {_length(low)} to {_length(high)} {e.unit}.".replace(
            "%", "\u00a0%"
        )
    )


def _facts(e: Any) -> list[tuple[str, str, str]]:
    low, high = e.rates_intervals[0]
    return [
        ("Mean radial error", f"{_length(e.mre)} {e.unit}", f"median {_length(e.median)} {e.unit}"),
        (
            f"Detected within {e.radii[0]:g} {e.unit}",
            _percent(e.rates[0]),
            f"interval {_percent(low)} to {_percent(high)}",
        ),
        ("Images", f"{len(e.ids):,}", f"{len(e.names)} landmarks each"),
        (
            "Landmarks",
            f"{e.count:,}",
            f"compared; {e.missing:,} not predicted, {e.absent:,} without truth",
        ),
    ]


def _rows(names: list[str], table: Any, order: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": words.clean(names[k]),
            "count": f"{int(table.count[k]):,}",
            "mean": _length(table.mean[k]),
            "sd": _length(table.sd[k]),
            "median": _length(table.median[k]),
            "largest": _length(table.largest[k]),
            "rates": [_percent(v) for v in table.rates[k]],
        }
        for k in order
    ]


def _length(x: float) -> str:
    return f"{x:,.2f}" if np.isfinite(x) else "–"


def _percent(x: float) -> str:
    return f"{x:.1f}\u00a0%" if np.isfinite(x) else "–"


# ---- worst cases ----


def _cases(e: Any, pictures: bool) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The worst cases for the template, and the images that could not be read, with reasons."""
    from markupsafe import Markup

    crops = _Crops(e) if e.images is not None and pictures else None
    reader = Pictures(crops)
    cases = []
    for k, (i, l) in enumerate(e.worst(WORST)):
        picture = reader.small(k, 360) if crops is not None else None
        cases.append(
            {
                "image": words.clean(e.ids[i]),
                "landmark": words.clean(e.names[l]),
                "error": _length(e.errors[i, l]),
                "predicted": _place(e.predicted[i, l]),
                "truth": _place(e.truth[i, l]),
                "picture": picture,
                "overlay": Markup(overlay(e.predicted[i, l], e.truth[i, l], crops.box(k)))
                if picture is not None and picture.uri
                else "",
            }
        )
    problems = {e.ids[e.worst(WORST)[k][0]]: why for k, why in reader.problems.items()}
    return cases, [(words.clean(name), why) for name, why in sorted(problems.items())]


def _place(xy: np.ndarray) -> str:
    return f"({xy[0]:.1f}, {xy[1]:.1f})"


class _Crops:
    """The regions around the worst cases, as images that `Pictures` can read."""

    def __init__(self, e: Any) -> None:
        self.images, self.cases = e.images, e.worst(WORST)
        self.points = [(e.predicted[i, l], e.truth[i, l]) for i, l in self.cases]

    def box(self, k: int) -> tuple[int, int, int, int]:
        """Left, top, width and height of region k, in pixels of the image."""
        h, w = self.images.shape(self.cases[k][0])
        return region(*self.points[k], (h, w))

    def shape(self, k: int) -> tuple[int, int]:
        _, _, width, height = self.box(k)
        return height, width

    def image(self, k: int) -> np.ndarray:
        left, top, width, height = self.box(k)
        return self.images.image(self.cases[k][0])[top : top + height, left : left + width]


def region(a: np.ndarray, b: np.ndarray, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """A square around two points, cut at the borders of the image of `shape` (H, W): left, top,
    width, height. It never is empty: a point outside the image is moved to its border first."""
    h, w = shape
    a, b = (np.clip(p, 0, (w - 1, h - 1)) for p in (a, b))
    half = max(0.9 * float(np.abs(a - b).max()), SHARE / 2 * max(h, w), 8.0)
    middle = (a + b) / 2
    left, top = (max(0, int(v - half)) for v in middle)
    right, bottom = min(w, int(middle[0] + half) + 1), min(h, int(middle[1] + half) + 1)
    return left, top, right - left, bottom - top


def overlay(predicted: np.ndarray, truth: np.ndarray, at: tuple[int, int, int, int]) -> str:
    """Both points over the region `at` of the image: a cross where predicted, a ring where true."""
    left, top, width, height = at
    unit = max(width, height) / 100
    # Pixel centres are at integers; the drawing's pixel (0, 0) is the square from 0 to 1.
    (px, py), (tx, ty) = ((float(p[0]) + 0.5, float(p[1]) + 0.5) for p in (predicted, truth))
    thin = {"vector_effect": "non-scaling-stroke", "fill": "none"}
    cross = "".join(
        f"M{svg.fixed(px - dx)} {svg.fixed(py - dy)}L{svg.fixed(px + dx)} {svg.fixed(py + dy)}"
        for dx, dy in ((2.5 * unit, 2.5 * unit), (2.5 * unit, -2.5 * unit))
    )
    return svg.tag(
        "svg",
        svg.tag(
            "line",
            x1=px,
            y1=py,
            x2=tx,
            y2=ty,
            stroke="#ffffff",
            stroke_width=1,
            stroke_dasharray="4 3",
            **thin,
        ),
        svg.tag("path", svg.title("predicted"), d=cross, stroke=PREDICTED, stroke_width=2, **thin),
        svg.tag(
            "circle",
            svg.title("true"),
            cx=tx,
            cy=ty,
            r=2.6 * unit,
            stroke=TRUE,
            stroke_width=2,
            **thin,
        ),
        viewBox=f"{left} {top} {width} {height}",
        class_="overlay",
        aria_hidden="true",
        preserveAspectRatio="none",
    )


# ---- plots ----


def cumulative(errors: np.ndarray, radii: tuple[float, ...], unit: str) -> str:
    """Share of the errors below each length, with the radii of the detection rates.

    errors: any shape; NaN is left out, infinity never is below.
    """
    known = np.sort(errors[~np.isnan(errors)])
    finite = known[np.isfinite(known)]
    top = max(float(np.quantile(finite, 0.99)) if len(finite) else 0.0, max(radii)) * 1.1
    at = np.linspace(0, top, 241)
    share = 100 * np.searchsorted(known, at, side="left") / max(len(known), 1)
    frame = svg.Frame(x=(0.0, top), y=(0.0, 100.0))
    frame.axes(f"Error, {unit}", "Landmarks below it, %", svg.ticks(0.0, top))
    for r in radii:
        frame.parts.append(svg.line(frame.px(r), frame.py(100), frame.px(r), frame.py(0), "grid"))
    frame.parts.append(
        svg.polyline(
            ((frame.px(float(x)), frame.py(float(y))) for x, y in zip(at, share, strict=True)),
            "score",
        )
    )
    for r in radii:
        rate = 100 * float((known < r).mean()) if len(known) else 0.0
        frame.parts.append(
            svg.tag(
                "circle",
                svg.title(f"{rate:.1f} % below {r:g} {unit}"),
                cx=frame.px(r),
                cy=frame.py(rate),
                r=4.0,
                class_="dot",
            )
        )
    rates = ", ".join(f"{100 * float((known < r).mean()):.0f} % below {r:g} {unit}" for r in radii)
    return frame.done(f"Cumulative curve of {words.count(len(known), 'error')}: {rates}")


def boxes(errors: np.ndarray, names: list[str], unit: str) -> str:
    """A box for each landmark: quartiles and median, whiskers to the furthest error within 1.5
    boxes, dots beyond. errors [N][L], the finite ones."""
    columns = [errors[np.isfinite(errors[:, l]), l] for l in range(len(names))]
    top = max(float(c.max()) for c in columns if len(c)) * 1.03 or 1.0
    wide = max(len(name) for name in names)
    left = float(min(220, 24 + 6.6 * min(wide, 30)))
    step = 21.0
    frame = svg.Frame(
        x=(0.0, top),
        y=(0.0, 1.0),
        width=860,
        height=54 + step * len(names),
        left=left,
        top=10,
        bottom=44,
    )
    base = frame.height - frame.bottom
    marks = svg.ticks(0.0, top, 8)
    for v, shown in zip(marks, svg.tick_text(marks), strict=True):
        frame.parts.append(svg.line(frame.px(v), frame.top, frame.px(v), base, "grid"))
        frame.parts.append(svg.text(shown, frame.px(v), base + 18, "tick", "middle"))
    middle = (left + frame.width - frame.right) / 2
    frame.parts.append(svg.text(f"Error, {unit}", middle, frame.height - 6, "label", "middle"))
    for l, (name, column) in enumerate(zip(names, columns, strict=True)):
        y = frame.top + (l + 0.5) * step
        name = words.clean(name)
        short = name if len(name) <= 30 else name[:29] + "…"
        frame.parts.append(svg.text(short, left - 8, y + 4, "tick", "end"))
        if len(column):
            frame.parts.append(_box(frame, name, column, y, unit))
    return frame.done(
        f"Box plot of the errors of {words.count(len(names), 'landmark')}, at most "
        f"{max(float(c.max()) for c in columns if len(c)):.2f} {unit}",
        "boxes",
    )


def _box(frame: svg.Frame, name: str, column: np.ndarray, y: float, unit: str) -> str:
    low, first, median, third, high = (float(v) for v in five(column))
    said = svg.title(
        f"{name}: median {median:.2f} {unit}, quartiles {first:.2f} and {third:.2f}, largest "
        f"{float(column.max()):.2f}"
    )
    x = [frame.px(v) for v in (low, first, median, third, high)]
    beyond = column[(column < low) | (column > high)]
    dots = "".join(
        svg.tag("circle", cx=frame.px(float(v)), cy=y, r=2.0, class_="point t7")
        for v in np.unique(beyond)
    )
    return svg.tag(
        "g",
        said,
        svg.line(x[0], y, x[4], y, "mark"),
        svg.tag(
            "rect", x=x[1], y=y - 6, width=max(x[3] - x[1], 0.5), height=12.0, class_="bar plain"
        ),
        svg.line(x[2], y - 6, x[2], y + 6, "mark"),
        dots,
    )


def five(values: np.ndarray) -> tuple[float, float, float, float, float]:
    """Lower whisker, first quartile, median, third quartile, upper whisker of values [K]; a
    whisker is the furthest value within 1.5 times the distance of the quartiles."""
    first, median, third = np.percentile(values, [25, 50, 75])
    reach = 1.5 * (third - first)
    inside = values[(values >= first - reach) & (values <= third + reach)]
    return min(inside.min(), first), first, median, third, max(inside.max(), third)
