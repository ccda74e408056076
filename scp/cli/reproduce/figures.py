"""Figures 1, 4, 5 and 6."""

from __future__ import annotations

from .part import FIVE, SINGLE, Part


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
    Part("fig1", "errors of all single templates", _fig1, sizes=SINGLE),
    Part(
        "fig4",
        "examples of landmarks found",
        _fig4,
        sizes=FIVE,
        largest=True,
        test="always",
        shows_test=True,
    ),
    Part("fig5", "key-point score and landmark similarity", _fig5, sizes=SINGLE),
    Part("fig6", "error and similarity of single templates", _fig6, sizes=SINGLE),
)
