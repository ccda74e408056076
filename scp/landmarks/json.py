"""JSON that others wrote: bounded, each name once, errors that say where."""

from __future__ import annotations

import json
import math
from typing import Any

from ..errors import DatasetError
from .names import twice


def load_json(path, text: str) -> Any:
    """The content; DatasetError for what is no JSON, NaN, and a name twice in one object."""

    def constant(name):
        raise ValueError(f"{name} is no number of JSON")

    def each_once(pairs):
        entry = dict(pairs)
        if len(entry) < len(pairs):
            raise ValueError(f"{twice(name for name, _ in pairs)!r} is there twice in one object")
        return entry

    try:
        return json.loads(text, parse_constant=constant, object_pairs_hook=each_once)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}, line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: {error}") from None


def objects(value: Any, where: str) -> list[dict[str, Any]]:
    """A list of objects, or DatasetError."""
    if not isinstance(value, list):
        raise DatasetError(f"{where} must be a list")
    for k, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise DatasetError(f"{where}[{k}]: expected an object")
    return value


def text_of(entry: dict[str, Any], name: str, where: str) -> str:
    """A text of an object, not empty."""
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise DatasetError(f"{where}: {name} is missing or no text")
    return value


def number(value: Any, where: str) -> float:
    """A finite number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            if math.isfinite(value):
                return float(value)
        except OverflowError:
            pass
    raise DatasetError(f"{where}: {str(value)[:40]} is not a finite number")


def size_of(entry: dict[str, Any], height: str, width: str, where: str) -> tuple[int, int] | None:
    """(H, W) that an object says, or None where it says none."""
    size = entry.get(height), entry.get(width)
    if size == (None, None):
        return None
    for value in size:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 31:
            raise DatasetError(f"{where}: {width} and {height} must be positive whole numbers")
    return size  # type: ignore[return-value]
