"""Folders below a folder of images whose pictures are not part of it: what scp wrote itself, and
what file servers and archives add."""

from __future__ import annotations

import os
from collections.abc import Collection

from ..runs import is_run_folder
from .dicom import is_dicom
from .reading import SUFFIXES

# In lower case: thumbnails, waste, snapshots and copies of metadata, of the systems named.
ADDED = {
    "@eadir": "Synology",
    "#recycle": "Synology",
    "#snapshot": "Synology",
    "@recycle": "QNAP",
    "@recently-snapshot": "QNAP",
    "$recycle.bin": "Windows",
    "system volume information": "Windows",
    "__macosx": "macOS",
    "lost+found": "Linux",
}
RUNS = "runs"  # where the run folders are that nobody named


def why_foreign(path: str, names: Collection[str]) -> str | None:
    """Why the pictures in a folder, in which these names are, are no images of the pool; None
    where they are."""
    name = os.path.basename(path)
    if name.lower() in ADDED:
        return f"made by {ADDED[name.lower()]}, not images of the pool"
    if is_run_folder(path, names) or (name == RUNS and any(map(_is_run, _paths(path, names)))):
        return "a run folder of scp"
    return None


def images_in(path: str) -> int:
    """How many files of images are in a folder and below it."""
    return sum(is_image(name) for _, _, files in os.walk(path) for name in files)


def is_image(name: str) -> bool:
    """Whether a file has the name of an image."""
    return name.lower().endswith(SUFFIXES)


def is_nameless_dicom(path: str) -> bool:
    """Whether a file without a suffix, or one called by a UID, is a DICOM file by its content; a
    DICOMDIR, which lists others, is none."""
    _, dot, suffix = os.path.basename(path).rpartition(".")
    if (dot and not suffix.isdecimal()) or suffix.upper() == "DICOMDIR":
        return False
    try:
        with open(path, "rb") as file:
            return is_dicom(file)
    except OSError:  # not ours to read, and nobody said that it is an image
        return False


def _paths(path: str, names: Collection[str]) -> list[str]:
    return [os.path.join(path, name) for name in names]


def _is_run(path: str) -> bool:
    try:
        return is_run_folder(path, os.listdir(path))
    except OSError:  # a file, or not ours to read
        return False
