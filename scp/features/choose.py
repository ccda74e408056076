"""Which features a run uses."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..runs.folder import WEIGHTS
from .base import BaseExtractor
from .gradient import GradientExtractor
from .learned import FeatureExtractor
from .own import Given, own_features
from .vectors import ImageVectors

FEATURES = ("auto", "trained", "gradient")


def extractor_for(
    run: str | os.PathLike[str] | None,
    features: Given = "auto",
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    model: str | os.PathLike[str] | None = None,
    levels: int | None = None,
    feature_ids: str | os.PathLike[str] | Sequence[str] | None = None,
) -> BaseExtractor | ImageVectors:
    """The features that a run uses.

    Args:
        run: a run folder.
        features: "trained", those of weights.safetensors there; "gradient", without training;
            "auto": trained where there is such a file, else gradient; or your own, see
            `scp.features.own_features`, with the ids of their rows in feature_ids.
        size: (H, W) of the grid; None: that of the training, or 384 x 384.
        channels, levels: of gradient features; None: 64 and 5.
        model: the file of a model, instead of the one in the folder.
    """
    if not (isinstance(features, str) and features in FEATURES):
        for name, value in (("channels", channels), ("levels", levels), ("model", model)):
            if value is not None:
                raise ValueError(f"{name}: your own features have none")
        return own_features(features, size, feature_ids)
    if feature_ids is not None:
        raise ValueError("feature-ids go with features of your own, in a file of rows")
    path = Path(model) if model is not None else Path(run, WEIGHTS) if run else None
    there = path is not None and path.is_file()
    if features == "gradient" or (features == "auto" and model is None and not there):
        if model is not None:
            raise ValueError("model: gradient features have none")
        extractor = GradientExtractor(
            size=size or (384, 384), levels=levels or 5, channels=channels or 64
        )
        return extractor.check()
    if not there:
        if model is not None:
            raise FileNotFoundError(f"model: there is no file {path}")
        raise FileNotFoundError(f"features: there is no {path or WEIGHTS}; train first (scp train)")
    for name, value in (("channels", channels), ("levels", levels)):
        if value is not None:
            raise ValueError(f"{name}: those of trained features are given by their network")
    return FeatureExtractor.load(path, size)
