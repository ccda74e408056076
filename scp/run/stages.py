"""The stages of a run: each reads what is done, in memory or in the run folder, or computes it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import devices
from ..baselines import ACTIVE
from ..baselines import METHODS as OTHERS
from ..datasets import Dataset, find_duplicates, find_inverted, pictures
from ..datasets import folder as open_folder
from ..distributed import Workers
from ..features import ImageVectors, PyramidStore, extractor_for
from ..features.own import Given
from ..keypoints import Pool
from ..progress import Progress
from ..report import cells
from ..runs import made_by, run_settings, unfinished
from ..runs.folder import CONFIG, SAMPLED, SELECTION
from ..selection import (
    METHODS,
    Choice,
    image_warnings,
    row_numbers,
    warnings_of,
    write_selection,
)
from ..selection.rows import check_memory, select_within
from ..similarity import (
    Estimate,
    PointVectors,
    SimilarityJob,
    VectorSimilarity,
    WholeImages,
    client_weights,
    cycle_distances,
    expected_error,
    image_distances,
    trusted,
)
from ..values import whole, whole_numbers
from .annotating import Annotating
from .edited import keep_edited
from .exporting import Exporting
from .finding import Finding
from .held import held
from .measuring import Measuring
from .next import Shell
from .other import asked_by, check_other, chosen_by, said, words
from .reporting import Reporting
from .sampling import Sampling, memory_of, sample_size
from .spacing import keep_spacing, spacing_entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCORES = ("similarity", "cycle")


class Run(Reporting, Finding, Annotating, Measuring, Exporting):
    """The stages of a choice: each reads what is done, in memory or in the run folder, and computes
    what is not.

        run = scp.Run(pool, "runs/mine")
        run.estimate()                      # time and memory, before the long part
        choice = run.select(5)              # key points and similarity are computed first
        run.report()
        found = run.detect(scp.read_landmarks("marks.csv"))

    Args:
        dataset: a `scp.datasets.Dataset`.
        run: a run folder, for the files (docs/reference/files.md). A stopped run goes on from
            there. None: nothing is written.
        features: a FeatureExtractor or GradientExtractor; or "trained" (those in the run folder),
            "gradient", "auto" (trained if there are any); or your own, see
            `scp.features.own_features` (docs/how-to/own-features.md). feature_ids: whose the rows
            of those are, where they are arrays.
        keypoints, count, keypoint_options: see `scp.keypoints.detect`.
        mode, epsilon, max_memory: see `scp.SimilarityJob`.
        score: what a choice is to maximise: "similarity" (the paper, Eq. 9); "cycle": the same,
            with each similarity discounted by how far its key point comes back from the place
            found (`scp.similarity.cycle`).
        device: where similarity and selection run: "auto", "cpu", "cuda", "cuda:1"; see
            `scp.devices.resolve`. The results are the same bits.
        random_state: of the key points and of the search.
        sample: how many key points to sample for the similarity; None: all; "auto": all of pools of
            up to 2,000 images, and 8,192 of larger ones. From a sample, the score is exact, and the
            bound holds with 99 % probability (docs/how-to/large-pools.md).
        duplicates: look for images that show the same picture. progress: see `scp.progress`.
        workers: processes that do the work on images, see `scp.distributed`; None: this one.

    Attributes:
        extractor: of the features. elapsed: seconds by stage. folder: a RunFolder, or None.
    """

    def __init__(
        self,
        dataset: Dataset,
        run: str | os.PathLike[str] | None = None,
        *,
        features: Given = "auto",
        feature_ids: str | os.PathLike[str] | Sequence[str] | None = None,
        keypoints: str = "sift",
        count: int = 100,
        keypoint_options: Mapping[str, Any] | None = None,
        mode: str = "nearest",
        epsilon: float = 1e-3,
        score: str = "similarity",
        max_memory: int | None = None,
        device: str = "auto",
        random_state: int = 0,
        sample: int | str | None = "auto",
        duplicates: bool = True,
        progress: Progress = None,
        workers: Workers | None = None,
    ):
        devices.resolve(device)  # an error now, not after the key points
        if not isinstance(dataset, Dataset):
            raise TypeError(
                f"dataset must be a data set, such as scp.datasets.folder(path), got {dataset!r}"
            )
        if len(dataset) == 0:
            raise ValueError("dataset: holds no images")
        super().__init__(dataset, run)
        if score not in SCORES:
            raise ValueError(f"score must be one of {', '.join(SCORES)}, got {score!r}")
        if isinstance(features, type):
            raise TypeError(f"features must be an object, not the class {features!r}")
        self.progress, self.workers = progress, workers
        extractor = extractor_for(run, features, feature_ids=feature_ids)
        self.extractor = extractor.of_images(self.dataset)
        self.whole_images = isinstance(extractor, ImageVectors)
        if self.whole_images:
            usual = (keypoints, count, mode, score) == ("sift", 100, "nearest", "similarity")
            if not usual or keypoint_options:
                raise ValueError(
                    "keypoints, count, mode, score: vectors of whole images have no key points, so "
                    "these have no effect"
                )
        self.keypoints, self.count = keypoints, whole(count, "count", 1)
        self.keypoint_options = dict(keypoint_options or {})
        self.mode, self.epsilon, self.score = mode, epsilon, score
        self.max_memory, self.device = max_memory, device
        self.random_state, self.duplicates = random_state, duplicates
        self.sample = sample_size(sample, self)
        self._asked: dict[str, Any] = {}  # of select
        self._choice: Choice | None = None
        self.shell: Shell | None = None  # of the command line, for the commands that come next

    @classmethod
    def open(
        cls,
        run: str | os.PathLike[str],
        dataset: Dataset | None = None,
        *,
        features: Given | None = None,
        progress: Progress = None,
        workers: Workers | None = None,
    ) -> Run:
        """The run that a run folder holds, with the settings of its config.toml.

        Args:
            run: the run folder of an earlier run.
            dataset: its images; None: the folder of images that config.toml names.
            features: those of the run; None: made or loaded as config.toml says.
            progress, workers: see `Run`.
        """
        path = Path(run, CONFIG)
        source, made_of, options = run_settings(path)
        if dataset is None:
            if source.get("name") != "folder":
                raise ValueError(
                    f"dataset: {path} names a data set of the kind {source.get('name')!r}; open it "
                    "with scp.datasets and give it here"
                )
            dataset = open_folder(source["root"])
        if features is None and not made_of.get("source", "named"):
            raise ValueError(f"features: those of {path} were values of Python; give them here")
        given = made_by(made_of) if features is None else {"features": features}
        extractor = extractor_for(run, **given).of_images(dataset)
        if extractor.parameters() != made_of:
            raise ValueError(
                f"features: {path} names others than these; give those of the run, or select again"
            )
        options |= {"progress": progress, "workers": workers}
        return cls(dataset, run, features=extractor, **options)

    def __repr__(self) -> str:
        where = "nothing is written" if self.path is None else self.path
        chosen = "" if self._choice is None else f"{len(self._choice.ids)} chosen, "
        name = self.extractor.name
        return f"<Run: {len(self.dataset)} images, {name} features, {chosen}{where}>"

    def _repr_html_(self) -> str:
        shown = cells.paragraph(repr(self)[1:-1])
        return shown if self._choice is None else shown + self._choice._repr_html_()

    def plot(self, ax: Axes | None = None) -> Axes:
        """The choice (`Choice.plot`), or the images where none was made yet (`Dataset.plot`), drawn
        with matplotlib. ax: where to draw; None: a new figure. Returns the axes."""
        return (self.dataset if self._choice is None else self._choice).plot(ax)

    def check(
        self, m: int | Sequence[int] | None, rules: dict[str, Any]
    ) -> tuple[list[int] | None, dict[str, Any]]:
        """Ascending numbers of images to choose, and rules with row numbers; ValueError names what
        is wrong, before any work."""
        n = len(self.dataset)
        several = [] if m is None else m if np.iterable(m) else [m]
        sizes = None if m is None else sorted(set(whole_numbers(several, "m")))
        if m is None and rules.get("budget") is None:
            raise ValueError("m: as many as the budget allows (None, any) needs costs and budget")
        for name in {"random_state", "device"} & set(rules):
            raise TypeError(f"{name} is a setting of Run, not a rule of select")
        if sizes == []:
            raise ValueError("m: at least one number of images is needed, got an empty list")
        if sizes and not 1 <= sizes[0] <= sizes[-1] <= n:
            raise ValueError(f"m must be 1 to {n} (the number of images), got {m}")
        return sizes, row_numbers(rules, self.dataset.ids)

    # ---- stages ----

    @cached_property
    def duplicate_pairs(self) -> list[tuple[str, str, str]]:
        """(id, id, kind) of images that show the same picture."""
        if not self.duplicates or len(self.dataset) < 2:
            return []
        with self._stage("duplicates"):
            pairs = find_duplicates(self.dataset, self.progress, self._pictures)
        return [(self.dataset.ids[p.a], self.dataset.ids[p.b], p.kind) for p in pairs]

    @cached_property
    def _pictures(self) -> np.ndarray:
        with self._stage("duplicates"):
            return pictures(self.dataset, self.progress, self.path, self.workers)

    @cached_property
    def inverted(self) -> list[str]:
        """Ids of images that look like negatives of the others."""
        rows = find_inverted(self.dataset, seen=self._pictures)
        return [self.dataset.ids[i] for i in rows]

    def image_warnings(self) -> list[str]:
        """Different ranges, and negatives: what makes answers on images wrong without a sign."""
        return image_warnings(self.dataset, self.inverted)

    @cached_property
    def _pool(self) -> Pool | WholeImages:
        if self.whole_images:
            return WholeImages(self.dataset, self.folder)
        with self._stage("key points"):
            pool = Pool(
                self.dataset,
                self.extractor,
                self.keypoints,
                self.count,
                random_state=self.random_state,
                progress=self.progress,
                run=self.folder,
                max_memory=self.max_memory,
                workers=self.workers,
                **self.keypoint_options,
            )
        if pool.offsets[-1] == 0:
            raise ValueError(
                f"keypoints: {self.keypoints} finds no key point in any image; try another method"
            )
        return pool

    @held
    def points(self) -> Pool | WholeImages:
        """The images with their key points (`scp.keypoints.Pool`, or
        `scp.similarity.WholeImages`)."""
        return self._pool

    @cached_property
    def _job(self) -> SimilarityJob | VectorSimilarity:
        pool = self._pool
        if self.whole_images:
            return VectorSimilarity(self.extractor, self.dataset, self.max_memory)
        if self._sampling is not None:
            return self._sampling.job
        return SimilarityJob(
            pool.image,
            len(self.dataset),
            pool.points,
            self.extractor,
            digest=pool.digest,
            pyramid=pool.pyramid,
            queries=None if self.workers is None else self._vectors,
            workers=self.workers,
            remote=pool.images.pyramid,
            **self._searched(),
        )

    @cached_property
    def _memory(self) -> dict[str, Any]:
        return memory_of(self._job, self.folder)

    def _vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Of all key points, by the workers."""
        found = PointVectors(self._job, self._pool.points, self.path, self.progress)
        return found.of_images(range(len(self.dataset)))

    def _searched(self) -> dict[str, Any]:
        """How, for a SimilarityJob."""
        said = {"mode": self.mode, "epsilon": self.epsilon, "max_memory": self.max_memory}
        return {**said, "device": self.device, "held": self._pool.held()}

    @cached_property
    def _sampling(self) -> Sampling | None:
        if self.sample is None:
            return None
        settings, where = self._searched(), (self.folder, self.progress, self.workers)
        return Sampling(self._pool, self.sample, self.random_state, settings, *where)

    @held
    def estimate(self, whole: bool = False) -> Estimate:
        """What the similarity will cost, from a sample the scores too; the key points are found
        first. whole: what it would cost without a sample."""
        if self._sampling is None:
            return self._job.estimate()
        return self._sampling.estimate_whole() if whole else self._sampling.estimate()

    @cached_property
    def _similarity(self) -> tuple[np.ndarray, np.ndarray]:
        with self._stage("similarity"):
            return self._job.run(self.path, progress=self.progress)

    @held
    def similarity(self) -> tuple[np.ndarray, np.ndarray]:
        """Similarity float32 [N][Q] of key points (columns) in images (rows), and their places
        int32 [N][Q], row-major (docs/reference/files.md); of the sample, where there is one."""
        return self._similarity

    @cached_property
    def _scored(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The matrix that selection maximises, and how far key points come back."""
        pool = self._pool
        values, places = self._similarity
        if self.score == "similarity":
            return np.ascontiguousarray(values), None
        pyramids = (pool.pyramid(i) for i in range(len(self.dataset)))
        with self._stage("cycles"):
            distances = cycle_distances(
                PyramidStore(pyramids, self._job.max_memory * 3 // 4, self.path),
                pool.points,
                places,
                mode=self.mode,
                epsilon=self.epsilon,
                progress=self.progress,
            )
            if self.folder:
                self.folder.write_array("cycles.npy", distances)
            return trusted(values, distances), distances

    def select(
        self,
        m: int | Sequence[int] | None = 5,
        *,
        method: str = "swap",
        vectors: str | os.PathLike[str] | ArrayLike | None = None,
        training: Mapping[str, Any] | None = None,
        min_distance: float | None = None,
        **rules: Any,
    ) -> Choice:
        """The images to annotate; writes config.toml, selection.json and marks.csv.

        Args:
            m: how many; a sequence gives one answer per entry; None: as the budget allows.
            method, rules: see `scp.select`. Images may be named by id or index in `initial`,
                `include`, `exclude`; `initial` may be `scp.Landmarks`, the images marked there.
                min_distance: by `scp.image_distances`. A method of `scp.baselines` chooses by its
                own rule; score and bound are SCP's.
            vectors: for those: a kind of `scp.baselines.vectors`, float [N][d], or a file of
                `scp.features.ImageVectors`; None: what the method mostly uses.
            training: of active learning (docs/how-to/active.md): its options by name, and widths,
                latent, hidden and views. What was trained in the run folder is used again.
        """
        sizes, rules = self.check(m, rules)
        limits = {**rules, "min_distance": min_distance}
        check_other(method, m, vectors, training, len(self.dataset), limits)
        if min_distance is not None and self.sample is not None:
            raise ValueError(
                "min_distance: needs the similarity of all key points: sample=None, on the command "
                "line --sample all"
            )
        asked = {"m": sizes, "method": method, "min_distance": min_distance, **rules}
        if vectors is not None:
            asked["vectors"] = vectors
        if training is not None:
            asked["training"] = training
        with self.holding():
            choice = self._choose(**asked)
            self._choice, self._asked = choice, asked
            if self.folder:
                parameters = self.parameters()
                keep_edited(self.folder, CONFIG, SELECTION)
                keep_spacing(self.folder, self.dataset)
                self.folder.write_config(parameters)
                write_selection(self.folder, choice, self.dataset, parameters)
                self.marks_to_fill()
        return choice

    def _choose(self, m, method, min_distance, vectors=None, training=None, **rules) -> Choice:
        """See `select`; m and rules as `check` gives them."""
        pairs, pool = self.duplicate_pairs, self._pool
        if method in METHODS:  # before the long part
            columns = len(self._sampling.columns) if self._sampling else int(pool.offsets[-1])
            size = 4 * len(self.dataset) * columns
            check_memory(size, self._memory["max_memory"], method, min_distance)
        matrix, distances = self._scored
        with self._stage("selection"):
            options = self._options(min_distance, rules)
            if method in OTHERS:
                found = chosen_by(self, method, m, vectors, matrix, options)
            elif method in ACTIVE:
                found = asked_by(self, method, m, training, matrix, options)
            else:
                found = select_within(
                    matrix, m, method, options, progress=self.progress, **self._memory
                )
            curve = found if isinstance(found, list) else [found]
        points = self._sampling or pool
        if self._sampling is not None:
            if self.folder:
                self.folder.write_array(SAMPLED[0], self._sampling.columns)
            with self._stage("scores"):
                sizes = [-1] if m is None else [one.m for one in curve]
                curve = self._sampling.judged(curve, sizes, matrix, rules)
        chosen = curve[-1].selected
        error = None
        if distances is not None:
            error = expected_error(matrix, distances, options["weights"], chosen)
        return Choice(
            curve[-1],
            curve,
            [self.dataset.ids[i] for i in chosen],
            matrix,
            points.offsets,
            points.xy,
            self.warnings(),
            pairs,
            self.elapsed,
            self.folder,
            self._job.resumed,
            self._job.dots,
            self._job.brute,
            error,
            self.dataset,
        )

    # ---- what is on disk ----

    @held
    def warnings(self) -> list[str]:
        """What a user should know of the stages done."""
        listed = self.folder is not None
        notes = warnings_of(self.dataset, self.duplicate_pairs, self._pool.empty, listed)
        notes += [*self.image_warnings(), *self._pool.notes, *self._job.notes]
        if self.folder and self.extractor.name == "gradient" and unfinished(self.folder.path):
            text = "the training in this run folder has not finished: gradient features are used"
            notes.insert(0, text)
        if self.extractor.hardly_trained:
            notes.insert(0, self.extractor.hardly_trained)
        return notes

    def parameters(self) -> dict[str, dict[str, Any]]:
        """The settings, a table per stage, as config.toml has them."""
        training, data, asked = self._training(), self.dataset, self._asked
        similarity = {"mode": self.mode, "epsilon": self.epsilon, "objective": self.score}
        if self.sample is not None:
            similarity["sample"] = self.sample
        return {
            "dataset": {"name": data.name, "root": data.root, "images": len(data)}
            | ({"range": data.range_note()} if data.range_note() else {})
            | spacing_entry(data),
            "features": self.extractor.parameters(),
            **({"training": training["options"]} if training.get("options") else {}),
            "keypoints": {"method": self.keypoints, "count": self.count, **self.keypoint_options},
            "similarity": similarity,
            "selection": {
                "method": asked.get("method", "swap"),
                "m": asked.get("m"),
                **({"vectors": said(asked["vectors"])} if "vectors" in asked else {}),
                **({"training": words(asked["training"])} if "training" in asked else {}),
                "min_distance": asked.get("min_distance"),
                "random_state": self.random_state,
            },
        }

    # ---- parts ----

    def _options(self, min_distance: float | None, rules: dict) -> dict:
        sampling = self._sampling
        options = {
            "weights": sampling.weights if sampling else client_weights(self._pool.offsets),
            "random_state": self.random_state,
            "device": self.device,
            **rules,
        }
        if min_distance is not None:
            distances = image_distances(self._similarity[0], self._pool.offsets)
            options.update(distances=distances, min_distance=min_distance)
        return options

    def _training(self) -> dict:
        return dict(self.extractor.model_.training) if self.extractor.name == "trained" else {}
