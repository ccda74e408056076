"""Every knob of training: one dataclass, and the table of image transforms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

# name: (meaning of the strength, largest strength). The order is that of enum scp_transform.
TRANSFORMS: dict[str, tuple[str, float]] = {
    "rotation": ("degrees: the angle is uniform in +-strength", 180.0),
    "scale": ("the zoom is exp of uniform in +-strength", 1.5),
    "translation": ("fraction of the view's side: the shift is uniform in +-strength", 0.5),
    "flip": ("probability of left for right", 1.0),
    "elastic": ("fraction of the view's side: sd of the shifts of a 3..6 x 3..6 grid", 0.1),
    "blur": ("v uniform in +-strength: blurred where v > 0, sharpened where v < 0", 1.0),
    "brightness": ("factor 1 + uniform in +-strength", 1.0),
    "contrast": ("factor 1 + uniform in +-strength about the mean", 1.0),
    "gamma": ("exponent exp of uniform in +-strength", 3.0),
    "shade_multiply": ("times 1 + strength * a smooth normal field (3 x 3 grid)", 1.0),
    "shade_add": ("plus strength * a smooth normal field (3 x 3 grid)", 1.0),
    "noise": ("sd uniform in 0..strength (images are 0..1)", 1.0),
}
VIEWS = ("image", "crop", "both")


def _real(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None


def _whole(name: str, value: Any) -> int:
    try:
        if isinstance(value, str):
            return int(value)
        if isinstance(value, bool) or value != int(value):
            raise TypeError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a whole number, got {value!r}") from None


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
        strength = _real(self.name, self.strength)
        if not 0 <= strength <= most:
            raise ValueError(f"{self.name} must be 0 to {most:g}, got {self.strength}")
        if self.views not in VIEWS:
            raise ValueError(
                f"{self.name}: views must be one of {', '.join(VIEWS)}, got {self.views!r}"
            )
        object.__setattr__(self, "strength", strength)


PAPER_TRANSFORMS = (
    Transform("rotation", 20.0, "crop"),
    Transform("brightness", 0.15, "crop"),
    Transform("contrast", 0.25, "crop"),
)
STRONG_TRANSFORMS = (
    Transform("rotation", 20.0, "crop"),
    Transform("scale", 0.2, "crop"),
    Transform("elastic", 0.013, "crop"),
    Transform("blur", 0.7, "both"),
    Transform("brightness", 0.15, "both"),
    Transform("contrast", 0.25, "both"),
    Transform("gamma", 0.5, "both"),
    Transform("shade_multiply", 0.15, "both"),
    Transform("shade_add", 0.08, "both"),
    Transform("noise", 0.04, "both"),
)


def knob(default, meaning: str):
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Options:
    """What every training has. Checked when made; a wrong value raises ValueError that names it.

    The length of a run is `steps`, or `minutes` where steps is 0. Progress is step / steps or
    elapsed / minutes, 0 to 1; the learning rate is a function of it. Runs by steps repeat to the
    last bit on one machine; runs by minutes do not, as they depend on the speed of the moment.
    """

    steps: int = knob(0, "steps to train; 0: by minutes")
    minutes: float = knob(30.0, "minutes to train where steps is 0 (not repeatable bit by bit)")
    seed: int = knob(0, "of all random draws")
    transforms: tuple[Transform, ...] = knob((), "augmentation, see TRANSFORMS")
    interpolation: str = knob("bilinear", "of warped views: bilinear or cubic (Catmull-Rom)")
    border: str = knob("constant", "outside the image: constant (0) or replicate")
    learning_rate: float = knob(1e-3, "Adam's, at the top of the schedule")
    schedule: str = knob("cosine", "constant, step or cosine")
    warm_up: float = knob(0.0, "fraction of the run over which the rate rises linearly")
    final: float = knob(0.0, "cosine: rate at the end, fraction of learning_rate")
    decay: float = knob(0.5, "step: factor")
    decay_every: float = knob(1 / 6, "step: fraction of the run between decays")
    beta1: float = knob(0.9, "Adam")
    beta2: float = knob(0.999, "Adam")
    adam_epsilon: float = knob(1e-8, "Adam")
    weight_decay: float = knob(1e-4, "L2, added to the gradient")
    clip_norm: float = knob(0.0, "largest norm of the whole gradient; 0: no limit")
    log_every: int = knob(10, "steps per line of the log")
    checkpoint_seconds: float = knob(60.0, "between checkpoints")

    RANGES: ClassVar[list[tuple[str, float, float]]] = [
        ("steps", 0, 2**40),
        ("minutes", 0, 1e6),
        ("seed", 0, 2**64 - 1),
        ("learning_rate", 0, 10),
        ("warm_up", 0, 1),
        ("final", 0, 1),
        ("decay", 0, 1),
        ("decay_every", 1e-6, 1),
        ("beta1", 0, 0.9999999),
        ("beta2", 0, 0.9999999),
        ("adam_epsilon", 1e-20, 1),
        ("weight_decay", 0, 10),
        ("clip_norm", 0, 1e9),
        ("log_every", 1, 10**9),
        ("checkpoint_seconds", 0, 1e9),
    ]
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "schedule": ("constant", "step", "cosine"),
        "interpolation": ("bilinear", "cubic"),
        "border": ("constant", "replicate"),
    }

    def __post_init__(self):
        for f in dataclasses.fields(self):
            object.__setattr__(self, f.name, _coerced(f.name, getattr(self, f.name), f.default))
        for name, least, most in self.RANGES:
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name} must be {least:g} to {most:g}, got {value:g}")
        for name, choices in self.CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}"
                )
        names = [t.name for t in self.transforms]
        if len(set(names)) != len(names):
            raise ValueError(f"transforms: each may appear once, got {', '.join(names)}")

    def set(self, **values: Any) -> Self:
        """A copy with other values; strings are read as the knob's type ("1e-3", "3,1,1").

        The name of a transform sets its strength, and after "@" the views: noise="0.04@both"
        (without: where it was, or both). Raises ValueError for an unknown name.
        """
        known = {f.name for f in dataclasses.fields(self)}
        transforms = {t.name: t for t in self.transforms}
        plain = {}
        for name, value in values.items():
            if name in TRANSFORMS:
                strength, at, views = str(value).partition("@")
                before = transforms[name].views if name in transforms else "both"
                transforms[name] = Transform(name, strength, views if at else before)
            elif name in known:
                plain[name] = value
            else:
                raise ValueError(
                    f"no training option is called {name!r}; there are: "
                    f"{', '.join([*sorted(known), *TRANSFORMS])}; of the network: "
                    "--set network.NAME=VALUE, network={NAME: VALUE} in Python"
                )
        if any(name in TRANSFORMS for name in values):
            if "transforms" in plain:
                raise ValueError("transforms: set the whole table or single transforms, not both")
            plain["transforms"] = tuple(transforms[n] for n in TRANSFORMS if n in transforms)
        return dataclasses.replace(self, **plain)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON or TOML."""
        out = dataclasses.asdict(self)
        out |= {name: list(value) for name, value in out.items() if isinstance(value, tuple)}
        out["transforms"] = {t.name: f"{t.strength!r}@{t.views}" for t in self.transforms}
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of to_dict; names left out keep their defaults."""
        values = dict(values)
        unknown = set(values) - {f.name for f in dataclasses.fields(cls)}
        if unknown:
            raise ValueError(f"no training option is called {sorted(unknown)[0]!r}")
        return cls(**values)

    @classmethod
    def meanings(cls) -> dict[str, str]:
        """One line per knob, for help texts."""
        return {f.name: f.metadata["meaning"] for f in dataclasses.fields(cls)}

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

    def adam(self) -> tuple[float, float, float, float, float]:
        """What the core's Adam takes."""
        return (self.beta1, self.beta2, self.adam_epsilon, self.weight_decay, self.clip_norm)

    def strengths(self):
        """float32 [2][len(TRANSFORMS)]: strength of each transform on the image and on the crop;
        a training with one view uses the first row."""
        import numpy as np

        out = np.zeros((2, len(TRANSFORMS)), np.float32)
        order = list(TRANSFORMS)
        for t in self.transforms:
            for view, name in enumerate(("image", "crop")):
                if t.views in (name, "both"):
                    out[view, order.index(t.name)] = t.strength
        return out


