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
from . import byol


def train(
    images: np.ndarray | Iterable[np.ndarray],
    network,
    options: TrainingOptions | None = None,
    run: str | os.PathLike[str] | None = None,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    initial: tuple[np.ndarray, np.ndarray] | None = None,
    resume: bool = True,
    progress: bool | None = None,
    callback: Callable[[dict[str, Any]], object] | None = None,
) -> TrainedState:
    """Trains `network` on images without labels (negatives="plain": the paper, Eq. 11).

    Args:
        images: float32 [N][H][W] in 0..1, all of one size, or an iterable of [H][W].
        network: scp.networks.Network with 1 or 3 input channels; its outputs, in order, are the
            levels, coarsest first.
        options: all knobs. minutes, steps: the length, in place of that in options.
        run: a run folder, for checkpoint.safetensors and log.jsonl; made if it is not there. None:
            nothing is written.
        initial: (parameters, state) to start from. None: network.initial(options.seed).
        resume: go on from the checkpoint in the run folder, when there is one (made with the same
            network, images and options, or ValueError). False: start anew and overwrite.
        progress: a live bar on stderr. None: only on a terminal.
        callback: called with each event, a dict with "event" and:
            start: bytes (of memory that the steps will hold), step, steps, minutes, crop (pixels);
            step: once per line of the log: step, progress, lr, loss, levels, images_per_second,
            seconds, seconds_left;
            checkpoint: path, step;
            end: step, finished.

    Ctrl-C finishes the step, writes a checkpoint and returns with finished=False, and so does a
    callback that raises StopIteration. A second Ctrl-C raises KeyboardInterrupt at once.

    Raises:
        FloatingPointError: a loss or a weight is not finite; the message names the step, the level
            and the last good checkpoint. ValueError: bad options, images or checkpoint file.
    """
    options = with_length(TrainingOptions() if options is None else options, minutes, steps)
    pool = as_pool(images)
    parts = network.graph(), pool, options.core()
    size, arrays, side = _core.contrast_measure(*parts)
    parameters, state = network.initial(options.seed) if initial is None else initial
    start = {"parameters": parameters, "state": state}
    levels = range(len(network.outputs))[None if options.of_all_levels else -1 :]
    if options.objective.startswith("byol"):
        channels = network.channels[network.outputs[-1]]
        start = byol.initial(*start.values(), channels, options.hidden, len(levels), options.seed)
    job = Job(
        create=lambda: _core.contrast_trainer(*parts),
        bytes=size,
        arrays=arrays,
        initial=start,
        losses=[f"level {d}" for d in levels],
        identity={"network": network.digest(), "images": of_arrays(pool)},
        facts={"crop": side},
    )
    return run_job(job, options, run, resume=resume, progress=progress, callback=callback)
