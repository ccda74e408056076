"""Points as a parser meets them, one at a time, made to landmarks; what is ambiguous is refused."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np

from ...errors import DatasetError, warn
from ..names import check_alike, check_split, visible, writable
from ..table import Landmarks
from ..text import check_table
from .base import Context, Read
from .imagenames import ImageNames

OUTSIDE = 0.1  # of the image: how far outside it a point may be


class Gathered:
    """Landmarks that a parser gathers.

    Images and names keep the order in which they come. What stands in the file and is not used is
    counted with `left_out` and said in one warning at the end.

    path: of the file, for messages.
    """

    def __init__(self, path: Path, context: Context):
        self.path = path
        self.names_of_images = ImageNames(path, context.images)
        self._images = context.images
        self._whole = context.whole
        self._rows: dict[str, int] = {}
        self._places: list[str] = []
        self._shapes: list[tuple[int, int] | None] = []
        self._names: dict[str, int] = {}
        self._points: dict[tuple[int, int], tuple[float, float, float, bool, str]] = {}
        self._left: Counter[str] = Counter()

    def image(
        self, name: str, where: str, place: str, size: tuple[float, float] | None = None
    ) -> int:
        """Row of an image that the file names; an image comes once.

        where: "FILE, line 3", for messages. place: "line 3". size: (H, W) as the file says.
        """
        name = self.names_of_images.id_of(_text(name, "name of an image", where), where)
        if name in self._rows:
            raise DatasetError(
                f"{where}: image {name!r} is in {self._places[self._rows[name]]} already"
            )
        row = self._rows[name] = len(self._rows)
        self._places.append(place)
        self._shapes.append(self._size(name, size, where))
        return row

    def row(
        self, name: str, where: str, place: str, size: tuple[float, float] | None = None
    ) -> int:
        """As `image`, of an image that may have come already."""
        known = self.names_of_images.id_of(_text(name, "name of an image", where), where)
        if known in self._rows:
            self._size(known, size, where)
            return self._rows[known]
        return self.image(name, where, place, size)

    @property
    def ids(self) -> list[str]:
        """The images so far."""
        return list(self._rows)

    def shape(self, row: int) -> tuple[int, int] | None:
        """(H, W) of an image, or None where neither the file nor `images` says it."""
        return self._shapes[row]

    def name(self, name: str, where: str) -> int:
        """Column of a landmark; it need not have a point."""
        return self._names.setdefault(_text(name, "name of a landmark", where), len(self._names))

    def point(
        self,
        row: int,
        name: str,
        xy: tuple[float, float],
        where: str,
        *,
        visible: bool = True,
        confidence: float = math.nan,
    ) -> None:
        """A point of an image, as the file counts; one of a name in an image."""
        at = row, self.name(name, where)
        if at in self._points:
            raise DatasetError(
                f"{where}: landmark {name!r} of image {self.ids[row]!r} is there already: "
                f"{self._points[at][4]}; take one of them out"
            )
        self._inside(row, name, xy, where)
        self._points[at] = (*xy, confidence, visible, where)

    def left_out(self, what: str, count: int = 1) -> None:
        """Counts something of the file that is not used."""
        self._left[what] += count

    def read(self, characters: int) -> Read:
        """What was gathered, from a file of so many characters."""
        path = str(self.path)
        if not self._rows:
            raise DatasetError(f"{path}: no image in it")
        if not self._names:
            raise DatasetError(f"{path}: no landmark in it{self._not_used(': ')}")
        ids, names = self.ids, list(self._names)
        check_table(path, characters, len(ids), len(names))
        check_alike(names, path)
        table = np.full((len(ids), len(names), 3), np.nan)
        shown = np.ones(table.shape[:2], bool)
        for at, (x, y, confidence, seen, _) in self._points.items():
            table[at], shown[at] = (x, y, confidence), seen
        check_split(names, ~np.isnan(table[..., 0]), path)
        known = not np.isnan(table[..., 2]).all()
        found = Landmarks(
            ids,
            names,
            table[..., :2].copy(),
            confidence=table[..., 2].copy() if known else None,
            visible=None if shown.all() else shown,
        )
        if self._left:
            warn(f"{path}{self._not_used(': ')}")
        return Read(found, self._places)

    def _not_used(self, before: str) -> str:
        said = "; ".join(f"{visible(what)}: {count}" for what, count in self._left.items())
        return f"{before}not used: {said}" if said else ""

    def _size(self, name: str, size, where: str) -> tuple[int, int] | None:
        """(H, W) of an image; DatasetError where the file and the image do not agree."""
        known = None
        if self._images is not None:
            known = self._images.shape(self.names_of_images.row_of(name))
        if size is None:
            return known
        if known is not None and tuple(size) != tuple(known):
            turned = ""
            if tuple(size) == tuple(known[::-1]):
                turned = "; one of the two was turned (EXIF): annotate the picture as it is read"
            raise DatasetError(
                f"{where}: image {name!r} has {known[1]} x {known[0]} pixels, the file says "
                f"{size[1]:g} x {size[0]:g}{turned}"
            )
        return (int(size[0]), int(size[1])) if known is None else known

    def _inside(self, row: int, name: str, xy: tuple[float, float], where: str) -> None:
        shape: tuple[float, float] | None = self._shapes[row]
        if shape is None:
            return
        if self._whole is not None:
            shape = self._whole, self._whole
        for value, length in zip(xy, shape[::-1], strict=True):
            if not -OUTSIDE * length <= value <= (1 + OUTSIDE) * length:
                raise DatasetError(
                    f"{where}: landmark {name!r} at ({xy[0]:g}, {xy[1]:g}) is outside the image of "
                    f"{shape[1]:g} x {shape[0]:g} {'pixels' if self._whole is None else 'units'}"
                )


def _text(value: str, what: str, where: str) -> str:
    """The text; DatasetError where there is none or no file can hold it."""
    if not value.strip():
        raise DatasetError(f"{where}: the {what} is empty")
    if value != writable(value) or "\0" in value:
        raise DatasetError(f"{where}: the {what}, {value[:60]!a}, is no Unicode text")
    return value
