"""The main job in one call: from a data set to "annotate these M"."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from typing import Any

from ..datasets import Dataset
from ..features.own import Given
from ..progress import Progress
from ..selection import Choice
from .stages import Run


def choose(
    dataset: Dataset,
    m: int | Sequence[int] | None = 5,
    *,
    method: str = "swap",
    run: str | os.PathLike[str] | None = None,
    features: Given = "auto",
    random_state: int = 0,
    report: bool = True,
    progress: Progress = None,
    **options: Any,
) -> Choice:
    """Which M images to annotate, with files and a report in `run`: the stages of `Run` at once.

    Args:
        dataset, features, random_state, progress: see `Run`. run: a run folder.
        m, method: see `Run.select`.
        report: write report.html into the run folder.
        options: other settings of `Run` (keypoints, count, mode, score, device, ...) and rules
            of `Run.select` (initial, exclude, groups, min_distance, ...).
    """
    names = set(inspect.signature(Run).parameters) & set(options)
    settings = {name: options.pop(name) for name in names}
    stages = Run(
        dataset, run, features=features, random_state=random_state, progress=progress, **settings
    )
    choice = stages.select(m, method=method, **options)
    if report and run is not None:
        stages.report()
    return choice
