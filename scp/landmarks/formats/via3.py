"""Projects of VIA 3, and which attribute of VIA names a landmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import DatasetError
from ..json import number
from .gather import Gathered

POINT = 1  # the first number of xy
_SHAPES = ("", "point", "rectangle", "circle", "ellipse", "line", "polyline", "polygon")


def is_via3(head: str) -> bool:
    """The start of a file is that of a project of VIA 3."""
    return '"project"' in head and '"pid"' in head


def read_via3(found: Gathered, content: dict[str, Any], path: Path) -> None:
    """Points of a project: metadata of views, each of which shows one image."""
    parts = (content.get(name, {}) for name in ("file", "view", "metadata", "attribute"))
    files, views, metadata, attributes = (_entries(part, path) for part in parts)
    rows: dict[str, int] = {}
    for vid, view in views.items():
        where = f"{path}, view[{vid}]"
        shown = view.get("fid_list")
        if not isinstance(shown, list) or len(shown) != 1:
            found.left_out("views of more than one file")
            continue
        name = files.get(str(shown[0]), {}).get("fname")
        if not isinstance(name, str):
            raise DatasetError(f"{where}: there is no file of it with an fname")
        rows[vid] = found.image(name, where, f"view[{vid}]")
    for key, entry in metadata.items():
        where = f"{path}, metadata[{key}]"
        place, said = entry.get("xy"), entry.get("av")
        if not isinstance(place, list) or not isinstance(said, dict):
            raise DatasetError(f"{where}: expected xy and av")
        if not place or entry.get("z"):
            found.left_out("metadata of an image or of a time")
        elif place[0] != POINT or len(place) != 3:
            known = isinstance(place[0], int) and 0 < place[0] < len(_SHAPES)
            found.left_out(f"regions of shape {_SHAPES[place[0]] if known else '?'}")
        elif (vid := str(entry.get("vid"))) in rows:
            x, y = (number(v, f"{where}, xy") for v in place[1:])
            found.point(rows[vid], label_of(_named(said, attributes), where), (x, y), where)


def _entries(value: Any, path: Path) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
        raise DatasetError(f"{path}: file, view, metadata and attribute must be objects of objects")
    return value


def _named(said: dict[str, Any], attributes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Names of attributes and what they say, in place of numbers."""
    out = {}
    for number_, value in said.items():
        attribute = attributes.get(number_, {})
        options = attribute.get("options")
        if isinstance(options, dict) and isinstance(value, str):
            value = options.get(value, value)
        out[str(attribute.get("aname", number_))] = value
    return out


def label_of(said: dict[str, Any], at: str) -> str:
    """The landmark: the only attribute that is a text, or the one that is called so."""
    texts = {key: value for key, value in said.items() if isinstance(value, str) and value}
    for key in ("landmark", "name", "label"):
        if key in texts:
            return texts[key]
    if len(texts) != 1:
        raise DatasetError(
            f"{at}: which attribute is the name of the landmark? call it landmark, name or label"
        )
    return next(iter(texts.values()))
