"""The answer of a selection, and its check."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..report import cells, figures
from ..values import Result
from .certificate import Certificate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 12  # names in a text at most


@dataclass(frozen=True, eq=False, repr=False)
class Selection(Result):
    """An answer of `select`.

    Attributes:
        selected: int64 [M], rows in pick order: each next one adds most.
        gains: float64 [M], score that each pick added.
        score: the objective, `initial` rows included.
        upper_bound: no allowed set of this size has a larger score; rigorous under rounding.
        gap: (upper_bound - score) / upper_bound; NaN when the bound is not positive and the score
            is below it, since a share of the bound then says nothing.
        cover: int64 [Q], the row that covers each client; -1 if there is none.
        cover_value: float32 [Q], its value.
        method, m, random_state: how it was made; m is the number of picks.
        proven: the score is proved to be the largest possible.
        history: random search: (draws, best score so far).
        parameters: the rules that were given.
        certificate: the proof of the bound, for `verify` and others.
        probability: that the bound holds. 1: it is certain; else the answer is from a sample of the
            key points: its score and gains are exact, cover and next_gain are of the sample.
        next_gain: score that one more row would add to these, the best that the rules allow; NaN
            where there is none.
    """

    selected: np.ndarray
    gains: np.ndarray
    score: float
    upper_bound: float
    gap: float
    cover: np.ndarray
    cover_value: np.ndarray
    method: str
    m: int
    random_state: int
    proven: bool
    history: list[tuple[int, float]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    certificate: Certificate | None = field(default=None, repr=False, compare=False)
    next_gain: float = field(default=math.nan, compare=False)
    probability: float = 1.0

    def __str__(self) -> str:
        rows = listed(self.selected)
        return (
            f"{self.m} images ({self.method}): {rows}; score {self.score:.4f}, "
            f"bound {self.upper_bound:.4f}, {self.proof}{self.more}"
        )

    @property
    def proof(self) -> str:
        """How good the choice is at least, in words: proved best, or its gap."""
        if self.proven:
            return "proved best"
        sure = "" if self.probability == 1 else f" with probability {self.probability:.0%}"
        if self.gap == self.gap:
            return f"gap {self.gap:.2%}{sure}"
        return f"at most {self.upper_bound - self.score:.4g} below the best"

    @property
    def more(self) -> str:
        """What one more image would bring, as the end of a sentence; "" where it is not known."""
        known = math.isfinite(self.next_gain)
        return f"; one more image would add {self.next_gain:.4f}" if known else ""

    def __repr__(self) -> str:
        return f"<Selection: {self}>"

    def _repr_html_(self) -> str:
        picks = zip(self.selected[:SHOWN], self.gains[:SHOWN], strict=True)
        rows = [(rank, i, f"{gain:.4f}") for rank, (i, gain) in enumerate(picks, 1)]
        left = len(self.selected) - len(rows)
        more = cells.paragraph(f"and {left} more") if left else ""
        return cells.paragraph(self) + cells.table(("pick", "image", "gain"), rows) + more

    def plot(self, ax: Axes | None = None) -> Axes:
        """Score after each pick and the bound, drawn with matplotlib.

        ax: where to draw; None: a new figure. Returns the axes. `scp.report.plots.coverage_curve`
        draws the same as SVG.
        """
        return figures.score_curve([self], ax)


def listed(names: Iterable[object]) -> str:
    """The first names, and how many more there are."""
    shown = [str(name) for name in names]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more
