"""A folder of images and a file of landmarks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..landmarks import Landmarks
from ..landmarks.read import read_with_places
from ..landmarks.text import csv_lines, number_in, read_text
from .base import Dataset, check_files, check_on_error
from .folder import walk
from .joining import check_inside, check_unmatched
from .reading import DatasetError


def table(
    file: str | os.PathLike[str],
    image_root: str | os.PathLike[str],
    *,
    spacing: ArrayLike | str | os.PathLike[str] | None = None,
    category: str | None = None,
    unmatched: str = "raise",
    on_error: str = "raise",
) -> Dataset:
    """The images of a folder that a file of landmarks names.

    The file is a long or wide CSV, or COCO key points (see `scp.landmarks`). Its images are paths
    below the folder with "/"; suffixes may be left out where that is unambiguous. Ids are the
    paths with suffix, sorted by code point, as those of `folder`. Absent landmarks are NaN.

    Args:
        file: the landmarks.
        image_root: the folder.
        spacing: millimetres per pixel: one number, (sy, sx), the path of a CSV with the header
            image,sy,sx, or None.
        category: of a COCO file with several.
        unmatched: what an image in the file but not in the folder, or the other way round, does:
            "raise", or "skip" (listed in `skipped`).
        on_error: what a damaged image or a landmark far outside its image does: "raise" or "skip".

    Raises:
        DatasetError: names the file, and the line.
    """
    check_on_error(on_error)
    root = Path(image_root)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder")
    listed, places = read_with_places(file, category)
    present = sorted(walk(root))
    try:
        found = listed.find(present)
    except ValueError as error:
        raise DatasetError(f"{file}: {error}") from None
    missing = sorted(set(range(len(listed))) - set(found.tolist()))
    skipped = check_unmatched(
        unmatched,
        [
            (listed.ids[i], f"{file}, {places[i]}: no image {listed.ids[i]!r} below {root}")
            for i in missing
        ],
        [
            (name, f"{root / name}: no landmarks in {file}")
            for name, i in zip(present, found, strict=True)
            if i < 0
        ],
    )
    ids = [name for name, i in zip(present, found, strict=True) if i >= 0]
    rows = found[found >= 0]
    if not ids:
        raise DatasetError(f"{file}: none of its {len(listed)} images is below {root}")
    points = listed.xy[rows]
    scale = _spacing(spacing, ids)

    def check(i: int, shape: tuple[int, int]) -> None:
        check_inside(points[i], shape, f"{file}, {places[rows[i]]} ({ids[i]})", listed.names)

    keep, shapes, damaged = check_files(ids, [root / name for name in ids], on_error, check)
    if not keep:
        raise DatasetError(f"{root}: none of {len(ids)} images is usable; {damaged[0][1]}")
    kept = [ids[i] for i in keep]
    return Dataset(
        "table",
        kept,
        root=root,
        files=[root / name for name in kept],
        shapes=shapes,
        spacing=None if scale is None else scale[keep],
        landmarks=points[keep],
        landmark_names=listed.names,
        skipped=skipped + damaged,
    )


def _spacing(spacing, ids: list[str]) -> np.ndarray | None:
    """float64 [N][2], (sy, sx), or None."""
    if spacing is None:
        return None
    if isinstance(spacing, str | os.PathLike):
        return read_spacing(spacing, ids)
    try:
        value = np.broadcast_to(np.asarray(spacing, np.float64), (2,))
    except (TypeError, ValueError):
        value = np.zeros(2)
    if not (np.isfinite(value).all() and (value > 0).all()):
        raise ValueError(f"spacing must be a positive number or (sy, sx), got {spacing!r}")
    return np.tile(value, (len(ids), 1))


def read_spacing(path: str | os.PathLike[str], ids: list[str]) -> np.ndarray:
    """Millimetres per pixel of each image from a CSV image,sy,sx; float64 [N][2], (sy, sx).

    Names match as those of `Landmarks.rows`. Lines of other images are not used.

    Raises:
        DatasetError: names the file, the line or the image.
    """
    rows: dict[str, tuple[float, float]] = {}
    header: list[str] | None = None
    for number, cells in csv_lines(path, read_text(path)):
        where = f"{path}, line {number}"
        if header is None:
            header = [cell.strip() for cell in cells]
            if header != ["image", "sy", "sx"]:
                raise DatasetError(f"{where}: expected the header image,sy,sx")
            continue
        if len(cells) != 3 or not cells[0]:
            raise DatasetError(f"{where}: expected image,sy,sx; got {','.join(cells)[:60]!r}")
        if cells[0] in rows:
            raise DatasetError(f"{where}: image {cells[0]!r} is there twice")
        sy, sx = (number_in(v, where, k) for v, k in zip(cells[1:], ("sy", "sx"), strict=True))
        if not (sy > 0 and sx > 0):
            raise DatasetError(f"{where}: spacing must be positive")
        rows[cells[0]] = sy, sx
    names = list(rows)
    listed = Landmarks(names, ["spacing"], np.array([rows[v] for v in names]).reshape(-1, 1, 2))
    try:
        return listed.rows(ids).xy[:, 0]
    except ValueError as error:
        raise DatasetError(f"{path}: {error}".replace("no landmarks", "no spacing")) from None
