"""Trainings: options, the one loop, checkpoints."""

from .checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from .enough import ENOUGH, HardlyTrainedWarning, hardly_trained
from .loop import Job, TrainedState, run_job
from .options import PAPER_TRANSFORMS, STRONG_TRANSFORMS, TRANSFORMS, TrainingOptions, Transform

__all__ = [
    "ENOUGH",
    "PAPER_TRANSFORMS",
    "STRONG_TRANSFORMS",
    "TRANSFORMS",
    "Checkpoint",
    "HardlyTrainedWarning",
    "Job",
    "TrainedState",
    "TrainingOptions",
    "Transform",
    "hardly_trained",
    "load_checkpoint",
    "run_job",
    "save_checkpoint",
]
