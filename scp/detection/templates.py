"""Feature vectors of annotated landmarks, and the search for them (the paper, Eq. 1 and Eq. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..datasets import Dataset
from ..features import FeatureExtractor, FeaturePyramid, GradientExtractor
from ..similarity import match
from .views import Views

MODES = ("bilinear", "nearest", "paper")


class Templates:
    """Feature vectors of the landmarks of annotated images, and the search for them.

    Args:
        extractor: gives pyramids. images: T annotated images, with `landmarks`.
        mode: "bilinear": features interpolated at the landmark, positions are pixels of the grid;
            "nearest": the cell that holds the landmark, positions are centres of 2 x 2 pixels;
            "paper": as "nearest", but all positions are truncated to whole pixels and the upper
            left pixel is the answer, as in the authors' code.
        views: so many of VIEWS, or (degrees, zoom) pairs.
        cycles: keep the templates' pyramids, for `cycle`.

    Attributes:
        ids: of the templates. present: bool [T][L], which landmarks they have.
        shapes: float64 [T][L][2], their landmarks, NaN where one is absent.
    """

    def __init__(
        self,
        extractor: FeatureExtractor | GradientExtractor,
        images: Dataset,
        mode: str = "bilinear",
        views: int | Sequence[tuple[float, float]] = 1,
        cycles: bool = False,
    ):
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        self.extractor, self.mode = extractor, mode
        self.views = Views(extractor, views)
        self.names = list(images.landmark_names)
        self._homes, self._pyramids = [], []  # of the first view
        self.ids, self.present, self._vectors, self._norms = self._look(images, cycles)
        self.shapes: np.ndarray = np.where(self.present[..., None], images.landmarks, np.nan)

    def add(self, images: Dataset) -> None:
        """More templates, with the same landmarks; these are not in `shapes`, and `cycle` asks
        them only where there was one template: several know it better."""
        ids, *arrays = self._look(images, len(self._pyramids) == 1)
        self.ids = self.ids + ids
        present, vectors, norms = arrays
        self.present = np.concatenate([self.present, present])
        self._vectors = np.concatenate([self._vectors, vectors], axis=1)
        self._norms = np.concatenate([self._norms, norms], axis=1)

    def _look(self, images: Dataset, cycles: bool):
        """ids; which landmarks are there, [T][L]; vectors [V][T][L][D][C] and norms."""
        if images.landmarks is None:
            raise ValueError("templates: these images have no landmarks")
        if len(images) == 0:
            raise ValueError("templates: at least one image is needed")
        present = np.isfinite(images.landmarks).all(axis=-1)
        if not present.any():
            raise ValueError("templates: no landmark is marked in them")
        vectors, norms = [], []
        for t in range(len(images)):
            self._check(images, t)
            for v, pyramid in enumerate(self.views.pyramids(images, t)):
                points = self._points(v, np.nan_to_num(images.landmarks[t]), images.shape(t))
                if v == 0 and cycles:
                    self._homes.append(points)
                    self._pyramids.append(pyramid)
                q, n = _query(pyramid, points, self.mode)
                vectors.append(q)
                norms.append(n)
        shape = len(images), len(self.views), -1
        vectors = np.stack(vectors).reshape(*shape, *vectors[0].shape[1:])
        norms = np.stack(norms).reshape(*shape, norms[0].shape[1])
        return (
            list(images.ids),
            present,
            np.ascontiguousarray(vectors.transpose(1, 0, 2, 3, 4)),
            np.ascontiguousarray(norms.transpose(1, 0, 2, 3)),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def _check(self, images: Dataset, t: int) -> None:
        """Landmarks of template t lie in its image."""
        xy, shape = images.landmarks[t], images.shape(t)
        inside = (xy > -1).all(axis=-1) & (xy < np.array([shape[1], shape[0]])).all(axis=-1)
        wrong = np.flatnonzero(np.isfinite(xy).all(axis=-1) & ~inside)
        if len(wrong):
            name = self.names[wrong[0]] if self.names else wrong[0]
            raise ValueError(
                f"templates: landmark {name} of {images.ids[t]} lies at "
                f"({xy[wrong[0], 0]:g}, {xy[wrong[0], 1]:g}), "
                f"outside the image of {shape[1]} x {shape[0]} pixels"
            )

    def _points(self, v: int, xy: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Where view v is searched for points [...][2] of an image."""
        if self.mode != "paper":
            return self.views.points(v, xy, shape)
        return np.trunc(np.trunc(xy) * (np.array(self.views.sizes[v][::-1]) / shape[::-1]))

    def find(self, images: Dataset, i: int) -> tuple[np.ndarray, np.ndarray, FeaturePyramid]:
        """All landmarks in image i.

        Returns:
            xy float64 [T][V][L][2] in its pixels and similarity float32 [T][V][L], NaN where the
            template lacks the landmark; the pyramid of the first view.
        """
        n_templates, n_landmarks = self.present.shape
        shape = n_templates, len(self.views), n_landmarks
        xy, similarity = np.empty((*shape, 2)), np.empty(shape, np.float32)
        first = None
        for v, pyramid in enumerate(self.views.pyramids(images, i)):
            first = first or pyramid
            vectors = self._vectors[v].reshape(-1, *self._vectors.shape[3:])
            norms = self._norms[v].reshape(-1, self._norms.shape[3])
            value, place = self._places(pyramid, vectors, norms)
            place = place.reshape(n_templates, n_landmarks, 2)
            xy[:, v] = self.views.back(v, place, images.shape(i))
            similarity[:, v] = value.reshape(n_templates, n_landmarks)
        absent = np.broadcast_to(~self.present[:, None], shape)
        xy[absent], similarity[absent] = np.nan, np.nan
        return xy, similarity, first

    def cycle(
        self,
        pyramid: FeaturePyramid | None,
        xy: np.ndarray,
        shape: tuple[int, int],
        own: int | None = None,
    ) -> np.ndarray:
        """How far from the templates' own landmarks the places found come back: there and back
        again (scp/similarity/cycle.py), an error estimate without labels of the image.

        Args:
            pyramid: of the image's first view, as `find` returns it; None: that of template `own`.
            xy: [L][2], landmarks found, in pixels of the image; NaN where there is none.
            shape: (H, W) of the image.
            own: the template that the image is, which is not asked; None: it is none.

        Returns:
            float64 [L], pixels of the first view, the mean over templates; NaN where there is none.
        """
        there = np.isfinite(xy).all(axis=1)
        present = self.present[: len(self._homes)].copy()
        if own is not None and own < len(present):
            pyramid = self._pyramids[own] if pyramid is None else pyramid
            present[own] = False
        apart = np.full(present.shape, np.nan)
        query = _query(pyramid, self._points(0, np.where(there[:, None], xy, 0), shape), self.mode)
        for t, home in enumerate(self._homes):
            apart[t] = np.hypot(*(self._places(self._pyramids[t], *query)[1] - home).T)
        counts = present & there
        total = np.where(counts, apart, 0).sum(axis=0)
        return np.where(counts.any(axis=0), total / np.maximum(counts.sum(axis=0), 1), np.nan)

    def _places(self, pyramid: FeaturePyramid, vectors, norms) -> tuple[np.ndarray, np.ndarray]:
        """Similarities [Q] and places [Q][2] of queries in one pyramid, pixels of the grid."""
        mode = "bilinear" if self.mode == "bilinear" else "nearest"
        value, place, _ = match(pyramid, vectors, norms, mode=mode)
        if self.mode == "bilinear":
            return value, place.astype(np.float64)
        return value, 2 * place + (0.5 if self.mode == "nearest" else 0.0)


def _query(pyramid: FeaturePyramid, points: np.ndarray, mode: str):
    return pyramid.between(points) if mode == "bilinear" else pyramid.at(points)
