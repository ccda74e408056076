"""Settings of matching and refinement, compared without a label of a test image.

    python benchmarks/settings.py ROOT --cache DIR --setting one:labelled=1,pseudo=3 --setting usual
    python benchmarks/settings.py ROOT --cache DIR --data chest,faces -m 1,5 --seeds 3 --setting ...

For each data set below ROOT and each seed, features are trained on a pool of training images, SCP
chooses templates from the pool, and their landmarks are matched in it. Each setting refines from
there for as many steps. Errors are measured in the images of the pool that are no templates; their
labels are seen by nobody else. A setting is compared with the first one image by image: the mean
difference, and how often it is below 0 in 10,000 bootstrap draws of images.

A setting is a name, and options of `scp refine --set` after a colon; without one, the matches alone
are measured, each landmark decided alone and all together. What is done is kept in the cache, so
the same command goes on, and settings can be added; for another version of scp take another cache.
Images that several seeds share count once for each, so with several seeds the share is too sure.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import arguments, header

import scp
from scp.cli.train import settings as options_of
from scp.evaluation.metrics import radial_errors
from scp.experiments.data import load

DRAWS = 10_000  # of the bootstrap


@dataclass(frozen=True)
class Kind:
    """A data set. pool: images to choose from, drawn by the seed of 0 (None: all). size: of the
    grid. far: in the unit, the success rate that is shown."""

    name: str
    folder: str
    unit: str
    pool: int | None
    size: int
    far: float


KINDS = {
    "cephalograms": Kind("cephalometric", "cephalometric", "mm", None, 384, 2.0),
    "chest": Kind("table", "chest", "side", 200, 288, 2.0),
    "faces": Kind("table", "faces", "36,45", 200, 160, 10.0),
}


class Work:
    """A data set and a seed: features, templates and matches, made once."""

    def __init__(self, root: Path, cache: Path, data: str, seed: int, steps: int):
        self.kind, self.seed, self.steps = KINDS[data], seed, steps
        self.folder = cache / f"{data}-{seed}-{steps}"
        self.folder.mkdir(parents=True, exist_ok=True)
        found = load(
            self.kind.name,
            root / self.kind.folder,
            unit=self.kind.unit,
            test=False,
        )
        self.pool, self.unit = found.train, found.unit
        if self.kind.pool is not None:
            drawn = np.random.default_rng(0).choice(len(self.pool), self.kind.pool, replace=False)
            self.pool = self.pool.subset(np.sort(drawn))

    def features(self) -> scp.FeatureExtractor:
        size = (self.kind.size, self.kind.size)
        extractor = scp.FeatureExtractor(size=size, random_state=self.seed)
        return extractor.fit(self.pool, steps=self.steps, run=self.folder, progress=False)

    def templates(self, extractor, m: int) -> list[int]:
        run = scp.Run(
            self.pool,
            self.folder,
            features=extractor,
            duplicates=False,
            random_state=self.seed,
            progress=False,
        )
        return [int(i) for i in run.select(m).selection.selected]

    def errors(self, xy: np.ndarray, rows: list[int]) -> np.ndarray:
        """[images that are no templates][L], in the unit."""
        errors = radial_errors(xy, self.pool.landmarks, self.unit.of(self.pool))
        return np.delete(errors, rows, axis=0)

    def matched(self, extractor, rows: list[int], m: int, together: bool) -> scp.Landmarks:
        """The landmarks of the templates in the whole pool."""
        path = self.folder / f"matched-{'together' if together else 'alone'}-{m}.npz"
        if not path.exists():
            detector = scp.LandmarkDetector(extractor, together=together, every=True)
            found = detector.fit_predict(self.pool, rows, progress=False)
            np.savez(path, xy=found.xy, confidence=found.confidence)
        names = list(self.pool.landmark_names)
        with np.load(path) as kept:
            return scp.Landmarks(self.pool.ids, names, kept["xy"], kept["confidence"])

    def refined(self, extractor, rows, found, name: str, sets: list[str], m: int, steps: int):
        """Errors of a setting, kept in a file."""
        path = self.folder / f"{name}-{m}-{steps}.npy"
        said = path.with_suffix(".json")
        if said.exists() and json.loads(said.read_text())["set"] != sets:
            raise SystemExit(f"{said}: another setting has this name; take another name")
        if not path.exists():
            training, network = options_of(sets)
            refiner = scp.LandmarkRefiner(
                start=extractor, network=network, training=training, random_state=self.seed
            )
            refiner.fit(self.pool, found, templates=rows, steps=steps, progress=False)
            np.save(path, self.errors(refiner.predict(self.pool, progress=False).xy, rows))
            text = json.dumps({"set": sets, "seconds": refiner.trained_.seconds})
            said.write_text(text)
        return np.load(path)


def shown(errors: np.ndarray, far: float) -> str:
    near = 100 * np.nanmean(errors < far)
    return f"{np.nanmean(errors):8.3f} {np.nanmedian(errors):8.3f} {near:8.1f}"


def compared(ours: list[np.ndarray], first: list[np.ndarray]) -> str:
    """Mean difference of images, and the share of bootstrap draws in which it is below 0."""
    apart = np.concatenate(
        [np.nanmean(a, axis=1) - np.nanmean(b, axis=1) for a, b in zip(ours, first, strict=True)]
    )
    rng = np.random.default_rng(0)
    means = [apart[rng.integers(0, len(apart), len(apart))].mean() for _ in range(DRAWS)]
    return f"{apart.mean():+9.3f} {np.mean(np.array(means) < 0):8.3f}"


def measure(options, data: str, m: int, settings: list[tuple[str, list[str]]]) -> None:
    """One table: the settings on a data set, over all seeds."""
    table: dict[str, list[np.ndarray]] = {}
    for seed in range(options.seeds):
        work = Work(options.root, options.cache, data, seed, options.feature_steps)
        extractor = work.features()
        rows = work.templates(extractor, m)
        alone = work.matched(extractor, rows, m, False)
        found = work.matched(extractor, rows, m, True)
        table.setdefault("matched alone", []).append(work.errors(alone.xy, rows))
        table.setdefault("matched", []).append(work.errors(found.xy, rows))
        for name, sets in settings:
            steps = options.steps
            errors = work.refined(extractor, rows, found, name, sets, m, steps)
            table.setdefault(name, []).append(errors)
            print(f"  {data}, M = {m}, seed {seed}, {name}: {shown(errors, work.kind.far)}")
    first = settings[0][0] if settings else "matched alone"
    print(f"\n{data}, M = {m}, {options.seeds} seeds, {options.steps} steps, {work.unit.words}")
    near = f"< {work.kind.far:g} (%)"
    print(f"{'':20s} {'mean':>8s} {'median':>8s} {near:>8s} {'- first':>9s} {'below':>8s}")
    for name, errors in table.items():
        against = "" if name == first else compared(errors, table[first])
        print(f"{name:20s} {shown(np.concatenate(errors), work.kind.far)} {against}", flush=True)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="holds cephalometric, chest and faces")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--data", default="cephalograms", help=f"of {', '.join(KINDS)}")
    parser.add_argument("-m", default="5", help="templates, with commas between")
    parser.add_argument("--seeds", type=int, default=1, help="of features and refinement")
    parser.add_argument("--feature-steps", type=int, default=7000)
    parser.add_argument("--steps", type=int, default=1000, help="of refinement")
    parser.add_argument("--setting", action="append", metavar="NAME[:NAME=VALUE,...]")
    options = parser.parse_args()
    header("the readers' own difference on cephalograms: half of it is 1.1 mm")
    settings = []
    for text in options.setting or []:
        name, _, sets = text.partition(":")
        settings.append((name, sets.split(",") if sets else []))
    for data in options.data.split(","):
        for m in map(int, options.m.split(",")):
            measure(options, data, m, settings)


if __name__ == "__main__":
    main()
