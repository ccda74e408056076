"""Whether an answer is what it says: everything it claims is computed anew, without the core."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from ..runs import read_json
from ..runs.arrays import read_npz
from ..runs.folder import KEYPOINTS, SELECTION, SIMILARITY
from ..runs.lock import hold
from ..runs.plain import DIGEST, parse_json
from ..similarity import client_weights, expected_error, image_distances, trusted
from ..values import whole_numbers
from .answer import Selection
from .certificate import OUTWARD, Certificate
from .checks import _matrix, _vector
from .kept import CYCLES, PROOF, digests, read_proof
from .relaxed import Relaxed


@dataclass(frozen=True)
class Verdict:
    """Whether a run folder's answer is what it says. True where nothing is wrong.

    Attributes:
        faults: what is wrong, a sentence each. shown: what was computed and holds, likewise.
    """

    faults: list[str]
    shown: list[str]

    def __bool__(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        if self.faults:
            return "\n".join(["no", *self.faults])
        return "\n".join(["yes", *self.shown])


@overload
def verify(values: str | os.PathLike[str]) -> Verdict: ...
@overload
def verify(
    values: ArrayLike,
    selection: Selection,
    weights: ArrayLike | None = None,
    initial: Iterable[int] = (),
    distances: ArrayLike | None = None,
) -> float: ...
def verify(
    values: ArrayLike | str | os.PathLike[str],
    selection: Selection | None = None,
    weights: ArrayLike | None = None,
    initial: Iterable[int] = (),
    distances: ArrayLike | None = None,
) -> Verdict | float:
    """Compute anew what a selection says of itself, in NumPy: score, gains, covers, rules, bound,
    proof (docs/explanation/certificate.md).

    Args:
        values: a run folder or a `Run`, for a Verdict; or the matrix of the selection.
        selection: an answer of `select` on that matrix; weights, initial, distances: as there.

    Returns:
        The Verdict; or the score.

    Raises:
        ValueError: what is wrong with the selection, where one is given.
    """
    if selection is None:
        return verify_run(values)  # type: ignore[arg-type]
    v = _matrix(values)
    q = v.shape[1]
    w = np.full(q, 1.0 / q) if weights is None else _vector(weights, "weights", q)
    certificate = selection.certificate
    if certificate is None:
        raise ValueError("certificate: there is none, so the bound cannot be checked")
    rows = whole_numbers(initial, "initial", 0, len(v) - 1)
    if rows and set(rows) != set(selection.parameters.get("initial", ())):
        raise ValueError("initial: the selection was made with others")
    if not np.array_equal(w, certificate.weights):
        raise ValueError("weights: the certificate is for others")
    if certificate.rules != selection.parameters:
        raise ValueError("parameters: the certificate is for other rules")
    if certificate.upper_bound != selection.upper_bound:
        raise ValueError("upper_bound: the certificate is for another")
    problem = certificate.problem(v, distances)
    wrong = faults(
        problem,
        certificate,
        [int(i) for i in selection.selected],
        score=selection.score,
        gap=selection.gap,
        proven=selection.proven,
        gains=selection.gains,
    )
    score, cover = problem.score(selection.selected), selection.cover
    served = w * np.where(cover >= 0, v[cover, np.arange(q)].astype(np.float64), 0.0)
    for name, sums in (
        ("cover", served.sum()),
        ("cover_value", w @ selection.cover_value.astype(np.float64)),
    ):
        if not abs(sums - score) <= problem.tolerance:
            wrong.append(f"{name}: sums up to {sums!r}, the score is {score!r}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return score


def faults(
    problem: Relaxed,
    certificate: Certificate,
    selected: list[int],
    *,
    score: float,
    gap: float | None,
    proven: bool,
    gains: Sequence[float] | np.ndarray | None = None,
) -> list[str]:
    """What is wrong with one answer, a sentence each."""
    broken, near, bound = problem.violated(selected), problem.tolerance, certificate.upper_bound
    if certificate.m >= 0 and len(selected) != certificate.m:
        broken = f"{len(selected)} images, the certificate is for {certificate.m}"
    if broken:
        return [f"selected: {broken}"]
    out, true = [], problem.score(selected)
    if not abs(score - true) <= near:
        out.append(f"score: {score!r} is said, it is {true!r}")
    if gains is not None:
        sums = [problem.score(selected[:k]) for k in range(len(selected) + 1)]
        if len(gains) != len(selected) or not (np.abs(np.diff(sums) - gains) <= 2 * near).all():
            out.append("gains: not what each pick adds")
    try:
        proved = max(certificate.limit(problem), true)
        if not bound >= proved - near:
            tree = "; no tree is kept" if proven and not len(certificate.trace) else ""
            out.append(f"upper_bound: {bound!r} is not proved, only {proved!r} is{tree}")
        searched = certificate.plain_limit(problem, problem.whole)  # the search is no wiser
        if bound > max(proved, searched) + OUTWARD * problem.size:
            out.append(f"upper_bound: {bound!r} is said, a lower one is proved")
    except ValueError as error:
        out.append(f"proof: {error}")
    if proven and not bound <= true + near:
        out.append(f"proven: the bound {bound!r} is above the score {true!r}")
    expected = 0.0 if proven else (bound - true) / bound if bound > 0 else None
    told = None if gap is None or gap != gap else gap  # none: a part of nothing
    if told is None or expected is None:
        fits = told is expected
    else:
        fits = abs(told - expected) <= 1e-6 + (near / bound if bound > 0 else 0)
    if not fits:
        out.append(f"gap: {gap!r} does not follow from bound and score")
    return out


class _Scored:
    """Rows of the matrix that a run's choice maximises, taken from its files."""

    def __init__(self, values: np.ndarray, cycles: np.ndarray | None):
        self.values, self.cycles, self.shape = values, cycles, values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> np.ndarray:
        block = np.asarray(self.values[rows])
        return block if self.cycles is None else trusted(block, self.cycles[rows])


