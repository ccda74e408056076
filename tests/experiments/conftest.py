"""Phantoms are drawn once in a session: studies of the same few images are made again and again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from scp.datasets.phantom.generate import Phantom


@pytest.fixture(autouse=True, scope="session")
def drawn_once() -> Iterator[None]:
    drawn: dict[tuple, np.ndarray] = {}
    draw = Phantom.image

    def image(self: Phantom, i: int) -> np.ndarray:
        key = self.seed, tuple(self.size), self.per_patient, self._check(i)
        if key not in drawn:
            drawn[key] = draw(self, i)
        return drawn[key].copy()

    Phantom.image = image
    yield
    Phantom.image = draw
