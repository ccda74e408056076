"""Definitions in TOML. Every error names the file and the key."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import DatasetError
from ..runs.plain import brief, read_toml
from .definitions import (
    BUILT_IN,
    DEGREES,
    KINDS,
    LENGTH,
    PERCENT,
    RATIO,
    Class,
    Definitions,
    Measure,
)

MAX_BYTES = 1 << 18
MOST = 1000  # measurements, points, names
LONGEST = 200  # characters of a name or title
_TOP = ("title", "names", "clockwise", "landmarks", "points", "measures")
_OPTIONS = ("title", "norm", "classes", "hidden", "optional")
_MORE = {"angle": ("signed",), "distance": ("positive",), "ratio": ("percent",)}
_ENDS = {"below": "below", "to": "to", "above": "above", "from": "from_"}
NAMES = ("cephalogram",)


def read_definitions(
    source: str | os.PathLike[str] | Mapping[str, Any] | Definitions,
) -> Definitions:
    """The definitions of a TOML file, of its content as a dict, or of a built-in set.

    source: "cephalometry", "isbi2015", the path of a file, or tables like those of one.

    Raises:
        DatasetError: names the file and the key, and says what would be right.
    """
    if isinstance(source, Definitions):
        return source
    if isinstance(source, Mapping):
        return _Parser("definitions").all(source)
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"definitions must be a file, a dict or one of {', '.join(BUILT_IN)}, got {source!r}"
        )
    if source in BUILT_IN:
        return _Parser(str(source)).all(_content(_own(str(source))))
    path = Path(source)
    if not path.suffix and not path.exists():
        raise DatasetError(f"{path}: there is no such file; built in are {' and '.join(BUILT_IN)}")
    return _Parser(str(path)).all(_content(path))


def _own(name: str) -> Path:
    return Path(str(resources.files(__package__) / f"{name}.toml"))


def _content(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DatasetError(f"{path}: larger than {MAX_BYTES >> 10} KiB, too large")
        return read_toml(path)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from None
    except DatasetError:
        raise
    except ValueError as error:
        said = str(error).removeprefix(f"{path}: ")
        raise DatasetError(f"{path}: {brief(ValueError(said))}") from None


class _Parser:
    """Checks as it reads; `where` names the file and the key."""

    def __init__(self, source: str):
        self.source = source

    def fail(self, key: str, text: str) -> DatasetError:
        shown = ascii(key)[1:-1][:120]
        return DatasetError(f"{self.source}: {shown}: {text}" if key else f"{self.source}: {text}")

    def all(self, content: Mapping[str, Any]) -> Definitions:
        for key in content:
            if key not in _TOP:
                raise self.fail(str(key), f"unknown (known: {', '.join(_TOP)})")
        others, numbers = self.names(content.get("names", ""))
        given = self.table(content, "landmarks")
        others |= {n: self.texts(v, f"landmarks.{n}", 0) for n, v in given.items()}
        middles = {
            n: self.middle(v, f"points.{n}") for n, v in self.table(content, "points").items()
        }
        measures = [
            self.measure(name, value, f"measures.{name}")
            for name, value in self.table(content, "measures").items()
        ]
        if not any(not m.hidden for m in measures):
            raise self.fail(
                "measures", 'there is none; such as [measures.SNA] angle = ["S", "N", "A"]'
            )
        clockwise = self.texts(content.get("clockwise", []), "clockwise", 0)
        if len(clockwise) not in (0, 3) or len(set(clockwise)) != len(clockwise):
            raise self.fail("clockwise", "three landmarks expected")
        for name, parts in middles.items():
            for part in parts:
                if part in middles:
                    raise self.fail(f"points.{name}", f"{part!r} is no landmark but a point itself")
        order, measures = self.ordered(measures)
        return Definitions(
            self.text(content.get("title", Path(self.source).stem), "title"),
            self.source,
            tuple(measures),
            tuple(order),
            middles,
            clockwise,
            others,
            numbers,
        )

    # ---- parts ----

    def table(self, content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = content.get(key, {})
        if not isinstance(value, Mapping):
            raise self.fail(key, "a table expected")
        if len(value) > MOST:
            raise self.fail(key, f"more than {MOST} entries")
        for name in value:
            self.text(name, key)
        return value

    def text(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
            raise self.fail(key, f"a text of 1 to {LONGEST} characters expected, got {_cut(value)}")
        if not value.isprintable():
            raise self.fail(key, f"control characters in {_cut(value)}")
        return value

    def texts(self, value: Any, key: str, least: int, most: int = MOST) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            raise self.fail(key, f"a list of names expected, got {_cut(value)}")
        return tuple(self.text(v, key) for v in value)

    def number(self, value: Any, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fail(key, f"a number expected, got {_cut(value)}")
        if not abs(value) < 1e15:
            raise self.fail(key, "a finite number expected")
        return float(value)

    def flag(self, value: Any, key: str) -> bool:
        if not isinstance(value, bool):
            raise self.fail(key, f"true or false expected, got {_cut(value)}")
        return value

    def names(self, value: Any) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
        """Other names and numbers of a built-in list."""
        if value == "":
            return {}, ()
        if value not in NAMES:
            raise self.fail("names", f"expected {' or '.join(map(repr, NAMES))}, got {_cut(value)}")
        content = _content(_own(value))
        others = {name: tuple(names) for name, names in content["landmarks"].items()}
        return others, tuple(content["numbers"])

    def middle(self, value: Any, key: str) -> tuple[str, ...]:
        if not isinstance(value, Mapping) or set(value) != {"middle"}:
            raise self.fail(key, 'such as {middle = ["U1", "L1"]} expected')
        return self.texts(value["middle"], key, 2)

    def line(self, value: Any, key: str) -> tuple[str, str]:
        a, b = self.texts(value, key, 2, 2)
        if a == b:
            raise self.fail(key, f"a line from {a!r} to itself has no direction")
        return a, b

    def measure(self, name: str, value: Any, key: str) -> Measure:
        if not isinstance(value, Mapping):
            raise self.fail(key, "a table expected")
        if name.startswith("-"):
            raise self.fail(key, "a name must not begin with a minus: that is for sums")
        kinds = [kind for kind in KINDS if kind in value]
        if len(kinds) != 1:
            raise self.fail(key, f"one of {', '.join(KINDS)} expected, got {len(kinds)} of them")
        kind = kinds[0]
        known = (kind, *_OPTIONS, *_MORE.get(kind, ()))
        for option in value:
            if option not in known:
                raise self.fail(f"{key}.{option}", f"unknown here (known: {', '.join(known)})")
        parts = _PARTS[kind](self, value[kind], f"{key}.{kind}")
        if "positive" in value:
            if len(parts["points"]) != 2:
                raise self.fail(f"{key}.positive", "a distance from a line has a sign of its own")
            way = value["positive"]
            right = way == "right"
            parts["positive"] = "right" if right else self.line(way, f"{key}.positive")
        unit = {"angle": DEGREES, "distance": LENGTH, "projection": LENGTH}.get(kind, RATIO)
        percent = self.flag(value.get("percent", False), f"{key}.percent")
        return Measure(
            name,
            kind,
            title=self.text(value["title"], f"{key}.title") if "title" in value else "",
            signed=self.flag(value.get("signed", False), f"{key}.signed"),
            percent=percent,
            hidden=self.flag(value.get("hidden", False), f"{key}.hidden"),
            optional=self.flag(value.get("optional", False), f"{key}.optional"),
            norm=self.norm(value.get("norm"), f"{key}.norm"),
            classes=self.classes(value.get("classes", []), f"{key}.classes"),
            unit=PERCENT if percent else unit,
            **parts,
        )

    def angle(self, value: Any, key: str) -> dict[str, Any]:
        if isinstance(value, list | tuple) and len(value) == 2:
            lines = tuple(self.line(v, f"{key}[{k}]") for k, v in enumerate(value))
            return {"lines": lines}
        if not isinstance(value, list | tuple) or len(value) != 3:
            raise self.fail(key, 'three points expected, or two lines [["S", "N"], ["Go", "Me"]]')
        a, b, c = self.texts(value, key, 3, 3)
        if b in (a, c):
            raise self.fail(key, f"{b!r}, at which the angle is, must differ from both others")
        return {"points": (a, b, c)}

    def distance(self, value: Any, key: str) -> dict[str, Any]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise self.fail(key, 'two points expected, or a point and a line ["A", ["N", "Pog"]]')
        if isinstance(value[1], list | tuple):
            return {"points": (self.text(value[0], key),), "lines": (self.line(value[1], key),)}
        return {"points": self.line(value, key)}

    def projection(self, value: Any, key: str) -> dict[str, Any]:
        if not isinstance(value, list | tuple) or len(value) != 3:
            raise self.fail(key, 'two points and a line expected: ["B", "A", ["C", "D"]]')
        return {"points": self.line(list(value[:2]), key), "lines": (self.line(value[2], key),)}

    def ratio(self, value: Any, key: str) -> dict[str, Any]:
        a, b = self.texts(value, key, 2, 2)
        return {"terms": ((a, 1), (b, 1))}

    def sum(self, value: Any, key: str) -> dict[str, Any]:
        names = self.texts(value, key, 1)
        return {"terms": tuple((n.removeprefix("-"), -1 if n[0] == "-" else 1) for n in names)}

    def norm(self, value: Any, key: str) -> tuple[float, float] | None:
        if value is None:
            return None
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise self.fail(key, f"[low, high] expected, got {_cut(value)}")
        low, high = (self.number(v, key) for v in value)
        if not low < high:
            raise self.fail(key, f"the lower end {low:g} must lie below the upper one {high:g}")
        return low, high

    def classes(self, value: Any, key: str) -> tuple[Class, ...]:
        if not isinstance(value, list | tuple) or len(value) > 100:
            raise self.fail(key, "a list of at most 100 tables expected")
        out = [self.one_class(v, f"{key}[{k}]") for k, v in enumerate(value)]
        order = sorted(range(len(out)), key=lambda k: (out[k].ends[0], out[k].ends[2]))
        for a, b in pairwise(order):
            (_, _, high, closed), (low, begins, _, _) = out[a].ends, out[b].ends
            if low < high or (low == high and closed and begins):
                raise self.fail(
                    key, f"[{a}] {out[a]} and [{b}] {out[b]} overlap; a value has one class"
                )
        return tuple(out)

    def one_class(self, value: Any, key: str) -> Class:
        if not isinstance(value, Mapping):
            raise self.fail(key, "a table expected")
        for option in value:
            if option not in ("name", "title", *_ENDS):
                known = ", ".join(("name", "title", *_ENDS))
                raise self.fail(f"{key}.{option}", f"unknown here (known: {known})")
        ends = {_ENDS[n]: self.number(value[n], f"{key}.{n}") for n in _ENDS if n in value}
        for a, b in (("below", "to"), ("above", "from_")):
            if a in ends and b in ends:
                raise self.fail(
                    key, f"{a} and {b.strip('_')} are one end, open or closed: give one"
                )
        title = self.text(value["title"], f"{key}.title") if "title" in value else ""
        found = Class(self.text(value.get("name"), f"{key}.name"), title, **ends)
        low, begins, high, closed = found.ends
        if not ends:
            raise self.fail(key, "an end expected: from (>=), above (>), to (<=) or below (<)")
        if low > high or (low == high and not (begins and closed)):
            raise self.fail(key, f"{found}: no value is in it")
        return found

    # ---- together ----

    def ordered(self, measures: list[Measure]) -> tuple[list[str], list[Measure]]:
        """Names, each after those it is made of; and the measurements with their units."""
        known = {m.name: m for m in measures}
        for m in measures:
            for name, _ in m.terms:
                if name not in known:
                    key = f"measures.{m.name}.{m.kind}"
                    raise self.fail(key, f"no measurement is called {_cut(name)}")
        order: list[str] = []
        done: dict[str, Measure] = {}
        waiting = list(measures)
        while waiting:
            ready = [m for m in waiting if all(name in done for name, _ in m.terms)]
            if not ready:
                raise self.fail(f"measures.{waiting[0].name}", "it is made of itself")
            for m in ready:
                done[m.name] = self.with_unit(m, done)
                order.append(m.name)
            names = {m.name for m in ready}
            waiting = [m for m in waiting if m.name not in names]
        return order, [done[m.name] for m in measures]

    def with_unit(self, m: Measure, done: Mapping[str, Measure]) -> Measure:
        if not m.terms:
            return m
        units = {done[name].unit for name, _ in m.terms}
        if len(units) > 1:
            said = ", ".join(f"{name}: {done[name].unit or 'none'}" for name, _ in m.terms[:4])
            raise self.fail(f"measures.{m.name}.{m.kind}", f"units differ ({said})")
        return replace(m, unit=units.pop()) if m.kind == "sum" else m


_PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "angle": _Parser.angle,
    "distance": _Parser.distance,
    "projection": _Parser.projection,
    "ratio": _Parser.ratio,
    "sum": _Parser.sum,
}


def _cut(value: Any) -> str:
    """A short repr; nested values are not written out whole."""
    if isinstance(value, str):
        return ascii(value[:60])
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 1e15):
        return ascii(value)
    return f"a {type(value).__name__}"
