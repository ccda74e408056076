"""Every option of training, made from the rows of the core's tables; the image transforms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from ..options import Option, real, table

T = TypeVar("T")

_STRENGTHS = [row for row in table("train") if row.type == "strength"]

# name: (meaning of the strength, largest strength), in the order in which they act
TRANSFORMS: dict[str, tuple[str, float]] = {r.name: (r.meaning, r.max) for r in _STRENGTHS}
VIEWS = ("image", "crop", "both")


@dataclass(frozen=True)
class Transform:
    """One augmentation: name and strength as in TRANSFORMS (0: off); views: which views get it,
    each with draws of its own."""

    name: str
    strength: float
    views: str = "both"

    def __post_init__(self):
        if self.name not in TRANSFORMS:
            raise ValueError(f"transform must be one of {', '.join(TRANSFORMS)}, got {self.name!r}")
        most = TRANSFORMS[self.name][1]
        strength = real(self.name, self.strength)
        if not 0 <= strength <= most:
            raise ValueError(f"{self.name} must be 0 to {most:g}, got {self.strength}")
        if self.views not in VIEWS:
            raise ValueError(
                f"{self.name}: views must be one of {', '.join(VIEWS)}, got {self.views!r}"
            )
        object.__setattr__(self, "strength", strength)


def _default_transforms(rows: list[Option]) -> tuple[Transform, ...]:
    """Those whose first strength is not 0."""
    out = []
    for row in rows:
        image, crop = row.default if row.type == "strength" else (0.0, 0.0)
        if image or crop:
            views = "both" if image == crop else "crop" if crop else "image"
            out.append(Transform(row.name, max(image, crop), views))
    return tuple(out)


PAPER_TRANSFORMS = (
    Transform("rotation", 20.0, "crop"),
    Transform("brightness", 0.15, "crop"),
    Transform("contrast", 0.25, "crop"),
)


def _read_transforms(value: Any) -> tuple[Transform, ...]:
    if isinstance(value, Mapping):
        value = [Transform(n, *str(v).split("@", 1)) for n, v in value.items()]
    if isinstance(value, str) or not all(isinstance(t, Transform) for t in value):
        raise ValueError(f"transforms must be Transform objects, got {value!r}")
    return tuple(sorted(value, key=lambda t: list(TRANSFORMS).index(t.name)))


def options_of(name: str) -> Callable[[type[T]], type[T]]:
    """A decorator: the class becomes a frozen dataclass whose fields are the options of the core's
    table of that name; all transforms together are the field `transforms`."""

    def decorate(cls: type[T]) -> type[T]:
        rows = table(name)
        cls.ROWS = {row.name: row for row in rows if row.type != "strength"}
        cls.TRANSFORMED = len(cls.ROWS) < len(rows)
        cls.__annotations__ = {}
        for row in rows:
            field = "transforms" if row.type == "strength" else row.name
            if field in cls.__annotations__:
                continue
            default = _default_transforms(rows) if field == "transforms" else row.default
            cls.__annotations__[field] = type(default)
            setattr(cls, field, default)
        return dataclass(frozen=True)(cls)

    return decorate


class Options:
    """What every training has. Checked when made; a wrong value raises ValueError that names it.

    The length of a run is `steps`, or `minutes` where steps is 0. Progress is step / steps or
    elapsed / minutes, 0 to 1; the learning rate is a function of it. Runs by steps repeat to the
    last bit on one machine; runs by minutes do not, as they depend on the speed of the moment.
    """

    ROWS: ClassVar[dict[str, Option]]  # without the transforms
    TRANSFORMED: ClassVar[bool]  # it has transforms, as the field `transforms`

    if TYPE_CHECKING:  # fields come from the table

        def __init__(self, **values: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

    def __post_init__(self) -> None:
        for name, row in self.ROWS.items():
            object.__setattr__(self, name, row.read(getattr(self, name)))
        if self.TRANSFORMED:
            object.__setattr__(self, "transforms", _read_transforms(self.transforms))
        for name, row in self.ROWS.items():
            row.check(getattr(self, name))
        names = [t.name for t in self._transforms]
        if len(set(names)) != len(names):
            raise ValueError(f"transforms: each may appear once, got {', '.join(names)}")

    def set(self, **values: Any) -> Self:
        """A copy with other values; strings are read as the option's type ("1e-3", "3,1,1").

        The name of a transform sets its strength, and after "@" the views: noise="0.04@both"
        (without: where it was, or both). Raises ValueError for an unknown name.
        """
        transforms = {t.name: t for t in self._transforms}
        strengths, special = (TRANSFORMS, ["transforms"]) if self.TRANSFORMED else ({}, [])
        plain = {}
        values = self.renamed(values)
        for name, value in values.items():
            if name in strengths:
                strength, at, views = str(value).partition("@")
                before = transforms[name].views if name in transforms else "both"
                transforms[name] = Transform(name, strength, views if at else before)
            elif name in self.ROWS or name in special:
                plain[name] = value
            else:
                raise ValueError(
                    f"no training option is called {name!r}; there are: "
                    f"{', '.join([*sorted([*self.ROWS, *special]), *strengths])}; of the "
                    "network: --set network.NAME=VALUE, network={NAME: VALUE} in Python"
                )
        if any(name in strengths for name in values):
            if "transforms" in plain:
                raise ValueError("transforms: set the whole table or single transforms, not both")
            plain["transforms"] = tuple(transforms[n] for n in TRANSFORMS if n in transforms)
        return dataclasses.replace(self, **plain)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON or TOML."""
        out = dataclasses.asdict(self)
        out |= {name: list(value) for name, value in out.items() if isinstance(value, tuple)}
        if self.TRANSFORMED:
            out["transforms"] = {t.name: f"{t.strength!r}@{t.views}" for t in self.transforms}
        return out

    @property
    def _transforms(self) -> tuple[Transform, ...]:
        return self.transforms if self.TRANSFORMED else ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of to_dict; names left out keep their defaults."""
        values = cls.renamed(values)
        unknown = set(values) - {*cls.ROWS, *(["transforms"] if cls.TRANSFORMED else [])}
        if unknown:
            raise ValueError(f"no training option is called {sorted(unknown)[0]!r}")
        return cls(**values)

    @classmethod
    def renamed(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values under today's names."""
        return dict(values)

    def rows(self) -> list[tuple[Option, Any]]:
        """Every row of the table with its value here; of a transform "0.04@both", or 0: off."""
        strengths = {t.name: f"{t.strength:g}@{t.views}" for t in self._transforms if t.strength}
        plain = [(row, getattr(self, name)) for name, row in self.ROWS.items()]
        rows = _STRENGTHS if self.TRANSFORMED else []
        return plain + [(row, strengths.get(row.name, "0")) for row in rows]

    def core(self) -> dict[str, Any]:
        """What the core's trainers take."""
        strengths = {name: [0.0, 0.0] for name in TRANSFORMS if self.TRANSFORMED}
        for t in self._transforms:
            for view, name in enumerate(("image", "crop")):
                if t.views in (name, "both"):
                    strengths[t.name][view] = t.strength
        return {name: getattr(self, name) for name in self.ROWS} | strengths

    def rate(self, progress: float) -> float:
        """The learning rate at that fraction of the run."""
        p = min(max(float(progress), 0.0), 1.0)
        if p < self.warm_up:
            factor = p / self.warm_up
        elif self.schedule == "constant":
            factor = 1.0
        elif self.schedule == "step":
            factor = self.decay ** math.floor(p / self.decay_every + 1e-9)
        else:
            q = (p - self.warm_up) / (1 - self.warm_up) if self.warm_up < 1 else 1.0
            factor = self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * q))
        return self.learning_rate * factor


@options_of("train")
class TrainingOptions(Options):
    """How to train features without labels."""

    @classmethod
    def renamed(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Negatives were the objective when there was one objective only."""
        values, row = dict(values), cls.ROWS.get("negatives")
        if row is not None and values.get("objective") in row.choices:
            values |= {"objective": "infonce-levels", "negatives": values["objective"]}
        return values

    @property
    def of_all_levels(self) -> bool:
        """Whether every level has a loss; else the finest alone."""
        return self.objective not in ("infonce", "byol")


STRONG_TRANSFORMS = TrainingOptions().transforms
