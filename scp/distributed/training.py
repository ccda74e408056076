"""A training as one task: on the machine of a worker, with its files in the shared run folder."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .share import Share
from .workers import Workers

LOOK = 5.0  # seconds between looks whether the training shall stop


@dataclass(frozen=True)
class Fit:
    """An estimator's `fit`, which ends early when a file of this name appears."""

    estimator: Any
    images: Any
    run: Path
    options: dict[str, Any]
    share: Share
    stop: str

    def __call__(self, _: int) -> dict[str, Any]:
        last = time.monotonic()

        def look(event: dict[str, Any]) -> None:
            nonlocal last
            if event["event"] == "step" and time.monotonic() - last >= LOOK:
                last = time.monotonic()
                if self.share.names(self.stop):
                    raise KeyboardInterrupt

        estimator = self.estimator
        try:
            estimator.fit(self.images, run=self.run, progress=False, callback=look, **self.options)
        except KeyboardInterrupt:
            if not hasattr(estimator, "trained_"):
                return {"finished": False, "step": 0, "seconds": 0.0, "losses": []}
        trained = estimator.trained_
        return {
            "finished": trained.finished,
            "step": trained.step,
            "seconds": trained.seconds,
            "losses": list(trained.losses),
        }


def fit(
    estimator: Any,
    images: Any,
    run: str | os.PathLike[str],
    workers: Workers,
    *,
    idle: Callable[[], object] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """`estimator.fit(images, run=run, **options)` by one worker, with all its threads.

    A worker that dies is followed by another, which goes on from the checkpoint; so does the next
    call after one that was stopped.

    Args:
        run: the run folder, which the worker sees under this name.
        idle: called while the training runs, about twice a second.

    Returns:
        finished, step, seconds and losses, as `trained_` of the estimator. The weights lie in the
        run folder.
    """
    run = Path(run).resolve()
    share, stop = workers.share or Share(run), f"stop-{uuid.uuid4().hex}"
    task = Fit(estimator, images, run, options, share, stop)
    try:
        for _, result in workers.map(task, [0], run, threads=0, idle=idle):
            out = {name: value.tolist() for name, value in result.items()}
    except BaseException:
        share.write(f"{stop}/now", b"")
        raise
    return out
