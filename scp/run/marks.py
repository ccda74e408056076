"""marks.csv of a run folder: the chosen images, for a person to fill in where the landmarks are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..datasets.cephalometric import LANDMARKS as CEPHALOMETRIC
from ..errors import warn
from ..landmarks import Landmarks, numbered, read_landmarks, set_aside, write_landmarks
from ..landmarks.lists import read_names
from ..landmarks.names import form
from ..runs import RunFolder
from ..runs.folder import MARKS

UNNAMED = 3  # lines an image where nobody knows the landmarks: to be renamed, more to be added
BUILT_IN = {"cephalometric-19": CEPHALOMETRIC}  # lists of landmarks by name


def given_marks(run: str | os.PathLike[str] | None) -> Landmarks | None:
    """The marks that a person filled in: images and landmarks with a point; None: there is none.

    Raises:
        DatasetError: names the line that cannot be read.
    """
    path = None if run is None else Path(run, MARKS)
    if path is None or not path.is_file():
        return None
    marks = read_landmarks(path)
    if not marks.present.any():
        return None
    names = [n for n, there in zip(marks.names, marks.present.any(axis=0), strict=True) if there]
    said = (marks.present | marks.by_hand).any(axis=1)
    ids = [i for i, there in zip(marks.ids, said, strict=True) if there]
    return marks.rows(ids).columns(names)


def marks_to_fill(
    folder: RunFolder, ids: Sequence[str], names: Sequence[str], usual: Sequence[str] = ()
) -> Path:
    """Write marks.csv: a line for each landmark of each of these images. Lines that a person filled
    in stay as they are; images that are not among them follow.

    names: of the landmarks; none: those of the file that is there, or `usual`, or numbers.
    """
    path = folder / MARKS
    try:
        now = read_landmarks(path) if path.is_file() else None
    except ValueError as error:
        warn(f"marks.csv is left as it is: {error}")
        return path
    if now is not None:
        names = list(names) or now.names
    names = list(names) or list(usual) or numbered(UNNAMED)
    if now is None or not now.present.any():
        _empty(path, ids, names)
        return path
    found = now.find(ids)
    new = [name for name, k in zip(ids, found, strict=True) if k < 0]
    if new:
        _append(path, now, new)
    return path


def _empty(path: Path, ids: Sequence[str], names: Sequence[str]) -> None:
    write_landmarks(path, Landmarks(list(ids), names, np.full((len(ids), len(names), 2), np.nan)))


def _append(path: Path, now: Landmarks, new: list[str]) -> None:
    """Lines for further images. A file in another form than ours is kept beside."""
    lines = path.with_name(f"{path.name}.lines")
    try:
        _empty(lines, new, now.names)
        head, _, more = lines.read_bytes().partition(b"\n")
    finally:
        lines.unlink(missing_ok=True)
    content = path.read_bytes()
    if content.removeprefix(b"\xef\xbb\xbf").splitlines()[0].strip() == head:
        end = b"\r\n" if b"\r\n" in content else b"\n"
        start = content if content.endswith(b"\n") else content + end
        folder = RunFolder(path.parent)
        with folder.writing(path.name) as beside:
            beside.write_bytes(start + more.replace(b"\n", end))
        return
    aside = set_aside(path)
    warn(f"your marks.csv is kept as {aside}; the marks are in marks.csv")
    xy = np.concatenate([now.xy, np.full((len(new), len(now.names), 2), np.nan)])
    write_landmarks(path, Landmarks([*now.ids, *new], now.names, xy))


def landmark_names(given: str | os.PathLike[str] | Sequence[str]) -> list[str]:
    """Names of landmarks: a built-in list, those in a file, or these."""
    if isinstance(given, str) and given in BUILT_IN:
        return list(BUILT_IN[given])
    names = read_names(given) if isinstance(given, str | os.PathLike) else [str(n) for n in given]
    seen: set[str] = set()
    for name in names:
        if not name.strip():
            raise ValueError("landmarks: a name is empty")
        if form(name) in seen:
            raise ValueError(f"landmarks: {name!r} is there twice")
        seen.add(form(name))
    return names
