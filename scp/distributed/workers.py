"""Tasks for other processes: which are sent, what comes back, and what is sent again."""

from __future__ import annotations

import hashlib
import os
import pickle
import queue
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..values import whole
from .remote import Order, here, work
from .share import Share, unpacked

FOLDER = "tasks-"  # begins the names of folders of tasks
Task = Callable[[int], dict[str, Any]]  # of a row: arrays by name
PART = 16  # images of a task
TRIES = 3  # workers that may fail at a task
AHEAD = 3  # tasks sent, for each that can run
GRACE = 2.0  # seconds until a broken connection is known to be broken
SECONDS = 0.5  # between looks whether the cluster is there


class WorkerError(RuntimeError):
    """A task failed wherever it ran, or nobody is there to run it; the message says why."""


class Workers:
    """Processes that compute the rows of a table, each on its own.

    Args:
        executor: a `concurrent.futures.Executor` whose processes can import scp; `connect` gives
            one of Dask.
        share: a folder that all of them see under this name, or a URL of fsspec; None: a folder in
            the run folder.
        part: images of a task.
    """

    def __init__(
        self,
        executor: Executor | Any,
        share: str | os.PathLike[str] | None = None,
        part: int = PART,
    ):
        if not callable(getattr(executor, "submit", None)):
            raise TypeError(f"executor must have a method submit, got {executor!r}")
        self.executor = executor
        self.share = None if share is None else Share(share)
        self.part = whole(part, "part", 1)

    def __repr__(self) -> str:
        return f"<Workers: {self._slots()} threads, {self.part} images a task>"

    def __reduce__(self):
        raise TypeError("workers cannot be pickled: connect again")

    def map(
        self,
        task: Task,
        rows: Iterable[int],
        folder: str | os.PathLike[str] | None = None,
        key: str = "",
        *,
        threads: int = 1,
        idle: Callable[[], object] | None = None,
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """What a task gives for each row, in the order in which results come.

        Args:
            task: what can be pickled; called with a row, it gives arrays by name.
            folder: of the run. key: all that the results depend on; results that an earlier call of
                the same key left in the shared place are taken from there. "": there are none.
            threads: that a task takes of its worker; 0: all.
            idle: called while nothing comes, about twice a second.

        Raises:
            WorkerError: a task failed on several workers, or the cluster is gone. What is finished
                stays, where there is a key.
        """
        rows = [int(row) for row in rows]
        if not rows:
            return
        name = hashlib.sha256(key.encode()).hexdigest() if key else uuid.uuid4().hex
        stem = f"{FOLDER}{name}"
        share, temporary = self._share(folder, stem)
        finished = False
        try:
            left = set(rows)
            for name in share.names(stem):
                for row, result in _found(share, name):
                    if row in left:
                        left.discard(row)
                        yield row, result
            data = _pickled(task)
            order = Order(
                share, f"{stem}/task", hashlib.sha256(data).hexdigest(), __version__, here()
            )
            share.write(order.task, data)
            todo = [row for row in rows if row in left]
            parts = [todo[k : k + self.part] for k in range(0, len(todo), self.part)]
            yield from self._parts(order, stem, parts, idle)
            finished = True
        finally:
            if finished or not key:
                share.remove(stem)
            if temporary is not None:
                temporary.cleanup()

    def _share(self, folder, stem: str) -> tuple[Share, tempfile.TemporaryDirectory | None]:
        if self.share is not None:
            return self.share, None
        if folder is not None:
            for other in Path(folder).glob(f"{FOLDER}*"):  # of a run that was killed
                if other.name != stem:
                    shutil.rmtree(other, ignore_errors=True)
            return Share(folder), None
        temporary = tempfile.TemporaryDirectory(prefix="scp-")
        return Share(temporary.name), temporary

    def _parts(
        self, order: Order, stem: str, parts: Sequence[list[int]], idle
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        waiting = list(reversed(parts))
        sent: dict[Any, tuple[list[int], list[tuple[str, str]]]] = {}  # rows; what failed, where
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def send(rows: list[int], failed: list[tuple[str, str]]) -> None:
            name = f"{stem}/{rows[0]:09d}-{len(rows)}"
            avoiding = getattr(self.executor, "avoiding", None) if failed else None
            places = [where for where, _ in failed]
            submit = self.executor.submit if avoiding is None else avoiding(places)
            future = submit(work, order, name, rows)
            sent[future] = rows, failed
            future.add_done_callback(done.put)

        try:
            while waiting or sent:
                room = AHEAD * max(1, self._slots()) - len(sent)
                while waiting and room > 0:
                    send(waiting.pop(), [])
                    room -= 1
                try:
                    future = done.get(timeout=SECONDS)
                except queue.Empty:
                    self._check()
                    if idle is not None:
                        idle()
                    continue
                rows, failed = sent.pop(future)
                why, where = self._outcome(future, order.share)
                if isinstance(why, list):
                    yield from why
                    order.share.remove(f"{stem}/{rows[0]:09d}-{len(rows)}")
                    continue
                failed = [*failed, (where, why)]
                if len(failed) >= min(TRIES, self._machines()):
                    raise WorkerError(_told(failed))
                send(rows, failed)
        finally:
            for future in sent:
                future.cancel()

    def _outcome(self, future: Any, share: Share) -> tuple[Any, str]:
        """(results, "") of a task that ended; or what went wrong, and where."""
        try:
            name, where, error = future.result()
        except CancelledError:
            self._check(GRACE)
            return "the task was lost", "a worker that left"
        except Exception as lost:  # the worker died with it, again and again; or the connection
            self._check(GRACE)
            return f"{type(lost).__name__}: {lost}", "workers that died"
        if error is not None:
            text = str(error)
            known = isinstance(error, (ValueError, OSError, MemoryError)) and text
            return text if known else f"{type(error).__name__}: {text}", where
        found = list(_found(share, name))
        return (found, "") if found else (f"{share.where}/{name}: the result is not there", where)

    def _slots(self) -> int:
        """How many tasks can run at once."""
        return int(getattr(self.executor, "slots", getattr(self.executor, "_max_workers", 1)))

    def _machines(self) -> int:
        """How many workers there are that a task may be tried on."""
        return int(getattr(self.executor, "workers", 1))

    def _check(self, seconds: float = 0.0) -> None:
        """WorkerError where the cluster is gone, or goes within these seconds."""
        check = getattr(self.executor, "check", None)
        end = time.monotonic() + seconds
        while check is not None:
            check()
            if time.monotonic() >= end:
                return
            time.sleep(0.1)


def for_each(
    task: Task,
    rows: Iterable[int],
    workers: Workers | None = None,
    folder: str | os.PathLike[str] | None = None,
    key: str = "",
) -> Iterator[tuple[int, dict[str, Any]]]:
    """What a task gives for each row: here, one after the other, or by `Workers.map`."""
    if workers is None:
        return ((row, task(row)) for row in rows)
    return workers.map(task, rows, folder, key)


def _pickled(task: Task) -> bytes:
    """A class of the user's notebook goes along, where cloudpickle is there."""
    try:
        import cloudpickle
    except ImportError:
        return pickle.dumps(task, protocol=5)
    return cloudpickle.dumps(task, protocol=5)


def _found(share: Share, name: str) -> list[tuple[int, dict[str, np.ndarray]]]:
    """The results in a file; none where it is missing, damaged or something else."""
    if name.endswith("/task"):
        return []
    try:
        return unpacked(share.read(name))
    except (OSError, ValueError):
        return []


def _told(failed: list[tuple[str, str]]) -> str:
    places = ", ".join(dict.fromkeys(where for where, _ in failed))
    kept = "what is finished is kept: the same command goes on from here"
    return f"{failed[0][1]} (on {places}; {kept})"
