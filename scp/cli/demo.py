"""scp demo: the whole path on generated radiographs."""

from __future__ import annotations

import shlex
import sys

from ..runs.folder import WEIGHTS
from .arguments import counts, no_effect, program, run_folder, say_next
from .select import add_choice_output, add_method, check_choice, choose, open_run
from .train import fit

# Steps, not minutes: the same result on every machine. In so short a time small images teach more.
DEMO_STEPS, DEMO_SIZE = 650, (192, 192)


def add_demo(commands) -> None:
    """The parser of scp demo."""
    demo = commands.add_parser(
        "demo",
        help="the whole path on generated radiographs",
        description="Train on 40 generated radiographs, choose 5 of them, write a report, and find "
        "their landmarks in all the others.",
    )
    demo.set_defaults(run_command=run_demo)
    demo.add_argument("-m", type=counts, default=[5], metavar="M")
    demo.add_argument("-n", type=int, default=40, help="images to generate (default 40)")
    length = demo.add_mutually_exclusive_group()
    length.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help=f"of training; 0: none (default {DEMO_STEPS}, about half a minute on 2 cores)",
    )
    length.add_argument(
        "--minutes",
        type=float,
        metavar="T",
        help="of training, instead; 0: none. What comes of it depends on the machine",
    )
    demo.add_argument("--fresh", action="store_true", help="train anew")
    add_method(demo)
    add_choice_output(demo)


def run_demo(args) -> int:
    from ..datasets import phantom
    from ..runs import holding

    if args.n < 2:
        raise ValueError(f"-n must be at least 2, got {args.n}")
    pool = phantom(args.n, seed=args.seed)
    folder = args.run = run_folder(args, pool, "demo")
    with holding(folder):
        return _demo(args, pool, folder)


def _demo(args, pool, folder) -> int:
    from ..features import FeatureExtractor

    given = args.features == "gradient" or args.model is not None
    length = {"steps": DEMO_STEPS} if args.steps is None else {"steps": args.steps}
    length = length if args.minutes is None else {"minutes": args.minutes}
    trains = max(length.values()) > 0 and not given
    if given and max(length.values()) > 0:
        no_effect(args, "with given features", "steps", "minutes", "fresh")
    check_choice(args)
    if trains and args.estimate:
        no_effect(args, "with --estimate, which trains nothing", "fresh")
        if not (folder / WEIGHTS).is_file():
            height, width = args.size or DEMO_SIZE
            (name, value), *_ = length.items()
            print(
                f"{args.n} images of {height} x {width} pixels, features trained for {value:g} "
                f"{name}: time and memory can be told when they are there; scp demo trains them"
            )
            return 0
    elif trains:
        extractor = FeatureExtractor(random_state=args.seed, size=args.size or DEMO_SIZE)
        length["resume"] = not args.fresh
        try:
            finished = fit(extractor, pool, folder, args, **length)
        except ValueError as error:  # the folder holds another demo's training
            print(f"training anew: {error}", file=sys.stderr)
            finished = fit(extractor, pool, folder, args, **{**length, "resume": False})
        if not finished:
            raise KeyboardInterrupt
    run = open_run(args, pool, folder)
    if choose(args, run, {}) is not None and not args.json:
        _landmarks(run)
        scp = shlex.join(program())
        say_next(
            [
                ("Features of your own images, in a folder:", f"{scp} train FOLDER --minutes 10"),
                ("Then those of them to annotate:", f"{scp} select FOLDER -m 5"),
            ]
        )
    return 0


def _landmarks(run) -> None:
    """The landmarks of the chosen radiographs in all the others, and how far they are off."""
    from ..evaluation.metrics import radial_errors

    pool, rows = run.dataset, run.chosen()
    found = run.detect(every=True)
    others = [i for i in range(len(pool)) if i not in rows]
    if not others:
        return
    errors = radial_errors(found.xy[others], pool.landmarks[others], pool.spacing[others])
    print(
        f"their {errors.shape[1]} landmarks, found in the other {len(others)} images: "
        f"{errors.mean():.2f} mm off on average ({run.path}/landmarks.csv)"
    )
