"""Landmarks by image and name, and their files."""

from .edits import edits_in, set_aside, write_kept
from .names import stem
from .read import read_landmarks, write_landmarks
from .table import CORRECTED, FOUND, MARKED, SOURCES, Landmarks, numbered

__all__ = [
    "CORRECTED",
    "FOUND",
    "MARKED",
    "SOURCES",
    "Landmarks",
    "edits_in",
    "numbered",
    "read_landmarks",
    "set_aside",
    "stem",
    "write_kept",
    "write_landmarks",
]
