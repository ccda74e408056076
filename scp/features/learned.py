"""Features that are learned from the images themselves, without labels."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from ..datasets import Dataset
from ..datasets.base import check_size
from ..errors import warn
from ..estimator import training_options
from ..networks import PRESETS, Network, build, preset
from ..networks.estimator import NetworkEstimator
from ..networks.export import export_model
from ..networks.imagenet import put_vgg19, stored_vgg19
from ..networks.model import load_model, load_trained
from ..progress import Progress
from ..runs import holding, keeps_start, read_safetensors
from ..runs.folder import WEIGHTS
from ..training import HardlyTrainedWarning, TrainingOptions, hardly_trained
from ..training.loop import with_length
from .base import BaseExtractor, on_grid_of
from .pyramid import FeaturePyramid, aligned, cell_offsets
from .store import PyramidStore
from .train import train

_WARNED: set[str] = set()


@dataclass(frozen=True)
class _Settings:
    """What the constructor's arguments come to."""

    network: Network
    options: TrainingOptions
    size: tuple[int, int]
    channels: int  # of the network's outputs


class FeatureExtractor(NetworkEstimator, BaseExtractor):
    """A network that gives feature pyramids, and its training.

        extractor = scp.FeatureExtractor(preset="laptop").fit(images, minutes=10)
        pyramid = extractor.pyramid(image)
        extractor.save("weights.safetensors")

    Args:
        preset: "laptop" or "paper", see `scp.networks.PRESETS`.
        size: (H, W) that images are resized to; that of the preset if None.
        network: options of the network that differ from the preset's (`scp.networks.build`), a
            mapping; or a `scp.networks.Network` of your own.
        training: values of `scp.training.TrainingOptions` that differ from the preset's, a mapping
            in which the name of a transform sets its strength; or all of them, a TrainingOptions.
        objective: what is learned: "infonce-levels", "infonce", "byol-levels" or "byol"
            (docs/how-to/training.md); that of `training` if None.
        start: what VGG-19 layers start from, or all: a file of `scp.networks.import_vgg19`, one
            that it reads, or a model of the same network; "random"; None: the imported VGG-19 if
            there is one and the network has such layers, else random.
        random_state: of the first weights and of all draws of the training.

    Attributes:
        grid_size, levels, channels: see `scp.features.BaseExtractor`.
        architecture: the `scp.networks.Network`.
        options: the `scp.training.TrainingOptions`.
        model_: `scp.networks.Model`, after `fit` or `load`. trained_: what `scp.features.train`
            returned, after `fit`. start_: what the weights started from, in words.
    """

    name = "trained"
    _noun, _weights = "extractor", WEIGHTS
    _known: tuple[tuple, _Settings] | None = None  # of which arguments, and what they come to

    def __init__(
        self,
        *,
        preset: str = "laptop",
        size: tuple[int, int] | None = None,
        network: Mapping[str, Any] | Network | None = None,
        training: Mapping[str, Any] | TrainingOptions | None = None,
        objective: str | None = None,
        start: str | os.PathLike[str] | None = None,
        random_state: int = 0,
    ):
        self.preset = preset
        self.size = size
        self.network = network
        self.training = training
        self.objective = objective
        self.start = start
        self.random_state = random_state

    # ---- what the arguments come to ----

    def check(self) -> FeatureExtractor:
        """self; ValueError names an argument of the constructor that is wrong."""
        self._settings()
        return self

    @property
    def architecture(self) -> Network:
        return self._settings().network

    @property
    def options(self) -> TrainingOptions:
        return self._settings().options

    @property
    def grid_size(self) -> tuple[int, int]:
        """(H, W) that images are resized to."""
        return self._settings().size

    @property
    def levels(self) -> int:
        return len(self._settings().network.outputs)

    @property
    def channels(self) -> int:
        """C: of the network's outputs, filled up to a multiple of 16."""
        return -(-self._settings().channels // 16) * 16

    def _settings(self) -> _Settings:
        model = getattr(self, "model_", None)
        network = self.network if model is None else model.network
        if not isinstance(network, (Mapping, Network, type(None))):
            raise TypeError(f"network must be a mapping or a Network, got {network!r}")
        size, made_of = repr(self.size), (network, self.training)
        made_of = (dict(v) if isinstance(v, Mapping) else v for v in made_of)
        key = self.preset, size, self.objective, self.random_state, *made_of
        if self._known is None or self._known[0] != key:
            if not isinstance(network, Network):
                network = build(self.preset, **(network or {}))
            self._known = key, self._resolve(network)
        return self._known[1]

    def _resolve(self, network: Network) -> _Settings:
        whole = isinstance(self.training, TrainingOptions) and self.size is not None
        entry = None if whole else preset(self.preset)
        options = training_options(
            TrainingOptions, entry.training if entry else {}, self.training, self.random_state
        )
        if self.objective is not None:
            if isinstance(self.training, Mapping) and "objective" in self.training:
                raise ValueError("objective: give it once, as an argument or in training")
            options = options.set(objective=self.objective)
        size = check_size(entry.size if self.size is None else self.size)
        unit = 1 << len(network.outputs)
        if any(s % unit for s in size):
            raise ValueError(f"size must be two multiples of {unit} (2^levels), got {self.size}")
        shapes = network.shapes(*size)[network.outputs]
        channels = int(shapes[0, 2])
        for d, shape in enumerate(shapes):
            expected = (size[0] << d) // unit, (size[1] << d) // unit, channels
            if tuple(shape[:3]) != expected:
                raise ValueError(
                    f"network: output {d} must have shape {expected} (strides {unit} .. 2), got "
                    f"{tuple(int(v) for v in shape[:3])}"
                )
        return _Settings(network, options, size, channels)

    # ---- training ----

    def fit(
        self,
        images: Dataset | np.ndarray | Iterable[np.ndarray],
        y: object = None,
        *,
        minutes: float | None = None,
        steps: int | None = None,
        run: str | os.PathLike[str] | None = None,
        resume: bool = True,
        progress: Progress = None,
        callback: Callable[[dict[str, Any]], object] | None = None,
    ) -> FeatureExtractor:
        """Train on unlabelled images.

        Args:
            images: a data set; or an array [N][H][W] or several [H][W], uint8, uint16, or floating
                point in 0..1, which are resized where needed.
            minutes, steps: the length of the training; that of the options if both are None.
            run: a run folder, for weights.safetensors, log.jsonl and checkpoint.safetensors. A
                training that was stopped goes on from there. Nothing is written if None.
            resume: False starts anew.
            progress: see `scp.progress`; a function is called once per line of the log.
            callback: called with the events of `scp.features.train`.

        Raises:
            KeyboardInterrupt: Ctrl-C, after the step that ran; the checkpoint of `run` is written,
                and what was trained so far stands in model_ and trained_. weights.safetensors is
                written when the training has finished only.
        """
        self._forget()
        settings = self._settings()
        options = with_length(settings.options, minutes, steps)
        if run is not None:
            keeps_start(self.start, Path(run, WEIGHTS))
        with holding(run, images if isinstance(images, Dataset) else None):
            return self._fit(images, settings, options, run, resume, progress, callback)

    def _fit(self, images, settings, options, run, resume, progress, callback) -> FeatureExtractor:
        """See `fit`, which checked the arguments."""
        grids = self._pool(images)
        self.trained_ = train(
            grids,
            settings.network,
            options,
            run,
            initial=self._initial(),
            resume=resume,
            **self._events("training", run, progress, callback),
        )
        named = not isinstance(self.network, Network)
        made_of = (self.preset, self.network) if named else ("", None)
        facts = {"images": len(grids), "start": self.start_}
        self._keep(settings.network, settings.size, made_of, options, **facts)
        self.trained_.raise_if_stopped()
        if run is not None:
            self.save(Path(run) / WEIGHTS)
        return self

    def _initial(self) -> tuple[np.ndarray, np.ndarray]:
        network, source = self.architecture, self.start
        parameters, state = network.initial(self.random_state)
        has_vgg = any(name.startswith("vgg.") for name in network.names)
        if source is None:
            source = stored_vgg19() if has_vgg else None
        if not isinstance(source, (str, os.PathLike, type(None))):
            raise TypeError(f"start must be a file or 'random', got {source!r}")
        if source is None or source == "random":
            self.start_ = "random weights"
            return parameters, state
        if _is_model(source):
            model = load_model(source)
            if model.network.digest() != network.digest():
                raise ValueError(f"start: {source} belongs to another network")
            self.start_ = f"the model {source}"
            return model.parameters, model.state
        put_vgg19(network, parameters, source)
        self.start_ = f"VGG-19 of {source}"
        return parameters, state

    def _pool(self, images) -> np.ndarray:
        """The images as float32 [N][H][W]."""
        if not isinstance(images, Dataset):
            return np.stack(list(self._grids(images)))
        if len(images) == 0:
            raise ValueError("images: the data set is empty")
        pool = np.empty((len(images), *self.grid_size), np.float32)  # one copy: they may be many
        for i, grid in enumerate(self._grids(images)):
            pool[i] = grid
        return pool

    # ---- features ----

    def resized(self, size: tuple[int, int]) -> FeatureExtractor:
        """The same features, weights shared, for images of another size."""
        other = copy.copy(self)
        other.size = size
        other.check()
        return other

    def parameters(self) -> dict[str, Any]:
        """What the features depend on besides the image."""
        return {
            "features": self.name,
            "preset": self._trained().preset,
            "size": list(self.grid_size),
            "levels": self.levels,
            "channels": self.channels,
            "weights": self._trained().digest(),
        }

    @property
    def hardly_trained(self) -> str:
        """A sentence about features that were trained for a few steps only; "" for others."""
        model = getattr(self, "model_", None)
        return "" if model is None else hardly_trained(model.training)

    def working_bytes(self) -> int:
        """Memory of the network while it computes a pyramid, and of its weights."""
        network = self.architecture
        weights = 4 * (network.n_parameters + network.n_state)
        return weights + _core.plan_bytes(network.graph(), 1, *self.grid_size, False)

    def pyramid(self, image: np.ndarray) -> FeaturePyramid:
        """The pyramid of one image, float32 [H][W] in [0, 1], of `grid_size`."""
        model, levels, grid = self._trained(), self.levels, self.grid
        self._warn()
        image = on_grid_of(self, image)
        offsets = cell_offsets(levels, *grid)
        features = aligned((int(offsets[-1]), self.channels))
        norms = np.empty(len(features), np.float32)
        for d, level in enumerate(model.run(image)):
            part = slice(offsets[d], offsets[d + 1])
            _core.pyramid_pack(features[part], norms[part], level.reshape(-1, level.shape[-1]))
        return FeaturePyramid(features, norms, levels, *grid)

    def _warn(self) -> None:
        """Once about features that were hardly trained, where they are used."""
        text = self.hardly_trained
        if text and text not in _WARNED:
            _WARNED.add(text)
            warn(text, HardlyTrainedWarning)

    def transform(
        self,
        images: Dataset | np.ndarray | Iterable[np.ndarray],
        *,
        max_memory: int | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> PyramidStore:
        """The pyramids of images: see `scp.features.BaseExtractor.transform`."""
        self._trained()  # an error now, not at the first pyramid
        return super().transform(images, max_memory=max_memory, folder=folder)

    # ---- files ----

    def export(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write the network for others, as a PyTorch module (.py) or ONNX: see
        `scp.networks.export_model`."""
        return export_model(self._trained(), path)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], size: tuple[int, int] | None = None
    ) -> FeatureExtractor:
        """A trained extractor from a file of `save` or a run folder with one; size: other than
        it was trained with."""
        path, model, training = load_trained(path, WEIGHTS, TrainingOptions, "features")
        self = cls(
            preset=model.preset,
            size=model.size if size is None else size,
            network=model.options if model.preset in PRESETS else model.network,
            training=training,
            start=path,
            random_state=training.seed,
        )
        self.model_, self.start_ = model, f"the model {path}"
        return self.check()


def _is_model(path: str | os.PathLike[str]) -> bool:
    try:
        return read_safetensors(path, lambda _: False)[0].get("format") == "model"
    except ValueError:
        return False
