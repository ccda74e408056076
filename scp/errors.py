"""What scp raises besides ValueError and TypeError."""

from __future__ import annotations

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
