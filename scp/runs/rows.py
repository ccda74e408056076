"""Arrays on disk whose rows are finished one by one, with one ledger of the finished ones.

The ledger is a text file. Its first line is the fingerprint of everything the rows depend on, the
second one the checksum of the first; then follows a line "row checksum" per finished row. A line is
written after its row, so a process may be killed at any moment; the checksum shows a row that never
reached the disk, or that was damaged there.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .arrays import npy_header
from .files import folder_to_disk, naming, to_disk, writing
from .plain import parse_json

OWN = "fingerprint"  # begins the line with the checksum of the first line


class Rows:
    """Arrays [N][...] in .npy files beside a ledger, or in memory.

    Args:
        folder: of the files; None: arrays in memory.
        ledger: name of its file.
        fingerprint: one line of text; files of another one are made anew.
        arrays: shape and dtype by file name; all have N rows.

    Attributes:
        arrays: in the order given. done: numbers of the finished rows. notes: what was not taken
            from the files, and why.
    """

    def __init__(
        self,
        folder: str | os.PathLike | None,
        ledger: str,
        fingerprint: str,
        arrays: Mapping[str, tuple[tuple[int, ...], type]],
    ):
        self.done: set[int] = set()
        self.notes: list[str] = []
        self.ledger = None
        self._kinds = [(tuple(shape), np.dtype(kind)) for shape, kind in arrays.values()]
        self.paths = [] if folder is None else [Path(folder, name) for name in arrays]
        if folder is None or not all(math.prod(shape) for shape, _ in self._kinds):
            self.arrays = tuple(np.zeros(shape, kind) for shape, kind in self._kinds)
            for path, array in zip(self.paths, self.arrays, strict=False):
                with writing(path) as beside, beside.open("wb") as file:
                    np.save(file, array)
            return
        path = Path(folder, ledger)
        known = self._known(path, fingerprint)
        opened = self._open() if known else None
        if opened is None:
            if known:
                names = ", ".join(file.name for file in self.paths)
                self.notes.append(f"{path}: {names}: damaged or gone; computed anew")
            path.unlink(missing_ok=True)
            opened, known = self._create(), {}
        self.arrays = opened
        self._maps = tuple(np.load(file, mmap_mode="r") for file in self.paths)
        good = {row: told for row, told in known.items() if told == self._checksum(row)}
        self.done.update(good)
        self._note_lost(path, len(known) - len(good))
        if len(self.done) < len(opened[0]):
            for file in self.paths:  # a folder that was copied may have lost what was set aside
                with naming(file):
                    _reserve(file)
        lines = [fingerprint, f"{OWN} {_crc(fingerprint)}"]
        lines += [f"{row} {good[row]}" for row in sorted(good)]
        with writing(path) as beside:
            beside.write_text("\n".join([*lines, ""]))
        self.ledger = path.open("ab", buffering=0)

    def _known(self, path: Path, fingerprint: str) -> dict[int, str]:
        """The rows that a ledger of this fingerprint names, with their checksums."""
        lines = path.read_text(errors="replace").split("\n") if path.is_file() else []
        if not lines or lines[0] != fingerprint:
            if lines and not _whole(lines):
                self.notes.append(f"{path}: damaged; computed anew")
            return {}
        rows, n, lost = {}, self._kinds[0][0][0], 0
        for line in lines[1:-1]:  # the last may be cut off
            row, _, checksum = line.partition(" ")
            if row.isascii() and row.isdigit() and len(row) < 10 and int(row) < n:
                rows[int(row)] = checksum
            elif not line.startswith(OWN):
                lost += 1
        self._note_lost(path, lost)
        return rows

    def _note_lost(self, path: Path, count: int) -> None:
        if count:
            rows = "a row is" if count == 1 else f"{count} rows are"
            self.notes.append(f"{path}: {rows} not as written, and computed again")

    def put(self, row: int, *values: np.ndarray) -> None:
        """A row of every array; it is finished then."""
        for array, value in zip(self.arrays, values, strict=True):
            array[row] = value
        if self.ledger is not None:
            line = f"{row} {self._checksum(row)}\n".encode()
            with naming(self.ledger.name):
                while line:  # a full disk takes a part and then says so
                    line = line[self.ledger.write(line) :]
        self.done.add(row)

    def finish(self) -> tuple[np.ndarray, ...]:
        """The arrays: those in memory, or read-only memmaps of the files, as they are open (the
        names may be those of other files by now). The files are on the disk then."""
        if self.ledger is None:
            return self.arrays
        for array in self.arrays:
            array.flush()
        to_disk(self.ledger.fileno())
        folder_to_disk(Path(self.ledger.name).parent)
        self.ledger.close()
        return self._maps

    def remove(self) -> None:
        """Closes and deletes the files."""
        if self.ledger is not None:
            self.ledger.close()
            for path in (Path(self.ledger.name), *self.paths):
                path.unlink(missing_ok=True)

    def _open(self) -> tuple[np.ndarray, ...] | None:
        for path, (shape, kind) in zip(self.paths, self._kinds, strict=True):
            try:  # before a map of a size that a damaged header asks for
                with path.open("rb") as file:
                    if npy_header(file) != (shape, kind):
                        return None
                    if path.stat().st_size != file.tell() + math.prod(shape) * kind.itemsize:
                        return None
            except (OSError, ValueError):
                return None
        return tuple(np.lib.format.open_memmap(path, mode="r+") for path in self.paths)

    def _create(self) -> tuple[np.ndarray, ...]:
        arrays = []
        for path in self.paths:
            path.unlink(missing_ok=True)
        try:
            for path, (shape, kind) in zip(self.paths, self._kinds, strict=True):
                with naming(path, math.prod(shape) * kind.itemsize + 128):
                    arrays.append(np.lib.format.open_memmap(path, "w+", kind, shape))
                    _reserve(path)
        except BaseException:
            arrays.clear()
            for path in self.paths:
                path.unlink(missing_ok=True)
            raise
        return tuple(arrays)

    def _checksum(self, row: int) -> str:
        content = 0
        for array in self.arrays:
            content = zlib.crc32(np.ascontiguousarray(array[row]), content)
        return f"{content:08x}"


def _whole(lines: list[str]) -> bool:
    """Whether the first line of a ledger is as it was written, as far as that can be told: those of
    version 0.1.0 had no line of its checksum."""
    if any(line.startswith(f"{OWN} ") for line in lines):
        return len(lines) > 1 and lines[1] == f"{OWN} {_crc(lines[0])}"
    try:
        return isinstance(parse_json(lines[0]), dict)
    except ValueError:
        return False


def _crc(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _reserve(path: Path) -> None:
    """Disk blocks for all of a file: a full disk is an error now, not a crash (SIGBUS) later."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
