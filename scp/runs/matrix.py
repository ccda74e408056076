"""The similarity matrix on disk, with the ledger of its finished rows."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np

from .files import naming, writing


class _Table:
    """similarity.npy and places.npy with their ledger, or two arrays in memory.

    The ledger's first line is the fingerprint of everything the rows depend on; then one line
    "row checksum" per finished row. A line is written after its row; the checksum shows a row that
    never reached the disk.
    """

    def __init__(self, folder: Path | None, shape: tuple[int, int], fingerprint: str):
        self.done: set[int] = set()
        self.ledger = None
        if folder is None or shape[1] == 0:
            self.arrays = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
            if folder is not None:
                for name, array in zip(("similarity.npy", "places.npy"), self.arrays, strict=True):
                    with writing(folder / name) as path, path.open("wb") as file:
                        np.save(file, array)
            return
        paths = folder / "similarity.npy", folder / "places.npy"
        ledger = folder / "similarity.ledger"
        lines = ledger.read_text().split("\n") if ledger.is_file() else []
        known = lines[1:-1] if lines and lines[0] == fingerprint else []  # the last may be cut off
        arrays = self._open(paths, shape) if known else None
        if arrays is None:
            ledger.unlink(missing_ok=True)
            arrays = self._create(paths, shape)
            known = []
        self.arrays = arrays
        for line in known:
            row, _, checksum = line.partition(" ")
            if row.isdigit() and int(row) < shape[0] and checksum == self._checksum(int(row)):
                self.done.add(int(row))
        if len(self.done) < shape[0]:
            for path in paths:  # a folder that was copied may have lost what was set aside
                with naming(path):
                    _reserve(path)
        good = [fingerprint, *(f"{row} {self._checksum(row)}" for row in sorted(self.done)), ""]
        with writing(ledger) as beside:
            beside.write_text("\n".join(good))
        self.ledger = ledger.open("ab", buffering=0)
        self.paths = paths

    @staticmethod
    def _open(paths, shape):
        try:
            arrays = tuple(np.lib.format.open_memmap(p, mode="r+") for p in paths)
        except (OSError, ValueError):
            return None
        right = all(a.shape == shape for a in arrays) and [a.dtype for a in arrays] == [
            np.dtype(np.float32),
            np.dtype(np.int32),
        ]
        return arrays if right else None

    @staticmethod
    def _create(paths, shape):
        need = shape[0] * shape[1] * 4 + 128
        arrays = []
        for path in paths:
            path.unlink(missing_ok=True)
        try:
            for path, dtype in zip(paths, (np.float32, np.int32), strict=True):
                with naming(path, need):
                    arrays.append(np.lib.format.open_memmap(path, "w+", dtype, shape))
                    _reserve(path)
        except BaseException:
            arrays.clear()
            for path in paths:
                path.unlink(missing_ok=True)
            raise
        return tuple(arrays)

    def _checksum(self, row: int) -> str:
        return f"{zlib.crc32(self.arrays[1][row], zlib.crc32(self.arrays[0][row])):08x}"

    def put(self, row: int, value: np.ndarray, place: np.ndarray) -> None:
        self.arrays[0][row] = value
        self.arrays[1][row] = place
        if self.ledger is not None:
            line = f"{row} {self._checksum(row)}\n".encode()
            with naming(self.ledger.name):
                while line:  # a full disk takes a part and then says so
                    line = line[self.ledger.write(line) :]
        self.done.add(row)

    def finish(self):
        if self.ledger is None:
            return self.arrays
        for array in self.arrays:
            array.flush()
        self.ledger.close()
        return tuple(np.load(p, mmap_mode="r") for p in self.paths)


def _reserve(path: Path) -> None:
    """Disk blocks for all of a file: a full disk is an error now, not a crash (SIGBUS) later."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
