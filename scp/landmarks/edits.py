"""A file of landmarks that people correct: what they changed since it was written is kept.

Beside FILE lies FILE.ledger, a copy of what was written. A point that differs from it was
corrected: moved, added, or taken away (its cells are empty, or its line is gone while others of the
image are there). So was one whose `source` says so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import warn
from .csv import write_csv
from .names import form
from .read import read_landmarks
from .table import CORRECTED, MARKED, Landmarks

MOVED = 0.01  # pixels; tables that a program saved again are rounded by less


@dataclass(frozen=True)
class Edits:
    """What a person did to a file of landmarks.

    Attributes:
        points: the corrected ones, source "corrected" (absent: taken away), or None.
        fresh: those of them that were corrected since the file was written, or None.
        unclear: why the file cannot be understood as one that was written here, or "".
    """

    points: Landmarks | None = None
    fresh: Landmarks | None = None
    unclear: str = ""


def ledger_of(path: str | os.PathLike[str]) -> Path:
    """The file with what was written to a file of landmarks."""
    return Path(f"{path}.ledger")


def _next(path: Path) -> Path:
    return Path(f"{path}.ledger.next")


def edits_in(path: str | os.PathLike[str], ids: list[str], names: list[str]) -> Edits:
    """What was corrected in a file since `write_kept` wrote it.

    ids, names: of the images and landmarks that the file is about to be written for.
    """
    path = Path(path)
    if not path.is_file():
        return Edits()
    try:
        now = read_landmarks(path)
        before = [read_landmarks(p) for p in (ledger_of(path), _next(path)) if p.is_file()]
        if not before and now.source is None:
            raise ValueError(
                f"an earlier version or another program wrote it ({ledger_of(path).name} is not "
                "there), so what a person corrected in it cannot be told; to have such points "
                "used, give them with --templates, or fill them in in marks.csv"
            )
        # Two ledgers: a process was killed between them. The file is that of the closer one.
        changed = [_changed(now, ledger) for ledger in before or [now]]
        corrected, fresh = min(changed, key=lambda c: c[0].sum())
        if not corrected.any():
            return Edits()
        points = _among(now, corrected, ids, names)
        return Edits(points, _among(now, fresh, ids, names) if fresh.any() else None)
    except (ValueError, OSError) as error:
        return Edits(unclear=str(error))


def _among(now: Landmarks, which: np.ndarray, ids: list[str], names: list[str]) -> Landmarks:
    """These points, bool [N][L], as corrected ones, under the names that the images have;
    ValueError names an image or landmark that is not among them."""
    edited = Landmarks(now.ids, now.names, now.xy, source=np.where(which, CORRECTED, ""))
    there = edited.by_hand
    edited = edited.rows([edited.ids[i] for i in np.flatnonzero(there.any(axis=1))])
    edited = edited.columns([edited.names[k] for k in np.flatnonzero(there.any(axis=0))])
    found = edited.find(ids)
    for k, name in enumerate(edited.ids):
        if k not in found:
            raise ValueError(f"no image is called {name!r} here")
    known = {form(name) for name in names}
    for name in edited.names:
        if form(name) not in known:
            raise ValueError(f"the templates have no landmark {name!r}")
    return edited.rows([name for name, k in zip(ids, found, strict=True) if k >= 0])


def _changed(now: Landmarks, before: Landmarks) -> tuple[np.ndarray, np.ndarray]:
    """Which points are corrected, and which of them since `before`, bool [N][L]."""
    names = [name for name in now.names if name in set(before.names)]
    at = [now.names.index(name) for name in names]
    known = before.columns(names)
    row = {name: i for i, name in enumerate(known.ids)}
    here = [i for i, name in enumerate(now.ids) if name in row]
    of = [row[now.ids[i]] for i in here]
    old, source = np.full(now.xy.shape, np.nan), np.full(now.present.shape, "", "<U9")
    old[np.ix_(here, at)] = known.xy[of]
    if known.source is not None:
        source[np.ix_(here, at)] = known.source[of]
    moved = np.hypot(*np.moveaxis(now.xy - old, -1, 0)) > MOVED  # False where one is absent
    fresh = moved | (now.present != ~np.isnan(old[..., 0]))
    if now.source is not None:
        fresh |= (now.source == CORRECTED) & (source != CORRECTED)
        fresh |= (now.source == MARKED) & (source != MARKED)
    return fresh | (source == CORRECTED), fresh


def write_kept(
    path: str | os.PathLike[str], landmarks: Landmarks, unclear: str = ""
) -> Path | None:
    """Writes a CSV, and the ledger by which `edits_in` knows what is changed afterwards.

    unclear: of the `Edits` there: the file is not overwritten but kept under another name, which
    is returned, with a warning.
    """
    path, aside = Path(path), None
    if unclear:
        aside = set_aside(path)
        warn(f"{path.name} is kept as {aside}: {unclear}")
    write_csv(_next(path), landmarks)
    write_csv(path, landmarks)
    os.replace(_next(path), ledger_of(path))  # killed before this: `edits_in` sees which is true
    return aside


def set_aside(path: Path) -> Path:
    """Renames a file that a person made: NAME.user.csv, NAME.user2.csv, ...; its new path."""
    number = 1
    while True:
        aside = path.with_name(f"{path.stem}.user{number if number > 1 else ''}{path.suffix}")
        if not aside.exists():
            path.rename(aside)
            return aside
        number += 1
