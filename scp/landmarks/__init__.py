"""Landmarks by image and name, and their files."""

from .csv import write_landmarks
from .names import stem
from .read import read_landmarks
from .table import Landmarks

__all__ = [
    "Landmarks",
    "read_landmarks",
    "stem",
    "write_landmarks",
]
