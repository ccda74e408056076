"""What loaders share that join a list of landmarks to image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from ..landmarks.names import form
from .reading import DatasetError

UNMATCHED = ("raise", "skip")
OUTSIDE = 0.1  # of the image: how far outside it a landmark may be


def below(root: Path, name: str, where: str) -> Path:
    """The file `name` of a list, below `root`; DatasetError when it would lead out of it."""
    path = PurePosixPath(name)
    try:
        escapes = path.is_absolute() or ".." in path.parts
        if not escapes:
            escapes = not (root / path).resolve().is_relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError):  # too long, a null character, a loop of links
        escapes = True
    if escapes:
        raise DatasetError(f"{where}: {name[:80]!r} is not a file below {root}")
    return root / path if (root / path).exists() else _other_form(root, path)


def _other_form(root: Path, path: PurePosixPath) -> Path:
    """The file whose name looks the same (macOS stores names decomposed); the path as it is where
    there is none, or more than one."""
    found = root
    for part in path.parts:
        if not (found / part).exists() and found.is_dir():
            same = [entry for entry in found.iterdir() if form(entry.name) == form(part)]
            part = same[0].name if len(same) == 1 else part
        found = found / part
    return found


def check_inside(xy: np.ndarray, shape: tuple[int, int], where: str, names: Sequence[str]) -> None:
    """DatasetError names the first point [L][2] more than a tenth of the image outside it.

    Absent points (NaN) pass.
    """
    low = -OUTSIDE * np.array(shape[::-1])
    high = (1 + OUTSIDE) * np.array(shape[::-1])
    outside = ((xy < low) | (xy > high)).any(axis=1)
    if outside.any():
        k = int(np.argmax(outside))
        raise DatasetError(
            f"{where}: landmark {names[k]} at ({xy[k, 0]:g}, {xy[k, 1]:g}) is outside the image of "
            f"{shape[1]} x {shape[0]} pixels"
        )


def check_unmatched(
    unmatched: str, rows: Sequence[tuple[str, str]], images: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Rows without an image and images without a row, each (id, reason): refused or listed."""
    if unmatched not in UNMATCHED:
        raise ValueError(f"unmatched must be one of {', '.join(UNMATCHED)}, got {unmatched!r}")
    both = [*rows, *images]
    if both and unmatched == "raise":
        raise DatasetError(
            f"{both[0][1]} (without an image: {len(rows)}, images without landmarks: "
            f'{len(images)}; unmatched="skip", --unmatched skip, leaves them out)'
        )
    return both
