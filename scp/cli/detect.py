"""scp detect: landmarks of a few annotated images, found in all the others."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

from ..detection.absent import LIKELY
from ..landmarks import CORRECTED, FOUND, MARKED, read_landmarks
from ..landmarks.edits import ledger_of
from ..landmarks.names import visible
from ..runs.folder import LANDMARKS, MARKS, REPORT, SELECTION
from .arguments import (
    FILE_OPTIONS,
    add_data,
    add_features,
    add_output,
    data_words,
    features_said,
    file_options,
    given_words,
    names,
    open_data,
    run_path,
    say_next,
    shell_of,
    usual,
)
from .workers import add_workers, workers_of

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
    add_data(detect, "templates")
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
        help=f"how many sizes of each image are compared, 1 to {len(VIEWS)}: 1, 1.25, .. times "
        "that of the training (default: all with trained features, 1 with gradients)",
    )
    add_pool_arguments(how)
    add_features(how)
    output = add_output(detect, "a summary as JSON")
    output.add_argument("--out", metavar="FILE", help="instead of landmarks.csv in the run folder")
    add_workers(detect)


def add_pool_arguments(group) -> None:
    """What is learned from images without labels; `pool_options` reads it."""
    from ..detection.detector import PSEUDO_TEMPLATES

    group.add_argument(
        "--pseudo-templates",
        type=int,
        metavar="C",
        help="images that vote too, with the places found in them, those of most "
        f"confidence (default: {PSEUDO_TEMPLATES} for one template, else 0)",
    )
    group.add_argument(
        "--alone",
        action="store_true",
        help="decide each landmark alone, not by its usual place beside the others",
    )
    group.add_argument(
        "--every",
        action="store_true",
        help="a place for every landmark, also where it is probably not in the image",
    )


def pool_options(args) -> dict:
    """Arguments of `Run.detect`."""
    return {
        "pseudo_templates": args.pseudo_templates,
        "together": False if args.alone else None,
        "every": args.every,
    }


def add_templates(parser) -> None:
    """Arguments that say which images are annotated; `open_templates` reads them."""
    which = parser.add_argument_group(
        "templates: annotated images (default: what is filled in in marks.csv of the run folder; "
        "else those that scp select chose, with the landmarks of the data set)"
    )
    which.add_argument(
        "--templates",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="their landmarks: CSV, COCO JSON, or what an annotation tool or the page of scp "
        "annotate saved; of a point in several files the last counts",
    )
    which.add_argument(
        "--template-ids",
        type=names,
        metavar="IDS",
        help="images of the data set, which has their landmarks; @FILE: one id a line; with "
        "--templates: these first",
    )
    for action in parser._actions:
        if action.dest == "images":  # may stand behind --templates: `images_last`
            action.required = False


def images_last(args) -> bool:
    """Where no images are given but several --templates, the last of these is the images: it stood
    behind them. Whether the images are known."""
    if not hasattr(args, "templates"):
        return True
    files = args.templates or []
    if args.images is None and len(files) > 1 and Path(files[-1]).is_dir():
        args.images = files.pop()
    return args.images is not None


def open_templates(args, run):
    """The annotated images that the arguments name: a Dataset with their landmarks, and what
    `Run.detect` takes as templates."""
    own = None
    if args.template_ids is not None:
        if run.dataset.landmarks is None:
            raise ValueError("--templates FILE is needed: these images come without landmarks")
        own = run.annotated(run.dataset.rows(args.template_ids, "--template-ids"))
    if args.templates is not None:
        given = _all_templates(args, run.dataset, own)
        with _naming(args.templates):
            return run.annotated(given), given
    if own is not None:
        return own, own
    if not run.has_marks():
        chosen, marks = Path(run.path, SELECTION).is_file(), run.path / MARKS
        select = shell_of(args, run.path).command("select")
        if run.dataset.landmarks is None:
            how = f"fill in {marks}" if chosen else f"fill in {marks}; it is written by: {select}"
            raise ValueError(
                f"these images come without landmarks: --templates FILE is needed, or {how}"
            )
        if not chosen:
            raise ValueError(
                f"there is no {run.path / SELECTION}: give --templates FILE or --template-ids, "
                f"or run scp select first: {select}"
            )
    return run.annotated(), None


def templates_said(images) -> str:
    return "1 template" if len(images) == 1 else f"{len(images)} templates"


def template_words(args) -> list[str]:
    """The arguments of `add_templates` again, as words of another command."""
    words = given_words(args, "template_ids")
    words += ["--templates", *args.templates] if args.templates else []
    data = data_words(args)  # what is of the data set is there already
    for name in FILE_OPTIONS:
        words += given_words(args, name) if words and f"--{name}" not in data else []
    return words


def _all_templates(args, images, own):
    """The landmarks of all files of --templates, and before them the data set's own; which of them
    were replaced is said."""
    from ..landmarks import Landmarks, hand_marks, merged, under

    files, tables = list(args.templates), []
    for file in files:
        table = _read_templates(args, file, images)
        if own is None and len(files) == 1:
            return table
        with _naming([file]):
            tables.append(under(hand_marks(table), images.ids))
    if own is not None:
        files.insert(0, "the data set")
        tables.insert(0, hand_marks(Landmarks.of(own)))
    whole, replaced = merged(tables)
    for (earlier, later), count in sorted(replaced.items()):
        points = "1 point" if count == 1 else f"{count} points"
        text = f"{points} of {files[earlier]} replaced by those of {files[later]}"
        print(visible(text), file=sys.stderr)
    return whole


@contextlib.contextmanager
def _naming(files):
    """Errors of what is in files name the file, or the last of them."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        named = any(file in text for file in files)
        raise ValueError(text if named else f"{files[-1]}: {text}") from None


