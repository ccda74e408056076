"""One vector per image, out of what SCP knows of it."""

from __future__ import annotations

import numpy as np

from ..datasets import Dataset
from ..features import Extractor, FeaturePyramid
from ..keypoints import Pool
from ..networks.pretrained import Pool5
from ..progress import Progress, watch
from .clusters import centres
from .patterns import PATTERNS

KINDS = ("levels", "keypoints", "pixels", "patterns", "vgg")
FINEST = 3  # levels that "levels" averages
WIDE = 30  # pixels of a thumbnail
PATTERN_CELLS = 24  # of the coarsest level that is as wide: where patterns come from


def vectors(
    dataset: Dataset,
    kind: str = "levels",
    extractor: Extractor | None = None,
    *,
    points: Pool | None = None,
    progress: Progress = False,
) -> np.ndarray:
    """A vector for each image, float32 [N][d].

    Args:
        dataset: the images.
        kind: "levels", means of the three finest levels of the features, one after the other;
            "keypoints", the mean of the vectors of the key points, all levels; "pixels",
            the image at 30 x 30 pixels; "patterns", [N][5][C] for "freesel", k-means centres of
            the cells of one level; "vgg", the mean of the last pooled map of VGG-19 as ImageNet has
            trained it, 512 numbers (`scp weights import FILE` first).
        extractor: of the features; not needed for "pixels" and "vgg".
        points: key points, `scp.Run.points`; "keypoints" finds SIFT key points without it.

    Raises:
        FileNotFoundError: "vgg" without weights; says how they are imported.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if kind not in ("pixels", "vgg") and extractor is None:
        raise ValueError(f"extractor: {kind} vectors need one")
    if kind == "keypoints" and points is None:
        points = Pool(dataset, extractor, progress=progress)
    pool5 = Pool5() if kind == "vgg" else None
    bar = watch(progress, "vectors", len(dataset))
    out = []
    for i in range(len(dataset)):
        if kind == "pixels":
            out.append(dataset.grid(i, (WIDE, WIDE)).ravel())
        elif pool5 is not None:
            out.append(pool5.vector(dataset.grid(i, pool5.size)))
        else:
            pyramid = extractor.pyramid(dataset.grid(i, extractor.grid_size))
            out.append(_of(pyramid, kind, points.points[i] if points else None))
        if bar:
            bar(i + 1, len(dataset))
    return np.stack(out).astype(np.float32)


def _of(pyramid: FeaturePyramid, kind: str, xy: np.ndarray | None) -> np.ndarray:
    if kind == "keypoints":
        if len(xy) == 0:
            return np.zeros(pyramid.levels * pyramid.features.shape[1], np.float32)
        return pyramid.at(xy)[0].mean(axis=0, dtype=np.float64).ravel()
    if kind == "levels":
        finest = range(max(0, pyramid.levels - FINEST), pyramid.levels)
        means = [pyramid.level(d)[0].mean(axis=(0, 1), dtype=np.float64) for d in finest]
        return np.concatenate(means)
    wide = [d for d in range(pyramid.levels) if pyramid.width << d >= PATTERN_CELLS]
    cells = pyramid.level(wide[0] if wide else pyramid.levels - 1)[0]
    return centres(cells.reshape(-1, cells.shape[-1]), PATTERNS)
