"""Files that are whole or absent, and an error that says what to do when the disk is full."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

from ..errors import DiskFullError

_FULL = {
    errno.ENOSPC: "no room on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "larger than a file may be here (ulimit -f)",
}


@contextlib.contextmanager
def naming(path: str | os.PathLike[str], need: int | None = None):
    """Turns "disk full" within the block into a DiskFullError about `path`.

    need: bytes that the block wants to write, if known.
    """
    room = "" if need is None else f" ({_megabytes(need)} needed{_free(Path(path).parent)})"
    try:
        yield
    except OSError as error:
        if isinstance(error, DiskFullError) or error.errno not in _FULL:
            raise
        raise DiskFullError(
            error.errno,
            f"{_FULL[error.errno]}{room}; make room and give the same command again, it goes on "
            "from here",
            str(path),
        ) from None


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]):
    """A path to write; it becomes `path` when the block ends without an error."""
    target = Path(path)
    beside = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        with naming(target):
            yield beside
            os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _free(folder: Path) -> str:
    try:
        return f", {_megabytes(shutil.disk_usage(folder).free)} free"
    except OSError:
        return ""
