"""The rules in one table, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._core import InfeasibleError
from ..selection import Problem, Selection
from ..values import array, whole
from .activeft import activeft
from .candidates import Candidates
from .clusters import kmeans, pixels, typiclust
from .cover import kcenter, probcover
from .distances import one_thread, unit
from .facility import facility, repdiv
from .patterns import freesel
from .zcore import zcore

RULES: dict[str, Callable[[Candidates, int], None]] = {
    "kmeans": kmeans,
    "kcenter": kcenter,
    "typiclust": typiclust,
    "probcover": probcover,
    "facility": facility,
    "repdiv": repdiv,
    "pixels": pixels,
    "freesel": freesel,
    "zcore": zcore,
    "activeft": activeft,
}
METHODS = tuple(RULES)


def pick(
    vectors: ArrayLike,
    m: int,
    method: str = "kmeans",
    *,
    initial: Sequence[int] = (),
    include: Sequence[int] = (),
    exclude: Sequence[int] = (),
    groups: Sequence[Hashable] | None = None,
    quota: int = 1,
    random_state: int = 0,
) -> np.ndarray:
    """Rows of m images that a rule takes, int64 [m] in its order, those of `include` first.

    Args:
        vectors: float [N][d], finite, a vector for each image; [N][P][d] of P patterns for each
            image with "freesel". They are divided by their length, but with "pixels" and "zcore".
        m: number of images.
        method: one of METHODS; docs/how-to/baselines.md says what each does.
        initial, include, exclude, groups, quota: as in `scp.select`.
        random_state: of all that is drawn; the same numbers give the same rows.

    Raises:
        InfeasibleError (a ValueError): the rules allow no m images.
        ValueError, TypeError: a bad argument, by name. ImportError: scikit-learn is missing.
    """
    if method not in RULES:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    x = checked_vectors(vectors, method)
    size = whole(m, "m", 1)
    if size > len(x):
        raise ValueError(f"m must be at most {len(x)}, the number of images, got {size}")
    seed = whole(random_state, "random_state", 0, 2**64 - 1)
    images = Candidates(x, seed, initial, include, exclude, groups, quota)
    if not len(images.taken) <= size <= images.most:
        raise InfeasibleError(
            f"{size} images cannot be chosen: include names {len(images.taken)}, and initial, "
            f"exclude and groups leave {images.most}"
        )
    with one_thread():
        RULES[method](images, size)
    assert len(images.taken) == size
    return np.array(images.taken, np.int64)


def choose(
    vectors: ArrayLike,
    m: int,
    method: str = "kmeans",
    *,
    values: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    device: str = "auto",
    **rules: Any,
) -> Selection:
    """As `pick`, with the score that SCP gives the choice, and its bound on every other.

    Args:
        values: float [N][Q], what `scp.select` chooses from; default: the cosines of the vectors,
            negative ones as 0.
        weights, device: as in `scp.select`.
        rules: what `pick` takes by name.
    """
    rows = pick(vectors, m, method, **rules)
    if values is None:
        x = unit(checked_vectors(vectors, method).reshape(len(vectors), -1))
        values = np.maximum(x @ x.T, 0)
    seed = rules.pop("random_state", 0)
    return Problem(values, weights, device=device, **rules).judge(rows, method, seed)


def checked_vectors(vectors: ArrayLike, method: str) -> np.ndarray:
    """Vectors as a rule takes them, float32 [N][d] or [N][P][d]; ValueError names what is wrong."""
    x = array(vectors, "vectors", np.float32)
    if x.ndim not in ((2, 3) if method == "freesel" else (2,)) or x.size == 0:
        raise ValueError(f"vectors must have shape [N][d] and not be empty, got {list(x.shape)}")
    if not np.isfinite(x).all():
        row = int((~np.isfinite(x)).reshape(len(x), -1).any(axis=1).argmax())
        raise ValueError(f"vectors must be finite; row {row} is not")
    return x if method in ("pixels", "zcore") else unit(x)
