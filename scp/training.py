"""Self-supervised training: a network learns to find the same place in two views of an image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .training_options import (
    PAPER_TRANSFORMS,
    STRONG_TRANSFORMS,
    TRANSFORMS,
    TrainingOptions,
    Transform,
)

__all__ = [
    "PAPER_TRANSFORMS",
    "STRONG_TRANSFORMS",
    "TRANSFORMS",
    "TrainedState",
    "TrainingOptions",
    "Transform",
    "train",
]


@dataclass
class TrainedState:
    """What training leaves.

    Attributes:
        parameters: float32 [P]. state: float32 [S], running statistics (Network.blocks).
        moments: float32 [2][P], Adam's first and second moment.
        step: steps done. progress: fraction of the run done. seconds: time trained, all parts.
        losses: float64 [D], mean of each level's loss over the last logged steps, coarsest first.
        finished: the run reached its length. False: Ctrl-C ended it; train() again goes on.
        checkpoint: the file it was written to, or None.
    """

    parameters: np.ndarray
    state: np.ndarray
    moments: np.ndarray
    step: int
    progress: float
    seconds: float
    losses: np.ndarray
    finished: bool
    checkpoint: Path | None = None


def train(
    images: np.ndarray | Iterable[np.ndarray],
    network,
    options: TrainingOptions | None = None,
    run_dir: str | os.PathLike | None = None,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    initial: tuple[np.ndarray, np.ndarray] | None = None,
    resume: bool = True,
    progress: bool | None = None,
    callback: Callable[[dict[str, Any]], object] | None = None,
) -> TrainedState:
    """Trains `network` on images without labels.

    Args:
        images: float32 [N][H][W] in 0..1, all of one size, or an iterable of [H][W].
        network: scp.models.Network; its outputs, in order, are the levels, coarsest first.
        options: all knobs. minutes, steps: override the length in options.
        run_dir: folder for checkpoint.safetensors, weights.safetensors and log.jsonl; made if it
            is not there. None: nothing is written.
        initial: (parameters, state) to start from. None: network.initial(options.seed).
        resume: go on from the checkpoint in run_dir, when there is one (made with the same network
            and options, or ValueError). False: start anew and overwrite.
        progress: a live bar on stderr. None: only on a terminal.
        callback: called with each event, a dict: {"event": "start", "bytes": ..., "steps": ...},
            then {"event": "step", "step", "progress", "lr", "loss", "levels", "images_per_second",
            "seconds", "seconds_left"} once per line of the log, {"event": "checkpoint", "path"},
            and {"event": "end", "step", "finished"}.

    Ctrl-C finishes the step, writes a checkpoint and returns with finished=False; a second one
    raises KeyboardInterrupt at once.

    Raises:
        FloatingPointError: a loss is not finite; the message names step, level and the last good
            checkpoint. ValueError: bad options, images or checkpoint file.
    """
    raise NotImplementedError
