"""What people say about landmarks: marks of the templates, and corrections of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..datasets import Dataset
from ..errors import warn
from ..landmarks import CORRECTED, MARKED, Landmarks, edits_in, hand_marks, under

T = TypeVar("T", bound=Landmarks)


class HandWork:
    """Marks and corrections.

    Args:
        dataset: all images. images: the annotated ones, with their landmarks.
        given: what was said of them, where it has a source: which points are absent, and which are
            corrections. These are newer than corrections in the files, but for those that were
            made since the files were written.
        files: of landmarks found before (docs/reference/files.md), in which people may have
            corrected some; the later file counts.

    Attributes:
        unclear: for each file why it cannot be understood, or "".
    """

    def __init__(
        self,
        dataset: Dataset,
        images: Dataset,
        files: Sequence[Path],
        given: Landmarks | None = None,
    ):
        self.dataset, self.images = dataset, images
        self._said: list[Landmarks] = []
        names: list[str] = []
        if images.landmarks is not None:
            base = Landmarks.of(images)
            if given is not None and given.source is not None:
                base = under(hand_marks(given), dataset.ids).columns(base.names)
            self._said.append(base)
            names = self._said[0].names
        self.unclear = {}
        newer: list[Landmarks] = []
        if self._said and self._said[0].source is not None:
            base = self._said[0]
            newer = [replace(base, source=np.where(base.source == CORRECTED, CORRECTED, ""))]
        for path in files:
            edits = edits_in(path, dataset.ids, names)
            self.unclear[path] = edits.unclear
            if edits.points is not None:
                self._said.append(edits.points)
            if edits.fresh is not None and newer:
                newer.append(edits.fresh)
        self._said += newer

    @property
    def said(self) -> Landmarks:
        """All that was said of the images of the data set."""
        names = self._said[0].names if self._said else []
        shape = len(self.dataset), len(names)
        return self.put_in(Landmarks(self.dataset.ids, names, np.full((*shape, 2), np.nan)))

    def put_in(self, found: T) -> T:
        """Landmarks found, with marks and corrections in place of what was found there."""
        for marks in self._said:
            found = found.with_marks(marks)
        return found

    def templates(self) -> Dataset:
        """The annotated images and, after them, those in which a point was corrected."""
        known = set(self.dataset.ids)
        if len(self._said) < 2 or not known.issuperset(self.images.ids):
            return self.images
        said, rows = self.said, [self.dataset.ids.index(name) for name in self.images.ids]
        twice = said.with_marks(self._said[0])
        both = (said.source == CORRECTED) & (twice.source == MARKED)
        if count := int((both & (said.xy != twice.xy).any(axis=-1)).sum()):
            warn(
                f"{count} {'mark of a template was' if count == 1 else 'marks of templates were'} "
                "corrected in the landmarks found: the correction counts"
            )
        rows += [i for i in np.flatnonzero(said.present.any(axis=1)).tolist() if i not in rows]
        return self.dataset.subset(rows).with_landmarks(said.xy[rows], said.names)
