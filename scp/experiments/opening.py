"""The paper's study in one call, as the notebooks open it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..features import FeatureExtractor, GradientExtractor
from ..progress import Progress
from ..runs.folder import WEIGHTS
from ..values import real
from .data import load
from .study import Options, Study

FAST = {"draws": 50, "searches": 1000}  # of `Options`
IMAGES = 8  # phantoms to choose from, and as many to measure on
SIZE = (96, 96)  # of the images that fast features see


def open_study(
    root: str | os.PathLike[str] | None = None,
    run: str | os.PathLike[str] | None = None,
    *,
    fast: bool = True,
    minutes: float = 60.0,
    progress: Progress = None,
    **options: Any,
) -> Study:
    """The images of the paper, their features and a run folder.

        study = scp.experiments.open_study("cephalograms", fast=False)
        scp.experiments.table1(study)

    Args:
        root: the folder of the cephalograms of ISBI 2015 (`scp.datasets.cephalometric`); None:
            generated radiographs.
        run: the run folder. None: "scp-paper-fast" or "scp-paper", with the name of the images
            below; what one table made there the next one finds.
        fast: gradient features of small images and few random sets, which takes seconds on
            generated radiographs; False: features of the preset "laptop", which are trained in the
            run folder first if it has none.
        minutes: of that training; 0: none, for `table4`, which trains features of its own.
        progress: see `scp.progress`.
        options: of `Options`, by name.

    Raises:
        DatasetError: no such images; names the folder.
        ValueError: minutes below 0, or not a number.
    """
    if not real(minutes, "minutes") >= 0:
        raise ValueError(f"minutes must be 0 or more, got {minutes}")
    if run is None:
        name = "phantoms" if root is None else os.path.basename(os.path.abspath(root))
        run = os.path.join("scp-paper-fast" if fast else "scp-paper", name)
    made = {"images": IMAGES if fast else None} if root is None else {}
    data = load(
        "phantom" if root is None else "cephalometric", root, folder=run, progress=progress, **made
    )
    extractor: FeatureExtractor | GradientExtractor
    if fast:
        extractor = GradientExtractor(size=SIZE)
    elif Path(run, WEIGHTS).is_file():
        extractor = FeatureExtractor.load(run)
    else:
        extractor = FeatureExtractor(preset="laptop")
        if minutes > 0:
            extractor.fit(data.train, minutes=minutes, run=run, progress=progress)
    chosen = Options(**({**FAST, **options} if fast else options))
    return Study(data, extractor, run, chosen, progress)
