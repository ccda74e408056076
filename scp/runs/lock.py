"""A run folder is written by one process at a time, and in it by one thread at a time.

The lock is one of the operating system (`flock`) on a file in the folder, so that it goes with the
process, however that ends. The file says whose it is, for the message to others.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import FolderInUseError, warn
from .files import naming, remove_stale
from .plain import parse_json

LOCK = ".lock"
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class _Held:
    """What this process has of one folder."""

    def __init__(self) -> None:
        self.turn = threading.RLock()  # other threads wait; the same thread may come again
        self.depth = 0
        self.file: int | None = None


_folders: dict[str, _Held] = {}
_guard = threading.Lock()


@contextlib.contextmanager
def hold(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Within the block nobody else writes in this folder, which exists. A thread may hold a folder
    more than once; another thread waits for it.

    Raises:
        FolderInUseError: another process holds it.
    """
    with _guard:
        held = _folders.setdefault(os.path.realpath(folder), _Held())
    with held.turn:
        if held.depth == 0:
            held.file = _take(Path(folder))
            remove_stale(folder)
        held.depth += 1
        try:
            yield
        finally:
            held.depth -= 1
            if held.depth == 0 and held.file is not None:
                file, held.file = held.file, None
                with contextlib.suppress(OSError):
                    Path(folder, LOCK).unlink()  # before the lock goes: see `_take`
                os.close(file)


def _take(folder: Path) -> int | None:
    """The locked file; None where there can be none."""
    path = folder / LOCK
    while True:
        file = _open(path)
        if file is None:  # nothing can be written either, and that says so
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            who = _holder(file)
            os.close(file)
            if error.errno in _NO_LOCKS:
                warn(
                    f"{folder}: this file system has no locks ({error.strerror}); two runs at once "
                    "in this folder would spoil it"
                )
                return None
            raise FolderInUseError(
                errno.EBUSY,
                f"another run is writing in this folder{who}; wait until it has ended, or use "
                "another folder (--run, run=)",
                str(folder),
            ) from None
        try:
            if os.path.samestat(os.fstat(file), os.stat(path)):
                break
        except OSError:
            pass
        os.close(file)  # who had it removed the file meanwhile
    with contextlib.suppress(OSError):  # a full disk: only the message to others is lost
        os.ftruncate(file, 0)
        os.pwrite(file, _this_process().encode(), 0)
    return file


def _open(path: Path) -> int | None:
    flags = os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        with naming(path):
            return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except OSError as error:
        if error.errno not in _NOT_ALLOWED:
            raise
    try:  # the file of another user, whose folder we may write in
        return os.open(path, os.O_RDONLY | flags)
    except OSError:
        return None


def _this_process() -> str:
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    program = "scp" if program == "__main__.py" else program
    content = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": shlex.join([program, *sys.argv[1:]])[:200],
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    return json.dumps(content) + "\n"


def _holder(file: int) -> str:
    """ " (process ..)" or "", where the file does not say it."""
    for _ in range(5):  # it may just be writing that
        try:
            content = parse_json(os.pread(file, 4096, 0))
            pid, host, since = int(content["pid"]), str(content["host"]), str(content["since"])
            command = "".join(c if c.isprintable() else "?" for c in str(content["command"]))
            return f" (process {pid} on {host} since {since}: {command})"
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            time.sleep(0.02)
    return ""


def _forget() -> None:
    """In a child of fork the folders are the parent's. Closing a file there unlocks nothing."""
    global _guard
    for held in _folders.values():
        if held.file is not None:
            os.close(held.file)
            held.file = None
    _folders.clear()
    _guard = threading.Lock()


os.register_at_fork(after_in_child=_forget)
