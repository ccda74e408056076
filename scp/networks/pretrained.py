"""Vectors of whole images by VGG-19 as ImageNet has trained it, without anything of ours."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from .imagenet import put_vgg19, store, stored_vgg19
from .network import Network
from .vgg import vgg19

SIZE = (224, 224)  # of the images that it was trained on
MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet, RGB from 0 to 1
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def weights_file() -> Path:
    """The file of imported weights; FileNotFoundError says how it is made."""
    path = stored_vgg19()
    if path is None:
        raise FileNotFoundError(
            f"vgg vectors need VGG-19 of ImageNet, which is not in {store()}: get torchvision's "
            "vgg19-dcbb9e9d.pth and run `scp weights import vgg19-dcbb9e9d.pth` once"
        )
    return path


def weights_digest() -> str:
    """SHA-256 of that file."""
    with weights_file().open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Pool5:
    """An image as the mean of VGG-19's last pooled map, 512 numbers."""

    size = SIZE

    def __init__(self) -> None:
        path = weights_file()
        self._network = Network("he")
        self._network.output(vgg19(self._network, self._network.input(3, name="image"))[-1])
        self._parameters = np.zeros(self._network.n_parameters, np.float32)
        put_vgg19(self._network, self._parameters, path)
        self._state = np.zeros(self._network.n_state, np.float32)

    def vector(self, image: np.ndarray) -> np.ndarray:
        """float64 [512] of a grey image float32 [224][224] from 0 to 1."""
        colours = (image[None, ..., None] - MEAN) / DEVIATION
        maps = self._network.run(colours, self._parameters, self._state)
        return maps[0][0].mean(axis=(0, 1), dtype=np.float64)