def verify_run(run: str | os.PathLike[str]) -> Verdict:
    """The Verdict on a run folder.

    Raises:
        FileNotFoundError: there is no selection.json in it.
        FolderInUseError: its files are not those of one choice, and another process writes there.
    """
    folder = Path(run)
    if not (folder / SELECTION).is_file():
        raise FileNotFoundError(f"{folder / SELECTION}: there is no such file; scp select makes it")
    verdict = _as_it_is(folder)
    if not verdict:
        with hold(folder):  # a run may just have been writing the next choice
            verdict = _as_it_is(folder)
    return verdict


def _as_it_is(folder: Path) -> Verdict:
    try:
        said = read_json(folder / SELECTION)
        if said.get("probability", 1) != 1:
            text = "its bound holds with a probability and carries no proof"
            return Verdict([f"{SELECTION}: chosen from a sample of the key points; {text}"], [])
        if "certificate" not in said:
            return Verdict([f"{SELECTION}: of an earlier version, which kept no proof"], [])
        if DIGEST not in parse_json((folder / SELECTION).read_bytes()):
            return Verdict([f"{SELECTION}: has no {DIGEST}, so it was changed"], [])
        kept = said["certificate"]["sha256"]
        now = digests(folder, kept)
        needed = {SIMILARITY, KEYPOINTS, PROOF}
        if said["parameters"]["similarity"]["objective"] == "cycle":
            needed.add(CYCLES)
        wrong = [f"{name}: not the file of this choice" for name in kept if kept[name] != now[name]]
        wrong += [f"{name}: no digest is kept" for name in sorted(needed - set(kept))]
        return Verdict(wrong, []) if wrong else _verdict(folder, said)
    except (OSError, ValueError, LookupError, TypeError, OverflowError) as error:
        return Verdict([f"the files do not go together: {error}"], [])


