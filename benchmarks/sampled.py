"""How good a choice from a sample of the key points is, and how near its bound comes, against the
whole matrix.

    python benchmarks/sampled.py RUN -m 5                  RUN: of scp select
    python benchmarks/sampled.py RUN -m 5 --images 10000   sets counted as of so many images

The whole matrix of the run folder is there, so each choice can be compared with what it gives. For
each size of sample: the exact score of the choice, what it loses against the choice from the whole
matrix, the bound that holds with 99 %, its gap, and how many images could leave because no set
with them can be the best. The reference is the mean of the choices from --references parts of the
images, on a sample of its own.
"""

import json
import time
from pathlib import Path

import numpy as np
from common import arguments, header

import scp
from scp.selection import Problem
from scp.selection.sampled import draw_columns, log_sets, sampled_bound

SIZES = (1000, 2000, 4000, 8000, 16_000)
PILOT = 2000


def reference_of(values, offsets, weights, m, count):
    """r [Q] and its mean: of the choices from `count` parts of the images."""
    pilot = draw_columns(offsets, PILOT, stream=1)
    parts = np.array_split(np.random.default_rng(0).permutation(len(values)), count)
    covers = []
    for rows in parts:
        chosen = scp.select(values[np.ix_(rows, pilot)], m, progress=False).selected
        covers.append(values[rows[chosen]].max(axis=0).astype(np.float64))
    mean = np.mean(covers, axis=0)
    return mean, float(mean @ weights)


def may_stay(sample, reference, mean, m, bound, best):
    """Images that may be in a set that is better than `best`, by the multipliers of the bound."""
    above = -np.log1p(-bound.eta * (sample.astype(np.float64) - reference))
    problem = Problem(above.astype(np.float32))
    found = problem.solve(m, "greedy", 0, 0).certificate
    excess = np.maximum(above / len(reference) - found.unit * found.multipliers, 0).sum(axis=1)
    top = np.sort(excess)[::-1]
    others = np.where(excess >= top[m - 1], top[:m].sum() - excess, top[: m - 1].sum())
    sums = found.unit * found.multipliers.sum(dtype=np.float64) + excess + others
    return int((mean - np.expm1(-(sums + bound.chance)) / bound.eta >= best).sum())


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("-m", type=int, default=5)
    parser.add_argument("--images", type=int, help="count the sets of a pool of so many images")
    parser.add_argument("--references", type=int, default=2)
    parser.add_argument("--eta", type=float, default=0.7)
    options = parser.parse_args()
    values = np.load(options.run / "similarity.npy")
    offsets = np.load(options.run / "keypoints.npz")["offsets"]
    weights, m = scp.client_weights(offsets), options.m
    n = len(values)
    header(f"{n} images, {values.shape[1]} key points: the whole matrix")
    whole = scp.select(values, m, weights=weights, progress=False)
    print(f"whole matrix: score {whole.score:.4f}, bound {whole.upper_bound:.4f}, {whole.proof}")
    reference, mean = reference_of(values, offsets, weights, m, options.references)
    share = float((np.diff(offsets) > 0).mean())
    sets = log_sets(options.images or n, m)
    rows = []
    for size in SIZES:
        start = time.perf_counter()
        columns = draw_columns(offsets, size)
        sample = values[:, columns]
        chosen = scp.select(sample, m, progress=False).selected
        score = float(values[chosen].max(axis=0) @ weights)
        bound = sampled_bound(
            sample, reference[columns], mean, m, share=share, eta=options.eta, sets=sets
        )
        gap = (bound.upper_bound - score) / bound.upper_bound
        stay = may_stay(sample, reference[columns], mean, m, bound, score)
        rows.append((size, score, 1 - score / whole.score, bound.upper_bound, gap, stay))
        print(
            f"{size:6d} columns: score {score:.4f} ({1 - score / whole.score:+.2%} lost), bound "
            f"{bound.upper_bound:.4f}, gap {gap:.2%}, {stay} of {n} images may stay "
            f"({time.perf_counter() - start:.1f} s)",
            flush=True,
        )
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
