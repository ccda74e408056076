"""Which images to annotate: weighted facility location, solved and certified (the paper, Eq. 9-10).

    score(S) = sum_q weights[q] * max over t in S and initial of values[t][q]

Every answer carries an upper bound that no allowed set can exceed. The work is done in C
(csrc/include/scp/select.h); this module turns what a user says into a problem and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .answer import Selection
from .checks import _whole
from .problem import Problem

METHODS = ("random", "greedy", "swap", "exact")
MAX_NODES = 1_000_000


def select(
    values,
    m: int | Sequence[int] | None,
    *,
    weights=None,
    method: str = "swap",
    initial: Sequence[int] = (),
    include: Sequence[int] = (),
    exclude: Sequence[int] = (),
    groups: Sequence | None = None,
    quota: int = 1,
    costs=None,
    budget: float | None = None,
    distances=None,
    min_distance: float | None = None,
    draws: int = 100_000,
    checkpoints: Sequence[int] = (1_000, 10_000, 50_000, 100_000),
    random_state: int = 0,
    max_nodes: int = MAX_NODES,
    device: str = "auto",
    progress: Callable[[int, int], object] | None = None,
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
        groups: N hashables; at most `quota` rows of a group are chosen, initial rows counted.
        costs, budget: float64 [N] >= 0, and what the chosen rows may cost together.
        distances, min_distance: float64 [N][N], symmetric; chosen rows, and chosen and initial
            rows, are at least min_distance apart.
        draws, checkpoints, random_state: of the random search; draw i uses stream i of the seed.
        device: where the sums run, see `scp.devices.resolve`; the answer is the same.
        progress: called with (done, total) now and then; an exception stops the work.

    Raises:
        InfeasibleError (a ValueError): no set satisfies the rules; says why.
        ValueError, TypeError: a bad argument, by name.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    seed = _whole(random_state, "random_state", 0, 2**64 - 1)
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
    if m is None or np.ndim(m) == 0:
        sizes = [m]
    else:
        sizes = list(m)
        if not sizes:
            raise ValueError("m must not be an empty sequence")
    out = []
    largest = max((s for s in sizes if isinstance(s, (int, np.integer))), default=0)
    for size in sizes:
        if size is None:
            if budget is None:
                raise ValueError("m may be None only with costs and a budget")
            size = -1
        else:
            size = _whole(size, "m", 1, None)
            if size > problem.n:
                raise ValueError(f"m must be at most {problem.n}, the number of rows, got {size}")
        if method == "random":
            draws = _whole(draws, "draws", 1, 2**40)
            out.append(problem.random(size, seed, draws, checkpoints, progress))
        else:
            nodes = _whole(max_nodes, "max_nodes", 0, 2**62)
            out.append(problem.solve(size, method, seed, nodes, progress, largest))
    return out[0] if m is None or np.ndim(m) == 0 else out
