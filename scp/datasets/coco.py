"""COCO key points and a folder of images."""

from __future__ import annotations

import os

from ..landmarks.coco import parse_coco
from ..landmarks.read import ORIGINS, check_origin
from ..landmarks.text import read_text
from .base import Dataset, check_files, check_on_error
from .joining import below, check_inside
from .reading import DatasetError, folder_at


def coco(
    annotation_file: str | os.PathLike[str],
    image_root: str | os.PathLike[str],
    *,
    category: str | None = None,
    several: str = "raise",
    origin: str = "center",
    scale: tuple[float, float] | None = None,
    on_error: str = "raise",
) -> Dataset:
    """The images that a COCO file lists, with the key points of one category as landmarks.

    Ids are the file names, in the order of the file. Absent key points (v = 0) are NaN, and so are
    all those of an image without an annotation of the category. Crowds (iscrowd = 1) do not count.
    A warning counts what of the file is not used.

    Args:
        annotation_file: JSON with images, annotations and categories.
        image_root: the folder that the file names start from.
        category: its name; needed when several categories have key points.
        several: what an image with several instances does: "raise", or "largest" takes the one
            with the largest area (bbox where there is no area), the first of equals.
        origin: where the file has (0, 0), see `scp.read_landmarks`: "center" of the first pixel,
            its "corner", or "one" where that pixel is (1, 1).
        scale: (black, white) of floating-point, signed and 32-bit pixels, which say none.
        on_error: what an image does that is missing, damaged, or not of the size that the file
            says, and a key point far outside its image: "raise" or "skip".

    Raises:
        DatasetError: names the file and the entry.
    """
    check_on_error(on_error)
    check_origin(origin)
    root = folder_at(image_root)
    found = parse_coco(annotation_file, read_text(annotation_file), category, several)
    found.warn()
    points = found.xy - ORIGINS[origin]
    where = [f"{annotation_file}, images[{i}]" for i in range(len(found.files))]
    paths = [below(root, name, at) for name, at in zip(found.files, where, strict=True)]

    def check(i: int, shape: tuple[int, int]) -> None:
        expected = found.shapes[i]
        if expected is not None and expected != shape:
            raise DatasetError(
                f"{where[i]}: {found.files[i]} has {shape[1]} x {shape[0]} pixels, not "
                f"{expected[1]} x {expected[0]}"
            )
        check_inside(points[i], shape, f"{where[i]} ({found.files[i]})", found.names)

    keep, headers, skipped = check_files(found.files, paths, on_error, check, scale)
    if not keep:
        raise DatasetError(f"{root}: none of {len(paths)} images is usable; {skipped[0][1]}")
    return Dataset(
        "coco",
        [found.files[i] for i in keep],
        root=root,
        files=[paths[i] for i in keep],
        **headers,
        landmarks=points[keep],
        landmark_names=found.names,
        skipped=skipped,
    )
