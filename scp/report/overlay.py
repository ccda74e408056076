"""Key points drawn over a picture, and the colour scale of their coverage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import svg
from .words import number

MOST_POINTS = 400  # key points drawn on one picture


def key_points(
    xy: np.ndarray,
    shape: tuple[int, int],
    colours: Sequence[str] | None,
    sizes: Sequence[float] | None,
    said: Sequence[str] | None = None,
) -> str:
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
    return svg.tag(
        "svg",
        *parts,
        viewBox=f"0 0 {w} {h}",
        class_="overlay",
        aria_hidden="true",
        preserveAspectRatio="none",
    )


def ramp_legend(low: float, high: float) -> str:
    """The colour bar of the key point maps, from low to high coverage."""
    width, steps = 260, 52
    parts = [
        svg.tag(
            "rect",
            x=k * width / steps,
            y=0.0,
            width=width / steps + 0.6,
            height=12.0,
            fill=svg.ramp((k + 0.5) / steps),
        )
        for k in range(steps)
    ]
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        parts.append(
            svg.text(number(low + share * (high - low)), share * width, 30, "tick", anchor)
        )
    return svg.picture(
        width,
        34,
        f"Colour scale from {number(low)}, bright, to {number(high)}, dark",
        parts,
        "ramp",
    )


def field(
    place: np.ndarray, values: np.ndarray, shape: tuple[int, int], columns: int = 22
) -> tuple[str, float, float] | None:
    """Mean coverage by region of the frame, as discs over a picture of shape (H, W).

    place [P][2]: key points of many images as shares (x, y) of their frames; values [P]: coverage.
    The area of a disc follows the number of key points, its colour their mean; regions with fewer
    than a fortieth of the most are left out. Returns the drawing and the ends of its colour scale,
    or None if there is nothing to draw.
    """
    if not len(place):
        return None
    h, w = shape
    rows = max(1, round(columns * h / w))
    cell = np.clip((place * (columns, rows)).astype(np.int64), 0, (columns - 1, rows - 1))
    flat = cell[:, 1] * columns + cell[:, 0]
    amount = np.bincount(flat, minlength=rows * columns)
    mean = np.bincount(flat, values, minlength=rows * columns) / np.maximum(amount, 1)
    shown = np.flatnonzero(amount >= max(1, amount.max() / 40))
    low, high = (float(v) for v in np.percentile(mean[shown], [5, 95]))
    if not high > low:
        low, high = low - 1e-3, high + 1e-3
    step = w / columns
    parts = []
    for k in shown:
        row, column = divmod(int(k), columns)
        parts.append(
            svg.tag(
                "circle",
                svg.title(f"{int(amount[k])} key points, mean coverage {number(mean[k])}"),
                cx=(column + 0.5) * step,
                cy=(row + 0.5) * h / rows,
                r=step * (0.16 + 0.34 * float(amount[k] / amount.max()) ** 0.5),
                fill=svg.ramp((mean[k] - low) / (high - low)),
                class_="spot",
            )
        )
    drawing = svg.tag(
        "svg",
        *parts,
        viewBox=f"0 0 {w} {h}",
        class_="overlay",
        aria_hidden="true",
        preserveAspectRatio="none",
    )
    return drawing, low, high
