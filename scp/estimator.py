"""The contract of everything with `fit`: what scikit-learn asks of an estimator, without importing
it.

The constructor takes arguments by name, the one that an estimator is made of also first, and stores
them as they are; they are checked when they are used. What `fit` finds has a name that ends in `_`.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any, Self

import numpy as np


class Estimator:
    """Base class: parameters by name, `repr`, copies and pickles."""

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """The constructor's parameters and their defaults."""
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return {p.name: p.default for p in parameters}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor; deep: those of an estimator among them too, as
        "extractor__size"."""
        params = {name: getattr(self, name) for name in self._defaults()}
        if deep:
            for name, value in list(params.items()):
                if isinstance(value, Estimator):
                    nested = value.get_params()
                    params.update({f"{name}__{key}": v for key, v in nested.items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Other arguments of the constructor; what was fitted is forgotten."""
        names, nested = self._defaults(), {}
        for name, value in params.items():
            outer, inside, inner = name.partition("__")
            if outer not in names or (inside and not isinstance(getattr(self, outer), Estimator)):
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; there are: "
                    f"{', '.join(names)}"
                )
            if inside:
                nested.setdefault(outer, {})[inner] = value
        for name, value in params.items():
            if "__" not in name:
                setattr(self, name, value)
        for name, values in nested.items():  # a copy: others may use the same one
            setattr(self, name, copy.copy(getattr(self, name)).set_params(**values))
        self._forget()
        for name in [n for n in vars(self) if n.startswith("_")]:  # what is kept for speed
            delattr(self, name)
        return self

    def _forget(self) -> None:
        """What was fitted."""
        for name in [n for n in vars(self) if n.endswith("_")]:
            delattr(self, name)

    def __repr__(self) -> str:
        default = self._defaults()
        changed = []
        for name, value in self.get_params(deep=False).items():
            if repr(value) != repr(default[name]):
                changed.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(changed)})"

    def __getstate__(self) -> dict[str, Any]:
        """Parameters and what was fitted; what is kept for speed is made again."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    # ---- for scikit-learn ----

    def __sklearn_clone__(self) -> Self:
        """The same parameters, not fitted. An estimator among them (the features of a detector) is
        used and never fitted here: it is shared."""
        params = self.get_params(deep=False).items()
        return type(self)(
            **{k: v if isinstance(v, Estimator) else copy.deepcopy(v) for k, v in params}
        )

    def __sklearn_is_fitted__(self) -> bool:
        found = {name for name in vars(self) if name.endswith("_")}
        return bool(found - {"start_", "names_"})  # those stand before a training has ended

    def __sklearn_tags__(self):
        from sklearn.utils import Tags, TargetTags  # only scikit-learn calls this

        return Tags(estimator_type=None, target_tags=TargetTags(required=False), requires_fit=True)


def training_options(
    kind: type, preset: Mapping[str, Any], training: Any, random_state: int
) -> Any:
    """The options of a training.

    Args:
        kind: their class. preset: values that differ from its defaults.
        training: values that differ from the preset's; or options of that class, as they are.
        random_state: their seed.
    """
    if isinstance(random_state, (bool, np.bool_)) or not isinstance(
        random_state, (int, np.integer)
    ):
        raise TypeError(f"random_state must be a whole number, got {random_state!r}")
    if not 0 <= random_state < 1 << 64:
        raise ValueError(f"random_state must be 0 to {(1 << 64) - 1}, got {random_state}")
    if isinstance(training, kind):
        return training.set(seed=int(random_state))
    if training is not None and not isinstance(training, Mapping):
        raise TypeError(f"training must be a mapping or {kind.__name__}, got {training!r}")
    if training and "seed" in training:
        raise ValueError("training: the seed is the parameter random_state")
    return kind().set(**preset).set(seed=int(random_state), **(training or {}))
