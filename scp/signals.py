"""Ctrl-C, and the signals with which a system ends a process (SIGTERM of a queue's time limit,
SIGHUP of a terminal that is gone): treated alike, so that what was done is not lost."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

ENDING = (signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """A signal that ends the process. number: which."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def as_interrupts() -> Iterator[None]:
    """Within the block, one of the command line, such a signal raises Stopped where Ctrl-C raises
    KeyboardInterrupt. What ignores a signal, such as nohup, goes on ignoring it."""
    signal_of_import(False)

    def stop(number, frame):
        raise Stopped(number)

    with _handled(stop, ENDING, lambda handler: handler == signal.SIG_DFL):
        yield


class Noticed:
    """number: of the signal that came, or None."""

    number: int | None = None

    def __bool__(self) -> bool:
        return self.number is not None

    def pass_on(self) -> None:
        """Does what the signal would have done, once nothing is to be finished any more."""
        if self.number is not None:
            signal.raise_signal(self.number)


@contextlib.contextmanager
def noticed() -> Iterator[Noticed]:
    """Within the block the first such signal, Ctrl-C among them, is only noticed; the second one
    acts at once. In other threads than the main one there are no signals."""
    seen = Noticed()

    def notice(number, frame):
        if seen:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            raise Stopped(number)
        seen.number = number

    numbers = (signal.SIGINT, *ENDING)
    with _handled(notice, numbers, lambda handler: handler not in (None, signal.SIG_IGN)):
        yield seen


@contextlib.contextmanager
def _handled(handler, numbers, wanted) -> Iterator[None]:
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {n: signal.getsignal(n) for n in numbers}
        before = {n: old for n, old in before.items() if wanted(old)}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def signal_of_import(begins: bool) -> None:
    """While the command line is imported, Ctrl-C is one line and no traceback."""
    if threading.current_thread() is not threading.main_thread():
        return
    if begins and _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _at_once)
    elif not begins and signal.getsignal(signal.SIGINT) is _at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _at_once(number, frame):
    with contextlib.suppress(OSError):
        os.write(2, b"stopped\n")
    os._exit(128 + number)


def _is_command() -> bool:
    """Whether this process is `scp` or `python -m scp`, and not a program that imports scp."""
    words = list(getattr(sys, "orig_argv", ()))
    if sys.argv and sys.argv[0] == "-m":  # so it is while the package of -m is imported
        return "-mscp" in words or ("-m" in words and words[words.index("-m") + 1 :][:1] == ["scp"])
    return bool(sys.argv) and os.path.basename(sys.argv[0]) == "scp"
