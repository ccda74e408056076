"""Table 4 of the paper, beside ours: other trainings of the features, other key points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..features import FeatureExtractor
from ..keypoints import METHODS
from ..runs import RunFolder
from ..training import TrainingOptions
from . import paper
from .output import Result, Table, mean_sd, number
from .study import Study

OBJECTIVES = tuple(TrainingOptions.ROWS["objective"].choices)
SIZES4 = (1, 2, 3, 4, 5)
FOLDER = "table4"  # in the study's


@dataclass(frozen=True)
class Trainings:
    """How the features of Table 4 are trained, each objective alike.

    minutes or steps: of each training. seeds: trainings of an objective; the first has the study's
    random_state, the next one more, ... preset, size, network, training: see `FeatureExtractor`.
    """

    minutes: float | None = 10.0
    steps: int | None = None
    seeds: int = 2
    preset: str = "laptop"
    size: tuple[int, int] | None = None
    network: Any = None
    training: Any = None

    def extractor(self, objective: str, seed: int) -> FeatureExtractor:
        """Not trained yet."""
        return FeatureExtractor(
            preset=self.preset,
            size=self.size,
            network=self.network,
            training=self.training,
            objective=objective,
            random_state=seed,
        )

    def check(self) -> None:
        """ValueError for what cannot be trained."""
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, got {self.seeds}")
        for objective in OBJECTIVES:
            self.extractor(objective, 0).check()


@dataclass(frozen=True)
class _Way:
    """A way to choose: of which part and line of the table, by which features."""

    part: str
    name: str
    seed: int
    study: Study


def table4(
    study: Study,
    sizes: Sequence[int] = SIZES4,
    trainings: Trainings | None = None,
    callback: Callable[[dict], object] | None = None,
) -> Result:
    """Errors of SCP's choices by features of other objectives, and at other key points.

    Args:
        study: data, options and run folder; its features choose at other key points where there are
            no trainings.
        sizes: numbers of templates.
        trainings: of the features, kept in the run folder and gone on with when they were stopped.
            None: key points only.
        callback: called with the events of the trainings, with objective, seed, number and count.
    """
    sizes = sorted(set(sizes))
    study.check_sizes(sizes)
    ways = [] if trainings is None else _trained(study, trainings, callback)
    first = ways[0].study if ways else study
    for kind in METHODS:
        ways.append(_Way("key points", kind, study.options.random_state, _with(first, kind)))
    picks = [way.study.picks(sizes) for way in ways]
    result = Result("table4", "Table 4: other trainings of the features, other key points")
    if study.data.numbers.table4_objectives:
        result.tables.append(_of_paper(study.data.numbers, sizes))

    chosen = sorted({int(i) for found in picks for m in sizes for i in found[m].selected})
    cases = {id(first): (first.cases(chosen), chosen)}
    for case in cases[id(first)][0]:
        lines: dict[str, dict[str, dict[int, list[float | None]]]] = {}
        for way, found in zip(ways, picks, strict=True):
            if way.part == "features":
                own = _own(way.study, found, sizes, cases)
                _add(result, lines, "features", way, found, case.key, own)
            part = "choice only" if way.part == "features" else "key points"
            _add(result, lines, part, way, found, case.key, cases[id(first)])
        for part, rows in lines.items():
            title = f"{TITLES[part]}: {case.title}"
            result.tables.append(_table(title, rows, sizes, study.unit))
    _notes(result, study, ways, trainings)
    return result


TITLES = {
    "features": "objectives, chosen and measured by their own features",
    "choice only": "objectives, chosen by theirs, measured by the features of infonce-levels",
    "key points": "key points",
}


def _trained(study: Study, trainings: Trainings, callback) -> list[_Way]:
    """A study of each training; those of an objective follow each other."""
    trainings.check()
    ways, count = [], len(OBJECTIVES) * trainings.seeds
    for objective in OBJECTIVES:
        for k in range(trainings.seeds):
            seed = study.options.random_state + k
            about = {"objective": objective, "seed": seed, "number": len(ways) + 1, "count": count}

            def watch(event, about=about):
                if callback is not None:
                    callback({**event, **about})

            folder = RunFolder(study.folder / FOLDER / f"{objective}-{seed}")
            extractor = trainings.extractor(objective, seed).fit(
                study.data.train,
                minutes=trainings.minutes if trainings.steps is None else None,
                steps=trainings.steps,
                run=folder.path,
                progress=False,
                callback=watch,
            )
            own = Study(study.data, extractor, folder, study.options, study.progress)
            ways.append(_Way("features", objective, seed, own))
    return ways


def _with(study: Study, kind: str) -> Study:
    """The study with key points of that kind."""
    folder = RunFolder(study.folder / FOLDER / f"keypoints-{kind}")
    return Study(study.data, study.extractor, folder, study.options, study.progress, kind)


def _own(study: Study, found, sizes, cases):
    """Cases by the study's own features, with the rows that they are of."""
    if id(study) not in cases:
        rows = sorted({int(i) for m in sizes for i in found[m].selected})
        cases[id(study)] = study.cases(rows), rows
    return cases[id(study)]


