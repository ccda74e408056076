"""The plots of a selection and of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .axes import Frame, span, ticks, whole_ticks
from .stats import Pool
from .svg import COLOURS, Drawing, text
from .words import count, has_bound, number, number_up, signed, sure

MOST_BARS = 60


def path_of(selection: Any) -> np.ndarray:
    """Score of the images given before the choice, then after each pick. float64 [M + 1]"""
    gains = np.asarray(selection.gains, dtype=np.float64)
    base = selection.score - gains.sum()
    return np.concatenate([[base], base + np.cumsum(gains)])


def curve_numbers(
    points: Sequence[Any], current: Any, given: bool = False
) -> tuple[list[tuple[int, float]], dict[int, float], list[tuple[int, float]]]:
    """What `coverage_curve` draws: (M, score) of the selections, M -> bound of those that have one,
    and (picks, score) after each pick where there is one selection only."""
    line = [(len(s.selected), float(s.score)) for s in points]
    bound = {len(s.selected): float(s.upper_bound) for s in points if has_bound(s.upper_bound)}
    picks = list(enumerate(path_of(current).tolist())) if len(points) == 1 else []
    return line, bound, picks if given else picks[1:]


def coverage_curve(points: Sequence[Any], current: Any, given: bool = False) -> Drawing:
    """Score against M with the certified bound. points: Selections by increasing M.

    One alone is drawn pick by pick, from the images that were `given`, if any.
    """
    line, bound, picks = curve_numbers(points, current, given)
    xs, ys = zip(*line, *picks, *bound.items(), strict=True)
    low, high = min(xs), max(xs)
    frame = Frame(x=(low - 0.6, high + 0.6) if high > low else (low - 1, high + 1), y=span(ys))
    frame.y_axis("Score")
    frame.x_axis("M, number of chosen images", whole_ticks(low, high))
    if len(bound) > 1:
        below = [p for p in line[::-1] if p[0] in bound]
        frame.path([*bound.items(), *below], "band t1", element="polygon")
        frame.path(bound.items(), "line dashed t1")
    if picks:
        frame.path(picks, "line thin t0")
        for m, v in picks[:200]:
            frame.dot(m, v, 3, "dot open t0", f"after pick {m}: {number(v)}")
    frame.path(line, "line t0")
    certainty = sure(current)
    kind = f"bound, {certainty} sure" if certainty else "certified bound"
    for m, v in bound.items():
        frame.level(m, v, 7, "level t1", f"M = {m}: no choice can exceed {number_up(v)}")
    m = len(current.selected)
    for k, v in line:
        size, class_ = (5.5, "dot t0 here") if k == m else (3.5, "dot t0")
        frame.dot(k, v, size, class_, f"M = {k}: score {number(v)}")
    frame.key(*([("\u2501", "key t1", kind)] if bound else []), ("\u25cf", "key t0", "score"))
    upper = kind.replace("certified", "certified upper")
    said = f", {upper} {number_up(current.upper_bound)}" if m in bound else ""
    return frame.done(
        "Line chart of the score against M, the number of chosen images; "
        f"M = {m}: {number(current.score)}{said}"
    )


def gain_bars(gains: Sequence[float], first_rank: int = 1) -> Drawing:
    """Score added by each pick. gains: in pick order; first_rank: rank of the first bar."""
    shown = [float(g) for g in gains[:MOST_BARS]]
    ranks = range(first_rank, first_rank + len(shown))
    top = max([*shown, 0.0]) or 1e-6
    frame = Frame(
        x=(first_rank - 0.7, first_rank + len(shown) - 0.3), y=(min([*shown, 0.0]), top * 1.12)
    )
    frame.y_axis("Score added", 5)
    frame.x_axis("Pick", whole_ticks(ranks[0], ranks[-1]))
    width = min(0.62 * (frame.px(1) - frame.px(0)), 46.0)
    for rank, gain in zip(ranks, shown, strict=True):
        class_, said = f"bar t{(rank - 1) % COLOURS}", f"pick {rank}: {signed(gain)}"
        frame.bar((rank, rank), (0.0, gain), class_, said, gap=-width / 2)
        if len(shown) <= 8:
            y = frame.py(max(gain, 0.0)) - 6
            frame.parts.append(text(signed(gain), frame.px(rank), y, "value", "middle"))
    best = number(max(shown)) if shown else "0"
    return frame.done(
        f"Bar chart of the score added by {count(len(shown), 'pick')}, at most {best}"
    )


def bin_edges(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Edges of round bins over [low, high], as fine as the number and spread of `values` allow."""
    near, far = (float(values.min()), float(values.max())) if len(values) else (low, high)
    marks = ticks(near, far, int(np.clip(round(2 * len(values) ** 0.5), 6, 24)))
    step = marks[1] - marks[0] if len(marks) > 1 else max(abs(low), 1e-3) * 0.02
    step = max(step, (high - low) / 48)
    start = math.floor(low / step + 1e-9)
    amount = max(1, math.ceil(high / step - start - 1e-6))
    edges = step * (start + np.arange(amount + 1))
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    return edges


