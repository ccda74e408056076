"""Thumbnails as data: URIs; an image that cannot be read becomes a note, not a failure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..devices import get_threads
from .words import clean


@dataclass(frozen=True)
class Picture:
    """A small JPEG of one image, or a placeholder (uri empty)."""

    uri: str
    width: int  # of the thumbnail
    height: int
    original: tuple[int, int] | None  # (H, W) of the image the key points refer to


class Pictures:
    """Makes thumbnails of a dataset's images and remembers which could not be read."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.problems: dict[int, str] = {}
        self.windowed = False  # an image deeper than 8 bits was shown between its percentiles

    def small(self, i: int, size: int, quality: int = 78) -> Picture:
        """Image i with its longer side at most `size` pixels, as a grey JPEG."""
        import cv2

        try:
            grey = self._grey(np.asarray(self.dataset.image(i)), i)
        except Exception as error:
            self.problems.setdefault(i, f"{type(error).__name__}: {clean(error)}"[:300])
            shape = self.shape(i)
            h, w = shape or (5, 4)
            scale = size / max(h, w)
            return Picture("", max(1, round(w * scale)), max(1, round(h * scale)), shape)
        h, w = grey.shape
        scale = min(1.0, size / max(h, w))
        thumb = (max(1, round(w * scale)), max(1, round(h * scale)))
        if scale < 1:
            grey = cv2.resize(grey, thumb, interpolation=cv2.INTER_AREA)
        return Picture(encoded(grey, quality), thumb[0], thumb[1], (h, w))

    def many(self, rows: Sequence[int], size: int, quality: int = 60) -> list[Picture]:
        """`small` of several images, decoded on as many threads as scp has, each as in `grey`."""

        def one(i: int) -> Picture:
            try:
                grey, shape = self.grey(i, size)
            except Exception:  # `small` says what is wrong
                return self.small(i, size, quality)
            return Picture(encoded(grey, quality), grey.shape[1], grey.shape[0], shape)

        with ThreadPoolExecutor(get_threads()) as threads:
            return list(threads.map(one, rows))

    def grey(self, i: int, size: int) -> tuple[np.ndarray, tuple[int, int]]:
        """Image i as uint8 [h][w], its longer side at most `size` pixels, and (H, W) of the
        original. An 8-bit file is decoded at a fraction of its size where the format can. An image
        that cannot be read raises."""
        import cv2

        h, w = self.dataset.shape(i)
        scale = min(1.0, size / max(h, w))
        side = max(1, round(h * scale)), max(1, round(w * scale))
        if self.dataset.depth(i)[0] == 8:
            return np.rint(255 * self.dataset.thumbnail(i, side)).astype(np.uint8), (h, w)
        whole = self._grey(np.asarray(self.dataset.image(i)), i)
        return cv2.resize(whole, side[::-1], interpolation=cv2.INTER_AREA), whole.shape

    def _grey(self, image: np.ndarray, i: int) -> np.ndarray:
        """uint8 [H][W]; deeper images are shown between their 0.5 and 99.5 percentiles."""
        if image.ndim == 3:
            image = image[..., :3].mean(axis=2).astype(image.dtype)
        if image.ndim != 2 or image.size == 0:
            raise ValueError(f"expected a grey image [H][W], got shape {image.shape}")
        if image.dtype == np.uint8:
            white = getattr(self.dataset, "unusual_white", lambda _: None)(i)
            return np.ascontiguousarray(image if white is None else image * (255 // white))
        self.windowed = True
        real = np.nan_to_num(image.astype(np.float32))
        low, high = np.percentile(real[::4, ::4] if real.size > 1 << 20 else real, [0.5, 99.5])
        scaled = (real - low) * (255.0 / max(high - low, 1e-12))
        return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)

    def shape(self, i: int) -> tuple[int, int] | None:
        """(H, W) of image i, or None if that cannot be told."""
        try:
            h, w = (int(v) for v in self.dataset.shape(i))
        except Exception:
            return None
        return (h, w) if h > 0 and w > 0 else None


def encoded(pixels: np.ndarray, quality: int) -> str:
    """A JPEG as a data: URI, of uint8 [h][w], or [h][w][3] in the order blue, green, red."""
    import cv2

    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG thumbnail")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