def _add(result: Result, lines, part: str, way: _Way, found, key: str, measured) -> None:
    """The errors of one way to choose, in a line of the table and as records."""
    cases, rows = measured
    case = next(c for c in cases if c.key == key)
    place = {row: k for k, row in enumerate(rows)}
    line = lines.setdefault(part, {}).setdefault(way.name, {})
    numbers = way.study.data.numbers
    known = numbers.table4_keypoints if part == "key points" else numbers.table4_objectives
    for m, pick in found.items():
        error = None  # where no image is left
        if not (case.others and m == len(way.study.ids)):
            error = case.mre([place[int(i)] for i in pick.selected])
        line.setdefault(m, []).append(error)
        given = known.get(way.name, ())
        result.records.append(
            {
                "part": part,
                "name": way.name,
                "seed": way.seed,
                "m": m,
                "evaluation": key,
                "mre": error,
                "score": pick.score,
                "chosen": way.study.names(pick.selected),
                "paper_mre": given[m - 1] if m <= len(given) else None,
            }
        )


def _table(title: str, rows, sizes, unit: str) -> Table:
    lines = []
    for name, found in rows.items():
        cells = []
        for m in sizes:
            errors = found[m]
            alone = len(errors) == 1 or errors[0] is None
            cells.append(number(errors[0]) if alone else mean_sd(np.mean(errors), np.std(errors)))
        lines.append((name, *cells))
    return Table(title, (f"MRE ({unit})", *(f"M = {m}" for m in sizes)), lines)


def _of_paper(numbers: paper.Numbers, sizes) -> Table:
    known = [m for m in sizes if m <= len(SIZES4)]
    lines = [
        (name, *(number(values[m - 1]) for m in known))
        for rows in (numbers.table4_objectives, numbers.table4_keypoints)
        for name, values in rows.items()
    ]
    return Table("the paper", ("MRE (mm)", *(f"M = {m}" for m in known)), lines)


def _notes(result: Result, study: Study, ways, trainings: Trainings | None) -> None:
    result.notes.append(f"{study.about} Chosen from {len(study.ids)} images.")
    if trainings is None:
        result.notes.append("Only key points: nothing was trained for it.")
        return
    length, unit = trainings.minutes, "minute"
    if trainings.steps is not None:
        length, unit = trainings.steps, "step"
    length = f"{length:g} {unit}{'' if length == 1 else 's'}"
    steps = ", ".join(
        f"{way.name} {way.seed}: {way.study.extractor.model_.training['steps']}"
        for way in ways
        if way.part == "features"
    )
    result.notes.append(
        f"Trained from nothing for {length} each, on one network, sampler and augmentation; mean ± "
        f"deviation over seeds, {trainings.seeds} of each. Steps: {steps}. Key points: with "
        "the features of infonce-levels, first seed."
    )
    result.notes.append(
        "infonce and byol learn at stride 2 alone; matching multiplies all levels, of which the "
        "others are then as drawn. The released code has no BYOL of one level, starts BYOL from "
        "InfoNCE, chooses by true landmarks and measures the choice by InfoNCE's features: 'choice "
        "only' is the nearest to that."
    )
