"""What is measured: definitions of measurements by the names of landmarks.

A definition is one of these, of points (landmarks, or middles of some):

    angle       of three points, at the second; or between two lines, each from one point to another
    distance    between two points; or of a point from a line
    projection  from one point to another, along a line
    ratio       of two measurements
    sum         of measurements, those with a minus before their name subtracted
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import DatasetError
from ..landmarks.names import form

BUILT_IN = ("cephalometry", "isbi2015")
KINDS = ("angle", "distance", "projection", "ratio", "sum")
DEGREES, LENGTH, RATIO, PERCENT = "deg", "mm", "", "%"
SHORT = 3  # letters of a name of which the case counts
_PRIMES = str.maketrans("\u2019\u2032\u00b4`", "''''")

Line = tuple[str, str]


@dataclass(frozen=True)
class Class:
    """A class of values: those within its ends.

    below, to: the upper end, not in the class, or in it. above, from_: the lower end likewise.
    """

    name: str
    title: str = ""
    below: float | None = None
    to: float | None = None
    above: float | None = None
    from_: float | None = None

    @property
    def ends(self) -> tuple[float, bool, float, bool]:
        """Lower end and whether it is in the class, upper end and whether it is."""
        low = self.from_ if self.from_ is not None else self.above
        high = self.to if self.to is not None else self.below
        return (
            float("-inf") if low is None else low,
            self.from_ is not None,
            float("inf") if high is None else high,
            self.to is not None,
        )

    def __str__(self) -> str:
        words = (
            ("from", self.from_),
            ("above", self.above),
            ("to", self.to),
            ("below", self.below),
        )
        return " ".join(f"{word} {value:g}" for word, value in words if value is not None)


@dataclass(frozen=True)
class Measure:
    """The definition of one measurement.

    Attributes:
        name, title: what it is called, and in words.
        kind: one of KINDS. points: of an angle or distance. lines: of an angle, distance or
            projection. terms: names of measurements, of a ratio or sum, with signs 1 or -1.
        signed: an angle that counts as positive clockwise, in an image as the field looks at it.
        positive: which way a distance between two points is positive: "right" in the image, or
            along a line; "" it has no sign.
        percent: a ratio times 100.
        norm: lower and upper end of what is usual, for pictures, or None.
        classes: of its values. hidden: only a part of others. optional: left empty where the
            landmarks do not have its points, which is an error otherwise.
        unit: "deg", "mm", "%" or "".
    """

    name: str
    kind: str
    title: str = ""
    points: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    terms: tuple[tuple[str, int], ...] = ()
    signed: bool = False
    positive: str | Line = ""
    percent: bool = False
    norm: tuple[float, float] | None = None
    classes: tuple[Class, ...] = ()
    hidden: bool = False
    optional: bool = False
    unit: str = ""

    def named(self) -> list[str]:
        """The points that it names itself."""
        more = self.positive if isinstance(self.positive, tuple) else ()
        return [*self.points, *(p for line in self.lines for p in line), *more]


@dataclass(frozen=True)
class Definitions:
    """Measurements that belong together.

    Attributes:
        title: of all of them. source: the file, or the name of a built-in set.
        measures: in the order in which they are written, hidden ones too.
        order: names of measurements, each after those it is made of.
        middles: points that are the middle of others, by name.
        clockwise: three landmarks that run clockwise in an image as the field looks at it, or ().
            Where they run the other way, the image is a mirrored one, and signs are turned.
        others: names that a landmark may go by besides its own.
        numbers: names of landmarks 1, 2, ... in files that number exactly so many.
    """

    title: str
    source: str
    measures: tuple[Measure, ...]
    order: tuple[str, ...]
    middles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clockwise: tuple[str, ...] = ()
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Definitions: {self.title}, {len(self.shown)} measurements>"

    def __len__(self) -> int:
        return len(self.shown)

    @property
    def shown(self) -> list[Measure]:
        """Those that are no mere parts of others."""
        return [m for m in self.measures if not m.hidden]

    def __getitem__(self, name: str) -> Measure:
        found = next((m for m in self.measures if m.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def landmarks(self) -> dict[str, tuple[str, ...]]:
        """Measurement -> the landmarks that it needs, in order, each once."""
        known = {m.name: m for m in self.measures}
        out: dict[str, tuple[str, ...]] = {}
        for name in self.order:
            parts = [self.middles.get(point, (point,)) for point in known[name].named()]
            parts += [out[term] for term, _ in known[name].terms]
            out[name] = tuple(dict.fromkeys(mark for part in parts for mark in part))
        return out

    def columns(self, names: Sequence[str]) -> dict[str, int]:
        """Landmark of these definitions -> its place among the landmarks of a file.

        Raises:
            DatasetError: two landmarks of the file could be one here.
        """
        wanted = dict.fromkeys(self.clockwise)
        for needed in self.landmarks().values():
            wanted |= dict.fromkeys(needed)
        place: dict[str, int] = {}
        numbered = [str(k + 1) for k in range(len(self.numbers))]
        if self.numbers and sorted(map(form, names)) == sorted(numbered):
            at = {form(name): k for k, name in enumerate(names)}
            place = {name: at[str(k + 1)] for k, name in enumerate(self.numbers)}
            return {name: place[name] for name in wanted if name in place}
        keys: dict[str, list[int]] = {}
        for k, name in enumerate(names):
            keys.setdefault(_key(name), []).append(k)
        for name in wanted:
            found = {k for n in (name, *self.others.get(name, ())) for k in keys.get(_key(n), [])}
            if len(found) > 1:
                both = " and ".join(repr(names[k]) for k in sorted(found)[:2])
                raise DatasetError(
                    f"landmarks: {both} could both be {name!r} of {self.source}; rename one"
                )
            if found:
                place[name] = found.pop()
        return place

    def only(self, names: Iterable[str]) -> Definitions:
        """Some of the measurements, in this order; ValueError names one that is not there."""
        names = [str(name) for name in names]
        shown = {m.name: m for m in self.shown}
        for name in names:
            if name not in shown:
                raise ValueError(f"no measurement is called {name!r}; there are {', '.join(shown)}")
        rest = [replace(m, hidden=True) for m in self.measures if m.name not in names]
        return replace(self, measures=(*(shown[n] for n in dict.fromkeys(names)), *rest))


def _key(name: str) -> str:
    """What names of one landmark have in common: short ones differ by case, "Li" and "LI"."""
    text = " ".join(unicodedata.normalize("NFC", name).translate(_PRIMES).split())
    return text if sum(c.isalnum() for c in text) <= SHORT else text.casefold()
