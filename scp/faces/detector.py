"""The second stage of 3FabRec: landmarks of faces, learned from few of them on an auto-encoder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from ..datasets import Dataset
from ..estimator import training_options
from ..landmarks import Landmarks
from ..networks import Network
from ..networks.estimator import NetworkEstimator
from ..networks.model import Model, load_trained
from ..progress import Progress, watch
from ..runs import holding
from ..runs.fingerprints import of_arrays, of_image
from ..training import Job, run_job
from ..training.loop import with_length
from . import networks
from .autoencoder import CHUNK, FaceAutoencoder
from .options import TransferOptions
from .swaps import swaps_of
from .views import middle, side_of, squares, to_image

DETECTOR = "faces.safetensors"
CHECKPOINT, LOG = "faces.checkpoint.safetensors", "faces.jsonl"
LOSSES = ["the heat maps"]


class FaceDetector(NetworkEstimator):
    """Landmarks of faces from few labelled ones (3FabRec, Browatzki and Wallraven, CVPR 2020).

        detector = scp.FaceDetector(autoencoder=model).fit(labelled, steps=300)
        found = detector.predict(faces)

    The auto-encoder stands still; a transfer layer before each block of its generator and the
    layer that makes heat maps learn.

    Args:
        autoencoder: a trained `FaceAutoencoder`, or a file or run folder of one.
        training: values of `scp.faces.TransferOptions`, a mapping; or all of them.
        random_state: of the first weights and of all draws.

    Attributes:
        training_options: the `TransferOptions`. names_: of the landmarks. model_:
            `scp.networks.Model`, after `fit` or `load`. trained_: what the training returned.
    """

    _noun, _weights, _checkpoints = "detector", DETECTOR, CHECKPOINT

    def __init__(
        self,
        autoencoder: FaceAutoencoder | str | os.PathLike[str] | None = None,
        *,
        training: Mapping[str, Any] | TransferOptions | None = None,
        random_state: int = 0,
    ):
        self.autoencoder = autoencoder
        self.training = training
        self.random_state = random_state

    # ---- what the arguments come to ----

    def check(self) -> FaceDetector:
        """self; ValueError names an argument of the constructor that is wrong."""
        _ = self.training_options
        return self

    @property
    def training_options(self) -> TransferOptions:
        return training_options(TransferOptions, {}, self.training, self.random_state)

    def _base(self) -> FaceAutoencoder:
        if isinstance(self.autoencoder, (str, os.PathLike)):
            return FaceAutoencoder.load(self.autoencoder)
        if not isinstance(self.autoencoder, FaceAutoencoder):
            raise TypeError(
                "autoencoder must be a trained FaceAutoencoder or a file of one, got "
                f"{self.autoencoder!r}"
            )
        self.autoencoder._trained()
        return self.autoencoder

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
    ) -> FaceDetector:
        """Train.

        Args:
            images: the labelled faces, every landmark of each.
            minutes, steps: of the training; both None: those of the options.
            run: a run folder, for faces.safetensors, a checkpoint and a log. What was stopped goes
                on from there. Nothing is written if None.
            resume, progress, callback: as in `FeatureExtractor.fit`.

        Raises:
            KeyboardInterrupt: Ctrl-C, as in `FeatureExtractor.fit`.
        """
        self.check()._forget()
        if not isinstance(images, Dataset):
            raise TypeError(f"images must be a data set (scp.datasets), got {images!r}")
        base = self._base()
        options = with_length(self.training_options, minutes, steps)
        faces, points = squares(images, base.size, base.room)
        if points.shape[1] == 0 or not np.isfinite(points).all():
            raise ValueError("images: every landmark of every face is needed")
        landmarks = points.shape[1]
        swaps = swaps_of(landmarks)
        if swaps is None:
            if options.flip > 0:
                raise ValueError(
                    f"images: what {landmarks} landmarks are called in a mirror is not known (98 "
                    "and 68 are): set flip=0"
                )
            swaps = np.arange(landmarks, dtype=np.uint32)
        names = images.landmark_names or [str(k + 1) for k in range(landmarks)]
        self.names_: list[str] = [str(n) for n in names]
        with holding(run, images):
            if not resume:
                self._anew(run)
            job = self._job(base, faces, points.astype(np.float32), swaps, options)
            events = self._events("landmarks of faces", run, progress, callback)
            self.trained_ = run_job(job, options, run, resume=resume, **events)
            self.model_ = self._model(base, len(images), options)
            self.trained_.raise_if_stopped()
            if run is not None:
                self.save(Path(run, DETECTOR))
        return self

    def _networks(self, base: FaceAutoencoder) -> dict[str, Network]:
        return {
            "features": networks.features(**base.shape),
            "head": networks.head(len(self.names_), base.width),
        }

    def _job(self, base, faces, points, swaps, options) -> Job:
        model = base._trained()
        tensors = model.network.tensors(model.parameters, model.state)
        parts, initial = self._networks(base), {}
        for name, net in parts.items():
            parameters, state = networks.assemble(net, tensors)
            if name == "head":
                drawn, _ = net.initial(self.random_state)
                for layer in networks.moving(net):
                    at, n = net.blocks[layer, :2]
                    parameters[at : at + n] = drawn[at : at + n]
            initial[f"{name}.parameters"], initial[f"{name}.state"] = parameters, state
        graphs = [net.graph() for net in parts.values()]
        rest = networks.moving(parts["head"]), faces, points, swaps, base.size, options.core()
        held, arrays = _core.transfer_measure(*graphs, *rest)[:2]
        return Job(
            create=lambda: _core.transfer_trainer(*graphs, *rest),
            bytes=held,
            arrays=arrays,
            initial=initial,
            losses=LOSSES,
            identity={
                "autoencoder": model.digest(),
                "images": of_image(faces),
                "labels": of_arrays(points),
            },
            facts={"image_bytes": faces.nbytes},
            verb="landmarks of faces",
            checkpoint=CHECKPOINT,
            log=LOG,
        )

    def _model(self, base: FaceAutoencoder, images: int, options) -> Model:
        arrays, tensors = self.trained_.arrays, {}
        for name, net in self._networks(base).items():
            found = net.tensors(arrays[f"{name}.parameters"], arrays[f"{name}.state"])
            tensors.update(found)
        network = networks.detector(len(self.names_), **base.shape)
        parameters, state = networks.assemble(network, tensors)
        facts = {
            "transfer": True,
            "names": self.names_,
            "room": base.room,
            "images": images,
            **self._facts(options),
        }
        size = (base.size, base.size)
        return Model(network, size, parameters, state, "fabrec-landmarks", base.shape, facts)

    # ---- inference ----

    def predict(self, images: Dataset, *, progress: Progress = None) -> Landmarks:
        """The landmarks of faces: whole pixels of a heat map, where it is highest after a box blur.
        Confidence: that height, cut to 0 .. 1."""
        model = self._trained()
        size, count = model.size[0], len(self.names_)
        room = float(model.training["room"])
        side = side_of(images, size, room)
        xy, confidence = np.empty((len(images), count, 2)), np.empty((len(images), count))
        bar = watch(progress, "landmarks", len(images))
        for first in range(0, len(images), CHUNK):
            rows = range(first, min(first + CHUNK, len(images)))
            faces, _ = squares(images.subset(rows), size, room)
            for i, maps in zip(rows, model.run(middle(faces, size))[0], strict=True):
                at, height = _core.heat_peaks(np.ascontiguousarray(maps), count, size)
                xy[i] = to_image(at, images, i, side, size)
                confidence[i] = np.clip(height, 0, 1)
            if bar:
                bar(rows[-1] + 1, len(images))
        return Landmarks(images.ids, self.names_, xy, confidence)

    # ---- files ----

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FaceDetector:
        """A trained detector from a file of `save` or a run folder with faces.safetensors. It finds
        landmarks; to train again it needs an auto-encoder."""
        path, model, options = load_trained(path, DETECTOR, TransferOptions, "transfer")
        names, room = model.training.get("names"), model.training.get("room")
        try:
            if not isinstance(names, list) or not 1 <= float(room) <= 4:
                raise ValueError("names of landmarks and room are needed")
            shape = {key: int(model.options[key]) for key in ("size", "latent", "width")}
            fits = networks.detector(len(names), **shape).digest() == model.network.digest()
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: training, options: {error}") from None
        if not fits:
            raise ValueError(f"{path}: the network is not the detector its options describe")
        self = cls(training=options, random_state=options.seed)
        self.model_, self.names_ = model, [str(n) for n in names]
        return self
