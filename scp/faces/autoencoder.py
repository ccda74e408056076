"""The first stage of 3FabRec: an adversarial auto-encoder of faces, learned without labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import _core
from ..datasets import Dataset
from ..estimator import training_options
from ..networks import Network
from ..networks.estimator import NetworkEstimator
from ..networks.model import Model, load_trained
from ..progress import Progress, watch
from ..runs import RunFolder, holding
from ..runs.fingerprints import of_image
from ..training import Job, run_job
from ..training.loop import with_length
from ..values import real, whole
from . import networks
from .options import AutoencoderOptions
from .pictures import PICTURES, rows_of, write_sheet
from .released import is_released, read_released
from .views import middle, pixels, squares

AUTOENCODER = "autoencoder.safetensors"
CHECKPOINT, LOG = "autoencoder.checkpoint.safetensors", "autoencoder.jsonl"
LOSSES = [
    "the reconstruction",
    "the structure",
    "the latent discriminator",
    "the encoder against it",
    "the discriminator",
    "the generator against it",
]
MODELS = {"encoder": "Q.", "generator": "P."}  # where their layers are in the whole
CHUNK = 16  # faces run at a time


class FaceAutoencoder(NetworkEstimator):
    """An adversarial auto-encoder of faces (3FabRec, Browatzki and Wallraven, CVPR 2020).

        model = scp.FaceAutoencoder(size=128).fit(faces, minutes=60, run="runs/faces")
        codes = model.transform(faces)

    Args:
        size: pixels of a side that the networks see, 256 (published) or 128.
        latent: numbers of a code. width: channels of the first layer (64: published).
        room: squares of faces that are read are room * size pixels wide, and their middle is seen;
            what lies around comes into view where a view is turned or moved. WFLW has its own.
        training: values of `scp.faces.AutoencoderOptions`, a mapping; or all of them.
        random_state: of the first weights and of all draws.

    Attributes:
        training_options: the `AutoencoderOptions`. model_: `scp.networks.Model`, after `fit` or
            `load`. trained_: what the training returned, after `fit`.
    """

    _noun, _weights, _checkpoints = "auto-encoder", AUTOENCODER, CHECKPOINT

    def __init__(
        self,
        *,
        size: int = 128,
        latent: int = 99,
        width: int = 64,
        room: float = 1.25,
        training: Mapping[str, Any] | AutoencoderOptions | None = None,
        random_state: int = 0,
    ):
        self.size = size
        self.latent = latent
        self.width = width
        self.room = room
        self.training = training
        self.random_state = random_state

    # ---- what the arguments come to ----

    def check(self) -> FaceAutoencoder:
        """self; ValueError names an argument of the constructor that is wrong."""
        if self.size not in networks.SIZES:
            raise ValueError(f"size must be 128 or 256, got {self.size!r}")
        whole(self.latent, "latent", 1, 4096)
        if whole(self.width, "width", 2, 1024) % 2:
            raise ValueError(f"width must be even, got {self.width}")
        if not 1 <= real(self.room, "room") <= 4:
            raise ValueError(f"room must be 1 to 4, got {self.room}")
        _ = self.training_options
        return self

    @property
    def training_options(self) -> AutoencoderOptions:
        return training_options(AutoencoderOptions, {}, self.training, self.random_state)

    @property
    def shape(self) -> dict[str, int]:
        """What the networks are built with."""
        return {"size": self.size, "latent": self.latent, "width": self.width}

    def _parts(self) -> dict[str, Network]:
        return {
            "encoder": networks.encoder(**self.shape),
            "generator": networks.generator(**self.shape),
            "latent_discriminator": networks.latent_discriminator(self.latent),
            "discriminator": networks.discriminator(self.width),
        }

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
    ) -> FaceAutoencoder:
        """Train on faces; labels are not looked at.

        Args:
            images: a data set, colour or grey (scp.datasets).
            minutes, steps: of the training; both None: those of the options.
            run: a run folder, for autoencoder.safetensors, a checkpoint, a log, and
                reconstructions.png, drawn with each checkpoint. What was stopped goes on from
                there. Nothing is written if None.
            resume, progress, callback: as in `FeatureExtractor.fit`. The event "start" says how
                much memory the training takes, in bytes, and "image_bytes" that of the faces.

        Raises:
            KeyboardInterrupt: Ctrl-C, as in `FeatureExtractor.fit`.
        """
        self.check()._forget()
        if not isinstance(images, Dataset):
            raise TypeError(f"images must be a data set (scp.datasets), got {images!r}")
        if len(images) < 2:
            raise ValueError(f"images: at least 2 faces are needed, got {len(images)}")
        options = with_length(self.training_options, minutes, steps)
        with holding(run, images):
            folder = RunFolder.of(run)
            if not resume:
                self._anew(run)
            faces, _ = squares(images, self.size, self.room, progress)
            job, seen = self._job(faces, options)

            def drawn(event):
                if event["event"] == "checkpoint" and seen:
                    self._draw(folder, faces, self._model(seen))
                if callback is not None:
                    callback(event)

            events = self._events("auto-encoder", run, progress, drawn)
            self.trained_ = run_job(job, options, run, resume=resume, **events)
            self.model_ = self._model(self.trained_.arrays, len(images), options)
            self.trained_.raise_if_stopped()
            if folder is not None:
                self.save(folder / AUTOENCODER)
                self._draw(folder, faces, self.model_)
        return self

    def _job(self, faces: np.ndarray, options) -> tuple[Job, dict[str, np.ndarray]]:
        """The job, and what will hold its arrays once it runs."""
        parts = self._parts()
        graphs = [net.graph() for net in parts.values()]
        core = options.core()
        held, arrays = _core.autoencode_measure(*graphs, faces, self.size, core)[:2]
        seen: dict[str, np.ndarray] = {}
        initial = {}
        for k, (name, net) in enumerate(parts.items()):
            start = net.initial((self.random_state + k) % (1 << 64))
            initial[f"{name}.parameters"], initial[f"{name}.state"] = start

        def run(trainer, values, step, rates):
            seen.update(values)
            return _core.trainer_run(trainer, values, step, rates)

        identity = {name: net.digest() for name, net in parts.items()}
        job = Job(
            create=lambda: _core.autoencode_trainer(*graphs, faces, self.size, core),
            bytes=held,
            arrays=arrays,
            initial=initial,
            losses=LOSSES,
            identity={**identity, "images": of_image(faces)},
            run=run,
            facts={"image_bytes": faces.nbytes},
            verb="autoencode",
            checkpoint=CHECKPOINT,
            log=LOG,
        )
        return job, seen

    def _model(self, arrays, images: int = 0, options=None) -> Model:
        tensors = {}
        for name, prefix in MODELS.items():
            net = self._parts()[name]
            found = net.tensors(arrays[f"{name}.parameters"], arrays[f"{name}.state"])
            tensors.update({prefix + key: value for key, value in found.items()})
        whole_network = networks.autoencoder(**self.shape)
        parameters, state = networks.assemble(whole_network, tensors)
        facts = {"autoencoder": True, "room": self.room}
        if options is not None:
            facts |= {"images": images, **self._facts(options)}
        size = (self.size, self.size)
        return Model(whole_network, size, parameters, state, "fabrec", self.shape, facts)

    def _draw(self, folder: RunFolder | None, faces: np.ndarray, model: Model) -> None:
        if folder is None:
            return
        views = middle(faces[rows_of(len(faces))], self.size)
        write_sheet(folder, PICTURES, views, model.run(views)[-1])

    # ---- what it has learned ----

    def transform(self, images: Dataset, *, progress: Progress = None) -> np.ndarray:
        """Codes of faces, float32 [N][latent]."""
        return np.concatenate([maps[0][:, 0, 0] for maps in self._run(images, progress)])

    def reconstruct(self, images: Dataset, *, progress: Progress = None) -> np.ndarray:
        """Faces as they come out of their codes, uint8 [N][size][size][3]."""
        return np.concatenate([pixels(maps[-1]) for maps in self._run(images, progress)])

    def activations(self, views: np.ndarray) -> list[np.ndarray]:
        """x1 .. x4 of the generator for views [N][size][size][3] (`scp.faces.views.middle`):
        float32 [N][8 .. 64][8 .. 64][C], coarsest first."""
        return self._trained().run(views)[1:-1]

    def _run(self, images: Dataset, progress: Progress):
        model = self._trained()
        bar = watch(progress, "faces", len(images))
        for first in range(0, len(images), CHUNK):
            rows = range(first, min(first + CHUNK, len(images)))
            faces, _ = squares(images.subset(rows), self.size, self.room)
            yield model.run(middle(faces, self.size))
            if bar:
                bar(rows[-1] + 1, len(images))

    # ---- files ----

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FaceAutoencoder:
        """A trained auto-encoder from a file of `save`, a run folder with
        autoencoder.safetensors, or the released file of 3FabRec (`scp.faces.released`)."""
        if is_released(path):
            model, options = read_released(path), AutoencoderOptions()
        else:
            path, model, options = load_trained(
                path, AUTOENCODER, AutoencoderOptions, "autoencoder"
            )
        try:
            self = cls(
                **{key: int(model.options[key]) for key in ("size", "latent", "width")},
                room=float(model.training.get("room", 1.25)),
                training=options,
                random_state=options.seed,
            ).check()
            fits = networks.autoencoder(**self.shape).digest() == model.network.digest()
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: options: {error}") from None
        if not fits:
            raise ValueError(f"{path}: the network is not the auto-encoder its options describe")
        self.model_ = model
        return self
