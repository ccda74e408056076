"""Selection with the manners of scikit-learn."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from ..estimator import Estimator
from .solve import MAX_NODES, select


class TemplateSelector(Estimator):
    """`select` as an estimator: `fit` stores the answer.

        selector = scp.TemplateSelector(n_templates=3).fit(values)
        selector.selected_, selector.score_

    Args:
        n_templates: how many rows, `m` of `select`.
        method, draws, max_nodes, device, random_state: see `select`.

    Attributes:
        selection_: the Selection; selected_, gains_, score_, upper_bound_, gap_ are its fields.
    """

    def __init__(
        self,
        *,
        n_templates: int = 5,
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
        params = self.get_params()
        del params["n_templates"]
        self.selection_ = select(values, self.n_templates, **params, **rules)
        self.selected_ = self.selection_.selected
        self.gains_ = self.selection_.gains
        self.score_ = self.selection_.score
        self.upper_bound_ = self.selection_.upper_bound
        self.gap_ = self.selection_.gap
        return self
