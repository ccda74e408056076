"""What the parts of a study take here, before they are made: seconds and bytes.

Times come from a few operations that are timed on an image of the pool; where there are no features
yet, on gradient features, which match more slowly than trained ones: the times are upper bounds
then. Else they are right to a factor of two, not to a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..detection import VIEWS, usual_views
from ..features import GradientExtractor
from ..keypoints import detect
from ..runs import RunFolder
from ..runs.folder import SIMILARITY
from ..similarity import match
from .data import Data
from .study import FOLDER, Options

KEYPOINTS = 100  # of an image, at most
SAMPLE, TIMES = 256, 3  # queries that are timed, and how often: the fastest counts
VOTE = {"confident": 6e-9, "other": 4e-7}  # seconds to combine a vote, on one core of 2020
DRAW = 4e-11  # seconds of a random draw, for each template and key point


@dataclass(frozen=True)
class Cost:
    """seconds, and bytes of memory at most."""

    seconds: float = 0.0
    memory: int = 0


@dataclass(frozen=True)
class Speeds:
    """Seconds of one image read and resized; of its features; of one query searched in another
    image, on cells and between them."""

    image: float
    features: float
    nearest: float
    bilinear: float


def speeds(data: Data, extractor) -> Speeds:
    """Timed on the first images of the pool, in a second or two. extractor: of features."""
    size = extractor.grid_size
    start = time.perf_counter()
    image = data.train.grid(0, size)
    reading = time.perf_counter() - start
    extractor.pyramid(image)  # what is made once is made
    features, pyramid = _fastest(lambda: extractor.pyramid(image))
    points = detect(image, count=SAMPLE).xy
    if not len(points):
        points = np.array([[size[1] / 2, size[0] / 2]], np.float32)
    points = np.resize(points, (SAMPLE, 2)).astype(np.float32)
    other = extractor.pyramid(data.train.grid(min(1, len(data.train) - 1), size))
    each = []
    for query, mode in ((pyramid.at(points), "nearest"), (pyramid.between(points), "bilinear")):
        seconds, _ = _fastest(lambda query=query, mode=mode: match(other, *query, mode=mode))
        each.append(seconds / SAMPLE)
    return Speeds(reading, features, *each)


def _fastest(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest of a few runs (others may use the machine), and the result."""
    best = float("inf")
    for _ in range(TIMES):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


class Costs:
    """Of what several parts share, and of steps that a part may have.

    Args:
        data: of the study. options: of the study. run: its run folder: what is there costs nothing.
        extractor: of its features; None: not trained yet. size: that the images will have.
    """

    def __init__(self, data: Data, options: Options, run, extractor=None, size=(384, 384)):
        self.data, self.options, self.run = data, options, RunFolder.of(run)
        self.speeds = speeds(data, extractor or GradientExtractor(size=size))
        self.size = size if extractor is None else extractor.grid_size
        self.views = options.views or (len(VIEWS) if extractor is None else usual_views(extractor))
        self.n = len(data.train)
        self.n_test = len(data.distinct)
        self.landmarks = data.train.landmarks.shape[1]
        self.queries = self.n * KEYPOINTS

    def images(self) -> Cost:
        """Images of both parts, read once and kept."""
        count = self.n + self.n_test
        return Cost(count * self.speeds.image, 4 * count * int(np.prod(self.size)))

    def similarity(self) -> Cost:
        """All key points searched in all images of the pool."""
        memory = 5 * self.n * self.queries
        if (self.run / SIMILARITY).is_file():
            return Cost(0.0, memory)
        s = self.speeds
        return Cost(self.n * (2 * s.features + self.queries * s.nearest), memory)

    def paper(self) -> Cost:
        """All templates in the training images."""
        return self._record("matches-paper", self.n, ((0.0, 1.0),), self.speeds.nearest)

    def honest(self) -> Cost:
        """All templates in the test images."""
        name = "matches-honest" if self.views == 1 else f"matches-honest-{self.views}-views"
        return self._record(name, self.n_test, VIEWS[: self.views], self.speeds.bilinear)

    def _record(self, name: str, images: int, views, query: float) -> Cost:
        votes = self.n * len(views) * images * self.landmarks
        memory = 28 * votes  # places, similarities, errors
        if (self.run / FOLDER / f"{name}.npz").is_file():
            return Cost(0.0, memory)
        area = sum(zoom * zoom for _, zoom in views)
        found = images * self.n * self.landmarks * query
        return Cost(area * ((images + self.n) * self.speeds.features + found), memory)

    def sets(self, m: int, count: int) -> float:
        """Seconds to measure so many sets of m templates in every way."""
        o, votes = self.options, 0.0
        if o.evaluation in ("both", "paper"):
            votes += 2 * 2 * self.n * VOTE["confident"]
        if o.evaluation in ("both", "honest"):
            votes += 2 * self.n_test * VOTE["confident"]
            if o.rule != "confident":
                votes += self.n_test * self.views * VOTE["other"]
        return count * m * self.landmarks * votes

    def draws(self, m: int, count: int) -> float:
        """Seconds of a random search."""
        return count * m * self.queries * DRAW
