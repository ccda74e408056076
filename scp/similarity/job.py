"""How well each image explains the key points of every other (the paper, Eq. 5, Eq. 7
and Eq. 8).

`SimilarityJob` computes S float32 [N][Q]: row = searched image, column = key point, the columns
image by image, and the place where each maximum lies. Rows go to .npy files with a ledger beside
them, so a stopped job resumes: a row counts as done when the ledger names it and its checksum
holds.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import _core
from ..devices import resolve
from ..distributed import Workers
from ..features import Extractor, FeaturePyramid, aligned, check_extractor
from ..progress import Progress, watch
from ..runs import Rows, RunFolder
from ..runs.fingerprints import of_image
from ..runs.folder import PLACES, SIMILARITY
from ..values import array, real, whole
from .matching import (
    DEVICE_CHANNELS,
    DEVICE_IMAGES,
    MODES,
    PATHS,
    DeviceSearch,
    Queries,
    _search,
    match,
)

SLACK = 8 << 20  # bytes of max_memory for what is small, and for what the allocator keeps


@dataclass(frozen=True)
class Estimate:
    """What a job will cost: seconds, bytes of memory at most, bytes on disk."""

    seconds: float
    memory: int
    disk: int

    def __str__(self) -> str:
        return (
            f"about {self.seconds:.0f} s, {self.memory / 2**20:.0f} MiB of memory, "
            f"{self.disk / 2**20:.0f} MiB on disk"
        )


class SimilarityJob:
    """Similarity of all key points in all images, image by image.

    Args:
        image: function i -> float32 [H][W] in [0, 1], the image of the extractor's `grid_size`.
        n: number of images.
        points: per image, float32 [K_n][2], key points (x, y) on that grid.
        extractor: gives `pyramid(image)`, `pyramid_bytes()`, `parameters()`, `grid`,
            `levels`, `channels`, and `working_bytes()` where it needs memory of its own.
        mode, epsilon, path: see `match`.
        max_memory: bytes the job may hold; pyramids that do not fit are computed twice.
            Refused when even one image does not fit.
        device: where the search runs, see `scp.devices.resolve`; the answer is the same. On a GPU
            max_memory also bounds the device's memory.
        digest: function i -> str that changes whenever image i does; a SHA-256 of the image if
            None. A job that is finished already asks for nothing else.
        pyramid: function i -> FeaturePyramid, in place of the extractor's of `image`.
        queries: function -> vectors [Q][D][C] and norms [Q][D] of all points (`FeaturePyramid.at`),
            where they are there already; features of an image are then made once.
        workers: processes that search, see `scp.distributed`; None: this one. remote: `pyramid` for
            them, which can be pickled.
        held: bytes of max_memory that the caller holds: decoded images, a quarter at most.
    """

    def __init__(
        self,
        image: Callable[[int], np.ndarray],
        n: int,
        points: list[np.ndarray],
        extractor: Extractor,
        *,
        mode: str = "nearest",
        epsilon: float = 1e-3,
        path: str = "auto",
        max_memory: int | None = None,
        device: str = "auto",
        digest: Callable[[int], str] | None = None,
        pyramid: Callable[[int], FeaturePyramid] | None = None,
        queries: Callable[[], tuple[np.ndarray, np.ndarray]] | None = None,
        workers: Workers | None = None,
        remote: Callable[[int], FeaturePyramid] | None = None,
        held: int = 0,
    ):
        if whole(n, "n") < 1:
            raise ValueError("images: at least one is needed")
        if len(points) != n:
            raise ValueError(f"points must have one entry per image, got {len(points)} for {n}")
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        if path not in PATHS:
            raise ValueError(f"path must be one of {', '.join(PATHS)}, got {path!r}")
        self.image, self.n, self.extractor = image, n, extractor
        self.points = [
            array(p, f"points[{i}]", np.float32, 2, copy=True) for i, p in enumerate(points)
        ]
        self.mode, self.epsilon, self.path = mode, real(epsilon, "epsilon"), path
        self.device = resolve(device)
        check_extractor(extractor, "extractor")
        if device == "auto" and extractor.channels > DEVICE_CHANNELS:
            self.device = -1
        self.digest = digest or self._image_digest
        self.pyramid = pyramid or (lambda i: extractor.pyramid(image(i)))
        self.offsets = np.concatenate([[0], np.cumsum([len(p) for p in points])]).astype(np.int64)
        self.max_memory = 2 << 30 if max_memory is None else whole(max_memory, "max_memory", 0)
        self.dots: int = 0
        self.brute: int = 0
        self.resumed = 0
        self.notes: list[str] = []
        self._kept: dict[int, FeaturePyramid] = {}
        fixed = self.fixed_bytes()
        self.held, room = held, self.max_memory - held - fixed
        self._given, self.workers, self.remote = queries, workers, remote
        fits = max(room - SLACK, 0) // self.extractor.pyramid_bytes()
        self._keep = 0 if queries else min(fits, n)
        if room < 0:
            least = fixed if held == 0 else math.ceil(fixed * 4 / 3) + 4  # a quarter is for images
            raise MemoryError(
                f"max_memory: {self.max_memory} bytes are not enough for {n} images with "
                f"{self.offsets[-1]} key points; at least {least} are needed"
            )

    def fixed_bytes(self) -> int:
        """Memory that is needed however little is kept: queries, one pyramid, working memory."""
        e = self.extractor
        queries = int(self.offsets[-1]) * self.query_bytes()
        work = _core.match_bytes(e.levels, e.channels, *e.grid, self.mode == "bilinear")
        if hasattr(e, "working_bytes"):
            work += e.working_bytes()
        if self.device >= 0:
            work += (DEVICE_IMAGES + 2) * e.pyramid_bytes()
        return queries + 2 * e.pyramid_bytes() + work

    def query_bytes(self) -> int:
        """Memory that a key point takes: its vectors, here and prepared, its best match."""
        return self.extractor.levels * (self.extractor.channels * 9 + 20) + 24

    def estimate(self) -> Estimate:
        """Cost of the whole job; times a sample of the work (well under a second)."""
        start = time.perf_counter()
        pyramid = self.pyramid(0)
        features = time.perf_counter() - start
        sample = next((p for p in self.points if len(p)), np.zeros((0, 2), np.float32))[:64]
        seconds = self.n * features * (1 if self._given or self._keep >= self.n else 2)
        if len(sample):
            query = pyramid.at(np.tile(sample, (4, 1)))
            start = time.perf_counter()
            where = f"cuda:{self.device}" if self.device >= 0 else "cpu"
            options = {"mode": self.mode, "epsilon": self.epsilon, "device": where}
            match(pyramid, *query, path=self.path, **options)
            once = time.perf_counter() - start
            start = time.perf_counter()
            match(pyramid, query[0][:1], query[1][:1], path="search", **options)
            fixed = time.perf_counter() - start
            per_query = max(once - fixed, 0.1 * once) / len(query[0])
            seconds += self.n * (fixed + per_query * float(self.offsets[-1]))
        memory = self.held + self.fixed_bytes() + self._keep * self.extractor.pyramid_bytes()
        return Estimate(seconds, memory, 8 * self.n * int(self.offsets[-1]))

    def run(
        self, folder: str | os.PathLike[str] | None = None, progress: Progress = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute, or finish, the matrix.

        Args:
            folder: where similarity.npy, places.npy and similarity.ledger go (memory if None).
            progress: see `scp.progress`; pyramids first, then rows.

        Returns:
            values float32 [N][Q] and places int32 [N][Q] (row-major index, see `match`): arrays,
            or read-only memmaps of the files.
        """
        if folder is None:
            return self._run(None, progress)
        with RunFolder(folder).holding():
            return self._run(folder, progress)

    def _run(self, folder, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
        first = 0 if self._given else self.n  # images whose features are made for the queries
        total, given = first + self.n, None
        bar = None if self._given else watch(progress, "similarity", total)
        shape = self.n, int(self.offsets[-1])
        arrays = {SIMILARITY: (shape, np.float32), PLACES: (shape, np.int32)}
        text = "" if folder is None else fingerprint(self, self.points)
        table = Rows(folder, "similarity.ledger", text, arrays)
        self.resumed, self.notes = len(table.done), table.notes
        todo = [i for i in range(self.n) if i not in table.done]
        if self._given:
            given = self._given() if todo else None
            bar = watch(progress, "similarity", total)
        try:
            if todo:
                queries, norms = given or self._queries(bar, total)
                found = self._rows(todo, queries, norms)
                if self.workers is not None:
                    found = self._far_rows(todo, queries, norms, folder, text)
                for i, value, place in found:
                    table.put(i, value, place)
                    if bar:
                        bar(first + len(table.done), total)
        finally:
            self._kept.clear()
        if bar:
            bar(total, total)
        return table.finish()

    def _rows(self, todo: list[int], queries, norms):
        """(i, values, places) of the images in `todo`, on the device or the CPU."""
        e, search = self.extractor, None
        if self.device >= 0 and todo and len(queries):
            search = DeviceSearch(
                self.device, queries, norms, *e.grid, self.mode, self.epsilon, self.max_memory
            )
        elif todo:
            queries = Queries(queries, norms)
        size = DEVICE_IMAGES if search else 1
        for start in range(0, len(todo), size):
            rows = todo[start : start + size]
            pyramids = [self._kept.get(i) or self.pyramid(i) for i in rows]
            if search:
                work = len(queries) * sum(len(p.features) for p in pyramids)
                self.dots, self.brute = self.dots + work, self.brute + work
                yield from zip(rows, *search(pyramids), strict=True)
                continue
            value, place, stats = _search(pyramids[0], queries, self.mode, self.epsilon, self.path)
            self.dots += stats["dots"]
            self.brute += stats["brute"]
            yield rows[0], value, place

    def _far_rows(self, todo: list[int], queries, norms, folder, key: str):
        """As `_rows`, by the workers."""
        task = SearchImage(self.remote, queries, norms, self.mode, self.epsilon, self.path)
        for i, own in self.workers.map(task, todo, folder, key and f"rows {key}"):
            self.dots, self.brute = self.dots + int(own["dots"]), self.brute + int(own["brute"])
            yield i, own["values"], own["places"]

    def _queries(self, bar, total: int):
        """Vectors of all key points; keeps the pyramids that fit."""
        e = self.extractor
        queries = aligned((int(self.offsets[-1]), e.levels, e.channels))
        norms = np.empty(queries.shape[:2], np.float32)
        for i in range(self.n):
            if i >= self._keep and not len(self.points[i]):
                continue
            pyramid = self.pyramid(i)
            if i < self._keep:
                self._kept[i] = pyramid
            part = slice(self.offsets[i], self.offsets[i + 1])
            queries[part], norms[part] = pyramid.at(self.points[i])
            if bar:
                bar(i + 1, total)
        return queries, norms

    def _image_digest(self, i: int) -> str:
        return of_image(np.asarray(self.image(i), np.float32))


@dataclass(frozen=True)
class SearchImage:
    """The row of an image: what workers are asked for."""

    pyramid: Callable[[int], FeaturePyramid]
    vectors: np.ndarray
    norms: np.ndarray
    mode: str
    epsilon: float
    path: str

    @cached_property
    def queries(self) -> Queries:
        return Queries(self.vectors, self.norms)

    def __call__(self, i: int) -> dict[str, Any]:
        value, place, stats = _search(
            self.pyramid(i), self.queries, self.mode, self.epsilon, self.path
        )
        return {"values": value, "places": place, "dots": stats["dots"], "brute": stats["brute"]}


def fingerprint(job: SimilarityJob, points: Sequence[np.ndarray], more: dict | None = None) -> str:
    """All that similarities of these points depend on, as a line of text."""
    images = hashlib.sha256()
    for i in range(job.n):
        images.update(job.digest(i).encode() + b"\n")
    content = hashlib.sha256()
    for p in points:
        content.update(p.tobytes())
    content.update(np.cumsum([0, *map(len, points)]).astype(np.int64).tobytes())
    said = {
        **job.extractor.parameters(),
        "mode": job.mode,
        "epsilon": job.epsilon,
        "images": images.hexdigest(),
        "points": content.hexdigest(),
        **(more or {}),
    }
    return json.dumps(said, sort_keys=True)
