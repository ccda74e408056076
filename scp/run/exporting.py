"""The chosen images as a file of the tool in which they are to be marked."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..datasets import Dataset
from ..landmarks import Landmarks, numbered, read_landmarks, write_landmarks
from ..landmarks.formats import named
from ..landmarks.names import Index
from ..runs.folder import LANDMARKS, MARKS, SELECTION
from ..runs.plain import read_json
from ..selection.choice import chosen_ids
from .held import Held


class Exporting(Held):
    """The part of `Run` that goes out to annotation tools."""

    def export(
        self, to: str, *, predictions: bool = False, out: str | os.PathLike[str] | None = None
    ) -> Path:
        """Write the chosen images, in pick order, for a tool; returns the file or folder. See
        `export_run`, which also tells what was written."""
        if self.path is None:
            raise ValueError("run: a run without a folder has no choice to export")
        return export_run(self.path, self.dataset, to, predictions=predictions, out=out)[0]


def export_run(
    run: str | os.PathLike[str],
    images: Dataset,
    to: str,
    *,
    predictions: bool = False,
    out: str | os.PathLike[str] | None = None,
) -> tuple[Path, Landmarks]:
    """Write the chosen images of a run folder, in pick order, for a tool.

    Each comes with the points of marks.csv, and with its gain where the tool shows such.

    Args:
        run: the run folder. images: the data set that was chosen from.
        to: a format that is written, see `scp.write_landmarks`.
        predictions: the points found (landmarks.csv) come too, with their confidence.
        out: default: export-TOOL in the run folder, with the tool's suffix.

    Returns:
        the file or folder, and the landmarks in it. A tool learns of no landmark without a point:
        its labels are `names` of these.

    Raises:
        ValueError: nothing was chosen or found yet; `out` is there already.
    """
    run, row = Path(run), named(to)
    if not (run / SELECTION).is_file():
        raise ValueError(f"there is no {run / SELECTION}; scp select chooses images first")
    target = Path(out) if out is not None else run / f"export-{to}{row.suffixes[0]}"
    if target.exists():
        raise ValueError(f"{target} is there already; move it, or give another name (-o)")
    chosen = chosen_ids(run / SELECTION)
    rows = Index(images.ids).rows(chosen, f"{run / SELECTION}")
    ids = [images.ids[i] for i in rows]
    gains = [entry.get("gain") for entry in read_json(run / SELECTION)["selected"]]
    notes = [{"gain": gain, "pick": k + 1} for k, gain in enumerate(gains)]
    points = _points(run, ids, predictions)
    write_landmarks(target, points, to, images, notes)
    return target, points


def _points(run: Path, ids: list[str], predictions: bool) -> Landmarks:
    file = run / (LANDMARKS if predictions else MARKS)
    if file.is_file():
        return read_landmarks(file).rows(ids, absent=True)
    if predictions:
        raise ValueError(f"there is no {file}; scp detect finds landmarks first")
    return Landmarks(ids, numbered(1), np.full((len(ids), 1, 2), np.nan))
