"""The landmarks of every template searched in every image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..datasets import Dataset
from ..features import FeatureExtractor, GradientExtractor
from ..progress import Progress, watch
from ..runs import Rows
from ..values import Result, whole_numbers
from .templates import Templates
from .votes import AGREE, combine


@dataclass(frozen=True, eq=False, repr=False)
class Matches(Result):
    """Landmarks of T templates found in N images.

    Attributes:
        xy: float64 [T][V][N][L][2], original pixels of the image, from V views; NaN where the
            template lacks the landmark.
        similarity: float32 [T][V][N][L] in [0, 1]; NaN likewise.
        counts: bool [T][N], False where a template meets itself.
        scales: float64 [N], original pixels per pixel of the grid (geometric mean of the axes).
        weights: float64 [V], of the views' votes: `view_weights`.
    """

    xy: np.ndarray
    similarity: np.ndarray
    counts: np.ndarray
    scales: np.ndarray
    weights: np.ndarray

    def __repr__(self) -> str:
        t, v, n, k = self.similarity.shape
        return f"<Matches: {k} landmarks of {t} templates, seen in {v} views, in {n} images>"

    def first_view(self) -> Matches:
        """The same with the first view alone."""
        return Matches(
            self.xy[:, :1], self.similarity[:, :1], self.counts, self.scales, self.weights[:1]
        )

    def of(
        self, templates: Sequence[int], rule: str = "agreeing"
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What these templates say together: see `combine`; the winner is a row of `templates`."""
        rows = whole_numbers(templates, "templates", 0, len(self.counts) - 1)
        if not rows:
            raise ValueError("templates: at least one is needed")
        shape = self.similarity.shape
        xy = self.xy[rows].reshape(-1, *shape[2:], 2)
        similarity = self.similarity[rows].reshape(-1, *shape[2:])
        weights = np.tile(self.weights, len(rows))
        xy, confidence, vote = combine(xy, similarity, rule, AGREE * self.scales[:, None], weights)
        return xy, confidence, vote // shape[1]


def match_templates(
    extractor: FeatureExtractor | GradientExtractor,
    templates: Dataset,
    images: Dataset | None = None,
    mode: str = "bilinear",
    *,
    views: int | Sequence[tuple[float, float]] = 1,
    progress: Progress = False,
    found: Rows | None = None,
) -> Matches:
    """The landmarks of every template searched in every image; an image's features are computed
    once.

    images=None: the templates are searched in each other, and a template does not count in itself.
    mode, views: see `LandmarkDetector`; one view if nothing is said.
    found: `scp.runs.Rows` of the same inputs, xy [N][T][V][L][2] and similarity [N][T][V][L]: an
    image that is done there is not searched again.
    Memory: 20 bytes per template, view, image and landmark, and one pyramid.
    """
    index = Templates(extractor, templates, mode, views)
    counts = np.ones((len(index), len(templates if images is None else images)), bool)
    if images is None:
        images = templates
        np.fill_diagonal(counts, False)
    n_landmarks = index.present.shape[1]
    shape = len(index), len(index.views), len(images), n_landmarks
    xy, similarity = np.empty((*shape, 2)), np.empty(shape, np.float32)
    bar = watch(progress, "matching", len(images))
    for i in range(len(images)):
        if found is not None and i in found.done:
            xy[:, :, i], similarity[:, :, i] = (array[i] for array in found.arrays)
        else:
            xy[:, :, i], similarity[:, :, i], _ = index.find(images, i)
            if found is not None:
                found.put(i, xy[:, :, i], similarity[:, :, i])
        if bar:
            bar(i + 1, len(images))
    scales = grid_scales(images, extractor.grid_size)
    return Matches(xy, similarity, counts, scales, index.views.weights)


def grid_scales(images: Dataset, size: tuple[int, int]) -> np.ndarray:
    """Original pixels per pixel of the grid, float64 [N]: the geometric mean of the axes."""
    shapes = np.array([images.shape(i) for i in range(len(images))], np.float64).reshape(-1, 2)
    return np.sqrt(shapes.prod(axis=1) / np.prod(size))
