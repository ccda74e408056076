"""The main job in one call: from a data set to "annotate these M", with files and a report."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from dataclasses import dataclass, field

import numpy as np

from . import _core
from ._version import __version__
from .features import PyramidStore, extractor_for
from .keypoints import Pool
from .runs import RunFolder, read_log, unfinished
from .runs.folder import LOG
from .similarity import (
    SimilarityJob,
    client_weights,
    cycle_distances,
    expected_error,
    image_distances,
    trusted,
)

OBJECTIVES = ("similarity", "cycle")
CURVE = 10  # the report's curve goes to this M at least


@dataclass
class Choice:
    """What `choose` found.

    Attributes:
        selection: the Selection for the largest M asked for.
        curve: Selections for the M asked for, ascending.
        ids: ids of the chosen images, in pick order.
        values: float32 [N][Q], similarity as the selection scored it. offsets: int64 [N+1], columns
            of every image.
        points: float32 [Q][2], key points (x, y) in original pixels.
        warnings: what a user should know. elapsed: seconds per stage.
        run: the run folder or None. dots, brute: work done, and what brute force would do.
        expected_error: of the choice, pixels of the grid (`scp.similarity.expected_error`); None
            unless the objective is "cycle".
    """

    selection: object
    curve: list
    ids: list[str]
    values: np.ndarray
    offsets: np.ndarray
    points: np.ndarray
    warnings: list[str] = field(default_factory=list)
    duplicates: list = field(default_factory=list)
    elapsed: dict[str, float] = field(default_factory=dict)
    run: RunFolder | None = None
    resumed: int = 0
    dots: int = 0
    brute: int = 0
    expected_error: float | None = None


def choose(
    dataset,
    m,
    *,
    method: str = "swap",
    extractor=None,
    features: str = "auto",
    keypoints: str = "sift",
    count: int = 100,
    keypoint_options: dict | None = None,
    mode: str = "nearest",
    epsilon: float = 1e-3,
    objective: str = "similarity",
    max_memory: int | None = None,
    device: str = "auto",
    min_distance: float | None = None,
    random_state: int = 0,
    duplicates: bool = True,
    run: str | os.PathLike | None = None,
    report: bool = True,
    command: str | None = None,
    progress=None,
    before_similarity=None,
    **rules,
) -> Choice:
    """Which M images to annotate, with files and a report in `run`.

    Args:
        dataset: a `scp.datasets.Dataset`.
        m: how many images; a sequence gives one answer per entry.
        method, min_distance, random_state, rules: see `scp.select`. Images may be named by id or
            index in `initial`, `include`, `exclude`. min_distance is that of `image_distances`.
        extractor: a FeatureExtractor or GradientExtractor. None: by `features`, "trained" (those
            in the run folder), "gradient" or "auto" (trained if there are any).
        keypoints, count, keypoint_options: see `scp.keypoints.detect`.
        mode, epsilon, max_memory: see `SimilarityJob`.
        device: where similarity and selection run: "auto", "cpu", "cuda", "cuda:1"; see
            `scp.devices.resolve`. The results are the same bits.
        objective: "similarity" (the paper, Eq. 9); "cycle": the same, with each similarity
            discounted by how far its key point comes back from the place found
            (`scp.similarity.cycle`).
        duplicates: look for images that show the same picture and warn of them.
        run: folder for the files; nothing is written if None. A stopped run goes on from there.
        report: write report.html into the run folder.
        progress: function (stage, total) -> function (done, total), or None.
        before_similarity: called with the Estimate of the similarity stage.
    """
    from .devices import resolve
    from .selection import select

    resolve(device)  # an error now, not after the key points
    if len(dataset) == 0:
        raise ValueError("dataset: holds no images")
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, got {objective!r}")
    sizes = sorted({int(v) for v in np.atleast_1d(m)}) if m is not None else None
    if sizes and not 1 <= sizes[0] <= sizes[-1] <= len(dataset):
        raise ValueError(f"m must be 1 to {len(dataset)} (the number of images), got {m}")
    rules = _rows(rules, dataset.ids)
    extractor = extractor or extractor_for(run, features)
    folder = RunFolder(run) if run is not None else None
    elapsed: dict[str, float] = {}

    def stage(name, total):
        clock = _Clock(elapsed, name)
        bar = progress(name, total) if progress else None
        return clock, bar

    notes, pairs = [], []
    if folder and extractor.name == "gradient" and unfinished(folder.path):
        notes.append("the training in this run folder has not finished: gradient features are used")
    if dataset.skipped:
        name, reason = dataset.skipped[0]
        left = len(dataset.skipped)
        notes.append(
            f"left out: {left} {'entry' if left == 1 else 'entries'} of the data set, "
            f"{'' if left == 1 else 'first '}{name}: {reason}"
        )
    if duplicates and len(dataset) > 1:
        from .datasets import find_duplicates

        clock, bar = stage("duplicates", len(dataset))
        with clock:
            pairs = [
                (dataset.ids[p.a], dataset.ids[p.b], p.kind)
                for p in find_duplicates(dataset, progress=bar)
            ]
        if pairs:
            named = ", ".join(f"{a} = {b}" for a, b, _ in pairs[:5])
            more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
            notes.append(f"{len(pairs)} pairs of images show the same picture: {named}{more}")

    clock, bar = stage("key points", len(dataset))
    with clock:
        pool = Pool(
            dataset,
            extractor,
            keypoints,
            count,
            seed=random_state,
            progress=bar,
            folder=folder,
            **(keypoint_options or {}),
        )
    if pool.empty:
        named = ", ".join(pool.empty[:5])
        notes.append(
            f"{len(pool.empty)} images have no key points and count as not covered: {named}"
        )
    if pool.offsets[-1] == 0:
        raise ValueError(
            f"keypoints: {keypoints} finds no key point in any image; try another method"
        )

    job = SimilarityJob(
        pool.image,
        len(dataset),
        pool.points,
        extractor,
        mode=mode,
        epsilon=epsilon,
        max_memory=max_memory,
        digest=pool.digest,
        device=device,
    )
    if before_similarity is not None:
        before_similarity(job.estimate())
    clock, bar = stage("similarity", 2 * len(dataset))
    with clock:
        values, places = job.run(folder.path if folder else None, progress=bar)
    matrix, distances = np.ascontiguousarray(values), None
    if objective == "cycle":
        clock, bar = stage("cycles", len(dataset))
        with clock:
            pyramids = (extractor.pyramid(pool.image(i)) for i in range(len(dataset)))
            pyramids = PyramidStore(pyramids, max_memory, folder.path if folder else None)
            distances = cycle_distances(
                pyramids, pool.points, places, mode=mode, epsilon=epsilon, progress=bar
            )
            matrix = trusted(values, distances)

    clock, bar = stage("selection", 1)
    with clock:
        if min_distance is not None:
            rules.update(distances=image_distances(values, pool.offsets), min_distance=min_distance)
        options = {"weights": client_weights(pool.offsets), "random_state": random_state, **rules}
        options["device"] = device
        if sizes is None:
            curve = [select(matrix, None, method=method, **options)]
        else:
            curve = select(matrix, sizes, method=method, **options)
        selection = curve[-1]
        if bar:
            bar(1, 1)

    error = None
    if distances is not None:
        error = expected_error(matrix, distances, options["weights"], selection.selected)
    choice = Choice(
        selection,
        curve,
        [dataset.ids[i] for i in selection.selected],
        matrix,
        pool.offsets,
        pool.xy,
        notes,
        pairs,
        elapsed,
        folder,
        job.resumed,
        job.dots,
        job.brute,
        error,
    )
    if folder:
        training = dict(extractor.model.training) if extractor.name == "trained" else {}
        parameters = {
            "dataset": {"name": dataset.name, "root": dataset.root, "images": len(dataset)},
            "features": extractor.parameters(),
            **({"training": training["options"]} if training.get("options") else {}),
            "keypoints": {"method": keypoints, "count": count, **(keypoint_options or {})},
            "similarity": {"mode": mode, "epsilon": epsilon, "objective": objective},
            "selection": {
                "method": method,
                "m": sizes,
                "min_distance": min_distance,
                "random_state": random_state,
            },
        }
        folder.write_config(parameters)
        folder.write_json("selection.json", describe(choice, dataset, parameters))
        if report:
            _report(choice, dataset, matrix, options, parameters, command, stage, training)
    return choice


def describe(choice: Choice, dataset, parameters: dict) -> dict:
    """selection.json, field by field in docs/files.md."""
    s = choice.selection
    return {
        "version": 1,
        "scp": __version__,
        "method": s.method,
        "seed": s.seed,
        "m": len(s.selected),
        "selected": [
            {"id": dataset.ids[i], "index": int(i), "gain": float(g)}
            for i, g in zip(s.selected, s.gains, strict=True)
        ],
        "score": float(s.score),
        "upper_bound": float(s.upper_bound),
        "gap": float(s.gap),
        "proven": bool(s.proven),
        "expected_error": choice.expected_error,
        "curve": [
            {
                "m": len(c.selected),
                "selected": [dataset.ids[i] for i in c.selected],
                "score": float(c.score),
                "upper_bound": float(c.upper_bound),
                "gap": float(c.gap),
                "proven": bool(c.proven),
            }
            for c in choice.curve
        ],
        "history": [[int(d), float(v)] for d, v in s.history],
        "parameters": parameters,
        "rules": _plain(s.parameters),
        "images": len(dataset),
        "keypoints": int(choice.offsets[-1]),
        "keypoints_sha256": hashlib.sha256(choice.points.tobytes()).hexdigest(),
        "warnings": choice.warnings,
        "skipped": [list(x) for x in dataset.skipped],
        "duplicates": [list(x) for x in choice.duplicates],
    }


def _report(choice, dataset, matrix, options, parameters, command, stage, training) -> None:
    from .report import write_report
    from .selection import select

    clock, bar = stage("report", 1)
    with clock:
        curve = choice.curve
        if len(curve) == 1 and choice.selection.m and not _restricted(options):
            most = min(max(CURVE, 2 * choice.selection.m), len(dataset))
            more = select(matrix, range(1, most + 1), method="swap", **options)
            curve = sorted(
                [c for c in more if c.m != choice.selection.m] + [choice.selection],
                key=lambda c: c.m,
            )
        found, problems = _found(choice.run / "landmarks.csv", dataset)
        write_report(
            choice.run / "report.html",
            dataset=dataset,
            keypoints_xy=choice.points,
            offsets=choice.offsets,
            values=choice.values,
            selection=choice.selection,
            curve=curve,
            landmarks=found,
            notes={
                "parameters": parameters,
                "warnings": choice.warnings + problems,
                "skipped": dataset.skipped,
                "duplicates": choice.duplicates,
                "elapsed": choice.elapsed,
                "command": command,
                "versions": versions(),
                "training": training,
                "log": read_log(choice.run / LOG) if training else [],
            },
        )
        if bar:
            bar(1, 1)


def _found(path, dataset):
    """The landmarks that scp detect found before, or None; warnings."""
    from .landmarks import read_landmarks

    try:
        found = read_landmarks(path) if path.is_file() else None
        if found is not None:
            found.find(dataset.ids)
    except ValueError as error:
        return None, [f"{path.name} is not shown: {error}"]
    return found, []


def versions() -> dict[str, str]:
    """What a result depends on besides its inputs."""
    return {
        "scp": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {_core.isa()}, {_core.threads()} threads",
    }


def _restricted(options: dict) -> bool:
    """Whether smaller and larger sets may be impossible under the rules."""
    return any(options.get(k) is not None for k in ("costs", "budget", "groups", "min_distance"))


def _rows(rules: dict, ids: list[str]) -> dict:
    """Ids in initial, include and exclude become row numbers."""
    index = {name: i for i, name in enumerate(ids)}
    out = dict(rules)
    for key in ("initial", "include", "exclude"):
        if key in out and out[key] is not None:
            rows = []
            for entry in out[key]:
                if isinstance(entry, str) and entry not in index:
                    raise ValueError(f"{key}: no image is called {entry!r}")
                rows.append(index[entry] if isinstance(entry, str) else int(entry))
            out[key] = rows
    return out


def _plain(value):
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray) and value.size > 10_000:
        return f"array {list(value.shape)}"
    if isinstance(value, (list, tuple, np.ndarray, range)):
        return [_plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


class _Clock:
    def __init__(self, elapsed: dict[str, float], name: str):
        self.elapsed, self.name = elapsed, name

    def __enter__(self):
        self.start = time.perf_counter()

    def __exit__(self, *_):
        self.elapsed[self.name] = time.perf_counter() - self.start
