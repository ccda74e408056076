"""Similarity of whole images by a vector each, in the place of key points and searches."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np

from ..datasets import Dataset
from ..features import ImageVectors
from ..progress import Progress, watch
from ..runs import Rows, RunFolder
from ..runs.folder import PLACES, SIMILARITY
from ..values import whole
from .job import Estimate

BLOCK = 256  # rows at a time


class WholeImages:
    """What `scp.keypoints.Pool` is, where whole images are compared: one entry per image, without a
    place (NaN). keypoints.npz is written into the run folder."""

    def __init__(self, dataset: Dataset, run: str | os.PathLike[str] | None = None):
        n = len(dataset)
        self.dataset, self.notes, self.empty = dataset, [], []
        self.offsets = np.arange(n + 1, dtype=np.int64)
        self.xy = np.full((n, 2), np.nan, np.float32)
        self.xy_grid = self.xy.copy()
        self.response = np.ones(n, np.float32)
        self.points = [self.xy[i : i + 1] for i in range(n)]
        folder = RunFolder.of(run)
        if folder is not None:
            with folder.holding(dataset):
                folder.write_keypoints(
                    dataset.ids, self.xy, self.xy_grid, self.response, self.offsets
                )


class VectorSimilarity:
    """Similarity of all images to all others, float32 [N][N] in [0, 1]: cosines of their vectors, 0
    where they are negative. It has the members of `SimilarityJob` that a run uses."""

    dots = brute = 0
    workers, held = None, 0

    def __init__(self, vectors: ImageVectors, dataset: Dataset, max_memory: int | None = None):
        self.vectors, self.dataset = vectors, dataset
        self.max_memory = 2 << 30 if max_memory is None else whole(max_memory, "max_memory", 0)
        self.unit = vectors.unit(dataset)
        self.resumed = 0
        self.notes: list[str] = []

    def estimate(self) -> Estimate:
        """Cost of the whole job."""
        n, d = self.unit.shape
        return Estimate(1e-9 * n * n * d, self.unit.nbytes + 12 * BLOCK * n, 8 * n * n)

    def run(
        self, folder: str | os.PathLike[str] | None = None, progress: Progress = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `SimilarityJob.run`; all places are 0."""
        n = len(self.unit)
        bar = watch(progress, "similarity", n)
        arrays = {SIMILARITY: ((n, n), np.float32), PLACES: ((n, n), np.int32)}
        table = Rows(folder, "similarity.ledger", self._fingerprint(), arrays)
        self.resumed, self.notes = len(table.done), table.notes
        places = np.zeros(n, np.int32)
        for first in range(0, n, BLOCK):
            rows = [i for i in range(first, min(first + BLOCK, n)) if i not in table.done]
            if rows:
                cosines = np.clip(self.unit[rows] @ self.unit.T, 0, 1)
                for i, cosine in zip(rows, cosines, strict=True):
                    cosine[i] = 1
                    table.put(i, cosine, places)
            if bar:
                bar(min(first + BLOCK, n), n)
        return table.finish()

    def _fingerprint(self) -> str:
        ids = hashlib.sha256("\n".join(self.dataset.ids).encode("utf-8", "replace")).hexdigest()
        return json.dumps({**self.vectors.parameters(), "ids": ids}, sort_keys=True)
