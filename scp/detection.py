"""Template matching: landmarks of a few annotated images, found in all the others (the paper,
Eq. 1-4).

Every template says of every landmark where it is in an image and how similar it looks there. One
rule makes one answer of these votes. A template votes once per view: template and image are resized
(and turned, if asked for) alike. Features of larger images are sharper and err further, those of
smaller ones know where in the image they are; places that only one view finds are outvoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from .datasets import Dataset, arrays
from .features import FeaturePyramid
from .landmarks import Landmarks
from .similarity import match
from .views import VIEWS, Views
from .votes import AGREE, RULES, combine

MODES = ("bilinear", "nearest", "paper")
CARRIERS = 10


@dataclass(frozen=True)
class Matches:
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

    def first_view(self) -> Matches:
        """The same with the first view alone."""
        return Matches(
            self.xy[:, :1], self.similarity[:, :1], self.counts, self.scales, self.weights[:1]
        )

    def of(self, templates: Sequence[int], rule: str = "agreeing"):
        """What these templates say together: see `combine`; the winner is a row of `templates`."""
        rows = np.asarray(templates, np.int64)
        if rows.ndim != 1 or len(rows) == 0:
            raise ValueError("templates: at least one is needed")
        shape = self.similarity.shape
        xy = self.xy[rows].reshape(-1, *shape[2:], 2)
        similarity = self.similarity[rows].reshape(-1, *shape[2:])
        weights = np.tile(self.weights, len(rows))
        xy, confidence, vote = combine(xy, similarity, rule, AGREE * self.scales[:, None], weights)
        return xy, confidence, vote // shape[1]


def usual_views(extractor, mode: str = "bilinear") -> int:
    """How many of VIEWS vote where nobody says: all with trained features; one with gradient
    features, which know too little of where they are in a larger image, and as in the paper."""
    return len(VIEWS) if extractor.name == "trained" and mode != "paper" else 1


def usual_carriers(detector: LandmarkDetector, templates: int) -> int:
    """How many images `LandmarkDetector.carry` takes where nobody says: CARRIERS for one template
    and several views, which is what they were found useful for; else none."""
    return CARRIERS if templates == 1 and detector.views > 1 else 0


class Templates:
    """Feature vectors of the landmarks of annotated images, and the search for them.

    Args:
        extractor: gives pyramids. images: T annotated images, with `landmarks`.
        mode: "bilinear": features interpolated at the landmark, positions are pixels of the grid;
            "nearest": the cell that holds the landmark, positions are centres of 2 x 2 pixels;
            "paper": as "nearest", but all positions are truncated to whole pixels and the upper
            left pixel is the answer, as in the authors' code.
        views: (degrees, zoom) pairs.
        cycles: keep the templates' pyramids, for `cycle`.
    """

    def __init__(
        self, extractor, images: Dataset, mode: str = "bilinear", views=VIEWS[:1], cycles=False
    ):
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        self.extractor, self.mode = extractor, mode
        self.views = Views(extractor, views)
        self.names = list(images.landmark_names)
        self._homes, self._pyramids = [], []  # of the first view
        self.ids, self.present, self._vectors, self._norms = self._look(images, cycles)

    def add(self, images: Dataset) -> None:
        """More templates, with the same landmarks; `cycle` does not ask them."""
        ids, *arrays = self._look(images, False)
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
            for v, grid in enumerate(images.grids(t, self.views.sizes)):
                pyramid = self.views.pyramid(v, grid)
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
        for v, grid in enumerate(images.grids(i, self.views.sizes)):
            pyramid = self.views.pyramid(v, grid)
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

    def cycle(self, pyramid: FeaturePyramid, xy: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """How far from the templates' own landmarks the places found come back: there and back
        again (scp/consistency.py), an error estimate without labels of the image.

        Args:
            pyramid: of the image's first view, as `find` returns it.
            xy: [L][2], landmarks found, in pixels of the image; NaN where there is none.
            shape: (H, W) of the image.

        Returns:
            float64 [L], pixels of the first view, the mean over templates; NaN where there is none.
        """
        there = np.isfinite(xy).all(axis=1)
        present = self.present[: len(self._homes)]
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


def match_templates(
    extractor,
    templates: Dataset,
    images: Dataset | None = None,
    mode: str = "bilinear",
    *,
    views: Sequence[tuple[float, float]] = VIEWS[:1],
    progress: Callable[[int, int], object] | None = None,
    kept=None,
) -> Matches:
    """The landmarks of every template searched in every image; an image's features are computed
    once.

    images=None: the templates are searched in each other, and a template does not count in itself.
    kept: a `scp.kept.KeptImages` of the same inputs: an image that it knows is not searched again.
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
    for i in range(len(images)):
        if kept is not None and i < len(kept):
            xy[:, :, i], similarity[:, :, i] = kept[i]
        else:
            xy[:, :, i], similarity[:, :, i], _ = index.find(images, i)
            if kept is not None:
                kept.append(xy[:, :, i], similarity[:, :, i])
        if progress is not None:
            progress(i + 1, len(images))
    scales = grid_scales(images, extractor.size)
    return Matches(xy, similarity, counts, scales, index.views.weights)


