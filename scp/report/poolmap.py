"""The map of the pool: every image a mark, templates as discs with their rank, spokes between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .pictures import Picture, Pictures
from .stats import Map, Pool
from .svg import COLOURS, Drawing, circle, fixed, line, rect, tag, text
from .words import clean, count, number

SIDE, WIDE, TALL, MARGIN = 92.0, 620.0, 470.0, 20.0
THUMBS = 12  # templates with a picture beside the map


def pool_map(pool: Pool, where: Map, ids: Sequence[str], thumbs: dict[int, Picture]) -> Drawing:
    """The pool in the plane: spokes to the owning template, templates with their rank.

    thumbs: position among the templates -> picture, drawn in the side columns with leaders.
    """
    side = SIDE if thumbs else 0.0
    place = _place(where.xy, side)
    drawn = np.isfinite(place[:, 0])
    spokes, marks, discs = [], [], []
    for n in np.flatnonzero(drawn & (pool.owner >= 0)):
        k = int(pool.owner[n])
        t = pool.templates[k]
        if n == t:
            continue
        if drawn[t]:
            spokes.append(line(*place[n], *place[t], f"spoke t{k % COLOURS}"))
        said = f"coverage {number(pool.coverage[n])}, represented by {label(pool, k)}"
        marks.append(_marker(*place[n], k, f"{clean(ids[n])}: {said}"))
    for k, n in reversed(list(enumerate(pool.templates))):
        if drawn[n]:
            discs.append(_disc(*place[n], pool, k, ids[n]))
    said = f"Map of {count(int(drawn.sum()), 'image')}; similar images lie close together"
    parts = spokes + marks + _side_columns(pool, place, thumbs, side) + discs
    return Drawing(WIDE + 2 * side, TALL, said, parts, "map")


def thumbnails(pool: Pool, where: Map, pictures: Pictures) -> dict[int, Picture]:
    """Pictures of the first templates on the map, by their position among the templates."""
    first = enumerate(pool.templates[:THUMBS].tolist())
    return {k: pictures.small(i, 150) for k, i in first if np.isfinite(where.xy[i]).all()}


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


def _marker(x: float, y: float, k: int, said: str) -> str:
    """An image's mark: the shape changes when the colours come round again."""
    shape = ("circle", "square", "diamond")[k // COLOURS % 3]
    class_ = f"mark-{shape} point t{k % COLOURS}"
    if shape == "circle":
        return circle(x, y, 4.2, class_, said)
    if shape == "square":
        return rect(x - 3.8, y - 3.8, 7.6, 7.6, class_, said)
    return tag("path", d=f"M{fixed(x)} {fixed(y - 5)}l5 5l-5 5l-5 -5z", class_=class_, said=said)


def _disc(x: float, y: float, pool: Pool, k: int, id: str) -> str:
    """A template, with its rank."""
    name, colour = label(pool, k), f"t{k % COLOURS}"
    return tag(
        "g",
        circle(x, y, 11 if len(name) < 3 else 14, f"pick {colour}"),
        text(name, x, y + 4.5, f"rank {colour}", "middle"),
        said=f"{name}: {clean(id)}, covers {count(int(pool.images[k]), 'image')}",
    )


def _side_columns(
    pool: Pool, place: np.ndarray, thumbs: dict[int, Picture], side: float
) -> list[str]:
    """Thumbnails of templates beside the map, in the order of their height, with leader lines."""
    spots = place[pool.templates].tolist()
    order = sorted(thumbs, key=lambda k: (spots[k][0], k))
    half = (len(order) + 1) // 2
    parts = []
    for column, left in ((order[:half], True), (order[half:], False)):
        slot = TALL / max(1, len(column))
        for row, k in enumerate(sorted(column, key=lambda k: (spots[k][1], k))):
            picture, colour = thumbs[k], f"t{k % COLOURS}"
            scale = min(SIDE - 14, slot - 10) / max(picture.width, picture.height)
            w, h = picture.width * scale, picture.height * scale
            x = side - 10 - w if left else side + WIDE + 10
            y = slot * (row + 0.5) - h / 2
            parts.append(line(x + w if left else x, y + h / 2, *spots[k], f"leader {colour}"))
            if picture.uri:
                at = {"x": float(x), "y": float(y), "width": float(w), "height": float(h)}
                parts.append(tag("image", href=picture.uri, **at))
            parts.append(rect(x, y, w, h, f"edge {colour}"))
            parts.append(rect(x, y, 22, 17, f"flag {colour}"))
            parts.append(text(label(pool, k), x + 11, y + 13, f"rank {colour}", "middle"))
    return parts
