"""How much a choice of templates can gain: the best sets for one reader, judged by the other.

    python benchmarks/readers.py ../shared/data/cephalometric --model RUN

Two readers annotated every cephalogram. For each of them the landmarks of all templates are
searched in the images of Test1, and the mean radial error of all single templates and of 1,000
random fives is measured, template and truth by the same reader. What is good about a set for both
readers lies in its images; the rest lies in where one reader happened to mark them, which nobody
can know who chooses images to be annotated. So the set that is best for one reader, found with all
the labels of that reader, is judged by the other, beside SCP's choice, which sees no label.
"""

import json
from dataclasses import replace

import numpy as np
from accuracy import add_options, extractor_of, load, match_landmarks, picks
from common import arguments, header

READERS = ("junior", "senior")
CASES = ((1, "agreeing"), (5, "agreeing"), (5, "confident"))  # templates, rule
DRAWS = 1000


def gains(errors, of):
    """What the best set of `of`, and its ten best on average, gain in `errors`: fraction of the
    mean of all sets."""
    order = np.argsort(of, kind="stable")
    return 1 - errors[order[0]] / errors.mean(), 1 - errors[order[:10]].mean() / errors.mean()


def compare(scored, chosen, m, rule):
    """Random sets of m templates and the chosen one by one rule, for both readers: a dict."""
    count = len(scored["junior"].matches.xy)
    rng = np.random.default_rng(0)
    sets = [[t] for t in range(count)]
    if m > 1:
        sets = [rng.choice(count, m, replace=False) for _ in range(DRAWS)]
    errors, choice = {}, {}
    for reader, each in scored.items():
        if rule == "confident":  # the paper's Eq. 3 knows one size of the images
            each = replace(each, matches=each.matches.first_view())
        errors[reader] = np.array([each.of_set(rows, rule).mean() for rows in sets])
        choice[reader] = 1 - each.of_set(chosen, rule).mean() / errors[reader].mean()
    r = np.corrcoef(errors["junior"], errors["senior"])[0, 1]
    out = {"m": m, "rule": rule, "pearson": float(r)}
    for reader, other in (READERS, READERS[::-1]):
        e = errors[reader]
        out[reader] = {
            "mean": float(e.mean()),
            "sd": float(e.std() / e.mean()),
            "best": float(gains(e, e)[0]),
            "best_of_other": [float(g) for g in gains(e, errors[other])],
            "scp": float(choice[reader]),
        }
    return out


def main():
    parser = arguments(__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--model", metavar="PATH", help="trained features: a file or a run")
    parser.add_argument("--size", type=int, default=384, help="grid of the gradient features")
    parser.set_defaults(on="test1")
    options = parser.parse_args()
    header("what the best set for one reader gains for the other")
    if options.data == "phantom":
        print("phantoms have no second reader; name the root of the cephalograms")
        return
    extractor = extractor_of(options)
    scored = {}
    for reader in READERS:
        templates, images = load(options.data, options.on, options.cache, reader)
        scored[reader] = match_landmarks(extractor, templates, images, sample=options.sample)
    sizes = sorted({m for m, _ in CASES})
    selections, _ = picks(extractor, templates, sizes)
    chosen = {len(s.selected): s.selected for s in selections}
    results = [compare(scored, chosen[m], m, rule) for m, rule in CASES]
    for result in results:
        print(
            f"M = {result['m']}, {result['rule']}: errors of sets for one reader and the other, "
            f"r = {result['pearson']:.2f}"
        )
        for reader in READERS:
            of = result[reader]
            first, ten = of["best_of_other"]
            print(
                f"  {reader}: mean {of['mean']:.3f} mm, sd {of['sd']:.1%}; below the mean: best "
                f"set {of['best']:.1%}, best for the other reader {first:.1%} (ten best "
                f"{ten:.1%}), SCP's {of['scp']:.1%}"
            )
    if options.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