def histogram(pool: Pool) -> Drawing:
    """Images by coverage; the templates themselves are stacked on top in another tone."""
    known = np.isfinite(pool.coverage)
    is_template = np.zeros(len(known), dtype=bool)
    is_template[pool.templates] = True
    values = pool.coverage[known]
    low, high, mean = float(values.min()), float(values.max()), float(values.mean())
    edges = bin_edges(pool.coverage[known & ~is_template], low, high)
    others = np.histogram(pool.coverage[known & ~is_template], edges)[0].tolist()
    own = np.histogram(pool.coverage[known & is_template], edges)[0].tolist()
    top = max(map(sum, zip(others, own, strict=True)))
    edges = edges.tolist()
    room = (edges[1] - edges[0]) / 2
    frame = Frame((edges[0] - room, edges[-1] + room), (0.0, top * 1.1), width=600, height=260)
    frame.y_axis("Images", min(6, top + 1), whole=True)
    frame.x_axis("Coverage of the image", ticks(*frame.x, 8))
    for x, plain, chosen in zip(pairwise(edges), others, own, strict=True):
        said = f"{number(x[0])} to {number(x[1])}: {count(plain, 'image')}"
        if chosen:
            said += f" and {count(chosen, 'template')}"
            frame.bar(x, (plain, plain + chosen), "bar t1", said, 0.7)
        if plain:
            frame.bar(x, (0, plain), "bar", said, 0.7)
    frame.upright(mean, "mark", above=4)
    side, away = ("end", -7) if frame.px(mean) > frame.width * 0.7 else ("start", 7)
    said = f"mean of the images {number(mean)}"
    frame.parts.append(text(said, frame.px(mean) + away, frame.top + 6, "value", side))
    if any(own):
        frame.key(("\u25a0", "key t1", "templates"))
    return frame.done(
        f"Histogram of the coverage of {count(len(values), 'image')}: "
        f"from {number(low)} to {number(high)}, mean {number(mean)}",
        "wide",
    )


def training_curve(steps: np.ndarray, losses: np.ndarray) -> Drawing:
    """Loss of each level during training. steps [n]; losses [n][D], coarsest level first; averaged
    over at most 150 stretches of equal length."""
    groups = np.array_split(np.arange(len(steps)), min(len(steps), 150))
    at = [float(steps[g].mean()) for g in groups]
    mean = np.array([losses[g].mean(axis=0) for g in groups])
    frame = Frame(
        x=(min(0.0, at[0]), max(at[-1], at[0] + 1)),
        y=(0.0, float(mean.max()) * 1.08 or 1e-6),
        width=600,
        height=280,
    )
    frame.y_axis("Loss")
    frame.x_axis("Training step", ticks(*frame.x, 8))
    levels = losses.shape[1]
    names = []
    for d, level in enumerate(mean.T):
        colour, stride = f"t{d % COLOURS}", 2 ** (levels - d)
        said = f"stride {stride}: {number(level[-1])} at the end"
        frame.path(zip(at, level, strict=True), f"line {colour}", said)
        names.append(("\u25cf", f"key {colour}", str(stride)))
    frame.key(*names, before="stride\u2003")
    first, last = mean[0].sum(), mean[-1].sum()
    return frame.done(
        f"Line chart of the training loss of {count(levels, 'level')}: their sum falls "
        f"from {number(first)} to {number(last)}",
        "wide",
    )
