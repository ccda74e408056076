"""What the command line writes, made safe for a terminal: names of files come from anywhere."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from ..landmarks.names import visible


class Terminal:
    """A stream whose control characters are written out: \\u001b instead of the real one.

    Line feeds stay, and the carriage return with which a progress bar begins. What the stream's
    encoding lacks is written out too. When nobody reads any more (`scp .. | head`, a terminal that
    was closed), or the stream was closed before, the work goes on without being told.

    Attributes:
        error: what else kept the text from being written, a full disk; or None.
    """

    def __init__(self, stream: Any):
        self._stream = stream
        self.error: OSError | None = None

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> int:
        if self._stream is not None:
            with self._ends():
                self._write(text)
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            with self._ends():
                self._stream.flush()

    @contextlib.contextmanager
    def _ends(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                self.error = error
            with contextlib.suppress(OSError, ValueError):  # what is left in it goes nowhere
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)
            self._stream = None

    def _write(self, text: str) -> None:
        bar = "\r" if text.startswith("\r") else ""
        safe = bar + visible(text[len(bar) :], keep="\n")
        try:
            self._stream.write(safe)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            self._stream.write(safe.encode(encoding, "backslashreplace").decode(encoding))

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def safe_terminal() -> Iterator[Terminal]:
    """Standard output (which is given) and error as `Terminal`s, and warnings as one line each."""

    def show(message, category, *_, **__):
        print(f"warning: {visible(str(message))}", file=sys.stderr)

    _fill_descriptors()
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, _ = Terminal(sys.stdout), Terminal(sys.stderr)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show
            yield out
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = streams


def _fill_descriptors() -> None:
    """Opens what of 0, 1 and 2 is closed, or a file of the run gets that number, and with it what
    libraries print."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
