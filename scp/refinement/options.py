"""Every option of refinement."""

from __future__ import annotations

from ..training.options import Options, options_of

INPUTS = {"unit": (1.0, 0.0), "centred": (2.0, -1.0)}  # scale and shift of what the network reads


@options_of("supervise")
class SupervisedOptions(Options):
    """How to train on labelled images alone."""


@options_of("refine")
class RefinementOptions(Options):
    """How to refine; `steps` are those of a round, `minutes` those of all rounds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch == 0:
            raise ValueError("labelled, pseudo: one of them must be above 0")

    @property
    def batch(self) -> int:
        """Images per step."""
        return self.labelled + self.pseudo
