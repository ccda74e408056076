"""What scp raises besides ValueError and TypeError, and how it warns."""

from __future__ import annotations

import sys
import warnings

LONGEST = 1000  # characters of a message


class DatasetError(ValueError):
    """A data set, or one of its files, cannot be used; the message names it. Of a message that
    quotes a very long name the middle is left out."""

    def __init__(self, message: str = ""):
        if len(message) > LONGEST:
            message = f"{message[: LONGEST - 300]} ... {message[-250:]}"
        super().__init__(message)


class DiskFullError(OSError):
    """A file did not fit. `filename` names it; the text says what to do."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class FolderInUseError(OSError):
    """Another process writes in this run folder. `filename` names it; the text says whose it is."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the caller's own code, not at one of this package."""
    package = __name__.partition(".")[0] + "."
    frame, depth, level = sys._getframe(), 1, 1
    while frame is not None:  # what called the outermost function of the package
        if f"{frame.f_globals.get('__name__')}.".startswith(package):
            level = depth + 1
        frame, depth = frame.f_back, depth + 1
    warnings.warn(text, category, stacklevel=level)
