"""What runs in a worker: one task, for some images."""

from __future__ import annotations

import ctypes
import hashlib
import os
import pickle
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._version import __version__
from ..devices import get_threads, set_threads
from .share import TASK, Share, packed

KEPT = 2  # tasks that a worker has ready
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h

_tasks: OrderedDict[str, Callable[[int], dict[str, Any]]] = OrderedDict()
_guard = threading.Lock()


@dataclass(frozen=True)
class Order:
    """What a worker is told.

    Attributes:
        share: where the task lies and the result goes. folder: of the task, in it. digest: SHA-256
            of the task; what comes with the order is trusted, the shared place is not. versions: of
            scp and OpenCV, which results depend on.
        home: the process that asked, which keeps its own number of threads.
        threads: that the task takes; 0: all of the worker.
    """

    share: Share
    folder: str
    digest: str
    versions: tuple[str, str]
    home: tuple[str, int]
    threads: int = 1


def here() -> tuple[str, int]:
    """This process."""
    return socket.gethostname(), os.getpid()


def versions() -> tuple[str, str]:
    import cv2

    return __version__, cv2.__version__


def work(order: Order, name: str, rows: list[int]) -> tuple[str, str]:
    """Computes some rows and writes them to the shared place, as `name` in the task's folder.

    Returns:
        where this ran; what went wrong, or "".
    """
    try:
        task = _ready(order)
        data = packed(rows, [task(row) for row in rows])
        order.share.write(f"{order.folder}/{name}", data)
    except Exception as error:  # the process that asked decides
        text = str(error)
        known = isinstance(error, (ValueError, OSError, MemoryError)) and text
        return _address(), text if known else f"{type(error).__name__}: {text}"
    return _address(), ""


def _ready(order: Order) -> Callable[[int], dict[str, Any]]:
    if order.versions != versions():
        (own, opencv), (other, others) = versions(), order.versions
        raise ValueError(
            f"scp {own} with OpenCV {opencv} is installed on this worker; the command that asks "
            f"has {other} with {others}"
        )
    with _guard:
        if order.home != here():
            _use(order.threads)
        if order.digest not in _tasks:
            name = f"{order.folder}/{TASK}"
            try:
                data = order.share.read(name)
            except FileNotFoundError:
                raise ValueError(
                    f"{order.share.where}: no task is there; --share (share=) must name a place "
                    "that all workers see"
                ) from None
            if hashlib.sha256(data).hexdigest() != order.digest:
                raise ValueError(f"{order.share.where}/{name}: not what was written there")
            _tasks[order.digest] = pickle.loads(data)
            while len(_tasks) > KEPT:
                _tasks.popitem(last=False)
        _tasks.move_to_end(order.digest)
        return _tasks[order.digest]


def _use(threads: int) -> None:
    """A worker runs as many tasks at once as it has threads, so each task takes one, as a rule."""
    import cv2

    worker = _worker()
    if worker is not None:
        _keep_memory()
    if threads == 0:
        threads = usable() if worker is None else worker.state.nthreads
    if "SCP_NUM_THREADS" not in os.environ and get_threads() != threads:
        cv2.setNumThreads(threads)
        set_threads(threads)


def _keep_memory() -> None:
    """Dask has the C library give large blocks back to the system at once. Taking them again for
    each image costs a third of the time (docs/lab/many-machines.md)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, 1 << 28)
        mallopt(M_MMAP_THRESHOLD, 1 << 25)  # the largest that there is


def usable() -> int:
    """Processors of this process."""
    found = getattr(os, "sched_getaffinity", None)
    return len(found(0)) if found else os.cpu_count() or 1


def _worker() -> Any:
    """That of Dask in which this runs, or None."""
    try:
        from distributed import get_worker

        return get_worker()
    except (ImportError, ValueError):
        return None


def _address() -> str:
    """How the scheduler calls this worker; the host and process where there is none."""
    worker = _worker()
    if worker is not None:
        return worker.address
    host, process = here()
    return f"{host}:{process}"
