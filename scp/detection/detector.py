"""Template matching: landmarks of a few annotated images, found in all the others (the paper,
Eq. 1, Eq. 2, Eq. 3 and Eq. 4).

Every template says of every landmark where it is in an image and how similar it looks there. One
rule makes one answer of these votes. A template votes once per view: template and image are resized
(and turned, if asked for) alike. Features of larger images are sharper and err further, those of
smaller ones know where in the image they are; places that only one view finds are outvoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..datasets import Dataset, arrays
from ..features import FeatureExtractor, GradientExtractor
from ..landmarks import Landmarks
from ..progress import Progress, renamed, watch
from .matches import grid_scales
from .templates import MODES, Templates
from .views import VIEWS
from .votes import AGREE, RULES, combine

PSEUDO_TEMPLATES = 10


def usual_views(extractor: FeatureExtractor | GradientExtractor, mode: str = "bilinear") -> int:
    """How many of VIEWS vote where nobody says: all with trained features; one with gradient
    features, which know too little of where they are in a larger image, and as in the paper."""
    return len(VIEWS) if extractor.name == "trained" and mode != "paper" else 1


def usual_pseudo_templates(detector: LandmarkDetector, templates: int) -> int:
    """How many images `LandmarkDetector.add_pseudo_templates` takes where nobody says:
    PSEUDO_TEMPLATES for one template and several views, which is what they were found useful for;
    else none."""
    return PSEUDO_TEMPLATES if templates == 1 and detector.views > 1 else 0


@dataclass(frozen=True)
class Detections:
    """Landmarks found in N images from M templates.

    Attributes:
        ids, names: of images and landmarks. templates: ids of the M templates; pseudo-templates
            (`LandmarkDetector.add_pseudo_templates`) are templates too, the last ones.
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
        extractor: FeatureExtractor | GradientExtractor,
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
        self.pseudo_templates_: list[str] = []

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {k: getattr(self, k) for k in ("extractor", "rule", "mode", "views")}

    def set_params(self, **params: Any) -> LandmarkDetector:
        """Other arguments of the constructor; the templates are forgotten."""
        self.__init__(**{**self.get_params(), **params})
        return self

    def fit(
        self,
        images: Dataset | Iterable[np.ndarray],
        landmarks: ArrayLike | Landmarks | None = None,
    ) -> LandmarkDetector:
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
        self.pseudo_templates_ = []
        return self

    def add_pseudo_templates(
        self,
        pool: Dataset,
        count: int = PSEUDO_TEMPLATES,
        *,
        progress: Progress = None,
    ) -> LandmarkDetector:
        """Let unlabelled images vote too: those `count` of a pool in which the templates' landmarks
        are found with most confidence, with the places found there. Worth it with one template
        only (docs/experiments.md): what several agree on is better than what their finds say.

        Attributes set: pseudo_templates_, their ids. An image of the same id is not asked about
        itself.
        """
        index = self._fitted()
        if count < 0:
            raise ValueError(f"count of pseudo-templates must be at least 0, got {count}")
        found = self.predict(pool, progress=renamed(progress, "pseudo-templates"))
        rows = [i for i in range(len(pool)) if pool.ids[i] not in index.ids]
        rows = sorted(rows, key=lambda i: -found.confidence[i].mean())[:count]
        if rows:
            index.add(pool.subset(rows).with_landmarks(found.xy[rows], found.names))
        self.pseudo_templates_ += [pool.ids[i] for i in rows]
        return self

    def predict(
        self,
        images: Dataset | Iterable[np.ndarray],
        *,
        progress: Progress = None,
    ) -> Detections:
        """The landmarks in other images; progress: see `scp.progress`."""
        index = self._fitted()
        images = images if isinstance(images, Dataset) else arrays(images)
        scales = grid_scales(images, self.extractor.size)
        seen = grid_scales(images, index.views.sizes[0])
        shape = len(index), len(index.views), len(images), index.present.shape[1]
        votes, similarity = np.empty((*shape, 2)), np.empty(shape, np.float32)
        xy, confidence, error = np.empty((*shape[2:], 2)), np.empty(shape[2:]), np.empty(shape[2:])
        template = np.empty(shape[2:], np.int64)
        bar = watch(progress, "landmarks", len(images))
        for i in range(len(images)):
            votes[:, :, i], similarity[:, :, i], pyramid = index.find(images, i)
            if images.ids[i] in self.pseudo_templates_:
                own = (
                    len(index)
                    - len(self.pseudo_templates_)
                    + self.pseudo_templates_.index(images.ids[i])
                )
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
            if bar:
                bar(i + 1, len(images))
        names = index.names or [str(k + 1) for k in range(shape[3])]
        return Detections(
            images.ids, names, index.ids, xy, confidence, template, error, votes, similarity
        )

    def fit_predict(
        self,
        images: Dataset,
        templates: Sequence[int],
        *,
        pseudo_templates: int | None = None,
        progress: Progress = None,
    ) -> Detections:
        """Take some images of a data set as templates and find their landmarks in all of it.

        pseudo_templates: how many of the others vote too, see `add_pseudo_templates`; None:
            `usual_pseudo_templates`.
        """
        self.fit(images.subset(templates))
        if pseudo_templates is None:
            pseudo_templates = usual_pseudo_templates(self, len(templates))
        if pseudo_templates:
            self.add_pseudo_templates(images, pseudo_templates)
        return self.predict(images, progress=progress)

    def _fitted(self) -> Templates:
        if self.templates_ is None:
            raise RuntimeError("the detector has no templates yet: call fit")
        return self.templates_


def annotated(
    images: Dataset | Iterable[np.ndarray], landmarks: ArrayLike | Landmarks | None = None
) -> Dataset:
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
