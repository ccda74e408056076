"""How well each image explains the key points of every other (the paper, Eq. 5, 7, 8).

`SimilarityJob` computes S float32 [N][Q]: row = searched image, column = key point, the columns
image by image, and the place where each maximum lies. Rows go to .npy files with a ledger beside
them, so a stopped job resumes: a row counts as done when the ledger names it and its checksum
holds.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import _core
from .devices import resolve
from .features import FeaturePyramid, aligned
from .files import naming, writing

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
        self.vectors, self.norms = vectors, norms
        self._prepared = _core.match_queries(vectors, norms)

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
    progress: Callable[[int, int], object] | None = None,
) -> tuple[np.ndarray, np.ndarray, dict]:
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
    width = pyramid.size[1] if mode == "bilinear" else pyramid.size[1] // 2
    if isinstance(queries, Queries):
        if query_norms is not None:
            raise TypeError("query_norms must be left out: Queries have theirs")
        vectors, norms = queries.vectors, queries.norms
    else:
        vectors, norms = queries, query_norms
    if where >= 0 and (device != "auto" or vectors.shape[-1] <= DEVICE_CHANNELS):
        search = DeviceSearch(where, vectors, norms, pyramid.height, pyramid.width, mode, epsilon)
        values, indices = search([pyramid], progress)
        brute = len(vectors) * len(pyramid.features)
        place = np.stack([indices[0] % width, indices[0] // width], axis=1)
        return values[0], place, {"dots": brute, "brute": brute, "dense": True}
    if not isinstance(queries, Queries):
        queries = Queries(vectors, norms)
    value, index, stats = _search(pyramid, queries, mode, epsilon, path, progress)
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


def client_weights(offsets: np.ndarray) -> np.ndarray:
    """Weight of every key point in the score, float64 [Q]: 1 / (N K_n) for a point of image n.

    The score is then the mean over images of the mean over their key points (the paper, Eq. 9);
    an image without key points counts as 0.
    """
    counts = np.diff(offsets)
    return np.repeat(1.0 / (len(counts) * np.maximum(counts, 1)), counts)


def code_direction(values: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The other reading of Eq. 7, as the authors' code has it: key points of the *template*
    searched in the image.

    Returns V float32 [N][N * K], K = max K_n, with V[t][x * K + k] = similarity of key point k of
    template t in image x (0 where t has fewer points), and weights [N * K] that make
    the score a mean. Pass both to `scp.select`. Key point k of one template has nothing to do with
    key point k of another, so prefer the default direction; this one is for comparison.
    """
    n = len(offsets) - 1
    most = int(np.diff(offsets).max(initial=0))
    out = np.zeros((n, n, most), np.float32)
    for t in range(n):
        block = values[:, offsets[t] : offsets[t + 1]]
        out[t, :, : block.shape[1]] = block
    return out.reshape(n, -1), np.full(n * most, 1.0 / max(n * most, 1))


