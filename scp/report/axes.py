"""The axes that all plots share: round ticks, and a frame that maps numbers to the drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .svg import Drawing, circle, fixed, line, rect, tag, text


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within [low, high], at most about `most` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def whole_ticks(low: int, high: int) -> list[float]:
    """Whole numbers within [low, high]."""
    if high - low <= 10:
        return [float(m) for m in range(low, high + 1)]
    return [v for v in ticks(low, high, 8) if v == int(v)]


def tick_text(values: list[float]) -> list[str]:
    """Tick labels with just enough decimals to tell them apart."""
    for decimals in range(7):
        shown = [f"{v:.{decimals}f}" for v in values]
        if all(
            abs(float(s) - v) <= 1e-9 * max(1.0, abs(v)) for s, v in zip(shown, values, strict=True)
        ):
            return [s.replace("-", "\u2212") for s in shown]
    return [f"{v:g}" for v in values]


def span(values: Sequence[float], pad: float = 0.08) -> tuple[float, float]:
    """A range around the values, never empty."""
    low, high = float(min(values)), float(max(values))
    room = (high - low) * pad or max(abs(high), 1e-6) * 0.05
    return low - room, high + room


@dataclass
class Frame:
    """A plot area. Parts are added in painting order."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = 460
    height: float = 300
    left: float = 54
    right: float = 18
    top: float = 30
    bottom: float = 44
    parts: list[str] = field(default_factory=list)

    @property
    def end(self) -> float:
        """Right border of the area."""
        return self.width - self.right

    @property
    def base(self) -> float:
        """Lower border of the area."""
        return self.height - self.bottom

    def px(self, v: float) -> float:
        low, high = self.x
        return self.left + (v - low) / (high - low) * (self.end - self.left)

    def py(self, v: float) -> float:
        low, high = self.y
        return self.base - (v - low) / (high - low) * (self.base - self.top)

    # ---- axes ----

    def y_axis(self, label: str, most: int = 6, whole: bool = False) -> None:
        """Ticks with lines across, and the label above; whole: of counts, no halves of them."""
        marks = [v for v in ticks(*self.y, most) if not whole or v == int(v)]
        for v, shown in zip(marks, tick_text(marks), strict=True):
            self.parts.append(line(self.left, self.py(v), self.end, self.py(v), "grid"))
            self.parts.append(text(shown, self.left - 9, self.py(v) + 4, "tick", "end"))
        self.parts.append(text(label, 4, 14, "label"))

    def x_axis(self, label: str, marks: list[float], across: bool = False) -> None:
        """Ticks and the label below; `across`: with lines through the area instead of an axis."""
        if not across:
            self.parts.append(line(self.left, self.base, self.end, self.base, "axis"))
        for v, shown in zip(marks, tick_text(marks), strict=True):
            x = self.px(v)
            stop, class_ = (self.top, "grid") if across else (self.base + 4, "axis")
            self.parts.append(line(x, self.base, x, stop, class_))
            self.parts.append(text(shown, x, self.base + 18, "tick", "middle"))
        middle = (self.left + self.end) / 2
        self.parts.append(text(label, middle, self.height - 6, "label", "middle"))

    def key(self, *names: tuple[str, str, str], before: str = "") -> None:
        """What the colours mean, above at the right: (sign, class, name). Signs are text, so they
        move with any font size."""
        shown = "\u2003".join(
            tag("tspan", s, class_=class_) + f" {name}" for s, class_, name in names
        )
        at = {"x": float(self.end), "y": 14.0, "class_": "label", "text_anchor": "end"}
        self.parts.append(tag("text", before + shown, **at))

    # ---- marks, in the numbers of the axes ----

    def path(
        self, points: Iterable, class_: str, said: str = "", element: str = "polyline"
    ) -> None:
        """A line through points (x, y); as a "polygon", the area that it encloses."""
        at = " ".join(f"{fixed(self.px(x))},{fixed(self.py(y))}" for x, y in points)
        self.parts.append(tag(element, points=at, class_=class_, said=said))

    def dot(self, x: float, y: float, radius: float, class_: str, said: str = "") -> None:
        self.parts.append(circle(self.px(x), self.py(y), radius, class_, said))

    def bar(
        self, x: tuple[float, float], y: tuple[float, float], class_: str, said: str, gap: float = 0
    ) -> None:
        """A rectangle, `gap` pixels narrower on both sides."""
        left, right = self.px(x[0]) + gap, self.px(x[1]) - gap
        low, high = sorted((self.py(y[0]), self.py(y[1])))
        size = (max(right - left, 1.0), max(high - low, 0.5))
        self.parts.append(rect(left, low, *size, class_, said))

    def level(self, x: float, y: float, half: float, class_: str, said: str) -> None:
        """A stroke across, `half` pixels to either side."""
        x, y = self.px(x), self.py(y)
        self.parts.append(line(x - half, y, x + half, y, class_, said))

    def upright(self, x: float, class_: str, above: float = 0) -> None:
        """A line through the area, `above` pixels longer."""
        self.parts.append(line(self.px(x), self.top - above, self.px(x), self.base, class_))

    def done(self, label: str, class_: str = "") -> Drawing:
        return Drawing(self.width, self.height, label, self.parts, class_)
