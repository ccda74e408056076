"""Refinement: a heat-map network learns from pseudo labels and a few labelled templates."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from ..datasets import Dataset, to_original
from ..datasets.base import check_size
from ..detection import as_dataset
from ..distributed import Workers, for_each
from ..estimator import training_options
from ..features import FeatureExtractor
from ..landmarks import Landmarks
from ..networks.estimator import NetworkEstimator
from ..networks.export import export_model
from ..networks.imagenet import put_vgg19, stored_vgg19
from ..networks.model import Model, load_model, load_trained
from ..networks.refine import HEAD, build_refinement, rare_discs, refinement
from ..progress import Progress, watch
from ..runs import holding, keeps_start, read_safetensors
from ..runs.fingerprints import of_arrays
from ..runs.folder import REFINED, WEIGHTS
from ..training import Job, run_job
from ..training.loop import as_pool, with_length
from ..values import array, whole
from .labels import _core_labels, confidence_weights, factor_of, pseudo_labels, true_labels
from .options import INPUTS, RefinementOptions

ZOOMS = (1.0, 7 / 6, 1.25)  # of the images whose places are averaged
LOSSES = ["the heat maps", "the x offsets", "the y offsets"]


@dataclass(frozen=True)
class PredictImage:
    """The landmarks of an image, by the network: what workers are asked for."""

    refiner: LandmarkRefiner
    images: Dataset
    sizes: list[tuple[int, int]]

    def __call__(self, i: int) -> dict[str, Any]:
        grids = (np.ascontiguousarray(self.images.grid(i, s), np.float32) for s in self.sizes)
        found = [self.refiner._find(grid, self.images.shape(i)) for grid in grids]
        return {
            "xy": np.mean([xy for xy, _ in found], axis=0),
            "confidence": np.mean([confidence for _, confidence in found], axis=0),
        }


class LandmarkRefiner(NetworkEstimator):
    """A network that finds landmarks, taught by pseudo labels and labelled templates (the paper,
    section 3.3).

        found = scp.LandmarkDetector(extractor=extractor).fit_predict(pool, templates)
        refiner = scp.LandmarkRefiner(start=extractor)
        refined = refiner.fit(pool, found, templates=templates, minutes=10).predict(pool)

    Args:
        preset: "laptop" or "paper", see `scp.networks.REFINEMENTS`.
        size: (H, W) that images are resized to; None: that of the features, or of the preset.
        network: options of the network that differ from the preset's, a mapping.
        training: values of `RefinementOptions` that differ from the preset's, a mapping; or all of
            them, a RefinementOptions.
        start: what layers start from: trained features (FeatureExtractor, run folder or model file;
            layers of the same name and shape are copied), a file of VGG-19, "random", or None: the
            imported VGG-19 if there is one and the network has such layers, else random.
        random_state: of the first weights and of all draws.

    Attributes:
        grid_size: (H, W) that images are resized to. options: the `RefinementOptions`.
        model_: `scp.networks.Model`, after `fit` or `load`. names_: of the landmarks.
        trained_: what the last round's training returned, after `fit`. start_: what the weights
            started from, in words.
    """

    _noun, _weights, _checkpoints = "refiner", REFINED, "refine*.checkpoint.safetensors"

    def __init__(
        self,
        *,
        preset: str = "laptop",
        size: tuple[int, int] | None = None,
        network: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | RefinementOptions | None = None,
        start: FeatureExtractor | str | os.PathLike[str] | None = None,
        random_state: int = 0,
    ):
        self.preset = preset
        self.size = size
        self.network = network
        self.training = training
        self.start = start
        self.random_state = random_state

    # ---- what the arguments come to ----

    def check(self) -> LandmarkRefiner:
        """self; ValueError names an argument of the constructor that is wrong."""
        _ = self.options, self.grid_size
        return self

    @property
    def options(self) -> RefinementOptions:
        entry = {} if isinstance(self.training, RefinementOptions) else self._preset().training
        return training_options(RefinementOptions, entry, self.training, self.random_state)

    @property
    def grid_size(self) -> tuple[int, int]:
        """(H, W) that images are resized to."""
        if hasattr(self, "model_"):
            return self.model_.size
        size = self.size
        if size is None:
            features = self._features()
            size = self._preset().size if features is None else features.size
        return check_size(size)

    @property
    def radius(self) -> float:
        """R in pixels of the resized images."""
        return self.options.radius * max(self.grid_size)

    def _preset(self):
        return refinement(self.preset)

    # ---- training ----

    def fit(
        self,
        images: Dataset,
        found: Landmarks,
        *,
        templates: Landmarks | Dataset | Sequence[int] | Sequence[str] = (),
        weights: np.ndarray | None = None,
        rounds: int = 1,
        minutes: float | None = None,
        steps: int | None = None,
        run: str | os.PathLike[str] | None = None,
        resume: bool = True,
        progress: Progress = None,
        callback: Callable[[dict[str, Any]], object] | None = None,
    ) -> LandmarkRefiner:
        """Train.

        Args:
            images: the N images.
            found: pseudo labels, joined to the images by id; an image without one teaches nothing.
            templates: the annotated images, whose own landmarks take the place of pseudo labels:
                these landmarks, or the images as a data set, or their rows or ids
                (`scp.detection.templates_among`).
            weights: of the pseudo labels, [N][L] in 0..1; None: `confidence_weights` of their
                confidence by the option `power`, or 1 where they have no confidence.
            rounds: after each round but the last, the network's own predictions, weighted by their
                confidence, take the place of the pseudo labels, and training goes on.
            minutes: of all rounds together. steps: of each round. Both None: those of the options.
            run: a run folder, for refined.safetensors and, per round, a checkpoint and a log. What
                was stopped goes on from there. Nothing is written if None.
            resume, progress, callback: as in `FeatureExtractor.fit`; events have "round" besides.

        Raises:
            KeyboardInterrupt: Ctrl-C, as in `FeatureExtractor.fit`.
        """
        rounds = whole(rounds, "rounds")
        if rounds < 1:
            raise ValueError(f"rounds must be above 0, got {rounds}")
        if not isinstance(images, Dataset):
            raise TypeError(f"images must be a data set (scp.datasets), got {images!r}")
        if not isinstance(self.network, (Mapping, type(None))):
            raise TypeError(f"network must be a mapping, got {self.network!r}")
        self._forget()
        size = self.grid_size
        options = with_length(self.options, minutes, steps)
        if not options.steps:
            options = options.set(minutes=options.minutes / rounds)
        if run is not None:
            keeps_start(self.start, Path(run, REFINED))
        with holding(run, images):
            return self._fit(
                images,
                found,
                templates,
                weights,
                rounds,
                size,
                options,
                run,
                resume,
                progress,
                callback,
            )

    def _fit(
        self,
        images,
        found,
        templates,
        weights,
        rounds,
        size,
        options,
        run,
        resume,
        progress,
        callback,
    ) -> LandmarkRefiner:
        """See `fit`, which checked the arguments."""
        xy, weights = pseudo_labels(images, found, weights, options.power)
        rows, truth = true_labels(images, found.names, templates)
        nowhere = ~np.isfinite(xy).all(axis=-1)  # teaches nothing, in any round
        self.names_: list[str] = list(found.names)
        grids = np.empty((len(images), *size), np.float32)
        for i in range(len(images)):
            grids[i] = images.grid(i, size)
        grids = as_pool(grids)
        network = build_refinement(self.preset, xy.shape[1], **(self.network or {}))
        factor_of(network, size)
        initial = self._initial(network)
        if not resume:
            self._anew(run)
        for number in range(1, rounds + 1):
            labels = _core_labels(images, size, xy, weights, rows, truth)
            job = self._job(network, initial, grids, labels, options, number)
            stage, which = f"refinement, round {number}", {"round": number, "rounds": rounds}
            events = self._events(stage, run, progress, callback, **which)
            self.trained_ = run_job(job, options, run, resume=resume, **events)
            self._keep(
                network,
                size,
                (self.preset, self.network),
                options,
                refinement=True,
                names=self.names_,
                images=len(images),
                templates=len(rows),
                rounds=number,
                start=self.start_,
            )
            self.trained_.raise_if_stopped()
            if number < rounds:
                initial = self.trained_.parameters, self.trained_.state
                places = [self._find(grids[i], images.shape(i)) for i in range(len(images))]
                xy = np.stack([place[0] for place in places])
                confidence = np.stack([place[1] for place in places])
                weights = np.where(nowhere, 0, confidence_weights(confidence, options.power))
        if run is not None:
            self.save(Path(run, REFINED))
        return self

    def _job(self, network, initial, images, labels, options, number) -> Job:
        parts = network.graph(), images, *labels, options.core()
        size, arrays = _core.refine_measure(*parts)
        rows = [r.astype(np.float32) for r in labels[2:]]
        return Job(
            create=lambda: _core.refine_trainer(*parts),
            bytes=size,
            arrays=arrays,
            initial=dict(zip(("parameters", "state"), initial, strict=True)),
            losses=LOSSES,
            identity={
                "network": network.digest(),
                "images": of_arrays(images),
                "labels": of_arrays(*labels[:2], *rows),
            },
            verb=f"refine {number}",
            checkpoint=f"refine{number}.checkpoint.safetensors",
            log=f"refine{number}.jsonl",
        )

    def _features(self) -> Model | None:
        """The trained features that layers start from."""
        if isinstance(self.start, FeatureExtractor):
            return self.start._trained()
        if self.start in (None, "random"):
            return None
        if not isinstance(self.start, (str, os.PathLike)):
            raise TypeError(
                f"start must be a FeatureExtractor, a file or 'random', got {self.start!r}"
            )
        path = Path(self.start)
        path = path / WEIGHTS if path.is_dir() else path
        header, _ = read_safetensors(path, lambda _: False)
        return load_model(path) if header.get("format") == "model" else None

    def _initial(self, network) -> tuple[np.ndarray, np.ndarray]:
        parameters, state = network.initial(self.random_state)
        features = self._features()
        source = self.start
        if source is None and any(name.startswith("vgg.") for name in network.names):
            source = stored_vgg19()
        self.start_ = "random weights"
        if features is not None:
            into = network.tensors(parameters, state)
            tensors = features.network.tensors(features.parameters, features.state)
            same = [
                n
                for n in into
                if n in tensors
                and into[n].shape == tensors[n].shape
                and not n.startswith(f"{HEAD}.")
            ]
            if not same:
                raise ValueError(
                    "start: no layer of the features has the name and shape of one of the network"
                )
            for name in same:
                into[name][...] = tensors[name]
            self.start_ = f"trained features ({len(same)} of {len(into)} tensors)"
        elif source not in (None, "random"):
            put_vgg19(network, parameters, source)
            self.start_ = f"VGG-19 of {source}"
        if self.options.prior:
            height, width = self.grid_size
            share = np.pi * self.radius**2 / (height * width)
            rare_discs(network, parameters, min(float(share), 0.5))
        return parameters, state

    # ---- inference ----

    def predict(
        self,
        images: Dataset | Iterable[np.ndarray],
        *,
        matched: Landmarks | None = None,
        views: int | None = None,
        progress: Progress = None,
        workers: Workers | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> Landmarks:
        """The landmarks of images, with a confidence.

        Args:
            images: a data set, or arrays [H][W].
            matched: where template matching found them, joined by id and name: the answer is the
                mean of both places; the network's alone where there is none. Worth it after a
                short training (docs/lab/experiments.md).
            views: how each image is looked at: so many sizes of it (ZOOMS times `grid_size`), whose
                places are averaged; None: all where the network was trained on zoomed images, else
                one.
            progress: see `scp.progress`.
            workers: processes that do it, see `scp.distributed`; None: this one. folder: where
                their results go, if they have no shared place of their own.
        """
        self._trained()
        dataset = as_dataset(images)
        other = None
        if matched is not None:
            other = matched.columns(self.names_).rows(dataset.ids, absent=True).xy
        sizes = self.view_sizes(views)
        shape = len(dataset), len(self.names_)
        xy, confidences = np.empty((*shape, 2)), np.empty(shape)
        bar = watch(progress, "landmarks", len(dataset))
        task = PredictImage(self, dataset, sizes)
        if workers is not None and len(dataset):
            dataset.white(0)  # known before, so that no worker looks for it
        results = for_each(task, range(len(dataset)), workers, folder)
        for done, (i, own) in enumerate(results, 1):
            xy[i], confidences[i] = own["xy"], own["confidence"]
            if bar:
                bar(done, len(dataset))
        if other is not None:
            xy = np.where(np.isfinite(other), (xy + other) / 2, xy)
        return Landmarks(dataset.ids, self.names_, xy, confidences)

    def view_sizes(self, views: int | None) -> list[tuple[int, int]]:
        """What images are resized to: sides stay multiples of 32."""
        if views is None:
            zoomed = any(t.name == "scale" and t.strength for t in self.options.transforms)
            views = len(ZOOMS) if zoomed else 1
        views = whole(views, "views", 1, len(ZOOMS))
        sizes = [self.grid_size]
        for zoom in ZOOMS[1:views]:
            height, width = (max(round(side * zoom / 32), 1) * 32 for side in self.grid_size)
            sizes.append((height, width))
        return list(dict.fromkeys(sizes))  # each once

    def maps(self, grid: np.ndarray) -> np.ndarray:
        """The network's output for one image [H][W], of `grid_size` or another size that fits,
        float32 [h][w][3 L]."""
        model = self._trained()
        grid = array(grid, "grid", np.float32)
        if grid.ndim != 2:
            raise ValueError(f"grid must be [H][W], got {list(grid.shape)}")
        if grid.shape != tuple(model.size):
            factor_of(model.network, grid.shape)
        scale, shift = (np.float32(v) for v in INPUTS[self.options.inputs])
        return model.run(scale * grid + shift)[0]

    def _find(self, grid: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """xy [L][2] in original pixels and confidence [L] of one image on the grid."""
        maps = np.ascontiguousarray(self.maps(grid))
        factor = grid.shape[0] // maps.shape[0]
        candidates = max(int(3.14 * (self.radius / factor) ** 2), 1)
        xy, confidence = _core.refine_vote(
            maps,
            len(self.names_),
            factor,
            self.options.vote,
            candidates,
            self.radius,
            self.options.window * self.radius,
        )
        return to_original(xy, shape, grid.shape), confidence

    # ---- files ----

    def export(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write the network for others, as a PyTorch module (.py) or ONNX: see
        `scp.networks.export_model`."""
        return export_model(self._trained(), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LandmarkRefiner:
        """A trained refiner from a file of `save` or a run folder with refined.safetensors."""
        path, model, options = load_trained(path, REFINED, RefinementOptions, "refinement")
        names = model.training.get("names")
        if not isinstance(names, list):
            raise ValueError(f"{path}: the header has no names of landmarks")
        if model.network.channels[model.network.outputs[0]] != 3 * len(names):
            raise ValueError(f"{path}: the output does not fit {len(names)} landmarks")
        factor_of(model.network, model.size)
        self = cls(
            preset=model.preset,
            size=model.size,
            network=model.options,
            training=options,
            start=path,
            random_state=options.seed,
        )
        self.model_, self.names_ = model, [str(n) for n in names]
        self.start_ = f"the model {path}"
        return self
