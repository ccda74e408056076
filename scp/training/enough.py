"""Whether a network was trained long enough to be of use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENOUGH = 500  # steps; landmarks of the demo lie 7 mm off after 60, 2.2 mm after 450 (docs/training)


class HardlyTrainedWarning(UserWarning):
    """A network is used that was trained for a few steps only."""


def hardly_trained(training: Mapping[str, Any], what: str = "the features were") -> str:
    """A sentence about a network with so few steps of training (`Model.training`) that what it
    finds is of little use; "" for others, and where it started from a trained one."""
    steps = training.get("steps")
    if not steps or steps >= ENOUGH or str(training.get("start", "")).startswith("the model"):
        return ""
    return (
        f"{what} hardly trained: {steps} {'step' if steps == 1 else 'steps'}, of {ENOUGH} at "
        "least; landmarks may lie far off, so train for longer"
    )
