"""Selection with the manners of scikit-learn."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from .solve import MAX_NODES, select


class TemplateSelector:
    """`select` with the manners of scikit-learn: `fit` stores the answer.

    Parameters are those of `select`; after `fit(values)` the attributes `selection_`,
    `selected_`, `gains_`, `score_`, `upper_bound_` and `gap_` hold the answer.
    """

    def __init__(
        self,
        n_templates: int = 5,
        method: str = "swap",
        random_state: int = 0,
        draws: int = 100_000,
        max_nodes: int = MAX_NODES,
        device: str = "auto",
    ):
        self.n_templates = n_templates
        self.method = method
        self.random_state = random_state
        self.draws = draws
        self.max_nodes = max_nodes
        self.device = device

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        names = "n_templates", "method", "random_state", "draws", "max_nodes", "device"
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params: Any) -> TemplateSelector:
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"{name!r} is no parameter of TemplateSelector")
            setattr(self, name, value)
        return self

    def fit(self, values: ArrayLike, y: object = None, **rules: Any) -> TemplateSelector:
        """Choose rows of values [N][Q]; rules: weights, initial, groups, ... of `select`."""
        params = self.get_params()
        del params["n_templates"]
        self.selection_ = select(values, self.n_templates, **params, **rules)
        self.selected_ = self.selection_.selected
        self.gains_ = self.selection_.gains
        self.score_ = self.selection_.score
        self.upper_bound_ = self.selection_.upper_bound
        self.gap_ = self.selection_.gap
        return self
