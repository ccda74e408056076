"""Small pictures of all images of a data set, for comparing them with each other."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..distributed import Workers, for_each
from ..progress import Progress, watch
from ..runs import naming
from ..runs.fingerprints import of_file
from .base import Dataset

SIDE = 64
BLOCK = 512  # images at a time
_IN_MEMORY = 10_000  # images: 80 MB


@dataclass(frozen=True)
class SmallPicture:
    """The picture of an image: what workers are asked for."""

    dataset: Dataset

    def __call__(self, i: int) -> dict[str, np.ndarray]:
        seen = standard(self.dataset.thumbnail(i, (2 * SIDE, 2 * SIDE)))
        return {"picture": shrunk(seen, SIDE).astype(np.float16)}


def key_of(what: str, dataset: Dataset, *more: object) -> str:
    """What results of workers on these images depend on: names, and size and times of each file;
    "" where an image has no file. The range of values is known then, so that no worker looks for
    it."""
    if not len(dataset):
        return ""
    dataset.white(0)
    stamps = [of_file(dataset.path(i)) for i in range(len(dataset))]
    if None in stamps:
        return ""
    whites = [dataset.unusual_white(i) for i in range(len(dataset))]
    facts = [dataset.ids, stamps, whites, dataset.scale]
    content = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return json.dumps([what, *more, content], sort_keys=True)


def pictures(
    dataset: Dataset,
    progress: Progress = False,
    folder: str | os.PathLike[str] | None = None,
    workers: Workers | None = None,
) -> np.ndarray:
    """float16 [N][64][64]: each image of mean 0 and deviation 1; zeros where it has no content.

    Those of more than 10,000 images lie in a file in `folder` (the system's folder of temporary
    files if None) and are read-only. The file has no name and is gone with the array. workers:
    processes that make them, see `scp.distributed`; None: this one.
    """
    n, shape = len(dataset), (len(dataset), SIDE, SIDE)
    key = "" if workers is None else key_of("pictures", dataset)
    made = for_each(SmallPicture(dataset), range(n), workers, folder, key)
    bar = watch(progress, "duplicates", n)
    if n <= _IN_MEMORY:
        out = np.zeros(shape, np.float16)
        for done, (i, own) in enumerate(made, 1):
            out[i] = own["picture"]
            if bar:
                bar(done, n)
        return out
    folder = tempfile.gettempdir() if folder is None else folder
    with (
        naming(Path(folder, "pictures"), int(np.prod(shape)) * 2),
        tempfile.TemporaryFile(dir=folder, buffering=0) as file,
    ):
        for done, (i, own) in enumerate(made, 1):
            data = own["picture"].tobytes()  # written, not mapped: a full disk says so
            if os.pwrite(file.fileno(), data, i * len(data)) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if bar:
                bar(done, n)
        return np.memmap(file, np.float16, "r", 0, shape).view(np.ndarray)


def standard(image: np.ndarray) -> np.ndarray:
    """Mean 0, deviation 1; zeros if there is none."""
    spread = image.std()
    return (image - image.mean()) * np.float32(1 / spread if spread >= 1e-6 else 0)


def shrunk(image: np.ndarray, side: int) -> np.ndarray:
    """float32 [side][side], averaged over areas."""
    import cv2

    return cv2.resize(image.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)


def normalised(image: np.ndarray, sigma: float) -> np.ndarray:
    """Local mean out, local deviation to one."""
    import cv2

    image = image - cv2.GaussianBlur(image, (0, 0), sigma)
    return image / np.sqrt(cv2.GaussianBlur(image * image, (0, 0), 2.5 * sigma) + 1e-3)


def unit(images: np.ndarray) -> np.ndarray:
    """[n][...] -> [n][size], mean 0 and length 1."""
    rows = images.reshape(len(images), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
