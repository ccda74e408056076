"""Images chosen by a rule of `scp.baselines`, judged like a choice of SCP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..baselines import KINDS, METHODS, choose, vectors
from ..selection import Selection
from ..values import array

if TYPE_CHECKING:
    from .stages import Run

OWN = {"pixels": "pixels", "freesel": "patterns"}  # vectors of these methods; else "levels"
TAKEN = ("initial", "include", "exclude", "groups", "quota", "random_state", "weights", "device")


def check_other(method: str, m: Any, given: ArrayLike | str | None, rules: dict[str, Any]) -> None:
    """ValueError names what does not go with the method, before any work."""
    if method not in METHODS:
        if given is not None:
            raise ValueError(f"vectors goes with another way to choose, not with method {method!r}")
        return
    if m is None:
        raise ValueError(f"m: method {method!r} needs a number of images")
    for name, value in rules.items():
        if name not in TAKEN and value is not None:
            raise ValueError(
                f"{name}: method {method!r} does not know it; it takes initial, "
                "include, exclude, groups and quota"
            )
    if isinstance(given, str) and given not in KINDS:
        raise ValueError(f"vectors must be one of {', '.join(KINDS)} or an array, got {given!r}")
    if given is not None and not isinstance(given, str):
        array(given, "vectors", np.float32)


def chosen_by(
    run: Run,
    method: str,
    sizes: list[int],
    given: ArrayLike | str | None,
    values: np.ndarray,
    rules: dict[str, Any],
) -> list[Selection]:
    """The answer for each size, with SCP's score of it and SCP's bound.

    given: a kind of `scp.baselines.vectors`, an array [N][d], or None: what the method uses.
    """
    x = OWN.get(method, "levels") if given is None else given
    if isinstance(x, str):
        x = vectors(run.dataset, x, run.extractor, points=run._pool, progress=run.progress)
    if len(x) != len(run.dataset):
        raise ValueError(f"vectors must have {len(run.dataset)} rows, one per image, got {len(x)}")
    return [choose(x, m, method, values=values, **rules) for m in sizes]
