"""Where the heavy loops of similarity and selection run: on the CPU, or on a CUDA device; and how
many threads of the CPU are used.

The kernels live in libscp_cuda.so beside this file, built where nvcc was found; the library is
opened on first use and needs nothing but NVIDIA's driver. Results are the same bits everywhere.
The environment variable SCP_CUDA_LIBRARY names another file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from . import _core

LIBRARY = "libscp_cuda.so"
_opened: str | None = None


@dataclass(frozen=True)
class Device:
    """A CUDA device: its number, name, compute capability, multiprocessors and bytes of memory."""

    index: int
    name: str
    capability: tuple[int, int]
    processors: int
    memory: int

    def __str__(self) -> str:
        major, minor = self.capability
        return (
            f"cuda:{self.index}: {self.name}, compute capability {major}.{minor}, "
            f"{self.processors} multiprocessors, {self.memory / 2**30:.1f} GiB"
        )


def devices() -> list[Device]:
    """The CUDA devices that can be used; `describe` says why there is none."""
    try:
        return _found()
    except OSError:
        return []


def _found() -> list[Device]:
    """OSError says why there is none."""
    global _opened
    given = os.environ.get("SCP_CUDA_LIBRARY")
    path = given or str(Path(__file__).with_name(LIBRARY))
    if path != _opened:
        if given is None and not os.path.exists(path):
            raise OSError(
                "this build of scp has no CUDA kernels (nvcc was not found; see docs/how-to/gpu.md)"
            )
        _core.cuda_open(path)
        _opened = path
    return [
        Device(i, name, (major, minor), processors, memory)
        for i, (name, major, minor, processors, memory) in enumerate(_core.cuda_devices())
    ]


def resolve(device: str) -> int:
    """The number of the CUDA device that `device` means; -1 for the CPU.

    Args:
        device: "cpu"; "cuda" (the first device) or "cuda:1"; "auto": the first CUDA device if there
            is one, or else the CPU.

    Raises:
        ValueError: no such device. RuntimeError: there is no CUDA device; says why.
    """
    if not isinstance(device, str):
        raise TypeError(f"device must be a str, got {device!r}")
    kind, _, number = device.partition(":")
    if not re.fullmatch("auto|cpu|cuda(:[0-9]{1,9})?", device):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:NUMBER, got {device!r}")
    if kind == "cpu":
        return -1
    try:
        found = _found()
    except OSError as error:
        if kind == "auto":
            return -1
        raise RuntimeError(f"device {device!r} cannot be used: {error}") from None
    index = int(number or 0)
    if index >= len(found):
        names = ", ".join(f"cuda:{d.index}" for d in found)
        raise ValueError(f"device {device!r} does not exist; there is {names}")
    return index


def describe() -> list[str]:
    """What `scp info` prints: a line per device, or the reason why there is none."""
    try:
        return [str(d) for d in _found()]
    except OSError as error:
        return [f"not used: {error}"]


def set_threads(n: int) -> None:
    """Let everything computed from now on use `n` threads, 1 to 256.

    0: as at the start of the program: SCP_NUM_THREADS if this environment variable is set, else as
    many as the process may use CPUs. Results do not depend on it, to the last bit.
    """
    _core.set_threads(n)


def get_threads() -> int:
    """The number of threads that the core uses."""
    return _core.threads()
