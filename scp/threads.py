"""How many threads the core uses."""

from __future__ import annotations

from . import _core


def set_threads(n: int) -> None:
    """Let everything computed from now on use `n` threads, 1 to 256.

    0: as at the start of the program: SCP_NUM_THREADS if this environment variable is set, else as
    many as the process may use CPUs. Results do not depend on it, to the last bit.
    """
    _core.set_threads(n)


def get_threads() -> int:
    """The number of threads that the core uses."""
    return _core.threads()
