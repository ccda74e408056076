"""Every knob of refinement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .training_options import LOOP_CHOICES, LOOP_RANGES, Options, Transform, knob

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
    """How to refine. The length of a round, progress and schedule are those of
    `scp.training.TrainingOptions`."""

    steps: int = knob(0, "steps of a round; 0: by minutes")
    minutes: float = knob(10.0, "minutes of all rounds where steps is 0")
    seed: int = knob(0, "of all random draws")
    labelled: int = knob(1, "labelled images per step, in turn")
    pseudo: int = knob(3, "pseudo-labelled images per step")
    radius: float = knob(0.05, "R, fraction of the image's longer side")
    focal: float = knob(
        20.0, "lambda, the weight of the heat maps (the paper: 2; legs 5, chests 15)"
    )
    power: float = knob(2.0, "weights of pseudo labels: confidence to it; 0: all alike")
    transforms: tuple[Transform, ...] = knob(REFINE_TRANSFORMS, "augmentation, see TRANSFORMS")
    interpolation: str = knob("bilinear", "of warped views: bilinear or cubic (Catmull-Rom)")
    border: str = knob("constant", "outside the image: constant (0) or replicate")
    inputs: str = knob("unit", "what the network reads: unit (0..1) or centred (-1..1)")
    prior: bool = knob(True, "heat maps begin at the share of pixels in a disc")
    vote: str = knob("weighted", "at inference: weighted, or count as the paper's code")
    window: float = knob(0.25, "weighted votes: reach of the mean, fraction of R")
    learning_rate: float = knob(1e-3, "Adam's, at the top of the schedule")
    schedule: str = knob("cosine", "constant, step or cosine")
    warm_up: float = knob(0.02, "fraction of the run over which the rate rises linearly")
    final: float = knob(0.0, "cosine: rate at the end, fraction of learning_rate")
    decay: float = knob(0.1, "step: factor")
    decay_every: float = knob(1 / 3, "step: fraction of the run between decays")
    beta1: float = knob(0.9, "Adam")
    beta2: float = knob(0.999, "Adam")
    adam_epsilon: float = knob(1e-8, "Adam")
    weight_decay: float = knob(1e-4, "L2, added to the gradient")
    clip_norm: float = knob(0.0, "largest norm of the whole gradient; 0: no limit")
    log_every: int = knob(10, "steps per line of the log")
    checkpoint_seconds: float = knob(60.0, "between checkpoints")

    RANGES: ClassVar = [
        *LOOP_RANGES, ("labelled", 0, 4096), ("pseudo", 0, 4096), ("radius", 1e-4, 1),
        ("focal", 0, 1e6), ("power", 0, 100), ("window", 1e-3, 100),
    ]  # fmt: skip
    CHOICES: ClassVar = {**LOOP_CHOICES, "inputs": tuple(INPUTS), "vote": VOTES}

    def __post_init__(self):
        super().__post_init__()
        if self.batch == 0:
            raise ValueError("labelled, pseudo: one of them must be above 0")

    @property
    def batch(self) -> int:
        """Images per step."""
        return self.labelled + self.pseudo
