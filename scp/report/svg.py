"""Hand-written SVG: escaped elements, nice ticks, and a plot frame styled by the report's CSS."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

from .words import clean

# Plasma, light for low and dark for high: low coverage shines on a radiograph. Safe for the
# common colour-vision deficiencies and monotone in lightness.
RAMP = (
    (240, 249, 33),
    (252, 206, 37),
    (252, 166, 54),
    (242, 132, 75),
    (225, 100, 98),
    (204, 71, 120),
    (177, 42, 144),
    (143, 13, 164),
    (106, 0, 168),
    (65, 4, 157),
    (13, 8, 135),
)


def tag(name: str, *content: str, **attributes: object) -> str:
    """One element. Attribute values are escaped; content is markup (use `text` for plain text).

    A trailing underscore is dropped (class_) and other underscores become hyphens.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None:
            continue
        shown = fixed(value) if isinstance(value, float) else clean(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape(shown, quote=True)}"')
    head = " ".join(parts)
    return f"<{head}>{''.join(content)}</{name}>"


def fixed(x: float) -> str:
    """A coordinate with at most one decimal, the same text for 0.0 and -0.0."""
    text = f"{x:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text(content: object, x: float, y: float, class_: str, anchor: str = "start") -> str:
    """Plain text at (x, y)."""
    return tag(
        "text", escape(clean(content)), x=float(x), y=float(y), class_=class_, text_anchor=anchor
    )


def title(content: object) -> str:
    """A hover title."""
    return tag("title", escape(clean(content)))


def polyline(points: Iterable[tuple[float, float]], class_: str) -> str:
    return tag(
        "polyline", points=" ".join(f"{fixed(x)},{fixed(y)}" for x, y in points), class_=class_
    )


def polygon(points: Iterable[tuple[float, float]], class_: str) -> str:
    return tag(
        "polygon", points=" ".join(f"{fixed(x)},{fixed(y)}" for x, y in points), class_=class_
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def picture(width: float, height: float, label: str, parts: Iterable[str], class_: str = "") -> str:
    """A whole drawing that scales to its column and is announced as one image."""
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {fixed(width)} {fixed(height)}",
        class_=f"plot {class_}".strip(),
        role="img",
        aria_label=label,
    )


def ramp(share: float) -> str:
    """Colour of a share in [0, 1] on the sequential map, as #rrggbb."""
    at = min(max(share, 0.0), 1.0) * (len(RAMP) - 1)
    k = min(int(at), len(RAMP) - 2)
    mix = [round(a + (b - a) * (at - k)) for a, b in zip(RAMP[k], RAMP[k + 1], strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mix)


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


def tick_text(values: list[float]) -> list[str]:
    """Tick labels with just enough decimals to tell them apart."""
    for decimals in range(7):
        shown = [f"{v:.{decimals}f}" for v in values]
        if all(
            abs(float(s) - v) <= 1e-9 * max(1.0, abs(v)) for s, v in zip(shown, values, strict=True)
        ):
            return [s.replace("-", "\u2212") for s in shown]
    return [f"{v:g}" for v in values]


@dataclass
class Frame:
    """A plot area: maps data to pixels and draws its axes. Parts are added in painting order."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = 460
    height: float = 300
    left: float = 54
    right: float = 18
    top: float = 30
    bottom: float = 44
    parts: list[str] = field(default_factory=list)

    def px(self, v: float) -> float:
        low, high = self.x
        return self.left + (v - low) / (high - low) * (self.width - self.left - self.right)

    def py(self, v: float) -> float:
        low, high = self.y
        return (
            self.height
            - self.bottom
            - (v - low) / (high - low) * (self.height - self.top - self.bottom)
        )

    def axes(self, x_label: str, y_label: str, x_ticks: list[float], y_most: int = 6) -> None:
        base = self.height - self.bottom
        marks = ticks(*self.y, y_most)
        for v, shown in zip(marks, tick_text(marks), strict=True):
            self.parts.append(
                line(self.left, self.py(v), self.width - self.right, self.py(v), "grid")
            )
            self.parts.append(text(shown, self.left - 9, self.py(v) + 4, "tick", "end"))
        self.parts.append(line(self.left, base, self.width - self.right, base, "axis"))
        for v, shown in zip(x_ticks, tick_text(x_ticks), strict=True):
            self.parts.append(line(self.px(v), base, self.px(v), base + 4, "axis"))
            self.parts.append(text(shown, self.px(v), base + 18, "tick", "middle"))
        middle = (self.left + self.width - self.right) / 2
        self.parts.append(text(x_label, middle, self.height - 6, "label", "middle"))
        self.parts.append(text(y_label, 4, 14, "label"))

    def done(self, label: str, class_: str = "") -> str:
        return picture(self.width, self.height, label, self.parts, class_)
