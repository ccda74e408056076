"""CVAT for images 1.1: XML with points and skeletons, in pixels from the corner of the image."""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ...errors import DatasetError
from ...runs import writing
from ..table import FOUND, Landmarks
from ..text import number_in, read_text
from .base import Context, Format, Read
from .gather import Gathered

DEEPEST = 32  # elements in each other
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
LABEL = "<label><name>{}</name><type>points</type><attributes></attributes></label>"


def _recognises(path: Path, head: str) -> bool:
    return head.lstrip()[:1] == "<" and "<annotations" in head


class _Parser:
    """The elements of a file, as they come; nothing is expanded and no other file is opened."""

    def __init__(self, path: Path, context: Context):
        self.path = path
        self.found = Gathered(path, context)
        self.open: list[str] = []
        self.row = -1
        self.parser = expat.ParserCreate("utf-8")  # read_text decoded what the file says it is
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.parser.EntityDeclHandler = self.refuse

    @property
    def where(self) -> str:
        return f"{self.path}, line {self.parser.CurrentLineNumber}"

    def refuse(self, *_) -> None:
        raise DatasetError(f"{self.where}: a document type is not read (CVAT writes none)")

    def start(self, tag: str, said: dict[str, str]) -> None:
        if len(self.open) >= DEEPEST:
            raise DatasetError(f"{self.where}: more than {DEEPEST} elements in each other")
        outer = self.open[-1] if self.open else ""
        self.open.append(tag)
        if not outer and tag != "annotations":
            raise DatasetError(f"{self.where}: expected <annotations>, got <{tag[:40]}>")
        if tag == "image" and outer == "annotations":
            self.image(said)
        elif tag == "points" and outer in ("image", "skeleton"):
            self.points(said)
        elif outer == "image" and tag not in ("skeleton", "tag"):
            self.found.left_out(f"<{tag[:40]}>")
        elif tag == "track":
            raise DatasetError(f"{self.where}: a video; export it as CVAT for images 1.1")

    def end(self, tag: str) -> None:
        self.open.pop()

    def image(self, said: dict[str, str]) -> None:
        size = self.number(said, "height"), self.number(said, "width")
        if not all(v.is_integer() and 0 < v < 1 << 31 for v in size):
            raise DatasetError(f"{self.where}: width and height must be positive whole numbers")
        place = self.where.rpartition(", ")[2]
        self.row = self.found.image(said.get("name", ""), self.where, place, size)

    def points(self, said: dict[str, str]) -> None:
        label = said.get("label", "")
        if said.get("outside", "0") == "1":
            self.found.name(label, self.where)
            return
        flat = said.get("points", "")
        pair = flat.split(",")
        if ";" in flat or len(pair) != 2:
            raise DatasetError(
                f"{self.where}: points {flat[:60]!r}: one x,y for a label is expected; give each "
                "landmark a label of its own"
            )
        x, y = (number_in(cell, self.where, "points") for cell in pair)
        if x != x or y != y:
            raise DatasetError(f"{self.where}: points {flat[:60]!r} are no numbers")
        hidden = said.get("occluded", "0") == "1"
        self.found.point(self.row, label, (x, y), self.where, visible=not hidden)

    def number(self, said: dict[str, str], name: str) -> float:
        return number_in(said.get(name, ""), self.where, name)


def _read(path: Path, context: Context) -> Read:
    text = read_text(path)
    parser = _Parser(path, context)
    try:
        parser.parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise DatasetError(
            f"{path}, line {error.lineno}: {expat.ErrorString(error.code)}"
        ) from None
    return parser.found.read(len(text))


def _write(path: Path, landmarks: Landmarks, context: Context) -> None:
    lines = [HEAD, _task(landmarks)]
    for i, name in enumerate(landmarks.ids):
        height, width = context.size(name)
        size = f'width="{width}" height="{height}"'
        lines.append(f'  <image id="{i}" name={_quoted(name)} {size}>\n')
        for k in np.flatnonzero(landmarks.present[i]):
            x, y = landmarks.xy[i, k]
            hidden = landmarks.visible is not None and not landmarks.visible[i, k]
            label, source = _quoted(landmarks.names[k]), _source(landmarks, i, k)
            lines.append(
                f'    <points label={label} source="{source}" '
                f'occluded="{int(hidden)}" points="{x:.4f},{y:.4f}" z_order="0"/>\n'
            )
        lines.append("  </image>\n")
    lines.append("</annotations>\n")
    with writing(path) as beside:
        beside.write_text("".join(lines), "utf-8")


def _task(landmarks: Landmarks) -> str:
    """What CVAT says of the task: its labels are all landmarks, those without a point too."""
    labels = "".join(LABEL.format(escape(_checked(name))) for name in landmarks.names)
    task = f"<name>landmarks</name><size>{len(landmarks)}</size><mode>annotation</mode>"
    return f"  <meta><task>{task}<labels>{labels}</labels></task></meta>\n"


def _source(landmarks: Landmarks, i: int, k: int) -> str:
    found = landmarks.source is not None and landmarks.source[i, k] == FOUND
    return "auto" if found else "manual"


def _checked(name: str) -> str:
    if any((ord(c) < 32 and c not in "\t\n\r") or c in "\ufffe\uffff" for c in name):
        raise ValueError(f"{name!a} cannot stand in XML; rename it")
    return name


def _quoted(name: str) -> str:
    return quoteattr(_checked(name), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


CVAT = Format(
    name="cvat",
    title="CVAT for images 1.1",
    suffixes=(".xml",),
    recognises=_recognises,
    read=_read,
    write=_write,
    origin="corner",
    sized=True,
    instructions="Make a task with these images and a label of type points for each landmark. Then "
    "choose Actions, Upload annotations, CVAT 1.1, and this file; it comes back with Export "
    "annotations, CVAT for images 1.1.",
)
