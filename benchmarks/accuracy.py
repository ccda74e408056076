"""Landmark accuracy of matching from few templates, with full-resolution ground truth.

    python benchmarks/accuracy.py ../shared/data/cephalometric --features gradient
    python benchmarks/accuracy.py ../shared/data/cephalometric --model RUN --on test1 --json
    python benchmarks/accuracy.py phantom --model FILE
    python benchmarks/accuracy.py ROOT --protocol fm-osd --model RUN    see benchmarks/fm_osd.py

Every training image is the template once: its landmarks (mean of both readers) are searched in
every evaluation image by the exact search, bilinear mode, and the pixel found is compared in
millimetres with the landmark in the original image. SCP's own picks come from the key points of the
same images with the same features (the paper, Eq. 9), without any landmark.

--on validation (default): templates and evaluation images are the validation half of the training
images (scp.datasets.validation_split), a template never its own evaluation; features judged there
must be trained on the fit half only. --on test1: all 150 training images are templates, the images
of Test1 that repeat none of them and no earlier one are evaluated; for final numbers only. The
phantom has 150 images of seed 0 to train on and 150 of seed 1 to test on.
"""

import json
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import arguments, header

import scp
from scp.datasets import Dataset, find_duplicates, validation_split
from scp.detection import VIEWS, Matches, match_templates, usual_views
from scp.evaluation import metrics
from scp.keypoints import Pool

SIZES = (1, 2, 3, 5, 10)  # templates in SCP's picks
SETS = ("confident", "agreeing")  # rules for several templates: the paper's, ours
DRAWS = 200  # random sets that SCP's five are compared with


class Grids(Dataset):
    """A data set whose images are kept in every size asked for, in 16 bits: in the folder `cache`,
    under `key`, or else in memory."""

    def __init__(self, dataset, cache=None, key=""):
        shapes = [dataset.shape(i) for i in range(len(dataset))]
        super().__init__(
            "grids",
            dataset.ids,
            shapes=shapes,
            spacing=dataset.spacing,
            landmarks=dataset.landmarks,
        )
        self._dataset, self._kept = dataset, {}
        self._path = None if cache is None else str(Path(cache, key))

    def _images(self, size):
        size = tuple(size)
        if size not in self._kept:
            file = self._path and Path(f"{self._path}-{size[0]}x{size[1]}.npy")
            if not (file and file.exists() and len(np.load(file, mmap_mode="r")) == len(self)):
                images = np.empty((len(self), *size), np.uint16)
                for i in range(len(self)):
                    images[i] = np.rint(self._dataset.grid(i, size) * 65535)
                if file:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    np.save(file, images)
            self._kept[size] = np.load(file, mmap_mode="r") if file else images
        return self._kept[size]

    def grid(self, i, size=(384, 384)):
        return self._images(size)[i].astype(np.float32) * np.float32(1 / 65535)

    def grids(self, i, sizes):
        return (self.grid(i, size) for size in sizes)


def training_images(data, cache=None, annotator="mean"):
    """The 150 training images: "phantom", or the root of the cephalograms."""
    if data == "phantom":
        return Grids(scp.datasets.phantom(150, seed=0), cache, "phantom-0")
    train = scp.datasets.cephalometric(data, split="train", annotator=annotator)
    return Grids(train, own_cache(data, cache), "train")


def own_cache(data, cache):
    """The part of the cache that belongs to one root."""
    return cache and Path(cache, f"{zlib.crc32(str(Path(data).resolve()).encode()):08x}")


def load(data, on, cache=None, annotator="mean"):
    """Templates and evaluation images (None: the templates themselves) as Grids; annotator: of
    the cephalograms (scp.datasets.cephalometric)."""
    templates = training_images(data, cache, annotator)
    if on == "validation":
        return templates.subset(validation_split(templates.ids)[1]), None
    if data == "phantom":
        return templates, Grids(scp.datasets.phantom(150, seed=1), cache, "phantom-1")
    cache = own_cache(data, cache)
    test = scp.datasets.cephalometric(data, split="test1", annotator=annotator)
    test = Grids(test, cache, "test1")
    return templates, test.subset(distinct(data, templates.ids, test.ids, cache))


