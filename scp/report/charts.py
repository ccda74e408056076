"""The plots of the report, as SVG text. Colours come from the report's CSS by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import svg
from .stats import Pool
from .words import count, has_bound, number, number_up, signed

COLOURS = 8  # template colours t0 .. t7 in the CSS, then again with another shape
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
    return [v for v in svg.ticks(low, high, 8) if v == int(v)]


def coverage_curve(points: Sequence[Any], current: Any, prefix: Sequence[float]) -> str:
    """Score against M with the certified bound. points: Selections by increasing M.

    prefix: score after each pick of `current`, the last one after all M; drawn where there is no
    other curve. One value more than M starts it at the images that were given.
    """
    line = [(len(s.selected), float(s.score)) for s in points]
    bound = [(len(s.selected), float(s.upper_bound)) for s in points if has_bound(s.upper_bound)]
    start = len(current.selected) - len(prefix) + 1
    own = [(k, float(v)) for k, v in enumerate(prefix, start)] if len(points) == 1 else []
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
        frame.parts.append(
            svg.polyline([(frame.px(m), frame.py(v)) for m, v in own], "score faint")
        )
        for m, v in own[:200]:
            dot = svg.tag(
                "circle",
                svg.title(f"after pick {m}: {number(v)}"),
                cx=frame.px(m),
                cy=frame.py(v),
                r=3.0,
                class_="dot faint",
            )
            frame.parts.append(dot)
    frame.parts.append(svg.polyline([(frame.px(m), frame.py(v)) for m, v in line], "score"))
    for m, v in bound:
        x, y = frame.px(m), frame.py(v)
        tick = svg.tag(
            "path",
            svg.title(f"M = {m}: no choice can exceed {number_up(v)}"),
            d=f"M{svg.fixed(x - 7)} {svg.fixed(y)}h14",
            class_="bound-mark",
        )
        frame.parts.append(tick)
    for m, v in line:
        here = m == len(current.selected)
        dot = svg.tag(
            "circle",
            svg.title(f"M = {m}: score {number(v)}"),
            cx=frame.px(m),
            cy=frame.py(v),
            r=5.5 if here else 3.5,
            class_="dot here" if here else "dot",
        )
        frame.parts.append(dot)
    frame.parts.append(_legend(frame, bool(bound)))
    m, score = len(current.selected), number(current.score)
    said = f", certified upper bound {number_up(current.upper_bound)}" if m in known else ""
    return frame.done(
        f"Line chart of the score against M, the number of chosen images; M = {m}: {score}{said}"
    )


def _legend(frame: svg.Frame, bounded: bool) -> str:
    """Names of the two lines; the signs are text, so they move with any font size."""
    score = svg.tag("tspan", "\u25cf", class_="key-score") + " score"
    bound = svg.tag("tspan", "\u2501", class_="key-bound") + " certified bound\u2003"
    names = (bound if bounded else "") + score
    return svg.tag(
        "text", names, x=frame.width - frame.right, y=14.0, class_="label", text_anchor="end"
    )


def gain_bars(gains: Sequence[float], first_rank: int = 1) -> str:
    """Score added by each pick. gains: in pick order; first_rank: rank of the first bar."""
    shown = [float(g) for g in gains[:MOST_BARS]]
    ranks = range(first_rank, first_rank + len(shown))
    top = max([*shown, 0.0]) or 1e-6
    frame = svg.Frame(
        x=(first_rank - 0.7, first_rank + len(shown) - 0.3), y=(min([*shown, 0.0]), top * 1.12)
    )
    frame.axes("Pick", "Score added", m_ticks(ranks[0], ranks[-1]), 5)
    width = (frame.px(1) - frame.px(0)) * 0.62
    width = min(width, 46.0)
    for rank, gain in zip(ranks, shown, strict=True):
        y0, y1 = sorted((frame.py(gain), frame.py(0.0)))
        bar = svg.tag(
            "rect",
            svg.title(f"pick {rank}: {signed(gain)}"),
            x=frame.px(rank) - width / 2,
            y=y0,
            width=width,
            height=max(y1 - y0, 0.5),
            class_=f"bar t{(rank - 1) % COLOURS}",
        )
        frame.parts.append(bar)
        if len(shown) <= 8:
            frame.parts.append(svg.text(signed(gain), frame.px(rank), y0 - 6, "value", "middle"))
    best = number(max(shown)) if shown else "0"
    return frame.done(
        f"Bar chart of the score added by {count(len(shown), 'pick')}, at most {best}"
    )


def bin_edges(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Edges of round bins over [low, high], as fine as the number and spread of `values` allow."""
    near, far = (float(values.min()), float(values.max())) if len(values) else (low, high)
    marks = svg.ticks(near, far, int(np.clip(round(2 * len(values) ** 0.5), 6, 24)))
    step = marks[1] - marks[0] if len(marks) > 1 else max(abs(low), 1e-3) * 0.02
    step = max(step, (high - low) / 48)
    start = math.floor(low / step + 1e-9)
    amount = max(1, math.ceil(high / step - start - 1e-6))
    edges = step * (start + np.arange(amount + 1))
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    return edges


