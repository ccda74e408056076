"""Table 2 of the paper, beside ours: matching alone, and refined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..detection import VIEWS, LandmarkDetector, usual_pseudo_templates
from ..errors import warn
from ..evaluation.metrics import RADII, bootstrap_interval, detection_rates, mean_radial_error
from ..features import FeatureExtractor
from ..progress import renamed
from ..refinement import REFINED, LandmarkRefiner
from ..runs import RunFolder, read_json
from ..runs.fingerprints import of_dataset
from .output import Result, Table, number
from .records import Record, record
from .study import Study
from .supervised import Supervision, supervised_landmarks

SIZES2 = (1, 5, 10, 25)
MADE_OF = "made-of.json"  # beside a refined network: what it was taught with


@dataclass(frozen=True)
class Refinement:
    """How the network of Table 2 is trained, for each M.

    minutes or steps: of training. preset, rounds: see `scp.refinement.LandmarkRefiner`.
    """

    minutes: float | None = None
    steps: int | None = None
    preset: str = "laptop"
    rounds: int = 1


def table2(
    study: Study,
    sizes: Sequence[int] = SIZES2,
    refinement: Refinement | None = None,
    supervision: Supervision | None = None,
    callback: Callable[[dict], object] | None = None,
) -> Result:
    """Landmarks from M templates chosen by SCP, matched and refined, in test images.

    refinement=None: matching only. supervision: also networks that see the M templates alone, and
    one that sees all images; None: without. callback: called with the events of the trainings.
    """
    sizes = sorted(set(sizes))
    study.check_sizes(sizes)
    if study.data.test is None:
        raise ValueError("Table 2 needs test images")
    picks = study.picks(sizes)
    chosen = sorted({int(i) for m in sizes for i in picks[m].selected})
    place = {row: k for k, row in enumerate(chosen)}
    templates, test = study.data.train.subset(chosen), study.data.test
    views = study.options.views
    rest = {"folder": study.folder, "progress": study.progress, "unit": study.data.unit}
    honest = record(study.extractor, templates, test, views=views, name="matches-table2", **rest)
    as_paper = record(
        study.extractor,
        templates,
        test,
        mode="paper",
        way="grid",
        name="matches-table2-paper",
        grid_spacing=study.data.grid_spacing(test, study.extractor.grid_size),
        **rest,
    )
    result = Result("table2", "Table 2: matching alone, and refined")
    rule = study.options.rule
    title = f"{len(study.data.distinct)} test images without duplicates, original pixels"
    ways = {"honest": (honest, study.data.distinct, title)}
    if study.options.evaluation != "honest":
        everything = np.arange(len(test))
        title = f"as the paper: all {len(test)} test images, whole pixels of the grid"
        ways["paper"] = as_paper, everything, title
    if study.options.evaluation == "paper":
        del ways["honest"]
    found: dict[int, dict[str, dict[str, np.ndarray]]] = {}
    for m in sizes:
        rows = [place[int(i)] for i in picks[m].selected]
        matched = honest.matches.of(rows, rule)[0]
        found[m] = {
            f"matching, Eq. 3, {_views(1)}": _both(honest, as_paper, rows),
            f"matching, {rule!r}, {_views(views)}": _measured(honest, as_paper, matched),
        }
        if count := usual_pseudo_templates(_detector(study), m):
            matched = _with_pseudo_templates(study, m, picks[m].selected, count)
            found[m][f"the same, {count} pseudo-templates"] = _measured(honest, as_paper, matched)
        if refinement is not None:
            xy = _refined(study, m, picks[m].selected, refinement, callback)
            found[m]["refined"] = _measured(honest, as_paper, xy)
            if isinstance(study.extractor, FeatureExtractor):
                both = (xy + matched) / 2
                found[m]["refined, mean with matching"] = _measured(honest, as_paper, both)
    labelled = {m: picks[m].selected for m in sizes}
    if supervision is not None:
        labelled[len(study.ids)] = np.arange(len(study.ids))
        for m, selected in labelled.items():
            xy = supervised_landmarks(study, selected, supervision, callback)
            found.setdefault(m, {})[supervision.name] = _measured(honest, as_paper, xy)
    for way, (_, rows, title) in ways.items():
        lines = []
        for m in sorted(found):
            lines += _lines(result, study, m, way, rows, found[m], labelled[m])
        unit = study.unit
        columns = ("", f"MRE ({unit})", *(f"SDR {r:g} {unit}" for r in study.radii))
        result.tables.append(Table(title, columns, lines))
    result.notes.append(f"{study.about} Templates are chosen by SCP from {len(study.ids)} images.")
    if study.data.numbers.table2:
        result.notes.append("The paper's rows are of its own test images and backbone.")
    if supervision is None:
        result.notes.append("SCN, the paper's comparator, was not asked for.")
    if refinement is None:
        result.notes.append("Refinement was not asked for.")
    return result


def _views(count: int) -> str:
    return "1 size" if count == 1 else f"{count} sizes"


def _both(honest: Record, as_paper: Record, rows) -> dict[str, np.ndarray]:
    """Errors by Eq. 3, from the first view."""
    return {
        "honest": honest.first_view().errors(rows, "confident"),
        "paper": as_paper.errors(rows, "confident"),
    }


def _measured(honest: Record, as_paper: Record, xy: np.ndarray) -> dict[str, np.ndarray]:
    return {"honest": honest.measure(xy), "paper": as_paper.measure(xy)}


def _lines(result: Result, study: Study, m: int, way: str, rows, found, selected) -> list[tuple]:
    def line(name, mre, rates):
        return (f"M = {m}, {name}", number(mre, 2), *(number(r, 2) for r in rates))

    out, numbers = [], study.data.numbers
    if m in numbers.table2:
        mre, rates = numbers.table2[m]
        known = dict(zip(RADII, rates, strict=True))
        out.append(line("paper, SCP", mre, [known.get(r) for r in study.radii]))
        without = numbers.table2_without[m]
        out.append(line("paper, without SCP", without, [None] * len(study.radii)))
    for name, errors in found.items():
        errors = errors[way][rows]
        rates = detection_rates(errors, study.radii)
        low, high = bootstrap_interval(
            np.nanmean(errors, axis=1), random_state=study.options.random_state
        )
        mre = mean_radial_error(errors)
        out.append(line(name, mre, rates))
        given = numbers.table2.get(m)
        result.records.append(
            {
                "m": m,
                "evaluation": way,
                "method": name,
                "images": len(rows),
                "mre": mre,
                "mre_low": float(low),
                "mre_high": float(high),
                **{f"sdr_{r:g}": float(v) for r, v in zip(study.radii, rates, strict=True)},
                "chosen": study.names(selected),
                "paper_mre": given[0] if given else None,
            }
        )
    return out


def _detector(study: Study) -> LandmarkDetector:
    o = study.options
    return LandmarkDetector(extractor=study.extractor, rule=o.rule, views=o.views, every=True)


def _with_pseudo_templates(study: Study, m: int, selected, count: int) -> np.ndarray:
    """Landmarks of the test images where training images are pseudo-templates."""
    train, test = study.data.train, study.data.test
    detector = _detector(study).fit(train.subset(selected))
    detector.add_pseudo_templates(
        train, count, progress=renamed(study.progress, f"pseudo_templates, M = {m}")
    )
    return detector.predict(test, progress=renamed(study.progress, f"matching, M = {m}")).xy


def _made_of(folder: RunFolder) -> dict | None:
    """What the network in a folder was made of; None where that is not known, or damaged."""
    try:
        return read_json(folder / MADE_OF)
    except FileNotFoundError:
        return None
    except ValueError as error:
        warn(f"{error}; trained again")
        return None


def _refined(study: Study, m: int, selected, how: Refinement, callback) -> np.ndarray:
    """Landmarks of the test images from a network taught by M templates, [N][L][2]."""
    train, folder = study.data.train, RunFolder(study.folder / f"refined-{m}")
    key = {
        "features": study.extractor.parameters(),
        "images": of_dataset(train),
        "chosen": study.names(selected),
        "rule": study.options.rule,
        "views": [list(view) for view in VIEWS[: study.options.views]],
        "seed": study.options.random_state,
        # the name of version 0.1.0
        "carriers": usual_pseudo_templates(_detector(study), m),
        "together": True,
        "agree": "within the reach",
        "weights": "by expected error",
        "refinement": asdict(how),
    }
    same = _made_of(folder) == key
    if same and (folder / REFINED).is_file():
        refiner = LandmarkRefiner.load(folder.path)
    else:
        start = None
        if how.preset == "laptop" and isinstance(study.extractor, FeatureExtractor):
            start = study.extractor
        bar = renamed(study.progress, f"pseudo labels, M = {m}")
        found = _detector(study).fit_predict(train, selected, progress=bar)
        refiner = LandmarkRefiner(
            preset=how.preset,
            random_state=study.options.random_state,
            size=study.extractor.grid_size,
            start=start,
        )
        if not same:
            folder.write_json(MADE_OF, key)
        refiner.fit(
            train,
            found,
            templates=selected,
            rounds=how.rounds,
            minutes=how.minutes,
            steps=how.steps,
            run=folder.path,
            resume=same,
            progress=study.progress,
            callback=callback and (lambda event: callback({**event, "m": m})),
        )
    bar = renamed(study.progress, f"refined, M = {m}")
    return refiner.predict(study.data.test, progress=bar).xy
