"""Table 5: numbers of searches and of key points."""

from __future__ import annotations

from .part import FIVE, Part


def _make(job):
    from ...experiments import table5

    return table5(job.study, max(job.sizes("table5")), seeds=job.seeds("table5"))


TABLE5 = Part(
    "table5",
    "numbers of searches and of key points",
    _make,
    uses=("max_nodes",),
    seeds=("of the searches", 10),
    sizes=FIVE,
    largest=True,
)
