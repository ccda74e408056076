"""Millimetres per pixel as the headers of a pool's files have them, and where they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import warn
from .header import Header

_SAME = 1e-3  # relative: what two spacings may differ by and be called equal


@dataclass(frozen=True)
class FileSpacing:
    """Of each image.

    mm: float64 [N][2], (sy, sx), NaN where the file says none. origins: where it comes from, or why
    there is none, in words. cautions: what must be known before it is used; mostly empty.
    """

    mm: np.ndarray
    origins: list[str]
    cautions: list[str]

    def rows(self, rows: Sequence[int]) -> FileSpacing:
        """Of some of the images."""
        origins, cautions = [self.origins[i] for i in rows], [self.cautions[i] for i in rows]
        return FileSpacing(self.mm[list(rows)], origins, cautions)

    def note(self) -> str:
        """Where the spacing comes from, in words: "PixelSpacing, uncalibrated: ... (12 images)"."""
        counts = Counter(self.origins).most_common()
        parts = [f"{origin} ({count} image{'s' * (count > 1)})" for origin, count in counts]
        return "; ".join(parts)


def file_spacing(headers: Sequence[Header]) -> FileSpacing | None:
    """What the headers say; None where they are of formats that know no spacing."""
    if not any(h.origin for h in headers):
        return None
    mm = np.array([h.spacing or (np.nan, np.nan) for h in headers], np.float64).reshape(-1, 2)
    origins = [h.origin or f"none: {h.format} files say none" for h in headers]
    return FileSpacing(mm, origins, [h.caution for h in headers])


def warn_of(found: FileSpacing, ids: Sequence[str]) -> None:
    """Once per pool: what must be known of its spacing, and that some images have none."""
    for caution in dict.fromkeys(c for c in found.cautions if c):
        rows = [i for i, c in enumerate(found.cautions) if c == caution]
        warn(
            f"spacing: {caution} ({_named(rows, ids)}); --spacing, or with_spacing(), gives another"
        )
    rows = np.flatnonzero(np.isnan(found.mm).any(axis=1)).tolist()
    if 0 < len(rows) < len(ids):
        warn(f"no spacing: {_named(rows, ids)} have none; figures in mm leave them out")


def warn_if_other(given: np.ndarray, found: FileSpacing, ids: Sequence[str]) -> None:
    """Where a spacing that was given, [N][2], is not that of the files."""
    rows = np.flatnonzero((np.abs(given / found.mm - 1) > _SAME).any(axis=1)).tolist()
    if rows:
        own, other = (_pair(mm[rows[0]]) for mm in (given, found.mm))
        warn(
            f"the spacing that was given is used, {own}, not that of the files, {other} "
            f"({_named(rows, ids)})"
        )


def _pair(mm: np.ndarray) -> str:
    sy, sx = mm.tolist()
    return f"{sy:g}" if sy == sx else f"{sy:g} x {sx:g}"


def _named(rows: Sequence[int], ids: Sequence[str]) -> str:
    names = ", ".join(ids[i] for i in rows[:2]) + (", ..." if len(rows) > 2 else "")
    return f"{len(rows)} of {len(ids)} images: {names}"
