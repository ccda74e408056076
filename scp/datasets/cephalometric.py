"""The ISBI 2015 cephalometric challenge in its official layout (Wang et al., Medical Image Analysis
2016).

    RawImage/TrainingData/001.bmp .. 150.bmp     or .png, .jpg
    RawImage/Test1Data/151.bmp .. 300.bmp
    RawImage/Test2Data/301.bmp .. 400.bmp
    400_junior/001.txt, 400_senior/001.txt       19 lines "x,y", then lines that are not read

The archives unpack to AnnotationsByMD/400_junior: folders are found in any case, at most three
levels down.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from ..landmarks.formats.isbi import LANDMARKS
from ..landmarks.text import decoded, number_in
from .base import Dataset, check_files, check_on_error
from .reading import DatasetError, folder_at

SPLITS = {"train": "TrainingData", "test1": "Test1Data", "test2": "Test2Data"}
DEPTH, MOST_FOLDERS = 3, 100  # how far and in how many folders of a level one is looked for
ANNOTATORS = {
    "mean": ("400_junior", "400_senior"),
    "junior": ("400_junior",),
    "senior": ("400_senior",),
}
SPACING = 0.1  # mm per pixel
_SUFFIXES = (".bmp", ".png", ".tif", ".tiff", ".jpg", ".jpeg")  # lossless first


def cephalometric(
    root: str | os.PathLike[str],
    split: str = "train",
    annotator: str | None = None,
    on_error: str = "raise",
) -> Dataset:
    """The cephalograms of one split, with 19 landmarks and a spacing of 0.1 mm.

    Ids are the numbers, "001". When a number exists in several formats, a lossless one is taken.
    Without landmark folders the data set has no landmarks, unless an annotator is asked for.

    Args:
        root: the folder that holds RawImage and the landmarks, at any place below it.
        split: "train", "test1", "test2", or "all" for those that are there.
        annotator: "junior", "senior", or "mean" of both (not rounded). None: the mean, or no
            landmarks where there are none.
        on_error: what a damaged image or landmark file does: "raise" or "skip".

    Raises:
        DatasetError: names the folder, or the file and line.
    """
    check_on_error(on_error)
    if split not in (*SPLITS, "all"):
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, all; got {split!r}")
    if annotator not in (None, *ANNOTATORS):
        raise ValueError(f"annotator must be one of {', '.join(ANNOTATORS)}; got {annotator!r}")
    root = folder_at(root)
    images = find_folder(root, "RawImage")
    if images is None:
        raise DatasetError(f"{root}: no folder RawImage in it")
    files, others = _images(images, split)
    numbers = sorted(files)
    readers = _annotators(root, annotator)
    points = np.zeros((len(numbers), len(LANDMARKS), 2))

    def landmarks(i: int, shape: tuple[int, int]) -> None:
        for reader in readers:
            points[i] += read_landmarks(reader / f"{numbers[i]}.txt", shape)
        points[i] /= max(len(readers), 1)

    keep, headers, skipped = check_files(numbers, [files[n] for n in numbers], on_error, landmarks)
    if not keep:
        raise DatasetError(f"{images}: none of {len(numbers)} images is usable; {skipped[0][1]}")
    kept = [numbers[i] for i in keep]
    return Dataset(
        "cephalometric",
        kept,
        root=root,
        files=[files[n] for n in kept],
        **headers,
        spacing=np.full((len(kept), 2), SPACING),
        landmarks=points[keep] if readers else None,
        landmark_names=LANDMARKS if readers else (),
        skipped=skipped + others,
    )


def find_folder(root: Path, name: str) -> Path | None:
    """The folder of this name, in any case, at most DEPTH levels below root; the uppermost."""
    level = [root]
    for _ in range(DEPTH):
        below = [p for folder in level for p in sorted(folder.iterdir()) if p.is_dir()]
        found = [p for p in below if p.name.casefold() == name.casefold()]
        exact = [p for p in found if p.name == name] or found
        if len(exact) > 1:
            raise DatasetError(f"{root}: which {name} is meant, {exact[0]} or {exact[1]}?")
        if exact:
            return exact[0]
        level = [p for p in below if not p.name.startswith(".")][:MOST_FOLDERS]
    return None


def _images(images: Path, split: str) -> tuple[dict[str, Path], list[tuple[str, str]]]:
    """Number -> file, of the split; (name, reason) of images that are called differently."""
    files: dict[str, Path] = {}
    others = []
    for name in SPLITS if split == "all" else [split]:
        part = find_folder(images, SPLITS[name])
        if part is None:
            if split == "all":
                continue
            raise DatasetError(f"{images / SPLITS[name]}: the folder of split {name!r} is missing")
        best: dict[str, Path] = {}
        for path in sorted(part.iterdir(), key=lambda p: (_rank(p), p.name)):
            if _rank(path) < len(_SUFFIXES) and len(path.stem) == 3 and path.stem.isdecimal():
                best.setdefault(path.stem, path)
            elif _rank(path) < len(_SUFFIXES) and not path.name.startswith("."):
                others.append((path.name, f"{path}: not called by a number like 001"))
        if not best and split != "all":
            raise DatasetError(f"{part}: no image in it (looked for 001.bmp, .png, .jpg, ...)")
        for number, path in best.items():
            if number in files:
                raise DatasetError(f"{path}: the number is also in another split: {files[number]}")
            files[number] = path
    if not files:
        raise DatasetError(f"{images}: no image in {', '.join(SPLITS.values())}")
    return files, others


def _rank(path: Path) -> int:
    suffix = path.suffix.lower()
    return _SUFFIXES.index(suffix) if suffix in _SUFFIXES else len(_SUFFIXES)


def _annotators(root: Path, annotator: str | None) -> list[Path]:
    """The folders whose landmarks are averaged; none where there is none and none was asked for."""
    folders = {name: find_folder(root, name) for name in ANNOTATORS[annotator or "mean"]}
    if annotator is None and not any(folders.values()):
        return []
    for name, path in folders.items():
        if path is None:
            raise DatasetError(
                f"{root / name}: the folder is missing; annotator={annotator or 'mean'!r} needs it"
            )
    return [path for path in folders.values() if path is not None]


def read_landmarks(path: str | os.PathLike[str], shape: tuple[int, int]) -> np.ndarray:
    """The first 19 lines of a landmark file, float64 [19][2], (x, y) in pixels.

    Args:
        path: the file.
        shape: (H, W) of its image; a point more than a tenth of it outside is an error.

    Raises:
        DatasetError: names the file and the line.
    """
    try:
        with open(path, "rb") as file:
            lines = decoded(file.read(1 << 16)).splitlines()[: len(LANDMARKS)]
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    points = np.empty((len(LANDMARKS), 2))
    for i, line in enumerate(lines):
        where, cells = f"{path}, line {i + 1}", line.split(",")
        if len(cells) != 2:
            raise DatasetError(f"{where}: expected x,y; got {line[:40]!r}")
        x, y = (number_in(cell, where, axis) for cell, axis in zip(cells, "xy", strict=True))
        inside = -0.1 * shape[1] <= x <= 1.1 * shape[1] and -0.1 * shape[0] <= y <= 1.1 * shape[0]
        if not (math.isfinite(x) and math.isfinite(y) and inside):
            raise DatasetError(
                f"{path}, line {i + 1}: ({x:g}, {y:g}) is outside the image of "
                f"{shape[1]} x {shape[0]} pixels"
            )
        points[i] = x, y
    if len(lines) < len(LANDMARKS):
        raise DatasetError(
            f"{path}, line {len(lines) + 1}: {len(LANDMARKS)} lines x,y expected, got {len(lines)}"
        )
    return points
