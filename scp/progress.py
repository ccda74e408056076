"""Progress of long work: one meaning of the argument `progress` everywhere.

None      bars on stderr where it is a terminal, and below the cell in a notebook; nothing where the
          environment says SCP_PROGRESS=0
True      bars, or a line every half minute where stderr is no terminal
False     nothing
function  called with (stage, 0, total) when a stage begins, then with (stage, done, total);
          an exception stops the work
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any

Progress = bool | Callable[[str, int, int], object] | None

LINE_SECONDS = 30  # between lines where stderr is no terminal
CELL_SECONDS = 0.2  # between updates of a bar in a notebook, which stores each
DELAY = 1.0  # seconds of work before a bar is shown


def watch(progress: Progress, stage: str, total: int) -> Callable[[int, int], object] | None:
    """What a stage calls with (done, total), or None."""
    if callable(progress):
        progress(stage, 0, total)
        return lambda done, total: progress(stage, done, total)
    if bars(progress):
        return _in_cell(stage) if in_notebook() else _bar(stage, total)
    return _lines(stage) if progress else None


def bars(progress: Progress) -> bool:
    """Whether bars are drawn: where somebody sees them, unless progress is False."""
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"progress must be None, True, False or a function, got {progress!r}")
    if progress is None and os.environ.get("SCP_PROGRESS") == "0":
        return False
    return progress is not False and (sys.stderr.isatty() or in_notebook())


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook, which shows HTML below the cell."""
    shell = sys.modules.get("IPython")  # not imported for this
    return shell is not None and hasattr(shell.get_ipython(), "kernel")


def _bar(stage: str, total: int):
    from tqdm import tqdm

    def bar():
        return tqdm(total=total, desc=stage, delay=DELAY, leave=False, file=sys.stderr)

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


class CellBar:
    """A bar below the cell of a notebook: one element, which is updated in place and leaves one
    line when the work is done. What takes less than a second (`delay`) shows nothing."""

    def __init__(self, name: str, delay: float = DELAY) -> None:
        self.name, self.delay = name, delay
        self.handle: Any = None
        self.begun = self.shown = time.monotonic()

    def show(self, share: float, said: str) -> None:
        """The share of the work that is done, in [0, 1], and what is said beside the bar."""
        now = time.monotonic()
        wait = self.delay if self.handle is None else CELL_SECONDS
        if now - self.shown < wait:
            return
        self.shown = now
        share = min(max(share, 0.0), 1.0)
        bar = f'<progress max="1" value="{share:.4f}" style="width:16em"></progress>'
        self._put(f"{escape(self.name)} {bar} {escape(said)}", f"{self.name} {share:.0%} {said}")

    def close(self, said: str) -> None:
        """Leaves a line, if the bar was shown."""
        if self.handle is not None:
            text = f"{self.name}: {said}, {clock(time.monotonic() - self.begun)}"
            self._put(escape(text), text)

    def _put(self, html: str, plain: str) -> None:
        from IPython.display import display

        content = {"text/html": f"<div>{html}</div>", "text/plain": plain}
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)


def clock(seconds: float) -> str:
    """ "0:42", "12:05", "2:03:10"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _in_cell(stage: str):
    bar = CellBar(stage)
    begun, first, before = bar.begun, None, 0

    def update(done, total):
        nonlocal begun, first, before
        now = time.monotonic()
        if first is None or done < before:  # a search counts anew in each of its parts
            begun, first = now, done
        before = done
        if done >= total:
            bar.close(f"{total} of {total}")
            return
        left = ""
        if done > first and now - begun > 2:
            left = f", {clock((now - begun) * (total - done) / (done - first))} left"
        bar.show(done / total, f"{done} of {total}{left}")

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
