"""Whether expected errors are what they say, and whether they find the images to correct first.

    python benchmarks/expected.py ROOT --cache DIR --data cephalograms,chest,faces -m 1,2,5,10
    python benchmarks/expected.py ROOT --cache DIR --data cephalograms,chest,faces -m 1,2,5,10 --fit

Features, templates and kinds of images are those of benchmarks/settings.py, and so is the cache.
Printed are the mean error and the mean expected one, how many places are within their 50, 80 and
90 % radii, and the error that is left, on average, while images are corrected one after the other:
in the order of the confidence, of the expected errors, and of the true errors; 50 % at random.

--fit: the constants of scp/detection/expected.py anew, by a gamma regression in which each kind
counts alike; then each kind as if it had not been seen, with constants of the other kinds and the
correction by its own templates, and the quantiles of its errors over their mean.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import arguments, header
from settings import KINDS, Work

import scp
from scp.detection.detector import usual_pseudo_templates
from scp.detection.expected import error_scale
from scp.detection.matches import grid_scales
from scp.landmarks.table import errors_within

SHOWN = (0.5, 0.8, 0.9, 0.95)
LIMIT = 0.1  # pixels of the grid: errors below count as this much, in the regression


@dataclass
class Found:
    """In the images that are no templates, all [N][L] in pixels of the grid: errors, expected
    errors, confidence, cycle. others: of the templates, `LandmarkDetector.others_`. doubt: [N], of
    the images."""

    errors: np.ndarray
    expected: np.ndarray
    confidence: np.ndarray
    cycle: np.ndarray
    others: np.ndarray
    doubt: np.ndarray


def found_in(work: Work, m: int) -> Found:
    extractor, pool = work.features(), work.pool
    rows = work.templates(extractor, m)
    detector = scp.LandmarkDetector(extractor, every=True).fit(pool.subset(rows))
    detector.learn_places(pool, progress=False)
    if count := usual_pseudo_templates(detector, m):
        detector.add_pseudo_templates(pool, count, progress=False)
    images = pool.subset([i for i in range(len(pool)) if i not in rows])
    found = detector.predict(images, progress=False)
    scale = grid_scales(images, extractor.grid_size)[:, None]
    errors = np.hypot(*np.moveaxis(found.xy - images.landmarks, -1, 0)) / scale
    parts = errors, found.error / scale, found.confidence, found.cycle / scale
    return Found(*parts, detector.others_, found.doubt())


def shares(errors: np.ndarray, expected: np.ndarray) -> str:
    """Percent of the errors within the radii of SHOWN."""
    known = np.isfinite(errors)
    within = (np.mean((errors < expected * errors_within(q))[known]) for q in SHOWN)
    return " ".join(f"{100 * share:6.1f}" for share in within)


def left(errors: np.ndarray, doubt: np.ndarray) -> float:
    """Percent of the error that is left, on average, while images are corrected, most doubt
    first."""
    means = np.nanmean(errors, axis=1)[np.argsort(-doubt, kind="stable")]
    done = np.concatenate([[0], np.cumsum(means)]) / means.sum()
    return 100 * (1 - done.mean())


def said(f: Found) -> str:
    """A line of the table."""
    orders = -f.confidence.mean(axis=1), f.doubt, np.nanmean(f.errors, axis=1)
    areas = " ".join(f"{left(f.errors, doubt):10.1f}" for doubt in orders)
    means = f"{np.nanmean(f.errors):8.2f} {np.nanmean(f.expected):8.2f}"
    return f"{means} {shares(f.errors, f.expected)} {areas}"


def design(confidence: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    return np.stack([np.ones(cycle.shape), confidence, np.log(cycle + 1)], axis=-1)


def fitted(kinds: list[list[Found]]) -> np.ndarray:
    """The three constants: gamma regression with a logarithmic link, each image set alike."""
    rows, target, weight = [], [], []
    for f in (f for kind in kinds for f in kind):
        known = np.isfinite(f.errors)
        rows.append(design(f.confidence, f.cycle)[known])
        target.append(np.maximum(f.errors[known], LIMIT))
        weight.append(np.full(known.sum(), 1 / known.sum()))
    x, y, w = (np.concatenate(part) for part in (rows, target, weight))
    constants = np.array([np.log(y.mean()), 0.0, 0.0])
    for _ in range(50):
        mean = np.exp(x @ constants)
        weighted = x * w[:, None]
        step = np.linalg.solve(weighted.T @ x, weighted.T @ ((y - mean) / mean))
        constants = constants + step
    return constants


def fit(found: dict[tuple[str, int], Found], counts: list[int]) -> None:
    kinds = list(dict.fromkeys(kind for kind, _ in found))
    for name, some in (("ONE", [1]), ("SEVERAL", [m for m in counts if m > 1])):
        some = [m for m in some if m in counts]
        if not some:
            continue
        of = {kind: [found[kind, m] for m in some] for kind in kinds}
        print(f"\n{name} = {np.round(fitted(list(of.values())), 3)}, of all kinds")
        for kind in kinds if len(kinds) > 1 else ():
            constants = fitted([of[k] for k in kinds if k != kind])
            for m in some:
                f = found[kind, m]
                expected = np.exp(design(f.confidence, f.cycle) @ constants)
                if m > 1:
                    confidence, cycle, errors = f.others
                    own = np.exp(design(confidence, cycle) @ constants)
                    expected = expected * error_scale(errors, own)
                ratio = (f.errors / expected)[np.isfinite(f.errors)]
                quantiles = np.round(np.quantile(ratio, SHOWN) / ratio.mean(), 2)
                within = shares(f.errors, expected)
                print(f"{kind:12s} M = {m:2d}, constants of the others: {within}; {quantiles}")


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="holds cephalometric, chest and faces")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--data", default=",".join(KINDS), help="kinds of images")
    parser.add_argument("-m", default="1,2,5,10", help="templates, with commas between")
    parser.add_argument("--feature-steps", default="7000,4000,4000", help="of each kind")
    parser.add_argument("--fit", action="store_true", help="the constants anew")
    options = parser.parse_args()
    header("a perfect order of the images leaves what the last column says")
    levels = " ".join(f"{100 * q:4.0f} %" for q in SHOWN)
    columns = f"{'error':>8s} {'expected':>8s} {levels} {'confidence':>10s} {'expected':>10s}"
    print(f"{'':19s} {columns} {'true':>10s}")
    counts, found = [int(m) for m in options.m.split(",")], {}
    data, steps = options.data.split(","), options.feature_steps.split(",")
    for kind, count in zip(data, steps, strict=True):
        work = Work(options.root, options.cache, kind, 0, int(count))
        for m in counts:
            found[kind, m] = found_in(work, m)
            print(f"{kind:12s} M = {m:2d} {said(found[kind, m])}", flush=True)
    if options.fit:
        fit(found, counts)


if __name__ == "__main__":
    main()
