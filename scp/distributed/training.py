"""A training as one task: on the machine of a worker, with its files in the shared run folder."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FolderInUseError
from ..runs import holding
from .share import Share
from .workers import SECONDS, Workers

LOOK = 5.0  # seconds between looks whether the command that asked is still there
BEAT = 2.0  # seconds between its signs of life
DEAD = 60.0  # seconds without one after which it is gone
WAIT = 120.0  # seconds that a stopped command waits for the checkpoint


@dataclass(frozen=True)
class Fit:
    """An estimator's `fit`, which ends early when the command that asked is gone.

    Attributes:
        beat: a file that changes as long as the command is there.
    """

    estimator: Any
    images: Any
    run: Path
    options: dict[str, Any]
    share: Share
    beat: str

    def __call__(self, _: int) -> dict[str, Any]:
        looked = heard = time.monotonic()
        last = b""

        def look(event: dict[str, Any]) -> None:
            nonlocal looked, heard, last
            now = time.monotonic()
            if event["event"] != "step" or now - looked < LOOK:
                return
            looked = now
            try:
                sign = self.share.read(self.beat)
            except OSError:
                raise StopIteration from None
            if sign != last:
                heard, last = now, sign
            elif now - heard > DEAD:
                raise StopIteration

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


def train(
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
    call after one that was stopped. Where this process dies, the training stops within a minute.

    Args:
        run: the run folder, which the worker sees under this name.
        idle: called while the training runs, about twice a second.

    Returns:
        finished, step, seconds and losses, as `trained_` of the estimator. The weights lie in the
        run folder.
    """
    run = Path(run).resolve()
    share, beat = workers.share or Share(run), f"beat-{uuid.uuid4().hex}"
    last = 0.0

    def alive() -> None:
        nonlocal last
        if time.monotonic() - last >= BEAT:
            last = time.monotonic()
            share.write(beat, str(last).encode(), make=True)
        if idle is not None:
            idle()

    alive()
    task = Fit(estimator, images, run, options, share, beat)
    try:
        for _, result in workers.map(task, [0], run, threads=0, idle=alive):
            out = {name: value.tolist() for name, value in result.items()}
    except BaseException:
        share.remove(beat)
        _until_free(run)
        raise
    share.remove(beat)
    return out


def _until_free(run: Path) -> None:
    """Waits until no other process writes in the run folder: its checkpoint is there then."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        try:
            with holding(run):
                return
        except FolderInUseError:
            time.sleep(SECONDS)
