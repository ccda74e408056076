"""One chosen image at a time: its neighbours, and the key points that nothing covers.

A part of the report (its JavaScript is browse.js), and a page of its own for notebooks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..runs import writing
from . import overlay, poolmap, words
from .frame import asset, page
from .gallery import LARGE, Gallery
from .pictures import Pictures
from .stats import measure
from .svg import COLOURS

PANELS = 40  # templates that can be browsed
BEST, WORST = 6, 6  # images shown of those that a template represents
UNCOVERED = 24  # images shown with key points that nothing covers
LEAST = 5  # percent of the key points of the pool: the least covered, which nothing covers
# Longer side of the pictures of all images for so many images at most. Of more, only those that
# are browsed are in the page.
SIDES = ((100, 240), (300, 160), (600, 112))
HEIGHT = 760  # pixels of a cell of a notebook


@dataclass(frozen=True)
class Browser:
    """The browser through a choice: the value of a cell of a notebook, or a file."""

    html: str = field(repr=False)

    def __repr__(self) -> str:
        return f'<Browser: a page of {len(self.html) >> 10} kB; .save("browse.html") writes it>'

    def _repr_html_(self) -> str:
        # A document of its own: neither style sheet sees the other.
        return (
            f'<iframe srcdoc="{escape(self.html, quote=True)}" title="The chosen images" '
            f'style="width:100%;height:{HEIGHT}px;border:0"></iframe>'
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an HTML file that needs no other, whole or not at all, and return its path."""
        target = Path(path)
        with writing(target) as beside:
            beside.write_text(self.html, encoding="utf-8")
        return target


def browser(
    dataset: Any, points: np.ndarray, offsets: np.ndarray, values: Any, selection: Any
) -> Browser:
    """The browser as a page of its own. Arguments as in `write_report`, already checked."""
    ids = [words.clean(i) for i in dataset.ids]
    pool = measure(values, offsets, selection)
    gallery = Gallery(ids, points, offsets, selection, pool, Pictures(dataset))
    context = {
        "title": words.clean(getattr(dataset, "name", None) or "Image pool"),
        "heading": words.heading(len(selection.selected)),
        "browse": browse(gallery, alone=True),
        "whole": gallery.whole,
        "w": words,
    }
    return Browser(page("browser.html", context, asset("browse.js")))


def browse(gallery: Gallery, alone: bool = False) -> dict[str, Any]:
    """What the part shows. alone: in a page without the large pictures of the chosen images."""
    templates = len(gallery.pool.templates)
    weak = _uncovered(gallery)
    panels = [_panel(gallery, k, weak, alone) for k in range(min(templates, PANELS))]
    least = _least(gallery, weak)
    shown = [tile["n"] for p in panels for tile in p["best"] + p["worst"]]
    shown += [tile["n"] for tile in least["tiles"]]
    return {
        "panels": panels,
        "least": least,
        "more": templates - len(panels),
        "pictures": pictures(gallery, shown, everything=not alone),
    }


def pictures(gallery: Gallery, shown: Sequence[int], everything: bool) -> list[dict[str, Any]]:
    """The pictures that stand in the page once, by the number of their image: those `shown`, or
    `everything` where there are not too many."""
    n = len(gallery.ids)
    side = next((side for most, side in SIDES if n <= most), None)
    rows = range(n) if everything and side else sorted(set(shown))
    made = gallery.pictures.many(rows, side or SIDES[-1][1])
    return [{"n": i, "picture": picture} for i, picture in zip(rows, made, strict=True)]


def whole_pool(gallery: Gallery) -> bool:
    """Whether the page has a picture of every image."""
    return len(gallery.ids) <= SIDES[-1][0]


@dataclass(frozen=True)
class _Weak:
    """The key points that nothing covers."""

    columns: np.ndarray  # bool [Q]
    below: float  # their similarity to the best template
    of: int  # key points of the images that are no templates


