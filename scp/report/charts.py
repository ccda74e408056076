"""The plots of the report, as SVG text. Colours come from the report's CSS by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import svg
from .pictures import Picture
from .stats import Map, Pool
from .words import clean, count, has_bound, number, number_up, signed

COLOURS = 8  # template colours t0 .. t7 in the CSS, then again with another shape
MOST_POINTS = 400  # key points drawn on one picture
MOST_BARS = 60


def span(values: Sequence[float], pad: float = 0.08) -> tuple[float, float]:
    """A range around the values, never empty."""
    low, high = min(values), max(values)
    room = (high - low) * pad or max(abs(high), 1e-6) * 0.05
    return low - room, high + room


def m_ticks(low: int, high: int) -> list[float]:
    """Whole numbers of templates for an axis."""
    if high - low <= 10:
        return [float(m) for m in range(low, high + 1)]
    return [v for v in svg.ticks(low, high, 8) if v == int(v) and v >= 1]


def coverage_curve(points: Sequence[Any], current: Any, prefix: Sequence[float]) -> str:
    """Score against M with the certified bound. points: Selections by increasing M.

    prefix [M]: score after each pick of `current`, drawn where there is no other curve.
    """
    line = [(len(s.selected), float(s.score)) for s in points]
    bound = [(len(s.selected), float(s.upper_bound)) for s in points if has_bound(s.upper_bound)]
    own = [(k + 1, float(v)) for k, v in enumerate(prefix)] if len(points) == 1 else []
    xs = [m for m, _ in line + own] or [0]
    ys = [v for _, v in line + bound + own] or [0.0]
    low, high = min(xs), max(xs)
    frame = svg.Frame(x=(low - 0.6, high + 0.6) if high > low else (low - 1, high + 1), y=span(ys))
    frame.axes("M, number of chosen images", "Score", m_ticks(low, high))
    known = {m for m, _ in bound}
    below = [(frame.px(m), frame.py(v)) for m, v in line if m in known]
    above = [(frame.px(m), frame.py(v)) for m, v in bound]
    if len(above) > 1:
        frame.parts.append(svg.polygon(above + below[::-1], "band"))
        frame.parts.append(svg.polyline(above, "bound"))
    if own:
        frame.parts.append(svg.polyline([(frame.px(m), frame.py(v)) for m, v in own], "score faint"))
        for m, v in own[:200]:
            dot = svg.tag("circle", svg.title(f"after pick {m}: {number(v)}"), cx=frame.px(m), cy=frame.py(v), r=3.0, class_="dot faint")
            frame.parts.append(dot)
    frame.parts.append(svg.polyline([(frame.px(m), frame.py(v)) for m, v in line], "score"))
    for m, v in bound:
        x, y = frame.px(m), frame.py(v)
        tick = svg.tag("path", svg.title(f"M = {m}: no choice can exceed {number_up(v)}"), d=f"M{svg.fixed(x - 7)} {svg.fixed(y)}h14", class_="bound-mark")
        frame.parts.append(tick)
    for m, v in line:
        here = m == len(current.selected)
        dot = svg.tag("circle", svg.title(f"M = {m}: score {number(v)}"), cx=frame.px(m), cy=frame.py(v), r=5.5 if here else 3.5, class_="dot here" if here else "dot")
        frame.parts.append(dot)
    frame.parts += _legend(frame, bool(bound))
    m, score = len(current.selected), number(current.score)
    said = f", certified upper bound {number_up(current.upper_bound)}" if m in known else ""
    return frame.done(f"Line chart of the score against the number of chosen images, at M = {m}: score {score}{said}")


def _legend(frame: svg.Frame, bounded: bool) -> list[str]:
    x, y = frame.width - frame.right, 14.0
    parts = [svg.text("score", x, y, "label", "end"), svg.tag("circle", cx=x - 42, cy=y - 4, r=3.5, class_="dot")]
    if bounded:
        parts.append(svg.text("certified bound", x - 62, y, "label", "end"))
        parts.append(svg.tag("path", d=f"M{svg.fixed(x - 168)} {svg.fixed(y - 4)}h14", class_="bound-mark"))
    return parts


def gain_bars(gains: Sequence[float], first_rank: int = 1) -> str:
    """Score added by each pick. gains: in pick order; first_rank: rank of the first bar."""
    shown = [float(g) for g in gains[:MOST_BARS]]
    ranks = range(first_rank, first_rank + len(shown))
    top = max([*shown, 0.0]) or 1e-6
    frame = svg.Frame(x=(first_rank - 0.7, first_rank + len(shown) - 0.3), y=(min([*shown, 0.0]), top * 1.12))
    frame.axes("Pick", "Score added", m_ticks(ranks[0], ranks[-1]), 5)
    width = (frame.px(1) - frame.px(0)) * 0.62
    width = min(width, 46.0)
    for rank, gain in zip(ranks, shown, strict=True):
        y0, y1 = sorted((frame.py(gain), frame.py(0.0)))
        bar = svg.tag("rect", svg.title(f"pick {rank}: {signed(gain)}"), x=frame.px(rank) - width / 2, y=y0, width=width, height=max(y1 - y0, 0.5), class_=f"bar t{(rank - 1) % COLOURS}")
        frame.parts.append(bar)
        if len(shown) <= 8:
            frame.parts.append(svg.text(signed(gain), frame.px(rank), y0 - 6, "value", "middle"))
    best = number(max(shown)) if shown else "0"
    return frame.done(f"Bar chart of the score added by {count(len(shown), 'pick')}, at most {best}")


def histogram(pool: Pool) -> str:
    """Images by coverage; the templates themselves are stacked on top in another tone."""
    known = np.isfinite(pool.coverage)
    is_template = np.zeros(len(known), dtype=bool)
    is_template[pool.templates] = True
    values = pool.coverage[known]
    low, high = float(values.min()), float(values.max())
    bins = int(np.clip(round(2 * len(values) ** 0.5), 6, 28))
    marks = svg.ticks(low, high, bins + 1)
    step = marks[1] - marks[0] if len(marks) > 1 else max(abs(low), 1.0) * 0.02
    start = math.floor(low / step + 1e-9) * step
    amount = max(1, math.ceil((high - start) / step - 1e-9))
    edges = start + step * np.arange(amount + 1)
    edges[-1] = max(edges[-1], high)
    others = np.histogram(pool.coverage[known & ~is_template], edges)[0]
    own = np.histogram(pool.coverage[known & is_template], edges)[0]
    top = int((others + own).max())
    frame = svg.Frame(x=(float(edges[0] - step / 2), float(edges[-1] + step / 2)), y=(0.0, top * 1.1), width=720, height=280)
    frame.axes("Coverage of the image (mean over its key points)", "Images", svg.ticks(*frame.x, 9), min(6, top + 1))
    for k in range(amount):
        x0, x1 = frame.px(float(edges[k])), frame.px(float(edges[k + 1]))
        said = f"{number(edges[k])} to {number(edges[k + 1])}: {count(int(others[k]), 'image')}"
        if own[k]:
            said += f" and {count(int(own[k]), 'template')}"
        bottom = 0
        for amount_here, name in ((int(others[k]), "bar plain"), (int(own[k]), "bar own")):
            if amount_here:
                y0, y1 = frame.py(bottom + amount_here), frame.py(bottom)
                frame.parts.append(svg.tag("rect", svg.title(said), x=x0 + 0.7, y=y0, width=max(x1 - x0 - 1.4, 1.0), height=y1 - y0, class_=name))
                bottom += amount_here
    mean = float(values.mean())
    x = frame.px(mean)
    frame.parts.append(svg.line(x, frame.top - 4, x, frame.height - frame.bottom, "mark"))
    side = "end" if x > frame.width * 0.7 else "start"
    frame.parts.append(svg.text(f"mean {number(mean)}", x + (-7 if side == "end" else 7), frame.top + 6, "value", side))
    if own.any():
        frame.parts.append(svg.tag("rect", x=frame.width - 128, y=5.0, width=11.0, height=11.0, class_="bar own"))
        frame.parts.append(svg.text("templates", frame.width - 112, 15, "label"))
    return frame.done(
        f"Histogram of coverage of {count(len(values), 'image')}: from {number(low)} to {number(high)}, mean {number(mean)}"
    )


def key_points(xy: np.ndarray, shape: tuple[int, int], colours: Sequence[str] | None, sizes: Sequence[float] | None, said: Sequence[str] | None = None) -> str:
    """Key points xy [K][2] (original pixels) over a picture of shape (H, W); an overlay drawing.

    colours: fill per point (None: hollow rings in the template's colour); sizes: relative radius.
    """
    h, w = shape
    unit = max(h, w) / 100
    keep = np.arange(len(xy))
    if len(keep) > MOST_POINTS:
        keep = np.unique(np.linspace(0, len(xy) - 1, MOST_POINTS).round().astype(int))
    parts = []
    for k in keep:
        radius = unit * (float(sizes[k]) if sizes is not None else 0.95)
        hover = svg.title(said[k]) if said is not None else ""
        # Pixel centres are at integers; the drawing's pixel (0, 0) is the square from 0 to 1.
        at = {"cx": float(xy[k][0]) + 0.5, "cy": float(xy[k][1]) + 0.5, "r": radius}
        if colours is None:
            parts.append(svg.tag("circle", hover, **at, class_="ring"))
        else:
            parts.append(svg.tag("circle", hover, **at, fill=colours[k], class_="spot"))
    return svg.tag("svg", *parts, viewBox=f"0 0 {w} {h}", class_="overlay", aria_hidden="true", preserveAspectRatio="none")


def ramp_legend(low: float, high: float) -> str:
    """The colour bar of the key point maps, from low to high coverage."""
    width, steps = 260, 52
    parts = [svg.tag("rect", x=k * width / steps, y=0.0, width=width / steps + 0.6, height=12.0, fill=svg.ramp((k + 0.5) / steps)) for k in range(steps)]
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        parts.append(svg.text(number(low + share * (high - low)), share * width, 30, "tick", anchor))
    return svg.picture(width, 34, f"Colour scale from {number(low)}, bright, to {number(high)}, dark", parts, "ramp")


SIDE, WIDE, TALL, MARGIN = 92.0, 620.0, 470.0, 20.0


def pool_map(pool: Pool, where: Map, ids: Sequence[str], thumbs: dict[int, Picture]) -> str:
    """The pool in the plane: spokes to the owning template, templates with their rank.

    thumbs: position among the templates -> picture, drawn in the side columns with leaders.
    """
    side = SIDE if thumbs else 0.0
    place = _place(where.xy, side)
    parts = []
    for n in range(len(ids)):
        k = int(pool.owner[n])
        if k >= 0 and np.isfinite(place[[n, pool.templates[k]]]).all() and n != pool.templates[k]:
            (x1, y1), (x2, y2) = place[n], place[pool.templates[k]]
            parts.append(svg.line(x1, y1, x2, y2, f"spoke t{k % COLOURS}"))
    for n in range(len(ids)):
        k = int(pool.owner[n])
        if k >= 0 and np.isfinite(place[n]).all() and n != pool.templates[k]:
            hover = svg.title(f"{clean(ids[n])}: coverage {number(pool.coverage[n])}, best covered by {label(pool, k)}")
            parts.append(_marker(*place[n], k, hover))
    parts += _side_columns(pool, place, thumbs, side)
    for k in range(len(pool.templates) - 1, -1, -1):
        n = int(pool.templates[k])
        if np.isfinite(place[n]).all():
            x, y = place[n]
            hover = svg.title(f"{label(pool, k)}: {clean(ids[n])}, covers {count(int(pool.images[k]), 'image')}")
            name = label(pool, k)
            radius = 11.0 if len(name) < 3 else 14.0
            disc = svg.tag("circle", cx=float(x), cy=float(y), r=radius, class_=f"pick t{k % COLOURS}")
            parts.append(svg.tag("g", hover, disc, svg.text(name, x, y + 4.5, "rank", "middle")))
    said = f"Map of {count(int(np.isfinite(place[:, 0]).sum()), 'image')}; similar images lie close together"
    return svg.picture(WIDE + 2 * side, TALL, said, parts, "map")


def label(pool: Pool, k: int) -> str:
    """Rank of a chosen template, or a letter-like name for one that was given."""
    return str(k + 1) if k < pool.chosen else f"A{k - pool.chosen + 1}"


def _place(xy: np.ndarray, side: float) -> np.ndarray:
    """Map coordinates to the drawing, same scale on both axes, centred."""
    low, high = np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)
    room = np.array([WIDE - 2 * MARGIN, TALL - 2 * MARGIN])
    scale = float(np.min(room / np.maximum(high - low, 1e-12 * max(1e-300, float(np.max(high - low))))))
    centre = np.array([side + WIDE / 2, TALL / 2])
    return centre + (xy - (low + high) / 2) * scale * np.array([1.0, -1.0])


def _marker(x: float, y: float, k: int, hover: str) -> str:
    """An image's mark: the shape changes when the colours come round again."""
    class_ = f"mark-{('circle', 'square', 'diamond')[k // COLOURS % 3]} point t{k % COLOURS}"
    x, y = float(x), float(y)
    shape = k // COLOURS % 3
    if shape == 0:
        return svg.tag("circle", hover, cx=x, cy=y, r=4.2, class_=class_)
    if shape == 1:
        return svg.tag("rect", hover, x=x - 3.8, y=y - 3.8, width=7.6, height=7.6, class_=class_)
    d = f"M{svg.fixed(x)} {svg.fixed(y - 5)}l5 5l-5 5l-5 -5z"
    return svg.tag("path", hover, d=d, class_=class_)


def _side_columns(pool: Pool, place: np.ndarray, thumbs: dict[int, Picture], side: float) -> list[str]:
    """Thumbnails of templates beside the map, in the order of their height, with leader lines."""
    seen = [k for k in sorted(thumbs) if np.isfinite(place[pool.templates[k]]).all()]
    seen.sort(key=lambda k: (float(place[pool.templates[k]][0]), k))
    half = (len(seen) + 1) // 2
    parts = []
    for columns, left in ((seen[:half], True), (seen[half:], False)):
        column = sorted(columns, key=lambda k: (float(place[pool.templates[k]][1]), k))
        slot = TALL / max(1, len(column))
        size = min(SIDE - 14, slot - 10)
        for row, k in enumerate(column):
            pic = thumbs[k]
            scale = size / max(pic.width, pic.height)
            w, h = pic.width * scale, pic.height * scale
            x = side - 10 - w if left else side + WIDE + 10
            y = slot * (row + 0.5) - h / 2
            px, py = place[pool.templates[k]]
            edge = x + w if left else x
            parts.append(svg.line(edge, y + h / 2, px, py, f"leader t{k % COLOURS}"))
            if pic.uri:
                parts.append(svg.tag("image", href=pic.uri, x=float(x), y=float(y), width=float(w), height=float(h)))
            parts.append(svg.tag("rect", x=float(x), y=float(y), width=float(w), height=float(h), class_=f"edge t{k % COLOURS}"))
            parts.append(svg.tag("rect", x=float(x), y=float(y), width=22.0, height=17.0, class_=f"flag t{k % COLOURS}"))
            parts.append(svg.text(label(pool, k), x + 11, y + 13, "rank", "middle"))
    return parts
