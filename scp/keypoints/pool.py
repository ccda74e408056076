"""The images of a data set with their key points, decoded once."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..datasets import DatasetError, to_grid, to_original
from ..progress import Progress, watch
from ..runs import KnownImages, RunFolder
from ..runs.fingerprints import from_16_bits, of_image, to_16_bits
from ..runs.images import NAME as KNOWN
from ..values import whole
from .detect import detect
from .kept import KeptImages

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..features import Extractor, FeaturePyramid


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
        **options: Any,
    ):
        import cv2

        self.dataset, self.extractor = dataset, extractor
        folder = RunFolder.of(run)
        self.points: list[np.ndarray] = []
        self.empty: list[str] = []
        self.digests: list[str] = []
        self._size = getattr(extractor, "image_size", extractor.grid_size)
        limit = 2 << 30 if max_memory is None else whole(max_memory, "max_memory", 0)
        self._kept = KeptImages(limit // 4, None if folder is None else folder.path)
        settings = {
            "version": [__version__, cv2.__version__],
            "size": list(extractor.grid_size),
            "keypoints": {"method": keypoints, "count": count, "seed": random_state, **options},
        }
        if self._size != extractor.grid_size:
            settings["image_size"] = list(self._size)
        known = KnownImages(folder, dataset, settings)
        self.notes = known.notes
        original, responses = [], []
        bar = watch(progress, "key points", len(dataset))
        for i in range(len(dataset)):
            found = known.get(i)
            if found is not None:
                digest, xy, response = found
            else:
                before = known.before(i)
                bits, image = self._decode(i)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # said once, with the ids, by `choose`
                    points = detect(
                        image, keypoints, count, random_state=random_state, index=i, **options
                    )
                xy, response, digest = self._on_grid(points.xy), points.response, of_image(bits)
                known.add(i, before, digest, xy, response)
            if len(xy) == 0:
                self.empty.append(dataset.ids[i])
            self.points.append(xy)
            self.digests.append(digest)
            original.append(to_original(xy, dataset.shape(i), extractor.grid_size))
            responses.append(response)
            if bar:
                bar(i + 1, len(dataset))
        self.offsets = np.concatenate([[0], np.cumsum([len(p) for p in self.points])])
        self.offsets = self.offsets.astype(np.int64)
        self.xy_grid = np.concatenate(self.points).astype(np.float32).reshape(-1, 2)
        self.xy = np.concatenate(original).astype(np.float32).reshape(-1, 2)
        self.response = np.concatenate(responses).astype(np.float32)
        if folder is not None:
            with folder.holding(dataset):
                folder.write_keypoints(
                    dataset.ids, self.xy, self.xy_grid, self.response, self.offsets
                )
                known.write()

    def _decode(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Image i in 16 bits, kept while there is room, and as it is."""
        image = self.dataset.grid(i, self._size)
        bits = to_16_bits(image)
        self._kept.put(i, bits)
        return bits, image

    def _on_grid(self, xy: np.ndarray) -> np.ndarray:
        """Points of the image as points of the grid."""
        if self._size == self.extractor.grid_size:
            return xy
        return to_grid(xy, self._size, self.extractor.grid_size).astype(np.float32)

    def pyramid(self, i: int) -> FeaturePyramid:
        """The features of image i."""
        if getattr(self.extractor, "stored", False):
            return self.extractor.pyramid_of(self.dataset, i)
        return self.extractor.pyramid(self.image(i))

    def image(self, i: int) -> np.ndarray:
        """Image i on the grid, float32 in [0, 1] (kept in 16 bits).

        Raises:
            DatasetError: the file's pixels are not those that its key points were found in.
        """
        bits = self._kept.get(i)
        if bits is None:
            bits, _ = self._decode(i)
            if of_image(bits) != self.digests[i]:
                raise DatasetError(
                    f"{self.dataset.path(i)}: the image changed since its key points were found; "
                    f"delete {KNOWN} in the run folder and start again"
                )
        return from_16_bits(bits)

    def digest(self, i: int) -> str:
        """SHA-256 of image i on the grid."""
        return self.digests[i]
