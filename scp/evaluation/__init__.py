"""How far landmarks are from the true ones."""

from .evaluate import evaluate
from .result import Evaluation

__all__ = [
    "Evaluation",
    "evaluate",
]
