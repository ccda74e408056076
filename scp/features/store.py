"""Many feature pyramids: in memory as far as they fit, the rest in a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from ..runs import naming
from ..values import whole
from .pyramid import FeaturePyramid


class PyramidStore(Sequence[FeaturePyramid]):
    """Feature pyramids of one shape, in order.

    Args:
        pyramids: they are taken one after the other.
        max_memory: bytes to keep in memory; later pyramids go to a file. 2 GiB if None.
        folder: where that file is (the system's folder for temporary files if None). It has no
            name and is gone with the store.
    """

    def __init__(
        self,
        pyramids: Iterable[FeaturePyramid],
        max_memory: int | None = None,
        folder: str | os.PathLike[str] | None = None,
    ):
        self._max_memory, self._folder = max_memory, folder
        left = 2 << 30 if max_memory is None else whole(max_memory, "max_memory", 0)
        self._kept: list[FeaturePyramid] = []
        self._file, self._shape, self._count = None, None, 0
        for pyramid in pyramids:
            shape = (pyramid.features.shape, pyramid.levels, pyramid.height, pyramid.width)
            if self._shape is None:
                self._shape = shape
            elif shape != self._shape:
                raise ValueError(f"pyramids: all must have one shape, got {shape}, {self._shape}")
            left -= pyramid.features.nbytes + pyramid.norms.nbytes
            if left >= 0 and self._file is None:
                self._kept.append(pyramid)
            else:
                self._spill(pyramid)
            self._count += 1

    def _spill(self, pyramid: FeaturePyramid) -> None:
        """Appends a pyramid to the file."""
        arrays = [np.ascontiguousarray(a, np.float32) for a in (pyramid.features, pyramid.norms)]
        folder = tempfile.gettempdir() if self._folder is None else self._folder
        with naming(Path(folder, "pyramids"), sum(a.nbytes for a in arrays)):
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
            for array in arrays:
                left = memoryview(array).cast("B")
                while left:  # a full disk takes a part and then says so
                    left = left[self._file.write(left) :]

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, i: int) -> FeaturePyramid: ...
    @overload
    def __getitem__(self, i: slice) -> list[FeaturePyramid]: ...
    def __getitem__(self, i: int | slice) -> FeaturePyramid | list[FeaturePyramid]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        i = int(i) + (len(self) if i < 0 else 0)
        if not 0 <= i < len(self):
            raise IndexError(f"pyramid {i} is outside 0..{len(self) - 1}")
        if i < len(self._kept):
            return self._kept[i]
        (cells, channels), levels, height, width = self._shape
        at = (i - len(self._kept)) * cells * (channels + 1) * 4
        rows = np.memmap(self._file, np.float32, "r", at, (cells * (channels + 1),))
        rows = rows.view(np.ndarray)
        features = rows[: cells * channels].reshape(cells, channels)
        return FeaturePyramid(features, rows[cells * channels :], levels, height, width)

    def __repr__(self) -> str:
        return f"<PyramidStore: {len(self)} pyramids, {self.spilled} of them in a file>"

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy or pickle holds all pyramids; of those in a file too."""
        return type(self), (list(self), self._max_memory, self._folder)

    @property
    def spilled(self) -> int:
        """How many pyramids lie in the file."""
        return len(self) - len(self._kept)