def distinct(data, train, test, cache=None):
    """Rows of the test ids that repeat no training image and no earlier test image."""
    file = None if cache is None else Path(cache) / "duplicates.json"
    if file is not None and file.exists():
        pairs = json.loads(file.read_text())
    else:
        both = scp.datasets.cephalometric(data, split="all")
        pairs = [(both.ids[p.a], both.ids[p.b]) for p in find_duplicates(both)]
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(pairs))
    train, out = set(train), set()
    for a, b in pairs:
        out.update([b] if a in train else [max(a, b)] if a in test and b in test else [])
        out.update([a] if b in train else [])
    return np.array([i for i, name in enumerate(test) if name not in out])


def detection_rates(errors):
    """Percentage of errors below each of metrics.RADII (strictly), by radius."""
    rates = metrics.detection_rates(errors)
    return {f"{r:g}": float(v) for r, v in zip(metrics.RADII, rates, strict=True)}


@dataclass
class Scored:
    """Landmarks of T templates found in E images (`scp.detection.Matches`), with the truth.

    truth [E][L][2] in original pixels; spacing [E][2].
    """

    matches: Matches
    truth: np.ndarray
    spacing: np.ndarray

    def errors(self):
        """mm, [T][E][L], of every template alone."""
        alone = [self.matches.of([t], "agreeing")[0] for t in range(len(self.matches.xy))]
        return metrics.radial_errors(np.stack(alone), self.truth, self.spacing)

    def single(self):
        """Mean radial error of each template, mm [T]; a template does not count in itself."""
        counts = self.matches.counts
        return (self.errors().mean(axis=2) * counts).sum(axis=1) / counts.sum(axis=1)

    def of_set(self, rows, rule):
        """Errors [E'][L] in mm of a set of templates, in the images that are not among them;
        rule: of `scp.combine`."""
        images = np.flatnonzero(self.matches.counts[np.asarray(rows)].all(axis=0))
        xy = self.matches.of(rows, rule)[0][images]
        return metrics.radial_errors(xy, self.truth[images], self.spacing[images])


def match_landmarks(extractor, templates, images=None, mode="bilinear", views=None, sample=1):
    """Every template's landmarks in every sample-th image, Scored. images=None: the templates are
    evaluated among themselves. views: how many of scp.detection.VIEWS vote; None: as usual."""
    rows = np.arange(0, len(templates if images is None else images), sample)
    chosen = (templates if images is None else images).subset(rows)
    matches = match_templates(
        extractor, templates, chosen, mode, views=VIEWS[: views or usual_views(extractor)]
    )
    if images is None:
        matches.counts[rows, np.arange(len(rows))] = False
    return Scored(matches, chosen.landmarks, chosen.spacing)


def picks(extractor, templates, sizes=SIZES):
    """SCP's choices from the templates, by key points and features only.

    Returns Selections, one per size, and the score of every single image [T].
    """
    pool = Pool(templates, extractor)
    job = scp.SimilarityJob(pool.image, len(templates), pool.points, extractor, max_memory=1 << 29)
    values, _ = job.run()
    weights = scp.client_weights(pool.offsets)
    sizes = [m for m in sizes if m < len(templates)]
    return scp.select(values, sizes, weights=weights), values.astype(np.float64) @ weights


def summary(scored, selections=(), scores=None, ids=()):
    """The numbers as a dict; lengths in mm."""
    single = scored.single()
    counts = scored.matches.counts
    used = scored.errors()[counts]
    best = int(single.argmin())
    out = {
        "templates": len(single),
        "images": counts.shape[1],
        "mean": float(single.mean()),
        "sd": float(single.std()),
        "best": float(single[best]),
        "worst": float(single.max()),
        "best_id": ids[best] if len(ids) else best,
        "sdr": detection_rates(used),
    }
    for selection in selections:
        rows = selection.selected
        item = {"ids": [ids[i] if len(ids) else int(i) for i in rows]}
        for rule in SETS:
            errors = scored.of_set(rows, rule)
            item[rule] = float(errors.mean())
            item[f"sdr_{rule}"] = detection_rates(errors)
        out[f"pick{len(rows)}"] = item
    if scores is not None:
        out["pearson"] = float(np.corrcoef(scores, single)[0, 1])
    if len(single) > 10:
        rng = np.random.default_rng(0)
        sets = [rng.choice(len(single), 5, replace=False) for _ in range(DRAWS)]
        for rule in SETS:
            errors = [scored.of_set(rows, rule).mean() for rows in sets]
            out[f"random5_{rule}"] = [float(np.mean(errors)), float(np.std(errors))]
    return out


