"""What a format of landmark files is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..table import Landmarks


class Images(Protocol):
    """What is known of the images that a file speaks of: a `scp.datasets.Dataset` is one."""

    ids: list[str]
    spacing: np.ndarray | None  # [N][2], mm per pixel (sy, sx)

    def shape(self, i: int) -> tuple[int, int]:
        """(H, W) of image i."""
        ...

    def path(self, i: int) -> str | None:
        """The file of image i, None where it has none."""
        ...


@dataclass(frozen=True)
class Context:
    """What goes with a file that is read or written.

    Attributes:
        images: what is known of the images, or None.
        category: of a file with several categories, the one to read.
        several: what several instances in one image do: "raise", or "largest" is taken.
        whole: the width and height of an image in the unit of the file, where that is no pixels.
        notes: for writing, of each image what the tool may show beside it ({"gain": 0.1}), or None.
    """

    images: Images | None = None
    category: str | None = None
    several: str = "raise"
    whole: float | None = None
    notes: Sequence[Mapping[str, Any]] | None = None

    def size(self, name: str) -> tuple[int, int]:
        """(H, W) of an image by its id, where the images are known."""
        assert self.images is not None
        return self.images.shape(self.row(name))

    def file(self, name: str) -> str | None:
        """The file of an image by its id, where it has one."""
        assert self.images is not None
        return self.images.path(self.row(name))

    def row(self, name: str) -> int:
        """Row of an image by its id, where the images are known."""
        return self._rows[name]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {} if self.images is None else {n: i for i, n in enumerate(self.images.ids)}


@dataclass(frozen=True)
class Read:
    """What was read: landmarks as the file counts them, and where each image is first named
    ("line 12", "images[3]")."""

    landmarks: Landmarks
    places: list[str]


@dataclass(frozen=True)
class Format:
    """One format of landmark files.

    Attributes:
        name: as in `--format` and `--to`.
        title: what its users call it.
        suffixes: of its files; the first is that of a new one; "" is a folder.
        recognises: whether a file is of this format, from its path and the start of its text (of a
            folder: "").
        read: the points as the file counts them; `write` gets them so.
        write: None where the format is only read.
        origin: where it has (0, 0), see `scp.landmarks.read.ORIGINS`; None: it counts in something
            else than pixels, and `read` and `write` convert.
        takes: which of category and several it uses.
        sized: the sizes of the images go into what is written, so that writing needs the images.
        placed: reading needs the images too, though it counts pixels.
        instructions: how to import it into its tool, two sentences.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    recognises: Callable[[Path, str], bool]
    read: Callable[[Path, Context], Read]
    write: Callable[[Path, Landmarks, Context], None] | None = None
    origin: str | None = "center"
    takes: frozenset[str] = field(default_factory=frozenset)
    sized: bool = False
    placed: bool = False
    instructions: str = ""