def _verdict(folder: Path, said: dict[str, Any]) -> Verdict:
    points = read_npz(folder / KEYPOINTS, ("ids", "offsets", "xy"))
    proof = read_proof(folder / PROOF)
    values = np.load(folder / SIMILARITY, mmap_mode="r")
    cycles = None
    if said["parameters"]["similarity"]["objective"] == "cycle":
        cycles = np.load(folder / CYCLES, mmap_mode="r")
    ids, offsets = [str(i) for i in points["ids"]], points["offsets"]
    if values.dtype != np.float32 or values.shape != (len(ids), int(offsets[-1])):
        raise ValueError(f"{SIMILARITY} and {KEYPOINTS}")
    weights, rules, curve = client_weights(offsets), said["rules"], said["curve"]
    out, shown = _plain_faults(said, ids, len(proof["m"])), []
    if said["certificate"]["weights"] == "given":
        weights = proof["weights"]
        shown.append("the key points have weights that were given")
    if hashlib.sha256(points["xy"].tobytes()).hexdigest() != said["keypoints_sha256"]:
        out.append("keypoints_sha256: not that of the key points")
    if not np.array_equal(weights, proof["weights"]):
        out.append(f"{PROOF}: weights other than one over the key points of each image")
    if out:
        return Verdict(out, [])
    near = None
    if rules["min_distance"] is not None:
        near = image_distances(values, offsets) < rules["min_distance"]
    problem = Relaxed(_Scored(values, cycles), weights, rules, -1, near)
    for k, entry in enumerate(curve):
        certificate = Certificate(
            int(proof["m"][k]),
            float(entry["upper_bound"]),
            rules,
            weights,
            float(proof["unit"]),
            proof["multipliers"][k],
            float(proof["mu"][k]),
            proof["trace"][proof["offsets"][k] : proof["offsets"][k + 1]],
        )
        problem.m = certificate.m
        rows = [ids.index(name) for name in entry["selected"]]
        last = k == len(curve) - 1
        wrong = faults(
            problem,
            certificate,
            rows,
            score=entry["score"],
            gap=entry["gap"],
            proven=entry["proven"],
            gains=[e["gain"] for e in said["selected"]] if last else None,
        )
        out += [f"M = {entry['m']}: {text}" for text in wrong]
        gap = "no gap" if entry["gap"] is None else f"gap {entry['gap']:.2%}"
        how = "the best possible, proved" if entry["proven"] else gap
        shown.append(
            f"M = {entry['m']}: score {entry['score']:.4f}; no allowed choice exceeds "
            f"{entry['upper_bound']:.4f} ({how})"
        )
    if cycles is not None and not out:
        error = expected_error(problem.values, cycles, weights, rows)
        if not abs(error - said["expected_error"]) <= 1e-6 * (1 + abs(error)):
            out.append(f"expected_error: {said['expected_error']!r} is said, it is {error!r}")
    return Verdict(out, shown)


def _plain_faults(said: dict[str, Any], ids: list[str], certificates: int) -> list[str]:
    """Where selection.json contradicts itself or the key points."""
    curve, last, asked = said["curve"], said["curve"][-1], said["parameters"]["selection"]["m"]
    chosen = [str(entry["id"]) for entry in said["selected"]]
    checks = {
        "curve: not one entry for each certificate": len(curve) == certificates,
        "curve: not the numbers that were asked for": asked is None
        or asked == [e["m"] for e in curve],
        "m: not the number of images": all(e["m"] == len(e["selected"]) for e in [said, *curve]),
        "images: not their number": said["images"] == len(ids),
        "selected: an image is not in the pool": all(set(e["selected"]) <= set(ids) for e in curve),
        "selected: not the last of the curve": chosen == last["selected"],
        "history: the last is not the score": not said["history"]
        or abs(said["history"][-1][1] - said["score"]) <= 1e-9 * (1 + abs(said["score"])),
    }
    for name in ("score", "upper_bound", "gap", "proven"):
        checks[f"{name}: not that of the last of the curve"] = said[name] == last[name]
    if checks["selected: an image is not in the pool"]:
        rows = [entry["index"] for entry in said["selected"]]
        checks["selected: index and id do not agree"] = [ids.index(c) for c in chosen] == rows
    return [text for text, holds in checks.items() if not holds]
