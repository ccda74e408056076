"""The stages of a run after a choice: marks to fill in, and landmarks found from them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import Dataset
from ..detection import Detections, LandmarkDetector, templates_among, usual_pseudo_templates
from ..distributed import Workers
from ..features import ImageVectors, check_extractor
from ..features.base import BaseExtractor
from ..landmarks import Landmarks, write_kept
from ..progress import Progress
from ..report import show_landmarks
from ..runs.folder import LANDMARKS, MARKS, REPORT, SELECTION
from ..selection import Choice, chosen_ids
from .hand import HandWork
from .held import Held, held
from .marks import given_marks, landmark_names, marks_to_fill
from .next import Shell, Step, after_finding, after_select
from .spacing import add_spacing


class Finding(Held):
    """The part of `Run` that works with landmarks."""

    extractor: BaseExtractor | ImageVectors
    progress: Progress
    workers: Workers | None
    shell: Shell | None
    _choice: Choice | None
    _asked: dict[str, Any]

    def detect(
        self,
        templates: Landmarks | Dataset | Sequence[int] | Sequence[str] | None = None,
        *,
        rule: str = "agreeing",
        mode: str = "bilinear",
        views: int | Sequence[tuple[float, float]] | None = None,
        pseudo_templates: int | None = None,
        together: bool | None = None,
        every: bool = False,
        out: str | os.PathLike[str] | None = None,
        write: bool = True,
    ) -> Detections:
        """The landmarks of annotated images, found in all images; landmarks.csv is written and the
        report shows them.

        Points that a person gave are never replaced by what is found: the marks of the templates,
        and points of an earlier landmarks.csv that were corrected there, which are used as marks
        too. `source` of the result says which is which.

        Args:
            templates: the annotated images: landmarks of some of the images; or these images as a
                data set; or their rows or ids, where the data set has landmarks; None: see
                `annotated`.
            rule, mode, views, together, every: see `scp.LandmarkDetector`.
            pseudo_templates: how many images vote too, see
                `LandmarkDetector.add_pseudo_templates`; None: `usual_pseudo_templates`.
            out: a file instead of landmarks.csv in the run folder. write: False writes nothing.
        """
        check_extractor(self.extractor, "features")
        given = given_marks(self.path) if templates is None else templates
        images = self.annotated(given)
        writes = write and (out is not None or self.path is not None)
        if writes:
            self.dataset.rows(images.ids, "templates")
        options = {"rule": rule, "mode": mode, "views": views, "together": together}
        options["every"] = every
        with self.holding(write and out is None):
            hand = self._hand(images, out, given)
            known = hand.templates()
            detector = LandmarkDetector(extractor=self.extractor, **options).fit(known)
            how = {"progress": self.progress, "workers": self.workers, "folder": self.path}
            detector.learn_places(self.dataset, **how)
            if pseudo_templates is None:
                pseudo_templates = usual_pseudo_templates(detector, len(known))
            if pseudo_templates:
                detector.add_pseudo_templates(self.dataset, pseudo_templates, **how)
            with self._stage("landmarks"):
                found = hand.put_in(detector.predict(self.dataset, **how))
            if writes:
                self._keep(found, hand, out)
        return found

    def chosen(self) -> list[int]:
        """Rows of the chosen images: of this run, or of selection.json in its folder."""
        if self._choice is not None:
            return [int(i) for i in self._choice.selection.selected]
        path = Path(self.path or "", SELECTION)
        if self.path is None or not path.is_file():
            raise ValueError(f"there is no {path}: run scp select first, or give templates")
        return self.dataset.rows(chosen_ids(path), str(path))

    def annotated(
        self, templates: Landmarks | Dataset | Sequence[int] | Sequence[str] | None = None
    ) -> Dataset:
        """Annotated images with their landmarks; arguments as in `detect`.

        templates=None: those with a point in marks.csv of the run folder; if there are none, those
        chosen, with the landmarks of the data set.
        """
        if templates is None:
            templates = given_marks(self.path)
        if templates is not None:
            return templates_among(self.dataset, templates)
        if self.dataset.landmarks is None:
            where = "the marks of the chosen images" if self.path is None else self.path / MARKS
            raise ValueError(
                "templates are needed: these images come without landmarks, and nothing is filled "
                f"in in {where}"
            )
        return templates_among(self.dataset, self.chosen())

    def has_marks(self) -> bool:
        """Whether a person filled in marks.csv of the run folder."""
        return given_marks(self.path) is not None

    @held
    def marks_to_fill(self, names: str | os.PathLike[str] | Sequence[str] = ()) -> Path:
        """Write marks.csv: a line for each landmark of each chosen image (and of those that were
        annotated before the choice), for a person to fill in. What is filled in stays.

        names: of the landmarks; or a file of names or landmarks; or "cephalometric-19"; none: those
            of the file that is there, or of the data set.
        """
        names = landmark_names(names)
        if self.folder is None:
            raise ValueError("run: a run without a folder has no marks.csv")
        rows = dict.fromkeys([*self.chosen(), *(self._asked.get("initial") or ())])
        ids = [self.dataset.ids[i] for i in rows]
        return marks_to_fill(self.folder, ids, names, self.dataset.landmark_names)

    def next_steps(
        self,
        found: Landmarks | None = None,
        out: str | os.PathLike[str] | None = None,
        refined: bool = False,
    ) -> list[Step]:
        """What to do next, each a sentence and a command or line of Python ("": none): after the
        choice, or after these landmarks were found.

        out: where they were written, if not to landmarks.csv. refined: by a network.
        """
        if found is None:
            return after_select(self)
        file = Path(self.path or "", LANDMARKS) if out is None else Path(out)
        return after_finding(self, found, file, refined)

    def keep(
        self,
        landmarks: Landmarks,
        templates: Landmarks | Dataset | Sequence[int] | Sequence[str] = (),
        out: str | os.PathLike[str] | None = None,
    ) -> Landmarks:
        """Write landmarks found, to landmarks.csv of the run folder or to `out`; those of the
        folder are shown in its report too. Marks and corrections are put in as in `detect`.

        templates: the annotated images, as in `detect`.
        Returns the landmarks as they are written.
        """
        if out is None and self.path is None:
            raise ValueError("out: a run without a folder needs a file")
        given = len(templates) > 0
        images = templates_among(self.dataset, templates) if given else self.dataset.subset([])
        with self.holding(out is None):
            hand = self._hand(images, out, templates)
            found = hand.put_in(landmarks)
            self._keep(found, hand, out)
        return found

    def _hand(self, images: Dataset, out: str | os.PathLike[str] | None, given: Any) -> HandWork:
        files = [] if self.path is None else [self.path / LANDMARKS]
        files += [] if out is None else [Path(out)]
        marks = given if isinstance(given, Landmarks) else None
        return HandWork(self.dataset, images, files, marks)

    def _keep(self, found: Landmarks, hand: HandWork, out) -> None:
        usual = None if self.path is None else self.path / LANDMARKS
        target = usual if out is None else Path(out)
        write_kept(target, found, hand.unclear.get(target, ""))
        if target == usual:
            add_spacing(self.folder, self.dataset)
            rows = np.flatnonzero(np.isin(self.dataset.ids, hand.images.ids))
            steps = self.next_steps(found, out, not isinstance(found, Detections))
            remark = self.extractor.hardly_trained
            report = self.path / REPORT
            show_landmarks(report, self.dataset, found, rows, steps=steps, remark=remark)
