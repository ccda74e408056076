"""Every knob of refinement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..training import Transform
from ..training.options import Options, knob

VOTES = ("count", "weighted")  # enum scp_vote
INPUTS = {"unit": (1.0, 0.0), "centred": (2.0, -1.0)}  # scale and shift of what the network reads

REFINE_TRANSFORMS = (
    Transform("rotation", 15.0),
    Transform("scale", 0.15),
    Transform("translation", 0.05),
    Transform("elastic", 0.013),
    Transform("blur", 0.7),
    Transform("brightness", 0.15),
    Transform("contrast", 0.25),
    Transform("gamma", 0.5),
    Transform("shade_multiply", 0.15),
    Transform("shade_add", 0.08),
    Transform("noise", 0.04),
)


@dataclass(frozen=True)
class RefinementOptions(Options):
    """How to refine; `steps` are those of a round, `minutes` those of all rounds."""

    minutes: float = knob(10.0, "minutes of all rounds where steps is 0")
    labelled: int = knob(1, "labelled images per step, in turn")
    pseudo: int = knob(3, "pseudo-labelled images per step")
    radius: float = knob(0.05, "R, fraction of the image's longer side")
    focal: float = knob(20.0, "lambda, weight of the heat maps (the paper: 2; legs 5, chests 15)")
    power: float = knob(2.0, "weights of pseudo labels: confidence to it; 0: all alike")
    inputs: str = knob("unit", "what the network reads: unit (0..1) or centred (-1..1)")
    prior: bool = knob(True, "heat maps begin at the share of pixels in a disc")
    vote: str = knob("weighted", "at inference: weighted, or count as the paper's code")
    window: float = knob(0.25, "weighted votes: reach of the mean, fraction of R")
    transforms: tuple[Transform, ...] = knob(REFINE_TRANSFORMS, "augmentation, see TRANSFORMS")
    warm_up: float = knob(0.02, "fraction of the run over which the rate rises linearly")
    decay: float = knob(0.1, "step: factor")
    decay_every: float = knob(1 / 3, "step: fraction of the run between decays")

    RANGES: ClassVar = [
        *Options.RANGES,
        ("labelled", 0, 4096),
        ("pseudo", 0, 4096),
        ("radius", 1e-4, 1),
        ("focal", 0, 1e6),
        ("power", 0, 100),
        ("window", 1e-3, 100),
    ]
    CHOICES: ClassVar = {**Options.CHOICES, "inputs": tuple(INPUTS), "vote": VOTES}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch == 0:
            raise ValueError("labelled, pseudo: one of them must be above 0")

    @property
    def batch(self) -> int:
        """Images per step."""
        return self.labelled + self.pseudo
