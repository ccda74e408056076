"""Table 6 of the paper, beside ours: images that trained networks ask for, beside SCP's choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..baselines import active
from ..runs import RunFolder
from . import paper
from .output import Result, Table, mean_sd, number
from .statistics import random_subsets
from .study import Case, Study

M, SEEDS = 5, 10
FOLDER = "table6"  # in the study's: a folder for each seed
SCP, RANDOM = "SCP", "random"


@dataclass(frozen=True)
class ActiveTrainings:
    """How the networks of Table 6 are trained.

    seeds: trainings of VAAL, and of the classifiers; the first has the study's random_state, the
    next one more, ... vaal, instances: options of each by name, see `scp.baselines.active`. sizes,
    views: see `scp.baselines.active.rank`.
    """

    seeds: int = SEEDS
    vaal: Mapping[str, Any] = field(default_factory=dict)
    instances: Mapping[str, Any] = field(default_factory=dict)
    sizes: active.ActiveNetworks = field(default_factory=active.ActiveNetworks)
    views: int = active.VIEWS

    def check(self, images: int) -> None:
        """ValueError for what cannot be trained."""
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, got {self.seeds}")
        for method in ("vaal", "loss"):
            active.needs(method, images, self.options(method), self.sizes)

    def options(self, method: str) -> Mapping[str, Any]:
        return self.vaal if active.KINDS[method] == "vaal" else self.instances


@dataclass(frozen=True)
class Way:
    """A line of the table: choices of M images, rows of the pool, one for each seed."""

    name: str
    rows: Sequence[Sequence[int]]


def table6(
    study: Study,
    m: int = M,
    trainings: ActiveTrainings | None = None,
    more: Sequence[Way] = (),
    callback: Callable[[dict], object] | None = None,
) -> Result:
    """Similarities and errors of the images that VAAL, and loss, uncertainty and entropy of two
    classifiers ask for, of random ones and of SCP's choice.

    Args:
        study: data, options and run folder; what each seed gave is kept there, and a training that
            was stopped goes on.
        m: images that each asks for; for VAAL 5 others count as labelled before.
        more: lines to be judged beside them.
        callback: called with the events of the trainings, with method, seed, number and count.
    """
    trainings = trainings or ActiveTrainings()
    study.check_sizes([m])
    trainings.check(len(study.ids))
    picks = study.picks([m])
    ways = [*asked(study, m, trainings, callback), *more]
    ways.append(Way(SCP, [picks[m].selected]))
    sets = random_subsets(len(study.ids), m, study.options.draws, study.options.random_state)
    result = Result("table6", f"Table 6: active learning beside SCP, M = {m}")
    if m == M and study.data.numbers.table6:
        result.tables.append(_of_paper(study.data.numbers))
    values, weights = study.matrix()
    for case in study.cases():
        random = _measured(study, case, sets, f"random sets, {case.key}")
        lines = []
        for way in [*ways[:-1], Way(RANDOM, sets), ways[-1]]:
            errors, alike = random if way.name == RANDOM else _measured(study, case, way.rows)
            better = np.mean([100 * np.mean(random[0] < e) for e in errors])
            cells = (_spread(alike), _spread(errors), f"{better:.0f} %")
            lines.append((way.name, len(way.rows), *(c if len(errors) else "-" for c in cells)))
            if way.name == RANDOM:
                continue
            for k, rows in enumerate(way.rows):
                result.records.append(
                    {
                        "evaluation": case.key,
                        "way": way.name,
                        "seed": study.options.random_state + k,
                        "m": m,
                        "similarity": float(alike[k]) if len(alike) else None,
                        "mre": float(errors[k]) if len(errors) else None,
                        "score": float(values[list(rows)].max(axis=0) @ weights),
                        "chosen": study.names(rows),
                    }
                )
        columns = ("", "choices", "similarity", f"MRE ({study.unit})", "better random sets")
        result.tables.append(Table(case.title, columns, lines))
    result.notes += _notes(study, trainings, m)
    return result


def asked(
    study: Study, m: int, trainings: ActiveTrainings, callback: Callable[[dict], object] | None
) -> list[Way]:
    """What each method asks for, with each seed."""
    pool = active.pool(study.data.train, int(active.settings("vaal", 1, trainings.vaal).size))
    other = int(active.settings("loss", 1, trainings.instances).size)
    pools = {"vaal": pool}
    same = other * active.POOL == pool.shape[1]
    pools["instances"] = pool if same else active.pool(study.data.train, other)
    rows: dict[str, list[np.ndarray]] = {method: [] for method in active.ACTIVE}
    trained = ("vaal", "loss")  # the training of one of each kind serves all of the kind
    count = len(trained) * trainings.seeds
    for k in range(trainings.seeds):
        seed = study.options.random_state + k
        folder = RunFolder(study.folder / FOLDER / str(seed))
        for at, method in enumerate(trained, 1):
            number = len(trained) * k + at
            about = {"method": active.KINDS[method], "seed": seed, "number": number, "count": count}

            def watch(event, about=about):
                if callback is not None:
                    callback({**event, **about})

            ranking = active.rank(
                pools[active.KINDS[method]],
                method,
                exclude=study.excluded(m),
                random_state=seed,
                options=trainings.options(method),
                sizes=trainings.sizes,
                views=trainings.views,
                run=folder.path,
                progress=False if callback else study.progress,
                callback=watch,
            )
            for name in ranking.values:
                rows[name].append(ranking.pick(m, name))
    return [Way(method, found) for method, found in rows.items()]


def _measured(study: Study, case: Case, sets, name: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Errors and similarities; none where no image is left."""
    if case.others and len(sets[0]) == len(study.ids):
        return np.zeros(0), np.zeros(0)
    bar = study.bar(name, len(sets)) if name else None
    errors, alike = np.empty(len(sets)), np.empty(len(sets))
    for i, rows in enumerate(sets):
        errors[i], alike[i] = case.mre(rows), case.similarity(rows)
        if bar:
            bar(i + 1, len(sets))
    return errors, alike


def _spread(values: np.ndarray) -> str:
    if len(values) == 1:
        return number(float(values[0]))
    return mean_sd(float(values.mean()), float(values.std()))


def _of_paper(numbers: paper.Numbers) -> Table:
    row = numbers.table1[M]
    lines = [(n, mean_sd(*alike), mean_sd(*mre)) for n, (alike, mre) in numbers.table6.items()]
    lines.append((RANDOM, mean_sd(*row.random_similarity), mean_sd(*row.random_mre)))
    lines.append((SCP, number(row.similarity), number(row.mre)))
    return Table("the paper", ("", "similarity", "MRE (mm)"), lines)


def _notes(study: Study, trainings: ActiveTrainings, m: int) -> list[str]:
    o, n = study.options, len(study.ids)
    vaal = active.settings("vaal", n, trainings.vaal)
    heads = active.settings("loss", n, trainings.instances)
    first, last = o.random_state, o.random_state + trainings.seeds - 1
    seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
    return [
        f"{study.about} Chosen from {n} images, each method anew with {seeds}; random: "
        f"{o.draws} sets. Mean ± deviation (population).",
        f"VAAL: {active.INITIAL} random images count as labelled, {vaal.steps} steps of "
        f"{vaal.batch} labelled and {vaal.batch} unlabelled crops; the {m} that it asks for are "
        "the templates, without the first ones.",
        f"Loss, uncertainty, entropy: one training of {heads.steps} steps of {heads.batch} crops; "
        f"each image is a class; highest first, mean over {trainings.views} crops of an image.",
    ]
