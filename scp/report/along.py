"""What the first picks represent: the pool after each pick, for the slider below the map."""

from __future__ import annotations

from typing import Any

import numpy as np

from .charts import path_of
from .stats import Pool
from .words import number

MOST = 40  # steps of the slider


class Along:
    """The picks one after the other.

    Attributes:
        steps: how many picks each position of the slider stands for, the last one all.
        owner: int64 [S][N], position in `pool.templates` that covers most key points of each image
            after so many picks, those given before included; -1 if none.
        said: what a reader is told at each position.
    """

    def __init__(self, values: Any, offsets: np.ndarray, selection: Any, pool: Pool) -> None:
        m = pool.chosen
        self.steps = sorted({int(k) for k in np.linspace(1, m, min(m, MOST)).round()})
        self.owner = _owners(values, offsets, pool, self.steps)
        path = path_of(selection)
        self.said = [
            f"{'The first pick' if k == 1 else f'The first {k} picks'} of {m}: score "
            f"{number(path[k])}"
            + (f", {100 * path[k] / path[m]:.0f} % of what all reach" if path[m] > 0 else "")
            for k in self.steps
        ]

    def of(self, n: int) -> str:
        """Of image n, for the page: its owner at each position."""
        return " ".join(str(k) for k in self.owner[:, n].tolist())


def _among(pool: Pool, k: int) -> np.ndarray:
    """Positions of the first k picks and of the images given before."""
    given = np.arange(pool.chosen, len(pool.templates))
    return np.concatenate([np.arange(k), given])


def _owners(values: Any, offsets: np.ndarray, pool: Pool, steps: list[int]) -> np.ndarray:
    """See `Along.owner`. Reads the templates' rows of values [N][Q], one after the other."""
    counts = np.diff(offsets)
    n, total = len(counts), len(pool.templates)
    image_of = np.repeat(np.arange(n), counts)
    best = np.full(len(image_of), -np.inf)
    at = np.full(len(image_of), -1)
    out = []
    for k in [*range(pool.chosen, total), *range(pool.chosen)]:  # those given come first
        t = int(pool.templates[k])
        row = np.asarray(values[t : t + 1])[0]
        better = row > best
        best[better], at[better] = row[better], k
        if k + 1 in steps and k < pool.chosen:
            keep = at >= 0
            share = np.bincount(image_of[keep] * total + at[keep], minlength=n * total)
            share = share.reshape(n, total)
            owner = np.where(share.sum(axis=1) > 0, share.argmax(axis=1), -1)
            ahead = _among(pool, k + 1)
            owner[pool.templates[ahead]] = ahead
            out.append(owner)
    out[-1] = pool.owner  # that of the selection itself, whatever ties it broke
    return np.array(out)
