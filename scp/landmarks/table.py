"""Landmarks of images by name: what files hold and methods find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ..values import Result, array
from .names import check_alike, either, form, stem, twice

if TYPE_CHECKING:
    from ..datasets import Dataset


@dataclass(frozen=True, eq=False)
class Landmarks(Result):
    """Points of N images with L landmarks each: read from a file, found by a detector, refined by
    a network.

    Attributes:
        ids: N names of images, unique.
        names: L names of landmarks, unique.
        xy: float64 [N][L][2], (x, y) in pixels of the original image; NaN where absent.
        confidence: float64 [N][L], or None.
        error: float64 [N][L], the expected distance from the truth, or None.

    Raises:
        ValueError: names that are empty or not unique, arrays of another shape, infinite values.
    """

    ids: list[str]
    names: list[str]
    xy: np.ndarray
    confidence: np.ndarray | None = None
    error: np.ndarray | None = None

    def __post_init__(self) -> None:
        for field in ("ids", "names"):
            values = [str(v) for v in getattr(self, field)]
            object.__setattr__(self, field, values)
            if "" in values:
                raise ValueError(f"{field}: name {values.index('')} is empty")
            if len(set(values)) != len(values):
                raise ValueError(f"{field} must be unique, {twice(values)!r} is there twice")
        check_alike(self.names, "names")
        shape = len(self.ids), len(self.names)
        for field, expected in (("xy", (*shape, 2)), ("confidence", shape), ("error", shape)):
            value = getattr(self, field)
            if value is None and field != "xy":
                continue
            value = array(value, field, absent=True)
            if value.shape != expected:
                raise ValueError(f"{field} must be {list(expected)}, got {list(value.shape)}")
            if np.isinf(value).any():
                raise ValueError(f"{field} must not be infinite")
            object.__setattr__(self, field, value)
        if (np.isnan(self.xy[..., 0]) != np.isnan(self.xy[..., 1])).any():
            raise ValueError("xy: a point has one coordinate only")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        absent = self.present.size - int(self.present.sum())
        more = f", {absent} points absent" if absent else ""
        return f"<{len(self.names)} landmarks of {len(self)} images{more}>"

    def _repr_html_(self) -> str:
        title = f"<p>{len(self)} images, {len(self.names)} landmarks</p>"
        if self.confidence is None:
            return title
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{np.mean(column):.3f}</td>"
            f"<td>{np.min(column, initial=1):.3f}</td></tr>"
            for name, column in zip(self.names, self.confidence.T, strict=True)
        )
        return (
            f"{title}<table><tr><th>landmark</th><th>mean confidence</th><th>lowest</th></tr>"
            f"{rows}</table>"
        )

    @property
    def present(self) -> np.ndarray:
        """bool [N][L]: the point is there."""
        return ~np.isnan(self.xy[..., 0])

    @classmethod
    def of(cls, dataset: Dataset) -> Landmarks:
        """The landmarks of a `Dataset`; ValueError when it has none."""
        if dataset.landmarks is None:
            raise ValueError(f"the {dataset.name} data set has no landmarks")
        names = dataset.landmark_names or [str(k) for k in range(dataset.landmarks.shape[1])]
        return cls(dataset.ids, names, dataset.landmarks)

    def rows(self, ids: Sequence[str], absent: bool = False) -> Landmarks:
        """The landmarks of these images, in this order and under these names.

        A name that is not in `ids` is looked for in the composed Unicode form, then without the
        suffixes of image files, so that "001" finds "001.bmp" and the other way round. A row that
        a name fits exactly is that name's alone.

        Args:
            ids: names of images, unique.
            absent: an image that is not listed gives NaN, instead of an error.

        Raises:
            ValueError: names the image that is missing, or that two names could mean.
        """
        found = self.find(ids)
        if not absent and (found < 0).any():
            raise ValueError(f"no landmarks for image {ids[int(np.argmax(found < 0))]!r}")
        here, rows = found >= 0, np.maximum(found, 0)

        def taken(value: np.ndarray | None) -> np.ndarray | None:
            if value is None:
                return None
            out = np.full((len(rows), *value.shape[1:]), np.nan)
            out[here] = value[rows[here]]
            return out

        return Landmarks(list(ids), self.names, *map(taken, (self.xy, self.confidence, self.error)))

    def find(self, ids: Sequence[str]) -> np.ndarray:
        """Row of each image, int64 [len(ids)], -1 where it is not listed; names match as in
        `rows`."""
        exact = {name: i for i, name in enumerate(self.ids)}
        out = np.array([exact.get(str(name), -1) for name in ids], np.int64)
        self._find_by(form, ids, out)
        self._find_by(lambda name: stem(form(name)), ids, out)
        return out

    def _find_by(self, part: Callable[[str], str], ids: Sequence[str], out: np.ndarray) -> None:
        """Rows of images not found yet, among the rows that are still free, by a part of the
        names."""
        free: dict[str, list[int]] = {}
        taken = set(out.tolist())
        for i, name in enumerate(self.ids):
            if i not in taken:
                free.setdefault(part(name), []).append(i)
        used: dict[int, str] = {}
        for k in np.flatnonzero(out < 0):
            name = str(ids[k])
            rows = free.get(part(name), [])
            if len(rows) > 1:
                raise ValueError(f"image {name!r} could be {either([self.ids[i] for i in rows])}")
            for i in rows:
                if i in used:
                    raise ValueError(f"{self.ids[i]!r} could be image {either([used[i], name])}")
                out[k], used[i] = i, name

    def columns(self, names: Sequence[str]) -> Landmarks:
        """These landmarks only, in this order and under these names, which match in any Unicode
        form; ValueError names one that is missing."""
        place = {form(name): k for k, name in enumerate(self.names)}
        for name in names:
            if form(name) not in place:
                raise ValueError(f"no landmark is called {name!r}")
        at = [place[form(name)] for name in names]
        confidence, error = (
            None if v is None else v[:, at].copy() for v in (self.confidence, self.error)
        )
        return Landmarks(self.ids, list(names), self.xy[:, at].copy(), confidence, error)
