"""The vectors of all key points of a pool, kept in files: what is searched for in large pools.

Features of an image are then made once for its own key points and once where those of others are
searched in it, however often its vectors are needed. Image after image goes into vectors.npy with a
ledger, so a stopped job goes on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..distributed import for_each
from ..features import FeaturePyramid, aligned
from ..progress import Progress, watch
from ..runs import Rows
from ..runs.folder import VECTORS
from .job import SimilarityJob, fingerprint


@dataclass(frozen=True)
class VectorsOf:
    """The vectors of an image's key points: what workers are asked for."""

    pyramid: Callable[[int], FeaturePyramid]
    points: Sequence[np.ndarray]
    shape: tuple[int, ...]  # of the vectors; 0 beyond the image's key points

    def __call__(self, i: int) -> dict[str, Any]:
        count, vectors = len(self.points[i]), np.zeros(self.shape, np.float32)
        norms = np.zeros(self.shape[:2], np.float32)
        if count:
            vectors[:count], norms[:count] = self.pyramid(i).at(self.points[i])
        return {"vectors": vectors, "norms": norms}


class PointVectors:
    """Vectors of key points, image by image.

    Args:
        job: says how features are made; its own points are not used.
        points: of every image, float32 [K_n][2] on the grid.
        folder: for the files; None: a folder that is gone with this object.
    """

    def __init__(
        self,
        job: SimilarityJob,
        points: Sequence[np.ndarray],
        folder: Path | None = None,
        progress: Progress = False,
    ):
        e = job.extractor
        self.counts = np.array([len(p) for p in points], np.int64)
        self._first = np.concatenate([[0], np.cumsum(self.counts)])
        self._temporary = None if folder is not None else tempfile.TemporaryDirectory()
        most = int(self.counts.max(initial=0))
        shapes = (job.n, most, e.levels, e.channels), (job.n, most, e.levels)
        text = fingerprint(job, points, {"kept": "vectors"})
        where = folder or Path(self._temporary.name)
        files = dict(zip(VECTORS, [(shape, np.float32) for shape in shapes], strict=False))
        table = Rows(where, VECTORS[2], text, files)
        bar = watch(progress, "vectors", job.n)
        todo = [i for i in range(job.n) if i not in table.done]
        task = VectorsOf(job.remote if job.workers else job.pyramid, points, shapes[0][1:])
        for i, own in for_each(task, todo, job.workers, folder, f"vectors {text}"):
            table.put(i, own["vectors"], own["norms"])
            if bar:
                bar(len(table.done), job.n)
        if bar:
            bar(job.n, job.n)
        self._vectors, self._norms = table.finish()

    @staticmethod
    def bytes_of(job: SimilarityJob, points: Sequence[np.ndarray]) -> int:
        """What the files take on disk."""
        e = job.extractor
        return 4 * job.n * max(map(len, points), default=0) * e.levels * (e.channels + 1)

    def of_images(self, images: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Of all key points of these images, float32 [Q][D][C], and their norms [Q][D]."""
        counts = self.counts[np.asarray(images, np.int64)]
        ends = np.cumsum(counts)
        queries, norms = self._room(int(counts.sum()))
        for i, count, end in zip(images, counts, ends, strict=True):
            queries[end - count : end] = self._vectors[i, :count]
            norms[end - count : end] = self._norms[i, :count]
        return queries, norms

    def of_columns(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of key points by their numbers in the pool, in this order."""
        queries, norms = self._room(len(columns))
        images = np.searchsorted(self._first, columns, side="right") - 1
        for k, (i, column) in enumerate(zip(images, columns, strict=True)):
            own = column - self._first[i]
            queries[k], norms[k] = self._vectors[i, own], self._norms[i, own]
        return queries, norms

    def _room(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        levels, channels = self._vectors.shape[2:]
        return aligned((count, levels, channels)), np.empty((count, levels), np.float32)
