"""What persons said in several tables, as one: of a point in two of them the later counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .names import form
from .table import FOUND, MARKED, Landmarks


def hand_marks(marks: Landmarks) -> Landmarks:
    """What a person said: all points of a table without `source`; else those that are `by_hand`,
    and those of which it says nothing. What was found is left out. The result has a source.

    Raises:
        ValueError: all points were found.
    """
    known = np.full(marks.present.shape, "") if marks.source is None else marks.source
    source = np.where((known == "") & marks.present, MARKED, np.where(known == FOUND, "", known))
    if marks.present.any() and not (source != "").any():
        raise ValueError(
            "no point in it is from a person (source marked or corrected): all of them were found; "
            "correct or accept some, or leave the column source out"
        )
    xy = np.where((source == "")[..., None], np.nan, marks.xy)
    return Landmarks(marks.ids, marks.names, xy, source=source, visible=marks.visible)


def marked_ids(marks: Landmarks) -> list[str]:
    """The images of which a person gave a point, or said that one is absent."""
    hand = hand_marks(marks).by_hand.any(axis=1)
    return [name for name, there in zip(marks.ids, hand, strict=True) if there]


def under(marks: Landmarks, ids: Sequence[str]) -> Landmarks:
    """The same under the names that images have; ValueError names an image that is not among
    them."""
    found = marks.find(ids)
    if strange := sorted(set(range(len(marks))) - set(found.tolist())):
        raise ValueError(
            f"image {marks.ids[strange[0]]!r} is not among the {len(ids)} images "
            f"({len(strange)} of {len(marks)} are not); leave these rows out, or take the images "
            "(the split) that hold them"
        )
    return marks.rows([name for name, k in zip(ids, found, strict=True) if k >= 0])


def merged(tables: Sequence[Landmarks]) -> tuple[Landmarks, Counter[tuple[int, int]]]:
    """Tables of one set of ids, as `hand_marks` gives them, as one.

    Returns:
        the table, and how many points of a table were replaced by which later one: (earlier,
        later) -> count, of those that differ.
    """
    ids = list(dict.fromkeys(name for table in tables for name in table.ids))
    names: dict[str, str] = {}
    for table in tables:
        for name in table.names:
            names.setdefault(form(name), name)
    nothing = np.full((len(ids), len(names), 2), np.nan)
    whole = Landmarks(ids, list(names.values()), nothing, source=np.full(nothing.shape[:2], ""))
    owner = np.full(nothing.shape[:2], -1)
    counts: Counter[tuple[int, int]] = Counter()
    for number, table in enumerate(tables):
        now = replace(whole, xy=nothing, source=np.full(owner.shape, "")).with_marks(table)
        said = now.by_hand
        same = (now.xy == whole.xy).all(axis=-1) | ~(now.present | whole.present)
        changed = said & (owner >= 0) & ~same
        for earlier, count in Counter(owner[changed].tolist()).items():
            counts[earlier, number] += count
        owner[said & ((owner < 0) | ~same)] = number
        whole = whole.with_marks(table)
    seen = whole.visible
    return replace(whole, visible=None if seen is None or seen.all() else seen), counts
