"""Checkpoints of training: everything a run needs to go on as if it had never stopped.

One safetensors file, written beside and renamed: the float32 arrays of the training by name
(`parameters`, `state`, `first_moment`, `second_moment` where there is one network and Adam), and in
the header the step, the options, what network and images the run has, and a digest of the arrays.
Nothing in such a file can be executed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..runs import brief, read_safetensors, write_safetensors
from ..runs.fingerprints import of_arrays

FORMAT, VERSION = "checkpoint", 1
IGNORED = ("log_every", "checkpoint_seconds")  # options that change no weight


@dataclass
class Window:
    """What was trained since the last line of the log: sums of the losses, float64, of how many
    steps, and their time."""

    sums: list[float]
    steps: int = 0
    seconds: float = 0.0

    def add(self, losses: np.ndarray, seconds: float) -> None:
        self.sums = [a + float(b) for a, b in zip(self.sums, losses, strict=True)]
        self.steps += 1
        self.seconds += seconds

    def means(self) -> np.ndarray:
        return np.array(self.sums) / self.steps


@dataclass
class Checkpoint:
    """Attributes: arrays: name -> float32 [n]. step, progress, seconds: how far the run is.
    losses: as last logged. identity: digests of "network" and of what is learned from ("images",
    ..); "options". window: of the log."""

    arrays: dict[str, np.ndarray]
    step: int
    progress: float
    seconds: float
    losses: list[float]
    identity: dict[str, Any]
    window: Window = field(default_factory=lambda: Window([]))


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes the file; the one that was there stays whole until the new one is."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "scp": __version__,
        "step": checkpoint.step,
        "progress": checkpoint.progress,
        "seconds": checkpoint.seconds,
        "losses": checkpoint.losses,
        "window": asdict(checkpoint.window),
        "digest": of_arrays(*checkpoint.arrays.values()),
        **checkpoint.identity,
    }
    write_safetensors(path, header, checkpoint.arrays)


def load_checkpoint(
    path: Path,
    sizes: dict[str, int],
    identity: dict[str, Any],
    defaults: dict[str, Any],
    renamed: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Checkpoint:
    """Reads the file for a run with arrays of these sizes, in this order, and this identity. An
    option that the file does not name is newer than the file: it had its default then. renamed
    gives options of the file the names of today.

    Raises ValueError, with the file and the reason, when it is damaged, is no checkpoint, or
    belongs to another run.
    """
    try:
        header, arrays = read_safetensors(path)
    except ValueError as error:
        raise ValueError(f"{error}; {ANEW}") from None
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: not a checkpoint of scp")
    if header.get("version") != VERSION:
        raise ValueError(
            f"{path}: layout {_short(header.get('version'))}, but this scp reads {VERSION}"
        )
    if header.get("network") != identity.get("network"):
        raise ValueError(f"{path}: it belongs to another network; {ANEW}")
    for name in set(identity) - {"network", "options"}:
        if header.get(name) != identity[name]:
            raise ValueError(
                f"{path}: the run was started on other {name} or with another --size; {ANEW}"
            )
    old, new = header.get("options"), identity["options"]
    if not isinstance(old, dict):
        raise ValueError(f"{path}: the header has no options")
    old = renamed(defaults | old)
    for name in sorted({*old, *new} - set(IGNORED)):
        if old.get(name) != new.get(name):
            raise ValueError(
                f"{path}: the run was started with {_short(name)} = {_short(old.get(name))}, not "
                f"{_short(new.get(name))}; {LONGER if name in LENGTH else ''}{ANEW}"
            )
    if set(arrays) != set(sizes):
        raise ValueError(f"{path}: it must hold {', '.join(sizes)}, got {_short(sorted(arrays))}")
    for name, n in sizes.items():
        if arrays[name].dtype != np.float32 or arrays[name].shape != (n,):
            raise ValueError(
                f"{path}: {name} must be float32 [{n}], got {arrays[name].dtype} "
                f"{list(arrays[name].shape)}"
            )
    if of_arrays(*(arrays[n] for n in sizes)) != header.get("digest"):
        raise ValueError(
            f"{path}: the file is damaged (its numbers do not have its digest); {ANEW}"
        )
    try:
        numbers = (
            int(header["step"]),
            float(header["progress"]),
            float(header["seconds"]),
            [float(v) for v in header["losses"]],
        )
        window = _window(header.get("window") or {"sums": []})  # files of 0.1.0 have none
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: the header is damaged: {brief(error)}") from None
    copies = {n: np.array(arrays[n], np.float32) for n in sizes}  # writable
    return Checkpoint(copies, *numbers, identity, window)


def _window(content: dict[str, Any]) -> Window:
    sums = [float(v) for v in content["sums"]]
    return Window(sums, int(content.get("steps", 0)), float(content.get("seconds", 0)))


def _short(value: object) -> str:
    """Of a header that anybody may have written."""
    return value[:40] if isinstance(value, str) and value.isidentifier() else ascii(value)[:80]


LENGTH = ("minutes", "steps")
LONGER = (
    "its learning rate follows that length, so it cannot be made longer, but when it has finished "
    "another run can start from its weights (start=, --start); "
)
ANEW = "resume=False (--fresh) starts anew"
