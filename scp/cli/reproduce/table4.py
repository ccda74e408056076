"""Table 4: other objectives, other key points."""

from __future__ import annotations

from .part import Part, Work, numbered, watched

MINUTES = 10.0  # of each training


def _minutes(args) -> float:
    return MINUTES if args.minutes is None else args.minutes


def _work(job):
    from ...experiments.objectives import FOLDER, OBJECTIVES
    from ...runs.folder import WEIGHTS

    own, trainings = job.costs.similarity().seconds, 0
    if job.args.features == "trained":
        first = job.args.seed
        folders = [
            job.folder / FOLDER / f"{objective}-{first + k}"
            for objective in OBJECTIVES
            for k in range(job.seeds("table4"))
        ]
        trainings = sum(not (folder / WEIGHTS).is_file() for folder in folders)
    seconds = 60 * _minutes(job.args) * trainings + (trainings + 3) * own
    return Work(seconds, () if trainings else ("similarity",))


def _make(job):
    from ...experiments import Trainings, table4

    args, trainings = job.args, None
    if args.features == "trained":
        trainings = Trainings(
            minutes=_minutes(args),
            seeds=job.seeds("table4"),
            preset=args.preset,
            size=args.size,
        )
    watch = None if args.quiet else watched(numbered("table4", "objective"))
    return table4(job.study, job.sizes("table4"), trainings=trainings, callback=watch)


TABLE4 = Part(
    "table4",
    "other trainings of the features, other key points",
    _make,
    seeds=("of the trainings", 2),
    own_features=True,
    work=_work,
)
