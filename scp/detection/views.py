"""How template matching looks at an image: in several sizes, turned if asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..datasets import Dataset, to_grid, to_original
from ..features import FeatureExtractor, FeaturePyramid, GradientExtractor

VIEWS = ((0.0, 1.0), (0.0, 1.25), (0.0, 1.5), (0.0, 1.75))  # degrees, zoom


def view_list(views: int | Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """What `views` means: a number, so many of VIEWS; or (degrees, zoom) pairs, as they are."""
    if isinstance(views, (int, np.integer)):
        if not 1 <= views <= len(VIEWS):
            raise ValueError(f"views must be 1 to {len(VIEWS)}, got {views}")
        return VIEWS[:views]
    try:
        pairs = tuple((float(degrees), float(zoom)) for degrees, zoom in views)
    except (TypeError, ValueError):
        pairs = ()
    if not pairs or any(not 0 < zoom < 100 for _, zoom in pairs):
        raise ValueError(f"views must be a number or (degrees, zoom > 0) pairs, got {views!r}")
    return pairs


def view_weights(views: int | Sequence[tuple[float, float]]) -> np.ndarray:
    """How much the votes of each view count, float64 [V]: zoom^2, for cells are as much smaller."""
    return np.array([zoom**2 for _, zoom in view_list(views)], np.float64)


class Views:
    """How an image is looked at: resized to `zoom` times the extractor's size and turned about the
    middle; points there and back.

    Args:
        views: see `view_list`.

    Attributes:
        extractors: per view, of its size. sizes: (H, W) of the grid per view; image_sizes: what
            images are resized to.
        weights: `view_weights`.
    """

    def __init__(
        self,
        extractor: FeatureExtractor | GradientExtractor,
        views: int | Sequence[tuple[float, float]] = 1,
    ):
        unit, whole = extractor.unit, extractor.image_size
        known = {tuple(whole): extractor}
        self.extractors: list[FeatureExtractor | GradientExtractor] = []
        self._maps = []
        for degrees, zoom in view_list(views):
            size = tuple(max(round(s * zoom / unit), 1) * unit for s in whole)
            size = tuple(whole) if zoom == 1 else size
            if size not in known or (degrees and extractor.stored):
                known[size] = extractor.resized(size)
            self.extractors.append(known[size])
            turn, centre = np.deg2rad(degrees), np.array([size[1] - 1, size[0] - 1]) / 2
            matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
            self._maps.append((matrix, centre - matrix @ centre) if degrees else None)
        self.sizes: list[tuple[int, int]] = [e.grid_size for e in self.extractors]
        self.image_sizes: list[tuple[int, int]] = [e.image_size for e in self.extractors]
        self.weights = view_weights(views)

    def __len__(self) -> int:
        return len(self._maps)

    def image(self, v: int, grid: np.ndarray) -> np.ndarray:
        """View v of an image that has image_sizes[v] already: turned; black outside."""
        if self._maps[v] is None:
            return grid
        import cv2

        matrix, shift = self._maps[v]
        full = np.concatenate([matrix, shift[:, None]], axis=1)
        turned = cv2.warpAffine(grid, full, self.image_sizes[v][::-1], flags=cv2.INTER_LINEAR)
        return np.clip(turned, 0, 1)

    def pyramids(self, images: Dataset, i: int) -> Iterator[FeaturePyramid]:
        """Features of image i of a data set, view by view."""
        if self.extractors[0].stored:
            yield from (extractor.pyramid_of(images, i) for extractor in self.extractors)
            return
        for v, grid in enumerate(images.grids(i, self.image_sizes)):
            yield self.extractors[v].pyramid(self.image(v, grid))

    def points(self, v: int, xy: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Where view v shows points [...][2] of an image of that shape (original pixels)."""
        size, grid = self.image_sizes[v], self.sizes[v]
        xy = to_grid(xy, shape, size)
        if self._maps[v] is not None:
            xy = xy @ self._maps[v][0].T + self._maps[v][1]
        return xy if size == grid else to_grid(xy, size, grid)

    def back(self, v: int, xy: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Points [...][2] of view v in original pixels: the inverse of `points`."""
        size, grid = self.image_sizes[v], self.sizes[v]
        if size != grid:
            xy = to_original(xy, size, grid)
        if self._maps[v] is not None:
            xy = (xy - self._maps[v][1]) @ self._maps[v][0]
        return to_original(xy, shape, size)
