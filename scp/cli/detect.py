"""scp detect: landmarks of a few annotated images, found in all the others."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from ..landmarks.names import visible
from ..runs.folder import LANDMARKS, REPORT, SELECTION
from .arguments import (
    add_data,
    add_features,
    add_output,
    data_words,
    names,
    open_data,
    run_path,
    usual,
)

DOUBTFUL = 5  # images to look at first, in the summary


def add_detect(commands) -> None:
    """The parser of scp detect."""
    from ..detection import MODES, RULES, VIEWS, LandmarkDetector

    detect = commands.add_parser(
        "detect",
        help="find the landmarks of the annotated images in all others",
        description="Match the landmarks of the templates in every image, with the features of "
        "the run. Writes landmarks.csv to the run folder, with a confidence for each point.",
    )
    detect.set_defaults(run_command=run_detect)
    add_data(detect)
    add_templates(detect)
    default = usual(LandmarkDetector)
    how = detect.add_argument_group("matching")
    how.add_argument(
        "--rule",
        default=default["rule"],
        choices=RULES,
        help="how templates vote; confident: the paper, Eq. 3",
    )
    how.add_argument(
        "--mode",
        default=default["mode"],
        choices=MODES,
        help="paper: whole pixels, as in the authors' code",
    )
    how.add_argument(
        "--views",
        type=int,
        metavar="V",
        help=f"of each image, in sizes 1, 1.25, .., 1 to {len(VIEWS)} "
        "(default: all with trained features, 1 with gradients)",
    )
    add_pseudo_templates_argument(how)
    add_features(how)
    output = add_output(detect, "a summary as JSON")
    output.add_argument("--out", metavar="FILE", help="instead of landmarks.csv in the run folder")


def add_pseudo_templates_argument(group) -> None:
    """--pseudo-templates; `add_pseudo_templates` reads it."""
    from ..detection.detector import PSEUDO_TEMPLATES

    group.add_argument(
        "--pseudo-templates",
        type=int,
        metavar="C",
        help="images that vote too, with the places found in them, those of most "
        f"confidence (default: {PSEUDO_TEMPLATES} for one template, else 0)",
    )


def add_templates(parser) -> None:
    """Arguments that say which images are annotated; `open_templates` reads them."""
    which = parser.add_argument_group(
        "templates: annotated images (default: those that scp select "
        "chose, with the landmarks of the data set)"
    )
    which.add_argument("--templates", metavar="FILE", help="their landmarks: CSV or COCO JSON")
    which.add_argument(
        "--template-ids",
        type=names,
        metavar="IDS",
        help="images of the data set, which has their landmarks; @FILE: one id a line",
    )


def open_templates(args, run):
    """The annotated images that the arguments name, a Dataset with their landmarks."""
    if args.templates is not None and args.template_ids is not None:
        raise ValueError("--templates, --template-ids: give one of them")
    if args.templates is not None:
        try:
            return run.annotated(_read_templates(args))
        except ValueError as error:
            text = str(error)
            named = text if args.templates in text else f"{args.templates}: {text}"
            raise ValueError(named) from None
    if run.dataset.landmarks is None:
        raise ValueError("--templates FILE is needed: these images come without landmarks")
    if args.template_ids is not None:
        return run.annotated(run.dataset.rows(args.template_ids, "--template-ids"))
    if not Path(run.path, SELECTION).is_file():
        raise ValueError(
            f"there is no {run.path / SELECTION}: run scp select first, or give --templates FILE "
            "or --template-ids"
        )
    return run.annotated()


def _read_templates(args):
    """The landmarks of --templates. --category and --several are of this file, too, unless it is a
    CSV beside annotations that they are of."""
    from ..landmarks import read_landmarks

    coco = {"category": args.category, "several": args.several}
    if args.dataset in ("coco", "table") and not args.templates.lower().endswith(".json"):
        coco = {}
    return read_landmarks(args.templates, origin=args.origin, **coco)


def keep_templates(args, out: Path) -> None:
    """ValueError where the landmarks found would take the place of the templates' own."""
    if args.templates is not None and out.exists() and os.path.samefile(args.templates, out):
        raise ValueError(
            f"{out}: the landmarks found would overwrite those of the templates; copy that file"
        )


def run_detect(args) -> int:
    from ..features import extractor_for
    from ..run import Run

    pool = open_data(args)
    folder = run_path(args, pool)
    extractor = extractor_for(folder, args.features, args.size, None, args.model)
    run = Run(pool, folder, features=extractor, progress=not args.quiet)
    images = open_templates(args, run)
    out = Path(args.out) if args.out else folder / LANDMARKS
    keep_templates(args, out)
    found = run.detect(
        images,
        rule=args.rule,
        mode=args.mode,
        views=args.views,
        pseudo_templates=args.pseudo_templates,
        out=args.out,
    )
    shown = args.out is None and (folder / REPORT).is_file()
    count, others = len(images), found.templates[len(images) :]
    order = found.confidence.mean(axis=1).argsort(kind="stable")
    doubtful = [i for i in order if found.ids[i] not in images.ids][:DOUBTFUL]
    if args.json:
        summary = {
            "images": len(pool),
            "landmarks": len(found.names),
            "templates": found.templates[:count],
            "pseudo_templates": others,
            "rule": args.rule,
            "mode": args.mode,
            "views": found.votes.shape[1],
            "file": str(out),
            "confidence": float(found.confidence.mean()),
            "least_confident": {found.ids[i]: float(found.confidence[i].mean()) for i in doubtful},
        }
        print(json.dumps(summary, indent=1))
        return 0
    templates = "1 template" if count == 1 else f"{count} templates"
    more = f", and {len(others)} pseudo-templates" if others else ""
    print(
        f"{len(found.names)} landmarks in {len(pool)} images from {templates}: "
        f"{', '.join(map(visible, found.templates[:count]))}{more}"
    )
    if doubtful:
        words = [f"{visible(found.ids[i])} ({found.confidence[i].mean():.2f})" for i in doubtful]
        print("least confident, to look at first:", ", ".join(words))
    print(f"landmarks in {out}" + (f"; pictures in {folder / REPORT}" if shown else ""))
    if pool.landmarks is not None:
        words = ["scp", "evaluate", str(out), args.images, *data_words(args)]
        print("to measure:", shlex.join(words), file=sys.stderr)
    return 0
