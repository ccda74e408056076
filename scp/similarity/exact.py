"""The exact score of few sets of images over all key points, without the matrix.

Key points are searched in the images of the sets alone, so a set costs M rows of the matrix, not N.
What is kept is one number per image and pick, in scores.npy with a ledger: a stopped job goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from ..features import PyramidStore
from ..progress import Progress, watch
from ..runs import Rows
from ..runs.folder import SAMPLED
from .job import SimilarityJob, fingerprint
from .matching import Queries, match

TOGETHER = 8192  # key points that are searched at once, if they fit into an eighth of the memory


def set_scores(
    job: SimilarityJob,
    points: Sequence[np.ndarray],
    sets: Sequence[Sequence[int]],
    folder: str | os.PathLike[str] | None = None,
    progress: Progress = False,
    vectors: Callable[[Sequence[int]], tuple[np.ndarray, np.ndarray]] | None = None,
) -> list[np.ndarray]:
    """The score of the first 1, 2, .. images of each set (the paper, Eq. 9), exactly.

    Args:
        job: says how similarity is computed; its own points are not used.
        points: of every image, float32 [K_n][2] on the grid; an image without any counts as 0.
        sets: rows, in pick order. folder: for the files; None: memory.
        vectors: of all key points of some images, as `PointVectors.of_images`; None: they are
            computed.

    Returns:
        float64 [M] of each set: the mean over images of the mean over their key points of the
        largest similarity in the images picked so far.
    """
    rows = sorted({int(row) for rows in sets for row in rows})
    width = sum(len(rows) for rows in sets)
    told = {"sets": [[int(row) for row in rows] for rows in sets]}
    text = fingerprint(job, points, told)
    table = Rows(folder, SAMPLED[2], text, {SAMPLED[1]: ((job.n, width), np.float64)})
    bar = watch(progress, "scores", job.n)
    where = f"cuda:{job.device}" if job.device >= 0 else "cpu"
    options = {"mode": job.mode, "epsilon": job.epsilon, "path": job.path, "device": where}
    todo = [i for i in range(job.n) if i not in table.done]
    if todo:
        searched = PyramidStore((job.pyramid(row) for row in rows), job.max_memory // 2, folder)
    together = min(TOGETHER, job.max_memory // 8 // job.query_bytes())
    for images in _together(todo, points, together):
        queries = Queries(*(vectors or _computed(job, points))(images))
        found = {row: match(searched[k], queries, **options)[0] for k, row in enumerate(rows)}
        best = [np.maximum.accumulate([found[int(row)] for row in rows]) for rows in sets]
        end = 0
        for i in images:
            own, means = slice(end, end := end + len(points[i])), np.zeros(width)
            if len(points[i]):
                means = np.concatenate([b[:, own].mean(axis=1, dtype=np.float64) for b in best])
            table.put(i, means)
        if bar:
            bar(images[-1] + 1, job.n)
    if bar:
        bar(job.n, job.n)
    scores = table.finish()[0].mean(axis=0)
    return np.split(np.asarray(scores), np.cumsum([len(rows) for rows in sets])[:-1])


def _together(todo: Sequence[int], points: Sequence[np.ndarray], most: int):
    """Images in groups of so many key points, or single ones."""
    group: list[int] = []
    count = 0
    for i in todo:
        if group and count + len(points[i]) > most:
            yield group
            group, count = [], 0
        group.append(i)
        count += len(points[i])
    if group:
        yield group


def _computed(job: SimilarityJob, points: Sequence[np.ndarray]):
    """Vectors of the key points of some images, as they are asked for."""

    def of(images: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        e = job.extractor
        empty = np.zeros((0, e.levels, e.channels), np.float32), np.zeros((0, e.levels), np.float32)
        found = [job.pyramid(i).at(points[i]) for i in images if len(points[i])] or [empty]
        return np.concatenate([q for q, _ in found]), np.concatenate([n for _, n in found])

    return of