def image_distances(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Distance of images, float64 [N][N] in [0, 1]: 1 - the mean similarity of one image's key
    points in the other, averaged over both directions; 0 on the diagonal."""
    n = len(offsets) - 1
    mean = np.zeros((n, n))
    for a in range(n):
        if offsets[a + 1] > offsets[a]:
            mean[:, a] = values[:, offsets[a] : offsets[a + 1]].mean(axis=1, dtype=np.float64)
    distance = 1 - (mean + mean.T) / 2
    np.fill_diagonal(distance, 0)
    return np.clip(distance, 0, 1)


@dataclass(frozen=True)
class Estimate:
    """What a job will cost: seconds, bytes of memory at most, bytes on disk."""

    seconds: float
    memory: int
    disk: int

    def __str__(self) -> str:
        return (
            f"about {self.seconds:.0f} s, {self.memory / 2**20:.0f} MiB of memory, "
            f"{self.disk / 2**20:.0f} MiB on disk"
        )


class SimilarityJob:
    """Similarity of all key points in all images, image by image.

    Args:
        image: function i -> float32 [H][W] in [0, 1], the image at the extractor's size.
        n: number of images.
        points: per image, float32 [K_n][2], key points (x, y) on that grid.
        extractor: gives `pyramid(image)`, `pyramid_bytes()`, `parameters()`, `size`, `grid`,
            `levels`, `channels`, and `working_bytes()` where it needs memory of its own.
        mode, epsilon, path: see `match`.
        max_memory: bytes the job may hold; pyramids that do not fit are computed twice.
            Refused when even one image does not fit.
        device: where the search runs, see `scp.devices.resolve`; the answer is the same. On a GPU
            max_memory also bounds the device's memory.
        digest: function i -> str that changes whenever image i does; a SHA-256 of the image if
            None. A job that is finished already asks for nothing else.
    """

    def __init__(
        self,
        image: Callable[[int], np.ndarray],
        n: int,
        points: list[np.ndarray],
        extractor,
        *,
        mode: str = "nearest",
        epsilon: float = 1e-3,
        path: str = "auto",
        max_memory: int | None = None,
        device: str = "auto",
        digest: Callable[[int], str] | None = None,
    ):
        if n < 1:
            raise ValueError("images: at least one is needed")
        if len(points) != n:
            raise ValueError(f"points must have one entry per image, got {len(points)} for {n}")
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        if path not in PATHS:
            raise ValueError(f"path must be one of {', '.join(PATHS)}, got {path!r}")
        self.image, self.n, self.points, self.extractor = image, n, points, extractor
        self.mode, self.epsilon, self.path = mode, epsilon, path
        self.device = resolve(device)
        if device == "auto" and extractor.channels > DEVICE_CHANNELS:
            self.device = -1
        self.digest = digest or self._image_digest
        self.offsets = np.concatenate([[0], np.cumsum([len(p) for p in points])]).astype(np.int64)
        self.max_memory = 2 << 30 if max_memory is None else int(max_memory)
        self.dots = self.brute = self.resumed = 0
        self._kept: dict[int, FeaturePyramid] = {}
        room = self.max_memory - self.fixed_bytes()
        self._keep = min(max(room // self.extractor.pyramid_bytes(), 0), n)
        if room < 0:
            raise MemoryError(
                f"max_memory: {self.max_memory} bytes are not enough for {n} images with "
                f"{self.offsets[-1]} key points; at least {self.fixed_bytes()} are needed"
            )

    def fixed_bytes(self) -> int:
        """Memory that is needed however little is kept: queries, one pyramid, working memory."""
        e = self.extractor
        queries = int(self.offsets[-1]) * (e.levels * (e.channels * 9 + 20) + 8)
        work = _core.match_bytes(e.levels, e.channels, *e.grid, self.mode == "bilinear")
        if hasattr(e, "working_bytes"):
            work += e.working_bytes()
        if self.device >= 0:
            work += (DEVICE_IMAGES + 2) * e.pyramid_bytes()
        return queries + 2 * e.pyramid_bytes() + work + 16 * int(self.offsets[-1])

    def estimate(self) -> Estimate:
        """Cost of the whole job; times a sample of the work (well under a second)."""
        start = time.perf_counter()
        pyramid = self.extractor.pyramid(self.image(0))
        features = time.perf_counter() - start
        sample = next((p for p in self.points if len(p)), np.zeros((0, 2), np.float32))[:64]
        seconds = self.n * features * (1 if self._keep >= self.n else 2)
        if len(sample):
            query = pyramid.at(np.tile(sample, (4, 1)))
            start = time.perf_counter()
            where = f"cuda:{self.device}" if self.device >= 0 else "cpu"
            options = {"mode": self.mode, "epsilon": self.epsilon, "device": where}
            match(pyramid, *query, path=self.path, **options)
            once = time.perf_counter() - start
            start = time.perf_counter()
            match(pyramid, query[0][:1], query[1][:1], path="search", **options)
            fixed = time.perf_counter() - start
            per_query = max(once - fixed, 0.1 * once) / len(query[0])
            seconds += self.n * (fixed + per_query * float(self.offsets[-1]))
        memory = self.fixed_bytes() + self._keep * self.extractor.pyramid_bytes()
        return Estimate(seconds, memory, 8 * self.n * int(self.offsets[-1]))

    def run(self, folder: str | os.PathLike | None = None, progress=None):
        """Compute, or finish, the matrix.

        Args:
            folder: where similarity.npy, places.npy and similarity.ledger go (memory if None).
            progress: called with (done, total): pyramids first, then rows.

        Returns:
            values float32 [N][Q] and places int32 [N][Q] (row-major index, see `match`): arrays,
            or read-only memmaps of the files.
        """
        shape = self.n, int(self.offsets[-1])
        if folder is None:
            table = _Table(None, shape, "")
        else:
            table = _Table(Path(folder), shape, self._fingerprint())
        self.resumed = len(table.done)
        if self.resumed == self.n:
            if progress is not None:
                progress(2 * self.n, 2 * self.n)
            return table.finish()
        queries, norms = self._queries(progress)
        todo = [i for i in range(self.n) if i not in table.done]
        for i, value, place in self._rows(todo, queries, norms):
            table.put(i, value, place)
            if progress is not None:
                progress(self.n + i + 1, 2 * self.n)
        if progress is not None:
            progress(2 * self.n, 2 * self.n)
        return table.finish()

    def _rows(self, todo: list[int], queries, norms):
        """(i, values, places) of the images in `todo`, on the device or the CPU."""
        e, search = self.extractor, None
        if self.device >= 0 and todo and len(queries):
            search = DeviceSearch(
                self.device, queries, norms, *e.grid, self.mode, self.epsilon, self.max_memory
            )
        elif todo:
            queries = Queries(queries, norms)
        size = DEVICE_IMAGES if search else 1
        for start in range(0, len(todo), size):
            rows = todo[start : start + size]
            pyramids = [self._kept.get(i) or e.pyramid(self.image(i)) for i in rows]
            if search:
                work = len(queries) * sum(len(p.features) for p in pyramids)
                self.dots, self.brute = self.dots + work, self.brute + work
                yield from zip(rows, *search(pyramids), strict=True)
                continue
            value, place, stats = _search(pyramids[0], queries, self.mode, self.epsilon, self.path)
            self.dots += stats["dots"]
            self.brute += stats["brute"]
            yield rows[0], value, place

    def _queries(self, progress=None):
        """Vectors of all key points; keeps the pyramids that fit."""
        e = self.extractor
        queries = aligned((int(self.offsets[-1]), e.levels, e.channels))
        norms = np.empty(queries.shape[:2], np.float32)
        for i in range(self.n):
            pyramid = e.pyramid(self.image(i))
            if i < self._keep:
                self._kept[i] = pyramid
            part = slice(self.offsets[i], self.offsets[i + 1])
            queries[part], norms[part] = pyramid.at(np.asarray(self.points[i], np.float32))
            if progress is not None:
                progress(i + 1, 2 * self.n)
        return queries, norms

    def _image_digest(self, i: int) -> str:
        return hashlib.sha256(np.ascontiguousarray(self.image(i), np.float32)).hexdigest()

    def _fingerprint(self) -> str:
        images = hashlib.sha256()
        for i in range(self.n):
            images.update(self.digest(i).encode() + b"\n")
        points = hashlib.sha256(
            b"".join(np.ascontiguousarray(p, np.float32).tobytes() for p in self.points)
        )
        points.update(self.offsets.tobytes())
        content = {
            **self.extractor.parameters(),
            "mode": self.mode,
            "epsilon": self.epsilon,
            "images": images.hexdigest(),
            "points": points.hexdigest(),
        }
        return json.dumps(content, sort_keys=True)


class _Table:
    """similarity.npy and places.npy with their ledger, or two arrays in memory.

    The ledger's first line is the fingerprint of everything the rows depend on; then one line
    "row checksum" per finished row. A line is written after its row; the checksum shows a row that
    never reached the disk.
    """

    def __init__(self, folder: Path | None, shape: tuple[int, int], fingerprint: str):
        self.done: set[int] = set()
        self.ledger = None
        if folder is None or shape[1] == 0:
            self.arrays = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
            if folder is not None:
                for name, array in zip(("similarity.npy", "places.npy"), self.arrays, strict=True):
                    with writing(folder / name) as path, path.open("wb") as file:
                        np.save(file, array)
            return
        paths = folder / "similarity.npy", folder / "places.npy"
        ledger = folder / "similarity.ledger"
        lines = ledger.read_text().split("\n") if ledger.is_file() else []
        known = lines[1:-1] if lines and lines[0] == fingerprint else []  # the last may be cut off
        arrays = self._open(paths, shape) if known else None
        if arrays is None:
            ledger.unlink(missing_ok=True)
            arrays = self._create(paths, shape)
            known = []
        self.arrays = arrays
        for line in known:
            row, _, checksum = line.partition(" ")
            if row.isdigit() and int(row) < shape[0] and checksum == self._checksum(int(row)):
                self.done.add(int(row))
        if len(self.done) < shape[0]:
            for path in paths:  # a folder that was copied may have lost what was set aside
                with naming(path):
                    _reserve(path)
        good = [fingerprint, *(f"{row} {self._checksum(row)}" for row in sorted(self.done)), ""]
        with writing(ledger) as beside:
            beside.write_text("\n".join(good))
        self.ledger = ledger.open("ab", buffering=0)
        self.paths = paths

    @staticmethod
    def _open(paths, shape):
        try:
            arrays = tuple(np.lib.format.open_memmap(p, mode="r+") for p in paths)
        except (OSError, ValueError):
            return None
        right = all(a.shape == shape for a in arrays) and [a.dtype for a in arrays] == [
            np.dtype(np.float32),
            np.dtype(np.int32),
        ]
        return arrays if right else None

    @staticmethod
    def _create(paths, shape):
        need = shape[0] * shape[1] * 4 + 128
        arrays = []
        for path in paths:
            path.unlink(missing_ok=True)
        try:
            for path, dtype in zip(paths, (np.float32, np.int32), strict=True):
                with naming(path, need):
                    arrays.append(np.lib.format.open_memmap(path, "w+", dtype, shape))
                    _reserve(path)
        except BaseException:
            arrays.clear()
            for path in paths:
                path.unlink(missing_ok=True)
            raise
        return tuple(arrays)

    def _checksum(self, row: int) -> str:
        return f"{zlib.crc32(self.arrays[1][row], zlib.crc32(self.arrays[0][row])):08x}"

    def put(self, row: int, value: np.ndarray, place: np.ndarray) -> None:
        self.arrays[0][row] = value
        self.arrays[1][row] = place
        if self.ledger is not None:
            line = f"{row} {self._checksum(row)}\n".encode()
            with naming(self.ledger.name):
                while line:  # a full disk takes a part and then says so
                    line = line[self.ledger.write(line) :]
        self.done.add(row)

    def finish(self):
        if self.ledger is None:
            return self.arrays
        for array in self.arrays:
            array.flush()
        self.ledger.close()
        return tuple(np.load(p, mmap_mode="r") for p in self.paths)


def _reserve(path: Path) -> None:
    """Disk blocks for all of a file: a full disk is an error now, not a crash (SIGBUS) later."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
