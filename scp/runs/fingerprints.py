"""Fingerprints: what tells inputs apart, so that only what did not change is taken from a folder.

an image          its pixels on the grid, in 16 bits: `of_image`
a file            size, times and inode, without reading it: `of_file`
a data set        names, shapes, sizes of files and landmarks, without decoding: `of_dataset`
arrays            bytes and shapes, float32: `of_arrays`
"""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np


def to_16_bits(image: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as uint16: what is kept of an image."""
    return np.rint(image * 65535).astype(np.uint16)


def from_16_bits(levels: np.ndarray) -> np.ndarray:
    """float32 in [0, 1]."""
    return levels.astype(np.float32) * np.float32(1 / 65535)


def of_image(image: np.ndarray) -> str:
    """SHA-256 of the pixels, of `to_16_bits` or as they are."""
    return hashlib.sha256(np.ascontiguousarray(image)).hexdigest()


def of_file(path: str | None) -> list[int] | None:
    """Size, modification and change time in ns, and inode of a file; None if there is no file."""
    if path is None:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def of_dataset(dataset) -> str:
    """SHA-256 of what tells a data set's images from others without decoding those of 8 bits: ids,
    shapes, landmarks, the files' sizes, and which value is white."""
    sums = hashlib.sha256()
    for i, name in enumerate(dataset.ids):
        path = dataset.path(i)
        size = os.path.getsize(path) if path else getattr(dataset, "seed", None)
        facts = [name, list(map(int, dataset.shape(i))), size]
        white = dataset.unusual_white(i)
        sums.update(json.dumps(facts if white is None else [*facts, white]).encode())
    if dataset.landmarks is not None:
        sums.update(np.ascontiguousarray(dataset.landmarks, np.float64).tobytes())
    return sums.hexdigest()


def of_arrays(*arrays: np.ndarray) -> str:
    """BLAKE2b of bytes and shapes of float32 arrays."""
    content = hashlib.blake2b(digest_size=20)
    for array in arrays:
        content.update(repr(array.shape).encode())
        content.update(np.ascontiguousarray(array, "<f4").data)
    return content.hexdigest()