@dataclass(frozen=True)
class TrainingOptions(Options):
    """How to train features without labels."""

    batch: int = knob(4, "images per step, each with a crop")
    crop: float = knob(0.5, "side of the crop, as a fraction of the image's shorter side")
    points: int = knob(64, "point pairs per image (the paper: 1)")
    point_margin: float = knob(0.1, "border of the crop without points, fraction of its side")
    objective: str = knob("windowed", "windowed: margin, local; plain: the paper, Eq. 11")
    temperature: float = knob(0.1, "cosines are divided by it (the paper's code: 0.1)")
    window: int = knob(11, "windowed: cells g-window .. g+window-1 a level, but all of level 0")
    margin: float = knob(0.07, "windowed: handicap of a negative per cell of distance, in cosine")
    margin_limit: float = knob(0.8, "windowed: largest handicap, in cosine")
    epsilon: float = knob(1e-3, "added to the product of the norms in a cosine")
    level_weights: tuple[float, ...] = knob((), "of the levels' losses, coarsest first; (): 1")
    transforms: tuple[Transform, ...] = knob(STRONG_TRANSFORMS, "augmentation, see TRANSFORMS")

    RANGES: ClassVar = [
        *Options.RANGES,
        ("batch", 1, 4096),
        ("crop", 0.01, 1),
        ("points", 1, 65536),
        ("point_margin", 0, 0.49),
        ("temperature", 1e-4, 1e4),
        ("window", 1, 4096),
        ("margin", 0, 100),
        ("margin_limit", 0, 100),
        ("epsilon", 0, 1),
    ]
    CHOICES: ClassVar = {"objective": ("windowed", "plain"), **Options.CHOICES}

    def __post_init__(self):
        super().__post_init__()
        if any(not 0 <= w < 1e6 for w in self.level_weights):
            raise ValueError(f"level_weights must be at least 0, got {self.level_weights}")


def _coerced(name: str, value: Any, default: Any) -> Any:
    if name == "transforms":
        if isinstance(value, Mapping):
            value = [Transform(n, *str(v).split("@", 1)) for n, v in value.items()]
        if isinstance(value, str) or not all(isinstance(t, Transform) for t in value):
            raise ValueError(f"transforms must be Transform objects, got {value!r}")
        return tuple(sorted(value, key=lambda t: list(TRANSFORMS).index(t.name)))
    if name == "level_weights":
        if isinstance(value, str):
            value = [v for v in value.split(",") if v.strip()]
        try:
            return tuple(_real(name, v) for v in value)
        except TypeError:
            raise ValueError(f"level_weights must be numbers, got {value!r}") from None
    if isinstance(default, str):
        return str(value)
    if isinstance(default, bool):
        if str(value).lower() not in ("true", "false"):
            raise ValueError(f"{name} must be true or false, got {value!r}")
        return str(value).lower() == "true"
    return _whole(name, value) if isinstance(default, int) else _real(name, value)
