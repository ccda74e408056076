"""A folder of images and a file of landmarks."""

from __future__ import annotations

import os

from numpy.typing import ArrayLike

from ..landmarks.read import needs_images, read_with_places
from ..landmarks.units import check_not_fractions
from .base import Dataset, check_files, check_on_error
from .file_spacing import warn_if_other
from .folder import folder, walk
from .identity import check_groups, check_ids, patients, uids
from .joining import check_inside, check_unmatched
from .reading import DatasetError, folder_at
from .spacing import spacing_of


def table(
    file: str | os.PathLike[str],
    image_root: str | os.PathLike[str],
    *,
    spacing: ArrayLike | str | os.PathLike[str] | None = None,
    category: str | None = None,
    several: str = "raise",
    origin: str | None = None,
    format: str | None = None,
    units: str | None = None,
    unmatched: str = "raise",
    ids: str = "path",
    groups: str | None = None,
    scale: tuple[float, float] | None = None,
    on_error: str = "raise",
) -> Dataset:
    """The images of a folder that a file of landmarks names.

    The file is of any format that is read (docs/reference/formats.md), a CSV for one. Its images
    are paths below the folder with "/"; suffixes may be left out where that is unambiguous. Ids
    are the paths with suffix, sorted by code point, as those of `folder`. Absent landmarks are
    NaN.

    Args:
        file: the landmarks.
        image_root: the folder.
        spacing: millimetres per pixel: one number, (sy, sx), the path of a CSV with the header
            image,sy,sx, or None.
        category: of a COCO file with several. several, origin, format, units: see
            `scp.read_landmarks`.
        unmatched: what an image in the file but not in the folder, or the other way round, does:
            "raise", or "skip" (listed in `skipped`).
        ids: "path", or "uid": images are called, here and in the file, by the SOP instance UIDs of
            DICOM files. groups: "patient" of DICOM files, see `folder`.
        scale: (black, white) of floating-point, signed and 32-bit pixels, which say none.
        on_error: what a damaged image or a landmark far outside its image does: "raise" or "skip".

    Raises:
        DatasetError: names the file, and the line.
    """
    check_on_error(on_error)
    check_ids(ids)
    check_groups(groups)
    root = folder_at(image_root)
    images = folder(root, ids=ids, on_error=on_error) if needs_images(file, format, units) else None
    listed, places = read_with_places(file, category, origin, several, format, images, units)
    odd: list[tuple[str, str]] = []
    paths = sorted(walk(root, odd))
    present = uids([root / name for name in paths]) if ids == "uid" else paths
    where = dict(zip(present, paths, strict=True))
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
            (name, f"{root / where[name]}: no landmarks in {file}")
            for name, i in zip(present, found, strict=True)
            if i < 0
        ],
    )
    names = [name for name, i in zip(present, found, strict=True) if i >= 0]
    rows = found[found >= 0]
    if not names:
        raise DatasetError(f"{file}: none of its {len(listed)} images is below {root}")
    points = listed.xy[rows]
    given = spacing_of(spacing, names)

    files = [root / where[name] for name in names]

    def check(i: int, shape: tuple[int, int]) -> None:
        check_inside(points[i], shape, f"{file}, {places[rows[i]]} ({names[i]})", listed.names)

    keep, headers, damaged = check_files(names, files, on_error, check, scale)
    if not keep:
        raise DatasetError(f"{root}: none of {len(names)} images is usable; {damaged[0][1]}")
    if given is not None and headers["file_spacing"] is not None:
        warn_if_other(given[keep], headers["file_spacing"], [names[i] for i in keep])
    if units is None and images is None:
        used = listed.rows([listed.ids[rows[i]] for i in keep])
        check_not_fractions(used, headers["shapes"], file)
    kept = [names[i] for i in keep]
    return Dataset(
        "table",
        kept,
        root=root,
        files=[files[i] for i in keep],
        **headers,
        spacing=None if given is None else given[keep],
        landmarks=points[keep],
        landmark_names=listed.names,
        groups=patients([files[i] for i in keep]) if groups else None,
        skipped=sorted(odd) + skipped + damaged,
    )
