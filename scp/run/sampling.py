"""A choice from a sample of the key points, for pools whose matrix of all would be too large.

1. A pilot: few images among themselves give two sets to compare with, the reference.
2. The sample: key points of all images, drawn anew, searched in all images. It chooses.
3. The exact score of the choice and of the reference, over all key points of all images.
4. A bound on every other choice, with a probability (`scp.selection.sampled`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ..distributed import Workers
from ..keypoints import Pool
from ..progress import Progress
from ..runs import RunFolder
from ..selection import Selection, draw_columns, sampled_bound, select
from ..selection.rows import RULES
from ..similarity import Estimate, PointVectors, SimilarityJob, VectorSimilarity, set_scores
from ..values import whole

IMAGES = 2000  # a pool of more is sampled, unless the run says otherwise
COLUMNS = 8192  # of the sample
PILOT_IMAGES, PILOT_COLUMNS = 300, 2000
PROBABILITY = 0.99
ANY = 10  # images of a reference, where the budget says how many are chosen


def sample_size(sample: int | str | None, run: Any) -> int | None:
    """How many key points a run samples; None: it takes all."""
    if sample == "auto":
        large = len(run.dataset) > IMAGES and not run.whole_images and run.score == "similarity"
        return COLUMNS if large else None
    if sample is None:
        return None
    count = whole(sample, "sample", 1, 1 << 24)
    if run.whole_images:
        raise ValueError("sample: vectors of whole images have no key points")
    if run.score != "similarity":
        raise ValueError(f"sample: score {run.score!r} needs all key points: sample=None")
    return count


def memory_of(job: SimilarityJob | VectorSimilarity, folder: RunFolder | None) -> dict[str, Any]:
    """How a matrix beyond the memory is looked at: arguments of `scp.selection.rows`."""
    far = job.workers
    shared = far is not None and far.share is None  # the run folder is where they see it
    return {
        "max_memory": max(1, job.max_memory - job.held),
        "workers": far if shared else None,
        "folder": None if folder is None else folder.path,
    }


class Sampling:
    """The sampled key points of a pool.

    Args:
        pool: images with all their key points. count: of the sample. settings: of `SimilarityJob`.
        folder: for files; None: nothing is kept. progress: see `scp.progress`. workers: see
            `scp.distributed`.

    Attributes:
        columns: int64 [count], numbers of the sampled key points, ascending. offsets: int64 [N+1],
            columns of the sample by image. xy: float32 [count][2], original pixels.
        weights: float64 [count], of the sample's columns. job: their `SimilarityJob`.
    """

    def __init__(
        self,
        pool: Pool,
        count: int,
        random_state: int,
        settings: dict[str, Any],
        folder: RunFolder | None = None,
        progress: Progress = False,
        workers: Workers | None = None,
    ):
        self.pool, self.random_state, self.settings = pool, random_state, settings
        self.folder, self.progress = folder, progress
        self.columns = draw_columns(pool.offsets, count, random_state)
        self.offsets = np.searchsorted(self.columns, pool.offsets).astype(np.int64)
        self.xy = pool.xy[self.columns]
        self.share = float((np.diff(pool.offsets) > 0).mean())
        self.weights = np.full(count, self.share / count)
        self.job = self._job(
            range(len(pool.points)), self.columns, workers=workers, remote=pool.images.pyramid
        )
        self.memory = memory_of(self.job, folder)

    def _job(self, images: Sequence[int], columns: np.ndarray, **far: Any) -> SimilarityJob:
        """Similarity of these columns in these images. far: who searches, if not this process."""
        images = list(images)
        first = np.searchsorted(columns, self.pool.offsets)
        points = [self.pool.xy_grid[columns[first[i] : first[i + 1]]] for i in images]
        return SimilarityJob(
            lambda k: self.pool.image(images[k]),
            len(images),
            points,
            self.pool.extractor,
            digest=lambda k: self.pool.digest(images[k]),
            pyramid=lambda k: self.pool.pyramid(images[k]),
            queries=lambda: self.vectors.of_columns(columns),
            **self.settings,
            **far,
        )

    @cached_property
    def vectors(self) -> PointVectors:
        """Of all key points."""
        path = None if self.folder is None else self.folder.path
        return PointVectors(self.job, self.pool.points, path, self.progress)

    def estimate(self) -> Estimate:
        """Cost of vectors, similarity and exact scores."""
        once, found = self._costs
        return replace(
            found,
            seconds=found.seconds + once * (len(self.pool.points) + PILOT_IMAGES),
            disk=found.disk
            + PointVectors.bytes_of(self.job, self.pool.points)
            + self.pool.on_disk(),
        )

    def estimate_whole(self) -> Estimate:
        """Cost of the whole matrix instead."""
        once, found = self._costs
        n, every = len(self.pool.points), int(self.pool.offsets[-1])
        more = every / max(1, len(self.columns))
        search = max(found.seconds - n * once, 0.0) * more
        query = self.job.query_bytes() * (every - len(self.columns))
        return Estimate(2 * n * once + search, found.memory + query, round(found.disk * more))

    @cached_property
    def _costs(self) -> tuple[float, Estimate]:
        """Seconds of the features of an image; cost of the rows of the sample."""
        start = time.perf_counter()
        self.pool.pyramid(0)
        return time.perf_counter() - start, self.job.estimate()

    @cached_property
    def _pilot(self) -> tuple[np.ndarray, np.ndarray]:
        """Some images, and the similarity of some of their key points in them."""
        counts = np.diff(self.pool.offsets)
        full = np.flatnonzero(counts)
        rng = np.random.default_rng([self.random_state, 2])
        images = np.sort(rng.choice(full, min(len(full), PILOT_IMAGES), replace=False))
        counts[~np.isin(np.arange(len(counts)), images)] = 0
        offsets = np.concatenate([[0], np.cumsum(counts)])
        drawn = draw_columns(offsets, PILOT_COLUMNS, self.random_state, stream=1)
        inside = np.concatenate(
            [np.arange(self.pool.offsets[i], self.pool.offsets[i + 1]) for i in images]
        )
        return images, self._job(images, inside[drawn]).run()[0]

    def _references(self, m: int) -> list[list[int]]:
        """Two sets of at most m images, from two parts of the pilot's."""
        images, values = self._pilot
        parts = [part for part in (images[::2], images[1::2]) if len(part)]
        out = []
        for k, part in enumerate(parts):
            found = select(values[k::2], min(m, len(part)), progress=False).selected
            out.append([int(part[row]) for row in found])
        return out

    def judged(
        self,
        curve: list[Selection],
        sizes: Sequence[int],
        values: np.ndarray,
        rules: dict[str, Any],
    ) -> list[Selection]:
        """Choices from the sample, with their exact scores and what bounds all others.

        sizes: what was asked for, -1: as many as the budget allows. values: float32 [N][count],
            similarity of the sample. rules: of `scp.select`.
        """
        given = {name: rules[name] for name in RULES if rules.get(name) is not None}
        initial = [int(i) for i in given.get("initial", ())]
        # Nothing of the reference may come from the sample, the number of images included.
        references = [self._references(ANY if size < 0 else size) for size in sizes]
        sets = [list(map(int, [*initial, *s.selected])) for s in curve]
        asked = [rows for refs in references for rows in refs] + sets
        path = None if self.folder is None else self.folder.path
        scores = set_scores(
            self.job,
            self.pool.points,
            asked,
            path,
            self.progress,
            lambda images: self.vectors.of_images(images),
        )
        out, at = [], 0
        exact_scores = scores[-len(sets) :]
        for found, size, refs, exact in zip(curve, sizes, references, exact_scores, strict=True):
            mean = float(np.mean([s[-1] for s in scores[at : at + len(refs)]]))
            at += len(refs)
            covers = [values[rows].max(axis=0).astype(np.float64) for rows in refs]
            bound = sampled_bound(
                values,
                np.mean(covers, axis=0),
                mean,
                size,
                share=self.share,
                probability=PROBABILITY,
                **self.memory,
                **given,
            )
            before = exact[len(initial) - 1] if initial else 0.0
            score = float(exact[-1])
            limit = max(bound.upper_bound, score)
            out.append(
                replace(
                    found,
                    gains=np.diff([before, *exact[len(initial) :]]),
                    score=score,
                    upper_bound=limit,
                    gap=(limit - score) / limit if limit > 0 else float("nan"),
                    proven=False,
                    probability=PROBABILITY,
                    certificate=None,
                )
            )
        return out
