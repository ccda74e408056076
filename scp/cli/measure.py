"""scp measure: angles, distances and classes from landmarks."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

from ..landmarks.names import visible
from ..report import words
from ..runs.folder import LANDMARKS, MARKS
from .arguments import (
    FILE_OPTIONS,
    add_file_options,
    file_options,
    names,
    no_effect,
    say_next,
    spacing_argument,
)

MOST_ROWS = 60  # of the table of measurements


def add_measure(commands) -> None:
    """The parser of scp measure."""
    from ..measures import BUILT_IN

    verb = commands.add_parser(
        "measure",
        help="angles, distances and classes from landmarks",
        description="Measure angles, distances, ratios and what is made of them from landmarks by "
        "name, with an interval for each. Of a run folder its landmarks.csv is measured, and "
        "measurements.csv, .json and .html are written there and shown in its report.",
    )
    verb.set_defaults(run_command=run_measure)
    verb.add_argument("landmarks", metavar="RUN|FILE", help="a run folder, or a file of landmarks")
    what = verb.add_argument_group("what")
    what.add_argument(
        "--definitions",
        default="cephalometry",
        metavar="FILE",
        help=f"a TOML file, or {' or '.join(BUILT_IN)} (default cephalometry)",
    )
    what.add_argument("--only", type=names, default=[], metavar="NAMES", help="some of them")
    what.add_argument(
        "--spacing",
        metavar="MM",
        help="mm per pixel of the original images, 0.1 or 0.1,0.2 (sy,sx), or a CSV image,sy,sx; "
        "default: what the run folder tells",
    )
    what.add_argument("--truth", metavar="FILE", help="true landmarks, to compare with")
    add_file_options(
        verb.add_argument_group("file of landmarks (of a run folder: that of --truth)")
    )
    how = verb.add_argument_group("intervals")
    how.add_argument(
        "--level",
        type=float,
        default=0.9,
        help="share of the true values to hold (default 0.9)",
    )
    how.add_argument(
        "--error-scale",
        type=float,
        default=1.1,
        metavar="F",
        help="multiplies the expected errors of the landmarks (default 1.1)",
    )
    output = verb.add_argument_group("output")
    output.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        help="a folder, or a file .csv, .json or .html, instead of the run folder",
    )
    output.add_argument("--json", action="store_true", help="print measurements.json")


def run_measure(args) -> int:
    from ..landmarks import read_landmarks
    from ..measures import measure
    from ..run.measuring import chosen, is_run, measure_folder
    from ..run.next import after_measuring

    source = Path(args.landmarks)
    run = source if source.is_dir() and is_run(source) else None
    ours, others = file_options(args), {}
    if run is not None:
        ours, others = others, ours
        if not args.truth:
            no_effect(args, f"where {source}, a run folder, has the landmarks", *FILE_OPTIONS)
    options = {
        "spacing": spacing_argument(args.spacing),
        "truth": read_landmarks(args.truth, **others) if args.truth else None,
        "level": args.level,
        "error_scale": args.error_scale,
    }
    definitions = chosen(args.definitions, args.only)
    _keep_inputs(args, source)
    if run is not None:
        result, written = measure_folder(run, definitions, out=args.out, **options)
    else:
        result = measure(read_landmarks(source, **ours), definitions, **options)
        written = result.write(args.out) if args.out else []
    if args.json:
        print(json.dumps(result.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        return 0
    show(result)
    if written:
        print(f"\nfiles: {', '.join(map(str, written))}")
    detect = str(run / LANDMARKS) if run is not None else ""
    again = args.command_text
    say_next(after_measuring(widest(result), again, bool(written), bool(args.truth), detect))
    return 0


def _keep_inputs(args, source: Path) -> None:
    """ValueError where the measurements would take the place of what they are made of."""
    out = Path(args.out) if args.out else None
    if out is None or not out.is_file():
        return
    ours = (source, source / LANDMARKS, source / MARKS)
    for given in (*ours, args.truth, args.definitions, args.spacing):
        if given and os.path.exists(given) and os.path.samefile(given, out):
            raise ValueError(
                f"-o {out}: the measurements would overwrite {given}; give another name"
            )


def widest(result) -> list[str]:
    """Images whose intervals are wide, compared with those of the other images; widest first."""
    import numpy as np

    width = result.high - result.low
    if not np.isfinite(width).any():
        return []
    usual = np.array([np.nanmedian(c) if np.isfinite(c).any() else 1.0 for c in width.T])
    relative = np.where(np.isfinite(width), width, 0) / np.where(usual > 0, usual, 1.0)
    order = np.argsort(-relative.mean(axis=1), kind="stable")
    return [result.ids[i] for i in order[:20] if relative[i].any()]


def show(result) -> None:
    """A short table for people."""
    kinds, images = words.count(len(result.names), "measurement"), words.count(len(result), "image")
    print(f"{visible(result.definitions.title)}: {kinds} of {images}")
    wide = max(11, *(len(name) for name in result.names[:MOST_ROWS]))
    intervals = (result.high - result.low) / 2
    head = f"\n{'measurement':{wide}} {'unit':>4} {'images':>6} {'mean':>9} {'sd':>8} {'+-':>8}"
    print(f"{head}  classes")
    classes = result.classes
    for k, (name, unit, count, mean, sd) in enumerate(result.summary()[:MOST_ROWS]):
        half = _median(intervals[:, k])
        labels = dict.fromkeys(c.name for c in result.measures[k].classes)
        counts = "  ".join(f"{visible(n)}: {int((classes[:, k] == n).sum())}" for n in labels)
        cells = " ".join(f"{_shown(v, unit):>{w}}" for v, w in ((mean, 9), (sd, 8), (half, 8)))
        print(f"{visible(name):{wide}} {unit:>4} {count:6} {cells}  {counts}".rstrip())
    if len(result.names) > MOST_ROWS:
        print(f"... and {len(result.names) - MOST_ROWS} further measurements")
    if math.isfinite(_median(intervals.ravel())):
        print(f"+-: half of the {result.level:.0%} interval of one value, median of the images")
    else:
        print("no intervals: these landmarks have no expected errors, as those of scp detect do")
    for text in result.remarks:
        print(f"note: {visible(text)}")
    for name, marks in result.missing.items():
        print(f"not measured: {visible(name)}: no image has {', '.join(map(visible, marks))}")
    lost = {n: c for n, c in result.empty.items() if n not in result.missing}
    if lost:
        said = ", ".join(f"{visible(n)} in {c}" for n, c in list(lost.items())[:8])
        print(f"empty, as a landmark (or, of a length, the spacing) is absent: {said}")
    if result.agreement is not None:
        show_agreement(result.agreement)


def show_agreement(agreement) -> None:
    """Measured against true values."""
    left = (
        f", {len(agreement.excluded)} with landmarks by hand left out" if agreement.excluded else ""
    )
    more = f", {len(agreement.without_truth)} without truth" if agreement.without_truth else ""
    print(f"\nmeasured minus true, {len(agreement.ids)} images{left}{more}:")
    wide = max(11, *(len(name) for name in agreement.names[:MOST_ROWS]))
    print(
        f"{'measurement':{wide}} {'mean':>8} {'sd':>8} {'limits of agreement':>22} {'in it':>7} "
        f"{'success':>8} {'right':>7}"
    )
    for row in agreement.summary()[:MOST_ROWS]:
        unit = row["unit"]
        limits = f"{_shown(row['low'], unit)} to {_shown(row['high'], unit)}"
        print(
            f"{visible(row['name']):{wide}} {_shown(row['mean'], unit):>8} "
            f"{_shown(row['sd'], unit):>8} {limits:>22} {_percent(100 * row['coverage']):>7} "
            f"{_percent(row['success']):>8} {_percent(row['right']):>7}"
        )
    if math.isfinite(agreement.coverage):
        print(
            f"in it: the {agreement.level:.0%} interval holds the true value; of all "
            f"{_percent(100 * agreement.coverage)} (with --error-scale "
            f"{agreement.needed_scale:.2f} {agreement.level:.0%})"
        )
    if math.isfinite(agreement.mean_success):
        print(
            "success: mean of the diagonal of the confusion matrix, as the ISBI 2015 challenge; "
            f"mean {_percent(agreement.mean_success)}; right: images in their class"
        )


def _median(values) -> float:
    import numpy as np

    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan


def _shown(value: float, unit: str) -> str:
    return f"{value:.{2 if unit else 3}f}" if math.isfinite(value) else "-"


def _percent(value: float) -> str:
    return f"{value:.1f}%" if math.isfinite(value) else "-"
