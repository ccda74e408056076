"""Decoded images of a pool: in memory while there is room, then in a file that has no name."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

LOOK = 64  # images between looks at the disk


class KeptImages:
    """Images of 16 bits and of one shape, by number.

    Args:
        room: bytes of memory. folder: where the file is made; None: there is none, and what does
            not fit is not kept. left: bytes that stay free on that disk; where there are fewer,
            images are decoded again.
    """

    def __init__(self, room: int, folder: Path | None = None, left: int = 0):
        self._room, self._folder, self._left = room, folder, left
        self._held: dict[int, np.ndarray] = {}
        self._places: dict[int, int] = {}  # in the file
        self._shape: tuple[int, ...] = ()
        self._file: Any = None

    def put(self, i: int, bits: np.ndarray) -> None:
        """Keep an image, uint16 [H][W], if there is room."""
        if i in self._held or i in self._places:
            return
        if self._room >= bits.nbytes:
            self._held[i], self._room = bits, self._room - bits.nbytes
        elif self._folder is not None:
            try:
                if len(self._places) % LOOK == 0:
                    usage = shutil.disk_usage(self._folder)
                    if usage.free < self._left + LOOK * bits.nbytes:
                        raise OSError(errno.ENOSPC, "the rest is for what is computed")
                self._append(i, bits)
            except OSError:  # what is computed needs the disk more than what is decoded
                self._drop()

    def _drop(self) -> None:
        """Without the file from now on."""
        self._folder, self._places = None, {}
        if self._file is not None:
            self._file.close()
            self._file = None

    def on_disk(self) -> int:
        """Bytes in the file."""
        return 0 if self._file is None else os.fstat(self._file.fileno()).st_size

    def _append(self, i: int, bits: np.ndarray) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        at, left = len(self._places) * bits.nbytes, memoryview(bits).cast("B")
        while left:
            written = os.pwrite(self._file.fileno(), left, at + bits.nbytes - len(left))
            left = left[written:]
        self._places[i], self._shape = at, bits.shape

    def get(self, i: int) -> np.ndarray | None:
        """The image; None where it was not kept."""
        if i in self._held or i not in self._places:
            return self._held.get(i)
        count = 2 * math.prod(self._shape)
        with contextlib.suppress(OSError):
            data = os.pread(self._file.fileno(), count, self._places[i])
            if len(data) == count:
                return np.frombuffer(data, np.uint16).reshape(self._shape)
        return None

    def __getstate__(self) -> dict[str, Any]:
        """A copy has what is in memory."""
        return {**self.__dict__, "_file": None, "_places": {}, "_folder": None}
