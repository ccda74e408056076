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
