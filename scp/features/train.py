"""Self-supervised training: a network learns to find the same place in two views of an image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import _core
from ..runs.fingerprints import of_arrays
from ..training import (
    Job,
    TrainedState,
    TrainingOptions,
    run_job,
)
from ..training.loop import as_pool, with_length

OBJECTIVES = ("windowed", "plain")  # enum scp_objective


def train(
    images: np.ndarray | Iterable[np.ndarray],
    network,
    options: TrainingOptions | None = None,
    run_dir: str | os.PathLike[str] | None = None,
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
        network: scp.networks.Network with 1 or 3 input channels; its outputs, in order, are the
            levels, coarsest first.
        options: all knobs. minutes, steps: the length, in place of that in options.
        run_dir: folder for checkpoint.safetensors and log.jsonl; made if it is not there. None:
            nothing is written.
        initial: (parameters, state) to start from. None: network.initial(options.seed).
        resume: go on from the checkpoint in run_dir, when there is one (made with the same network,
            images and options, or ValueError). False: start anew and overwrite.
        progress: a live bar on stderr. None: only on a terminal.
        callback: called with each event, a dict with "event" and:
            start: bytes (of memory that the steps will hold), step, steps, minutes, crop (pixels);
            step: once per line of the log: step, progress, lr, loss, levels, images_per_second,
            seconds, seconds_left;
            checkpoint: path, step;
            end: step, finished.

    Ctrl-C finishes the step, writes a checkpoint and returns with finished=False; a second one
    raises KeyboardInterrupt at once.

    Raises:
        FloatingPointError: a loss or a weight is not finite; the message names the step, the level
            and the last good checkpoint. ValueError: bad options, images or checkpoint file.
    """
    options = with_length(TrainingOptions() if options is None else options, minutes, steps)
    pool = as_pool(images)
    levels = len(network.outputs)
    side = crop_side(options, *pool.shape[1:], levels)
    parts = network.graph(), pool, *core_options(options, side, levels)
    job = Job(
        create=lambda: _core.trainer_create(*parts),
        bytes=_core.trainer_bytes(*parts),
        losses=[f"level {d}" for d in range(levels)],
        identity={"images": of_arrays(pool)},
        facts={"crop": side},
    )
    return run_job(job, network, options, run_dir, initial, resume, progress, callback)


def crop_side(options: TrainingOptions, height: int, width: int, levels: int) -> int:
    """Pixels of the crop's side: a multiple of 2^levels."""
    unit = 1 << levels
    side = int(options.crop * min(height, width) + 1e-6) // unit * unit
    if side == 0:
        raise ValueError(
            f"crop: {options.crop:g} of {min(height, width)} pixels is less than {unit} (2^levels)"
        )
    return side


def core_options(options: TrainingOptions, side: int, levels: int) -> tuple[tuple, tuple, tuple]:
    """What the core's trainer takes: sample, objective, adam (scp._core)."""
    weights = options.level_weights or (1.0,) * levels
    if len(weights) != levels:
        raise ValueError(
            f"level_weights must hold {levels} numbers, one per level, got {len(weights)}"
        )
    sample = (
        options.seed,
        options.batch,
        side,
        options.points,
        options.point_margin,
        options.interpolation == "cubic",
        options.border == "replicate",
        options.strengths(),
    )
    objective = (
        OBJECTIVES.index(options.objective),
        options.window,
        options.temperature,
        options.margin,
        options.margin_limit,
        options.epsilon,
        np.array(weights, np.float32),
    )
    return sample, objective, options.adam()
