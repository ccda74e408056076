"""The map of the pool: every image a mark, templates as discs with their rank, spokes between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .along import Along
from .pictures import Picture, Pictures
from .stats import Map, Pool
from .svg import COLOURS, Drawing, circle, fixed, line, rect, tag, text
from .words import clean, count, number

SIDE, WIDE, TALL, MARGIN = 92.0, 620.0, 470.0, 20.0
THUMBS = 12  # templates with a picture beside the map
MARKS = 4000  # images that are drawn, beside the templates


def pool_map(
    pool: Pool,
    where: Map,
    ids: Sequence[str],
    thumbs: dict[int, Picture],
    along: Along | None = None,
) -> Drawing:
    """The pool in the plane: spokes to the owning template, templates with their rank.

    thumbs: position among the templates -> picture, drawn in the side columns with leaders. along:
    what a slider moves through. Of many images only some are drawn (`left_out`).
    """
    side = SIDE if thumbs else 0.0
    place = _place(where.xy, side)
    drawn = np.isfinite(place[:, 0])
    drawn[left_out(pool, where)] = False
    spokes, marks, discs = [], [], []
    for n in np.flatnonzero(drawn & (pool.owner >= 0)):
        k = int(pool.owner[n])
        t = pool.templates[k]
        if n == t:
            continue
        if drawn[t]:
            spokes.append(line(*place[n], *place[t], f"spoke t{k % COLOURS}", data_n=int(n)))
        said = f"coverage {number(pool.coverage[n])}, represented by {label(pool, k)}"
        data = {"data_n": int(n), "data_owner": along.of(n) if along else None}
        marks.append(_marker(*place[n], k, f"{clean(ids[n])}: {said}", data))
    for k, n in reversed(list(enumerate(pool.templates))):
        if drawn[n]:
            discs.append(_disc(*place[n], pool, k, ids[n]))
    said = f"Map of {count(int(drawn.sum()), 'image')}; similar images lie close together"
    parts = spokes + marks + _side_columns(pool, place, thumbs, side) + discs
    return Drawing(WIDE + 2 * side, TALL, said, parts, "map")


def left_out(pool: Pool, where: Map) -> np.ndarray:
    """Numbers of the images without a mark though they have a place: all but some drawn at random,
    and the templates."""
    others = np.setdiff1d(np.flatnonzero(np.isfinite(where.xy[:, 0])), pool.templates)
    return np.sort(np.random.default_rng(0).permutation(others)[MARKS:])


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


SHAPES = (  # of the marks, around 0, 0: they change when the colours come round again
    "M-4.2 0a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0 -8.4 0z",
    "M-3.8 -3.8h7.6v7.6h-7.6z",
    "M0 -5l5 5l-5 5l-5 -5z",
)


def _marker(x: float, y: float, k: int, said: str, data: dict[str, object]) -> str:
    """An image's mark."""
    return tag(
        "path",
        d=SHAPES[k // COLOURS % len(SHAPES)],
        transform=f"translate({fixed(x)} {fixed(y)})",
        class_=f"image point t{k % COLOURS}",
        said=said,
        **data,
    )


def _disc(x: float, y: float, pool: Pool, k: int, id: str) -> str:
    """A template, with its rank."""
    name, colour = label(pool, k), f"t{k % COLOURS}"
    return tag(
        "g",
        circle(x, y, 11 if len(name) < 3 else 14, f"pick {colour}"),
        text(name, x, y + 4.5, f"rank {colour}", "middle"),
        said=f"{name}: {clean(id)}, covers {count(int(pool.images[k]), 'image')}",
        class_="template",
        data_k=k,
        data_at=f"{fixed(x)} {fixed(y)}",
        data_later=int(k < pool.chosen),
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
            start = x + w if left else x, y + h / 2
            later = {"data_k": k, "data_later": int(k < pool.chosen)}
            leader = line(*start, *spots[k], f"leader {colour}", **later)
            parts.append(leader)
            if picture.uri:
                at = {"x": float(x), "y": float(y), "width": float(w), "height": float(h)}
                parts.append(tag("image", href=picture.uri, **at))
            parts.append(rect(x, y, w, h, f"edge {colour}"))
            parts.append(rect(x, y, 22, 17, f"flag {colour}"))
            parts.append(text(label(pool, k), x + 11, y + 13, f"rank {colour}", "middle"))
    return parts
