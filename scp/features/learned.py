"""Features that are learned from the images themselves, without labels."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ..datasets import Dataset
from ..datasets.base import check_size, resize
from ..networks import PRESETS, build
from ..networks.imagenet import put_vgg19, stored_vgg19
from ..networks.model import Model, load_model, load_trained, save_model
from ..runs import read_safetensors
from ..runs.folder import WEIGHTS
from .pyramid import FeaturePyramid, Grids, aligned, cell_offsets
from .store import PyramidStore

if TYPE_CHECKING:
    from ..training import TrainedState


class FeatureExtractor(Grids):
    """A network that gives feature pyramids, and its training.

        extractor = scp.FeatureExtractor("laptop", seed=0).fit(images, minutes=10)
        pyramid = extractor.pyramid(image)
        extractor.save("weights.safetensors")

    Args:
        preset: "laptop" or "paper", see `scp.networks.PRESETS`.
        seed: of the first weights and of all draws of the training.
        size: (H, W) that images are resized to; that of the preset if None.
        network: options of the network that differ from the preset's (`scp.networks.build`).
        weights: what VGG-19 layers start from, or all: a file of `scp.networks.import_vgg19`, one
            that it reads, or a model of the same network; "random"; None: the imported VGG-19 if
            there is one and the network has such layers, else random.
        options: values of `scp.training.TrainingOptions` that differ from the preset's; the name
            of a transform sets its strength.

    Attributes:
        model: `scp.networks.Model`, or None before `fit` and `load`.
        training: `scp.training.TrainingOptions`. start: what the weights start from, in words.
        trained: what `scp.features.train` returned, or None.
    """

    name = "trained"

    def __init__(
        self,
        preset: str = "laptop",
        seed: int = 0,
        size: tuple[int, int] | None = None,
        *,
        network: Mapping[str, Any] | None = None,
        weights: str | os.PathLike[str] | None = None,
        **options: Any,
    ):
        from ..training import TrainingOptions

        self.preset, self.weights, self.options = preset, weights, dict(options)
        self.network_options = dict(network or {})
        self.network = build(preset, **self.network_options)
        plain = TrainingOptions().set(**PRESETS[preset].training)
        self.training = plain.set(seed=seed, **options)
        self.model: Model | None = None
        self.trained: TrainedState | None = None
        self.start = ""
        self._set_size(PRESETS[preset].size if size is None else size)

    @property
    def seed(self) -> int:
        return self.training.seed

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor."""
        names = ("preset", "seed", "size", "weights")
        return {
            **{name: getattr(self, name) for name in names},
            "network": self.network_options,
            **self.options,
        }

    def set_params(self, **params: Any) -> FeatureExtractor:
        """Other arguments of the constructor; what was trained is forgotten."""
        self.__init__(**{**self.get_params(), **params})
        return self

    def __repr__(self) -> str:
        state = "trained" if self.model is not None else "not trained"
        height, width = self.size
        return f"<FeatureExtractor {self.preset}, {height} x {width}, {state}>"

    def _set_size(self, size) -> None:
        self.size = check_size(size)
        self.levels = len(self.network.outputs)
        unit = 1 << self.levels
        if any(s % unit for s in self.size):
            raise ValueError(f"size must be two multiples of {unit} (2^levels), got {size}")
        shapes = self.network.shapes(*self.size)[self.network.outputs]
        self._channels = int(shapes[0, 2])
        self.channels = -(-self._channels // 16) * 16
        for d, shape in enumerate(shapes):
            expected = self.grid[0] << d, self.grid[1] << d, self._channels
            if tuple(shape[:3]) != expected:
                raise ValueError(
                    f"network: output {d} must have shape {expected} (strides {unit} .. 2), got "
                    f"{tuple(int(v) for v in shape[:3])}"
                )
        self._plan = None

    # ---- training ----

    def fit(
        self,
        images: Dataset | np.ndarray | Iterable[np.ndarray],
        *,
        minutes: float | None = None,
        steps: int | None = None,
        run: str | os.PathLike[str] | None = None,
        resume: bool = True,
        progress: bool | None = None,
        callback: Callable[[dict[str, Any]], object] | None = None,
    ) -> FeatureExtractor:
        """Train on unlabelled images.

        Args:
            images: a data set; or an array [N][H][W] or several [H][W], uint8, uint16, or floating
                point in 0..1, which are resized where needed.
            minutes, steps: the length of the training; that of the options if both are None.
            run: folder for weights.safetensors, log.jsonl and checkpoint.safetensors. A training
                that was stopped goes on from there. Nothing is written if None.
            resume: False starts anew.
            progress: a live bar on stderr; None: on a terminal.
            callback: called with the events of `scp.features.train`.

        Returns:
            self. After Ctrl-C `trained.finished` is False; weights.safetensors is written when the
            training has finished only.
        """
        from .train import train

        options = self.training
        if minutes is not None and steps is not None:
            raise ValueError("minutes, steps: give one of them")
        for name, value in (("minutes", minutes), ("steps", steps)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")
            if value is not None:
                options = options.set(**{"steps": 0, name: value})
        grids = self._pool(images)

        def watch(event):
            if event["event"] == "start" and event["step"] == 0 and run is not None:
                Path(run, WEIGHTS).unlink(missing_ok=True)  # of a training that starts anew
            if callback is not None:
                callback(event)

        self.trained = train(
            grids,
            self.network,
            options,
            run,
            initial=self._initial(),
            resume=resume,
            progress=progress,
            callback=watch,
        )
        facts = {
            "images": len(grids),
            "steps": int(self.trained.step),
            "seconds": round(float(self.trained.seconds), 3),
            "losses": [round(float(v), 6) for v in self.trained.losses],
            "start": self.start,
            "options": options.to_dict(),
        }
        self.model = Model(
            self.network,
            self.size,
            self.trained.parameters,
            self.trained.state,
            self.preset,
            self.network_options,
            facts,
        )
        if run is not None and self.trained.finished:
            self.save(Path(run) / WEIGHTS)
        return self

    def _initial(self) -> tuple[np.ndarray, np.ndarray]:
        parameters, state = self.network.initial(self.seed)
        source = self.weights
        has_vgg = any(name.startswith("vgg.") for name in self.network.names)
        if source is None:
            source = stored_vgg19() if has_vgg else None
        if source is None or source == "random":
            self.start = "random weights"
            return parameters, state
        if _is_model(source):
            model = load_model(source)
            if model.network.digest() != self.network.digest():
                raise ValueError(f"weights: {source} belongs to another network")
            self.start = f"the model {source}"
            return model.parameters, model.state
        put_vgg19(self.network, parameters, source)
        self.start = f"VGG-19 of {source}"
        return parameters, state

    def _pool(self, images) -> np.ndarray:
        """The images as float32 [N][H][W]."""
        if not isinstance(images, Dataset):
            return np.stack(list(self._grids(images)))
        if len(images) == 0:
            raise ValueError("images: the data set is empty")
        pool = np.empty((len(images), *self.size), np.float32)  # one copy: they may be many
        for i, grid in enumerate(self._grids(images)):
            pool[i] = grid
        return pool

    def _grids(self, images) -> Iterator[np.ndarray]:
        """The images as float32 [H][W] of the extractor's size."""
        if isinstance(images, Dataset):
            for i in range(len(images)):
                yield images.grid(i, self.size)
            return
        if isinstance(images, np.ndarray) and images.ndim != 3:
            raise ValueError(f"images must be [N][H][W], got shape {list(images.shape)}")
        empty = True
        for i, image in enumerate(images):
            empty = False
            yield _grid(image, self.size, f"images[{i}]")
        if empty:
            raise ValueError("images: at least one is needed")

    # ---- features ----

    def resized(self, size: tuple[int, int]) -> FeatureExtractor:
        """The same features, weights shared, for images of another size."""
        other = copy.copy(self)
        other._set_size(size)
        return other

    def parameters(self) -> dict[str, Any]:
        """What the features depend on besides the image."""
        return {
            "features": self.name,
            "preset": self.preset,
            "size": list(self.size),
            "levels": self.levels,
            "channels": self.channels,
            "weights": self._trained().digest(),
        }

    def working_bytes(self) -> int:
        """Memory of the network while it computes a pyramid, and of its weights."""
        weights = 4 * (self.network.n_parameters + self.network.n_state)
        return weights + _core.plan_bytes(self.network.graph(), 1, *self.size, False)

    def pyramid(self, image: np.ndarray) -> FeaturePyramid:
        """The pyramid of one image, float32 [H][W] in [0, 1], of the extractor's size."""
        model = self._trained()
        image = np.ascontiguousarray(image, np.float32)
        if image.shape != self.size:
            raise ValueError(f"image must have shape {self.size}, got {image.shape}")
        if self._plan is None:
            self._plan = _core.plan_create(self.network.graph(), 1, *self.size, False)
        batch = np.repeat(image[None, :, :, None], self.network.image_channels, axis=3)
        maps = _core.plan_forward(
            self._plan, model.parameters, model.state, np.ascontiguousarray(batch), 0, 0, None
        )
        features = aligned((self.cells, self.channels))
        norms = np.empty(self.cells, np.float32)
        offsets = cell_offsets(self.levels, *self.grid)
        for d, level in enumerate(maps):
            part = slice(offsets[d], offsets[d + 1])
            _core.pyramid_pack(features[part], norms[part], level.reshape(-1, self._channels))
        return FeaturePyramid(features, norms, self.levels, *self.grid)

    def transform(
        self,
        images: Dataset | np.ndarray | Iterable[np.ndarray],
        max_memory: int | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> PyramidStore:
        """The pyramids of images (as in `fit`): a sequence of FeaturePyramid.

        max_memory: bytes to hold, 2 GiB if None; the others go to a nameless file in `folder`.
        """
        self._trained()
        return PyramidStore((self.pyramid(g) for g in self._grids(images)), max_memory, folder)

    def fit_transform(
        self, images: Dataset | np.ndarray | Iterable[np.ndarray], **options: Any
    ) -> PyramidStore:
        """`fit` with these options, then `transform`."""
        return self.fit(images, **options).transform(images)

    def _trained(self) -> Model:
        if self.model is None:
            raise RuntimeError("the extractor is not trained yet: call fit or load")
        return self.model

    # ---- files ----

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as one safetensors file (docs/files.md)."""
        save_model(path, self._trained())

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], size: tuple[int, int] | None = None
    ) -> FeatureExtractor:
        """A trained extractor from a file of `save` or a run folder with one; size: other than
        it was trained with."""
        from ..training import TrainingOptions

        path, model, training = load_trained(path, WEIGHTS, TrainingOptions, False)
        self = cls.__new__(cls)
        self.preset, self.network_options, self.options = model.preset, model.options, {}
        self.network, self.model, self.training = model.network, model, training
        self.weights, self.trained, self.start = path, None, f"the model {path}"
        self._set_size(model.size if size is None else size)
        return self


def _is_model(path: str | os.PathLike[str]) -> bool:
    try:
        return read_safetensors(path, lambda _: False)[0].get("format") == "model"
    except ValueError:
        return False


def _grid(image, size: tuple[int, int], name: str) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"{name} must be [rows][columns] and not empty, got {list(image.shape)}")
    if image.dtype.kind == "f":
        image = np.ascontiguousarray(image, np.float32)
        if not ((image >= 0) & (image <= 1)).all():
            raise ValueError(f"{name} must lie in 0..1 where it is floating point")
    elif image.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"{name} must be uint8, uint16 or floating point, got {image.dtype}")
    return resize(image, size)
