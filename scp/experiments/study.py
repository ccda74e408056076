"""What the tables and figures share: data, features, similarity, choices, records.

Everything is made on first use and kept in the run folder, so a stopped study goes on and the next
table finds it there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..baselines import vectors
from ..detection import usual_views
from ..evaluation.metrics import check_radii
from ..keypoints import detect
from ..progress import Progress, watch
from ..run import Run
from ..runs import RunFolder
from ..runs.fingerprints import from_16_bits, to_16_bits
from ..selection import METHODS, Problem, Selection, select
from ..similarity import SimilarityJob, client_weights, code_direction
from ..values import whole
from .data import Data
from .records import Record, record

EVALUATIONS = ("both", "honest", "paper")
DIRECTIONS = ("paper", "code")
CANDIDATES = ("all", "without-first")
KEYPOINTS_OF = ("each", "first")
FOLDER = "reproduce"  # in the run folder


@dataclass(frozen=True)
class Options:
    """How a study chooses and measures.

    Args:
        evaluation: "paper": as the released code, in the training images with the templates among
            them, on whole pixels of the grid, nearest, Eq. 3; "honest": in test images, in the
            original pixels, bilinear, by Eq. 3 in one view and by `rule` in `views`; "both".
        rule, views: of `scp.LandmarkDetector`; views None: as many as usual with these features.
        radii: of success rates, in the unit of the errors; None: those of the data.
        draws: random sets of templates. random_state: of these and of random searches.
        method, searches, max_nodes: of `scp.select`; searches: draws of method "random".
        direction: "paper": key points of an image searched in the templates; "code": key points of
            the templates searched in the images, as in the released code (Eq. 7 says the first).
        candidates: "without-first": the first image is never chosen for M > 1 (released code).
        keypoints_of: "first": the key points of the first image for all images (released code).
    """

    evaluation: str = "both"
    rule: str = "agreeing"
    views: int | None = None
    radii: Sequence[float] | None = None
    draws: int = 1000
    random_state: int = 0
    method: str = "swap"
    searches: int = 100_000
    max_nodes: int = 1_000_000
    direction: str = "paper"
    candidates: str = "all"
    keypoints_of: str = "each"

    def __post_init__(self):
        for name, allowed in (
            ("evaluation", EVALUATIONS),
            ("method", METHODS),
            ("direction", DIRECTIONS),
            ("candidates", CANDIDATES),
            ("keypoints_of", KEYPOINTS_OF),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )
        for name, least in (("draws", 1), ("searches", 1), ("max_nodes", 0)):
            whole(getattr(self, name), name, least)
        if self.radii is not None:
            check_radii(self.radii)

    def of_the_code(self) -> list[str]:
        """The choices of the released code that are on, in words."""
        out = []
        if self.direction == "code":
            out.append("key points of the templates are searched in the images")
        if self.candidates == "without-first":
            out.append("the first image is never chosen for M > 1")
        if self.keypoints_of == "first":
            out.append("all images have the key points of the first")
        return out


@dataclass(frozen=True)
class Case:
    """One way to measure: a record, a rule, and whether templates count in themselves."""

    key: str
    title: str
    record: Record
    rule: str
    others: bool = False

    def mre(self, rows: Sequence[int]) -> float:
        """Mean radial error of a set of templates, in the unit of the data."""
        return self.record.mre(rows, self.rule, self.others)

    def similarity(self, rows: Sequence[int]) -> float:
        """Landmark similarity of a set (Eq. 6)."""
        return self.record.similarity(rows, self.others)


class Study:
    """Data, features and options, and what comes of them.

    Args:
        data: from `scp.experiments.load`.
        extractor: of features.
        run: a run folder; files of `scp select` are used and made there, others in "reproduce".
        options: see `Options`.
        progress: see `scp.progress`.
        keypoints: "sift", "surf", "orb" or "random", what is compared to choose.
    """

    def __init__(
        self,
        data: Data,
        extractor,
        run: str | os.PathLike[str],
        options: Options | None = None,
        progress: Progress = None,
        keypoints: str = "sift",
    ):
        self.data, self.extractor, self.run = data, extractor, RunFolder.of(run)
        options = options or Options()
        if options.views is None:
            options = replace(options, views=usual_views(extractor))
        self.options, self.progress, self.keypoints = options, progress, keypoints
        self.folder = RunFolder(self.run / FOLDER)
        self._kept: dict = {}

    @property
    def ids(self) -> list[str]:
        return self.data.train.ids

    @property
    def unit(self) -> str:
        """Of errors: "mm", "px" or "%"."""
        return self.data.unit.short

    @property
    def about(self) -> str:
        """A sentence for notes: which images, and what errors are counted in."""
        text = f"{self.data.name}. Errors are in {self.data.unit.words}."
        if self.data.wrist is not None and self.options.evaluation != "honest":
            text += " 'paper' measures the wrist on the grid, as the code of the paper's relatives."
        return text

    @property
    def radii(self) -> tuple[float, ...]:
        """Of success rates, in the unit."""
        return tuple(self.data.radii if self.options.radii is None else self.options.radii)

    def check_sizes(self, sizes: Sequence[int]) -> None:
        """ValueError for an M that the pool cannot give."""
        for m in sizes:
            if not 1 <= m <= len(self.ids):
                raise ValueError(f"M = {m}: the pool holds {len(self.ids)} images; see -m")

    def bar(self, name: str, total: int) -> Callable[[int, int], object]:
        """To be called with (done, total)."""
        return watch(self.progress, name, total) or (lambda done, total: None)

    def _once(self, key, make):
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    # ---- measuring ----

    def record(
        self, way: str, views: int | None = None, rows: Sequence[int] | None = None
    ) -> Record:
        """ "paper" or "honest": see `Options`. rows: of the pool, the templates; None: all."""
        views = self.options.views if views is None else views
        key = "record", way, views, None if rows is None else tuple(rows)
        return self._once(key, lambda: self._record(way, views, rows))

    def _record(self, way: str, views: int, rows: Sequence[int] | None) -> Record:
        train = self.data.train
        templates = train if rows is None else train.subset(list(rows))
        some = "" if rows is None else "-some"
        rest = {"folder": self.folder, "progress": self.progress, "unit": self.data.unit}
        if way == "paper":
            found = record(
                self.extractor,
                templates,
                train,
                mode="paper",
                way="grid",
                name=f"matches-paper{some}",
                grid_spacing=self.data.grid_spacing(train, self.extractor.grid_size),
                **rest,
            )
            return found if rows is None else replace(found, own=np.array(rows, np.int64))
        if self.data.test is None:
            raise ValueError("the honest evaluation needs test images")
        images = self.data.test.subset(self.data.distinct)
        name = "matches-honest" if views == 1 else f"matches-honest-{views}-views"
        return record(self.extractor, templates, images, views=views, name=name + some, **rest)

    def cases(self, rows: Sequence[int] | None = None) -> list[Case]:
        """The ways to measure that the options ask for, with these rows of the pool as templates,
        which are then counted from 0; None: all."""
        out, o = [], self.options
        n = len(self.ids)
        if o.evaluation in ("both", "paper"):
            of = self.record("paper", rows=rows)
            out.append(
                Case(
                    "paper",
                    f"as the paper: {n} training images, templates among them, Eq. 3",
                    of,
                    "confident",
                )
            )
            out.append(
                Case(
                    "paper-others", "as the paper, but no template in itself", of, "confident", True
                )
            )
        if o.evaluation in ("both", "honest"):
            of = self.record("honest", rows=rows)
            count = len(of.truth)
            out.append(
                Case(
                    "honest-eq3",
                    f"honest: {count} test images, Eq. 3",
                    of.first_view(),
                    "confident",
                )
            )
            if o.rule != "confident":
                out.append(
                    Case(
                        f"honest-{o.rule}",
                        f"honest: {count} test images, rule {o.rule!r}",
                        of,
                        o.rule,
                    )
                )
        return out

    # ---- choosing ----

    @property
    def keypoint_options(self) -> dict:
        """Of the detector, for such images; detectors other than SIFT are asked as usual."""
        return dict(self.data.keypoint_options) if self.keypoints == "sift" else {}

    def matrix(self) -> tuple[np.ndarray, np.ndarray]:
        """Similarity of key points, float32 [N][Q], and weights [Q], as the options ask for."""
        return self._once("matrix", self._matrix)

    def _stages(self) -> Run:
        """The stages of a choice; those of `scp select` are in the study's run folder."""
        return self._once(
            "stages",
            lambda: Run(
                self.data.train,
                None if self.options.keypoints_of == "first" else self.run.path,
                features=self.extractor,
                keypoints=self.keypoints,
                keypoint_options=self.keypoint_options,
                random_state=self.options.random_state,
                sample=None,  # the paper's tables are of all key points
                progress=self.progress,
            ),
        )

    def vectors(self, kind: str) -> np.ndarray:
        """A vector of each image of the pool, see `scp.baselines.vectors`."""

        def make():
            points = self._stages().points() if kind == "keypoints" else None
            return vectors(
                self.data.train, kind, self.extractor, points=points, progress=self.progress
            )

        return self._once(("vectors", kind), make)

    def _matrix(self):
        train, first = self.data.train, self.options.keypoints_of == "first"
        run = self._stages()
        pool = run.points()
        if first:
            folder = RunFolder(self.folder / "keypoints-of-first").path
            points = [pool.points[0]] * len(train)
            job = SimilarityJob(pool.image, len(train), points, self.extractor, digest=pool.digest)
            values, _ = job.run(folder, progress=self.progress)
            offsets = job.offsets
        else:
            (values, _), offsets = run.similarity(), pool.offsets
        values = np.ascontiguousarray(values)
        if self.options.direction == "code":
            return code_direction(values, offsets)
        return values, client_weights(offsets)

    def scores(self) -> np.ndarray:
        """Score of each single image, float64 [N] (the paper, Eq. 9)."""
        values, weights = self.matrix()
        return values.astype(np.float64) @ weights

    def picks(self, sizes: Sequence[int]) -> dict[int, Selection]:
        """SCP's choice for each M."""
        self.check_sizes(sizes)
        missing = [m for m in sorted(set(sizes)) if ("pick", m) not in self._kept]
        o = self.options
        for m in missing:
            values, weights = self.matrix()
            self._kept["pick", m] = select(
                values,
                m,
                weights=weights,
                method=o.method,
                exclude=self.excluded(m),
                draws=o.searches,
                random_state=o.random_state,
                max_nodes=o.max_nodes,
            )
        return {m: self._kept["pick", m] for m in sizes}

    def excluded(self, m: int) -> list[int]:
        """Rows that may not be among m templates."""
        return [0] if self.options.candidates == "without-first" and m > 1 else []

    def names(self, rows: Sequence[int]) -> list[str]:
        return [self.ids[i] for i in rows]

    # ---- key points of several kinds ----

    def keypoint_matrices(
        self, distances: Sequence[float], counts: Sequence[int], m: int = 1
    ) -> dict[tuple[str, float], Problem]:
        """Problems of other key points, from one matrix of them all.

        Args:
            distances: squared pixels between key points, all that are left are taken.
            counts: how many key points at 10 pixels of distance.
            m: for how many templates.

        Returns:
            ("distance", d) and ("count", k): a problem each; its q is the number of key points.
        """
        train, size = self.data.train, self.extractor.grid_size
        kinds = [("distance", d) for d in distances] + [("count", k) for k in counts]
        points, columns, start = [], {kind: [] for kind in kinds}, 0
        numbers = {kind: [] for kind in kinds}
        bar = self.bar("key points", len(train))
        for i in range(len(train)):
            image = train.grid(i, size)
            place: dict[tuple[float, float], int] = {}
            options = {**self.keypoint_options, "label": train.ids[i], "count": 1 << 20}
            spread = {
                d: detect(image, **{**options, "min_distance": d**0.5}).xy
                for d in {*distances, 100}
            }
            for kind in kinds:
                xy = spread[kind[1]] if kind[0] == "distance" else spread[100][: kind[1]]
                rows = [place.setdefault(tuple(p), len(place)) for p in xy.tolist()]
                columns[kind] += [start + r for r in rows]
                numbers[kind].append(len(rows))
            points.append(np.array(list(place), np.float32).reshape(-1, 2))
            start += len(place)
            bar(i + 1, len(train))

        def image(i):
            return from_16_bits(to_16_bits(train.grid(i, size)))

        job = SimilarityJob(image, len(train), points, self.extractor)
        values, _ = job.run(RunFolder(self.folder / "keypoints").path, progress=self.progress)
        out = {}
        for kind in kinds:
            offsets = np.concatenate([[0], np.cumsum(numbers[kind])]).astype(np.int64)
            if offsets[-1]:
                part = np.ascontiguousarray(values[:, columns[kind]])
                clients = part, client_weights(offsets)
                if self.options.direction == "code":
                    clients = code_direction(part, offsets)
                out[kind] = Problem(*clients, exclude=self.excluded(m))
        return out
