"""Other ways to choose: what people use today, on one vector per image."""

from .choose import METHODS, choose, pick
from .objectives import objective
from .vectors import KINDS, vectors

__all__ = ["KINDS", "METHODS", "choose", "objective", "pick", "vectors"]