def grid_scales(images: Dataset, size: tuple[int, int]) -> np.ndarray:
    """Original pixels per pixel of the grid, float64 [N]: the geometric mean of the axes."""
    shapes = np.array([images.shape(i) for i in range(len(images))], np.float64).reshape(-1, 2)
    return np.sqrt(shapes.prod(axis=1) / np.prod(size))


@dataclass(frozen=True)
class Detections:
    """Landmarks found in N images from M templates.

    Attributes:
        ids, names: of images and landmarks. templates: ids of the M templates; carriers
            (`LandmarkDetector.carry`) are templates too, the last ones.
        xy: float64 [N][L][2], (x, y) in original pixels; NaN where no template has the landmark.
        confidence: float64 [N][L] in [0, 1]: how similar the places are, and how well the votes
            agree (`combine`).
        template: int64 [N][L], the template that weighs most.
        error: float64 [N][L], original pixels: how far off the place found comes back in the
            templates, on average; it needs no labels of the image. With one template it is far
            below the true error, for the way back repeats the mistakes of the way there.
        votes: float64 [M][V][N][L][2], what each view of each template says; similarity:
            float32 [M][V][N][L].
    """

    ids: list[str]
    names: list[str]
    templates: list[str]
    xy: np.ndarray
    confidence: np.ndarray
    template: np.ndarray
    error: np.ndarray
    votes: np.ndarray = field(repr=False)
    similarity: np.ndarray = field(repr=False)

    def landmarks(self) -> Landmarks:
        """The same as a table, to write to a file (`scp.landmarks.write_landmarks`)."""
        return Landmarks(self.ids, self.names, self.xy, self.confidence, self.error)

    def _repr_html_(self) -> str:
        from html import escape

        rows = []
        for name, column in zip(self.names, self.confidence.T, strict=True):
            rows.append(
                f"<tr><td>{escape(name)}</td><td>{column.mean():.3f}</td>"
                f"<td>{column.min(initial=1):.3f}</td></tr>"
            )
        return (
            f"<p>{len(self.ids)} images, {len(self.names)} landmarks, from "
            f"{escape(', '.join(self.templates))}</p><table><tr><th>landmark</th>"
            f"<th>mean confidence</th><th>lowest</th></tr>{''.join(rows)}</table>"
        )


