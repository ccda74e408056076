"""Millimetres per pixel that were given to a run stay known to it: in its config.toml, or where
images differ in spacing.csv beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import Dataset
from ..datasets.spacing import spacing_lines
from ..errors import warn
from ..runs import RunFolder, read_config
from ..runs.folder import CONFIG, SPACING


def spacing_entry(dataset: Dataset) -> dict[str, Any]:
    """What config.toml says of a spacing that was given, in its table `dataset`."""
    given = dataset.given_spacing
    if given is None:
        return {}
    return {"spacing": given[0].tolist() if _one(given) else SPACING}


def keep_spacing(folder: RunFolder, dataset: Dataset) -> None:
    """Writes spacing.csv where `spacing_entry` names it."""
    given = dataset.given_spacing
    if given is not None and not _one(given):
        folder.write_text(SPACING, spacing_lines(dataset.ids, given))


def with_kept_spacing(dataset: Dataset, path: Path | None) -> Dataset:
    """The data set with the spacing that was given to an earlier run in the folder, if it was given
    none itself."""
    if path is None or dataset.given_spacing is not None or not (path / CONFIG).is_file():
        return dataset
    try:
        kept = read_config(path / CONFIG)["dataset"].get("spacing")
    except (ValueError, OSError, KeyError, AttributeError):  # said by who needs the settings
        return dataset
    if kept is None:
        return dataset
    try:
        return dataset.with_spacing(path / SPACING if kept == SPACING else kept)
    except ValueError as error:
        warn(f"the spacing of this run is not used: {error}; give it again")
        return dataset


def spacing_words(dataset: Dataset, path: Path | None) -> list[str]:
    """--spacing, as words of a command."""
    given = dataset.given_spacing
    if given is None:
        return []
    if not _one(given):
        return [] if path is None else ["--spacing", str(path / SPACING)]
    sy, sx = map(repr, given[0].tolist())
    return ["--spacing", sy if sy == sx else f"{sy},{sx}"]


def _one(given: np.ndarray) -> bool:
    return bool((given == given[0]).all())
