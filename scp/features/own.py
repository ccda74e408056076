"""Which features of your own a value means: vectors of whole images, or maps."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .base import BaseExtractor
from .code import is_code
from .maps import MapExtractor
from .stored import SUFFIXES, read_stored
from .vectors import ImageVectors

Given = (
    str
    | os.PathLike[str]
    | BaseExtractor
    | ImageVectors
    | Callable[[np.ndarray], Any]
    | Sequence[ArrayLike]
    | ArrayLike
)


def own_features(
    features: Given,
    size: tuple[int, int] | None = None,
    ids: str | os.PathLike[str] | Sequence[str] | None = None,
) -> BaseExtractor | ImageVectors:
    """Features of your own.

    Args:
        features: an extractor or `ImageVectors`, as they are; vectors [N][d]; maps [N][C][H][W], or
            several such, a level each; a file of either (.npy, .npz, .csv, .safetensors); a folder
            of .npy files, maps by image; a function from an image to its maps; or "FILE.py:NAME",
            such a function.
        size: (H, W) that images are resized to, see `MapExtractor`.
        ids: image ids of the rows, or a file with one a line; None: those in the file; without any,
            the rows are the images in their order.

    Raises:
        TypeError, ValueError: it is nothing of this.
    """
    if isinstance(features, ImageVectors) or _is_extractor(features):
        if size is not None or ids is not None:
            raise ValueError("size, feature_ids: this extractor was made with its own")
        return features
    more = {} if size is None else {"size": size}
    if callable(features):
        return MapExtractor(features, ids=ids, **more)
    if isinstance(features, (str, os.PathLike)):
        path = Path(features)
        if is_code(features):
            return MapExtractor(features, ids=ids, **more)
        if not path.is_dir() and path.suffix.lower() not in SUFFIXES:
            raise ValueError(
                "features must be one of auto, trained, gradient, or a file "
                f"({', '.join(SUFFIXES)}), a folder of .npy files or FILE.py:NAME, "
                f"got {str(features)!r}"
            )
        stored = read_stored(path, ids)
        if stored.arrays and stored.arrays[0].ndim == 2:
            if size is not None:
                raise ValueError(f"size: {path} holds vectors of whole images, which have no grid")
            return ImageVectors.of(stored)
        return MapExtractor(path, ids=ids, **more)
    axes = _axes(features)
    if axes not in (2, 4):
        raise TypeError(
            "features must be a trained FeatureExtractor, a GradientExtractor, or your own: "
            f"vectors [N][d], maps [N][C][H][W], a function or a file, got {_shown(features)}"
        )
    if axes == 2:
        if size is not None:
            raise ValueError("size: vectors of whole images have no grid")
        return ImageVectors(features, ids=ids)
    return MapExtractor(features, ids=ids, **more)


def _axes(features: Any) -> int:
    """How many an array has, or the first of several levels; a list of vectors has two."""
    try:
        levels = isinstance(features, (list, tuple)) and len(features) and np.ndim(features[0]) == 4
        return 4 if levels else np.ndim(features)
    except (TypeError, ValueError, RuntimeError):  # ragged
        return 0


def _shown(value: object) -> str:
    shape = getattr(value, "shape", None)
    return repr(value)[:80] if shape is None else f"an array {list(shape)}"


def _is_extractor(value: object) -> bool:
    return hasattr(type(value), "pyramid") and not isinstance(value, type)
