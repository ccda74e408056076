"""Small matplotlib figures of a selection and of errors, for notebooks and papers.

Each function returns a matplotlib Figure that is not registered with pyplot: a notebook shows it
once, as the value of the cell, and `figure.savefig("name.svg")` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .poolmap import label
from .stats import measure, project
from .words import has_bound

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The report's template colours; told apart with the common colour-vision deficiencies.
COLOURS = (
    "#0072b2",
    "#c75100",
    "#00855f",
    "#b3548f",
    "#9a6a00",
    "#56b4e9",
    "#7f1f4d",
    "#6a6f75",
)
LIGHT = COLOURS[5]  # the only one that needs dark text
MARKERS = "osD"


def coverage_curve(selections: Any, ax: Axes | None = None) -> Figure:
    """Score against M with the certified upper bound.

    selections: Selections of different M, in any order; one alone is drawn pick by pick, from its
    gains. ax: axes to draw in, else a new figure.
    """
    series = [selections] if hasattr(selections, "selected") else list(selections)
    if not series:
        raise ValueError("selections: expected at least one Selection")
    series.sort(key=lambda s: len(s.selected))
    figure, ax = _axes(ax, (5.2, 3.4))
    m = [len(s.selected) for s in series]
    score = [float(s.score) for s in series]
    known = [s for s in series if has_bound(s.upper_bound)]
    if len(series) == 1:
        gains = np.asarray(series[0].gains, dtype=np.float64)
        after = score[0] - gains.sum() + np.cumsum(gains)
        ax.plot(np.arange(1, len(gains) + 1), after, "o-", color=COLOURS[0], mfc="w", label="picks")
    ax.plot(m, score, "o-", color=COLOURS[0], label="score", zorder=3)
    if known:
        at = [len(s.selected) for s in known]
        bound = [float(s.upper_bound) for s in known]
        low = [float(s.score) for s in known]
        ax.fill_between(at, low, bound, color=COLOURS[1], alpha=0.16, lw=0)
        ax.plot(at, bound, "_--", ms=11, color=COLOURS[1], lw=1.3, label="certified bound")
    ax.set_xlabel("M, number of chosen images")
    ax.set_ylabel("score")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(axis="y", color="0.5", alpha=0.25)
    ax.legend(frameon=False, loc="lower right")
    return figure


def coverage_map(
    values: np.ndarray,
    offsets: np.ndarray,
    selection: Any,
    ids: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """The pool in the plane: images coloured by the template that represents them.

    values [N][Q] and offsets [N+1] as in `write_report`; ids [N] names the templates beside their
    rank. Raises ValueError if fewer than three images with key points differ.
    """
    offsets = np.asarray(offsets, dtype=np.int64)
    pool = measure(values, offsets, selection)
    where = project(values, offsets, pool.templates)
    if where is None:
        raise ValueError("values: a map needs three images with key points that differ")
    figure, ax = _axes(ax, (6.0, 5.0))
    for k, t in enumerate(pool.templates):
        colour = COLOURS[k % len(COLOURS)]
        mine = np.flatnonzero((pool.owner == k) & np.isfinite(where.xy[:, 0]))
        xy = where.xy[mine]
        centre = where.xy[t]
        if np.isfinite(centre).all():
            ends = np.stack([xy, np.broadcast_to(centre, xy.shape)])
            ax.plot(ends[..., 0], ends[..., 1], color=colour, lw=0.6, alpha=0.35, zorder=1)
            ax.scatter(*centre, s=230, color=colour, edgecolors="w", linewidths=1.5, zorder=3)
            name = {
                "ha": "center",
                "va": "center",
                "color": "k" if colour == LIGHT else "w",
                "fontsize": 9,
                "zorder": 4,
            }
            ax.text(*centre, label(pool, k), fontweight="bold", **name)
            if ids is not None:
                note = {"xytext": (11, 5), "textcoords": "offset points", "fontsize": 8}
                # A dollar sign in a file name is no formula.
                ax.annotate(str(ids[t]).replace("$", r"\$"), centre, zorder=4, **note)
        shape = MARKERS[k // len(COLOURS) % len(MARKERS)]
        ax.scatter(xy[:, 0], xy[:, 1], s=22, color=colour, marker=shape, edgecolors="w", lw=0.6)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title(f"{100 * where.share:.0f} % of the variation", fontsize=9, color="0.45")
    return figure


def chosen_images(
    dataset: Any,
    keypoints_xy: np.ndarray,
    offsets: np.ndarray,
    selection: Any,
    columns: int = 5,
) -> Figure:
    """The chosen images in pick order with their key points and gains.

    keypoints_xy [Q][2] in original pixels and offsets [N+1] as in `write_report`.
    """
    chosen = [int(i) for i in selection.selected]
    if not chosen:
        raise ValueError("selection: no image was chosen")
    figure, axes = _pictures(len(chosen), columns)
    for k, (i, ax) in enumerate(zip(chosen, axes, strict=False)):
        ax.imshow(dataset.image(i), cmap="gray", interpolation="antialiased")
        xy = np.asarray(keypoints_xy[offsets[i] : offsets[i + 1]])
        ax.plot(xy[:, 0], xy[:, 1], "o", mfc="none", mec="#ffd84d", ms=3.5, mew=0.8)
        name = str(dataset.ids[i]).replace("$", r"\$")
        ax.set_title(f"{k + 1}. {name}\n+{selection.gains[k]:.4f}", fontsize=8)
    return figure


def found_landmarks(
    dataset: Any,
    landmarks: Any,
    rows: Sequence[int],
    truth: np.ndarray | None = None,
    columns: int = 5,
) -> Figure:
    """Some images with the landmarks found in them (crosses) and, where they are known, the true
    ones (rings).

    landmarks: of all images of the dataset, xy [N][L][2] in original pixels, with confidence
    [N][L] or without. rows: images to draw. truth: [N][L][2] likewise; NaN is not drawn.
    """
    rows = [int(i) for i in rows]
    if not rows:
        raise ValueError("rows: expected at least one image")
    figure, axes = _pictures(len(rows), columns)
    for i, ax in zip(rows, axes, strict=False):
        ax.imshow(dataset.image(i), cmap="gray", interpolation="antialiased")
        if truth is not None:
            ax.plot(*np.asarray(truth[i]).T, "o", mfc="none", mec="#ffd84d", ms=6, mew=0.9)
        ax.plot(*np.asarray(landmarks.xy[i]).T, "x", color=LIGHT, ms=4.5, mew=1.2)
        said = str(dataset.ids[i]).replace("$", r"\$")
        confidence = getattr(landmarks, "confidence", None)
        if confidence is not None:
            said += f"\nconfidence {np.nanmean(confidence[i]):.2f}"
        ax.set_title(said, fontsize=8)
    return figure


def error_figure(
    errors: np.ndarray, names: Sequence[str], radii: Sequence[float], unit: str
) -> Figure:
    """The cumulative curve of errors [N][L] with the radii of the detection rates, and a box for
    each of the L landmarks: quartiles, median, whiskers to the furthest error within 1.5 boxes.

    NaN is left out; an infinite error (a landmark that was not predicted) counts in the curve only.
    """
    rows = max(2.6, 1.2 + 0.2 * len(names))
    figure, (left, right) = _axes(None, (10.0, rows), 1, 2)
    known = np.sort(errors[~np.isnan(errors)])
    finite = known[np.isfinite(known)]
    top = max(float(np.quantile(finite, 0.99)) if len(finite) else 1.0, max(radii)) * 1.1
    share = 100 * np.arange(1, len(known) + 1) / max(len(known), 1)
    left.step(
        [0, *known, np.inf],
        [0, *share, 100 * len(finite) / max(len(known), 1)],
        where="post",
        color=COLOURS[0],
    )
    for r in radii:
        left.axvline(r, color=COLOURS[1], lw=1, ls=":")
    left.set(xlim=(0, top), ylim=(0, 102), xlabel=f"error, {unit}", ylabel="landmarks below it, %")
    left.grid(color="0.5", alpha=0.25)
    columns = [errors[np.isfinite(errors[:, k]), k] for k in range(len(names))]
    spots = {"marker": ".", "markersize": 4, "markeredgecolor": "0.4"}
    right.boxplot(
        columns,
        orientation="horizontal",
        widths=0.6,
        flierprops=spots,
        medianprops={"color": COLOURS[1]},
    )
    shown = [str(name).replace("$", r"\$") for name in names]
    right.set_yticks(range(1, len(names) + 1), shown, fontsize=8)
    right.invert_yaxis()
    right.set(xlabel=f"error, {unit}", xlim=(0, None))
    right.grid(axis="x", color="0.5", alpha=0.25)
    for ax in (left, right):
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    return figure


def _pictures(count: int, columns: int) -> tuple[Figure, list[Axes]]:
    """A figure for some pictures in rows; the axes, of which the last may stay empty."""
    if columns < 1:
        raise ValueError(f"columns: expected at least 1, got {columns}")
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, _ = _axes(None, (2.5 * columns, 3.4 * rows), rows, columns)
    for ax in figure.axes:
        ax.set(xticks=[], yticks=[], frame_on=False)
    figure.set_layout_engine("compressed")  # pictures keep their sides
    return figure, figure.axes


def _axes(ax: Axes | None, size: tuple[float, float], *grid: int) -> tuple[Figure, Any]:
    if ax is not None:
        return ax.figure, ax
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(*grid, figsize=size, layout="constrained", squeeze=True)
    pyplot.close(figure)
    if not grid:
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure, axes
