"""Running a network: the core's plans, kept for the next images of their size."""

from __future__ import annotations

import threading

import numpy as np

from .. import _core
from ..values import array

SIZES = 8  # image sizes that plans are kept for


class Plans:
    """Plans of one network for single images. A plan serves one thread at a time; threads that
    come together each get their own."""

    def __init__(self, network):
        network.graph()  # an error where there is no output
        self._network, self._lock = network, threading.Lock()
        self._idle: dict[tuple[int, int], list] = {}  # by size, the last one used at the end

    def run(
        self, images: np.ndarray, parameters: np.ndarray, state: np.ndarray
    ) -> list[np.ndarray]:
        """See `Network.run`."""
        channels = self._network.image_channels
        images = array(images, "images", np.float32)
        parameters = array(parameters, "parameters", np.float32)
        state = array(state, "state", np.float32)
        one = images.ndim == 2
        batch = images[None] if one else images
        if batch.ndim == 3:
            batch = np.repeat(batch[..., None], channels, axis=3)
        if batch.ndim != 4 or batch.shape[3] != channels or batch.size == 0:
            raise ValueError(
                f"images must be [H][W], [N][H][W] or [N][H][W][{channels}], got "
                f"{list(images.shape)}"
            )
        found = [
            self._one(np.ascontiguousarray(batch[i : i + 1]), parameters, state)
            for i in range(len(batch))
        ]
        if len(found) == 1:
            return [maps[0] for maps in found[0]] if one else found[0]
        return [np.concatenate(maps) for maps in zip(*found, strict=True)]

    def _one(self, image: np.ndarray, parameters, state) -> list[np.ndarray]:
        """The outputs for one image [1][H][W][C], each [1][h][w][c]."""
        size = image.shape[1:3]
        with self._lock:
            idle = self._idle.get(size)
            plan = idle.pop() if idle else None
        if plan is None:
            self._network.shapes(*size)  # names the layer that does not fit
            plan = _core.plan_create(self._network.graph(), 1, *size, False)
        maps = _core.plan_forward(plan, parameters, state, image, 0, 0, None)
        with self._lock:
            idle = self._idle.pop(size, [])
            self._idle[size] = [*idle, plan]
            while len(self._idle) > SIZES:
                del self._idle[next(iter(self._idle))]
        return maps
