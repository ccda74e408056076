"""Table 5: numbers of searches and of key points."""

from __future__ import annotations

from .part import FIVE, Part, Work


def _work(job):
    from ...experiments.tables import SEARCHES

    (m,) = job.sizes("table5")
    draws = job.seeds("table5") * sum(SEARCHES)
    more = job.costs.similarity()  # of all key points that images have, about three times as many
    return Work(
        3 * more.seconds + job.costs.draws(m, draws), TABLE5.shared(job.args), 3 * more.memory
    )


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
    work=_work,
)
