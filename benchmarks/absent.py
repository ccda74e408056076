"""Whether the probability that a landmark is in an image is what it says.

    python benchmarks/absent.py ROOT --cache DIR -m 1,5
    python benchmarks/absent.py ROOT --cache DIR -m 5 --fit

Features, templates and kinds of images are those of benchmarks/settings.py, and so is the cache.
Of seven of ten images, and of four of ten templates, 5 to 40 % are cut off at one or two sides;
what was there is absent now. Printed are the Brier score, beside that of the mean share of
landmarks that are there, how many are called absent wrongly and missed, and how often a landmark
was there where the probability was in a range; then the same of the images as they are, where every
landmark is there.

--fit: the constants of scp/detection/absent.py anew, by a logistic regression in which each kind
counts alike; then each kind as if it had not been seen.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import arguments, header
from settings import KINDS, Work

import scp
from scp.datasets import Dataset
from scp.detection import absent
from scp.detection.detector import usual_pseudo_templates
from scp.detection.matches import grid_scales
from scp.detection.together import usual_places

IMAGES = 100  # that are looked at, evenly
CUT = (0.05, 0.4)  # of a side
SHARES = 0.4, 0.7  # of the templates and of the images that are cut
RANGES = ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.01))


@dataclass
class Seen:
    """Of the landmarks of images, all [N L]: whether they are there, their probability, and what
    it is made of: deviations inwards, log(confidence + FLOOR), log odds among the templates."""

    there: np.ndarray
    likely: np.ndarray
    inside: np.ndarray
    sure: np.ndarray
    odds: np.ndarray


def cut(pool: Dataset, rows: list[int], m: int, rng: np.random.Generator) -> Dataset:
    """These images, the first m of them templates, with parts cut off; landmarks there are NaN."""
    images, marks = [], []
    for n, i in enumerate(rows):
        image, xy = pool.image(i), pool.landmarks[i].copy()
        top, left, (bottom, right) = 0, 0, image.shape
        if rng.random() < SHARES[0 if n < m else 1]:
            for side in rng.choice(4, rng.integers(1, 3), replace=False):
                share = rng.uniform(*CUT)
                top = int(share * image.shape[0]) if side == 0 else top
                left = int(share * image.shape[1]) if side == 1 else left
                bottom = int((1 - share) * image.shape[0]) if side == 2 else bottom
                right = int((1 - share) * image.shape[1]) if side == 3 else right
        image = np.ascontiguousarray(image[top:bottom, left:right])
        xy -= [left, top]
        limit = np.array(image.shape[::-1]) - 1
        xy[~((xy >= 0) & (xy <= limit)).all(axis=-1)] = np.nan
        images.append(image)
        marks.append(xy)
    made = scp.datasets.arrays(images)
    return made.with_landmarks(np.stack(marks), pool.landmark_names)


def seen_in(extractor, pool: Dataset, m: int) -> Seen:
    """The first m images are the templates."""
    detector = scp.LandmarkDetector(extractor, every=True).fit(pool.subset(range(m)))
    detector.learn_places(pool, progress=False)
    if count := usual_pseudo_templates(detector, m):
        detector.add_pseudo_templates(pool, count, progress=False)
    images = pool.subset(range(m, len(pool)))
    found = detector.predict(images, progress=False)
    places = usual_places(found.xy, found.confidence, detector.templates_.shapes)
    scale = grid_scales(images, extractor.grid_size)
    parts = [
        absent.evidence(c, u, detector.reach_ * k, images.shape(i))
        for i, (c, u, k) in enumerate(zip(found.confidence, places, scale, strict=True))
    ]
    inside, sure = (np.concatenate(part) for part in zip(*parts, strict=True))
    there = np.isfinite(detector.templates_.shapes[..., 0])
    odds = absent.lacking_odds(there.sum(axis=0), (~there).sum(axis=0))
    present = np.isfinite(images.landmarks[..., 0]).ravel()
    odds = np.tile(odds, len(images))
    return Seen(present, found.presence.ravel(), inside, sure, odds)


def said(name: str, there: np.ndarray, likely: np.ndarray) -> str:
    share = there.mean()
    cells = []
    for low, high in RANGES:
        some = there[(likely >= low) & (likely < high)]
        cells.append(f"{some.mean():.2f} of {len(some)}" if len(some) else "none")
    wrong = 100 * np.mean(likely[there] < absent.LIKELY)
    missed = 100 * np.mean(likely[~there] >= absent.LIKELY) if (~there).any() else 0.0
    brier = np.mean((likely - there) ** 2)
    return (
        f"{name:22s} {brier:.3f} ({share * (1 - share):.3f})  {wrong:4.1f} {missed:5.1f}  "
        + ", ".join(cells)
    )


def design(seen: Seen) -> np.ndarray:
    return np.stack([np.ones(len(seen.there)), seen.inside, seen.sure], axis=-1)


def fitted(kinds: list[Seen]) -> np.ndarray:
    """The constants: logistic regression, each kind alike."""
    x = np.concatenate([design(s) for s in kinds])
    y = np.concatenate([s.there for s in kinds]).astype(float)
    w = np.concatenate([np.full(len(s.there), 1000 / len(s.there)) for s in kinds])
    known = np.concatenate([s.odds for s in kinds])
    constants = np.zeros(3)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ constants - known))
        curvature = (x * (w * p * (1 - p))[:, None]).T @ x + 1e-4 * np.eye(3)
        constants = constants + np.linalg.solve(curvature, x.T @ (w * (y - p)))
    return constants


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="holds cephalometric, chest and faces")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--data", default=",".join(KINDS), help="kinds of images")
    parser.add_argument("-m", default="1,5", help="templates, with commas between")
    parser.add_argument("--feature-steps", default="7000,4000,4000", help="of each kind")
    parser.add_argument("--fit", action="store_true", help="the constants anew")
    options = parser.parse_args()
    header("a probability that is always right has the score 0")
    ranges = ", ".join(f"{low:g} to {min(high, 1):g}" for low, high in RANGES)
    print(f"{'':22s} Brier (of the mean)  wrong, missed (%)  there, of probability {ranges}")
    data, steps = options.data.split(","), options.feature_steps.split(",")
    for m in map(int, options.m.split(",")):
        of: dict[str, Seen] = {}
        for kind, count in zip(data, steps, strict=True):
            work = Work(options.root, options.cache, kind, 0, int(count))
            extractor, pool = work.features(), work.pool
            rows = work.templates(extractor, m)
            others = [i for i in range(len(pool)) if i not in rows]
            rows += [others[k * len(others) // IMAGES] for k in range(IMAGES)]
            of[kind] = seen_in(extractor, cut(pool, rows, m, np.random.default_rng(1)), m)
            print(said(f"{kind}, M = {m}", of[kind].there, of[kind].likely), flush=True)
            whole = seen_in(extractor, pool.subset(rows), m)
            print(said("  as they are", whole.there, whole.likely), flush=True)
        if options.fit:
            constants = fitted(list(of.values()))
            print(f"CONSTANT, INSIDE, SURE = {np.round(constants, 2)}, of all kinds")
            for kind in of if len(of) > 1 else ():
                constants = fitted([s for k, s in of.items() if k != kind])
                likely = 1 / (1 + np.exp(-design(of[kind]) @ constants - of[kind].odds))
                print(said(f"  {kind}, unseen", of[kind].there, likely))


if __name__ == "__main__":
    main()
