"""The exact score of few sets of images over all key points, without the matrix.

An image's key points are searched in the images of the sets alone, so a set costs M rows of the
matrix, not N. What is kept is one number per image and pick, in scores.npy with a ledger: a stopped
job goes on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ..features import PyramidStore
from ..progress import Progress, watch
from ..runs import Rows
from ..runs.folder import SAMPLED
from .job import SimilarityJob, fingerprint
from .matching import match


def set_scores(
    job: SimilarityJob,
    points: Sequence[np.ndarray],
    sets: Sequence[Sequence[int]],
    folder: str | os.PathLike[str] | None = None,
    progress: Progress = False,
) -> list[np.ndarray]:
    """The score of the first 1, 2, .. images of each set (the paper, Eq. 9), exactly.

    Args:
        job: says how similarity is computed; its own points are not used.
        points: of every image, float32 [K_n][2] on the grid; an image without any counts as 0.
        sets: rows, in pick order. folder: for the files; None: memory.

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
    for i in todo:
        means = np.zeros(width)
        if len(points[i]):
            queries = job.pyramid(i).at(points[i])
            found = {row: match(searched[k], *queries, **options)[0] for k, row in enumerate(rows)}
            best = [np.maximum.accumulate([found[int(row)] for row in rows]) for rows in sets]
            means = np.concatenate([b.mean(axis=1, dtype=np.float64) for b in best])
        table.put(i, means)
        if bar:
            bar(i + 1, job.n)
    if bar:
        bar(job.n, job.n)
    scores = table.finish()[0].mean(axis=0)
    return np.split(np.asarray(scores), np.cumsum([len(rows) for rows in sets])[:-1])
