"""scp detect: landmarks of a few annotated images, found in all the others."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from .arguments import add_data, add_features, add_output, data_words, names, open_data, run_path
from .progress import bar

LANDMARKS, REPORT = "landmarks.csv", "report.html"
DOUBTFUL = 5  # images to look at first, in the summary


def add_detect(commands) -> None:
    """The parser of scp detect."""
    from ..detection import MODES, RULES, VIEWS

    detect = commands.add_parser(
        "detect",
        help="find the landmarks of the annotated images in all others",
        description="Match the landmarks of the templates in every image, with the features of "
        "the run. Writes landmarks.csv to the run folder, with a confidence for each point.",
    )
    detect.set_defaults(run_command=run_detect)
    add_data(detect)
    add_templates(detect)
    how = detect.add_argument_group("matching")
    how.add_argument(
        "--rule",
        default="agreeing",
        choices=RULES,
        help="how templates vote; confident: the paper, Eq. 3",
    )
    how.add_argument(
        "--mode",
        default="bilinear",
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
    add_carriers(how)
    add_features(how)
    output = add_output(detect, "a summary as JSON")
    output.add_argument("--out", metavar="FILE", help="instead of landmarks.csv in the run folder")


def add_carriers(group) -> None:
    """--carriers; `carry` reads it."""
    from ..detection.detector import CARRIERS

    group.add_argument(
        "--carriers",
        type=int,
        metavar="C",
        help="images that vote too, with the places found in them, those of most "
        f"confidence (default: {CARRIERS} for one template, else 0)",
    )


def carry(args, detector, pool, templates: int) -> None:
    """Lets carriers vote, as many as asked for or as usual."""
    from ..detection import usual_carriers

    usual = args.carriers is None
    count = usual_carriers(detector, templates) if usual else args.carriers
    if count:
        watch = None if args.quiet else bar("carriers", len(pool))
        detector.carry(pool, count, progress=watch)


def add_templates(parser) -> None:
    """Arguments that say which images are annotated; `open_templates` reads them."""
    which = parser.add_argument_group(
        "templates: annotated images (default: those that scp select "
        "chose, with the landmarks of the data set)"
    )
    which.add_argument("--templates", metavar="FILE", help="their landmarks: CSV or COCO JSON")
    which.add_argument(
        "--template-ids",
        metavar="IDS",
        help="images of the data set, which has their landmarks; @FILE: one id a line",
    )


def open_templates(args, pool, run: Path):
    """(rows of the templates in the pool, landmarks [M][L][2], names [L])."""
    from ..landmarks import Landmarks, read_landmarks

    if args.templates is not None and args.template_ids is not None:
        raise ValueError("--templates, --template-ids: give one of them")
    if args.templates is not None:
        table = read_landmarks(args.templates)
        found = table.find(pool.ids)
        rows = [i for i, k in enumerate(found) if k >= 0]
        strange = sorted(set(range(len(table))) - set(found.tolist()))
        if strange:
            raise ValueError(
                f"{args.templates}: image {table.ids[strange[0]]!r} is not among the "
                f"{len(pool)} images"
            )
        return rows, table.xy[found[rows]], table.names
    if pool.landmarks is None:
        raise ValueError("--templates FILE is needed: these images come without landmarks")
    if args.template_ids is not None:
        ids, where = names(args.template_ids), "--template-ids"
    else:
        path = run / "selection.json"
        if not path.is_file():
            raise ValueError(
                f"there is no {path}: run scp select first, or give --templates FILE or "
                "--template-ids"
            )
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            ids, where = [str(entry["id"]) for entry in content["selected"]], str(path)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: not a selection of scp ({error!r})") from None
    missing = [name for name in ids if name not in pool.ids]
    if missing:
        raise ValueError(f"{where}: no image is called {missing[0]!r}")
    if len(set(ids)) != len(ids) or not ids:
        raise ValueError(f"{where}: at least one image, each once, is needed")
    rows = [pool.ids.index(name) for name in ids]
    table = Landmarks.of(pool)
    return rows, pool.landmarks[rows], table.names


def keep_templates(args, out: Path) -> None:
    """ValueError where the landmarks found would take the place of the templates' own."""
    if args.templates is not None and out.exists() and os.path.samefile(args.templates, out):
        raise ValueError(
            f"{out}: the landmarks found would overwrite those of the templates; copy that file"
        )


def write_found(out: Path, run: Path, pool, landmarks, rows) -> bool:
    """Write landmarks found; those of a run are shown in its report, if there is one, too."""
    from ..landmarks import write_landmarks
    from ..report import show_landmarks

    write_landmarks(out, landmarks)
    return out == run / LANDMARKS and show_landmarks(run / REPORT, pool, landmarks, rows)


def run_detect(args) -> int:
    from ..detection import LandmarkDetector
    from ..features import extractor_for
    from ..runs import RunFolder

    pool = open_data(args)
    run = run_path(args)
    rows, xy, labels = open_templates(args, pool, run)
    out = Path(args.out) if args.out else RunFolder(run) / LANDMARKS
    keep_templates(args, out)
    extractor = extractor_for(run, args.features, args.size, None, args.weights)
    detector = LandmarkDetector(extractor, rule=args.rule, mode=args.mode, views=args.views)
    detector.fit(pool.subset(rows).with_landmarks(xy, labels))
    carry(args, detector, pool, len(rows))
    found = detector.predict(pool, progress=None if args.quiet else bar("landmarks", len(pool)))
    shown = write_found(out, run, pool, found.landmarks(), rows)
    order = found.confidence.mean(axis=1).argsort(kind="stable")
    doubtful = [i for i in order if i not in rows][:DOUBTFUL]
    if args.json:
        print(
            json.dumps(
                {
                    "images": len(pool),
                    "landmarks": len(found.names),
                    "templates": found.templates[: len(rows)],
                    "carriers": detector.carriers_,
                    "rule": args.rule,
                    "mode": args.mode,
                    "views": detector.views,
                    "file": str(out),
                    "confidence": float(found.confidence.mean()),
                    "least_confident": {
                        found.ids[i]: float(found.confidence[i].mean()) for i in doubtful
                    },
                },
                indent=1,
            )
        )
        return 0
    count = "1 template" if len(rows) == 1 else f"{len(rows)} templates"
    carriers = f", and {len(detector.carriers_)} carriers" if detector.carriers_ else ""
    print(
        f"{len(found.names)} landmarks in {len(pool)} images from {count}: "
        f"{', '.join(found.templates[: len(rows)])}{carriers}"
    )
    if doubtful:
        words = [f"{found.ids[i]} ({found.confidence[i].mean():.2f})" for i in doubtful]
        print("least confident, to look at first:", ", ".join(words))
    print(f"landmarks in {out}" + (f"; pictures in {run / REPORT}" if shown else ""))
    if pool.landmarks is not None:
        words = ["scp", "evaluate", str(out), args.images, *data_words(args)]
        print("to measure:", shlex.join(words), file=sys.stderr)
    return 0
