"""VIA 2 (VGG Image Annotator): JSON of a project or of annotations, in pixels from the corner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import DatasetError
from ..json import load_json, number
from ..text import read_text
from .base import Context, Format, Read
from .gather import Gathered


def _recognises(path: Path, head: str) -> bool:
    # A long head may hold images without regions only, or the settings of a project.
    entries = all(name in head for name in ('"filename"', '"regions"', '"file_attributes"'))
    return head.lstrip()[:1] == "{" and (entries or '"_via_settings"' in head)


def _read(path: Path, context: Context) -> Read:
    text = read_text(path)
    content = load_json(path, text)
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: expected a JSON object of VIA")
    entries = content.get("_via_img_metadata", content)
    if not isinstance(entries, dict):
        raise DatasetError(f"{path}: _via_img_metadata must be an object")
    found = Gathered(path, context)
    for k, entry in enumerate(entries.values()):
        _image(found, entry, f"{path}, images[{k}]", f"images[{k}]")
    return found.read(len(text))


def _image(found: Gathered, entry: Any, where: str, place: str) -> None:
    name = entry.get("filename") if isinstance(entry, dict) else None
    if not isinstance(name, str):
        raise DatasetError(f"{where}: filename is missing or no text")
    row = found.image(name, where, place)
    regions = entry.get("regions", [])
    regions = list(regions.values()) if isinstance(regions, dict) else regions  # VIA 1
    if not isinstance(regions, list):
        raise DatasetError(f"{where}: regions must be a list")
    for k, region in enumerate(regions):
        at = f"{where}.regions[{k}]"
        shape = region.get("shape_attributes") if isinstance(region, dict) else None
        said = region.get("region_attributes") if isinstance(region, dict) else None
        if not isinstance(shape, dict) or not isinstance(said, dict):
            raise DatasetError(f"{at}: expected shape_attributes and region_attributes")
        if shape.get("name") != "point":
            found.left_out(f"regions of shape {str(shape.get('name'))[:40]}")
            continue
        xy = number(shape.get("cx"), f"{at}, cx"), number(shape.get("cy"), f"{at}, cy")
        found.point(row, _label(said, at), xy, at)


def _label(said: dict[str, Any], at: str) -> str:
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


VIA = Format(
    name="via",
    title="VIA 2 JSON",
    suffixes=(".json",),
    recognises=_recognises,
    read=_read,
    origin="corner",
)