class LandmarkDetector:
    """Finds the landmarks of a few annotated images in others.

        detector = scp.LandmarkDetector(extractor).fit(pool.subset(choice.selection.selected))
        found = detector.predict(pool)
        found.xy, found.confidence

    Args:
        extractor: a trained `FeatureExtractor`, or a `GradientExtractor`.
        rule: how the templates' votes become one answer, see `combine`.
        mode: see `Templates`. "paper" with rule "confident" and one view is the paper's detector.
        views: how many of the VIEWS of template and image vote; None: `usual_views`.
    """

    def __init__(
        self,
        extractor,
        *,
        rule: str = "agreeing",
        mode: str = "bilinear",
        views: int | None = None,
    ):
        if rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        views = usual_views(extractor, mode) if views is None else views
        if not 1 <= int(views) <= len(VIEWS):
            raise ValueError(f"views must be 1 to {len(VIEWS)}, got {views}")
        self.extractor, self.rule, self.mode, self.views = extractor, rule, mode, int(views)
        self.templates_: Templates | None = None
        self.carriers_: list[str] = []

    def get_params(self, deep: bool = True) -> dict:
        """The arguments of the constructor."""
        return {k: getattr(self, k) for k in ("extractor", "rule", "mode", "views")}

    def set_params(self, **params) -> LandmarkDetector:
        """Other arguments of the constructor; the templates are forgotten."""
        self.__init__(**{**self.get_params(), **params})
        return self

    def fit(self, images: Dataset | Iterable[np.ndarray], landmarks=None) -> LandmarkDetector:
        """Take the annotated images as templates.

        Args:
            images: M images, a data set or arrays [H][W] (uint8 or uint16).
            landmarks: [M][L][2], (x, y) in original pixels, NaN where one is absent; a
                `scp.landmarks.Landmarks` whose ids are those of the images; None: those of the
                data set.
        """
        self.templates_ = Templates(
            self.extractor,
            annotated(images, landmarks),
            self.mode,
            VIEWS[: self.views],
            cycles=True,
        )
        self.carriers_ = []
        return self

    def carry(
        self,
        pool: Dataset,
        count: int = CARRIERS,
        *,
        progress: Callable[[int, int], object] | None = None,
    ) -> LandmarkDetector:
        """Let unlabelled images vote too: those `count` of a pool in which the templates' landmarks
        are found with most confidence, with the places found there. Worth it with one template
        only (docs/experiments.md): what several agree on is better than what their finds say.

        Attributes set: carriers_, their ids. An image of the same id is not asked about itself.
        """
        index = self._fitted()
        if count < 0:
            raise ValueError(f"count of carriers must be at least 0, got {count}")
        found = self.predict(pool, progress=progress)
        rows = [i for i in range(len(pool)) if pool.ids[i] not in index.ids]
        rows = sorted(rows, key=lambda i: -found.confidence[i].mean())[:count]
        if rows:
            index.add(pool.subset(rows).with_landmarks(found.xy[rows], found.names))
        self.carriers_ += [pool.ids[i] for i in rows]
        return self

    def predict(
        self,
        images: Dataset | Iterable[np.ndarray],
        *,
        progress: Callable[[int, int], object] | None = None,
    ) -> Detections:
        """The landmarks in other images; progress: called with (done, total) images."""
        index = self._fitted()
        images = images if isinstance(images, Dataset) else arrays(images)
        scales = grid_scales(images, self.extractor.size)
        seen = grid_scales(images, index.views.sizes[0])
        shape = len(index), len(index.views), len(images), index.present.shape[1]
        votes, similarity = np.empty((*shape, 2)), np.empty(shape, np.float32)
        xy, confidence, error = np.empty((*shape[2:], 2)), np.empty(shape[2:]), np.empty(shape[2:])
        template = np.empty(shape[2:], np.int64)
        for i in range(len(images)):
            votes[:, :, i], similarity[:, :, i], pyramid = index.find(images, i)
            if images.ids[i] in self.carriers_:
                own = len(index) - len(self.carriers_) + self.carriers_.index(images.ids[i])
                votes[own, :, i], similarity[own, :, i] = np.nan, np.nan
            xy[i], confidence[i], vote = combine(
                votes[:, :, i].reshape(-1, shape[3], 2),
                similarity[:, :, i].reshape(-1, shape[3]),
                self.rule,
                AGREE * scales[i],
                np.tile(index.views.weights, shape[0]),
            )
            template[i] = vote // shape[1]
            error[i] = index.cycle(pyramid, xy[i], images.shape(i)) * seen[i]
            if progress is not None:
                progress(i + 1, len(images))
        names = index.names or [str(k + 1) for k in range(shape[3])]
        return Detections(
            images.ids, names, index.ids, xy, confidence, template, error, votes, similarity
        )

    def fit_predict(
        self,
        images: Dataset,
        templates: Sequence[int],
        *,
        carriers: int | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Detections:
        """Take some images of a data set as templates and find their landmarks in all of it.

        carriers: how many of the others vote too, see `carry`; None: `usual_carriers`.
        """
        self.fit(images.subset(templates))
        if carriers is None:
            carriers = usual_carriers(self, len(templates))
        if carriers:
            self.carry(images, carriers)
        return self.predict(images, progress=progress)

    def _fitted(self) -> Templates:
        if self.templates_ is None:
            raise RuntimeError("the detector has no templates yet: call fit")
        return self.templates_


def annotated(images: Dataset | Iterable[np.ndarray], landmarks=None) -> Dataset:
    """Images and landmarks as one data set: see `LandmarkDetector.fit`."""
    if not isinstance(images, Dataset):
        if landmarks is None:
            raise ValueError("landmarks: arrays have none of their own")
        if isinstance(landmarks, Landmarks):
            raise ValueError(
                "landmarks: a table of landmarks goes with a data set, not with arrays"
            )
        return arrays(images, landmarks=landmarks)
    if landmarks is None:
        return images
    names = []
    if isinstance(landmarks, Landmarks):
        names, landmarks = landmarks.names, landmarks.rows(images.ids).xy
    return images.with_landmarks(landmarks, names)
