"""The loop of every training: steps, schedule, checkpoints, events, Ctrl-C and resume.

A training says what a step is (a `Job`: the core's trainer and its arrays); everything else is
here. All numbers that a step depends on are float32 arrays by name, the same names as in the
checkpoint: parameters, state, first_moment, .., with a prefix where there are several models or
groups (csrc/include/scp/train.h).
"""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from ..progress import CellBar, bars, in_notebook
from ..runs import RunFolder, naming
from ..runs.folder import CHECKPOINT, LOG, log_lines
from ..signals import noticed
from ..values import Result, array, real, whole
from .checkpoints import Checkpoint, Window, load_checkpoint, save_checkpoint


@dataclass(eq=False, repr=False)
class TrainedState(Result):
    """What training leaves.

    Attributes:
        arrays: name -> float32 [n], everything that a next step would start from.
        step: steps done. progress: fraction of the run done. seconds: time trained, all parts.
        losses: float64 [D], mean of each level's loss over the last logged steps, coarsest first.
        finished: the run reached its length. False: Ctrl-C ended it; train() again goes on.
        checkpoint: the file it was written to, or None.
    """

    arrays: dict[str, np.ndarray]
    step: int
    progress: float
    seconds: float = field(compare=False)
    losses: np.ndarray
    finished: bool
    checkpoint: Path | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return f"<TrainedState: {self}>"

    def __str__(self) -> str:
        done = "finished" if self.finished else f"stopped at {self.progress:.0%}"
        losses = ", ".join(f"{v:.3f}" for v in np.ravel(self.losses))
        return f"{done}, {self.step} steps, {self.seconds:.0f} s, losses {losses}"

    def raise_if_stopped(self) -> None:
        """KeyboardInterrupt, saying how far it is, unless the training has finished."""
        if not self.finished:
            again = f"{self.checkpoint} goes on from there" if self.checkpoint else "no run folder"
            raise KeyboardInterrupt(
                f"training stopped after step {self.step}, {self.progress:.0%} of it; {again}"
            )

    @property
    def parameters(self) -> np.ndarray:
        """Of the network, float32 [P]."""
        return self.arrays["parameters"]

    @property
    def state(self) -> np.ndarray:
        """Running statistics of the network, float32 [S]."""
        return self.arrays["state"]


def with_length(options, minutes: float | None, steps: int | None):
    """The options with that length, if one is given, checked to have one."""
    if minutes is not None and steps is not None:
        raise ValueError("minutes, steps: give one of them")
    if minutes is not None:
        if not real(minutes, "minutes") > 0:
            raise ValueError(f"minutes must be above 0, got {minutes}")
        options = options.set(minutes=minutes, steps=0)
    elif steps is not None:
        options = options.set(steps=whole(steps, "steps"))
        if options.steps == 0:
            raise ValueError("steps must be above 0, got 0")
    if options.steps == 0 and not options.minutes > 0:
        raise ValueError("minutes must be above 0 where steps is 0")
    return options


@dataclass
class Job:
    """What a kind of training gives to the loop.

    Attributes:
        create: makes the trainer. bytes: that it will hold.
        arrays: the length of each of its arrays, by name. initial: those that do not start at 0.
        losses: a name for each of its losses, for messages.
        identity: digests by name of the network and of what it learns from; a checkpoint belongs
            to these only.
        run: one step or more, as scp._core.trainer_run.
        facts: for the event start. verb: for the bar. checkpoint, log: names of the files.
    """

    create: Callable[[], Any]
    bytes: int
    arrays: dict[str, int]
    initial: dict[str, np.ndarray]
    losses: list[str]
    identity: dict[str, str]
    run: Callable[..., tuple[np.ndarray, int]] = _core.trainer_run
    facts: dict[str, Any] = field(default_factory=dict)
    verb: str = "train"
    checkpoint: str = CHECKPOINT
    log: str = LOG


def run_job(
    job: Job,
    options,
    run=None,
    *,
    resume: bool = True,
    progress: bool | None = False,
    callback: Callable[[dict[str, Any]], object] | None = None,
) -> TrainedState:
    """Runs a training to its end, or to Ctrl-C, or until the callback raises StopIteration;
    arguments as in `scp.features.train`."""
    training = _Run(job, options, run, callback)
    training.begin(resume)
    with noticed() as stop:
        with _bar(progress, training) as bar:
            while not (training.finished or training.stopped or stop):
                training.advance(bar)
        state = training.end()
    if stop and (state.finished or stop.number != signal.SIGINT):
        stop.pass_on()
    return state


