"""The section of the report that shows landmarks found: on the annotated images and on those that
are least certain."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ..devices import get_threads
from ..landmarks import CORRECTED, FOUND, MARKED, Landmarks, read_landmarks
from . import overlay, words
from .frame import ROWS, part
from .pictures import Picture, Pictures

PAGE = 24  # pictures of a page that is unfolded
# Sides of the pictures of all images for so many images at most; of more, only the first are shown.
SIDES = ((150, 320), (400, 240), (1000, 176))
TEXTS = 40_000  # landmarks in them that have a name under the pointer
CHOSEN, DOUBTFUL = 12, 8  # pictures of annotated and of least certain images, at most
SIZE = 420  # pixels of the longer side of a picture
LANDMARKS, NEXT = "landmarks", "next"  # parts of the page that are replaced


def between(name: str, content: str) -> str:
    """A part of the page that `replace` finds; ids are escaped, so no other text looks like it."""
    return f"<!-- {name} -->\n{content}<!-- end of {name} -->"


def next_steps(steps: Any) -> str:
    """The box that says what to do next: sentences and commands."""
    said = [(words.clean(text), words.clean(command)) for text, command in steps]
    return between(NEXT, part("next.html", {"steps": said}))


def section(
    dataset: Any,
    landmarks: Any,
    templates: np.ndarray,
    pictures: Pictures | None = None,
    remark: str = "",
) -> str:
    """The section as HTML.

    landmarks: xy [N'][L][2], confidence and error [N'][L] or None, of images by id (scp.Landmarks);
        None: the section says how to find them. templates: rows of the annotated images, where the
        landmarks have no source. remark: what to know of them.
    """
    marks = None if landmarks is None else landmarks.rows([str(i) for i in dataset.ids], True)
    if marks is None or not marks.present.any():
        return between(LANDMARKS, part("landmarks.html", {"w": words}))
    if marks.source is not None:
        templates = np.flatnonzero(marks.by_hand.any(axis=1))
    context = _context(dataset, marks, templates, pictures)
    return between(LANDMARKS, part("landmarks.html", context | {"remark": words.clean(remark)}))


def replace(html: str, name: str, new: str) -> str | None:
    """A page with another text for that part; None where it has none."""
    before, begin, rest = html.partition(f"<!-- {name} -->")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    return before + new + after if begin and end else None


def _context(dataset, marks, templates, pictures) -> dict[str, Any]:
    pictures = pictures or Pictures(dataset)
    confidence, error = marks.confidence, marks.error
    looked = marks.present.any(axis=1)
    if marks.presence is not None:  # nothing may be there
        looked |= np.isfinite(marks.presence).any(axis=1)
    others = np.setdiff1d(np.flatnonzero(looked), templates)
    scale = None
    if confidence is not None:
        low, high = (float(v) for v in np.nanpercentile(_known(marks, confidence), [2, 98]))
        scale = (low, high) if high > low else (low - 1e-3, high + 1e-3)
    doubt = marks.doubt()
    groups = []
    shown = [int(i) for i in templates if marks.present[i].any()][:CHOSEN]
    if shown:
        said = "On the annotated images" if marks.source is None else "Marked by a person"
        groups.append((said, shown))
    if doubt is not None:
        unsure = np.nan_to_num(doubt, nan=np.inf)  # nothing known of it: first
        order = others[np.argsort(-unsure[others], kind="stable")]
        first = order[:DOUBTFUL].tolist()
        groups.append((f"On the least certain of the other {len(others):,}", first))
        others = order
    else:
        groups.append((f"On some of the other {len(others):,}", others[:DOUBTFUL].tolist()))
    pages, left = _pages(dataset, marks, [*others.tolist(), *templates.tolist()], pictures, scale)
    rows = _table(marks, others)
    return {
        "names": len(marks.names),
        "images": int(marks.present.any(axis=1).sum()),
        "confidence": confidence is not None,
        "error": error is not None,
        "legend": overlay.ramp_legend(*scale) if scale else "",
        "groups": [
            (heading, [_tile(dataset, marks, i, pictures, scale) for i in rows])
            for heading, rows in groups
            if rows
        ],
        "pages": pages,
        "left": left,
        "doubt": doubt is not None,
        "hand": marks.source is not None,
        "rows": rows[:ROWS],
        "more": max(0, len(rows) - ROWS),
        "w": words,
    }


def _pages(dataset, marks, rows: list[int], pictures: Pictures, scale):
    """All images, as pages of small pictures; and how many are not shown."""
    count = min(len(rows), SIDES[-1][0])
    side = next(side for most, side in SIDES if count <= most)
    texts = int(marks.present[rows[:count]].sum()) <= TEXTS
    with ThreadPoolExecutor(get_threads()) as pool:  # decoding is most of the work
        shown = list(pool.map(lambda i: pictures.small(i, side, 70), rows[:count]))
    tiles = [
        _tile(dataset, marks, i, pictures, scale, picture, texts)
        for i, picture in zip(rows[:count], shown, strict=True)
    ]
    pages = [(k + 1, min(k + PAGE, count), tiles[k : k + PAGE]) for k in range(0, len(tiles), PAGE)]
    return pages, len(rows) - count


def _tile(
    dataset, marks, i: int, pictures: Pictures, scale, picture: Picture | None = None, texts=True
) -> dict[str, Any]:
    picture = pictures.small(i, SIZE) if picture is None else picture
    here = np.flatnonzero(marks.present[i])
    facts, said = [], [words.clean(marks.names[k]) for k in here]
    hand = marks.by_hand[i, here]
    for source in (MARKED, CORRECTED):
        if marks.source is not None and (count := int((marks.source[i] == source).sum())):
            facts.append((source.capitalize(), words.count(count, "landmark")))
    if marks.confidence is not None and not hand.all():
        values = np.where(hand, np.nan, marks.confidence[i, here])
        least = int(np.nanargmin(values)) if np.isfinite(values).any() else 0
        facts += [
            ("Confidence", _share(np.nanmean(values))),
            ("Least", f"{said[least]}, {_share(values[least])}"),
        ]
        said = [f"{name}: confidence {_share(v)}" for name, v in zip(said, values, strict=True)]
    if marks.error is not None and not hand.all():
        facts.append(("Expected error", _pixels(np.nanmean(marks.error[i, here][~hand]))))
        said = [
            f"{text}, expected error {_pixels(v)}"
            for text, v in zip(said, marks.error[i, here], strict=True)
        ]
    if len(here) < len(marks.names):
        facts.append(("Absent", f"{len(marks.names) - len(here)}"))
    drawn = ""
    if picture.original is not None:
        colours = sizes = None
        if scale is not None:
            low, high = scale
            values = np.nan_to_num(marks.confidence[i, here])
            share = np.clip((values - low) / (high - low), 0, 1)
            colours, sizes = [overlay.ramp(float(s)) for s in share], 1.5 - 0.6 * share
        points = marks.xy[i, here]
        source = None if marks.source is None else marks.source[i, here]
        hand = None if source is None else np.where(source == FOUND, "", source).tolist()
        drawn = overlay.key_points(
            points, picture.original, colours, sizes, said if texts else None, hand
        )
    return {"id": words.clean(dataset.ids[i]), "picture": picture, "overlay": drawn, "facts": facts}


def _table(marks, rows: np.ndarray) -> list[list[str]]:
    """A line per landmark, over these images."""
    present = marks.present[rows]
    columns = [[f"{n:,}" for n in present.sum(axis=0)]]
    order = np.arange(len(marks.names))
    if marks.confidence is not None:
        values = np.where(present, marks.confidence[rows], np.nan)
        mean, low = _mean(values), _extreme(values, np.fmin)
        columns += [[_share(v) for v in mean], [_share(v) for v in low]]
        order = np.argsort(np.nan_to_num(mean, nan=-1), kind="stable")
    if marks.error is not None:
        values = np.where(present, marks.error[rows], np.nan)
        columns += [[_pixels(v) for v in f] for f in (_mean(values), _extreme(values, np.fmax))]
    return [[words.clean(marks.names[k]), *(column[k] for column in columns)] for k in order]


def _known(marks, values: np.ndarray) -> np.ndarray:
    values = values[marks.present & ~marks.by_hand]
    return values if np.isfinite(values).any() else np.zeros(1)


def _mean(values: np.ndarray, axis: int = 0) -> np.ndarray:
    count = np.isfinite(values).sum(axis=axis)
    total = np.nansum(values, axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _extreme(values: np.ndarray, function: np.ufunc) -> np.ndarray:
    nothing = np.full(values.shape[1], np.nan)
    return function.reduce(values, axis=0, initial=np.nan) if len(values) else nothing


def _share(v: float) -> str:
    return f"{v:.2f}" if np.isfinite(v) else "–"


def _pixels(v: float) -> str:
    return f"{v:.1f} px" if np.isfinite(v) else "–"


def landmarks_in(path: Path, ids: list[str]) -> tuple[Landmarks | None, list[str]]:
    """Landmarks of these images in a file, or None; and why they are not shown."""
    try:
        found = read_landmarks(path) if path.is_file() else None
        if found is not None:
            found.find(ids)
    except ValueError as error:
        return None, [f"{path.name} is not shown: {error}"]
    return found, []