def _uncovered(gallery: Gallery) -> _Weak:
    """The least covered key points of the images that are no templates."""
    others = np.ones(len(gallery.ids), bool)
    others[gallery.pool.templates] = False
    theirs = np.repeat(others, gallery.pool.counts)
    if gallery.whole or not theirs.any() or not len(gallery.pool.templates):
        return _Weak(np.zeros(len(theirs), bool), np.nan, 0)
    below = float(np.percentile(gallery.cover_value[theirs], LEAST))
    return _Weak(theirs & (gallery.cover_value < below), below, int(theirs.sum()))


def _panel(gallery: Gallery, k: int, weak: _Weak, alone: bool) -> dict[str, Any]:
    """A template, the images that it represents best and those that it represents worst."""
    pool, i = gallery.pool, int(gallery.pool.templates[k])
    name = poolmap.label(pool, k)
    mine = gallery.represented(k)
    worst = mine[BEST:][::-1][:WORST]
    there = not alone and k < min(pool.chosen, LARGE)  # its large picture
    main = None
    if not there:
        main = gallery.tile(i, 420 if alone else 300)
        main["overlay"] = gallery.key_points(i, main["picture"], None)
    said = words.count(len(mine), "other image") if len(mine) else "no other image"
    return {
        "name": name,
        "id": gallery.ids[i],
        "colour": f"t{k % COLOURS}",
        "from": f"pick-{k + 1}" if there else None,
        "main": main,
        "said": f"Represents {said}.",
        "best": [_represented(gallery, int(n), k, weak) for n in mine[:BEST]],
        "worst": [_represented(gallery, int(n), k, weak) for n in worst],
    }


def _represented(gallery: Gallery, n: int, k: int, weak: _Weak) -> dict[str, Any]:
    value = words.number(gallery.pool.mean_to[k][n])
    return _tile(gallery, n, weak, value, f"similarity {value}")


def _least(gallery: Gallery, weak: _Weak) -> dict[str, Any]:
    """The images with most key points that nothing covers."""
    image_of = np.repeat(np.arange(len(gallery.ids)), gallery.pool.counts)
    amount = np.bincount(image_of[weak.columns], minlength=len(gallery.ids))
    order = np.lexsort((gallery.pool.coverage, -amount))
    order = order[: min(UNCOVERED, int((amount > 0).sum()))]
    tiles = []
    for n in order.tolist():
        said = f"{amount[n]} of {words.count(int(gallery.pool.counts[n]), 'key point')}"
        tiles.append(_tile(gallery, n, weak, said, f"nothing covers {said}"))
    said = (
        f"The least covered {LEAST} % of {words.count(weak.of, 'key point')}: no template is more "
        f"similar to them than {words.number_up(weak.below)}. They lie in "
        f"{words.count(int((amount > 0).sum()), 'image')}."
    )
    return {"tiles": tiles, "said": said, "more": int((amount > 0).sum()) - len(tiles)}


def _tile(gallery: Gallery, n: int, weak: _Weak, value: str, said: str) -> dict[str, Any]:
    """A picture, which the page has once, with its key points that nothing covers."""
    marks, own = "", gallery.own(n)
    shape = gallery.pictures.shape(n)
    here = np.flatnonzero(weak.columns[own])
    if shape is not None and len(here):
        values = gallery.cover_value[own][here]
        marks = overlay.key_points(
            gallery.points[own][here],
            shape,
            [overlay.ramp(0.0)] * len(here),
            [2.0] * len(here),
            [f"similarity {words.number(v)}" for v in values],
        )
    many = f", {words.count(len(here), 'key point')} that nothing covers" if len(here) else ""
    alt = f"Image {gallery.ids[n]}, {said}"
    if not said.startswith("nothing"):
        alt += many
    return {"n": n, "id": gallery.ids[n], "value": value, "alt": alt, "overlay": marks}
