"""Which features a run uses."""

from __future__ import annotations

import os
from pathlib import Path

from ..runs.folder import WEIGHTS
from .gradient import GradientExtractor
from .learned import FeatureExtractor

FEATURES = ("auto", "trained", "gradient")


def extractor_for(
    run: str | os.PathLike[str] | None,
    features: str = "auto",
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    model: str | os.PathLike[str] | None = None,
    levels: int | None = None,
) -> FeatureExtractor | GradientExtractor:
    """The features that a run uses.

    Args:
        run: a run folder.
        features: "trained", those of weights.safetensors there; "gradient", without training;
            "auto": trained where there is such a file, else gradient.
        size: (H, W) of the grid; None: that of the training, or 384 x 384.
        channels, levels: of gradient features; None: 64 and 5.
        model: the file of a model, instead of the one in the folder.
    """
    if features not in FEATURES:
        raise ValueError(f"features must be one of {', '.join(FEATURES)}, got {features!r}")
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
