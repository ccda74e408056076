"""The map of the pool: every image a mark, templates as discs with their rank, spokes between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import svg
from .charts import COLOURS
from .pictures import Picture
from .stats import Map, Pool
from .words import clean, count, number

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
            hover = svg.title(
                f"{clean(ids[n])}: coverage {number(pool.coverage[n])}, "
                f"represented by {label(pool, k)}"
            )
            parts.append(_marker(*place[n], k, hover))
    parts += _side_columns(pool, place, thumbs, side)
    for k in range(len(pool.templates) - 1, -1, -1):
        n = int(pool.templates[k])
        if np.isfinite(place[n]).all():
            x, y = place[n]
            hover = svg.title(
                f"{label(pool, k)}: {clean(ids[n])}, covers {count(int(pool.images[k]), 'image')}"
            )
            name, colour = label(pool, k), f"t{k % COLOURS}"
            radius = 11.0 if len(name) < 3 else 14.0
            disc = svg.tag("circle", cx=float(x), cy=float(y), r=radius, class_=f"pick {colour}")
            parts.append(
                svg.tag("g", hover, disc, svg.text(name, x, y + 4.5, f"rank {colour}", "middle"))
            )
    drawn = count(int(np.isfinite(place[:, 0]).sum()), "image")
    said = f"Map of {drawn}; similar images lie close together"
    return svg.picture(WIDE + 2 * side, TALL, said, parts, "map")


def label(pool: Pool, k: int) -> str:
    """Rank of a chosen template, or a letter-like name for one that was given."""
    return str(k + 1) if k < pool.chosen else f"A{k - pool.chosen + 1}"


def _place(xy: np.ndarray, side: float) -> np.ndarray:
    """Map coordinates to the drawing, same scale on both axes, centred."""
    low, high = np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)
    room = np.array([WIDE - 2 * MARGIN, TALL - 2 * MARGIN])
    scale = float(
        np.min(room / np.maximum(high - low, 1e-12 * max(1e-300, float(np.max(high - low)))))
    )
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


def _side_columns(
    pool: Pool, place: np.ndarray, thumbs: dict[int, Picture], side: float
) -> list[str]:
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
                parts.append(
                    svg.tag(
                        "image",
                        href=pic.uri,
                        x=float(x),
                        y=float(y),
                        width=float(w),
                        height=float(h),
                    )
                )
            parts.append(
                svg.tag(
                    "rect",
                    x=float(x),
                    y=float(y),
                    width=float(w),
                    height=float(h),
                    class_=f"edge t{k % COLOURS}",
                )
            )
            parts.append(
                svg.tag(
                    "rect",
                    x=float(x),
                    y=float(y),
                    width=22.0,
                    height=17.0,
                    class_=f"flag t{k % COLOURS}",
                )
            )
            parts.append(svg.text(label(pool, k), x + 11, y + 13, f"rank t{k % COLOURS}", "middle"))
    return parts
