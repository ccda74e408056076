"""What was found in each image, appended to a file as it comes: a stopped search goes on."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

import numpy as np

from .files import naming


class KeptImages:
    """Arrays of images 0, 1, ..., in a file of fixed-size records.

    The file begins with the SHA-256 of `key`; a record is the arrays' bytes and a checksum of the
    record's number and these. A file of another key, and whatever follows a record that is not
    whole, is dropped. So a process may be killed at any moment.

    Args:
        path: of the file; made if it is not there.
        key: everything the arrays depend on.
        arrays: (shape, dtype) of each array of an image.
    """

    def __init__(self, path: str | os.PathLike, key: str, arrays):
        self.path = Path(path)
        self._arrays = [(tuple(shape), np.dtype(kind)) for shape, kind in arrays]
        sizes = [int(np.prod(shape)) * kind.itemsize for shape, kind in self._arrays]
        self._ends = np.cumsum(sizes).tolist()
        self._head, self._count = hashlib.sha256(key.encode()).digest(), 0
        with naming(self.path):
            self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115
            self._file.seek(0)
            if self._file.read(len(self._head)) != self._head:
                self._file.truncate(0)
                self._write(self._head)
            while self._record(self._count) is not None:
                self._count += 1
            self._file.truncate(self._at(self._count))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, i: int) -> list[np.ndarray]:
        content = self._record(i) if 0 <= i < self._count else None
        if content is None:
            raise IndexError(f"{self.path}: there is no record {i}")
        starts = [0, *self._ends]
        return [
            np.frombuffer(content[start:end], kind).reshape(shape)
            for start, end, (shape, kind) in zip(starts, self._ends, self._arrays, strict=False)
        ]

    def append(self, *arrays: np.ndarray) -> None:
        """The arrays of the next image."""
        content = b"".join(
            np.ascontiguousarray(a, kind).reshape(shape).tobytes()
            for a, (shape, kind) in zip(arrays, self._arrays, strict=True)
        )
        with naming(self.path):
            self._write(content + self._checksum(self._count, content))
        self._count += 1

    def __enter__(self) -> KeptImages:
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def _at(self, i: int) -> int:
        return len(self._head) + i * (self._ends[-1] + 4)

    def _record(self, i: int) -> bytes | None:
        self._file.seek(self._at(i))
        content = self._file.read(self._ends[-1] + 4)
        content, checksum = content[: self._ends[-1]], content[self._ends[-1] :]
        return content if checksum == self._checksum(i, content) else None

    def _write(self, data: bytes) -> None:
        while data:  # a full disk takes a part and then says so
            data = data[self._file.write(data) :]

    @staticmethod
    def _checksum(i: int, content: bytes) -> bytes:
        return zlib.crc32(content, zlib.crc32(str(i).encode())).to_bytes(4, "little")
