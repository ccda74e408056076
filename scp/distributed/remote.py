"""What runs in a worker: one task, for some images."""

from __future__ import annotations

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
from ..devices import set_threads
from .share import Share, packed

KEPT = 2  # tasks that a worker has ready

_tasks: OrderedDict[str, Callable[[int], dict[str, Any]]] = OrderedDict()
_guard = threading.Lock()


@dataclass(frozen=True)
class Order:
    """What a worker is told.

    Attributes:
        share: where the task lies and the result goes. task: name of the file. digest: its SHA-256;
            what comes with the order is trusted, the shared place is not. version: of scp.
        home: the process that asked, which keeps its own number of threads.
        threads: that the task takes; 0: all of the worker.
    """

    share: Share
    task: str
    digest: str
    version: str
    home: tuple[str, int]
    threads: int = 1


def here() -> tuple[str, int]:
    """This process."""
    return socket.gethostname(), os.getpid()


def work(order: Order, name: str, rows: list[int]) -> tuple[str, str, BaseException | None]:
    """Computes some rows and writes them to the shared place, as `name`.

    Returns:
        name; where this ran; what went wrong, or None.
    """
    where = _address()
    try:
        task = _ready(order)
        order.share.write(name, packed(rows, [task(row) for row in rows]))
    except Exception as error:  # the process that asked decides
        return name, where, error
    return name, where, None


def _ready(order: Order) -> Callable[[int], dict[str, Any]]:
    if order.version != __version__:
        raise RuntimeError(f"scp {__version__} is installed here, and {order.version} asks")
    with _guard:
        if order.digest not in _tasks:
            if order.home != here():
                _use(order.threads)
            data = order.share.read(order.task)
            if hashlib.sha256(data).hexdigest() != order.digest:
                raise ValueError(f"{order.share.where}/{order.task}: not what was written there")
            _tasks[order.digest] = pickle.loads(data)
            while len(_tasks) > KEPT:
                _tasks.popitem(last=False)
        _tasks.move_to_end(order.digest)
        return _tasks[order.digest]


def _use(threads: int) -> None:
    """A worker runs as many tasks at once as it has threads, so each task takes one, as a rule."""
    import cv2

    worker = _worker()
    count = threads or (1 if worker is None else worker.state.nthreads)
    cv2.setNumThreads(count)
    if "SCP_NUM_THREADS" not in os.environ:
        set_threads(count)


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
