"""Pictures for the cells of a notebook, which bring no style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from .pictures import Pictures
from .words import clean

SIDE = 120  # of a picture, the longer one
MOST = 12

ROW = "display:flex;flex-wrap:wrap;gap:8px;align-items:end"
FIGURE = "margin:0;font-size:smaller"


def tiles(dataset: Any, rows: Sequence[int], captions: Iterable[str]) -> str:
    """The first images of `rows` side by side, each with its caption; how many more there are."""
    shown = [int(i) for i in rows[:MOST]]
    figures = [
        f'<figure style="{FIGURE}">{_picture(picture, clean(dataset.ids[i]))}'
        f"<figcaption>{escape(clean(caption))}</figcaption></figure>"
        for i, picture, caption in zip(
            shown, Pictures(dataset).many(shown, SIDE), captions, strict=False
        )
    ]
    more = f"<p>and {len(rows) - MOST} more</p>" if len(rows) > MOST else ""
    return f'<div style="{ROW}">{"".join(figures)}</div>{more}'


def _picture(picture: Any, name: str) -> str:
    if not picture.uri:
        return f"<em>{escape(name)} cannot be read</em>"
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<img src="{picture.uri}" alt="{escape(name, quote=True)}" {size}>'
