"""scp annotate: a page on which landmarks are marked and corrected in a browser."""

from __future__ import annotations

from ..landmarks.names import visible
from .arguments import (
    add_data,
    byte_count,
    file_options,
    landmark_source,
    names,
    open_data,
    run_path,
    say_next,
    shell_of,
)

MOST_SMALLER = 5  # images that are named in a list


def add_annotate(commands) -> None:
    """The parser of scp annotate."""
    from ..annotate import PAGE_SIZE
    from ..run.marks import BUILT_IN

    verb = commands.add_parser(
        "annotate",
        help="a page on which landmarks are marked in the browser",
        description="Write annotate.html into the run folder: one file that works without a "
        "network, on which the landmarks of the chosen images are marked, or those that scp detect "
        "found are corrected. It saves a CSV that scp detect --templates reads.",
    )
    verb.set_defaults(run_command=run_annotate)
    add_data(verb, "initial")
    what = verb.add_argument_group("which images and landmarks")
    which = what.add_mutually_exclusive_group()
    which.add_argument(
        "--images",
        dest="shown",
        type=names,
        metavar="IDS",
        help="these, instead of the chosen ones; @FILE: one id a line",
    )
    which.add_argument(
        "--least-certain",
        type=int,
        metavar="N",
        help="the N images in which scp detect is least certain, with what was found",
    )
    what.add_argument(
        "--landmarks",
        type=landmark_source,
        default=[],
        metavar="NAMES",
        help="a file with one name a line, a file of landmarks, names with commas between, how "
        f"many there are, or {', '.join(BUILT_IN)}; default: those of marks.csv or landmarks.csv",
    )
    what.add_argument("--initial", metavar="FILE", help="further points to begin with")
    what.add_argument(
        "--page-size",
        type=byte_count,
        default=PAGE_SIZE,
        metavar="SIZE",
        help=f"of the page at most (default {PAGE_SIZE >> 20}M); images that do not fit are shown "
        "smaller, points stay exact",
    )
    what.add_argument("--run", metavar="DIR", help="run folder (default runs/NAME of the images)")
    what.add_argument(
        "-o", "--out", metavar="FILE", help="default: annotate.html in the run folder"
    )


def run_annotate(args) -> int:
    from ..landmarks import read_landmarks
    from ..run.annotating import annotate_run
    from ..run.next import after_annotating, with_features_of

    pool = open_data(args)
    folder = run_path(args, pool)
    initial = None
    if args.initial is not None:
        initial = read_landmarks(args.initial, images=pool, **file_options(args, args.initial))
    page = annotate_run(
        folder,
        pool,
        args.shown,
        least_certain=args.least_certain,
        landmarks=args.landmarks,
        initial=initial,
        page_size=args.page_size,
        out=args.out,
    )
    points = page.points
    hand = int(points.by_hand.sum())
    found = int((points.present & ~points.by_hand).sum())
    print(
        f"{len(points)} images, {len(points.names)} landmarks: {hand} points are marked, {found} "
        f"found, {points.present.size - hand - found} open; {page.size / 2**20:.1f} MB"
    )
    if page.smaller:
        said = [
            f"{visible(name)} ({w} x {h} of {width} x {height})"
            for name, ((height, width), (h, w)) in list(page.smaller.items())[:MOST_SMALLER]
        ]
        more = ", ..." if len(page.smaller) > MOST_SMALLER else ""
        print(
            f"shown smaller than they are, points stay exact: {', '.join(said)}{more}; "
            "--page-size allows more"
        )
    print(f"page in {visible(str(page.path))}")
    say_next(after_annotating(folder, page, with_features_of(folder, shell_of(args, folder))))
    return 0
