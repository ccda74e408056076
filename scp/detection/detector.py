"""Template matching: landmarks of a few annotated images, found in all the others (the paper,
Eq. 1, Eq. 2, Eq. 3 and Eq. 4).

Every template says of every landmark where it is in an image and how similar it looks there. One
rule makes one answer of these votes. A template votes once per view: template and image are resized
(and turned, if asked for) alike. Features of larger images are sharper and err further, those of
smaller ones know where in the image they are; places that only one view finds are outvoted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..datasets import Dataset
from ..distributed import Workers, for_each
from ..estimator import Estimator
from ..features import FeatureExtractor, GradientExtractor, check_extractor
from ..landmarks import Landmarks, numbered
from ..landmarks.names import Index
from ..progress import Progress, renamed, watch
from ..report import cells, figures
from ..selection.answer import listed
from ..values import whole
from .absent import LIKELY, presence
from .annotated import annotated, as_dataset, templates_among
from .expected import LEFT_OUT, error_scale, expected_error
from .matches import grid_scales
from .templates import MODES, Templates
from .together import FEWEST, LEAST, ROUNDS, SAMPLE, reach_of, trust_of, usual_places
from .views import VIEWS, view_list
from .votes import AGREE, RULES, combine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PSEUDO_TEMPLATES = 10
PICTURES = 2  # of the least certain images, in a notebook


def usual_views(extractor: FeatureExtractor | GradientExtractor, mode: str = "bilinear") -> int:
    """How many of VIEWS vote where nobody says: all with trained features; one with gradient
    features, which know too little of where they are in a larger image, and as in the paper."""
    return len(VIEWS) if extractor.name == "trained" and mode != "paper" else 1


def usual_pseudo_templates(detector: LandmarkDetector, templates: int) -> int:
    """How many images `LandmarkDetector.add_pseudo_templates` takes where nobody says:
    PSEUDO_TEMPLATES for one template and several views, which is what they were found useful for;
    else none."""
    return PSEUDO_TEMPLATES if templates == 1 and len(detector.view_list()) > 1 else 0


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Detections(Landmarks):
    """Landmarks found in N images from M templates: `Landmarks`, and what is known of how they were
    found.

    Attributes:
        templates: ids of the M templates; pseudo-templates
            (`LandmarkDetector.add_pseudo_templates`) are templates too, the last ones.
        confidence: in [0, 1]: how similar the places are, and how well the votes agree (`combine`).
        error: in original pixels: how far from the truth the place probably is, from the
            confidence and the cycle (`scp.detection.expected`); no label of the image is needed.
        cycle: float64 [N][L], in original pixels: how far from the templates' own landmarks the
            place found comes back, on average.
        template: int64 [N][L], the template that weighs most.
        votes: float64 [M][V][N][L][2], what each view of each template says; similarity:
            float32 [M][V][N][L].
        images: the `Dataset`, for pictures, or None.
    """

    templates: list[str]
    template: np.ndarray
    votes: np.ndarray
    similarity: np.ndarray
    cycle: np.ndarray
    images: Any = field(default=None, compare=False)

    def _said(self) -> str:
        return f"{super()._said()}, found from {listed(self.templates) or 'no template'}"

    def _look(self) -> str:
        """The least certain images: their names, and pictures of the first where the images are
        known."""
        known = list(getattr(self.images, "ids", ()))
        there = [i for i in self.least_certain(PICTURES) if self.ids[i] in known]
        if not there:
            return super()._look()
        values = np.where(self.present & ~self.by_hand, self.confidence, np.nan)[there]
        least = np.nanargmin(values, axis=1).tolist()
        captions = [
            f"{self.ids[i]}: confidence {np.nanmean(row):.2f}, least {self.names[k]} {row[k]:.2f}"
            for i, k, row in zip(there, least, values, strict=True)
        ]
        rows = [known.index(self.ids[i]) for i in there]
        shown = cells.marked(self.images, rows, self.xy[there], captions, least)
        return super()._look() + shown + cells.paragraph("orange: the least certain landmark")

    def plot(self, ax: Axes | None = None, *, image: int | str | None = None) -> Axes:
        """The confidence of each landmark as a box, or one image with its landmarks, drawn with
        matplotlib.

        Args:
            ax: where to draw; None: a new figure.
            image: id or row of the image to draw: crosses, dark where the confidence is high. None:
                the boxes, of the points that no person gave.

        Returns:
            the axes; those of an image are in its pixels.

        Raises:
            ValueError: no image has this id, or it cannot be read; the images are not known.
        """
        if image is None:
            values = np.where(self.present & ~self.by_hand, self.confidence, np.nan)
            return figures.boxes(values, self.names, "Confidence", ax)
        row = self._row(image)
        if self.images is None:
            raise ValueError("image: these landmarks do not know their images")
        at = self.images.rows([self.ids[row]], "image")[0]
        return figures.landmarks(self.images, at, self.xy[row], self.confidence[row], ax=ax)

    def _row(self, image: int | str) -> int:
        if isinstance(image, str):
            return Index(self.ids).rows([image], "image")[0]
        row = whole(image, "image")
        if not 0 <= row < len(self):
            raise ValueError(f"image must be 0 to {len(self) - 1}, or an id, got {row}")
        return row


@dataclass(frozen=True)
class FindLandmarks:
    """The landmarks of an image: what workers are asked for.

    Attributes:
        scales, seen: of each image, original pixels per pixel of the grid, and of the first view.
    """

    detector: LandmarkDetector
    images: Dataset
    scales: np.ndarray
    seen: np.ndarray

    def __call__(self, i: int) -> dict[str, Any]:
        detector, index = self.detector, self.detector.templates_
        votes, similarity, pyramid = index.find(self.images, i)
        pseudo, own = detector.pseudo_templates_, None
        if self.images.ids[i] in pseudo:  # does not vote about itself
            own = len(index) - len(pseudo) + pseudo.index(self.images.ids[i])
            votes[own], similarity[own] = np.nan, np.nan
        scale, shape = self.scales[i], self.images.shape(i)
        xy, confidence, vote = detector._decide(votes, similarity, scale, index.shapes)
        likely = detector._presence(xy, confidence, scale, shape)
        xy[likely < (0 if detector.every else LIKELY)] = np.nan
        cycle = index.cycle(pyramid, xy, shape, own) * self.seen[i]
        error = scale * detector._expected(confidence, cycle / scale)
        return {
            "votes": votes,
            "similarity": similarity,
            "xy": xy,
            "confidence": confidence,
            "error": error * detector.error_scale_,
            "cycle": cycle,
            "presence": likely,
            "template": vote // len(index.views),
        }


@dataclass(frozen=True)
class LeftOut:
    """A template's landmarks as the others find them.

    Attributes:
        row: of the template. votes, similarity: of all templates, NaN of its own. shape: (H, W) of
            the image. scale, seen: see `FindLandmarks`.
    """

    row: int
    votes: np.ndarray
    similarity: np.ndarray
    shape: tuple[int, int]
    scale: float
    seen: float


class LandmarkDetector(Estimator):
    """Finds the landmarks of a few annotated images in others.

        detector = scp.LandmarkDetector(extractor=extractor)
        detector.fit(pool.subset(choice.selection.selected))
        found = detector.predict(pool)
        found.xy, found.confidence

    Args:
        extractor: a trained `FeatureExtractor`, or a `GradientExtractor`.
        rule: how the templates' votes become one answer, see `combine`.
        mode: see `Templates`. "paper" with rule "confident" and one view is the paper's detector.
        views: how template and image are looked at, each view votes: so many of VIEWS, or
            (degrees, zoom) pairs; None: `usual_views`.
        together: whether `learn_places` lets the landmarks of an image be decided together
            (`scp.detection.together`); None: in all modes but "paper".
        every: give every landmark a place, also where it is probably not in the image
            (`scp.detection.absent`), which is known where they are decided together.

    Attributes:
        templates_: the `Templates`. pseudo_templates_: ids, see `add_pseudo_templates`.
        reach_: float64 [L], see `learn_places`; None: each landmark is decided alone.
        left_out_: votes of the other templates for templates, LEFT_OUT of them at most. others_:
            float64 [3][T][L]: confidence, cycle and error of these, in pixels of the grid.
            error_scale_: float64 [L], what `expected_error` is multiplied by because of them.
    """

    def __init__(
        self,
        extractor: FeatureExtractor | GradientExtractor,
        *,
        rule: str = "agreeing",
        mode: str = "bilinear",
        views: int | Sequence[tuple[float, float]] | None = None,
        together: bool | None = None,
        every: bool = False,
    ):
        self.extractor = extractor
        self.rule = rule
        self.mode = mode
        self.views = views
        self.together = together
        self.every = every

    def check(self) -> LandmarkDetector:
        """self; ValueError names an argument of the constructor that is wrong."""
        check_extractor(self.extractor, "extractor")
        if self.rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(RULES)}, got {self.rule!r}")
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {self.mode!r}")
        if not (self.together is None or isinstance(self.together, bool)):
            raise ValueError(f"together must be True, False or None, got {self.together!r}")
        if not isinstance(self.every, bool):
            raise ValueError(f"every must be True or False, got {self.every!r}")
        self.view_list()
        return self

    def view_list(self) -> tuple[tuple[float, float], ...]:
        """The (degrees, zoom) pairs of the views."""
        usual = usual_views(self.extractor, self.mode)
        return view_list(usual if self.views is None else self.views)

    def fit(
        self,
        images: Dataset | Iterable[np.ndarray],
        landmarks: ArrayLike | Landmarks | None = None,
    ) -> LandmarkDetector:
        """Take the annotated images as templates. Of several, up to 25 are searched with the
        others, for expected errors.

        Args:
            images: M images, a data set or arrays [H][W] (uint8 or uint16).
            landmarks: [M][L][2], (x, y) in original pixels, NaN where one is absent; a
                `scp.Landmarks` whose ids are those of the images; None: those of the
                data set.
        """
        self.check()
        chosen = annotated(images, landmarks)
        views = self.view_list()
        self.templates_ = Templates(self.extractor, chosen, self.mode, views, cycles=True)
        self.pseudo_templates_: list[str] = []
        self.reach_: np.ndarray | None = None
        self.left_out_ = list(self._from_others(chosen))
        self._learn_errors()
        return self

    def _from_others(self, chosen: Dataset) -> Iterator[LeftOut]:
        """Templates, at most LEFT_OUT of them, searched with the others."""
        count = len(chosen) if len(chosen) > 1 else 0
        scales = grid_scales(chosen, self.extractor.grid_size)
        seen = grid_scales(chosen, self.templates_.views.sizes[0])
        for t in sorted({k * count // LEFT_OUT for k in range(LEFT_OUT)} if count else ()):
            votes, similarity, _ = self.templates_.find(chosen, t)
            votes[t], similarity[t] = np.nan, np.nan
            yield LeftOut(t, votes, similarity, chosen.shape(t), scales[t], seen[t])

    def _learn_errors(self) -> None:
        """Sets others_ and error_scale_."""
        index = self._fitted()
        self.others_ = np.empty((3, len(self.left_out_), index.shapes.shape[1]))
        for k, own in enumerate(self.left_out_):
            shapes = np.delete(index.shapes, own.row, axis=0)
            xy, confidence, _ = self._decide(own.votes, own.similarity, own.scale, shapes)
            cycle = index.cycle(None, xy, own.shape, own.row) * own.seen
            error = np.hypot(*(xy - index.shapes[own.row]).T)
            self.others_[:, k] = confidence, cycle / own.scale, error / own.scale
        confidence, cycle, errors = self.others_
        self.error_scale_ = error_scale(errors, self._expected(confidence, cycle))

    def _expected(self, confidence: np.ndarray, cycle: np.ndarray) -> np.ndarray:
        several = np.isfinite(self._fitted().shapes).all(axis=-1).sum(axis=0) > 1
        return expected_error(confidence, cycle, np.broadcast_to(several, cycle.shape))

    def learn_places(
        self,
        pool: Dataset,
        *,
        progress: Progress = None,
        workers: Workers | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> LandmarkDetector:
        """Learn from images without labels how far from its usual place, beside the others, each
        landmark may be; then the landmarks of an image are decided together. 100 images of the
        pool are looked at, those that are no templates; fewer than 10 say too little, and so do
        templates of fewer than 10 landmarks.

        Attributes set: reach_, in pixels of the grid.
        """
        index = self._fitted()
        if not isinstance(pool, Dataset):
            raise TypeError(f"pool must be a data set (scp.datasets), got {pool!r}")
        self.reach_ = None
        self._learn_errors()
        together = self.mode != "paper" if self.together is None else self.together
        rows = [i for i in range(len(pool)) if pool.ids[i] not in index.ids]
        if not together or len(rows) < FEWEST or index.present.sum(axis=1).max() < LEAST:
            return self
        count = min(SAMPLE, len(rows))
        some = pool.subset([rows[i * len(rows) // count] for i in range(count)])
        bar = renamed(progress, "usual places")
        found = self.predict(some, progress=bar, workers=workers, folder=folder)
        scales = grid_scales(some, self.extractor.grid_size)
        self.reach_ = reach_of(found.xy, found.confidence, scales, index.shapes)
        self._learn_errors()
        return self

    def add_pseudo_templates(
        self,
        pool: Dataset,
        count: int = PSEUDO_TEMPLATES,
        *,
        progress: Progress = None,
        workers: Workers | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> LandmarkDetector:
        """Let unlabelled images vote too: those `count` of a pool in which the templates' landmarks
        are found with most confidence, with the places found there. Worth it with one template
        only (docs/lab/experiments.md): what several agree on is better than what their finds say.

        Attributes set: pseudo_templates_, their ids. An image of the same id is not asked about
        itself.
        """
        index = self._fitted()
        count = whole(count, "count of pseudo-templates", 0)
        if not isinstance(pool, Dataset):
            raise TypeError(f"pool must be a data set (scp.datasets), got {pool!r}")
        bar = renamed(progress, "pseudo-templates")
        found = self.predict(pool, progress=bar, workers=workers, folder=folder)
        sure = np.where(found.present, found.confidence, 0).mean(axis=1)
        rows = [i for i in range(len(pool)) if pool.ids[i] not in index.ids and sure[i] > 0]
        rows = sorted(rows, key=lambda i: -sure[i])[:count]
        if rows:
            index.add(pool.subset(rows).with_landmarks(found.xy[rows], found.names))
        self.pseudo_templates_ += [pool.ids[i] for i in rows]
        return self

    def predict(
        self,
        images: Dataset | Iterable[np.ndarray],
        *,
        progress: Progress = None,
        workers: Workers | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> Detections:
        """The landmarks in other images; progress: see `scp.progress`.

        workers: processes that look for them, see `scp.distributed`; None: this one. folder: where
        their results go, if they have no shared place of their own.
        """
        index = self._fitted()
        images = as_dataset(images)
        scales = grid_scales(images, self.extractor.grid_size)
        seen = grid_scales(images, index.views.sizes[0])
        shape = len(index), len(index.views), len(images), index.present.shape[1]
        votes, similarity = np.empty((*shape, 2)), np.empty(shape, np.float32)
        xy, values = np.empty((*shape[2:], 2)), np.empty((4, *shape[2:]))
        template = np.empty(shape[2:], np.int64)
        bar = watch(progress, "landmarks", len(images))
        task = FindLandmarks(self, images, scales, seen)
        if workers is not None and len(images):
            images.white(0)  # known before, so that no worker looks for it
        results = for_each(task, range(len(images)), workers, folder)
        for done, (i, own) in enumerate(results, 1):
            votes[:, :, i], similarity[:, :, i] = own["votes"], own["similarity"]
            xy[i], template[i] = own["xy"], own["template"]
            values[:, i] = [own[name] for name in ("confidence", "error", "cycle", "presence")]
            if bar:
                bar(done, len(images))
        confidence, error, cycle, likely = values
        names = index.names or numbered(shape[3])
        return Detections(
            images.ids,
            names,
            xy,
            confidence,
            error,
            presence=None if self.reach_ is None else likely,
            templates=index.ids,
            template=template,
            votes=votes,
            similarity=similarity,
            cycle=cycle,
            images=images,
        )

    def fit_predict(
        self,
        images: Dataset,
        templates: Landmarks | Dataset | Sequence[int] | Sequence[str],
        *,
        pseudo_templates: int | None = None,
        progress: Progress = None,
    ) -> Detections:
        """Take some images of a data set as templates and find their landmarks in all of it; the
        templates keep their own (`Landmarks.source` says which is which).

        Args:
            images: all of them.
            templates: their rows or ids, or their landmarks, see `templates_among`.
            pseudo_templates: how many of the others vote too, see `add_pseudo_templates`; None:
                `usual_pseudo_templates`.
            progress: see `scp.progress`.
        """
        if not isinstance(images, Dataset):
            raise TypeError(f"images must be a data set (scp.datasets), got {images!r}")
        chosen = templates_among(images, templates)
        self.fit(chosen).learn_places(images, progress=progress)
        if pseudo_templates is None:
            pseudo_templates = usual_pseudo_templates(self, len(chosen))
        if pseudo_templates:
            self.add_pseudo_templates(images, pseudo_templates, progress=progress)
        return self.predict(images, progress=progress).with_marks(Landmarks.of(chosen))

    def _presence(self, xy, confidence, scale: float, shape: tuple[int, int]) -> np.ndarray:
        """Probabilities that the landmarks [L] of an image are there; NaN where nothing is known of
        their usual places."""
        shapes = self._fitted().shapes
        if self.reach_ is None:
            return np.full(len(xy), np.nan)
        places = usual_places(xy[None], confidence[None], shapes)[0]
        return presence(confidence, places, self.reach_ * scale, shape, shapes)

    def _decide(self, votes: np.ndarray, similarity: np.ndarray, scale: float, shapes: np.ndarray):
        """One image from its votes [T][V][L][2], the usual places by these templates' landmarks:
        see `combine`."""
        templates, _, count = similarity.shape
        votes, similarity = votes.reshape(-1, count, 2), similarity.reshape(-1, count)
        weights = np.tile(self._fitted().views.weights, templates)
        xy, confidence, vote = combine(votes, similarity, self.rule, AGREE * scale, weights)
        for _ in range(0 if self.reach_ is None else ROUNDS):
            places = usual_places(xy[None], confidence[None], shapes)[0]
            reach = self.reach_ * scale
            trust = trust_of(votes, places, reach)
            xy, confidence, vote = combine(votes, similarity, self.rule, reach, weights, trust)
        return xy, confidence, vote

    def _fitted(self) -> Templates:
        templates = getattr(self, "templates_", None)
        if templates is None:
            raise RuntimeError("the detector has no templates yet: call fit")
        return templates
