"""Figures 1, 4, 5 and 6."""

from __future__ import annotations

from .part import FIVE, SINGLE, Part, Work


def _work(job):
    return Work(2 * job.costs.sets(1, len(job.data.train)), FIGURES[0].shared(job.args))


def _work4(job):
    seconds = job.costs.sets(1, len(job.data.train)) + 12 * job.costs.speeds.image
    return Work(seconds, ("similarity", "honest"))


def _fig1(job):
    from ...experiments import fig1

    return fig1(job.study)


def _fig4(job):
    from ...experiments import fig4

    return fig4(job.study, max(job.sizes("fig4")))


def _fig5(job):
    from ...experiments import fig5

    return fig5(job.study)


def _fig6(job):
    from ...experiments import fig6

    return fig6(job.study)


FIGURES = (
    Part("fig1", "errors of all single templates", _fig1, sizes=SINGLE, work=_work),
    Part(
        "fig4",
        "examples of landmarks found",
        _fig4,
        sizes=FIVE,
        largest=True,
        test="always",
        shows_test=True,
        work=_work4,
    ),
    Part("fig5", "key-point score and landmark similarity", _fig5, sizes=SINGLE, work=_work),
    Part("fig6", "error and similarity of single templates", _fig6, sizes=SINGLE, work=_work),
)
