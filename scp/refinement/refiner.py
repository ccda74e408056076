"""Refinement: a heat-map network learns from pseudo labels and a few labelled templates."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from ..datasets import Dataset, arrays, to_original
from ..datasets.base import check_size
from ..features import FeatureExtractor
from ..landmarks import Landmarks
from ..networks.imagenet import put_vgg19, stored_vgg19
from ..networks.model import Model, load_model, load_trained, save_model
from ..networks.refine import HEAD, build_refinement, rare_discs, refinement
from ..progress import Progress, watch
from ..runs import read_safetensors
from ..runs.fingerprints import of_arrays
from ..runs.folder import REFINED, WEIGHTS
from ..training import Job, TrainedState, run_job
from ..training.loop import as_pool, with_length
from .labels import _core_labels, _labels, _rows, factor_of
from .options import INPUTS, RefinementOptions

ZOOMS = (1.0, 7 / 6, 1.25)  # of the images whose places are averaged
LOSSES = ["the heat maps", "the x offsets", "the y offsets"]


@dataclass(frozen=True)
class Refined:
    """Landmarks found in N images.

    Attributes:
        ids: of the images. names: of the L landmarks.
        xy: float64 [N][L][2], (x, y) in original pixels. confidence: float64 [N][L], 0 to 1.
    """

    ids: list[str]
    names: list[str]
    xy: np.ndarray
    confidence: np.ndarray

    def landmarks(self) -> Landmarks:
        """The same as a table, to write to a file (`scp.landmarks.write_landmarks`)."""
        return Landmarks(self.ids, self.names, self.xy, confidence=self.confidence)


def confidence_weights(confidence: np.ndarray, power: float = 2.0) -> np.ndarray:
    """Weights of pseudo labels, float64 [N][L] in 0..1: confidence [N][L] relative to the upper
    decile of its landmark, at most 1, to that power."""
    confidence = np.asarray(confidence, np.float64)
    top = np.nanquantile(confidence, 0.9, axis=0)
    ratio = np.divide(confidence, top, out=np.zeros_like(confidence), where=top > 0)
    return np.nan_to_num(np.clip(ratio, 0, 1)) ** power


class LandmarkRefiner:
    """A network that finds landmarks, taught by pseudo labels and labelled templates (the paper,
    section 3.3).

        found = LandmarkDetector(extractor).fit_predict(pool, rows)
        refiner = LandmarkRefiner(weights=extractor)
        refiner.fit(pool, found.xy, confidence_weights(found.confidence), rows, minutes=10)
        refined = refiner.predict(pool)

    Args:
        preset: "laptop" or "paper", see `scp.networks.REFINEMENTS`.
        seed: of the first weights and of all draws.
        size: (H, W) that images are resized to; None: that of the features, or of the preset.
        network: options of the network that differ from the preset's.
        weights: what layers start from: trained features (FeatureExtractor, run folder or model
            file; layers
            of the same name and shape are copied), a file of VGG-19, "random", or None: the
            imported VGG-19 if there is one and the network has such layers, else random.
        options: values of `RefinementOptions` that differ from the preset's.

    Attributes:
        model: `scp.networks.Model`, or None before `fit` and `load`. names: of the landmarks.
        trained: what the last round's training returned, or None. start: what weights start from.
    """

    def __init__(
        self,
        preset: str = "laptop",
        seed: int = 0,
        size: tuple[int, int] | None = None,
        *,
        network: Mapping[str, Any] | None = None,
        weights: FeatureExtractor | str | os.PathLike[str] | None = None,
        **options: Any,
    ):
        entry = refinement(preset)
        self.preset, self.weights, self.network_options = preset, weights, dict(network or {})
        self.options = RefinementOptions().set(**entry.training).set(seed=seed, **options)
        features = self._features()
        if size is None:
            size = entry.size if features is None else features.size
        self.size = check_size(size)
        self.names: list[str] = []
        self.model: Model | None = None
        self.trained: TrainedState | None = None
        self.start, self._plans = "", {}

    def __repr__(self) -> str:
        state = f"{len(self.names)} landmarks" if self.model is not None else "not trained"
        return f"<LandmarkRefiner {self.preset}, {self.size[0]} x {self.size[1]}, {state}>"

    @property
    def radius(self) -> float:
        """R in pixels of the resized images."""
        return self.options.radius * max(self.size)

    # ---- training ----

    def fit(
        self,
        pool: Dataset,
        xy: np.ndarray,
        weights: np.ndarray | None = None,
        templates: Sequence[int] = (),
        truth: np.ndarray | None = None,
        *,
        names: Sequence[str] = (),
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
            pool: the N images.
            xy: pseudo labels [N][L][2], (x, y) in original pixels; NaN: none.
            weights: of the pseudo labels, [N][L] in 0..1; all 1 if None.
            templates: rows of the pool with true landmarks; they are never pseudo-labelled.
            truth: their landmarks [M][L][2], original pixels, NaN: absent; None: those of the pool.
            names: of the L landmarks; those of the pool if there are none.
            rounds: after each round but the last, the network's own predictions, weighted by their
                confidence, take the place of the pseudo labels, and training goes on.
            minutes: of all rounds together. steps: of each round. Both None: those of the options.
            run: folder for refined.safetensors and, per round, a checkpoint and a log. What was
                stopped goes on from there. Nothing is written if None.
            resume, progress, callback: as in `FeatureExtractor.fit`; events have "round" besides.

        Returns:
            self; after Ctrl-C `trained.finished` is False.
        """
        if rounds < 1:
            raise ValueError(f"rounds must be above 0, got {rounds}")
        options = with_length(self.options, minutes, steps)
        if not options.steps:
            options = options.set(minutes=options.minutes / rounds)
        rows = _rows(templates, len(pool))
        xy, weights, truth = _labels(pool, xy, weights, rows, truth)
        self.names = list(names or pool.landmark_names) or [str(k) for k in range(xy.shape[1])]
        if len(self.names) != xy.shape[1]:
            raise ValueError(f"names must hold {xy.shape[1]} names, got {len(self.names)}")
        images = np.empty((len(pool), *self.size), np.float32)
        for i in range(len(pool)):
            images[i] = pool.grid(i, self.size)
        images = as_pool(images)
        network = build_refinement(self.preset, xy.shape[1], **self.network_options)
        factor_of(network, self.size)
        initial = self._initial(network)
        if run is not None and not resume:
            for path in [*Path(run).glob("refine*.checkpoint.safetensors"), Path(run, REFINED)]:
                path.unlink(missing_ok=True)
        for number in range(1, rounds + 1):
            labels = _core_labels(pool, self.size, xy, weights, rows, truth)

            def tell(event, number=number):
                if event["event"] == "start" and event["step"] == 0 and run is not None:
                    Path(run, REFINED).unlink(missing_ok=True)  # of a training that starts anew
                if callback is not None:
                    callback({**event, "round": number, "rounds": rounds})

            job = self._job(network, initial, images, labels, options, number)
            self.trained = run_job(
                job, options, run, resume=resume, progress=progress, callback=tell
            )
            self._keep(network, len(pool), rows, number, options)
            if not self.trained.finished:
                return self
            if number < rounds:
                initial = self.trained.parameters, self.trained.state
                found = [self._find(images[i], pool.shape(i)) for i in range(len(pool))]
                xy = np.stack([f[0] for f in found])
                confidence = np.stack([f[1] for f in found])
                weights = confidence_weights(confidence, options.power)
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

    def _keep(self, network, images, rows, number, options) -> None:
        facts = {
            "refinement": True,
            "names": self.names,
            "images": images,
            "templates": len(rows),
            "rounds": number,
            "steps": int(self.trained.step),
            "seconds": round(float(self.trained.seconds), 3),
            "losses": [round(float(v), 6) for v in self.trained.losses],
            "start": self.start,
            "options": options.to_dict(),
        }
        self.model = Model(
            network,
            self.size,
            self.trained.parameters,
            self.trained.state,
            self.preset,
            self.network_options,
            facts,
        )
        self._plans = {}

    def _features(self) -> Model | None:
        """The trained features that layers start from."""
        if isinstance(self.weights, FeatureExtractor):
            return self.weights._trained()
        if self.weights in (None, "random"):
            return None
        path = Path(self.weights)
        path = path / WEIGHTS if path.is_dir() else path
        header, _ = read_safetensors(path, lambda _: False)
        return load_model(path) if header.get("format") == "model" else None

    def _initial(self, network) -> tuple[np.ndarray, np.ndarray]:
        parameters, state = network.initial(self.options.seed)
        features = self._features()
        source = self.weights
        if source is None and any(name.startswith("vgg.") for name in network.names):
            source = stored_vgg19()
        self.start = "random weights"
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
                    "weights: no layer of the features has the name and shape of one of the network"
                )
            for name in same:
                into[name][...] = tensors[name]
            self.start = f"trained features ({len(same)} of {len(into)} tensors)"
        elif source not in (None, "random"):
            put_vgg19(network, parameters, source)
            self.start = f"VGG-19 of {source}"
        if self.options.prior:
            share = np.pi * self.radius**2 / (self.size[0] * self.size[1])
            rare_discs(network, parameters, min(float(share), 0.5))
        return parameters, state

    # ---- inference ----

    def predict(
        self,
        images: Dataset | Iterable[np.ndarray],
        progress: Progress = None,
        matched: np.ndarray | None = None,
        views: int | None = None,
    ) -> Refined:
        """The landmarks of images.

        Args:
            images: a data set, or arrays [H][W].
            progress: see `scp.progress`.
            matched: float [N][L][2], where template matching found them, in original pixels: the
                answer is the mean of both places, NaN: the network's alone. Worth it after a
                short training (docs/experiments.md).
            views: how many sizes of each image (ZOOMS times `size`) are averaged; None: all where
                the network was trained on zoomed images, else one.
        """
        self._trained()
        dataset = images if isinstance(images, Dataset) else arrays(images)
        shape = len(dataset), len(self.names), 2
        if matched is not None and np.shape(matched) != shape:
            raise ValueError(f"matched must be {list(shape)}, got {list(np.shape(matched))}")
        sizes = self.view_sizes(views)
        found = []
        bar = watch(progress, "landmarks", len(dataset))
        for i in range(len(dataset)):
            grids = (np.ascontiguousarray(dataset.grid(i, size), np.float32) for size in sizes)
            places = [self._find(grid, dataset.shape(i)) for grid in grids]
            found.append(tuple(np.mean(part, axis=0) for part in zip(*places, strict=True)))
            if bar:
                bar(i + 1, len(dataset))
        xy = np.stack([f[0] for f in found]) if found else np.empty((0, len(self.names), 2))
        confidence = np.stack([f[1] for f in found]) if found else np.empty((0, len(self.names)))
        if matched is not None:
            xy = np.where(np.isfinite(matched), (xy + matched) / 2, xy)
        return Refined(list(dataset.ids), list(self.names), xy, confidence)

    def view_sizes(self, views: int | None) -> list[tuple[int, int]]:
        """What images are resized to: sides stay multiples of 32."""
        if views is None:
            zoomed = any(t.name == "scale" and t.strength for t in self.options.transforms)
            views = len(ZOOMS) if zoomed else 1
        if not 1 <= views <= len(ZOOMS):
            raise ValueError(f"views must be 1 to {len(ZOOMS)}, got {views}")
        sizes = [self.size]
        for zoom in ZOOMS[1:views]:
            height, width = (max(round(side * zoom / 32), 1) * 32 for side in self.size)
            sizes.append((height, width))
        return list(dict.fromkeys(sizes))  # each once

    def maps(self, grid: np.ndarray) -> np.ndarray:
        """The network's output for one image [H][W], of `size` or another that fits the network,
        float32 [h][w][3 L]."""
        model = self._trained()
        grid = np.ascontiguousarray(grid, np.float32)
        if grid.ndim != 2:
            raise ValueError(f"grid must be [H][W], got {list(grid.shape)}")
        if grid.shape not in self._plans:
            factor_of(model.network, grid.shape)
            self._plans[grid.shape] = _core.plan_create(
                model.network.graph(), 1, *grid.shape, False
            )
        scale, shift = (np.float32(v) for v in INPUTS[self.options.inputs])
        batch = np.repeat(
            (scale * grid + shift)[None, :, :, None], model.network.image_channels, axis=3
        )
        return _core.plan_forward(
            self._plans[grid.shape],
            model.parameters,
            model.state,
            np.ascontiguousarray(batch),
            0,
            0,
            None,
        )[0][0]

    def _find(self, grid: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """xy [L][2] in original pixels and confidence [L] of one image on the grid."""
        maps = np.ascontiguousarray(self.maps(grid))
        factor = grid.shape[0] // maps.shape[0]
        candidates = max(int(3.14 * (self.radius / factor) ** 2), 1)
        xy, confidence = _core.refine_vote(
            maps,
            len(self.names),
            factor,
            self.options.vote,
            candidates,
            self.radius,
            self.options.window * self.radius,
        )
        return to_original(xy, shape, grid.shape), confidence

    def _trained(self) -> Model:
        if self.model is None:
            raise RuntimeError("the refiner is not trained yet: call fit or load")
        return self.model

    # ---- files ----

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as one safetensors file."""
        save_model(path, self._trained())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LandmarkRefiner:
        """A trained refiner from a file of `save` or a run folder with refined.safetensors."""
        path, model, options = load_trained(path, REFINED, RefinementOptions, True)
        names = model.training.get("names")
        if not isinstance(names, list):
            raise ValueError(f"{path}: the header has no names of landmarks")
        if model.network.channels[model.network.outputs[0]] != 3 * len(names):
            raise ValueError(f"{path}: the output does not fit {len(names)} landmarks")
        factor_of(model.network, model.size)
        self = cls.__new__(cls)
        self.options, self.preset, self.weights = options, model.preset, path
        self.network_options = model.options
        self.size, self.names, self.model = model.size, [str(n) for n in names], model
        self.trained, self.start, self._plans = None, f"the model {path}", {}
        return self
