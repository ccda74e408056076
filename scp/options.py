"""Options as rows: name, default, range or choices, unit and one sentence, written once.

The rows of a training come from the core (csrc/include/scp/options.h). From a row come the reading
of text, the check and its message, the help, and the tables in docs/reference/options.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import _core


def real(name: str, value: Any) -> float:
    """A number, also from text."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None


def whole(name: str, value: Any) -> int:
    """A whole number, also from text."""
    try:
        if isinstance(value, str):
            return int(value)
        if isinstance(value, bool) or value != int(value):
            raise TypeError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a whole number, got {value!r}") from None


@dataclass(frozen=True)
class Option:
    """One row.

    Attributes:
        name: of the option. type: count, real, reals, flag, choice or strength.
        default, min, max: values; of a strength, default is (image view, crop view).
        choices: of a choice. unit: "" where there is none. meaning: one sentence.
    """

    name: str
    type: str
    default: Any
    min: float
    max: float
    choices: list[str]
    unit: str
    meaning: str

    def read(self, value: Any) -> Any:
        """The value as the option's type: text too. Not checked to be in its range."""
        if self.type == "count":
            return whole(self.name, value)
        if self.type == "real":
            return real(self.name, value)
        if self.type == "flag":
            if str(value).lower() not in ("true", "false"):
                raise ValueError(f"{self.name} must be true or false, got {value!r}")
            return str(value).lower() == "true"
        if self.type == "choice":
            return str(value)
        if isinstance(value, str):
            value = [v for v in value.split(",") if v.strip() not in ("", "none")]
        try:
            return tuple(real(self.name, v) for v in value)
        except TypeError:
            raise ValueError(f"{self.name} must be numbers, got {value!r}") from None

    def check(self, value: Any) -> None:
        """Raises ValueError unless a value of `read` is in its range."""
        if self.type == "choice":
            if value not in self.choices:
                raise ValueError(
                    f"{self.name} must be one of {', '.join(self.choices)}, got {value!r}"
                )
        elif self.type == "reals":
            if not all(self.min <= v <= self.max for v in value):
                raise ValueError(f"{self.name} must be at least {self.min:g}, got {value}")
        elif self.type != "flag" and not self.min <= value <= self.max:
            raise ValueError(f"{self.name} must be {self.range}, got {value:g}")

    @property
    def range(self) -> str:
        """The legal values in words."""
        if self.type == "choice":
            return ", ".join(self.choices)
        if self.type == "flag":
            return "true, false"
        return f"{self.min:g} to {self.max:g}"

    @property
    def legal(self) -> str:
        """Range and unit."""
        return f"{self.range} {self.unit}".rstrip()

    @staticmethod
    def text(value: Any) -> str:
        """A value as --set takes it."""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple | list):
            return ",".join(f"{v:g}" for v in value) or "none"
        return f"{value:g}" if isinstance(value, float) else str(value)

    def facts(self, value: Any) -> dict[str, Any]:
        """The row as plain values for JSON, with another value in place of the default."""
        legal = {"min": self.min, "max": self.max}
        if self.type in ("choice", "flag"):
            legal = {"choices": self.choices or [True, False]}
        return {"meaning": self.meaning, "default": value, **legal, "unit": self.unit}


def table(name: str) -> list[Option]:
    """The rows of "train" (features) or "refine", in their order."""
    found = []
    for row in _core.options(name):
        choices, default = row["choices"].split(), row["default"]
        if row["type"] == "choice":
            default = choices[default]
        elif row["type"] == "flag":
            default = bool(default)
        elif row["type"] == "reals":
            default = ()
        found.append(Option(**row | {"choices": choices, "default": default}))
    return found
