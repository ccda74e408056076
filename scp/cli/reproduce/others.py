"""SCP beside the ten other ways to choose: not a table of the paper."""

from __future__ import annotations

from .part import Part

SIZES = (1, 2, 5, 10, 25)


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
)