def as_pool(images: np.ndarray | Iterable[np.ndarray]) -> np.ndarray:
    """float32 [N][H][W], checked to be finite and 0..1."""
    if not isinstance(images, np.ndarray):
        images = list(images)
        shapes = {np.shape(i) for i in images}
        if len(shapes) > 1:
            raise ValueError(f"images must all have one shape, got {sorted(shapes)[:2]}")
    pool = array(images, "images", np.float32)
    if pool.ndim != 3 or pool.size == 0:
        raise ValueError(f"images must be [N][H][W], got shape {list(pool.shape)}")
    for i, image in enumerate(pool):
        if not (image.min() >= 0 and image.max() <= 1):  # NaN fails too
            raise ValueError(f"images[{i}] must be finite and 0..1")
    return pool


class _Run:
    """The state of one training, and its files."""

    def __init__(self, job: Job, options, run, callback):
        self.job, self.options, self.callback = job, options, callback
        self.folder = None if run is None else RunFolder(run)
        self.identity = {**job.identity, "options": options.to_dict()}
        self.stopped = False  # by the callback

    # ---- beginning ----

    def begin(self, resume: bool) -> None:
        sizes = self.job.arrays
        self.arrays = {name: np.zeros(n, np.float32) for name, n in sizes.items()}
        for name, values in self.job.initial.items():
            self.arrays[name] = np.array(values, np.float32)
            if self.arrays[name].shape != (sizes[name],):
                raise ValueError(
                    f"initial: {name} must have shape [{sizes[name]}], got "
                    f"{list(self.arrays[name].shape)}"
                )
        self.step, self.progress, self.seconds = 0, 0.0, 0.0
        self.losses = [float("nan")] * len(self.job.losses)
        self.window = Window([0.0] * len(self.job.losses))
        self.path = None if self.folder is None else self.folder / self.job.checkpoint
        self.saved = None
        if self.path is not None and resume and self.path.exists():
            defaults = type(self.options)().to_dict()
            renamed = self.options.renamed
            found = load_checkpoint(self.path, sizes, self.identity, defaults, renamed)
            self.arrays, self.step, self.progress = found.arrays, found.step, found.progress
            self.seconds, self.losses, self.saved = found.seconds, found.losses, found.step
            if len(found.window.sums) == len(self.job.losses):
                self.window = found.window
        elif self.path is not None:
            self.path.unlink(missing_ok=True)
        if self.folder is not None:
            _trim_log(self.folder, self.job.log, self.step)
        self.save_at = time.monotonic() + self.options.checkpoint_seconds
        self._tell(
            "start",
            bytes=self.job.bytes,
            step=self.step,
            steps=self.options.steps,
            minutes=self.options.minutes,
            **self.job.facts,
        )
        self.trainer = None if self.finished else self.job.create()
        self.clock = time.perf_counter()

    @property
    def finished(self) -> bool:
        if self.options.steps:
            return self.step >= self.options.steps
        return self.progress >= 1

    # ---- one step ----

    def advance(self, bar) -> None:
        rate = self.options.rate(self.progress)
        losses, done = self.job.run(self.trainer, self.arrays, self.step, np.array([rate]))
        if done == 0:
            name = self.job.losses[int(np.flatnonzero(~np.isfinite(losses[0]))[0])]
            self._fail(f"the loss of {name} is not finite at step {self.step}")
        now = time.perf_counter()  # logging and checkpoints count too, in the step after them
        spent, self.clock = now - self.clock, now
        self.step += 1
        self.seconds += spent
        self.window.add(losses[0], spent)
        if self.options.steps:
            self.progress = self.step / self.options.steps
        else:
            self.progress = min(self.seconds / (60 * self.options.minutes), 1.0)
        if self.step % self.options.log_every == 0 or self.finished:
            self._log(rate)
        bar.update(self)
        if self.path is not None and time.monotonic() >= self.save_at:
            self._save()

    def _log(self, rate: float) -> None:
        levels = self.window.means()
        self.losses = [float(v) for v in levels]
        speed = self.options.batch * self.window.steps / max(self.window.seconds, 1e-9)
        line = {
            "step": self.step,
            "progress": round(self.progress, 6),
            "lr": rate,
            "loss": float(levels.sum()),
            "levels": self.losses,
            "images_per_second": round(speed, 3),
            "seconds": round(self.seconds, 3),
        }
        if self.folder is not None:
            path = self.folder / self.job.log
            with naming(path), path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        self._tell("step", **line, seconds_left=self.seconds_left)
        self.window = Window([0.0] * len(self.losses))

    @property
    def seconds_left(self) -> float:
        if not self.options.steps:
            return max(60 * self.options.minutes - self.seconds, 0.0)
        return (self.options.steps - self.step) * self.seconds / max(self.step, 1)

    # ---- files and ends ----

    def _save(self) -> None:
        self._check_weights()
        save_checkpoint(
            self.path,
            Checkpoint(
                self.arrays,
                self.step,
                self.progress,
                self.seconds,
                self.losses,
                self.identity,
                self.window,
            ),
        )
        self.saved = self.step
        self.save_at = time.monotonic() + self.options.checkpoint_seconds
        self._tell("checkpoint", path=str(self.path), step=self.step)

    def _check_weights(self) -> None:
        if not all(np.isfinite(a).all() for a in self.arrays.values()):
            self._fail(f"a weight is not finite after step {self.step - 1}")

    def _fail(self, what: str) -> None:
        if self.path is None:
            last = "no checkpoint was asked for"
        elif self.saved is None:
            last = "there is no checkpoint yet"
        else:
            last = f"the last good checkpoint, of step {self.saved}, is {self.path}"
        raise FloatingPointError(f"{what}; a smaller learning_rate may help; {last}")

    def end(self) -> TrainedState:
        if self.path is not None and self.saved != self.step:
            self._save()
        else:
            self._check_weights()
        self._tell("end", step=self.step, finished=self.finished)
        return TrainedState(
            arrays=self.arrays,
            step=self.step,
            progress=self.progress,
            seconds=self.seconds,
            losses=np.array(self.losses),
            finished=self.finished,
            checkpoint=self.path,
        )

    def _tell(self, event: str, **content) -> None:
        if self.callback is not None:
            try:
                self.callback({"event": event, **content})
            except StopIteration:
                self.stopped = True


