"""Tasks for other processes: which are sent, what comes back, and what is sent again."""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import queue
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor
from typing import Any

import numpy as np

from ..errors import warn
from ..values import whole
from .paths import travelling
from .remote import Order, here, usable, versions, work
from .share import TASK, Share, unpacked

TASKS = "tasks"  # the folder of the folders of tasks
WEEK = 7 * 24 * 3600.0  # seconds after which what a killed process left is removed
Task = Callable[[int], dict[str, Any]]  # of a row: arrays by name
PART = 16  # images of a task
TRIES = 3  # workers that may fail at a task; without knowledge of them, one less
AHEAD = 3  # tasks sent, for each that can run
GRACE = 2.0  # seconds until a broken connection is known to be broken
SECONDS = 0.5  # between looks whether the cluster is there
SILENCE = 60.0  # seconds without any worker after which it is said


class WorkerError(RuntimeError):
    """A task failed wherever it ran, or nobody is there to run it; the message says why."""


class Workers:
    """Processes that compute the rows of a table, each on its own.

    Args:
        executor: a `concurrent.futures.Executor` whose processes can import scp; `connect` gives
            one of Dask.
        share: a folder that all of them see under this name, or a URL of fsspec; None: a folder in
            the run folder.
        part: images of a task. slots: tasks that can run at once; None: as the executor says, or
            one for each processor here.
    """

    def __init__(
        self,
        executor: Executor | Any,
        share: str | os.PathLike[str] | None = None,
        part: int = PART,
        slots: int | None = None,
    ):
        if not callable(getattr(executor, "submit", None)):
            raise TypeError(f"executor must have a method submit, got {executor!r}")
        self.executor = executor
        self.share = None if share is None else Share(share)
        self.part = whole(part, "part", 1)
        self.slots = None if slots is None else whole(slots, "slots", 1)

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
        part: int | None = None,
        threads: int = 1,
        idle: Callable[[], object] | None = None,
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """What a task gives for each row, in the order in which results come.

        Args:
            task: what can be pickled; called with a row, it gives arrays by name.
            folder: of the run. key: all that the results depend on; results that an earlier call of
                the same key and folder left in the shared place are taken from there. "": none.
            part: rows of a task, instead of `part` of the workers.
            threads: that a task takes of its worker; 0: all.
            idle: called while nothing comes, about twice a second.

        Raises:
            WorkerError: a task failed on several workers, or the cluster is gone. What is finished
                stays, where there is a key.
        """
        rows = [int(row) for row in rows]
        if not rows:
            return
        own = f"{'' if folder is None else os.path.abspath(folder)} {key}"
        name = hashlib.sha256(own.encode()).hexdigest()[:32] if key else uuid.uuid4().hex
        place = f"{TASKS}/{name}"
        share, temporary = self._share(folder)
        share.remove_old(TASKS, WEEK)
        finished = False
        try:
            left = set(rows)
            for file in share.names(place):
                for row, result in _found(share, file):
                    if row in left:
                        left.discard(row)
                        yield row, result
            todo = [row for row in rows if row in left]
            order = self._order(share, place, task, threads)
            size = part or self.part
            parts = [todo[k : k + size] for k in range(0, len(todo), size)]
            yield from self._parts(order, parts, idle, bool(key))
            finished = True
        finally:
            if finished or not key:
                share.remove(place)
            if temporary is not None:
                temporary.cleanup()

    def _share(self, folder) -> tuple[Share, tempfile.TemporaryDirectory | None]:
        if self.share is not None:
            return self.share, None
        if folder is not None:
            return Share(folder), None
        if hasattr(self.executor, "check"):  # of other machines, perhaps
            raise ValueError("share: work without a run folder needs a place that all workers see")
        temporary = tempfile.TemporaryDirectory(prefix="scp-")
        return Share(temporary.name), temporary

    def _order(self, share: Share, place: str, task: Task, threads: int) -> Order:
        """Writes the task; what its workers are told."""
        data = _pickled(task)
        share.write(f"{place}/{TASK}", data, make=True)
        digest = hashlib.sha256(data).hexdigest()
        return Order(share, place, digest, versions(), here(), threads)

    def _parts(
        self, order: Order, parts: Sequence[list[int]], idle, kept: bool
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        waiting = list(reversed(parts))
        sent: dict[Any, tuple[list[int], list[tuple[str, str]]]] = {}  # rows; what failed, where
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        heard = time.monotonic()

        def send(rows: list[int], failed: list[tuple[str, str]]) -> None:
            avoiding = getattr(self.executor, "avoiding", None) if failed else None
            places = [where for where, _ in failed]
            submit = self.executor.submit if avoiding is None else avoiding(places)
            future = submit(work, order, _name(rows), rows)
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
                    if self._slots():
                        heard = time.monotonic()
                    elif time.monotonic() - heard > SILENCE:
                        heard = math.inf  # said once
                        warn("no worker is there any more; the work goes on when one joins")
                    if idle is not None:
                        idle()
                    continue
                rows, failed = sent.pop(future)
                try:
                    found, why, where = self._outcome(future, order, rows)
                except BrokenExecutor as broken:  # it takes no task any more
                    why = f"{type(broken).__name__}: {broken}"
                    raise WorkerError(_told([("processes here", why)], kept)) from broken
                if not why:
                    yield from found
                    order.share.remove(f"{order.folder}/{_name(rows)}")
                    continue
                failed = [*failed, (where, why)]
                if len(failed) >= min(TRIES, self._machines()):
                    raise WorkerError(_told(failed, kept))
                send(rows, failed)
        finally:
            for future in sent:
                future.cancel()

    def _outcome(self, future: Any, order: Order, rows: list[int]) -> tuple[list, str, str]:
        """Results of a task that ended; or what went wrong, and where."""
        try:
            where, error = future.result()
        except CancelledError:
            self._check(GRACE)
            return [], "the task was lost", "a worker that left"
        except BrokenExecutor:
            raise
        except Exception as lost:  # the worker died with it, again and again; or the connection
            self._check(GRACE)
            return [], f"{type(lost).__name__}: {lost}", "workers that died"
        if error:
            return [], error, where
        name = f"{order.folder}/{_name(rows)}"
        found = _found(order.share, name)
        if [row for row, _ in found] != rows:
            return [], f"{order.share.where}/{name}: the result is not there, or damaged", where
        return found, "", where

    def _slots(self) -> int:
        """How many tasks can run at once."""
        if self.slots is not None:
            return self.slots
        known = getattr(self.executor, "slots", getattr(self.executor, "_max_workers", None))
        return usable() if known is None else int(known)

    def _machines(self) -> int:
        """How many workers there are that a task may be tried on."""
        return int(getattr(self.executor, "workers", TRIES - 1))

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
    part: int | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """What a task gives for each row: here, one after the other, or by `Workers.map`."""
    if workers is None:
        return ((row, task(row)) for row in rows)
    return workers.map(task, rows, folder, key, part=part)


def _name(rows: list[int]) -> str:
    """Of the file of a task's results."""
    return f"{rows[0]:09d}-{len(rows)}"


def _pickled(task: Task) -> bytes:
    """A class of the user's notebook goes along, where cloudpickle is there."""
    try:
        from cloudpickle import dumps
    except ImportError:
        dumps = pickle.dumps
    with travelling():
        return dumps(task, protocol=5)


def _found(share: Share, name: str) -> list[tuple[int, dict[str, np.ndarray]]]:
    """The results in a file; none where it is missing, damaged or something else."""
    if name.endswith(f"/{TASK}"):
        return []
    try:
        return unpacked(share.read(name))
    except (OSError, ValueError):
        return []


def _told(failed: list[tuple[str, str]], kept: bool) -> str:
    places = ", ".join(dict.fromkeys(where for where, _ in failed))
    more = "; what is finished is kept: the same command goes on from here" if kept else ""
    return f"{failed[0][1]} (on {places}{more})"
