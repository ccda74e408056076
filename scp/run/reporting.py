"""The report of a choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .._version import versions
from ..datasets import Dataset
from ..progress import Progress, watch
from ..report import landmarks_in, write_report
from ..runs import read_log
from ..runs.folder import LANDMARKS, LOG, REPORT, SELECTION
from ..selection import (
    Choice,
    asked_for,
    chosen_ids,
    more_sizes,
    second_round,
)
from ..selection.rows import beyond
from .held import Held, held

STAGES = (
    "duplicates",
    "key points",
    "similarity",
    "cycles",
    "selection",
    "scores",
    "report",
    "landmarks",
)
SHOWN = 600  # images in the report of a choice from a sample, or from a very large matrix


class Reporting(Held):
    """The part of `Run` that writes report.html."""

    progress: Progress
    _choice: Choice | None
    _memory: dict[str, Any]
    _asked: dict[str, Any]

    @held
    def report(self, command: str | None = None) -> Path:
        """Write report.html of the choice into the run folder; its path. Of a choice from a sample
        of the key points, and of a matrix that is larger than half of max_memory, it shows 600
        images, the chosen ones among them.

        command: that made it, for people.
        """
        if self.folder is None:
            raise ValueError("run: a report needs a run folder")
        if self._choice is None:
            self._choose_again(self.folder / SELECTION)
        choice = self._choice
        training = self._training()
        bar = watch(self.progress, "report", 1)
        with self._stage("report"):
            shown = self._shown(choice)
            found, problems = landmarks_in(self.folder / LANDMARKS, shown["dataset"].ids)
            write_report(
                self.folder / REPORT,
                **shown,
                landmarks=found,
                notes={
                    "parameters": self.parameters(),
                    "warnings": choice.warnings + problems + self._left_out(shown["dataset"]),
                    "skipped": self.dataset.skipped,
                    "duplicates": choice.duplicates,
                    "elapsed": {k: self.elapsed[k] for k in STAGES if k in self.elapsed},
                    "command": command,
                    "next": self.next_steps(found),
                    "versions": versions(),
                    "training": training,
                    "log": read_log(self.folder / LOG) if training else [],
                },
            )
        if bar:
            bar(1, 1)
        return self.folder / REPORT

    def _shown(self, choice: Choice) -> dict[str, Any]:
        """Arguments of `write_report`: images, matrix, answer."""
        if choice.selection.probability < 1 or beyond(
            choice.values.nbytes, self._memory["max_memory"]
        ):
            return part_of(choice, self.dataset)
        own = ("m", "method", "vectors", "training")
        rules = {k: v for k, v in self._asked.items() if k not in own}
        options = self._options(rules.pop("min_distance", None), rules)
        return {
            "dataset": self.dataset,
            "keypoints_xy": choice.points,
            "offsets": choice.offsets,
            "values": choice.values,
            "selection": choice.selection,
            "curve": more_sizes(choice.values, choice.curve, options),
            "second": second_round(choice.values, choice.selection, options),
        }

    def _left_out(self, shown: Dataset) -> list[str]:
        left = len(self.dataset) - len(shown)
        if not left:
            return []
        return [
            f"pictures and plots are of {len(shown)} of {len(self.dataset)} images: the chosen "
            "ones, and others drawn at random"
        ]

    def _choose_again(self, path: Path) -> None:
        """The choice of a selection.json, or that of `select` where there is none."""
        if not path.is_file():
            self.select()
            return
        asked = asked_for(path)
        try:
            choice = self._choose(**asked)
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"{path}: {error}; select again") from None
        if choice.ids != chosen_ids(path):
            raise ValueError(f"{path}: chosen in another way than it says; select again")
        self._choice, self._asked = choice, asked


def part_of(choice: Choice, dataset: Dataset) -> dict[str, Any]:
    """What the report shows of a choice from a sample, or from a matrix beyond the memory: its
    images and some more, and the columns of these."""
    answer, n = choice.selection, len(dataset)
    initial = [int(i) for i in answer.parameters.get("initial") or ()]
    fixed = np.union1d(answer.selected, initial).astype(np.int64)
    others = np.setdiff1d(np.arange(n), fixed)
    more = max(0, min(len(others), SHOWN - len(fixed)))
    drawn = np.random.default_rng(0).choice(others, more, replace=False)
    rows = np.union1d(fixed, drawn)
    counts = np.diff(choice.offsets)[rows]
    columns = np.concatenate([np.arange(*choice.offsets[i : i + 2]) for i in rows])
    values = np.stack([choice.values[row][columns] for row in rows])

    def there(given: Any) -> np.ndarray:
        return np.searchsorted(rows, given)

    order = there([*initial, *answer.selected])
    best = values[order]
    shown = replace(
        answer,
        selected=there(answer.selected),
        cover=order[best.argmax(axis=0)],
        cover_value=best.max(axis=0),
        parameters={"initial": there(initial).tolist()} if initial else {},
    )
    return {
        "dataset": dataset.subset(rows.tolist()),
        "keypoints_xy": choice.points[columns],
        "offsets": np.concatenate([[0], np.cumsum(counts)]),
        "values": values,
        "selection": shown,
        "curve": choice.curve,  # numbers alone are shown of it
        "second": None,
    }