def histogram(pool: Pool) -> str:
    """Images by coverage; the templates themselves are stacked on top in another tone."""
    known = np.isfinite(pool.coverage)
    is_template = np.zeros(len(known), dtype=bool)
    is_template[pool.templates] = True
    values = pool.coverage[known]
    low, high = float(values.min()), float(values.max())
    edges = bin_edges(pool.coverage[known & ~is_template], low, high)
    step = edges[1] - edges[0]
    others = np.histogram(pool.coverage[known & ~is_template], edges)[0]
    own = np.histogram(pool.coverage[known & is_template], edges)[0]
    top = int((others + own).max())
    frame = svg.Frame(
        x=(float(edges[0] - step / 2), float(edges[-1] + step / 2)),
        y=(0.0, top * 1.1),
        width=600,
        height=260,
    )
    frame.axes(
        "Coverage of the image (mean over its key points)",
        "Images",
        svg.ticks(*frame.x, 8),
        min(6, top + 1),
    )
    for k in range(len(edges) - 1):
        x0, x1 = frame.px(float(edges[k])), frame.px(float(edges[k + 1]))
        said = f"{number(edges[k])} to {number(edges[k + 1])}: {count(int(others[k]), 'image')}"
        if own[k]:
            said += f" and {count(int(own[k]), 'template')}"
        bottom = 0
        for amount_here, name in ((int(others[k]), "bar plain"), (int(own[k]), "bar own")):
            if amount_here:
                y0, y1 = frame.py(bottom + amount_here), frame.py(bottom)
                frame.parts.append(
                    svg.tag(
                        "rect",
                        svg.title(said),
                        x=x0 + 0.7,
                        y=y0,
                        width=max(x1 - x0 - 1.4, 1.0),
                        height=y1 - y0,
                        class_=name,
                    )
                )
                bottom += amount_here
    mean = float(values.mean())
    x = frame.px(mean)
    frame.parts.append(svg.line(x, frame.top - 4, x, frame.height - frame.bottom, "mark"))
    side = "end" if x > frame.width * 0.7 else "start"
    frame.parts.append(
        svg.text(
            f"mean of the images {number(mean)}",
            x + (-7 if side == "end" else 7),
            frame.top + 6,
            "value",
            side,
        )
    )
    if own.any():
        names = svg.tag("tspan", "\u25a0", class_="key-bound") + " templates"
        at = {"x": frame.width - frame.right, "y": 14.0}
        frame.parts.append(svg.tag("text", names, **at, class_="label", text_anchor="end"))
    return frame.done(
        f"Histogram of the coverage of {count(len(values), 'image')}: "
        f"from {number(low)} to {number(high)}, mean {number(mean)}",
        "histogram",
    )


def training_curve(steps: np.ndarray, losses: np.ndarray) -> str:
    """Loss of each level during training. steps [n]; losses [n][D], coarsest level first; averaged
    over at most 150 stretches of equal length."""
    groups = np.array_split(np.arange(len(steps)), min(len(steps), 150))
    at = np.array([steps[g].mean() for g in groups])
    mean = np.array([losses[g].mean(axis=0) for g in groups])
    frame = svg.Frame(
        x=(min(0.0, float(at[0])), max(float(at[-1]), float(at[0]) + 1)),
        y=(0.0, float(mean.max()) * 1.08 or 1e-6),
        width=600,
        height=280,
    )
    frame.axes("Training step", "Loss", svg.ticks(*frame.x, 8))
    names = ""
    for d in range(losses.shape[1]):
        stride = 2 ** (losses.shape[1] - d)
        points = [(frame.px(x), frame.py(y)) for x, y in zip(at, mean[:, d], strict=True)]
        line = svg.tag(
            "polyline",
            svg.title(f"stride {stride}: {number(mean[-1, d])} at the end"),
            points=" ".join(f"{svg.fixed(x)},{svg.fixed(y)}" for x, y in points),
            class_=f"loss t{d % COLOURS}",
        )
        frame.parts.append(line)
        names += svg.tag("tspan", "\u25cf", class_=f"key t{d % COLOURS}") + f" {stride}\u2003"
    at_end = {"x": frame.width - frame.right, "y": 14.0, "text_anchor": "end"}
    frame.parts.append(svg.tag("text", f"stride\u2003{names.rstrip()}", **at_end, class_="label"))
    first, last = mean[0].sum(), mean[-1].sum()
    return frame.done(
        f"Line chart of the training loss of {count(losses.shape[1], 'level')}: their sum falls "
        f"from {number(first)} to {number(last)}",
        "training",
    )
