"""Other ways to choose: what people use today, on one vector per image; and active learning."""

from .active import ACTIVE, ActiveNetworks, InstanceOptions, Ranking, VaalOptions, rank, suggest
from .choose import METHODS, choose, pick
from .objectives import objective
from .vectors import KINDS, vectors

__all__ = [
    "ACTIVE",
    "KINDS",
    "METHODS",
    "ActiveNetworks",
    "InstanceOptions",
    "Ranking",
    "VaalOptions",
    "choose",
    "objective",
    "pick",
    "rank",
    "suggest",
    "vectors",
]
