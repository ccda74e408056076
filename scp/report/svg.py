"""Drawings as SVG: escaped elements, and the objects that pages, notebooks and files show.

Colours and fonts come from plots.css by class. A page brings the style sheet; a drawing that stands
alone carries it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path

from ..runs import writing
from .frame import asset
from .pictures import Picture
from .words import clean

COLOURS = 8  # of templates and series: classes t0 .. t7
MARGIN = 12  # around a drawing that stands alone


# ---- elements ----


def tag(name: str, *content: str, said: object = "", **attributes: object) -> str:
    """One element. Attribute values are escaped; content is markup (use `text` for plain text).

    said: shown under the pointer. A trailing underscore of an attribute is dropped (class_) and
    other underscores become hyphens.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None:
            continue
        shown = fixed(value) if isinstance(value, float) else clean(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape(shown, quote=True)}"')
    head = " ".join(parts)
    hover = f"<title>{escape(clean(said))}</title>" if said else ""
    return f"<{head}>{hover}{''.join(content)}</{name}>"


def fixed(x: float) -> str:
    """A coordinate with at most one decimal, the same text for 0.0 and -0.0."""
    text = f"{x:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text(content: object, x: float, y: float, class_: str, anchor: str = "start") -> str:
    """Plain text at (x, y)."""
    return tag(
        "text", escape(clean(content)), x=float(x), y=float(y), class_=class_, text_anchor=anchor
    )


def line(
    x1: float, y1: float, x2: float, y2: float, class_: str, said: str = "", **other: object
) -> str:
    at = {"x1": float(x1), "y1": float(y1), "x2": float(x2), "y2": float(y2)}
    return tag("line", **at, **other, class_=class_, said=said)


def rect(x: float, y: float, width: float, height: float, class_: str, said: str = "") -> str:
    at = {"x": float(x), "y": float(y), "width": float(width), "height": float(height)}
    return tag("rect", **at, class_=class_, said=said)


def circle(x: float, y: float, radius: float, class_: str, said: str = "", **other: object) -> str:
    at = {"cx": float(x), "cy": float(y), "r": float(radius)}
    return tag("circle", **at, **other, class_=class_, said=said)


# ---- drawings ----


@dataclass(frozen=True)
class Drawing:
    """A plot or an arrangement of pictures.

    A page shows it in its own colours, light or dark. A notebook shows it as the value of a cell,
    `save` writes it for other programs; both in light colours.
    """

    width: float
    height: float
    label: str  # what it shows, for those who do not see it
    parts: Sequence[str] = field(repr=False)
    class_: str = ""

    def __html__(self) -> str:
        """For a page that has the style sheet."""
        return self._element(*self.parts, viewBox=self._box(0))

    def at(self, x: float, y: float) -> str:
        """Within another drawing."""
        place = {"x": float(x), "y": float(y), "width": float(self.width)}
        place |= {"height": float(self.height), "viewBox": self._box(0), "overflow": "visible"}
        return tag("svg", *self.parts, **place)

    def __str__(self) -> str:
        """An SVG file."""
        wide, tall = (float(v + 2 * MARGIN) for v in (self.width, self.height))
        return self._element(
            tag("style", _light()),
            rect(-MARGIN, -MARGIN, wide, tall, "paper"),
            *self.parts,
            xmlns="http://www.w3.org/2000/svg",
            width=wide,
            height=tall,
            viewBox=self._box(MARGIN),
        )

    _repr_html_ = __str__

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an SVG file, whole or not at all, and return its path."""
        target = Path(path)
        if target.suffix.lower() != ".svg":
            raise ValueError(f"path: a drawing is written as .svg, not {target.name}")
        with writing(target) as beside:
            beside.write_text(f"{self}\n", encoding="utf-8")
        return target

    def _box(self, margin: float) -> str:
        sides = (-margin, -margin, self.width + 2 * margin, self.height + 2 * margin)
        return " ".join(fixed(v) for v in sides)

    def _element(self, *parts: str, **attributes: object) -> str:
        class_ = f"scp-plot {self.class_}".strip()
        return tag("svg", *parts, **attributes, class_=class_, role="img", aria_label=self.label)


@cache
def _light() -> str:
    """plots.css in light colours, without variables, which few programs besides browsers know."""
    colours = dict(re.findall(r"--([\w-]+): ([^;]+);", asset("colours.css").partition("}")[0]))
    return re.sub(r"var\(--([\w-]+)\)", lambda name: colours[name[1]], asset("plots.css"))


@dataclass(frozen=True)
class Overlay:
    """Marks over a picture, in pixels of the image it was made of."""

    box: tuple[float, float, float, float]  # left, top, width, height of what the picture shows
    parts: Sequence[str]

    def __html__(self) -> str:
        """For a page that puts it over the picture."""
        return self._element(*self.parts, aria_hidden="true")

    def over(self, picture: Picture, size: float, label: str) -> Drawing:
        """The picture, its longer side `size`, with its marks."""
        left, top, wide, tall = self.box
        at = {"x": left, "y": top, "width": wide, "height": tall, "preserveAspectRatio": "none"}
        image = tag("image", href=picture.uri, **at)
        scale = size / max(picture.width, picture.height)
        width, height = picture.width * scale, picture.height * scale
        inner = self._element(image, *self.parts, width=width, height=height)
        return Drawing(width, height, label, (inner,))

    def _element(self, *parts: str, **attributes: object) -> str:
        box = " ".join(f"{v:g}" for v in self.box)
        return tag(
            "svg",
            *parts,
            viewBox=box,
            **attributes,
            class_="scp-marks",
            preserveAspectRatio="none",
        )


def grid(items: Sequence[Drawing], columns: int, titles: Sequence[str] = ()) -> Drawing:
    """Drawings in rows, each below its title, which may have several lines."""
    if columns < 1:
        raise ValueError(f"columns: expected at least 1, got {columns}")
    gap, height = 28.0, 17.0
    wide = [max(d.width for d in items[k::columns]) for k in range(min(columns, len(items)))]
    parts, top = [], 0.0
    for first in range(0, len(items), columns):
        row = items[first : first + columns]
        lines = [name.split("\n") for name in titles[first : first + columns]] or [[]] * len(row)
        left, head = 0.0, height * max(map(len, lines))
        for k, (item, names) in enumerate(zip(row, lines, strict=True)):
            for j, name in enumerate(names):
                name = short(name, int(item.width / 6.4))
                parts.append(text(name, left, top + 12 + height * j, "name"))
            parts.append(item.at(left, top + head))
            left += wide[k] + gap
        top += head + max(d.height for d in row) + gap
    label = "; ".join(dict.fromkeys(d.label for d in items))
    return Drawing(sum(wide) + gap * (len(wide) - 1), top - gap, label, parts)


def short(name: str, most: int) -> str:
    """A name of at most `most` characters."""
    name = clean(name)
    return name if len(name) <= most else name[: most - 1] + "…"
