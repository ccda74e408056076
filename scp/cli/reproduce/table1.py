"""Table 1: templates chosen by SCP beside random ones."""

from __future__ import annotations

from .part import Part


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
)
