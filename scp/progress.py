"""Progress of long work: one meaning of the argument `progress` everywhere.

None      bars on stderr where it is a terminal or a notebook
True      bars, or a line every half minute where stderr is no terminal
False     nothing
function  called with (stage, 0, total) when a stage begins, then with (stage, done, total);
          an exception stops the work
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

Progress = bool | Callable[[str, int, int], object] | None

LINE_SECONDS = 30  # between lines where stderr is no terminal


def watch(progress: Progress, stage: str, total: int) -> Callable[[int, int], object] | None:
    """What a stage calls with (done, total), or None."""
    if callable(progress):
        progress(stage, 0, total)
        return lambda done, total: progress(stage, done, total)
    if bars(progress):
        return _bar(stage, total)
    return _lines(stage) if progress else None


def bars(progress: Progress) -> bool:
    """Whether bars are drawn: where somebody sees them, unless progress is False."""
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"progress must be None, True, False or a function, got {progress!r}")
    return progress is not False and (sys.stderr.isatty() or in_notebook())


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook, which shows stderr below the cell."""
    shell = sys.modules.get("IPython")  # not imported for this
    return shell is not None and hasattr(shell.get_ipython(), "kernel")


def _bar(stage: str, total: int):
    from tqdm import tqdm

    def bar():
        return tqdm(total=total, desc=stage, delay=1, leave=False, file=sys.stderr)

    shown = bar()

    def update(done, total):
        nonlocal shown
        if shown.disable or done < shown.n:  # closed: a search counts anew in each of its parts
            shown.close()
            shown = bar()
        shown.total = total
        shown.update(done - shown.n)
        if done >= total:
            shown.close()

    return update


def _lines(stage: str):
    last = time.monotonic()

    def update(done, total):
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            print(f"{stage}: {done} of {total}", file=sys.stderr, flush=True)

    return update


def renamed(progress: Progress, stage: str) -> Progress:
    """The same progress with another name of the stage."""
    if progress is False:
        return False
    bar = None

    def update(_, done, total):
        nonlocal bar
        bar = bar or watch(progress, stage, total) or (lambda done, total: None)
        if done:  # `watch` has said that the stage begins
            bar(done, total)

    return update


def of_training(
    progress: Progress, stage: str
) -> tuple[bool | None, Callable[[dict[str, Any]], object]]:
    """For a training, which draws its own bar: whether it shall, and what takes its events."""
    if not callable(progress):
        bars(progress)  # an error now, not after the images are read
        return progress, lambda event: None
    steps = 0

    def take(event: dict[str, Any]) -> None:
        nonlocal steps
        if event["event"] == "start":
            steps = event["steps"]
            progress(stage, 0, steps or 1000)
        elif event["event"] == "step":
            progress(
                stage, event["step"] if steps else int(1000 * event["progress"]), steps or 1000
            )

    return False, take
