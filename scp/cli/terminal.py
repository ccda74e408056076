"""What the command line writes, made safe for a terminal: names of files come from anywhere."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from ..landmarks.names import visible


class Terminal:
    """A stream whose control characters are written out: \\u001b instead of the real one.

    Line feeds stay, and the carriage return with which a progress bar begins. What the stream's
    encoding lacks is written out too.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        bar = "\r" if text.startswith("\r") else ""
        safe = bar + visible(text[len(bar) :], keep="\n")
        try:
            self._stream.write(safe)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            self._stream.write(safe.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def safe_terminal() -> Iterator[None]:
    """Standard output and error as `Terminal`s, and warnings as one line each."""

    def show(message, category, *_, **__):
        print(f"warning: {visible(str(message))}", file=sys.stderr)

    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (s if s is None else Terminal(s) for s in streams)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show
            yield
    finally:
        sys.stdout, sys.stderr = streams
