"""The exact search: the best match of every key point in one image (the paper, Eq. 7 and Eq. 8)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ..devices import resolve
from ..features import FeaturePyramid
from ..progress import Progress, watch
from ..values import array

MODES = ("nearest", "bilinear")
PATHS = ("auto", "search", "dense")
DEVICE_CHANNELS = 256  # at most, for a GPU
DEVICE_IMAGES = 4  # given to a GPU at once, so that copies and work overlap


class Queries:
    """What is searched for in many images: checked, ordered and quantised here, once.

    Args:
        vectors, norms: float32 [Q][D][C] and [Q][D], from `FeaturePyramid.at`; a copy is made.
    """

    def __init__(self, vectors: np.ndarray, norms: np.ndarray):
        self.vectors = array(vectors, "queries", None, 3)
        self.norms = array(norms, "query_norms", None, 2)
        self._prepared = _core.match_queries(self.vectors, self.norms)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.vectors, self.norms)

    def __len__(self) -> int:
        return len(self.vectors)


def match(
    pyramid: FeaturePyramid,
    queries: np.ndarray | Queries,
    query_norms: np.ndarray | None = None,
    *,
    mode: str = "nearest",
    epsilon: float = 1e-3,
    path: str = "auto",
    device: str = "auto",
    progress: Progress = False,
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """The best match of every query in one image, exactly as brute force finds it.

    Args:
        pyramid: the searched image.
        queries, query_norms: float32 [Q][D][C] and [Q][D], from `FeaturePyramid.at`; or `Queries`
            alone, for many images.
        mode: "nearest" (a position is a cell of the finest level) or "bilinear" (a pixel; each
            level is interpolated).
        epsilon: added to the product of the norms.
        path: "search" prunes, "dense" visits all cells, "auto" lets a sample decide
            (32 queries or fewer are searched). The answer is the same to the last bit.
        device: where the search runs, see `scp.devices.resolve`; "auto" takes a GPU where path is
            "auto" too. A GPU visits all cells in bfloat16 and scores what may be best again: the
            answer is the same to the last bit.

    Returns:
        value float32 [Q] in [0, 1]; place int32 [Q][2], (x, y): the cell of the finest level
        (nearest) or the pixel (bilinear); statistics: dots, brute, dense.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if path not in PATHS:
        raise ValueError(f"path must be one of {', '.join(PATHS)}, got {path!r}")
    where = resolve(device) if device != "auto" or path == "auto" else -1
    bar = watch(progress, "match", 1)
    width = pyramid.size[1] if mode == "bilinear" else pyramid.size[1] // 2
    if isinstance(queries, Queries):
        if query_norms is not None:
            raise TypeError("query_norms must be left out: Queries have theirs")
        vectors, norms = queries.vectors, queries.norms
    else:
        vectors = array(queries, "queries", None, 3)
        norms = array(query_norms, "query_norms", None, 2)
    if where >= 0 and (device != "auto" or vectors.shape[-1] <= DEVICE_CHANNELS):
        search = DeviceSearch(where, vectors, norms, pyramid.height, pyramid.width, mode, epsilon)
        values, indices = search([pyramid], bar)
        brute = len(vectors) * len(pyramid.features)
        place = np.stack([indices[0] % width, indices[0] // width], axis=1)
        return values[0], place, {"dots": brute, "brute": brute, "dense": True}
    if not isinstance(queries, Queries):
        queries = Queries(vectors, norms)
    value, index, stats = _search(pyramid, queries, mode, epsilon, path, bar)
    return value, np.stack([index % width, index // width], axis=1), stats


def _search(pyramid, queries, mode, epsilon, path, progress=None):
    """Values, row-major places and statistics of Queries."""
    value, index, dots, brute, dense = _core.match(
        pyramid.features,
        pyramid.norms,
        queries._prepared,
        pyramid.height,
        pyramid.width,
        bilinear=mode == "bilinear",
        path=path,
        epsilon=epsilon,
        progress=progress,
    )
    return value, index, {"dots": dots, "brute": brute, "dense": dense}


class DeviceSearch:
    """Queries that stay on a CUDA device while images go by.

    Args:
        device: its number. queries, query_norms: as in `match`.
        height, width: of the coarsest level. max_memory: bytes on the device.
    """

    def __init__(
        self,
        device: int,
        queries: np.ndarray,
        query_norms: np.ndarray,
        height: int,
        width: int,
        mode: str,
        epsilon: float,
        max_memory: int = 2**62,
    ):
        self.matcher = _core.cuda_matcher(
            queries,
            query_norms,
            height,
            width,
            device,
            bilinear=mode == "bilinear",
            epsilon=epsilon,
            max_memory=max_memory,
        )

    def __call__(self, pyramids, progress=None) -> tuple[np.ndarray, np.ndarray]:
        """values float32 and row-major places int32, both [pyramids][Q]."""
        return _core.cuda_match(
            self.matcher,
            tuple(p.features for p in pyramids),
            tuple(p.norms for p in pyramids),
            progress,
        )
