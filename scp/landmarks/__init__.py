"""Landmarks by image and name, and their files."""

from .convert import convert_landmarks
from .edits import edits_in, set_aside, write_kept
from .merge import hand_marks, marked_ids, merged, under
from .names import stem
from .read import read_landmarks, write_landmarks
from .table import CORRECTED, FOUND, MARKED, SOURCES, Landmarks, numbered

__all__ = [
    "CORRECTED",
    "FOUND",
    "MARKED",
    "SOURCES",
    "Landmarks",
    "convert_landmarks",
    "edits_in",
    "hand_marks",
    "marked_ids",
    "merged",
    "numbered",
    "read_landmarks",
    "set_aside",
    "stem",
    "under",
    "write_kept",
    "write_landmarks",
]
