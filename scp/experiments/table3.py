"""Table 3: few labelled faces, chosen by SCP or not, teach 3FabRec its landmarks."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..evaluation import metrics
from ..faces import AUTOENCODER, FaceAutoencoder, FaceDetector
from ..faces.detector import CHECKPOINT, DETECTOR
from ..progress import Progress, renamed
from ..runs import RunFolder, read_json
from ..runs.fingerprints import of_dataset
from . import paper
from .face_choice import Asked, best_set, similarities, top_singles
from .faces import FaceData
from .output import Result, Table, mean_sd

FOLDER, MADE_OF, ERRORS = "table3", "made-of.json", "nme.npy"
WAYS = {
    "scp": "SCP, highest single scores",
    "scp-set": "SCP, best set (Eq. 9)",
    "first": "the first",
    "random": "random",
}
# Where the machine or the faces are few: what differs from the published first stage.
REDUCED = {
    "batch": 16,
    "learning_rate": 2e-4,
    "schedule": "cosine",
    "warm_up": 0.02,
    "rotate": 15.0,
    "move": 0.04,
    "shrink": 0.1,
    "grow": 0.1,
}


@dataclass(frozen=True)
class FaceTrainings:
    """How both stages are trained.

    size: of the views, 128 or 256. minutes or steps: of the first stage; published: it is trained
    with the published options (which want millions of faces), else with REDUCED ones. m: labelled
    faces. seeds: trainings of each way. head_steps: of each of them. batch: None: 40.
    """

    size: int = 128
    minutes: float | None = 60.0
    steps: int | None = None
    published: bool = False
    m: int = 50
    seeds: int = 5
    head_steps: int = 300
    batch: int | None = None
    random_state: int = 0
    width: int = 64
    asked: Asked = field(default_factory=Asked)

    def autoencoder(self) -> FaceAutoencoder:
        """Not trained yet."""
        return FaceAutoencoder(
            size=self.size,
            width=self.width,
            training=None if self.published else REDUCED,
            random_state=self.random_state,
        )

    def check(self) -> None:
        """ValueError for what cannot be trained."""
        for name in ("m", "seeds", "head_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        self.autoencoder().check()


def table3(
    data: FaceData,
    run: RunFolder | str | os.PathLike[str],
    how: FaceTrainings | None = None,
    *,
    progress: Progress = None,
    callback: Callable[[dict[str, Any]], object] | None = None,
) -> Result:
    """Errors of landmarks learned from m faces: SCP's, the first, random ones.

    Args:
        data: the faces. run: the run folder: the auto-encoder lies in it, all else in
            reproduce/table3. What is there is used again, what was stopped goes on.
        how: the trainings.
        progress: see `scp.progress`. callback: called with the events of the trainings, with
            `stage` (autoencoder or landmarks), and of the second way, seed, number and count.
    """
    how = how or FaceTrainings()
    how.check()
    if how.m > len(data.train):
        raise ValueError(f"m = {how.m}: there are {len(data.train)} faces to choose from")
    run = RunFolder.of(run)
    model = _autoencoder(data, run, how, progress, callback)
    folder = RunFolder(run / "reproduce" / FOLDER)
    values, weights = similarities(model, data.train, how.asked, folder, progress)
    chosen = {
        "scp": top_singles(values, weights, how.m),
        "scp-set": best_set(values, weights, how.m),
        "first": list(range(how.m)),
    }
    errors: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
    rows: dict[tuple[str, int], list[int]] = {}
    count = len(WAYS) * how.seeds
    for seed in range(how.seeds):
        for way in WAYS:
            rng = np.random.default_rng([how.random_state, seed])
            drawn = np.sort(rng.permutation(len(data.train))[: how.m]).tolist()
            rows[way, seed] = chosen.get(way, drawn)
            facts = {"way": way, "seed": seed, "number": len(rows), "count": count}
            errors[way].append(
                _train(data, model, folder, rows[way, seed], how, facts, progress, callback)
            )
    return _result(data, model, how, errors, rows)


# ---- the trainings ----


def _autoencoder(data, run, how, progress, callback) -> FaceAutoencoder:
    if (run / AUTOENCODER).is_file():
        model = FaceAutoencoder.load(run / AUTOENCODER)
        if model.size != how.size:
            raise ValueError(f"size: the auto-encoder in {run.path} is of {model.size} pixels")
        return model
    model = how.autoencoder()
    length = {"minutes": how.minutes} if how.steps is None else {"steps": how.steps}
    tell = callback and (lambda event: callback({**event, "stage": "autoencoder"}))
    return model.fit(data.train, run=run.path, progress=progress, callback=tell, **length)


def _train(data, model, folder, rows, how, facts, progress, callback) -> np.ndarray:
    """NME of every test face, percent, by a detector that these rows taught."""
    labelled, seed = data.train.subset(rows), how.random_state + facts["seed"]
    place = RunFolder(folder / f"{facts['way']}-{facts['seed']}")
    key = {
        "autoencoder": model.model_.digest(),
        "labelled": of_dataset(labelled),
        "test": of_dataset(data.test),
        "seed": seed,
        "steps": how.head_steps,
        "batch": how.batch,
    }
    try:
        same = read_json(place / MADE_OF) == key
    except (FileNotFoundError, ValueError):
        same = False
    if same and (place / ERRORS).is_file():
        return np.load(place / ERRORS, allow_pickle=False)
    if not same:
        for name in (ERRORS, DETECTOR, CHECKPOINT):
            (place / name).unlink(missing_ok=True)
        place.write_json(MADE_OF, key)
    training = {} if how.batch is None else {"batch": how.batch}
    detector = FaceDetector(model, training=training, random_state=seed)
    tell = callback and (lambda event: callback({**event, **facts, "stage": "landmarks"}))
    if (place / DETECTOR).is_file():
        detector = FaceDetector.load(place.path)
    else:
        detector.fit(
            labelled, steps=how.head_steps, run=place.path, progress=progress, callback=tell
        )
    found = detector.predict(data.test, progress=renamed(progress, "landmarks of test faces"))
    each = metrics.normalised_errors(found.xy, data.test.landmarks, data.eyes)
    nme = np.asarray(metrics.mean_radial_error(each, axis=1), np.float64)
    place.write_array(ERRORS, nme)
    for name in (DETECTOR, CHECKPOINT):  # 200 MB, of which nothing is needed any more
        (place / name).unlink(missing_ok=True)
    return nme


# ---- the table ----


def _measures(nme: np.ndarray) -> tuple[float, float, float]:
    """NME, FR@10 and AUC."""
    return float(nme.mean()), metrics.failure_rate(nme), metrics.area_under_curve(nme)


def _result(data, model, how, errors, rows) -> Result:
    records, tables = [], []
    for group, members in data.groups.items():
        lines = []
        for way, words in WAYS.items():
            each = np.array([_measures(nme[members]) for nme in errors[way]])
            for seed, (nme, failed, area) in enumerate(each.tolist()):
                records.append(
                    {
                        "group": group,
                        "way": way,
                        "seed": seed,
                        "faces": len(members),
                        "nme": nme,
                        "failure_rate": failed,
                        "auc": area,
                        "chosen": [data.train.ids[i] for i in rows[way, seed]],
                    }
                )
            spread = each.std(axis=0, ddof=1) if len(each) > 1 else np.zeros(3)
            digits = (3, 2, 3)
            cells = [
                mean_sd(m, s, d) for m, s, d in zip(each.mean(axis=0), spread, digits, strict=True)
            ]
            lines.append([words, *cells])
        for name, numbers in paper.TABLE3.get(group, {}).items():
            cells = [mean_sd(m, s, 3) for m, s in numbers]
            lines.append([f"the paper, {name}", *cells])
        title = f"{group}: {len(members)} faces, {how.m} labelled, {how.seeds} trainings"
        tables.append(Table(title, ["labelled faces", "NME, %", "FR@10, %", "AUC"], lines))
    return Result(
        "table3",
        f"Table 3: landmarks of faces by 3FabRec from {how.m} labelled ones ({data.name})",
        tables=tables,
        records=records,
        notes=_notes(data, model, how),
    )


def _notes(data, model, how) -> list[str]:
    facts = model.model_.training
    length = f"{facts['steps']:,} steps" if "steps" in facts else "released weights"
    batch = f", batch {how.batch}" if how.batch else ""
    asked = asdict(how.asked)
    return [
        f"Auto-encoder: {how.size} pixels, {length}, on {len(data.train)} faces without labels. "
        "The paper's saw 2.1 million faces of VGGFace2 and AffectNet at 256 pixels, so its numbers "
        "are not to be reached, and only the ways are to be compared.",
        f"Landmarks: {how.head_steps} steps{batch}, the last iterate; mean and standard deviation "
        f"of {how.seeds} trainings. Random faces are drawn anew for each.",
        f"SCP: activations x1 to x4 of the generator, nearest, up to {asked['points']} SIFT key "
        f"points of {min(asked['faces'], len(data.train))} faces searched in all.",
    ]
