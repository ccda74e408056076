"""What correcting the least certain images is worth, against correcting random ones.

    python benchmarks/corrections.py ../shared/data/cephalometric --model RUN --figure FILE.svg

Five images are chosen and marked; their landmarks are found in all the others. Then K images are
corrected, that is they get the true landmarks and become templates themselves, and the landmarks of
the rest are found again:

    at once      the K images of least confidence
    in rounds    STEP of them, found again, the next STEP, ...
    random       K images, the mean over DRAWS draws
    worst        the K images of largest error, which nobody knows; for comparison

Printed are mean radial errors in millimetres: of the whole pool, in which the marked and corrected
images have none, and of the images that nobody touched. The labels are those of the training images
(mean of both readers); an image is never its own template.
"""

import json

import numpy as np
from accuracy import extractor_of, match_landmarks, picks, training_images
from common import arguments, header

from scp.evaluation import metrics
from scp.report.axes import Frame, ticks

MARKED, STEP = 5, 5
COUNTS = (0, 5, 10, 15, 20, 30, 40)
DRAWS = 20
STYLES = {"at once": "t0", "in rounds": "t1", "random": "t3", "worst": "t7 dashed"}
WAYS = tuple(STYLES)


class Pool:
    """Landmarks of every image found from any set of templates."""

    def __init__(self, scored):
        self.scored = scored
        self.n = len(scored.truth)

    def found(self, templates):
        """Errors in mm [N] and mean confidence [N] of all images; NaN of the templates."""
        templates = list(templates)
        xy, confidence, _ = self.scored.matches.of(templates)
        errors = metrics.radial_errors(xy, self.scored.truth, self.scored.spacing).mean(axis=1)
        confidence = confidence.mean(axis=1)
        errors[templates] = confidence[templates] = np.nan
        return errors, confidence

    def after(self, templates):
        """Error of the whole pool, and of the images that nobody touched."""
        errors, _ = self.found(templates)
        return np.nansum(errors) / self.n, np.nanmean(errors)

    def corrected(self, marked, count, way, seed=0):
        """The marked images and `count` more."""
        marked = list(marked)
        if way == "in rounds":
            for done in range(0, count, STEP):
                confidence = self.found(marked)[1]
                marked += np.argsort(confidence)[: min(STEP, count - done)].tolist()
            return marked
        errors, confidence = self.found(marked)
        rest = np.flatnonzero(np.isfinite(errors))
        order = {
            "at once": confidence[rest],
            "worst": -errors[rest],
            "random": np.random.default_rng(seed).random(len(rest)),
        }[way]
        return marked + rest[np.argsort(order, kind="stable")[:count]].tolist()

    def curve(self, marked, way, counts=COUNTS):
        """[counts][2], errors as of `after`; and their standard deviation over the draws."""
        draws = range(DRAWS if way == "random" else 1)
        values = np.array(
            [[self.after(self.corrected(marked, k, way, seed)) for k in counts] for seed in draws]
        )
        return values.mean(axis=0), values.std(axis=0)


def drawing(curves, counts=COUNTS):
    """Error of the whole pool against the number of corrected images."""
    top = max(mean[:, 0].max() for mean, _ in curves.values())
    frame = Frame((0, counts[-1]), (0, top * 1.05), width=520)
    frame.y_axis("error of the whole pool, mm")
    frame.x_axis("images corrected", ticks(0, counts[-1]))
    mean, sd = (values[:, 0] for values in curves["random"])
    around = [
        *zip(counts, mean - sd, strict=True),
        *list(zip(counts, mean + sd, strict=True))[::-1],
    ]
    frame.path(around, "band t3", element="polygon")
    for way, (mean, _) in curves.items():
        frame.path(zip(counts, mean[:, 0], strict=True), f"line {STYLES[way]}", way)
    frame.key(*(("\u25ac", f"key {STYLES[way].split()[0]}", way) for way in curves))
    return frame.done("Error of the whole pool against images corrected")


def table(curves, counts=COUNTS):
    """Lines of text."""
    yield f"{'':10}" + "".join(f"{k:>16}" for k in counts) + "  images corrected"
    for j, what in enumerate(("whole pool", "images nobody touched")):
        for way, (mean, sd) in curves.items():
            spread = [f" +- {v:.3f}" if way == "random" else "" for v in sd[:, j]]
            cells = [f"{v:.3f}{more}" for v, more in zip(mean[:, j], spread, strict=True)]
            yield f"{way:10}" + "".join(f"{cell:>16}" for cell in cells) + f"  mm, {what}"


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="phantom", help="root of ISBI 2015, or: phantom")
    parser.add_argument("--model", metavar="PATH", help="trained features: a file or a run")
    parser.add_argument("--size", type=int, default=384, help="grid of the gradient features")
    parser.add_argument("--cache", metavar="DIR", help="folder for images on the grid")
    parser.add_argument("--figure", metavar="FILE", help="SVG of the error of the whole pool")
    options = parser.parse_args()
    header("no error is left when all images are corrected")
    extractor = extractor_of(options)
    images = training_images(options.data, options.cache)
    pool = Pool(match_landmarks(extractor, images))
    marked = picks(extractor, images, [MARKED])[0][0].selected
    print(f"{pool.n} images; marked: {', '.join(images.ids[i] for i in marked)}")
    curves = {way: pool.curve(marked, way) for way in WAYS}
    print(*table(curves), sep="\n")
    if options.figure:
        drawing(curves).save(options.figure)
    if options.json:
        print(json.dumps({way: mean.tolist() for way, (mean, _) in curves.items()}))


if __name__ == "__main__":
    main()
