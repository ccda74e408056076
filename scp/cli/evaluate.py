"""The command line's part that measures: scp evaluate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..landmarks import Landmarks
from ..landmarks.names import visible
from .arguments import (
    add_data,
    file_options,
    names,
    no_effect,
    open_data,
    say_next,
    size,
    spacing_argument,
)

SPACED = ("folder", "table", "coco")  # kinds of images that --spacing is for
MOST_ROWS = 40  # of the table of landmarks
LOOKED_AT = 20  # points of the largest errors, whose images are named


def add_evaluate(commands) -> None:
    """The parser of scp evaluate."""
    verb = commands.add_parser(
        "evaluate",
        help="how far predicted landmarks are from the true ones",
        description="Compare a file of landmarks with the true ones: mean radial error, detection "
        "rates, worst cases. The second argument is the root of a data set with landmarks, or a "
        "file of landmarks (with --spacing, if the errors shall be in mm).",
    )
    verb.set_defaults(run_command=run_evaluate)
    verb.add_argument("landmarks", help="predicted: CSV or COCO key points")
    add_data(verb, "landmarks")
    how = verb.add_argument_group("measuring")
    how.add_argument(
        "--radii",
        type=numbers,
        metavar="R,R,...",
        help="of the detection rates (default 2,2.5,3,4 mm; 5,10,20,40 px; 2,5,8,10 %%)",
    )
    how.add_argument("--unit", choices=["mm", "px"], help="default: mm where the spacing is known")
    how.add_argument(
        "--grid",
        type=size,
        metavar="S",
        help="the paper's way: whole pixels of a grid, 384 or 768x384 (hands: the "
        "width of the wrist on that grid)",
    )
    how.add_argument(
        "--normalise",
        type=pair,
        metavar="A,B",
        help="percent of the distance between two landmarks counted from 0, with "
        "FR@10 and AUC (faces: 60,72)",
    )
    how.add_argument(
        "--exclude",
        type=names,
        default=[],
        metavar="IDS",
        help="to leave out, such as the templates; @FILE: one id a line",
    )
    how.add_argument(
        "--resamples",
        type=int,
        default=10_000,
        metavar="N",
        help="of the intervals (default 10000)",
    )
    how.add_argument("--seed", type=int, default=0)
    output = verb.add_argument_group("output")
    where = output.add_mutually_exclusive_group()
    where.add_argument("--run", metavar="DIR", help="run folder to write to")
    where.add_argument("--out", metavar="DIR", help="another folder to write to")
    output.add_argument("--no-pictures", action="store_true", help="no pictures of the worst cases")
    output.add_argument("--json", action="store_true", help="print metrics.json")


def numbers(text: str) -> tuple[float, ...]:
    """Argument type: "2,2.5,3,4"."""
    from ..evaluation.metrics import check_radii

    try:
        return check_radii([float(part) for part in text.split(",")])
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of different positive numbers like 2,2.5,3,4"
        ) from None


def pair(text: str) -> tuple[int, int]:
    """Argument type: "60,72"."""
    try:
        a, b = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not two numbers like 60,72") from None
    return a, b


def run_evaluate(args) -> int:
    from ..evaluation import evaluate
    from ..evaluation.metrics import RADII_OF
    from ..run.next import after_evaluation
    from ..runs import holding

    folder = args.run or args.out
    if not folder:
        no_effect(args, "without --run or --out: no file is written", "no_pictures")
    truth, rest = _truth(args)
    predicted = _predicted(args, truth)
    if args.unit == "px":
        rest.pop("grid_spacing", None)
    unit = "%" if args.normalise else args.unit or ("mm" if _has_spacing(truth, rest) else "px")
    result = evaluate(
        predicted,
        truth,
        unit=args.unit,
        radii=args.radii or RADII_OF[unit],
        grid=args.grid,
        pair=args.normalise,
        exclude=args.exclude,
        resamples=args.resamples,
        random_state=args.seed,
        **rest,
    )
    with holding(args.run):
        written = result.write(folder, pictures=not args.no_pictures) if folder else []
    if args.json:
        print(json.dumps(result.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        return 0
    show(result)
    if result.unit == "mm" and hasattr(truth, "spacing_note") and truth.spacing_note():
        print(f"spacing: {truth.spacing_note()}")
    if written:
        print(f"files in {folder}; open {Path(folder, 'evaluation.html')}")
    page = Path(folder, "evaluation.html") if written else None
    worst = [result.ids[i] for i, _ in result.worst(LOOKED_AT)]
    pictures = result.images is not None and not args.no_pictures
    free = args.unit is args.grid is args.radii is None and args.dataset in SPACED
    pixels = unit == "px" and free
    again = args.command_text
    say_next(after_evaluation(worst, Path(args.landmarks), page, again, pictures, pixels))
    return 0


def _truth(args):
    """The data set or landmarks to compare with, and further arguments of `evaluate`."""
    from ..landmarks import read_landmarks

    if args.dataset != "folder" or not Path(args.images).is_file():
        truth, rest = open_data(args), {}
        if truth.landmarks is None:
            raise ValueError(
                f"{args.images}: the {truth.name} data set has no landmarks to compare with; give "
                "the file of the true ones instead, or --dataset table --annotations FILE"
            )
        if args.dataset == "hand" and args.grid is not None:
            rest = _wrist(truth, args)
        return truth, rest
    from ..datasets.spacing import spacing_of

    of_images = ("split", "annotator", "annotations", "unmatched", "sizes", "subset", "on_error")
    no_effect(args, f"where {args.images}, a file, has the true landmarks", *of_images)
    no_effect(args, f"where no images are known: {args.images} is a file", "no_pictures")
    truth = read_landmarks(args.images, **file_options(args))
    spacing = spacing_of(spacing_argument(args.spacing), truth.ids)
    return truth, {} if spacing is None else {"spacing": spacing}


def _predicted(args, truth):
    """The landmarks that are measured. Options of files are theirs where the truth has no file of
    landmarks that they are of."""
    from ..landmarks import read_landmarks
    from ..landmarks.read import needs_images

    if isinstance(truth, Landmarks) or args.dataset in ("coco", "table"):
        return read_landmarks(args.landmarks)
    options = file_options(args, args.landmarks)
    needed = needs_images(args.landmarks, options["format"], options["units"])
    return read_landmarks(args.landmarks, images=truth if needed else None, **options)


def _wrist(truth, args) -> dict:
    """How the released code measures hands on its grid."""
    from ..datasets.hand import WRISTS
    from ..evaluation.metrics import wrist_spacing

    pair, grid = WRISTS.get(args.spacing, WRISTS["wrist"]), args.grid
    shapes = [truth.shape(n) for n in range(len(truth))]
    spacing = wrist_spacing(truth.landmarks, pair=pair, way="grid", shape=shapes, size=grid)
    return {"rule": "round", "grid_spacing": spacing}


def _has_spacing(truth, rest: dict) -> bool:
    known = getattr(truth, "spacing", None) is not None
    return known or "spacing" in rest or "grid_spacing" in rest


def show(result) -> None:
    """A short table for people."""
    low, high = result.mre_interval
    level = f"{result.level:.0%}"
    name = "NME" if result.unit == "%" else "MRE"
    print(
        f"{len(result.ids)} images, {len(result.names)} landmarks; {result.count} compared, "
        f"{result.missing} not predicted, {result.absent} without truth"
    )
    if result.grid:
        rows, columns = result.grid["size"]
        print(
            f"the paper's way: whole pixels of a grid of {rows} x {columns}, truth "
            f"{result.grid['rule']}"
        )
    print(
        f"{name} {result.mre:.3f} {result.unit} ({level} interval {low:.3f} to {high:.3f}), "
        f"median {result.median:.3f}"
    )
    for r, rate, (low, high) in zip(
        result.radii, result.rates, result.rates_intervals, strict=True
    ):
        print(f"below {r:g} {result.unit}: {rate:.1f} % ({level} interval {low:.1f} to {high:.1f})")
    if result.faces:
        print(
            f"FR@10 {result.faces['failure_rate']:.2f} %, "
            f"AUC {result.faces['area_under_curve']:.3f}"
        )
    table = result.by_landmark()
    wide = max(8, *(len(name) for name in result.names[:MOST_ROWS]))
    print(
        f"\n{'landmark':{wide}} {'mean':>8} {'median':>8} {'largest':>8}  "
        + " ".join(f"{f'<{r:g}':>7}" for r in result.radii)
    )
    for k, name in enumerate(map(visible, result.names[:MOST_ROWS])):
        rates = " ".join(f"{v:6.1f}%" for v in table.rates[k])
        print(
            f"{name:{wide}} {table.mean[k]:8.3f} {table.median[k]:8.3f} {table.largest[k]:8.3f}  "
            f"{rates}"
        )
    if len(result.names) > MOST_ROWS:
        print(f"... and {len(result.names) - MOST_ROWS} further landmarks")
    print("\nworst:")
    for i, k in result.worst(5):
        where = f"{result.ids[i]}  {result.names[k]}"
        print(f"  {visible(where)}  {result.errors[i, k]:.2f} {result.unit}")
    for text, ids in (
        ("left out, no true landmark", result.left_out),
        ("not predicted", result.not_predicted),
        ("left out, marked by a person or excluded", result.excluded),
        ("left out, no spacing", result.without_spacing),
    ):
        if ids:
            more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
            print(f"{text}: {', '.join(map(visible, ids[:5]))}{more}")
