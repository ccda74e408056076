"""Images chosen by a rule of `scp.baselines`, judged like a choice of SCP."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..baselines import ACTIVE, KINDS, METHODS, active, choose, vectors
from ..features import ImageVectors
from ..networks.pretrained import weights_digest, weights_file
from ..selection import Problem, Selection
from ..values import array

if TYPE_CHECKING:
    from .stages import Run

Given = str | os.PathLike[str] | ArrayLike | None
OWN = {"pixels": "pixels", "freesel": "patterns"}  # vectors of these methods; else "levels"
TAKEN = ("initial", "include", "exclude", "groups", "quota", "random_state", "weights", "device")


def check_other(
    method: str,
    m: Any,
    given: Given,
    training: Mapping[str, Any] | None,
    images: int,
    rules: dict[str, Any],
) -> None:
    """ValueError names what does not go with the method, before any work."""
    if method not in METHODS and given is not None:
        raise ValueError(f"vectors goes with another way to choose, not with method {method!r}")
    if method not in ACTIVE and training is not None:
        raise ValueError(f"training goes with {', '.join(ACTIVE)}, not with method {method!r}")
    if method not in (*METHODS, *ACTIVE):
        return
    if method in ACTIVE:
        how = active.told(training)
        active.needs(method, images, how["options"], how["sizes"])
    if m is None:
        raise ValueError(f"m: method {method!r} needs a number of images")
    for name, value in rules.items():
        if name not in TAKEN and value is not None:
            raise ValueError(
                f"{name}: method {method!r} does not know it; it takes initial, include, exclude, "
                "groups and quota"
            )
    if given is not None and not isinstance(given, str | os.PathLike):
        array(given, "vectors", np.float32)
    elif given == "vgg":
        weights_file()
    elif given is not None and given not in KINDS and not os.path.isfile(given):
        raise ValueError(f"vectors: {given} is no file and none of {', '.join(KINDS)}")


def chosen_by(
    run: Run,
    method: str,
    sizes: list[int],
    given: Given,
    values: np.ndarray,
    rules: dict[str, Any],
) -> list[Selection]:
    """The answer for each size, with SCP's score of it and SCP's bound.

    given: a kind of `scp.baselines.vectors`, an array [N][d], a file of
        `scp.features.ImageVectors`; None: what the method uses, of vectors the features themselves.
    """
    x = _vectors(run, method, given)
    if len(x) != len(run.dataset):
        raise ValueError(f"vectors must have {len(run.dataset)} rows, one per image, got {len(x)}")
    return [choose(x, m, method, values=values, **rules) for m in sizes]


def asked_by(
    run: Run,
    method: str,
    sizes: list[int],
    training: Mapping[str, Any] | None,
    values: np.ndarray,
    rules: dict[str, Any],
) -> list[Selection]:
    """Likewise, by networks that are trained on the images.

    training: see `scp.baselines.active.told`."""
    rules = dict(rules)
    judged = {name: rules.pop(name) for name in ("weights", "device")}
    found = active.rank(
        run.dataset,
        method,
        **rules,
        **active.told(training),
        run=run.path,
        progress=run.progress,
    )
    seed = rules.pop("random_state")
    problem = Problem(values, judged["weights"], device=judged["device"], **rules)
    return [problem.judge(found.pick(m, method), method, seed) for m in sizes]


def words(training: Mapping[str, Any]) -> str:
    """The mapping as config.toml has it; `asked_for` reads it."""
    parts = []
    for name, value in training.items():
        many = isinstance(value, list | tuple)
        parts.append(f"{name}={','.join(map(str, value)) if many else value}")
    return " ".join(parts)


def _vectors(run: Run, method: str, given: Given) -> np.ndarray:
    dataset, extractor = run.dataset, run.extractor
    if isinstance(extractor, ImageVectors):
        if given is None and method not in OWN:
            return extractor.unit(dataset)
        kind = OWN.get(method) if given is None else given
        if isinstance(kind, str) and kind in ("levels", "keypoints", "patterns"):
            raise ValueError(f"vectors: method {method!r} needs maps; these features are vectors")
    if given is None:
        given = OWN.get(method, "levels")
    if isinstance(given, str) and given in KINDS:
        pool = run._pool if given == "keypoints" else None
        return vectors(dataset, given, extractor, points=pool, progress=run.progress)
    if isinstance(given, str | os.PathLike):
        return ImageVectors(given).unit(dataset)
    return array(given, "vectors", np.float32)


def said(given: Given) -> str:
    """Vectors as config.toml names them: their kind, their file, or the digest of an array."""
    if isinstance(given, str) and given == "vgg":
        return f"vgg, sha256 {weights_digest()}"
    if isinstance(given, str) and given in KINDS:
        return given
    if isinstance(given, str | os.PathLike):
        return f"file {os.fspath(given)}"
    data = np.ascontiguousarray(given, np.float32)
    return f"given, sha256 {hashlib.sha256(data.tobytes()).hexdigest()}"
