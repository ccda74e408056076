"""Numbers and sentences as a reader sees them: safe text, and rounding true to what is proved."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
CONSTRAINTS = ("include", "exclude", "groups", "costs", "budget", "min_distance")


def clean(text: object) -> str:
    """Untrusted text as valid UTF-8 without control characters (both become U+FFFD).

    Escaping for HTML is left to the templates and to `svg.tag`.
    """
    whole = re.sub(r"[\ud800-\udfff]", "\ufffd", str(text))
    return _CONTROL.sub("\ufffd", whole)


def _decimals(x: float) -> int:
    size = abs(x)
    return 4 if size < 10 else 2 if size < 10_000 else 0


def number(x: float | None) -> str:
    """A score or similarity: four decimals near one, fewer when large, an en dash if absent."""
    if x is None or not math.isfinite(x):
        return "–"
    text = f"{x:,.{_decimals(x)}f}"
    return text.replace("-", "\u2212") if any(c in "123456789" for c in text) else text.lstrip("-")


def number_up(x: float | None) -> str:
    """Like `number`, rounded up: what is printed as an upper bound is one."""
    if x is None or not math.isfinite(x):
        return "–"
    step = Decimal(1).scaleb(-_decimals(x))
    return number(float(Decimal(repr(float(x))).quantize(step, ROUND_CEILING)))


def signed(x: float) -> str:
    """A gain, with its sign."""
    return number(x) if x < 0 else "+" + number(x)


def percent_up(share: float) -> str:
    """A share as a percentage, rounded up so that "within p %" is true."""
    exact = Decimal(repr(float(share))) * 100
    for step in ("0.1", "0.01"):
        if exact >= Decimal(step):
            return f"{exact.quantize(Decimal(step), ROUND_CEILING):f} %".replace(" ", "\u00a0")
    return "0\u00a0%" if exact <= 0 else "0.01\u00a0%"


def count(n: int, noun: str, plural: str | None = None) -> str:
    """ "1 image", "2,000 images"."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def seconds(s: float) -> str:
    """A duration: 0.42 s, 12.3 s, 4 min 05 s, 2 h 03 min."""
    if not math.isfinite(s):
        return "–"
    if s < 10:
        return f"{s:.2f} s"
    if s < 120:
        return f"{s:.1f} s"
    minutes, rest = divmod(round(s), 60)
    if minutes < 120:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def is_set(value: Any) -> bool:
    """Whether an option was given: not None, not False, not an empty collection."""
    if value is None or value is False:
        return False
    return len(value) > 0 if hasattr(value, "__len__") else True


def constrained(parameters: Mapping[str, Any]) -> bool:
    """Whether the choice was restricted, so that the bound speaks of allowed choices only."""
    return any(is_set(parameters.get(key)) for key in CONSTRAINTS)


def heading(m: int) -> str:
    """The first line of the report."""
    if m == 0:
        return "No image was chosen"
    return "Annotate this image" if m == 1 else f"Annotate these {m:,} images"


def features(used: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    """What the similarities compare, in words: the settings of the features, and how the network
    was trained."""
    size = "\u00d7".join(str(v) for v in used.get("size") or ())
    grid = f" of {size} pixels" if size else ""
    source = used.get("source") or "values of Python"
    if used.get("features") == "vectors":
        return clean(
            f"One vector of {used.get('dimensions')} numbers per image, from {source}. The "
            "similarity of two images is the cosine of their vectors, 0 where it is negative. "
            "There are no key points: coverage is that of whole images."
        )
    if used.get("features") == "maps":
        return clean(
            f"Feature maps from {source}, {used.get('levels')} level(s), of images{grid}. The "
            "similarity of two places is the product over levels of the cosines of their vectors."
        )
    if used.get("features") != "trained":
        return clean(
            f"Gradient orientations around each place, in images{grid}, without training. Features "
            "trained on these images (scp train) know places better."
        )
    text = f"A network trained on unlabelled images{grid} (preset {used.get('preset') or 'none'})"
    if training.get("steps"):
        text += f": {count(int(training['steps']), 'step')}"
        if training.get("seconds"):
            text += f" in {seconds(float(training['seconds']))}"
        text += f" on {count(int(training.get('images') or 0), 'image')}"
    if training.get("start"):
        text += f", starting from {training['start']}"
    return clean(text + ".")


def has_bound(upper_bound: float | None) -> bool:
    """Whether a finite bound was computed."""
    return upper_bound is not None and math.isfinite(upper_bound)


def gap(upper_bound: float | None, share: float) -> str:
    """The room between score and bound as a share of the bound, which only a positive one has."""
    return percent_up(max(share, 0.0)) if has_bound(upper_bound) and upper_bound > 0 else "–"


def sure(selection: Any) -> str:
    """How sure the bound is, in percent; "" where it is certain."""
    probability = getattr(selection, "probability", 1.0)
    return "" if probability == 1 else f"{100 * probability:.4g}\u00a0%"


def certificate(
    m: int, score: float, bound: float, gap: float, proven: bool, free: bool, sure: str = ""
) -> str:
    """What is proved about this choice, in words. `free`: no constraint restricted the choice.
    sure: as `sure` says."""
    what = "single image" if m == 1 else f"choice of {m:,} images"
    if not free:
        what = "allowed " + what
    if not has_bound(bound):
        return "No bound was computed: nothing is proved about better choices."
    if proven:
        return f"No {what} scores higher: this one is proved the best possible."
    if bound <= 0:
        return f"No {what} can exceed {number_up(bound)}."
    if gap <= 0:
        return f"No {what} can exceed {number_up(bound)}: this one reaches it."
    no = f"With a probability of {sure}, no" if sure else "No"
    return (
        f"{no} {what} can exceed {number_up(bound)}: "
        f"this one is within {percent_up(gap)} of the best possible."
    )


def flatten(values: Mapping[str, Any] | None, prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as rows (dotted.name, text); long lists are cut, and say so."""
    rows: list[tuple[str, str]] = []
    for key, value in (values or {}).items():
        name = f"{prefix}{clean(key)}"
        if isinstance(value, Mapping):
            rows += flatten(value, name + ".") if value else [(name, "–")]
        else:
            rows.append((name, plain(value)))
    return rows


def plain(value: Any, most: int = 12) -> str:
    """One parameter value as short text."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) or not isinstance(value, Iterable):
        return clean(value)
    items = list(value)
    text = ", ".join(plain(item) for item in items[:most])
    more = f" … ({len(items):,} in all)" if len(items) > most else ""
    return (text or "none") + more
