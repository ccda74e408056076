"""Landmarks of images by name: what files hold and methods find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Self

import numpy as np

from ..values import Result, array
from .names import check_alike, either, form, stem, twice

if TYPE_CHECKING:
    from ..datasets import Dataset

MARKED, FOUND, CORRECTED = SOURCES = ("marked", "found", "corrected")
# Shares of errors, and below how many times the expected error they are: benchmarks/expected.py.
LEVELS, RADII = (0.0, 0.5, 0.8, 0.9, 0.95), (0.0, 0.85, 1.47, 1.9, 2.3)
SPREAD = 1.35  # mean square of errors over their squared mean, there
ANATOMY = 1.35  # times: extents that differ by less differ because heads and lungs do
UNUSUAL = RADII[-1]  # times the expected error, hardly an error is larger


@dataclass(frozen=True, eq=False)
class Landmarks(Result):
    """Points of N images with L landmarks each: read from a file, found by a detector, refined by
    a network.

    Attributes:
        ids: N names of images, unique.
        names: L names of landmarks, unique.
        xy: float64 [N][L][2], (x, y) in pixels of the original image; NaN where absent.
        confidence: float64 [N][L], or None.
        error: float64 [N][L], the expected distance from the truth in pixels of the original
            image, or None.
        source: str [N][L], who says where a point is, or None: "marked" by a person as a
            template's, "found" by a method, "corrected" by a person afterwards (an absent point
            that is corrected was taken away by a person); "" nothing is known. The confidence of
            a point that a person gave is 1, its error 0, its presence 1; of one that was taken
            away the presence is 0.
        visible: bool [N][L], or None where nobody said; False: the point is there, but hidden
            behind something. True of absent points.
        presence: float64 [N][L], the probability that the landmark is in the image, or None.

    Raises:
        ValueError: names that are empty or not unique, arrays of another shape, infinite values,
            another source.
    """

    ids: list[str]
    names: list[str]
    xy: np.ndarray
    confidence: np.ndarray | None = None
    error: np.ndarray | None = None
    source: np.ndarray | None = None
    visible: np.ndarray | None = None
    presence: np.ndarray | None = None

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
        values = dict.fromkeys(("confidence", "error", "presence"), shape)
        for field, expected in {"xy": (*shape, 2), **values}.items():
            value = getattr(self, field)
            if value is None and field != "xy":
                continue
            value = array(value, field, absent=True)
            if value.shape != expected:
                raise ValueError(f"{field} must be {list(expected)}, got {list(value.shape)}")
            if np.isinf(value).any():
                raise ValueError(f"{field} must not be infinite")
            if field == "presence" and ((value < 0) | (value > 1)).any():
                raise ValueError("presence must be 0 to 1")
            object.__setattr__(self, field, value)
        if (np.isnan(self.xy[..., 0]) != np.isnan(self.xy[..., 1])).any():
            raise ValueError("xy: a point has one coordinate only")
        if self.source is not None:
            source = np.asarray(self.source, np.str_)
            if source.shape != shape:
                raise ValueError(f"source must be {list(shape)}, got {list(source.shape)}")
            if wrong := set(source.ravel().tolist()) - {*SOURCES, ""}:
                raise ValueError(
                    f"source must be one of {', '.join(SOURCES)}, got {sorted(wrong)[0]!r}"
                )
            object.__setattr__(self, "source", source)
        if self.visible is not None:
            visible = np.asarray(self.visible)
            if visible.dtype != bool or visible.shape != shape:
                raise ValueError(
                    f"visible must be bool {list(shape)}, got {visible.dtype} {list(visible.shape)}"
                )
            object.__setattr__(self, "visible", visible | ~self.present)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<{self._said()}>"

    def _said(self) -> str:
        """How many there are, and how certain those are that no person gave."""
        absent = self.present.size - int(self.present.sum())
        parts = [f"{len(self.names)} landmarks of {len(self)} images"]
        parts += [f"{absent} points absent"] if absent else []
        found = self.present & ~self.by_hand
        for what, values in (
            ("mean confidence {:.2f}", self.confidence),
            ("expected error {:.1f} px", self.error),
        ):
            known = [] if values is None else values[found & np.isfinite(values)]
            parts += [what.format(np.mean(known))] if len(known) else []
        return ", ".join(parts)

    def _repr_html_(self) -> str:
        title = f"<p>{escape(self._said())}</p>"
        if self.confidence is None:
            return title
        rows = ""
        found = np.where(self.by_hand, np.nan, self.confidence)
        for name, column in zip(self.names, found.T, strict=True):
            known = column[np.isfinite(column)]
            least = np.min(known, initial=1)
            mean = np.mean(known) if len(known) else np.nan
            rows += f"<tr><td>{escape(name)}</td><td>{mean:.3f}</td><td>{least:.3f}</td></tr>"
        return (
            f"{title}<table><tr><th>landmark</th><th>mean confidence</th><th>lowest</th></tr>"
            f"{rows}</table>{self._look()}"
        )

    def _look(self) -> str:
        first = ", ".join(self.ids[i] for i in self.least_certain(5))
        return first and f"<p>least certain, to look at first: {escape(first)}</p>"

    @property
    def present(self) -> np.ndarray:
        """bool [N][L]: the point is there."""
        return ~np.isnan(self.xy[..., 0])

    def doubt(self) -> np.ndarray | None:
        """float64 [N]: how little is known of the landmarks of each image that no person gave: the
        geometric mean of their expected errors; where errors are not known, minus the mean
        confidence. Infinite where nothing was found, though it was looked for; NaN where a person
        gave all; None where nothing is known of any point.

        An image whose landmarks are 1.35 times as far apart as those of the others, or more, is
        taken to have larger pixels, and its errors are divided by as much as it is beyond that.
        """
        errors = self._says(self.error)
        values = self.error if errors else self.confidence
        if values is None:
            return None
        found = self.present & ~self.by_hand
        nothing = ~self.present.any(axis=1) & ~self.by_hand.any(axis=1)
        if self.presence is None:
            nothing[:] = False
        if not errors:
            return np.where(nothing, np.inf, -_mean(np.where(found, values, np.nan)))
        mean = _mean(np.log(np.maximum(np.where(found, values, np.nan), 1e-9)))
        middle = np.stack([_mean(self.xy[..., axis]) for axis in (0, 1)], axis=-1)
        square = _mean(np.square(self.xy - middle[:, None]).sum(axis=-1))
        extent = np.log(np.where(square > 0, square, np.nan)) / 2
        if np.isfinite(extent).any():
            apart = np.nan_to_num(extent - np.nanmedian(extent))
            mean -= np.sign(apart) * np.maximum(np.abs(apart) - np.log(ANATOMY), 0)
        return np.where(nothing, np.inf, np.exp(mean))

    def _says(self, values: np.ndarray | None) -> bool:
        return values is not None and np.isfinite(values[self.present & ~self.by_hand]).any()

    def least_certain(self, count: int) -> list[int]:
        """Rows of the images to look at first: those of most `doubt`."""
        doubt = self.doubt()
        if doubt is None:
            return []
        there = np.flatnonzero(~np.isnan(doubt))
        return there[(-doubt[there]).argsort(kind="stable")][:count].tolist()

    def radius(self, level: float = 0.8) -> np.ndarray:
        """Radii of circles around the points in which the truth lies with this probability,
        float64 [N][L], in pixels of the original image; 0 of points that a person gave.

        They are multiples of the expected errors, the same for all kinds of images that were
        measured (docs/lab/detection.md).

        Raises:
            ValueError: a level below 0 or above 0.95, the last that was measured; errors are not
                known.
        """
        if self.error is None:
            raise ValueError("these landmarks have no expected errors, as those of scp detect do")
        return self.error * errors_within(level)

    def with_matches(self, matched: Landmarks) -> Self:
        """The same with what template matching knows of these images and landmarks, joined by id
        and name: a landmark that it takes to be absent is, and expected errors are those of the
        matches, less what a network mended.

        The error of a match is that of the network's place and what the network moved it by; the
        two have little to do with each other, so their mean squares add up. Expected errors are
        multiplied by one factor, 0.5 to 1, that follows from this; a place that was moved by more
        than matches err is expected to be as far off as it was moved. Where a person gave the point
        to the matching, nothing is known of the network's place.
        """
        other = matched.columns(self.names).rows(self.ids, absent=True)
        error, gone = self.error, np.zeros(self.present.shape, bool)
        if other.error is not None:
            apart = np.hypot(*np.moveaxis(self.xy - other.xy, -1, 0))
            asked = np.where(other.by_hand, np.nan, other.error)
            ratio = np.divide(apart, asked, out=np.full(apart.shape, np.nan), where=asked > 0)
            usual = ratio[(ratio <= UNUSUAL) & ~self.by_hand]
            share = np.square(usual).mean() / SPREAD if len(usual) else 0.0
            factor = np.sqrt(np.clip(1 - share, 0.25, 1))
            error = np.where(ratio > UNUSUAL, apart, factor * asked)
            error = np.where(self.by_hand, 0.0, error)
        if other.presence is not None:
            gone = ~other.present & np.isfinite(other.presence) & ~self.by_hand
        presence = self.presence if other.presence is None else other.presence
        xy = np.where(gone[..., None], np.nan, self.xy)
        return replace(self, xy=xy, error=error, presence=presence)

    @property
    def by_hand(self) -> np.ndarray:
        """bool [N][L]: a person said where the point is, or that it is absent."""
        if self.source is None:
            return np.zeros(self.present.shape, bool)
        return np.isin(self.source, (MARKED, CORRECTED))

    @classmethod
    def of(cls, dataset: Dataset) -> Landmarks:
        """The landmarks of a `Dataset`; without names they are "1", "2", ... ValueError when it
        has none."""
        if not hasattr(dataset, "landmarks"):
            raise TypeError(f"dataset must be a data set (scp.datasets), got {dataset!r}")
        if dataset.landmarks is None:
            raise ValueError(f"the {dataset.name} data set has no landmarks")
        names = dataset.landmark_names or numbered(dataset.landmarks.shape[1])
        return cls(dataset.ids, names, dataset.landmarks)

    def with_marks(self, marks: Landmarks) -> Self:
        """The same, with what a person said of these images and names in place of what was found:
        the points of `marks`, or, where it has a source, those that are `by_hand`."""
        said = np.where(marks.present, MARKED, "") if marks.source is None else marks.source
        row = {name: i for i, name in enumerate(self.ids)}
        column = {form(name): k for k, name in enumerate(self.names)}
        here = [(i, row[name]) for i, name in enumerate(marks.ids) if name in row]
        same = [(k, column[form(n)]) for k, n in enumerate(marks.names) if form(n) in column]
        points, source = np.full(self.xy.shape, np.nan), np.full(self.present.shape, "", "<U9")
        if here and same:
            (of, to), (k, at) = zip(*here, strict=True), zip(*same, strict=True)
            points[np.ix_(to, at)] = marks.xy[np.ix_(of, k)]
            source[np.ix_(to, at)] = said[np.ix_(of, k)]
        hand = np.isin(source, (MARKED, CORRECTED))
        before = np.where(self.present, FOUND, "") if self.source is None else self.source
        return replace(
            self,
            xy=np.where(hand[..., None], points, self.xy),
            source=np.where(hand, source, before),
            visible=self._seen(marks, hand, here, same),
            **{
                name: np.where(hand, np.where(np.isnan(points[..., 0]), gone, known), values)
                for name, known, gone, values in (
                    ("confidence", 1.0, np.nan, self.confidence),
                    ("error", 0.0, np.nan, self.error),
                    ("presence", 1.0, 0.0, self.presence),
                )
                if values is not None
            },
        )

    def _seen(self, marks: Landmarks, hand: np.ndarray, here, same) -> np.ndarray | None:
        """`visible` with that of `marks` at the points that they give."""
        if self.visible is None and marks.visible is None:
            return None
        out = np.ones(hand.shape, bool) if self.visible is None else self.visible.copy()
        said = np.ones(hand.shape, bool)
        if marks.visible is not None and here and same:
            (of, to), (k, at) = zip(*here, strict=True), zip(*same, strict=True)
            said[np.ix_(to, at)] = marks.visible[np.ix_(of, k)]
        out[hand] = said[hand]
        return out

    def rows(self, ids: Sequence[str], absent: bool = False) -> Landmarks:
        """The landmarks of these images, in this order and under these names.

        A name that is not in `ids` is looked for in the composed Unicode form, then without the
        suffixes of image files, so that "001" finds "001.bmp" and the other way round. A row that
        a name fits exactly is that name's alone; "001.png" finds "001.bmp" where no other image is
        called so on either side.

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
            nothing = {"U": "", "b": True}.get(value.dtype.kind, np.nan)
            out = np.full((len(rows), *value.shape[1:]), nothing, value.dtype)
            out[here] = value[rows[here]]
            return out

        parts = (self.xy, self.confidence, self.error, self.source, self.visible, self.presence)
        return Landmarks(list(ids), self.names, *map(taken, parts))

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
        alone = _alone(self.ids) & _alone(ids)
        for k in np.flatnonzero(out < 0):
            name = str(ids[k])
            rows = free.get(part(name), [])
            if stem(form(name)) not in alone:  # then "a.png " is not the image a.jpg
                rows = [i for i in rows if _alike(self.ids[i], name)]
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
        parts = (self.confidence, self.error, self.source, self.visible, self.presence)
        more = (None if v is None else v[:, at].copy() for v in parts)
        return Landmarks(self.ids, list(names), self.xy[:, at].copy(), *more)


def errors_within(level: float) -> float:
    """How many times the expected error this share of errors is below; ValueError for a level
    below 0 or above 0.95."""
    if not 0 <= level <= LEVELS[-1]:
        raise ValueError(f"level must be 0 to {LEVELS[-1]}, got {level}")
    return float(np.interp(-np.log1p(-level), -np.log1p(-np.array(LEVELS)), RADII))


def _mean(values: np.ndarray) -> np.ndarray:
    """Means of rows [N][...], of what is known; NaN where nothing is."""
    count = np.isfinite(values).sum(axis=1)
    return np.where(count > 0, np.nansum(values, axis=1) / np.maximum(count, 1), np.nan)


def _alone(ids: Sequence[str]) -> set[str]:
    """Stems that one image only has."""
    counts = Counter(stem(form(str(name))) for name in ids)
    return {name for name, count in counts.items() if count == 1}


def _alike(a: str, b: str) -> bool:
    """Two names of one stem do not name files of two formats."""
    a, b = form(a), form(b)
    return a == b or stem(a) == a or stem(b) == b


def numbered(count: int) -> list[str]:
    """Names of landmarks that have none: "1", "2", ..."""
    return [str(k + 1) for k in range(count)]
