"""Marks over pictures: key points and landmarks, and the colour scale of their values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .svg import Drawing, Overlay, circle, fixed, line, tag, text
from .words import number

MOST_POINTS = 400  # key points drawn on one picture
# Plasma, light for low and dark for high: low coverage shines on a radiograph. Safe for the
# common colour-vision deficiencies and monotone in lightness.
RAMP = bytes.fromhex("f0f921 fcce25 fca636 f2844b e16462 cc4778 b12a90 8f0da4 6a00a8 41049d 0d0887")


def key_points(
    xy: np.ndarray,
    shape: tuple[int, int],
    colours: Sequence[str] | None = None,
    sizes: Sequence[float] | None = None,
    said: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> Overlay:
    """Key points xy [K][2] (original pixels) over a picture of shape (H, W).

    colours: fill per point (None: hollow rings); sizes: relative radius; said: under the pointer.
    classes: of points that are not filled, "" for the others.
    """
    h, w = shape
    unit = max(h, w) / 100
    keep = np.arange(len(xy))
    if len(keep) > MOST_POINTS:
        keep = np.unique(np.linspace(0, len(xy) - 1, MOST_POINTS).round().astype(int))
    parts = []
    for k in keep:
        radius = unit * (sizes[k] if sizes is not None else 0.95)
        fill = {} if colours is None else {"fill": colours[k]}
        if classes is not None and classes[k]:
            parts.append(circle(*_centre(xy[k]), unit, classes[k], said[k] if said else ""))
            continue
        class_, hover = "ring" if colours is None else "spot", said[k] if said is not None else ""
        parts.append(circle(*_centre(xy[k]), radius, class_, hover, **fill))
    return Overlay((0, 0, w, h), parts)


def landmarks(
    found: np.ndarray,
    truth: np.ndarray | None,
    box: tuple[int, int, int, int],
    size: float = 2.5,
) -> Overlay:
    """Crosses where landmarks were found, rings where they are and lines between.

    found, truth: [L][2] in original pixels, NaN is not drawn. box: left, top, width and height of
    the part of the image that the picture shows. size: of the marks, in percent of its longer side.
    """
    size *= max(box[2:]) / 100
    true = np.full_like(found, np.nan) if truth is None else truth
    lines, marks = [], []
    for a, b in zip(found, true, strict=True):
        (ax, ay), (bx, by) = _centre(a), _centre(b)
        if np.isfinite([a, b]).all():
            lines.append(line(ax, ay, bx, by, "between"))
        if np.isfinite(a).all():
            d = "".join(
                f"M{fixed(ax - size)} {fixed(ay - y)}L{fixed(ax + size)} {fixed(ay + y)}"
                for y in (size, -size)
            )
            marks.append(tag("path", d=d, class_="cross", said="predicted"))
        if np.isfinite(b).all():
            marks.append(circle(bx, by, size, "ring true", "true"))
    return Overlay(box, lines + marks)


def _centre(xy: np.ndarray) -> tuple[float, float]:
    """Pixel centres are at integers; the drawing's pixel (0, 0) is the square from 0 to 1."""
    return float(xy[0]) + 0.5, float(xy[1]) + 0.5


def ramp(share: float) -> str:
    """Colour of a share in [0, 1] on the sequential map, as #rrggbb."""
    last = len(RAMP) // 3 - 1
    at = min(max(share, 0.0), 1.0) * last
    k = min(int(at), last - 1)
    ends = RAMP[3 * k : 3 * k + 3], RAMP[3 * k + 3 : 3 * k + 6]
    mix = (round(a + (b - a) * (at - k)) for a, b in zip(*ends, strict=True))
    return f"#{bytes(mix).hex()}"


def ramp_legend(low: float, high: float) -> Drawing:
    """The colour bar of the key point maps, from low to high coverage."""
    width, pieces = 260, 52
    step = width / pieces
    parts = [
        tag("rect", x=k * step, y=0, width=step + 0.6, height=12, fill=ramp((k + 0.5) / pieces))
        for k in range(pieces)
    ]
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        parts.append(text(number(low + share * (high - low)), share * width, 30, "tick", anchor))
    said = f"Colour scale from {number(low)}, bright, to {number(high)}, dark"
    return Drawing(width, 34, said, parts, "ramp")


def field(
    place: np.ndarray, values: np.ndarray, shape: tuple[int, int], columns: int = 22
) -> tuple[Overlay, float, float] | None:
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
        said = f"{int(amount[k])} key points, mean coverage {number(mean[k])}"
        at = ((column + 0.5) * step, (row + 0.5) * h / rows)
        radius = step * (0.16 + 0.34 * float(amount[k] / amount.max()) ** 0.5)
        colour = ramp((mean[k] - low) / (high - low))
        parts.append(circle(*at, radius, "spot", said, fill=colour))
    return Overlay((0, 0, w, h), parts), low, high
