"""What scp raises besides ValueError and TypeError."""

from __future__ import annotations


class DatasetError(ValueError):
    """A data set, or one of its files, cannot be used; the message names it."""


class DiskFullError(OSError):
    """A file did not fit. `filename` names it; the text says what to do."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class FolderInUseError(OSError):
    """Another process writes in this run folder. `filename` names it; the text says whose it is."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"
