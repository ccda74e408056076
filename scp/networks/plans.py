"""Running a network: the core's plans, kept for the next images of their size."""

from __future__ import annotations

import threading

import numpy as np

from .. import _core

SIZES = 8  # image sizes that plans are kept for


class Plans:
    """Plans of one network for single images. A plan serves one thread at a time; threads that
    come together each get their own."""

    def __init__(self, network):
        self._network, self._lock = network, threading.Lock()
        self._idle: dict[tuple[int, int], list] = {}  # by size, the last one used at the end

    def run(self, image: np.ndarray, parameters: np.ndarray, state: np.ndarray) -> list[np.ndarray]:
        """The outputs for one image, float32 [1][H][W][C]."""
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
