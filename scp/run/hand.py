"""What people say about landmarks: marks of the templates, and corrections of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..datasets import Dataset
from ..errors import warn
from ..landmarks import CORRECTED, MARKED, Landmarks, edits_in

T = TypeVar("T", bound=Landmarks)


class HandWork:
    """Marks and corrections.

    Args:
        dataset: all images. images: the annotated ones, with their landmarks.
        files: of landmarks found before (docs/files.md), in which people may have corrected some;
            the later file counts.

    Attributes:
        unclear: for each file why it cannot be understood, or "".
    """

    def __init__(self, dataset: Dataset, images: Dataset, files: Sequence[Path]):
        self.dataset, self.images = dataset, images
        self._said: list[Landmarks] = []
        names: list[str] = []
        if images.landmarks is not None:
            self._said.append(Landmarks.of(images))
            names = self._said[0].names
        self.unclear = {}
        for path in files:
            edits = edits_in(path, dataset.ids, names)
            self.unclear[path] = edits.unclear
            if edits.points is not None:
                self._said.append(edits.points)

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
