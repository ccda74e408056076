"""Files that are whole or absent, and an error that says what to do when the disk is full.

What is being written lies beside its name as `.scp-RANDOM.NAME`, locked by its writer: a name that
cannot be guessed, and that tells what a killed process left (`remove_stale`).
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import DiskFullError

_FULL = {
    errno.ENOSPC: "no room on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "larger than a file may be here (ulimit -f)",
}
# Ours, and those of version 0.1.0: .PID.NAME
_BESIDE = re.compile(
    r"\.scp-[0-9a-f]{16}\..+"
    r"|\.\d+\.[\w-]+\.(safetensors|npz|npy|jsonl?|ledger|toml|html|csv|svg|md)"
    r"|\.\d+\.refine\d+\.checkpoint\.safetensors",
    re.DOTALL,
)
_unfinished: set[Path] = set()  # what this process is writing


@contextlib.contextmanager
def naming(path: str | os.PathLike[str], need: int | None = None) -> Iterator[None]:
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
def writing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write; it becomes `path` when the block ends without an error, and is on the disk
    then, whatever happens to the machine."""
    target = Path(path)
    with naming(target):
        descriptor, beside = _create(target)
    try:
        with naming(target):
            yield beside
            if not os.path.samestat(os.fstat(descriptor), os.lstat(beside)):
                raise OSError(errno.EBUSY, "another program replaced the file", str(target))
            to_disk(descriptor)
            os.replace(beside, target)
            folder_to_disk(target.parent)
    finally:
        beside.unlink(missing_ok=True)
        os.close(descriptor)
        _unfinished.discard(beside)


def _create(target: Path) -> tuple[int, Path]:
    """A new file beside `target`, locked, and its path."""
    while True:
        beside = target.with_name(f".scp-{secrets.token_hex(8)}.{target.name[-48:]}")
        _unfinished.add(beside)
        try:
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        except FileExistsError:
            _unfinished.discard(beside)
            continue
        except OSError as error:
            _unfinished.discard(beside)
            error.filename = str(target)  # what the user knows
            raise
        with contextlib.suppress(OSError):  # no locks here: then `remove_stale` removes nothing
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else it was taken for stale before it was locked
            return descriptor, beside
        os.close(descriptor)


@atexit.register
def remove_unfinished() -> None:
    """Removes what a signal left: it may come before the block that would clean up has begun."""
    for beside in tuple(_unfinished):
        with contextlib.suppress(OSError):
            beside.unlink()


os.register_at_fork(after_in_child=_unfinished.clear)


def remove_stale(folder: str | os.PathLike[str]) -> None:
    """Removes what processes that were killed left half-written in a folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _BESIDE.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):  # its writer lives, or it is not ours to remove
                    descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        os.unlink(entry.path)
                    finally:
                        os.close(descriptor)


def to_disk(descriptor: int) -> None:
    """Waits until a file's content is on the disk; does nothing where that cannot be asked for."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise


def folder_to_disk(folder: str | os.PathLike[str]) -> None:
    """The same for the names in a folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # a folder that can be written and not be read
        return
    try:
        to_disk(descriptor)
    finally:
        os.close(descriptor)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _free(folder: Path) -> str:
    try:
        return f", {_megabytes(shutil.disk_usage(folder).free)} free"
    except OSError:
        return ""
