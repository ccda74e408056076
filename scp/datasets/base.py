"""What a data set offers: ids, pixels, spacing, landmarks, coordinates on a resized grid."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..distributed.paths import sent
from ..landmarks.names import Index, check_alike, check_name, known_groups, twice, writable
from ..report import cells, figures
from ..values import array, entries, whole, whole_numbers
from . import facts, levels, reading
from .extents import Extents
from .file_spacing import FileSpacing, file_spacing, warn_if_other, warn_of
from .reading import DatasetError
from .samples import known_scale
from .spacing import spacing_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ON_ERROR = ("raise", "skip")


def to_grid(xy: ArrayLike, shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Points of the original image as points of the image resized to `size`.

    Args:
        xy: points [...][2], (x, y), pixel centres at integers.
        shape: (H, W) of the original.
        size: (h, w) of the grid.

    Returns:
        float64 [...][2]: ((x + 0.5) * w / W - 0.5, (y + 0.5) * h / H - 0.5).
    """
    return _rescale(xy, shape, size)


def to_original(xy: ArrayLike, shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Points of the grid as points of the original image: the inverse of `to_grid`."""
    return _rescale(xy, size, shape)


def _rescale(xy, source: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    xy = array(xy, "xy", absent=True)
    if xy.ndim == 0 or xy.shape[-1] != 2:
        raise ValueError(f"xy must have a last axis of length 2, got shape {xy.shape}")
    for name, value in (("shape", source), ("size", target)):
        if len(value) != 2 or min(value) < 1:
            raise ValueError(f"{name} must be two positive numbers (rows, columns), got {value}")
    scale = np.array([target[1] / source[1], target[0] / source[0]])
    return (xy + 0.5) * scale - 0.5


def resize(image: np.ndarray, size: tuple[int, int], white: int | None = None) -> np.ndarray:
    """A grey image as float32 [h][w] in [0, 1], antialiased.

    8 and 16 bit are divided by `white`, by default the largest value of the type; a float image is
    taken as it is. An axis that shrinks is averaged over areas, an axis that grows is interpolated
    linearly.
    """
    import cv2

    height, width = check_size(size)
    if image.dtype in (np.uint8, np.uint16):
        white = white or np.iinfo(image.dtype).max
        if white < np.iinfo(image.dtype).max:  # before a stray pixel goes into a mean
            image = np.minimum(image, image.dtype.type(white))
        image = image.astype(np.float32) * np.float32(1 / white)
    elif image.dtype != np.float32:
        raise TypeError(f"image must be uint8, uint16 or float32, got {image.dtype}")
    smaller = (min(height, image.shape[0]), min(width, image.shape[1]))
    if smaller != image.shape:
        image = cv2.resize(image, smaller[::-1], interpolation=cv2.INTER_AREA)
    if smaller != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(image, 0, 1, dtype=np.float32)


def check_size(size) -> tuple[int, int]:
    """`size` as two positive ints, or ValueError."""
    try:
        height, width = (operator.index(v) for v in size)
    except (TypeError, ValueError):
        raise ValueError(f"size must be (rows, columns), got {size!r}") from None
    if min(height, width) < 1 or max(height, width) > 1 << 15:
        raise ValueError(f"size must be (rows, columns), each from 1 to 32768, got {size!r}")
    return height, width


def check_on_error(on_error: str) -> None:
    if on_error not in ON_ERROR:
        raise ValueError(f"on_error must be one of {', '.join(ON_ERROR)}, got {on_error!r}")


class Dataset:
    """A pool of grey images. Nothing is kept in memory: every call of `image` reads again.

    Attributes:
        name: kind of the data set, "folder", "cephalometric", "phantom", "arrays".
        root: its folder, or None.
        ids: one name per image; unique, in a stable order.
        spacing: float64 [N][2], millimetres per original pixel (sy, sx), or None; NaN where the
            files of other images say it, and that of this one does not.
        file_spacing: what the files say of it, and where it comes from; None where they say none.
        landmarks: float64 [N][L][2], (x, y) in original pixels, or None.
        landmark_names: L names, empty without landmarks.
        groups: one name per image (a patient, say), None where it is missing; or None.
        skipped: (id, reason) of each image left out with on_error="skip".
    """

    given_spacing: np.ndarray | None = None  # of `with_spacing`, [N][2]
    opened: dict[str, Any] | None = None  # by the command line: its arguments; run folders keep it
    scale: tuple[float, float] | None = None  # black and white of pixels that say none
    _pool: tuple[Dataset, list[int]] | None = None  # whose images these are, and which

    def __init__(
        self,
        name: str,
        ids: Sequence[str],
        *,
        root: Path | None = None,
        files: Sequence[Path] | None = None,
        shapes: Sequence[tuple[int, int]],
        spacing: np.ndarray | None = None,
        file_spacing: FileSpacing | None = None,
        scale: tuple[float, float] | None = None,
        landmarks: np.ndarray | None = None,
        landmark_names: Sequence[str] = (),
        groups: Iterable[Hashable] | None = None,
        skipped: Sequence[tuple[str, str]] = (),
    ):
        self.name = name
        self.root = None if root is None else str(root)
        self.ids = list(ids)
        self.spacing = spacing
        self.file_spacing = file_spacing
        self.scale = scale
        if spacing is None and file_spacing is not None and np.isfinite(file_spacing.mm).any():
            self.spacing = file_spacing.mm.copy()
        self.landmarks = landmarks
        self.landmark_names = list(landmark_names)
        self.groups = None if groups is None else known_groups(groups)
        self.skipped = list(skipped)
        self._files = None if files is None else list(files)
        self._shapes = list(shapes)
        for name in (self.root or "", *self.ids):
            check_name(name)
        if len(set(self.ids)) != len(self.ids):
            raise DatasetError(f"the image ids are not unique: {twice(self.ids)!r} is there twice")

    def __len__(self) -> int:
        return len(self.ids)

    def __getstate__(self) -> dict[str, Any]:
        """Other processes get whole paths."""
        state = dict(vars(self))
        if self._files is not None:
            state["_files"] = [sent(path) for path in self._files]
        return state

    def __repr__(self) -> str:
        parts = [f"{len(self)} images", facts.sizes(self._shapes), facts.spacing(self.spacing)]
        if self.landmarks is not None:
            parts.append(f"{self.landmarks.shape[1]} landmarks")
        if self.skipped:
            parts.append(f"{len(self.skipped)} skipped")
        if self._range_found() and self.range_note():
            parts.append(self.range_note())
        return f"<{self.name} data set: {', '.join(filter(None, parts))}>"

    def _repr_html_(self) -> str:
        shown = cells.tiles(self, range(len(self)), self.ids) if len(self) else ""
        return cells.paragraph(repr(self)[1:-1]) + shown

    def plot(
        self, ax: Axes | None = None, *, rows: Iterable[int] | None = None, columns: int = 4
    ) -> Axes:
        """Some of the images side by side, drawn with matplotlib.

        Args:
            ax: where to draw; None: a new figure.
            rows: of the images; None: the first 12.
            columns: images beside each other.

        Returns:
            the axes. An image that cannot be read is said in its place.
        """
        shown = range(min(len(self), cells.MOST)) if rows is None else whole_numbers(rows, "rows")
        chosen = [self._check(i) for i in shown]
        names = [self.ids[i] for i in chosen]
        return figures.pictures(self, chosen, names, whole(columns, "columns", 1), ax)

    def _check(self, i: int) -> int:
        index = whole(i, "image index")
        if not 0 <= index < len(self):
            raise IndexError(f"image index {i} is outside 0..{len(self) - 1}")
        return index

    def path(self, i: int) -> str | None:
        """The file of image i; None when it has none."""
        i = self._check(i)
        return None if self._files is None else str(self._files[i])

    def shape(self, i: int) -> tuple[int, int]:
        """(H, W) of image i as `image` returns it, without decoding it."""
        return self._shapes[self._check(i)]

    def image(self, i: int) -> np.ndarray:
        """Image i, grey, uint8 or uint16 [H][W], in its original size; decoded anew each time.

        Raises:
            DatasetError: the file cannot be decoded, or changed its size since construction.
        """
        path = self.path(i)
        if path is None:
            raise NotImplementedError
        image = reading.read_grey(path, white=lambda: self.white(i), scale=self.scale)
        if image.shape != self.shape(i):
            raise DatasetError(
                f"{path}: the image is {image.shape[1]} x {image.shape[0]} pixels now, it was "
                f"{self.shape(i)[1]} x {self.shape(i)[0]} when the data set was opened"
            )
        return image

    def grid(self, i: int, size: tuple[int, int] = (384, 384)) -> np.ndarray:
        """Image i resized to `size` (rows, columns), float32 [h][w] in [0, 1], antialiased.

        The two axes are scaled independently; `to_grid` and `to_original` convert points.
        """
        return resize(self.image(i), size, self.white(i))

    def grids(self, i: int, sizes: Iterable[tuple[int, int]]) -> Iterator[np.ndarray]:
        """`grid` of image i in several sizes, read once."""
        image = None
        for size in sizes:
            image = self.image(i) if image is None else image
            yield resize(image, size, self.white(i))

    def subset(self, rows: Iterable[int]) -> Dataset:
        """The data set of these images only, in this order; no image is read."""
        return Subset(self, [self._check(i) for i in whole_numbers(rows, "rows")])

    def with_landmarks(self, landmarks: ArrayLike, names: Sequence[str] = ()) -> Dataset:
        """The same images with other landmarks [N][L][2]: (x, y) in original pixels, NaN where
        absent. names: L names; those of before, if there are as many, when none are given."""
        xy = array(landmarks, "landmarks", absent=True, copy=True)
        if xy.ndim != 3 or xy.shape[0] != len(self) or xy.shape[2] != 2 or xy.shape[1] == 0:
            raise ValueError(f"landmarks must be [{len(self)}][L][2], got {list(xy.shape)}")
        if np.isinf(xy).any():
            raise ValueError("landmarks must not be infinite")
        if (np.isnan(xy[..., 0]) != np.isnan(xy[..., 1])).any():
            raise ValueError("landmarks: a point has one coordinate only")
        out = self.subset(range(len(self)))
        names = list(names) or out.landmark_names
        out.landmarks = xy
        out.landmark_names = names if len(names) == xy.shape[1] else []
        return out

    def thumbnail(self, i: int, size: tuple[int, int]) -> np.ndarray:
        """As `grid`, faster where the file format can decode at a fraction of its size; for looking
        and comparing, not for features."""
        path = self.path(i)
        if path is None:
            return self.grid(i, size)
        image = reading.read_grey(path, check_size(size), lambda: self.white(i), self.scale)
        return resize(image, size, self.white(i))

    def white(self, i: int) -> int:
        """The value of image i that is white, 1.0 on a grid: what the file says, else the smallest
        2^k - 1 that no image of the pool exceeds; of 8-bit images 255 unless all are below 64.

        Images of 16 bits are decoded once for it, when it is first asked for; a subset takes it
        from the whole."""
        i = self._check(i)
        if self._pool is not None:
            return self._pool[0].white(self._pool[1][i])
        return self._range.white[i]

    def unusual_white(self, i: int) -> int | None:
        """`white` where it is not the largest value of the type."""
        i = self._check(i)
        if self._pool is not None:
            return self._pool[0].unusual_white(self._pool[1][i])
        white = self._range.white[i]
        return None if white == (1 << self._range.bits[i]) - 1 else white

    def range_note(self) -> str:
        """Which range was taken, in words; empty where it is that of the type."""
        whites = {self.unusual_white(i) for i in range(len(self))} - {None}
        if not whites:
            return ""
        named = " or ".join(f"{white} ({white.bit_length()} bits)" for white in sorted(whites))
        return f"white is {named}"

    def range_warnings(self) -> list[str]:
        """A sentence where the images have different ranges, and where they have an offset."""
        if self._pool is not None:
            return self._pool[0].range_warnings()
        found = self._range
        return levels.mixed(found, self.ids) + levels.offset(found, self.ids)

    @cached_property
    def extents(self) -> Extents:
        """What is known of the values of the files."""
        return Extents() if self._pool is None else self._pool[0].extents

    @cached_property
    def _range(self) -> levels.Range:
        return levels.find_range(self)

    def _range_found(self) -> bool:
        return self._pool[0]._range_found() if self._pool is not None else "_range" in vars(self)

    def depth(self, i: int) -> tuple[int, int | None]:
        """8 or 16 bits of image i, and the largest possible value that the file says, or None."""
        path = self.path(i)
        if path is None:
            return 8 * self.image(i).dtype.itemsize, None
        header = reading.inspect(path)
        return header.bits, header.white

    def extent(self, i: int) -> tuple[int, int]:
        """The smallest and the largest value of image i as stored, decoded for it
        (`levels.extent_of`)."""
        path = self.path(i)
        measured = path is not None and self.scale is not None and reading.inspect(path).measured
        if path is None or measured:
            return levels.extent_of(self.image(i))
        return self.extents.of(path)

    def rows(self, ids: Sequence[str], where: str = "ids") -> list[int]:
        """Row numbers of images by id, each once, as `scp.landmarks.names.Index` looks them up;
        ValueError says `where` a wrong one is named."""
        if not ids:
            raise ValueError(f"{where}: at least one image is needed")
        return Index(self.ids).rows(ids, where)

    def spacing_note(self) -> str:
        """Where the spacing of the files comes from, in words; empty where they say none, or it is
        not used."""
        if self.file_spacing is None or self.spacing is None:
            return "" if self.file_spacing is None else self.file_spacing.note()
        if not np.array_equal(self.spacing, self.file_spacing.mm, equal_nan=True):
            return ""
        return self.file_spacing.note()

    def with_spacing(self, spacing: ArrayLike | str | os.PathLike[str]) -> Dataset:
        """The same images with another spacing, mm per original pixel: one number, (sy, sx),
        [N][2], or the path of a CSV with the header image,sy,sx."""
        out = self.subset(range(len(self)))
        out.spacing = out.given_spacing = spacing_of(spacing, self.ids)
        if out.spacing is not None and out.file_spacing is not None:
            warn_if_other(out.spacing, out.file_spacing, self.ids)
        out.skipped, out.opened = list(self.skipped), self.opened
        return out


class Subset(Dataset):
    """Some images of another data set."""

    def __init__(self, whole: Dataset, rows: list[int]):
        super().__init__(
            whole.name,
            [whole.ids[i] for i in rows],
            root=whole.root,
            files=None if whole._files is None else [whole._files[i] for i in rows],
            shapes=[whole.shape(i) for i in rows],
            spacing=None if whole.spacing is None else whole.spacing[rows],
            file_spacing=None if whole.file_spacing is None else whole.file_spacing.rows(rows),
            landmarks=None if whole.landmarks is None else whole.landmarks[rows],
            landmark_names=whole.landmark_names,
            groups=None if whole.groups is None else [whole.groups[i] for i in rows],
        )
        self._whole, self._rows = self._pool = whole, rows

    def image(self, i: int) -> np.ndarray:
        return self._whole.image(self._rows[self._check(i)])

    def grid(self, i: int, size: tuple[int, int] = (384, 384)) -> np.ndarray:
        return self._whole.grid(self._rows[self._check(i)], size)

    def grids(self, i: int, sizes: Iterable[tuple[int, int]]) -> Iterator[np.ndarray]:
        return self._whole.grids(self._rows[self._check(i)], sizes)

    def thumbnail(self, i: int, size: tuple[int, int]) -> np.ndarray:
        return self._whole.thumbnail(self._rows[self._check(i)], size)

    def depth(self, i: int) -> tuple[int, int | None]:
        return self._whole.depth(self._rows[self._check(i)])


class ArrayDataset(Dataset):
    """Images that are in memory already; see `arrays`."""

    def __init__(self, images: list[np.ndarray], ids: list[str], **rest):
        super().__init__("arrays", ids, shapes=[image.shape for image in images], **rest)
        self._images = images

    def image(self, i: int) -> np.ndarray:
        return self._images[self._check(i)].copy()

    def depth(self, i: int) -> tuple[int, None]:
        return 8 * self._images[self._check(i)].dtype.itemsize, None


def arrays(
    images: Iterable[np.ndarray],
    ids: Iterable[object] | None = None,
    *,
    spacing: ArrayLike | None = None,
    landmarks: ArrayLike | None = None,
    landmark_names: Sequence[str] = (),
    groups: Iterable[Hashable] | None = None,
) -> Dataset:
    """A data set of grey images in memory, uint8 or uint16 [H][W] each.

    Args:
        images: the images; they may differ in size. Masked pixels are refused.
        ids: one unique name per image; "0000", "0001", ... by default.
        spacing: [N][2] or [2], millimetres per pixel (sy, sx).
        landmarks: [N][L][2], (x, y) in pixels; NaN, or masked, where absent.
        landmark_names: L names.
        groups: one name per image.
    """
    if isinstance(images, (str, bytes, Mapping)) or not np.iterable(images):
        raise TypeError(f"images must be a sequence of arrays, got {images!r}")
    images = [array(image, f"images[{i}]", None) for i, image in enumerate(images)]
    if not images:
        raise DatasetError("images: at least one is needed")
    for i, image in enumerate(images):
        if image.dtype not in (np.uint8, np.uint16):
            raise TypeError(f"images[{i}] must be a uint8 or uint16 array, got {image.dtype}")
        if image.ndim != 2 or image.size == 0:
            raise ValueError(f"images[{i}] must be [rows][columns] and not empty: {image.shape}")
    n = len(images)
    named = ids is not None
    ids = list(map(str, entries(ids, "ids", "names"))) if named else [f"{i:04d}" for i in range(n)]
    groups = None if groups is None else known_groups(groups)
    if landmarks is not None:
        landmarks = array(landmarks, "landmarks", absent=True, copy=True)
        if landmarks.ndim != 3 or landmarks.shape[0] != n or landmarks.shape[2] != 2:
            raise ValueError(f"landmarks must be [{n}][L][2], got {list(landmarks.shape)}")
        if np.isinf(landmarks).any():
            raise ValueError("landmarks must not be infinite")
        if (np.isnan(landmarks[..., 0]) != np.isnan(landmarks[..., 1])).any():
            raise ValueError("landmarks: a point has one coordinate only")
        if len(landmark_names) not in (0, landmarks.shape[1]):
            raise ValueError(f"landmark_names must hold {landmarks.shape[1]} names")
        check_alike(list(landmark_names), "landmark_names")
    elif len(landmark_names):
        raise ValueError("landmark_names go with landmarks")
    for name, value in (("ids", ids), ("groups", groups)):
        if value is not None and len(value) != n:
            raise ValueError(f"{name} must hold {n} names, got {len(value)}")
    return ArrayDataset(
        images,
        ids,
        spacing=spacing_of(spacing, ids),
        landmarks=landmarks,
        landmark_names=landmark_names,
        groups=groups,
    )


def check_files(
    ids: Sequence[str],
    files: Sequence[Path],
    on_error: str,
    also: Callable[[int, tuple[int, int]], None] | None = None,
    scale: tuple[float, float] | None = None,
) -> tuple[list[int], dict[str, Any], list[tuple[str, str]]]:
    """Header and end marker of each file.

    Returns:
        indices kept; what a `Dataset` takes of them (`shapes`, `file_spacing`, `scale`); and (id,
        reason) of the others. With on_error="raise" the
        first bad file raises DatasetError. `also(index, shape)` may raise DatasetError too.
    """
    check_on_error(on_error)
    scale = known_scale(scale)
    keep, headers, skipped = [], [], []
    for i, path in enumerate(files):
        try:
            check_name(ids[i])
            header = reading.inspect(path)
            reading.check_scale(path, header, scale)
            if also is not None:
                also(i, header.shape)
        except DatasetError as error:
            if on_error == "raise":
                raise
            skipped.append((writable(ids[i]), writable(str(error))))
        else:
            keep.append(i)
            headers.append(header)
    found = file_spacing(headers)
    if found is not None:
        warn_of(found, [writable(ids[i]) for i in keep])
    said = {"shapes": [h.shape for h in headers], "file_spacing": found, "scale": scale}
    return keep, said, skipped
