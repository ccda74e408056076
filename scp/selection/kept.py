"""selection.json and proof.npz: an answer and why it holds, in a run folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..runs import RunFolder
from ..runs.arrays import read_npz
from ..runs.folder import KEYPOINTS, SAMPLED, SELECTION, SIMILARITY, VECTORS
from ..similarity import client_weights
from .choice import Choice, describe

PROOF, CYCLES = "proof.npz", "cycles.npy"


def write_selection(folder: RunFolder, choice: Choice, dataset: Any, parameters: dict) -> None:
    """proof.npz, then selection.json, which names it and the files that it is about by digest."""
    content = describe(choice, dataset, parameters)
    certificates = [s.certificate for s in choice.curve if s.certificate is not None]
    if certificates:
        content["certificate"] = _write_proof(folder, choice, certificates, parameters)
    for name in (
        (*SAMPLED, *VECTORS) if certificates else (PROOF,)
    ):  # of a choice before, made otherwise
        (folder.path / name).unlink(missing_ok=True)
    folder.write_json(SELECTION, content)


def _write_proof(folder: RunFolder, choice: Choice, certificates: list, parameters: dict) -> dict:
    """proof.npz; what selection.json says of it."""
    traces = [c.trace for c in certificates]
    unit = certificates[0].unit  # that of another shortlist differs by a power of 2
    folder.write_arrays(
        PROOF,
        weights=certificates[0].weights,
        unit=np.float64(unit),
        m=np.array([c.m for c in certificates], np.int64),
        multipliers=np.array(
            [c.multipliers * np.float32(c.unit / unit if unit else 1) for c in certificates],
            np.float32,
        ),
        mu=np.array([c.mu for c in certificates], np.float64),
        trace=np.concatenate(traces),
        offsets=np.cumsum([0, *map(len, traces)]),
    )
    names = [SIMILARITY, KEYPOINTS, PROOF]
    if parameters["similarity"]["objective"] == "cycle":
        names.append(CYCLES)
    usual = np.array_equal(certificates[0].weights, client_weights(choice.offsets))
    return {"weights": "images" if usual else "given", "sha256": digests(folder.path, names)}


def digests(folder: Path, names: Iterable[str]) -> dict[str, str | None]:
    """SHA-256 of files, as sha256sum prints them; None of one that is missing."""
    out: dict[str, str | None] = {}
    for name in names:
        out[name] = None
        if (folder / Path(name).name).is_file():
            with open(folder / Path(name).name, "rb") as file:
                out[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return out


def read_proof(path: Path) -> dict[str, np.ndarray]:
    names = ("weights", "unit", "m", "multipliers", "mu", "trace", "offsets")
    return read_npz(path, names)
