"""What measurements from a few annotated images are worth: the ISBI 2015 challenge's classes, and
whether intervals hold what they say.

    python benchmarks/measurements.py ../shared/data/cephalometric --model RUN
    python benchmarks/measurements.py ../shared/data/cephalometric --model RUN --halves 4

M images of Test1 are chosen and marked, their landmarks found in the others, and the challenge's
eight measurements compared with those of the true landmarks (mean of both readers), beside the
junior reader against the senior one. --halves: how much wider intervals must be to hold 90 %, of
the images chosen in random halves of the training images.
"""

import json

import numpy as np
from accuracy import extractor_of
from common import arguments, header

import scp
from scp.measures import Measurements

COUNTS = (1, 2, 3, 5, 10)


def readers(root: str) -> Measurements:
    """The junior reader of Test1, measured against the senior one."""
    junior, senior = (
        scp.datasets.cephalometric(root, "test1", who) for who in ("junior", "senior")
    )
    return scp.measure(junior, "isbi2015", truth=senior)


def chosen(extractor, pool, m: int) -> Measurements:
    """Landmarks from the M images that are chosen, measured against the true ones."""
    rows = scp.choose(pool, m, features=extractor, report=False).selection.selected
    print("marked:", ", ".join(pool.ids[i] for i in rows))
    found = scp.LandmarkDetector(extractor=extractor, every=True).fit_predict(pool, rows)
    print(scp.evaluate(found, pool))
    return scp.measure(found, "isbi2015", images=pool, truth=pool)


def needed(extractor, pool, seed: int) -> list[tuple[float, float]]:
    """For each of COUNTS: the share of the true values that plain intervals hold, and by what their
    widths have to be multiplied to hold 90 %; of images chosen among half of the pool."""
    half = np.sort(np.random.default_rng(seed).permutation(len(pool))[: len(pool) // 2])
    part = pool.subset(half.tolist())
    run, out = scp.Run(part, features=extractor, duplicates=False), []
    for m in COUNTS:
        rows = run.select(m).selection.selected.tolist()
        found = scp.LandmarkDetector(extractor=extractor, every=True).fit_predict(part, rows)
        result = scp.measure(found, "isbi2015", images=part, truth=part, error_scale=1)
        out.append((result.agreement.coverage, result.agreement.needed_scale))
    return out


def table(columns: dict[str, Measurements]):
    """Lines of text: success rate and share of images in their class."""
    first = next(iter(columns.values()))
    yield f"{'':6}" + "".join(f"{name:>24}" for name in columns)
    for k, name in enumerate(first.names):
        cells = [
            f"{m.agreement.success(k):12.1f} {m.agreement.right(k):6.1f} %"
            for m in columns.values()
        ]
        yield f"{name:6}" + "".join(f"{cell:>24}" for cell in cells)
    means = [f"{m.agreement.mean_success:12.1f} {'':6}  " for m in columns.values()]
    yield f"{'mean':6}" + "".join(f"{cell:>24}" for cell in means)


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("data", help="root of ISBI 2015")
    parser.add_argument("--model", metavar="PATH", help="trained features: a file or a run")
    parser.add_argument("--size", type=int, default=384, help="grid of the gradient features")
    parser.add_argument("-m", type=int, default=5, help="images that are marked (default 5)")
    parser.add_argument("--halves", type=int, default=0, help="random halves of the training set")
    options = parser.parse_args()
    header("success rate of classification and images in their class, in percent")
    extractor = extractor_of(options)
    pool = scp.datasets.cephalometric(options.data, "test1")
    found = chosen(extractor, pool, options.m)
    print(*table({"found": found, "junior reader": readers(options.data)}), sep="\n")
    print(f"intervals of {found.level:.0%} hold {found.agreement.coverage:.1%}")
    if options.halves:
        train = scp.datasets.cephalometric(options.data, "train")
        rows = np.array([needed(extractor, train, seed) for seed in range(options.halves)])
        for m, pairs in zip(COUNTS, rows.transpose(1, 0, 2), strict=True):
            held, factor = pairs.mean(axis=0)
            low, high = pairs[:, 1].min(), pairs[:, 1].max()
            print(f"{m:2} marked: hold {held:.1%}, need {factor:.2f} ({low:.2f} to {high:.2f})")
    if options.json:
        print(json.dumps(found.agreement.to_dict()))


if __name__ == "__main__":
    main()
