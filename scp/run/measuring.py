"""Measurements in a run folder: of its landmarks, with its spacing, into its report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from ..datasets import Dataset
from ..datasets.cephalometric import SPACING as CEPHALOMETRIC
from ..landmarks import Landmarks, read_landmarks
from ..measures import Definitions, Measurements, measure, read_definitions
from ..measures.measure import ERROR_SCALE
from ..report import show_measurements
from ..runs import RunFolder, read_config
from ..runs.folder import CONFIG, LANDMARKS, REPORT, SPACING
from ..runs.owner import RECORD
from ..runs.plain import read_json
from .held import Held


class Measuring(Held):
    """The part of `Run` that measures."""

    def measure(
        self,
        definitions: str | os.PathLike[str] | Mapping[str, Any] | Definitions = "cephalometry",
        landmarks: Landmarks | None = None,
        *,
        truth: Landmarks | Dataset | None = None,
        only: Sequence[str] = (),
        level: float = 0.9,
        error_scale: float = ERROR_SCALE,
        out: str | os.PathLike[str] | None = None,
        write: bool = True,
    ) -> Measurements:
        """Angles, distances and what is made of them, from landmarks.csv of the run folder; written
        there as measurements.csv, .json and .html, and shown in the report.

        Args:
            definitions, truth, level, error_scale: see `scp.measure`.
            landmarks: others than those of landmarks.csv.
            only: names of measurements; none: all.
            out: a folder or file instead, see `Measurements.write`. write: False writes nothing.
        """
        if landmarks is None:
            landmarks = found_in(self.path)
        result = measure(
            landmarks,
            chosen(definitions, only),
            images=self.dataset,
            truth=truth,
            level=level,
            error_scale=error_scale,
        )
        if write and (out is not None or self.path is not None):
            with self.holding(out is None):
                keep(result, self.path, out)
        return result


def chosen(definitions, only: Sequence[str]) -> Definitions:
    """Some of the measurements, or all."""
    known = read_definitions(definitions)
    return known.only(only) if only else known


def found_in(path: Path | None) -> Landmarks:
    """The landmarks of a run folder."""
    file = None if path is None else path / LANDMARKS
    if file is None or not file.is_file():
        where = "a run without a folder has none" if file is None else f"there is no {file}"
        raise ValueError(f"landmarks: {where}; scp detect finds them first")
    return read_landmarks(file)


def keep(result: Measurements, path: Path | None, out: str | os.PathLike[str] | None) -> list[Path]:
    """Write measurements to a run folder, and into its report; or elsewhere."""
    if out is not None:
        return result.write(out)
    assert path is not None
    written = result.write(path)
    show_measurements(path / REPORT, result)
    return written


def is_run(path: Path) -> bool:
    """Whether a folder is one in which landmarks lie as those of a run do."""
    return any((path / name).is_file() for name in (LANDMARKS, CONFIG, RECORD))


def spacing_in(path: Path) -> ArrayLike | Path | None:
    """mm per pixel, as far as a run folder tells: what was given to the run, or what its kind of
    images says; None."""
    kind, given = None, None
    try:
        source = read_config(path / CONFIG)["dataset"] if (path / CONFIG).is_file() else {}
        record = read_json(path / RECORD) if (path / RECORD).is_file() else {}
        given = source.get("spacing")
        kind = source.get("name", record.get("kind"))
    except (ValueError, OSError, KeyError, AttributeError):
        return None
    if given is not None:
        return path / SPACING if given == SPACING else given
    if kind == "cephalometric":
        return CEPHALOMETRIC
    return None


def spacing_note_in(path: Path) -> str:
    """Where the spacing of the files comes from, as a run folder tells; or empty."""
    try:
        return str(read_config(path / CONFIG)["dataset"].get("spacing_from", ""))
    except (ValueError, OSError, KeyError, AttributeError):
        return ""


def measure_folder(
    path: str | os.PathLike[str],
    definitions: str | os.PathLike[str] | Mapping[str, Any] | Definitions,
    *,
    spacing: ArrayLike | str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    **options: Any,
) -> tuple[Measurements, list[Path]]:
    """The measurements of a run folder whose images need not be there, and the files written.

    spacing: None: what the folder tells. options: of `scp.measure`.
    """
    path = Path(path)
    landmarks = found_in(path)
    note = ""
    if spacing is None:
        spacing, note = spacing_in(path), spacing_note_in(path)
    result = measure(landmarks, definitions, spacing=spacing, **options)
    if note:
        result.remarks.append(f"Spacing of the files: {note}.")
    if out is not None:
        return result, keep(result, path, out)
    with RunFolder(path).holding():
        return result, keep(result, path, None)
