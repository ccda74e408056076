"""What errors are counted in: millimetres, pixels, or percent of a length in the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..datasets import Dataset
from ..evaluation.metrics import RADII_OF, radial_errors

KINDS = ("mm", "px", "side")
_SIDE_RADII = (1.0, 2.0, 3.0, 5.0)


@dataclass(frozen=True)
class Unit:
    """A unit of errors.

    Attributes:
        kind: "mm": by the spacing of the images; "px": pixels of the original images; "side":
            percent of the longer side of the original image; "pair": percent of the distance
            between two true landmarks of the image.
        pair: the two landmarks, from 0; of "pair" only. names: theirs.
    """

    kind: str = "mm"
    pair: tuple[int, int] | None = None
    names: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("mm", "px", "side", "pair"):
            raise ValueError(f"kind must be mm, px, side or pair, got {self.kind!r}")

    @property
    def short(self) -> str:
        """ "mm", "px" or "%", beside numbers."""
        return self.kind if self.kind in ("mm", "px") else "%"

    @property
    def words(self) -> str:
        """In a sentence."""
        if self.kind == "pair":
            a, b = self.names
            return f"percent of the distance between landmarks {a} and {b} of each image"
        return {
            "mm": "millimetres",
            "px": "pixels of the original images",
            "side": "percent of the longer side of each image",
        }[self.kind]

    @property
    def radii(self) -> tuple[float, ...]:
        """Usual radii of success rates."""
        return _SIDE_RADII if self.kind == "side" else RADII_OF[self.short]

    def of(self, dataset: Dataset) -> np.ndarray:
        """Units per original pixel, (sy, sx), of each image; float64 [N][2].

        Raises:
            ValueError: it is not known of an image; names the first.
        """
        n = len(dataset)
        if self.kind == "mm":
            spacing = dataset.spacing
            if spacing is None or np.isnan(spacing).any():
                raise ValueError(
                    "mm per pixel are not known of all images; give --spacing, or another --unit: "
                    "px, side, or two landmarks A,B"
                )
            return np.asarray(spacing, np.float64)
        if self.kind == "px":
            return np.ones((n, 2))
        if self.kind == "side":
            length = np.array([max(dataset.shape(i)) for i in range(n)], np.float64)
        else:
            a, b = self.pair
            length = radial_errors(dataset.landmarks[:, a], dataset.landmarks[:, b])
            bad = np.flatnonzero(~(length > 0))
            if len(bad):
                raise ValueError(
                    f"--unit: landmarks {self.names[0]} and {self.names[1]} of image "
                    f"{dataset.ids[bad[0]]!r} are absent or at the same place ({len(bad)} such "
                    "images)"
                )
        return np.repeat(100 / length[:, None], 2, axis=1)


MM = Unit()


def unit_of(given: str | Sequence[str | int] | Unit | None, dataset: Dataset) -> Unit:
    """A unit from what was given: "mm", "px", "side", two landmarks (names, or numbers from 0) or
    "A,B". None: mm where the spacing is known of all images, else px.

    Raises:
        ValueError: not a unit; no such landmark.
    """
    if isinstance(given, Unit):
        return given
    if given is None:
        known = dataset.spacing is not None and not np.isnan(dataset.spacing).any()
        return Unit("mm" if known else "px")
    if isinstance(given, str) and given in KINDS:
        return Unit(given)
    cells = given.split(",") if isinstance(given, str) else list(given)
    if len(cells) != 2:
        raise ValueError(
            f"--unit must be {', '.join(KINDS)}, or two landmarks like 36,45; got {given!r}"
        )
    names = list(dataset.landmark_names)
    pair = tuple(_landmark(str(cell).strip(), names, dataset.landmarks.shape[1]) for cell in cells)
    if pair[0] == pair[1]:
        raise ValueError(f"--unit: {given!r} names one landmark twice")
    said = tuple(names[k] if names else str(k) for k in pair)
    return Unit("pair", pair, said)


def _landmark(text: str, names: list[str], count: int) -> int:
    """The number of a landmark, from 0, by its name, or by its number where none is called so."""
    if text in names:
        return names.index(text)
    if text.isascii() and text.isdecimal() and int(text) < count:
        return int(text)
    known = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    raise ValueError(f"--unit: no landmark is called {text!r}; there are {known or count}")
