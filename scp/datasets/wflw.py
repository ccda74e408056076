"""WFLW: faces with 98 landmarks and six flags (Wu et al., CVPR 2018), cropped by their boxes.

    WFLW_images/0--Parade/x.jpg
    WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt, ..._test.txt

A line is one face: x0 y0 ... x97 y97, the box x y x2 y2, six flags 0 or 1, the name of the image.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..landmarks.text import number_in, read_text
from . import reading
from .base import Dataset, check_files, check_on_error
from .joining import below, check_inside
from .reading import DatasetError, folder_at
from .spacing import spacing_of

COUNT = 98
NAMES = tuple(str(k) for k in range(COUNT))
FLAGS = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
SPLITS = ("train", "test")
LISTS = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{}.txt"
IMAGES = "WFLW_images"
SIZE = 256
_EXTEND = 0.1  # of its height: by how much a box is extended at the bottom
_CELLS = 2 * COUNT + 4 + len(FLAGS)
_MAX_SIDE = 1 << 15


class Faces(Dataset):
    """Crops of faces. `image(i)` reads the photograph and crops it; `path(i)` is None.

    Landmarks are in pixels of the crop.

    Attributes:
        flags: bool [N][6]: pose, expression, illumination, make-up, occlusion, blur.
        boxes: float64 [N][4]: x, y, x2, y2 of the list.
        squares: int64 [N][3]: left, top and side of the square of the photograph that is resized.
        original_landmarks: float64 [N][98][2], in pixels of the photograph.
        sources: the file of each photograph.
    """

    def __init__(
        self,
        ids: Sequence[str],
        *,
        size: int,
        flags: ArrayLike,
        boxes: ArrayLike,
        original: ArrayLike,
        sources: Iterable[str | os.PathLike[str]],
        photographs: Iterable[tuple[int, int]],
        **rest: Any,
    ):
        self.size = size
        self.flags = np.asarray(flags, bool)
        self.boxes = np.asarray(boxes, np.float64)
        self.squares = np.array([square(box, size) for box in self.boxes], np.int64)
        self.original_landmarks = np.asarray(original, np.float64)
        self.sources = [str(path) for path in sources]
        self._photographs = list(photographs)  # (H, W) of each
        super().__init__(
            "wflw",
            ids,
            shapes=[(size, size)] * len(ids),
            landmarks=to_crop(self.original_landmarks, self.squares[:, None], size),
            landmark_names=NAMES,
            **rest,
        )

    def image(self, i: int) -> np.ndarray:
        """The crop of face i, grey, uint8 or uint16 [size][size]; black outside the photograph."""
        i = self._check(i)
        photograph = reading.read_grey(self.sources[i], white=lambda: self.white(i))
        if photograph.shape != self._photographs[i]:
            raise DatasetError(
                f"{self.sources[i]}: the image is {photograph.shape[1]} x {photograph.shape[0]} "
                "pixels now, not what it was when the data set was opened"
            )
        return crop(photograph, self.squares[i], self.size)

    def depth(self, i: int) -> tuple[int, int | None]:
        header = reading.inspect(self.sources[self._check(i)])
        return header.bits, header.white

    def extent(self, i: int) -> tuple[int, int]:
        return self.extents.of(self.sources[self._check(i)])

    def to_original(self, i: int, xy: ArrayLike) -> np.ndarray:
        """Points [...][2] of crop i as points of its photograph, float64."""
        return from_crop(xy, self.squares[self._check(i)], self.size)

    def subset(self, rows: Iterable[int]) -> Faces:
        rows = [self._check(i) for i in rows]
        out = Faces(
            [self.ids[i] for i in rows],
            size=self.size,
            flags=self.flags[rows],
            boxes=self.boxes[rows],
            original=self.original_landmarks[rows],
            sources=[self.sources[i] for i in rows],
            photographs=[self._photographs[i] for i in rows],
            root=self.root,
            spacing=None if self.spacing is None else self.spacing[rows],
        )
        out._pool = self, rows
        return out

    def with_spacing(self, spacing: ArrayLike | str | os.PathLike[str]) -> Faces:
        """As `Dataset.with_spacing`, of the photographs: the crops get what comes of it."""
        out = self.subset(range(len(self)))
        of_photograph = out.given_spacing = spacing_of(spacing, self.ids)
        if of_photograph is not None:
            of_photograph = of_photograph * self.squares[:, 2:] / margin(self.size)[0]
        out.spacing, out.skipped = of_photograph, list(self.skipped)
        return out


def wflw(
    root: str | os.PathLike[str],
    split: str = "train",
    *,
    subset: str | None = None,
    list_file: str | os.PathLike[str] | None = None,
    size: int = SIZE,
    on_error: str = "raise",
) -> Faces:
    """The faces of a list, cropped to `size` x `size` pixels, grey; no spacing.

    An id is the name of the photograph; a second face of the same photograph has "#2" after it.

    Args:
        root: the folder that holds WFLW_images and WFLW_annotations.
        split: "train" or "test".
        subset: a flag ("pose", "expression", "illumination", "make-up", "occlusion", "blur"):
            only faces that have it.
        list_file: another list, instead of the split's.
        size: of the crops.
        on_error: what a damaged photograph does, and a box or a landmark far outside it: "raise" or
            "skip".

    Raises:
        DatasetError: names the file, and the line.
    """
    check_on_error(on_error)
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")
    if subset is not None and subset not in FLAGS:
        raise ValueError(f"subset must be one of {', '.join(FLAGS)}; got {subset!r}")
    if not 8 <= size <= 4096:
        raise ValueError(f"size must be from 8 to 4096, got {size}")
    root = folder_at(root)
    images = root / IMAGES
    if not images.is_dir():
        raise DatasetError(f"{root}: no folder {IMAGES} in it")
    list_file = root / LISTS.format(split) if list_file is None else Path(list_file)
    points, boxes, flags, names = read_list(list_file)
    ids, files = [], []
    for i, (number, name) in enumerate(names):
        where = f"{list_file}, line {number}"
        files.append(below(images, name, where))
        (low, high) = boxes[i].reshape(2, 2)
        if not (np.abs(boxes[i]).max() < _MAX_SIDE and (low < high).all()):
            box = " ".join(f"{v:g}" for v in boxes[i])
            raise DatasetError(f"{where}: {box} is not a box x y x2 y2")
    seen: dict[str, int] = {}
    for _, name in names:
        seen[name] = seen.get(name, 0) + 1
        ids.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    rows = np.arange(len(ids))
    if subset is not None:
        rows = np.flatnonzero(flags[:, FLAGS.index(subset)])
    if not len(rows):
        raise DatasetError(f"{list_file}: no face with the flag {subset}")

    def check(i: int, shape: tuple[int, int]) -> None:
        x, y, x2, y2 = boxes[rows[i]]
        height, width = shape
        meets = x < width and y < height and x2 > 0 and y2 > 0
        if not (meets and x2 - x < 2 * width and y2 - y < 2 * height):
            raise DatasetError(
                f"{list_file}, line {names[rows[i]][0]}: the box {x:g} {y:g} {x2:g} {y2:g} does "
                f"not fit the image of {width} x {height} pixels"
            )
        where = f"{list_file}, line {names[rows[i]][0]} ({ids[rows[i]]})"
        if square(boxes[rows[i]], size)[2] < 1:
            box = f"{x:g} {y:g} {x2:g} {y2:g}"
            raise DatasetError(f"{where}: the box {box} is smaller than a pixel")
        check_inside(points[rows[i]], shape, where, NAMES)

    keep, headers, skipped = check_files(
        [ids[i] for i in rows], [files[i] for i in rows], on_error, check
    )
    if not keep:
        raise DatasetError(f"{images}: none of {len(rows)} faces is usable; {skipped[0][1]}")
    kept = rows[keep]
    return Faces(
        [ids[i] for i in kept],
        size=size,
        flags=flags[kept],
        boxes=boxes[kept],
        original=points[kept],
        sources=[files[i] for i in kept],
        photographs=headers["shapes"],
        root=root,
        skipped=skipped,
    )


def read_list(path: str | os.PathLike[str]):
    """A list of faces.

    Returns:
        points float64 [N][98][2], boxes float64 [N][4], flags bool [N][6], and (number of the
        line, name of the image) of each face.

    Raises:
        DatasetError: names the file and the line.
    """
    values, flags, names = [], [], []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        cells = line.split(maxsplit=_CELLS)
        if not cells:
            continue
        where = f"{path}, line {number}"
        if len(cells) <= _CELLS:
            raise DatasetError(f"{where}: {_CELLS + 1} values expected, got {len(cells)}")
        numbers = [number_in(v, where, f"value {k}") for k, v in enumerate(cells[:-7], 1)]
        if any(math.isnan(v) for v in numbers):
            raise DatasetError(f"{where}: nan is not a number")
        for name, cell in zip(FLAGS, cells[-7:-1], strict=True):
            if cell not in ("0", "1"):
                raise DatasetError(f"{where}: flag {name} must be 0 or 1, got {cell[:20]!r}")
        values.append(numbers)
        flags.append([cell == "1" for cell in cells[-7:-1]])
        names.append((number, cells[-1].rstrip()))
    if not values:
        raise DatasetError(f"{path}: no face in it")
    table = np.array(values)
    points = table[:, : 2 * COUNT].reshape(-1, COUNT, 2)
    return points, table[:, 2 * COUNT :], np.array(flags, bool), names


# ---- crops ----


def margin(size: int) -> tuple[int, int]:
    """Side of the resized square whose middle is the crop, and where the crop begins in it.

    The square is as large as the diagonal of the crop: 363 and 53 for 256.
    """
    side = math.ceil(size * math.sqrt(2))
    return side, (side - size) // 2


def square(box, size: int) -> tuple[int, int, int]:
    """Left, top and side of the square around a box x, y, x2, y2 that is resized.

    The box is extended at the bottom by a tenth of its height, made square by its longer side
    about its centre, and scaled to the diagonal; corners are cut to whole pixels.
    """
    x, y, x2, y2 = (float(v) for v in box)
    top, bottom = int(y), int(y2 + _EXTEND * (y2 - y))
    half = max(x2 - x, bottom - top) / 2 * margin(size)[0] / size
    centre_x, centre_y = (x + x2) / 2, (top + bottom) / 2
    left, up = int(centre_x - half), int(centre_y - half)
    return left, up, int(centre_x + half) - left


def to_crop(xy, place, size: int) -> np.ndarray:
    """Points [...][2] of a photograph as points of the crop; `place` [...][3] from `square`."""
    xy, place = np.asarray(xy, np.float64), np.asarray(place)
    side, begin = margin(size)
    return (xy - place[..., :2] + 0.5) * (side / place[..., 2:]) - 0.5 - begin


def from_crop(xy, place, size: int) -> np.ndarray:
    """The inverse of `to_crop`."""
    xy, place = np.asarray(xy, np.float64), np.asarray(place)
    side, begin = margin(size)
    return (xy + begin + 0.5) * (place[..., 2:] / side) - 0.5 + place[..., :2]


def crop(photograph: np.ndarray, place, size: int, whole: int | None = None) -> np.ndarray:
    """The crop [size][size] of a photograph [H][W] or [H][W][C], bicubic, black outside; or, of
    that side, its whole square."""
    import cv2

    left, top, length = (int(v) for v in place)
    cut = np.zeros((length, length, *photograph.shape[2:]), photograph.dtype)
    height, width = photograph.shape[:2]
    x0, x1 = max(left, 0), min(left + length, width)
    y0, y1 = max(top, 0), min(top + length, height)
    if x0 < x1 and y0 < y1:
        cut[y0 - top : y1 - top, x0 - left : x1 - left] = photograph[y0:y1, x0:x1]
    side, begin = margin(size)
    full = cv2.resize(cut, (side, side), interpolation=cv2.INTER_CUBIC)
    if whole == side:
        return full
    return np.ascontiguousarray(full[begin : begin + size, begin : begin + size])