def _read_templates(args, file, images):
    return read_landmarks(file, images=images, **file_options(args, file))


def keep_templates(args, out: Path) -> None:
    """ValueError where the landmarks found would take the place of the templates' own. A file that
    says by whom each point is keeps those that a person gave."""
    for file in args.templates or ():
        if not out.exists() or not os.path.exists(file) or not os.path.samefile(file, out):
            continue
        if not ledger_of(out).is_file() or not read_landmarks(out).by_hand.any():
            raise ValueError(
                f"{out}: the landmarks found would overwrite those of the templates; copy that "
                "file (points corrected in it are used without --templates too)"
            )


def run_detect(args) -> int:
    from ..features import extractor_for
    from ..run import Run

    pool = open_data(args)
    folder = run_path(args, pool)
    extractor = extractor_for(
        folder, args.features, args.size, None, args.model, feature_ids=args.feature_ids
    )
    workers = workers_of(args)
    run = Run(pool, folder, features=extractor, progress=not args.quiet, workers=workers)
    run.shell = shell_of(args, folder, *template_words(args))
    _, given = open_templates(args, run)
    out = Path(args.out) if args.out else folder / LANDMARKS
    keep_templates(args, out)
    for line in () if args.json else features_said(run):
        print(line, flush=True)
    found = run.detect(
        given,
        rule=args.rule,
        mode=args.mode,
        views=args.views,
        out=args.out,
        **pool_options(args),
    )
    for text in run.image_warnings():
        print(f"warning: {visible(text)}", file=sys.stderr)
    if args.json:
        print(json.dumps(_summary(args, found, out), indent=1))
        return 0
    templates, corrected, others = _kinds(found)
    more = f", {len(corrected)} corrected by hand" if corrected else ""
    more += f", and {len(others)} pseudo-templates" if others else ""
    print(
        f"{len(found.names)} landmarks in {len(pool)} images from {templates_said(templates)}: "
        f"{', '.join(map(visible, templates))}{more}"
    )
    tell_found(run, found, args.out)
    return 0


def _kinds(found) -> tuple[list[str], list[str], list[str]]:
    """Templates of a detection: annotated ones, others in which a point was corrected, and
    pseudo-templates."""
    kinds = {}
    for source in (CORRECTED, MARKED):
        rows = (found.source == source).any(axis=1)
        kinds |= {i: source for i, there in zip(found.ids, rows, strict=True) if there}
    ids = found.templates
    return tuple([i for i in ids if kinds.get(i) == k] for k in (MARKED, CORRECTED, None))


def _summary(args, found, out: Path) -> dict:
    templates, corrected, others = _kinds(found)
    seen = found.source == FOUND
    first = found.least_certain(DOUBTFUL)
    return {
        "images": len(found),
        "landmarks": len(found.names),
        "templates": templates,
        "corrected": corrected,
        "pseudo_templates": others,
        "rule": args.rule,
        "mode": args.mode,
        "views": found.votes.shape[1],
        "file": str(out),
        "confidence": float(found.confidence[seen].mean()) if seen.any() else None,
        "absent": int((~found.present & ~found.by_hand).sum()),
        "least_certain": {
            found.ids[i]: float(found.error[i][seen[i]].mean()) if seen[i].any() else None
            for i in first
        },
    }


def _doubtful(found, i: int, seen) -> str:
    """How uncertain image i is, in words."""
    import numpy as np

    if not seen.any():
        return "nothing found"
    errors = None if found.error is None else found.error[i][seen]
    if errors is not None and (known := errors[errors > 0]).size:
        return f"{np.exp(np.log(known).mean()):.1f} px off"  # as `Landmarks.doubt` has it
    return f"{found.confidence[i][seen].mean():.2f}"


def tell_absent(found) -> None:
    """How many landmarks are probably not in their images."""
    if found.presence is None:
        return
    counts = (~found.present & ~found.by_hand & (found.presence < LIKELY)).sum(axis=1)
    if total := int(counts.sum()):
        points = "1 landmark is" if total == 1 else f"{total} landmarks are"
        first = (-counts).argsort(kind="stable")[: min(DOUBTFUL, int((counts > 0).sum()))]
        most = ", ".join(f"{visible(found.ids[i])} ({counts[i]})" for i in first)
        print(
            f"{points} probably not in the image, and without a place (--every gives one): {most}"
        )


def tell_found(run, found, out: str | None = None, refined: bool = False) -> None:
    """What was found, what it is worth, and what to do next."""
    if run.extractor.hardly_trained:
        print(f"warning: {run.extractor.hardly_trained}", file=sys.stderr)
    seen = found.source == FOUND
    first = found.least_certain(DOUBTFUL)
    if first:
        words = [f"{visible(found.ids[i])} ({_doubtful(found, i, seen[i])})" for i in first]
        print("least certain, to look at first:", ", ".join(words))
    tell_absent(found)
    if count := int((found.source == CORRECTED).sum()):
        points = "1 point that was" if count == 1 else f"{count} points that were"
        print(f"kept and used: {points} corrected by hand")
    shown = out is None and (run.path / REPORT).is_file()
    pictures = f"; pictures in {run.path / REPORT}" if shown else ""
    print(f"landmarks in {out or run.path / LANDMARKS}{pictures}")
    say_next(run.next_steps(found, out, refined))
