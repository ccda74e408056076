"""Checkpoints of training: everything a run needs to go on as if it had never stopped.

One safetensors file, written beside and renamed: float32 `parameters`, `state`, `first_moment`,
`second_moment`, and in the header the step, the options, what network and images the run has, and a
digest of the tensors. Nothing in such a file can be executed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FORMAT, VERSION = "checkpoint", 1
TENSORS = ("parameters", "state", "first_moment", "second_moment")
IGNORED = ("log_every", "checkpoint_seconds")  # options that change no weight


@dataclass
class Checkpoint:
    """Attributes: tensors: name -> float32 [n]. step, progress, seconds: how far the run is.
    losses: as last logged. identity: digests of "network" and of what is learned from ("images",
    ..); "options"."""

    tensors: dict[str, np.ndarray]
    step: int
    progress: float
    seconds: float
    losses: list[float]
    identity: dict[str, Any]


def digest_of(*arrays: np.ndarray) -> str:
    """Of bytes and shapes of float32 arrays."""
    content = hashlib.blake2b(digest_size=20)
    for array in arrays:
        content.update(repr(array.shape).encode())
        content.update(np.ascontiguousarray(array, "<f4").data)
    return content.hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes the file; the one that was there stays whole until the new one is."""
    from .._version import __version__
    from ..runs import write_safetensors

    header = {
        "format": FORMAT,
        "version": VERSION,
        "scp": __version__,
        "step": checkpoint.step,
        "progress": checkpoint.progress,
        "seconds": checkpoint.seconds,
        "losses": checkpoint.losses,
        "digest": digest_of(*(checkpoint.tensors[n] for n in TENSORS)),
        **checkpoint.identity,
    }
    write_safetensors(path, header, {n: checkpoint.tensors[n] for n in TENSORS})


def load_checkpoint(path: Path, sizes: dict[str, int], identity: dict[str, Any]) -> Checkpoint:
    """Reads the file for a run with tensors of these sizes and this identity.

    Raises ValueError, with the file and the reason, when it is damaged, is no checkpoint, or
    belongs to another run.
    """
    from ..runs import read_safetensors

    header, tensors = read_safetensors(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: not a checkpoint of scp")
    if header.get("version") != VERSION:
        raise ValueError(f"{path}: layout {header.get('version')}, but this scp reads {VERSION}")
    if header.get("network") != identity["network"]:
        raise ValueError(f"{path}: it belongs to another network; {ANEW}")
    if set(tensors) != set(TENSORS):
        raise ValueError(f"{path}: it must hold {', '.join(TENSORS)}, got {sorted(tensors)}")
    for name, n in sizes.items():
        if tensors[name].dtype != np.float32 or tensors[name].shape != (n,):
            raise ValueError(
                f"{path}: {name} must be float32 [{n}], got {tensors[name].dtype} "
                f"{list(tensors[name].shape)}"
            )
    if digest_of(*(tensors[n] for n in TENSORS)) != header.get("digest"):
        raise ValueError(f"{path}: the file is damaged (its numbers do not have its digest)")
    for name in set(identity) - {"network", "options"}:
        if header.get(name) != identity[name]:
            raise ValueError(f"{path}: the run was started on other {name}; {ANEW}")
    old, new = header.get("options"), identity["options"]
    if not isinstance(old, dict):
        raise ValueError(f"{path}: the header has no options")
    for name in sorted({*old, *new} - set(IGNORED)):
        if old.get(name) != new.get(name):
            raise ValueError(
                f"{path}: the run was started with {name} = {old.get(name)!r}, not "
                f"{new.get(name)!r}; {LONGER if name in LENGTH else ''}{ANEW}"
            )
    try:
        numbers = (
            int(header["step"]),
            float(header["progress"]),
            float(header["seconds"]),
            [float(v) for v in header["losses"]],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: the header is damaged: {error!r}") from None
    copies = {n: np.array(tensors[n], np.float32) for n in TENSORS}  # writable
    return Checkpoint(copies, *numbers, identity)


LENGTH = ("minutes", "steps")
LONGER = (
    "its learning rate follows that length, so it cannot be made longer, but when it has finished "
    "another run can start from its weights (start=, --start); "
)
ANEW = "resume=False (--fresh) starts anew"
