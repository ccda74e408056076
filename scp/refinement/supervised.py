"""Supervised training on labelled images alone: the comparator of the paper's Table 2."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from ..datasets import Dataset
from ..datasets.base import check_size
from ..detection import as_dataset
from ..estimator import training_options
from ..landmarks import Landmarks
from ..networks.configuration import build_supervised, supervised
from ..networks.estimator import NetworkEstimator
from ..networks.model import load_trained
from ..progress import Progress, watch
from ..runs import holding
from ..runs.fingerprints import of_arrays
from ..runs.folder import SUPERVISED
from ..training import Job, run_job
from ..training.loop import with_length
from ..values import whole
from .canvas import from_canvas, on_canvas, peaks, to_canvas
from .labels import factor_of
from .options import SupervisedOptions

CHECKPOINT, LOG = "supervised.checkpoint.safetensors", "supervised.jsonl"
LOSSES = ["the heat maps", "the weight decay", "the sigmas"]
MOST_TIMED, TIMED_SECONDS = 100, 60.0  # of an estimate: steps, and when it ends before


class SupervisedDetector(NetworkEstimator):
    """A network that learns heat maps from labelled images alone (Payer et al., 2019).

        detector = scp.SupervisedDetector(network="scn-reduced").fit(labelled, steps=5000)
        found = detector.predict(images)

    Args:
        network: "scn", "scn-reduced" or "unet", see `scp.networks.SUPERVISED`.
        size: (H, W) of the canvas that images are put on; None: the preset's. Sides must be
            multiples of 16.
        options: of the network that differ from the preset's, a mapping.
        training: values of `SupervisedOptions` that differ from the preset's, a mapping; or all.
        random_state: of the first weights and of all draws.

    Attributes:
        grid_size: (H, W) of the canvas. training_options: the `SupervisedOptions`.
        model_: `scp.networks.Model`, after `fit` or `load`. names_: of the landmarks.
        sigmas_: deviations of the targets, as trained, float64 [L], pixels of the canvas.
        trained_: what the training returned, after `fit`.
    """

    _noun, _weights, _checkpoints = "detector", SUPERVISED, CHECKPOINT

    def __init__(
        self,
        *,
        network: str = "scn-reduced",
        size: tuple[int, int] | None = None,
        options: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | SupervisedOptions | None = None,
        random_state: int = 0,
    ):
        self.network = network
        self.size = size
        self.options = options
        self.training = training
        self.random_state = random_state

    # ---- what the arguments come to ----

    def check(self) -> SupervisedDetector:
        """self; ValueError names an argument of the constructor that is wrong."""
        factor_of(self._build(1), self.grid_size)
        _ = self.training_options
        return self

    @property
    def training_options(self) -> SupervisedOptions:
        preset = {} if isinstance(self.training, SupervisedOptions) else self._preset().training
        return training_options(SupervisedOptions, preset, self.training, self.random_state)

    @property
    def grid_size(self) -> tuple[int, int]:
        """(H, W) of the canvas."""
        if hasattr(self, "model_"):
            return self.model_.size
        return check_size(self._preset().size if self.size is None else self.size)

    def _preset(self):
        return supervised(self.network)

    def _build(self, landmarks: int):
        if not isinstance(self.options, (Mapping, type(None))):
            raise TypeError(f"options must be a mapping, got {self.options!r}")
        return build_supervised(self.network, landmarks, **(self.options or {}))

    # ---- training ----

    def fit(
        self,
        images: Dataset,
        *,
        minutes: float | None = None,
        steps: int | None = None,
        run: str | os.PathLike[str] | None = None,
        resume: bool = True,
        progress: Progress = None,
        callback: Callable[[dict[str, Any]], object] | None = None,
    ) -> SupervisedDetector:
        """Train.

        Args:
            images: the labelled images, with their landmarks; where a landmark is absent (NaN) it
                teaches nothing. Few images: the same steps, in more passes.
            minutes, steps: of the training; both None: those of the options.
            run: a run folder, for supervised.safetensors, a checkpoint and a log. What was stopped
                goes on from there. Nothing is written if None.
            resume, progress, callback: as in `FeatureExtractor.fit`. The event "start" says how
                much memory the training takes, in bytes.

        Raises:
            KeyboardInterrupt: Ctrl-C, as in `FeatureExtractor.fit`.
        """
        self._forget()
        options = with_length(self.training_options, minutes, steps)
        job, network = self._job(images, options)
        with holding(run, images):
            if not resume:
                self._anew(run)
            events = self._events("supervised training", run, progress, callback)
            self.trained_ = run_job(job, options, run, resume=resume, **events)
            self._found(network, len(images), options)
            self.trained_.raise_if_stopped()
            if run is not None:
                self.save(Path(run, SUPERVISED))
        return self

    def estimate(
        self, images: Dataset, *, steps: int | None = None, timed: int = 3
    ) -> dict[str, Any]:
        """What a training would cost here: memory in bytes, of the training and of the images; and
        seconds of a step (the median of `timed` steps, at most 100, that are run and forgotten; no
        more begin after a minute), of all steps. Where the options give no steps, of one step."""
        timed = whole(timed, "timed", 1, MOST_TIMED)
        options = self.training_options
        options = options if steps is None else with_length(options, None, steps)
        job, network = self._job(images, options)
        arrays = {name: np.zeros(n, np.float32) for name, n in job.arrays.items()}
        arrays["parameters"][:] = job.initial["parameters"]
        trainer, seconds, begin = job.create(), [], time.perf_counter()
        for step in range(timed):
            before = time.perf_counter()
            job.run(trainer, arrays, step, np.array([options.rate(0.0)]))
            seconds.append(time.perf_counter() - before)
            if time.perf_counter() - begin > TIMED_SECONDS:
                break
        count, height, width = len(images), *self.grid_size
        macs = int(network.shapes(height, width)[:, 3].sum())
        each = float(np.median(seconds))
        return {
            "network": self.network,
            "size": [height, width],
            "parameters": network.n_parameters,
            "macs": macs,
            "steps": options.steps,
            "timed": len(seconds),
            "step_seconds": each,
            "seconds": each * max(options.steps, 1),
            "bytes": job.bytes + 4 * sum(job.arrays.values()),
            "image_bytes": 4 * count * height * width,
        }

    def _job(self, images, options) -> tuple[Job, Any]:
        if not isinstance(images, Dataset):
            raise TypeError(f"images must be a data set (scp.datasets), got {images!r}")
        labels = None if images.landmarks is None else np.asarray(images.landmarks, np.float64)
        if labels is None or not np.isfinite(labels).any():
            raise ValueError("images: none of them has landmarks")
        size, landmarks = self.grid_size, labels.shape[1]
        names = images.landmark_names or [str(l + 1) for l in range(landmarks)]
        self.names_: list[str] = list(names)
        network = self._build(landmarks)
        factor_of(network, size)
        pool = np.stack([on_canvas(images, i, size) for i in range(len(images))])
        there = np.isfinite(labels).all(-1)
        points = [to_canvas(labels[i], images.shape(i), size) for i in range(len(images))]
        points = np.where(there[..., None], points, 0).astype(np.float32)
        weights = there.astype(np.float32)
        given = network.graph(), pool, points, weights, options.core()
        held, arrays = _core.supervise_measure(*given)[:2]
        start, _ = network.initial(self.random_state)
        sigmas = np.full(landmarks, options.sigma, np.float32)
        job = Job(
            create=lambda: _core.supervise_trainer(*given),
            bytes=held,
            arrays=arrays,
            initial={"parameters": np.concatenate([start, sigmas])},
            losses=LOSSES,
            identity={
                "network": network.digest(),
                "images": of_arrays(pool),
                "labels": of_arrays(points, weights),
            },
            verb="supervise",
            checkpoint=CHECKPOINT,
            log=LOG,
        )
        return job, network

    def _found(self, network, images: int, options) -> None:
        """model_ and sigmas_, of what was trained."""
        self.sigmas_ = self.trained_.parameters[network.n_parameters :].astype(np.float64)
        self._keep(
            network,
            self.grid_size,
            (self.network, self.options),
            options,
            supervised=True,
            names=self.names_,
            images=images,
            sigmas=self.sigmas_.tolist(),
        )

    # ---- inference ----

    def predict(
        self, images: Dataset | Iterable[np.ndarray], *, progress: Progress = None
    ) -> Landmarks:
        """The landmarks of images, a data set or arrays [H][W]: where the heat maps are highest,
        between pixels by a parabola along each axis. Confidence: the height of the peak, 1 where it
        is that of a target."""
        self._trained()
        dataset = as_dataset(images)
        shape, size = (len(dataset), len(self.names_)), self.grid_size
        xy, confidence = np.empty((*shape, 2)), np.empty(shape)
        highest = self.training_options.integral / (2 * np.pi * self.sigmas_**2)
        bar = watch(progress, "landmarks", len(dataset))
        for i in range(len(dataset)):
            at, top = peaks(self.maps(on_canvas(dataset, i, size)))
            xy[i] = from_canvas(at, dataset.shape(i), size)
            confidence[i] = np.clip(top / highest, 0, 1)
            if bar:
                bar(i + 1, len(dataset))
        return Landmarks(dataset.ids, self.names_, xy, confidence)

    def maps(self, canvas: np.ndarray) -> np.ndarray:
        """The heat maps float32 [H][W][L] of one image on the canvas, [H][W] in 0..1."""
        return self._trained().run((255 * canvas - np.float32(128)) / np.float32(128))[0]

    # ---- files ----

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SupervisedDetector:
        """A trained detector from a file of `save` or a run folder with supervised.safetensors."""
        path, model, options = load_trained(path, SUPERVISED, SupervisedOptions, "supervised")
        names, sigmas = (model.training.get(key) for key in ("names", "sigmas"))
        if not isinstance(names, list) or not isinstance(sigmas, list):
            raise ValueError(f"{path}: the header has no names or no sigmas of landmarks")
        channels = model.network.channels[model.network.outputs[0]]
        if not channels == len(names) == len(sigmas):
            raise ValueError(f"{path}: the output does not fit {len(names)} landmarks")
        sigmas = np.array(sigmas, np.float64)
        if not (sigmas > 0).all():
            raise ValueError(f"{path}: sigmas must be above 0")
        factor_of(model.network, model.size)
        self = cls(
            network=model.preset,
            size=model.size,
            options=model.options,
            training=options,
            random_state=options.seed,
        )
        self.model_, self.names_, self.sigmas_ = model, [str(n) for n in names], sigmas
        return self
