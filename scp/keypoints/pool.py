"""The images of a data set with their key points, decoded once."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..datasets import to_grid, to_original
from ..datasets.pictures import key_of
from ..distributed import Workers, for_each
from ..progress import Progress, watch
from ..runs import KnownImages, RunFolder, holding
from ..runs.fingerprints import from_16_bits, of_image, to_16_bits
from ..values import whole
from .detect import detect
from .images import PoolImages
from .kept import KeptImages

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..features import Extractor, FeaturePyramid


@dataclass(frozen=True)
class FindPoints:
    """The key points of an image: what workers are asked for."""

    dataset: Dataset
    size: tuple[int, int]
    grid_size: tuple[int, int]
    method: str
    count: int
    random_state: int
    options: dict[str, Any]

    def __call__(self, i: int) -> dict[str, Any]:
        image = self.dataset.grid(i, self.size)
        return self.of(i, to_16_bits(image), image)

    def of(self, i: int, bits: np.ndarray, image: np.ndarray) -> dict[str, Any]:
        """Digest uint8 [32], key points on the grid float32 [K][2], and responses [K]."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said once, with the ids, by `choose`
            points = detect(
                image,
                self.method,
                self.count,
                random_state=self.random_state,
                index=i,
                **self.options,
            )
        xy = points.xy
        if self.size != self.grid_size:
            xy = to_grid(xy, self.size, self.grid_size).astype(np.float32)
        digest = np.frombuffer(bytes.fromhex(of_image(bits)), np.uint8)
        return {"digest": digest, "xy": xy, "response": points.response}


class Pool:
    """Images of a data set with their key points, ready for similarity.

    Args:
        dataset: a `scp.datasets.Dataset`.
        extractor: features; its `grid_size` is the grid. Key points are found in the image of its
            `image_size`, where that is another.
        keypoints: method of `scp.keypoints.detect`; count, random_state and options: its arguments.
        max_memory: bytes; a quarter of them is for decoded images (2 GiB if None). Images that do
            not fit go to a file that is gone with the pool; without `run` they are decoded again.
        run: a run folder; images it knows (`scp.runs.images`) are decoded when used only.
            keypoints.npz is written into it.
        workers: processes that look for the key points, see `scp.distributed`; None: this one.

    Attributes:
        points: of every image, float32 [K_n][2] on the grid. offsets: int64 [N+1], their numbers by
            image. xy_grid, xy: float32 [Q][2] of all, on the grid and in original pixels.
        response: float32 [Q]. empty: ids of images without key points. digests: of the images.
        images: `PoolImages`, for other processes.
    """

    def __init__(
        self,
        dataset: Dataset,
        extractor: Extractor,
        keypoints: str = "sift",
        count: int = 100,
        random_state: int = 0,
        progress: Progress = False,
        run: str | os.PathLike[str] | None = None,
        max_memory: int | None = None,
        workers: Workers | None = None,
        **options: Any,
    ):
        import cv2

        self.dataset, self.extractor = dataset, extractor
        folder = RunFolder.of(run)
        self._size = getattr(extractor, "image_size", extractor.grid_size)
        limit = 2 << 30 if max_memory is None else whole(max_memory, "max_memory", 0)
        self._room = limit // 4
        self._kept = KeptImages(
            self._room, None if folder is None else folder.path, self._bytes() // 2
        )
        settings = {
            "version": [__version__, cv2.__version__],
            "size": list(extractor.grid_size),
            "keypoints": {"method": keypoints, "count": count, "seed": random_state, **options},
        }
        if self._size != extractor.grid_size:
            settings["image_size"] = list(self._size)
        if dataset.scale is not None:
            settings["scale"] = list(dataset.scale)
        task = FindPoints(
            dataset, self._size, extractor.grid_size, keypoints, count, random_state, options
        )
        with holding(folder, dataset):
            known = KnownImages(folder, dataset, settings)
            self.notes = known.notes
            self._assemble(self._look(task, known, progress, workers, folder))
            if folder is not None:
                folder.write_keypoints(
                    dataset.ids, self.xy, self.xy_grid, self.response, self.offsets
                )
                known.write()

    def _look(self, task: FindPoints, known, progress: Progress, workers, folder) -> list[tuple]:
        """Digest, key points on the grid and responses of every image."""
        n = len(self.dataset)
        found = [known.get(i) for i in range(n)]
        missing = [i for i in range(n) if found[i] is None]
        bar = watch(progress, "key points", n)
        before = {}

        def here(i: int) -> dict[str, Any]:
            before[i] = known.before(i)
            image = self.dataset.grid(i, self._size)
            bits = to_16_bits(image)
            self._kept.put(i, bits)
            return task.of(i, bits, image)

        if workers is not None:
            before = {i: known.before(i) for i in missing}
        key = "" if workers is None else key_of("points", self.dataset, known.settings)
        asked = task if workers else here
        for k, (i, own) in enumerate(for_each(asked, missing, workers, folder, key)):
            found[i] = bytes(own["digest"]).hex(), own["xy"], own["response"]
            known.add(i, before.pop(i), *found[i])
            if bar:
                bar(n - len(missing) + k + 1, n)
        if bar:
            bar(n, n)
        return found

    def _assemble(self, found: list[tuple]) -> None:
        """The attributes, of what `_look` gives."""
        self.digests: list[str] = [digest for digest, _, _ in found]
        self.images = PoolImages(self.dataset, self.extractor, self._size, self.digests)
        self.points: list[np.ndarray] = [xy for _, xy, _ in found]
        self.empty = [self.dataset.ids[i] for i, xy in enumerate(self.points) if len(xy) == 0]
        original = [
            to_original(xy, self.dataset.shape(i), self.extractor.grid_size)
            for i, xy in enumerate(self.points)
        ]
        self.offsets = np.concatenate([[0], np.cumsum([len(p) for p in self.points])])
        self.offsets = self.offsets.astype(np.int64)
        self.xy_grid = np.concatenate(self.points).astype(np.float32).reshape(-1, 2)
        self.xy = np.concatenate(original).astype(np.float32).reshape(-1, 2)
        self.response = np.concatenate([r for _, _, r in found]).astype(np.float32)

    def held(self) -> int:
        """Bytes of decoded images in memory, at most."""
        return min(self._room, self._bytes())

    def on_disk(self) -> int:
        """Bytes of decoded images in a file."""
        return self._kept.on_disk()

    def _bytes(self) -> int:
        return 2 * self._size[0] * self._size[1] * len(self.dataset)

    def pyramid(self, i: int) -> FeaturePyramid:
        """The features of image i."""
        stored = getattr(self.extractor, "stored", False)
        return self.images.pyramid(i, None if stored else self._bits(i))

    def image(self, i: int) -> np.ndarray:
        """Image i on the grid, float32 in [0, 1] (kept in 16 bits).

        Raises:
            DatasetError: the file's pixels are not those that its key points were found in.
        """
        return from_16_bits(self._bits(i))

    def _bits(self, i: int) -> np.ndarray:
        bits = self._kept.get(i)
        if bits is None:
            bits = self.images.bits(i)
            self._kept.put(i, bits)
        return bits

    def digest(self, i: int) -> str:
        """SHA-256 of image i on the grid."""
        return self.digests[i]