def _trim_log(folder: RunFolder, name: str, step: int) -> None:
    """Drops the lines that a resumed run will write again, and a half-written last one."""
    if (folder / name).exists():
        lines = log_lines(folder / name) if step else []
        kept = [line for line, entry in lines if 0 < entry["step"] <= step]
        folder.write_text(name, "".join(kept))


class _Bar:
    """Live progress: losses of the levels, images a second, time left."""

    def __init__(self, run: _Run):
        from tqdm import tqdm

        self.options = run.options
        self.bar = tqdm(
            total=1000,
            initial=int(1000 * run.progress),
            bar_format=(run.job.verb + " {percentage:3.0f}%|{bar:20}| {postfix}"),
        )

    def update(self, run: _Run) -> None:
        if run.window.steps and run.step % self.options.log_every:
            return
        left = int(run.seconds_left)
        speed = self.options.batch * run.step / max(run.seconds, 1e-9)
        levels = " ".join(f"{v:.2f}" for v in run.losses)
        self.show(
            run.progress,
            f"step {run.step}, loss {levels}, {speed:.1f} images/s, "
            f"{left // 60}:{left % 60:02d} left",
        )

    def show(self, share: float, said: str) -> None:
        self.bar.set_postfix_str(said, refresh=False)
        self.bar.n = int(1000 * share)
        self.bar.refresh()

    def close(self, run: _Run) -> None:
        self.bar.close()


class _CellBar(_Bar):
    """The same below the cell of a notebook."""

    def __init__(self, run: _Run):
        self.options = run.options
        self.cell = CellBar(run.job.verb, delay=0)

    def show(self, share: float, said: str) -> None:
        self.cell.show(share, said)

    def close(self, run: _Run) -> None:
        done = "done" if run.finished else f"stopped at {run.progress:.0%}"
        self.cell.close(f"{done}, step {run.step}")


class _NoBar:
    def update(self, run: _Run) -> None:
        pass


@contextlib.contextmanager
def _bar(wanted: bool | None, run: _Run):
    if not (bars(None) if wanted is None else wanted):
        yield _NoBar()
        return
    bar = _CellBar(run) if in_notebook() else _Bar(run)
    try:
        yield bar
    finally:
        bar.close(run)