def evaluate(
    extractor,
    data,
    on="validation",
    sample=1,
    mode="bilinear",
    cache=None,
    pick=True,
    views=None,
):
    """`summary` of an extractor on a data set ("phantom" or a root), with seconds of each part."""
    start = time.perf_counter()
    templates, images = load(data, on, cache)
    read = time.perf_counter()
    scored = match_landmarks(extractor, templates, images, mode, views, sample)
    found = time.perf_counter()
    chosen = picks(extractor, templates) if pick else ((), None)
    out = summary(scored, *chosen, templates.ids)
    out["seconds"] = {
        "reading": read - start,
        "matching": found - read,
        "selection": time.perf_counter() - found,
    }
    return out


def show(result):
    """Prints a summary for people."""
    r = result
    rates = "  ".join(f"{k} mm {v:.1f} %" for k, v in r["sdr"].items())
    print(f"{r['templates']} templates, {r['images']} evaluation images")
    print(
        f"one template: MRE {r['mean']:.3f} +- {r['sd']:.3f} mm, best {r['best']:.3f} "
        f"({r['best_id']}), worst {r['worst']:.3f}; SDR {rates}"
    )
    for m in SIZES:
        if (item := r.get(f"pick{m}")) is not None:
            rates = " ".join(f"{v:.1f}" for v in item["sdr_agreeing"].values())
            print(
                f"SCP's pick, M = {m}: Eq. 3 {item['confident']:.3f} mm, agreeing "
                f"{item['agreeing']:.3f} mm (SDR {rates}): {', '.join(item['ids'])}"
            )
    if "random5_agreeing" in r:
        (a, b), (c, d) = r["random5_confident"], r["random5_agreeing"]
        print(f"random five: Eq. 3 {a:.3f} +- {b:.3f} mm, agreeing {c:.3f} +- {d:.3f} mm")
    if "pearson" in r:
        print(f"correlation of score and MRE over single templates: {r['pearson']:.2f}")
    print("seconds:", ", ".join(f"{k} {v:.1f}" for k, v in r["seconds"].items()), flush=True)


def extractor_of(options):
    """The extractor that the command line names."""
    if options.model:
        return scp.FeatureExtractor.load(options.model)
    return scp.GradientExtractor(size=(options.size, options.size))


def add_options(parser):
    """Options that say on what accuracy is measured."""
    parser.add_argument(
        "data", nargs="?", default="phantom", help="root of the ISBI 2015 cephalograms, or: phantom"
    )
    parser.add_argument("--on", choices=("validation", "test1"), default="validation")
    parser.add_argument(
        "--sample", type=int, default=1, metavar="N", help="evaluate every N-th image only"
    )
    parser.add_argument(
        "--cache",
        default=Path(tempfile.gettempdir(), "scp-accuracy"),
        help="folder for images on the grid and duplicates found",
    )


def main():
    parser = arguments(__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--features", choices=("gradient",), default="gradient")
    parser.add_argument("--model", metavar="PATH", help="trained features: a file or a run")
    parser.add_argument("--size", type=int, default=384, help="grid of the gradient features")
    parser.add_argument("--mode", choices=("bilinear", "nearest"), default="bilinear")
    parser.add_argument(
        "--views", type=int, choices=range(1, len(VIEWS) + 1), help="that vote, as in scp detect"
    )
    parser.add_argument("--no-pick", action="store_true", help="leave the selection out")
    parser.add_argument("--protocol", choices=("ours", "fm-osd"), default="ours")
    parser.add_argument(
        "--refine", type=int, default=0, metavar="STEPS", help="fm-osd: a refined network too"
    )
    options = parser.parse_args()
    header("mean radial error <= 2.7 mm over all templates after an hour of training on 2 cores")
    extractor = extractor_of(options)
    if options.protocol == "fm-osd":
        if options.data == "phantom":
            parser.error("--protocol fm-osd is for the cephalograms: give their root")
        from fm_osd import measure

        result = measure(options, extractor)
        if options.json:
            print(json.dumps(result))
        return
    result = evaluate(
        extractor,
        options.data,
        options.on,
        options.sample,
        options.mode,
        options.cache,
        not options.no_pick,
        options.views,
    )
    show(result)
    if options.json:
        print(json.dumps({"on": options.on, "features": extractor.parameters(), **result}))


if __name__ == "__main__":
    main()
