"""Table 1: templates chosen by SCP beside random ones."""

from __future__ import annotations

from .part import Part, Work


def _work(job):
    sizes = job.sizes("table1")
    n, draws = len(job.data.train), job.args.draws
    seconds = sum(job.costs.sets(m, n if m == 1 else draws) for m in sizes)
    return Work(seconds, TABLE1.shared(job.args))


def _make(job):
    from ...experiments import table1

    return table1(job.study, job.sizes("table1"))


TABLE1 = Part(
    "table1",
    "templates chosen by SCP beside random ones",
    _make,
    uses=("draws",),
    sizes={"": (1, 2, 3, 4, 5), "hand": (1, 5, 10, 15, 50)},
    paper=("cephalometric", "hand"),
    work=_work,
)
