"""What `plot()` of the results draws with matplotlib, from the numbers of the report's plots.

Each function draws on the axes that are given, or on those of a new figure of pyplot, which a
notebook shows below its cell, and returns them. matplotlib is optional: it is imported here only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import charts, measured
from .errors import columns_of, five, reach, share_below
from .pictures import Pictures
from .words import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INSTALL = "plot() needs matplotlib: pip install 'sample-choosing-policy[plot]'"
BLUE, ORANGE, GREY, RULE = "#0072b2", "#c75100", "#6a6f75", "#dedcd5"  # as in colours.css
SIDE = 320  # pixels of the longer side of a picture among others
ALONE = 1200  # and of one that is shown alone
GAP = 0.06  # between pictures, as a share of their width


def axes_of(ax: Any, width: float = 5.6, height: float = 3.8) -> Axes:
    """The axes to draw on: `ax`, or those of a new figure of so many inches."""
    if ax is not None:
        if not hasattr(ax, "add_artist"):
            raise TypeError(f"ax must be axes of matplotlib, got {type(ax).__name__}")
        return ax
    return _pyplot().subplots(figsize=(width, height), layout="constrained")[1]


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError(INSTALL) from None
    return plt


def plain(text: object) -> str:
    """Text that matplotlib does not take for a formula."""
    return clean(text).replace("$", r"\$")


# ---- the choice ----


def score_curve(points: Sequence[Any], ax: Any = None) -> Axes:
    """Score against M, the number of chosen images, with the certified bound; of one Selection
    alone the score after each pick. points: Selections."""
    series = sorted(points, key=lambda s: len(s.selected))
    ax = axes_of(ax)
    if series:
        line, bound, picks = charts.curve_numbers(series, series[-1])
        if picks:
            ax.plot(*zip(*picks, strict=True), "o-", color=BLUE, mfc="white", lw=1, ms=4)
        if bound:
            below = [score for m, score in line if m in bound]
            ax.fill_between(list(bound), below, list(bound.values()), color=ORANGE, alpha=0.16)
            ax.plot(*zip(*bound.items(), strict=True), "_--", color=ORANGE, ms=12, mew=2, lw=1)
            ax.lines[-1].set_label("certified bound")
        ax.plot(*zip(*line, strict=True), "o-", color=BLUE, label="score")
        ax.legend()
    _whole_numbers(ax.xaxis)
    return _named(ax, "M, number of chosen images", "Score")


# ---- landmarks and errors ----


def error_curve(errors: np.ndarray, radii: Sequence[float], unit: str, ax: Any = None) -> Axes:
    """Share of the errors below each length, with the radii of the detection rates."""
    ax, top = axes_of(ax), reach(errors, radii)
    at = np.linspace(0, top, 241)
    ax.plot(at, share_below(errors, at), color=BLUE)
    for r in radii:
        ax.axvline(r, color=RULE, lw=1, zorder=0)
    ax.plot(radii, [share_below(errors, r) for r in radii], "o", color=BLUE)
    ax.set_xlim(0, top)
    ax.set_ylim(0, 100)
    return _named(ax, f"Error, {unit}", "Landmarks below it, %")


def boxes(values: np.ndarray, names: Sequence[str], label: str, ax: Any = None) -> Axes:
    """A box for each landmark: quartiles and median, whiskers to the furthest value within 1.5
    boxes, dots beyond. values [N][L]; those that are not finite are left out."""
    ax = axes_of(ax, height=1.1 + 0.22 * len(names))
    for l, column in enumerate(columns_of(values)):
        if not len(column):
            continue
        low, first, median, third, high = five(column)
        beyond = np.unique(column[(column < low) | (column > high)])
        ax.plot([low, high], [l, l], color=GREY, lw=1)
        ax.barh(l, third - first, 0.6, first, color=BLUE, alpha=0.6)
        ax.plot([median, median], [l - 0.3, l + 0.3], color="black", lw=1.5)
        ax.plot(beyond, np.full(len(beyond), l), ".", color=GREY, ms=3)
    ax.set_yticks(range(len(names)), [plain(name)[:30] for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    return _named(ax, label, "")


# ---- pictures ----


def pictures(
    dataset: Any, rows: Sequence[int], names: Sequence[str], columns: int, ax: Any = None
) -> Axes:
    """Images side by side in one pair of axes, each below its name."""
    columns = max(1, min(columns, len(rows)))
    lines = -(-len(rows) // columns)
    ax, reader = axes_of(ax, 1.7 * columns, 2.1 * max(lines, 1)), Pictures(dataset)
    for k, (i, name) in enumerate(zip(rows, names, strict=True)):
        left, top = (k % columns) * (1 + GAP), (k // columns) * (1 + 3 * GAP)
        try:
            grey, _ = reader.grey(i, SIDE)
        except Exception:  # the others are shown
            ax.text(left, top + 0.5, "cannot be read", fontsize="small", style="italic")
        else:
            h, w = np.array(grey.shape) / max(grey.shape)
            ax.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=(left, left + w, top + h, top))
        ax.text(left, top - 0.02, plain(name)[:24], fontsize="small", clip_on=False)
    ax.set_xlim(-GAP, columns * (1 + GAP))
    ax.set_ylim(max(lines, 1) * (1 + 3 * GAP), -2 * GAP)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def landmarks(
    dataset: Any,
    i: int,
    found: np.ndarray,
    confidence: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    ax: Any = None,
) -> Axes:
    """Image i in its own pixels, with a cross at each landmark found, bright where its confidence
    is low, and a ring at each true one. found, truth [L][2]; confidence [L].

    Raises:
        ValueError: the image cannot be read.
    """
    reader = Pictures(dataset)
    try:
        grey, (h, w) = reader.grey(i, ALONE)
    except Exception as error:
        raise ValueError(f"image {dataset.ids[i]} cannot be read: {error}") from error
    ax = axes_of(ax, 5.0, min(8.0, 5.0 * h / w))
    ax.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=(-0.5, w - 0.5, h - 0.5, -0.5))
    if truth is not None:
        ax.plot(*np.asarray(truth).T, "o", color="#ffd84d", mfc="none", ms=7, label="true")
    colours = {"color": "#56b4e9"} if confidence is None else {"c": confidence, "cmap": "plasma_r"}
    ax.scatter(*np.asarray(found).T, marker="x", s=30, label="found", **colours)
    ax.set_title(plain(dataset.ids[i]), fontsize="medium")
    return ax


# ---- measurements ----


def each(
    draw: Any, names: Sequence[str], name: str | None, ax: Any, columns: int = 3
) -> Axes | np.ndarray:
    """`draw(k, ax)` for the measurement of that name; without one, for all in a new figure, and
    axes [len(names)]."""
    if name is not None:
        if name not in names:
            raise ValueError(f"no measurement is called {name!r}; there are {', '.join(names)}")
        return draw(list(names).index(name), axes_of(ax))
    if ax is not None:
        raise ValueError(f"name: axes that are given hold one measurement; {', '.join(names)}")
    columns = max(1, min(columns, len(names)))
    lines = max(1, -(-len(names) // columns))
    size = (3.2 * columns, 2.4 * lines)
    grid = _pyplot().subplots(lines, columns, figsize=size, layout="constrained", squeeze=False)[1]
    for spare in grid.ravel()[len(names) :]:
        spare.set_axis_off()
    drawn = np.empty(len(names), object)
    for k in range(len(names)):
        drawn[k] = draw(k, grid.ravel()[k])
    return drawn


def distribution(measurements: Any, k: int, ax: Axes) -> Axes:
    """A histogram of measurement k, with what is usual as a band."""
    m, values = measurements, measurements.values[:, k]
    known, norm = values[~np.isnan(values)], measurements.norm(k)
    if len(known):
        counts, edges, reached = measured.bins(known, norm)
        if norm is not None:
            ax.axvspan(*norm, color=ORANGE, alpha=0.16, label="usual")
        ax.bar(edges[:-1], counts, np.diff(edges), align="edge", color=BLUE, edgecolor="white")
        ax.set_xlim(*reached)
    else:
        ax.text(0.5, 0.5, "no values", transform=ax.transAxes, ha="center", fontsize="small")
    _whole_numbers(ax.yaxis)
    return _named(ax, measured.titled(m.names[k], m.units[k]), "Images")


def difference(agreement: Any, k: int, ax: Axes) -> Axes:
    """The difference from the true value against the mean of both, of measurement k, with the mean
    difference and the limits of agreement (Bland and Altman, 1986)."""
    a, row = agreement, agreement.summary()[k]
    _, differences, middle = measured.pairs(a, k)
    ax.plot(middle, differences, ".", color=BLUE)
    for value, style in ((row["mean"], "-"), (row["low"], "--"), (row["high"], "--")):
        if np.isfinite(value):
            ax.axhline(value, color=ORANGE, ls=style, lw=1)
    ax.set_title(plain(measured.titled(row["name"], row["unit"])), fontsize="medium")
    return _named(ax, "Mean of both", "Measured \u2212 true")


# ---- parts ----


def _named(ax: Axes, x: str, y: str) -> Axes:
    ax.set_xlabel(plain(x))
    ax.set_ylabel(plain(y))
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _whole_numbers(axis: Any) -> None:
    axis.get_major_locator().set_params(integer=True)
