"""Trainings: options, the one loop, checkpoints."""

from .checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from .loop import Job, TrainedState, run_job
from .options import PAPER_TRANSFORMS, STRONG_TRANSFORMS, TRANSFORMS, TrainingOptions, Transform

__all__ = [
    "PAPER_TRANSFORMS",
    "STRONG_TRANSFORMS",
    "TRANSFORMS",
    "Checkpoint",
    "Job",
    "TrainedState",
    "TrainingOptions",
    "Transform",
    "load_checkpoint",
    "run_job",
    "save_checkpoint",
]
