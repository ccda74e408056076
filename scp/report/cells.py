"""Pictures and tables for the cells of a notebook, which bring no style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from typing import Any

import numpy as np

from ..devices import get_threads
from .pictures import Picture, Pictures, encoded
from .words import clean

SIDE = 120  # of a picture, the longer one
MARKED = 260  # of a picture with landmarks
MOST = 12

ROW = "display:flex;flex-wrap:wrap;gap:8px;align-items:end"
FIGURE = "margin:0;font-size:smaller"

# Blue, green, red, as OpenCV draws them: those of the marks in plots.css.
CROSS, DOUBTFUL, TRUE, EDGE = (233, 180, 86), (72, 146, 255), (77, 216, 255), (20, 20, 20)


def tiles(dataset: Any, rows: Sequence[int], captions: Iterable[str]) -> str:
    """The first images of `rows` side by side, each with its caption; how many more there are."""
    shown = [int(i) for i in rows[:MOST]]
    pictures = Pictures(dataset).many(shown, SIDE)
    more = f"<p>and {len(rows) - MOST} more</p>" if len(rows) > MOST else ""
    return _row(pictures, [clean(dataset.ids[i]) for i in shown], captions) + more


def marked(
    dataset: Any,
    rows: Sequence[int],
    found: np.ndarray,
    captions: Iterable[str],
    doubtful: Sequence[int] = (),
    truth: np.ndarray | None = None,
) -> str:
    """Some images side by side, with a cross at each landmark found and a ring at each true one.

    rows: of the images. found, truth: [len(rows)][L][2] in original pixels; NaN is not drawn.
    doubtful: for each image the landmark whose cross has another colour.
    """
    reader = Pictures(dataset)

    def one(k: int) -> Picture:
        try:
            grey, shape = reader.grey(rows[k], MARKED)
        except Exception:  # the caption is shown without it
            return Picture("", 1, 1, None)
        special = doubtful[k] if len(doubtful) else -1
        drawn = _drawn(grey, shape, found[k], None if truth is None else truth[k], special)
        return Picture(encoded(drawn, 80), grey.shape[1], grey.shape[0], shape)

    with ThreadPoolExecutor(get_threads()) as threads:
        pictures = list(threads.map(one, range(len(rows))))
    return _row(pictures, [clean(dataset.ids[i]) for i in rows], captions)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; texts are escaped."""
    head = "".join(f"<th>{escape(clean(text))}</th>" for text in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(clean(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def paragraph(text: object) -> str:
    """A line of text, escaped."""
    return f"<p>{escape(clean(text))}</p>"


def _drawn(
    grey: np.ndarray, shape: tuple[int, int], found: np.ndarray, truth: Any, special: int
) -> np.ndarray:
    """The picture in colour, with its marks: they stay where a page forbids drawings over it."""
    import cv2

    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    scale = np.array([grey.shape[1] / shape[1], grey.shape[0] / shape[0]])

    def spots(points: Any) -> list[tuple[int, tuple[int, int]]]:
        """Landmarks that are in reach of the picture, and their pixels."""
        out = []
        for l, point in enumerate(np.asarray(points, np.float64)):
            at = (point + 0.5) * scale - 0.5
            if (np.abs(at) < 1 << 14).all():  # NaN is not
                out.append((l, (round(float(at[0])), round(float(at[1])))))
        return out

    for _, at in spots(truth) if truth is not None else ():
        for colour, width in ((EDGE, 3), (TRUE, 1)):
            cv2.circle(picture, at, 5, colour, width, cv2.LINE_AA)
    for l, at in spots(found):
        own = DOUBTFUL if l == special else CROSS
        for colour, width in ((EDGE, 3), (own, 1)):
            cv2.drawMarker(picture, at, colour, cv2.MARKER_TILTED_CROSS, 9, width, cv2.LINE_AA)
    return picture


def _row(pictures: Sequence[Picture], names: Sequence[str], captions: Iterable[str]) -> str:
    figures = [
        f'<figure style="{FIGURE}">{_picture(picture, name)}'
        f"<figcaption>{escape(clean(caption))}</figcaption></figure>"
        for picture, name, caption in zip(pictures, names, captions, strict=False)
    ]
    return f'<div style="{ROW}">{"".join(figures)}</div>'


def _picture(picture: Any, name: str) -> str:
    if not picture.uri:
        return f"<em>{escape(name)} cannot be read</em>"
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<img src="{picture.uri}" alt="{escape(name, quote=True)}" {size}>'
