"""The answer of a selection, and its check."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..report import plots
from ..values import Result
from .certificate import Certificate

if TYPE_CHECKING:
    from ..report.svg import Drawing

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

    def __str__(self) -> str:
        rows = listed(self.selected)
        return (
            f"{self.m} images ({self.method}): {rows}; score {self.score:.4f}, "
            f"bound {self.upper_bound:.4f}, {self.proof}"
        )

    @property
    def proof(self) -> str:
        """How good the choice is at least, in words: proved best, or its gap."""
        if self.proven:
            return "proved best"
        if self.gap == self.gap:
            return f"gap {self.gap:.2%}"
        return f"at most {self.upper_bound - self.score:.4g} below the best"

    def __repr__(self) -> str:
        return f"<Selection: {self}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{rank}</td><td>{i}</td><td>{gain:.4f}</td></tr>"
            for rank, (i, gain) in enumerate(zip(self.selected, self.gains, strict=True), 1)
        )
        return (
            f"<p>{html.escape(str(self))}</p><table><thead><tr><th>pick</th><th>image</th>"
            f"<th>gain</th></tr></thead><tbody>{rows}</tbody></table>"
        )

    def plot(self) -> Drawing:
        """Score after each pick and the bound, as a `Drawing` for notebooks and .svg files."""
        return plots.coverage_curve(self)


def listed(names: Iterable[object]) -> str:
    """The first names, and how many more there are."""
    shown = [str(name) for name in names]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more
