"""Angles, distances and what is made of them, from landmarks by name."""

from .agreement import Agreement
from .definitions import BUILT_IN, Class, Definitions, Measure
from .measure import can_measure, measure
from .parse import read_definitions
from .result import Measurements

__all__ = [
    "BUILT_IN",
    "Agreement",
    "Class",
    "Definitions",
    "Measure",
    "Measurements",
    "can_measure",
    "measure",
    "read_definitions",
]
