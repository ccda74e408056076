"""SCP beside the ten other ways to choose: not a table of the paper."""

from __future__ import annotations

from .part import Part, Work

SIZES = (1, 2, 5, 10, 25)


RULE = 0.1  # seconds of a choice, on one core of 2020; ZCore's takes more
WAYS = 26


def _work(job):
    sizes = job.sizes("others")
    choices = WAYS * job.seeds("others")
    seconds = sum(job.costs.sets(m, job.args.draws + choices) for m in sizes)
    return Work(seconds + RULE * choices * len(sizes), OTHERS.shared(job.args))


def _make(job):
    from ...experiments import others

    return others(job.study, job.sizes("others"), job.seeds("others"))


OTHERS = Part(
    "others",
    "SCP beside ten other ways to choose",
    _make,
    uses=("draws",),
    seeds=("of the rules that draw", 10),
    sizes={"": SIZES},
    beside=True,
    work=_work,
)
