"""Which images to annotate: weighted facility location, solved and certified (the paper, Eq. 9
and Eq. 10).

    score(S) = sum_q weights[q] * max over t in S and initial of values[t][q]

Every answer carries an upper bound that no allowed set can exceed. The work is done in C
(csrc/include/scp/select.h); this module turns what a user says into a problem and back.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypedDict, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike

from ..progress import Progress, watch
from ..values import whole
from .answer import Selection
from .problem import Problem

CURVE = 10  # a curve goes to this M at least
METHODS = ("random", "greedy", "swap", "exact")
MAX_NODES = 1_000_000


class Rules(TypedDict, total=False):
    """What `select` takes by name."""

    weights: ArrayLike | None
    method: str
    initial: Iterable[int]
    include: Iterable[int]
    exclude: Iterable[int]
    groups: Iterable[Hashable] | None
    quota: int
    costs: ArrayLike | None
    budget: float | None
    distances: ArrayLike | None
    min_distance: float | None
    draws: int
    checkpoints: Sequence[int]
    random_state: int
    max_nodes: int
    device: str
    progress: Progress


@overload
def select(values: ArrayLike, m: int | None, **rules: Unpack[Rules]) -> Selection: ...
@overload
def select(values: ArrayLike, m: Sequence[int], **rules: Unpack[Rules]) -> list[Selection]: ...
def select(
    values: ArrayLike,
    m: int | Sequence[int] | None,
    *,
    weights: ArrayLike | None = None,
    method: str = "swap",
    initial: Iterable[int] = (),
    include: Iterable[int] = (),
    exclude: Iterable[int] = (),
    groups: Iterable[Hashable] | None = None,
    quota: int = 1,
    costs: ArrayLike | None = None,
    budget: float | None = None,
    distances: ArrayLike | None = None,
    min_distance: float | None = None,
    draws: int = 100_000,
    checkpoints: Sequence[int] = (1_000, 10_000, 50_000, 100_000),
    random_state: int = 0,
    max_nodes: int = MAX_NODES,
    device: str = "auto",
    progress: Progress = None,
) -> Selection | list[Selection]:
    """Choose m rows of a matrix.

    Args:
        values: float [N][Q], finite; row = candidate image, column = client (key point). float64
            is rounded to float32.
        m: number of rows; a sequence gives a list, one Selection per entry (the curve: greedy runs
            once where its answers are nested, and each bound starts from the multipliers of the
            one before); None: as many as the budget allows.
        weights: float64 [Q], >= 0; 1 / Q each if None.
        method: "random" (the paper's seeded draws), "greedy", "swap" (greedy, then exchanges),
            "exact" (branch and bound: proved, or the best after max_nodes nodes).
        initial: rows already annotated: counted in the score, free, never chosen.
        include, exclude: rows that must, must not be chosen.
        groups: N hashables; at most `quota` rows of a group are chosen, initial rows counted. A row
            without one (None, NaN, NA, "") is a group of its own.
        costs, budget: float64 [N] >= 0, and what the chosen rows may cost together.
        distances, min_distance: float64 [N][N], symmetric; chosen rows, and chosen and initial
            rows, are at least min_distance apart.
        draws, checkpoints, random_state: of the random search; draw i uses stream i of the seed.
        device: where the sums run, see `scp.devices.resolve`; the answer is the same.
        progress: see `scp.progress`.

    Raises:
        InfeasibleError (a ValueError): no set satisfies the rules; says why.
        ValueError, TypeError: a bad argument, by name.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    seed = whole(random_state, "random_state", 0, 2**64 - 1)
    draws, nodes = whole(draws, "draws", 1, 2**40), whole(max_nodes, "max_nodes", 0, 2**62)
    problem = Problem(
        values,
        weights,
        initial,
        include,
        exclude,
        groups,
        quota,
        costs,
        budget,
        distances,
        min_distance,
        device,
    )
    one = m is None or np.ndim(m) == 0
    sizes = [_size(size, problem) for size in ([m] if one else m)]
    if not sizes:
        raise ValueError("m must not be an empty sequence")
    bar = watch(progress, "selection", 1)
    out = []
    for size in sizes:
        if method == "random":
            out.append(problem.random(size, seed, draws, checkpoints, bar))
        else:
            out.append(problem.solve(size, method, seed, nodes, bar, max(sizes)))
    return out[0] if one else out


def _size(m, problem: Problem) -> int:
    """A number of rows; -1: as many as the budget allows."""
    if m is None:
        if problem.costs is None:
            raise ValueError("m may be None only with costs and a budget")
        return -1
    size = whole(m, "m", 1)
    if size > problem.n:
        raise ValueError(f"m must be at most {problem.n}, the number of rows, got {size}")
    return size


def more_sizes(values, curve: list[Selection], options: dict) -> list[Selection]:
    """A curve around an answer: selections for 1 to CURVE rows or more, where the rules cannot make
    them impossible; else `curve` itself. options: those of `select` that gave the curve."""
    restricted = ("costs", "budget", "groups", "min_distance")
    one = len(curve) == 1 and curve[0].m
    if not one or any(options.get(k) is not None for k in restricted):
        return curve
    free = len(values) - len(options.get("initial") or ()) - len(options.get("exclude") or ())
    largest = min(max(CURVE, 2 * curve[0].m), free)
    more = select(values, range(1, largest + 1), method="swap", progress=False, **options)
    return sorted([*(c for c in more if c.m != curve[0].m), curve[0]], key=lambda c: c.m)


def second_round(values, found: Selection, options: dict) -> Selection | None:
    """As many rows again, chosen after an answer; None where there is none or where rules of the
    whole choice (costs, groups, distances) do not say what a second one may take. options: those
    of `select` that gave the answer."""
    restricted = ("costs", "budget", "groups", "min_distance", "include")
    if not found.m or any(options.get(k) is not None for k in restricted):
        return None
    given = [int(i) for i in [*(options.get("initial") or ()), *found.selected]]
    m = min(found.m, len(values) - len(set(given) | {int(i) for i in options.get("exclude") or ()}))
    if m < 1:
        return None
    return select(values, m, method="swap", progress=False, **{**options, "initial": given})
