"""Results as values: those of equal content are equal, whatever arrays they hold."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np


class Result:
    """Base class of dataclasses with `eq=False` that hold arrays. NaN equals NaN; fields with
    `compare=False` do not count."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self is other or all(
            equal(getattr(self, f.name), getattr(other, f.name)) for f in _compared(self)
        )

    def __hash__(self) -> int:
        """Of texts and numbers only, so that equal results have one hash."""
        return hash(
            (type(self).__name__, *(_short(getattr(self, f.name)) for f in _compared(self)))
        )


def _compared(result: Any) -> list[Any]:
    return [f for f in fields(result) if f.compare]


def equal(a: Any, b: Any) -> bool:
    """Whether two values are equal, arrays inside included."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
            return False
        return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, float) and isinstance(b, float) and a != a:
        return b != b
    return bool(a == b)


def finite(value: Any) -> Any:
    """What JSON can hold of a value, or of each entry of a list: None for NaN and infinity."""
    if np.ndim(value):
        return [finite(v) for v in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _short(value: Any) -> object:
    number = isinstance(value, numbers.Real) and value == value
    return value if number or isinstance(value, str) else None
