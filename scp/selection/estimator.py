"""Selection with the manners of scikit-learn."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from ..estimator import Estimator
from ..values import whole
from .answer import Selection
from .solve import MAX_NODES, select


class TemplateSelector(Estimator):
    """`select` as an estimator: `fit` stores the answer.

        selector = scp.TemplateSelector(3).fit(values)
        selector.selected_, selector.score_

    Args:
        n_templates: how many rows, `m` of `select`; None: as many as `budget` allows.
        method, draws, max_nodes, device, random_state: see `select`.

    Attributes:
        selection_: the Selection; selected_, gains_, score_, upper_bound_, gap_ are its fields.
    """

    def __init__(
        self,
        n_templates: int | None = 5,
        *,
        method: str = "swap",
        draws: int = 100_000,
        max_nodes: int = MAX_NODES,
        device: str = "auto",
        random_state: int = 0,
    ):
        self.n_templates = n_templates
        self.method = method
        self.draws = draws
        self.max_nodes = max_nodes
        self.device = device
        self.random_state = random_state

    def fit(self, values: ArrayLike, y: object = None, **rules: Any) -> TemplateSelector:
        """Choose rows of values [N][Q]; rules: what `select` takes of these rows and columns:
        weights, initial, include, exclude, groups, quota, costs, budget, distances, min_distance;
        and progress."""
        self.selection_ = self._select(values, **rules)
        self.selected_ = self.selection_.selected
        self.gains_ = self.selection_.gains
        self.score_ = self.selection_.score
        self.upper_bound_ = self.selection_.upper_bound
        self.gap_ = self.selection_.gap
        return self

    def score(self, values: ArrayLike, y: object = None, **rules: Any) -> float:
        """How well rows of values [N][Q], chosen with these parameters, cover its columns: what
        model selection compares. Rows that `fit` never saw are other candidates, so those that it
        chose say nothing of them; on the same rows this is `score_`."""
        return self._select(values, **rules).score

    def _select(self, values: ArrayLike, **rules: Any) -> Selection:
        params = self.get_params()
        m = params.pop("n_templates")
        if m is not None:  # None: as the budget allows
            m = whole(m, "n_templates", 1)
        return select(values, m, **params, **rules)
