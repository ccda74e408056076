"""Millimetres per pixel: one number, (sy, sx), or a CSV with a line for each image."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DatasetError
from ..landmarks import Landmarks
from ..landmarks.csv import csv_cell, plain_cell
from ..landmarks.text import csv_lines, number_in, read_text
from ..values import array


def spacing_of(
    spacing: ArrayLike | str | os.PathLike[str] | None, ids: Sequence[str]
) -> np.ndarray | None:
    """float64 [N][2], (sy, sx), of one number, (sy, sx), [N][2], or the path of a CSV; or None."""
    if spacing is None:
        return None
    if isinstance(spacing, str | os.PathLike):
        return read_spacing(spacing, ids)
    try:
        value = array(spacing, "spacing", absent=True)
        value = np.broadcast_to(value, (len(ids), 2)).copy()
    except (TypeError, ValueError):
        value = np.zeros((1, 2))
    if not (np.isfinite(value).all() and (value > 0).all()):
        raise ValueError(
            f"spacing must be positive: a number, (sy, sx) or [{len(ids)}][2] in mm per pixel, got "
            f"{str(spacing)[:60]}"
        )
    return value


def spacing_lines(ids: Sequence[str], spacing: np.ndarray) -> str:
    """A CSV that `read_spacing` reads."""
    lines = [
        f"{csv_cell(name)},{sy!r},{sx!r}" if sy == sy else f"{csv_cell(name)},,"
        for name, (sy, sx) in zip(ids, spacing.tolist(), strict=True)
    ]
    return "\n".join(["image,sy,sx", *lines, ""])


def read_spacing(path: str | os.PathLike[str], ids: Sequence[str]) -> np.ndarray:
    """Millimetres per pixel of each image from a CSV image,sy,sx; float64 [N][2], (sy, sx).

    Names match as those of `Landmarks.rows`. Lines of other images are not used. An image whose two
    numbers are both empty has no spacing (NaN).

    Raises:
        DatasetError: names the file, the line or the image.
    """
    rows: dict[str, tuple[float, float]] = {}
    place: list[int] | None = None
    for number, cells in csv_lines(path, read_text(path)):
        where = f"{path}, line {number}"
        if place is None:
            header = [cell.strip() for cell in cells]
            if sorted(header) != ["image", "sx", "sy"]:
                raise DatasetError(f"{where}: expected the header image,sy,sx")
            place = [header.index(name) for name in ("image", "sy", "sx")]
            continue
        if len(cells) != 3 or not cells[place[0]]:
            raise DatasetError(f"{where}: expected image,sy,sx; got {','.join(cells)[:60]!r}")
        image = plain_cell(cells[place[0]])
        if image in rows:
            raise DatasetError(f"{where}: image {image!r} is there twice")
        sy, sx = (
            number_in(cells[k], where, name)
            for k, name in zip(place[1:], ("sy", "sx"), strict=True)
        )
        unknown = not cells[place[1]].strip() and not cells[place[2]].strip()
        if not (sy > 0 and sx > 0) and not unknown:
            raise DatasetError(f"{where}: spacing must be positive")
        rows[image] = sy, sx
    names = list(rows)
    listed = Landmarks(names, ["spacing"], np.array([rows[v] for v in names]).reshape(-1, 1, 2))
    try:
        return listed.rows(ids).xy[:, 0]
    except ValueError as error:
        raise DatasetError(f"{path}: {error}".replace("no landmarks", "no spacing")) from None
