"""A bound on every choice from a sample of the key points, for pools whose matrix is too large.

For images n and sets T of m of them, the score is the mean of s_q(T), the largest similarity of key
point q in an image of T. Let r be numbers for all key points whose mean is known (the mean of the
s_q of a few reference sets), D_q(T) = s_q(T) - r_q, and q_1 .. q_B a sample that was drawn without
a look at it. For eta in (0, 1), with probability of at least 1 - delta, for every set T at once,

    score(T) <= mean(r) + (1 - exp(-(A + L / B))) / eta,     L = ln(number of sets / delta)
    A = max over T of (1 / B) sum_b -ln(1 - eta D_b(T))

For one set: the product of 1 - eta D_b has the mean (1 - eta mean D)^B at most, so by Markov's
inequality it exceeds that number times e^L with probability e^-L at most. -ln(1 - eta (s - r))
grows with s, so A is facility location on a transformed matrix, and its Lagrangian bound bounds A.
Draws need not be independent: without replacement, and with as many draws from each image as
possible, the mean of the product is smaller still (Hoeffding 1963, Theorem 4; the logarithm is
concave).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ..distributed import Workers
from ..similarity.scores import _offsets
from ..values import array, real, whole
from .parts import Excess
from .problem import BOUND_STEPS, Problem
from .rows import beyond, select_rows

ETA = 0.7  # of the bound, where nothing else is known: near the best for 4,000 to 16,000 draws


def draw_columns(
    offsets: ArrayLike, count: int, random_state: int = 0, stream: int = 0
) -> np.ndarray:
    """Columns of a sample, int64 [count], ascending; a column may be there twice.

    Images follow each other in a random order, again and again; each time one of the image's
    columns is drawn. Images without columns are left out: their key points cover nothing.

    Args:
        offsets: int64 [N+1], columns of every image. stream: other numbers, other samples.
    """
    offsets = _offsets(offsets)
    full = np.flatnonzero(np.diff(offsets))
    count = whole(count, "count", 1)
    if not len(full):
        raise ValueError("offsets: no image has a column")
    seed = whole(random_state, "random_state", 0, 2**64 - 1)
    rng = np.random.default_rng([seed, whole(stream, "stream", 0)])
    rounds = -(-count // len(full))
    images = np.concatenate([rng.permutation(full) for _ in range(rounds)])[:count]
    sizes = offsets[images + 1] - offsets[images]
    return np.sort(offsets[images] + rng.integers(0, sizes))


def log_sets(n: int, m: int) -> float:
    """The logarithm of the number of sets of m of n rows; m = -1: of sets of any size."""
    if m < 0:
        return n * math.log(2)
    return math.lgamma(n + 1) - math.lgamma(m + 1) - math.lgamma(n - m + 1)


@dataclass(frozen=True)
class SampledBound:
    """No allowed set has a larger score, with a probability.

    Attributes:
        upper_bound: of the mean score. probability: that it holds, for all sets at once.
        columns: in the sample. sampled: A, how far sets lie above the reference in the sample.
        chance: L / B. eta: see the module.
    """

    upper_bound: float
    probability: float
    columns: int
    sampled: float
    chance: float
    eta: float


def sampled_bound(
    values: ArrayLike,
    reference: ArrayLike,
    mean: float,
    m: int,
    *,
    share: float = 1.0,
    probability: float = 0.99,
    eta: float = ETA,
    sets: float | None = None,
    max_memory: int | None = None,
    workers: Workers | None = None,
    folder: Path | None = None,
    **rules,
) -> SampledBound:
    """The bound of the module's docstring.

    Args:
        values: float32 [N][B], similarity of every image (row) at the sampled columns, 0 to 1.
        reference: [B], r at the sampled columns, 0 to 1. mean: of r over all images, those without
            key points counted as 0.
        m: number of rows; -1: as many as the budget allows.
        share: of images that have key points.
        probability, eta: must be fixed before the sample is drawn, and so must the reference.
        sets: the logarithm of their number; of m of N rows if None.
        max_memory: bytes; a matrix that takes more than half is looked at part by part, by
            workers where there are some (`scp.selection.rows`). None: there is room.
        rules: of `scp.select`: initial, include, exclude, groups, quota, costs, budget.
    """
    v = array(values, "values", np.float32, 2)
    r = array(reference, "reference")
    if r.shape != (v.shape[1],):
        raise ValueError(f"reference must have shape ({v.shape[1]},), got {r.shape}")
    for name, x in (("values", v), ("reference", r)):
        if not (x.min(initial=0) >= 0 and x.max(initial=0) <= 1):
            raise ValueError(f"{name} must be 0 to 1")
    eta, probability = real(eta, "eta"), real(probability, "probability")
    if not 0 < eta < 1:
        raise ValueError(f"eta must be above 0 and below 1, got {eta}")
    if not 0 < probability < 1:
        raise ValueError(f"probability must be above 0 and below 1, got {probability}")
    n, columns = v.shape
    change, equal = Excess(r, eta), np.full(columns, 1.0 / columns)
    if beyond(v.nbytes, max_memory):
        how = {"max_memory": max_memory, "workers": workers, "folder": folder}
        sampled = select_rows(values, m, equal, change=change, **how, **rules).upper_bound
    else:
        above = np.empty(v.shape, np.float32)
        for k in range(0, n, 64):
            above[k : k + 64] = change(v[k : k + 64])
        problem = Problem(above, equal, own=True, **rules)
        rows = np.sort(problem.greedy(m))
        score, multipliers = _core.select_score(problem.core, rows), np.full(columns, np.nan, "f4")
        sampled, _ = _core.select_bound(problem.core, m, rows, score, BOUND_STEPS, multipliers)
    count = log_sets(n, m) if sets is None else real(sets, "sets")
    chance = (count - math.log1p(-probability)) / columns
    over = -math.expm1(-(sampled + chance)) / eta
    return SampledBound(mean + share * over, probability, columns, sampled, chance, eta)
