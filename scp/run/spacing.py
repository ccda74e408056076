"""Millimetres per pixel stay known to a run: in its config.toml, or where images differ in
spacing.csv beside it. What was given to it is taken again by later verbs; what the files say is for
those that do not read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import Dataset
from ..datasets.spacing import spacing_lines
from ..errors import warn
from ..runs import RunFolder, is_sealed, read_config
from ..runs.folder import CONFIG, SPACING


def spacing_entry(dataset: Dataset) -> dict[str, Any]:
    """What config.toml says of a spacing that was given, or that of the files, in its table
    `dataset`."""
    known = _known(dataset)
    if known is None:
        return {}
    note = dataset.spacing_note()
    said = {"spacing_from": note} if note and dataset.given_spacing is None else {}
    return {"spacing": known[0].tolist() if _one(known) else SPACING, **said}


def keep_spacing(folder: RunFolder, dataset: Dataset) -> None:
    """Writes spacing.csv where `spacing_entry` names it."""
    known = _known(dataset)
    if known is not None and not _one(known):
        folder.write_text(SPACING, spacing_lines(dataset.ids, known))


def add_spacing(folder: RunFolder, dataset: Dataset) -> None:
    """Notes a spacing that was given after the images were chosen in the config.toml that is
    there."""
    path = folder / CONFIG
    if dataset.given_spacing is None or not path.is_file() or not is_sealed(path):
        return  # a file that somebody edited stays as it is
    config = read_config(path)
    table = {k: v for k, v in config["dataset"].items() if not k.startswith("spacing")}
    table |= spacing_entry(dataset)
    if table != config["dataset"]:
        keep_spacing(folder, dataset)
        folder.write_config(config | {"dataset": table})


def with_kept_spacing(dataset: Dataset, path: Path | None) -> Dataset:
    """The data set with the spacing that was given to an earlier run in the folder, if it was given
    none itself."""
    if path is None or dataset.given_spacing is not None or not (path / CONFIG).is_file():
        return dataset
    try:
        source = read_config(path / CONFIG)["dataset"]
        kept = None if "spacing_from" in source else source.get("spacing")
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


def _known(dataset: Dataset) -> np.ndarray | None:
    """[N][2], given or of the files."""
    if dataset.given_spacing is not None:
        return dataset.given_spacing
    return dataset.spacing if dataset.spacing_note() else None


def _one(given: np.ndarray) -> bool:
    return bool((given == given[0]).all())
