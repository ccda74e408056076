"""Dask: processes on many machines, behind one scheduler."""

from __future__ import annotations

import os
import time
from typing import Any

from .workers import PART, WorkerError, Workers

TIMEOUT = 30.0  # seconds for a scheduler to answer, and for a first worker
LOOK = 1.0  # seconds between looks at who is there


def connect(
    scheduler: Any,
    share: str | os.PathLike[str] | None = None,
    *,
    part: int = PART,
    timeout: float = TIMEOUT,
) -> Workers:
    """Workers of Dask.

    Args:
        scheduler: its address ("tcp://host:8786"); the file that `dask scheduler --scheduler-file`
            wrote; or a `distributed.Client`, or a cluster that `Client` takes.
        share, part: see `Workers`.
        timeout: seconds to wait for the scheduler, and for a first worker.

    Raises:
        WorkerError: nobody answers, or no worker has joined.
        ImportError: Dask is not installed.
    """
    return Workers(_Dask(scheduler, timeout), share, part)


class _Dask:
    """A client as an executor that knows who is there."""

    def __init__(self, scheduler: Any, timeout: float):
        try:
            import distributed
        except ImportError:
            raise ImportError(
                "Dask is not installed: pip install 'sample-choosing-policy[dask]'"
            ) from None
        said = scheduler if isinstance(scheduler, (str, os.PathLike)) else repr(scheduler)
        self.name = os.fspath(said)
        if isinstance(scheduler, distributed.Client):
            self.client = scheduler
        else:
            where: dict[str, Any] = {"address": scheduler}
            if isinstance(scheduler, (str, os.PathLike)) and os.path.isfile(scheduler):
                where = {"scheduler_file": os.fspath(scheduler)}
            try:
                self.client = distributed.Client(**where, timeout=timeout, set_as_default=False)
            except (OSError, ValueError, TimeoutError) as error:
                raise WorkerError(
                    f"{self.name}: no scheduler answers ({error}); start one with: dask scheduler"
                ) from None
        self._seen: dict[str, int] = {}
        self._until = 0.0
        end = time.monotonic() + timeout
        while not self._threads():
            if time.monotonic() >= end:
                raise WorkerError(
                    f"{self.name}: no worker has joined; start some with: dask worker {self.name}"
                )
            time.sleep(0.1)

    def _threads(self) -> dict[str, int]:
        """Threads by address of a worker, as of a moment ago."""
        if time.monotonic() >= self._until:
            try:
                self._seen = dict(self.client.nthreads())
            except Exception as error:  # any kind of broken connection
                raise WorkerError(self._gone()) from error
            self._until = time.monotonic() + LOOK
        return self._seen

    @property
    def slots(self) -> int:
        return sum(self._threads().values())

    @property
    def workers(self) -> int:
        return max(1, len(self._threads()))

    def submit(self, function, *args) -> Any:
        return self.client.submit(function, *args, pure=False)

    def avoiding(self, failed: list[str]):
        """`submit` to other workers than these, if there are others."""
        others = [address for address in self._threads() if address not in failed]

        def submit(function, *args):
            where = {"workers": others, "allow_other_workers": True} if others else {}
            return self.client.submit(function, *args, pure=False, **where)

        return submit

    def check(self) -> None:
        if self.client.status != "running":
            raise WorkerError(self._gone())

    def _gone(self) -> str:
        return (
            f"{self.name}: the scheduler is gone; what is finished of a choice is kept: start it "
            "again, and give the same command"
        )
