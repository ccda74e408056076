"""The command line's part that makes the paper's tables and figures again: scp reproduce."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time

from ..progress import LINE_SECONDS
from ..runs.folder import WEIGHTS
from .arguments import (
    add_output,
    counts,
    given_words,
    no_effect,
    say_next,
    size,
    usual,
)
from .train import fit

WHAT = ("table1", "table2", "table4", "table5", "fig1", "fig4", "fig5", "fig6")
_SINGLE = {"fig1", "fig5", "fig6"}  # of templates alone
MINUTES = 60.0  # of training where the run folder has no features
MINUTES4, SEEDS4, SEEDS5 = 10.0, 2, 10  # trainings of table4, searches of table5
REFINE_MINUTES = 10.0


def add_reproduce(commands) -> None:
    """The parser of scp reproduce."""
    from ..detection import RULES, VIEWS
    from ..experiments.study import CANDIDATES, DIRECTIONS, EVALUATIONS, KEYPOINTS_OF, Options
    from ..networks import PRESETS
    from ..selection import METHODS

    default = usual(Options)
    verb = commands.add_parser(
        "reproduce",
        help="the paper's tables and figures, with its numbers beside",
        description="Make tables and figures of the paper again. What is missing is made first and "
        "kept in the run folder: features (trained on the pool), similarity, matches, refinements. "
        "What was stopped goes on when the same command is given again. Results go to "
        "RUN/reproduce as .md, .csv and .svg.",
    )
    verb.set_defaults(run_command=run_reproduce)
    verb.add_argument(
        "what", nargs="+", choices=[*WHAT, "all"], metavar="WHAT", help=f"{', '.join(WHAT)} or all"
    )
    data = verb.add_argument_group("data")
    data.add_argument("--dataset", choices=["cephalometric", "phantom"], default="cephalometric")
    data.add_argument("--root", metavar="DIR", help="of the cephalograms")
    data.add_argument(
        "--images",
        type=int,
        metavar="N",
        help="phantom: training images, and as many test images (default 40)",
    )
    features = verb.add_argument_group("features")
    features.add_argument("--preset", default="laptop", choices=list(PRESETS))
    features.add_argument("--features", default="trained", choices=["trained", "gradient"])
    features.add_argument(
        "--minutes",
        type=float,
        metavar="T",
        help=f"of training, where the run folder has no features (default {MINUTES:g}), and of "
        f"each training of table4 (default {MINUTES4:g})",
    )
    features.add_argument("--size", type=size, metavar="S", help="of the images (default 384)")
    how = verb.add_argument_group("measuring")
    how.add_argument(
        "--evaluation",
        default=default["evaluation"],
        choices=EVALUATIONS,
        help="paper: in the training images, templates among them, on the grid, Eq. "
        "3; honest: in test images without duplicates, original pixels",
    )
    how.add_argument(
        "-m",
        type=_sizes,
        metavar="M,M",
        help="numbers of templates (default: table1, table4 1-5; table2 1,5,10,25; table5 "
        "and fig4 take the largest, 5)",
    )
    how.add_argument(
        "--draws", type=int, default=default["draws"], help="random sets (default 1000)"
    )
    how.add_argument("--rule", default=default["rule"], choices=RULES)
    how.add_argument(
        "--views",
        type=int,
        metavar="V",
        choices=range(1, len(VIEWS) + 1),
        help="sizes of each image that vote by the rule, as in scp detect (default: all)",
    )
    how.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help=f"table4: of the trainings (default {SEEDS4}); table5: of the searches (default "
        f"{SEEDS5})",
    )
    how.add_argument("--seed", type=int, default=0)
    choosing = verb.add_argument_group("choosing (defaults: the paper's text)")
    choosing.add_argument("--method", default=default["method"], choices=METHODS)
    choosing.add_argument(
        "--searches",
        type=int,
        default=default["searches"],
        metavar="N",
        help="of random (paper 100000, released code 400000)",
    )
    choosing.add_argument(
        "--direction",
        default=default["direction"],
        choices=DIRECTIONS,
        help="code: key points of the templates are searched in the images, as "
        "in the released code",
    )
    choosing.add_argument(
        "--candidates",
        default=default["candidates"],
        choices=CANDIDATES,
        help="without-first: the first image is never chosen for M > 1, as in the released code",
    )
    choosing.add_argument(
        "--keypoints-of",
        default=default["keypoints_of"],
        choices=KEYPOINTS_OF,
        help="first: all images have the key points of the first, as in the released code",
    )
    choosing.add_argument(
        "--max-nodes", type=int, default=default["max_nodes"], help="of the exact search"
    )
    refine = verb.add_argument_group("refinement (table2)")
    refine.add_argument(
        "--refine-minutes",
        type=float,
        default=REFINE_MINUTES,
        metavar="T",
        help=f"of training for each M; 0: matching only (default {REFINE_MINUTES:g})",
    )
    refine.add_argument("--rounds", type=int, default=1)
    scn = verb.add_argument_group("networks that see the labels alone (table2)")
    scn.add_argument(
        "--scn",
        choices=("scn", "scn-reduced", "unet"),
        help="train this network on M labelled images alone, for each M and for all images; hours",
    )
    scn.add_argument("--scn-steps", type=int, metavar="N", help="default: the network's")
    add_output(verb, None, "runs/reproduce-DATASET")


def run_reproduce(args) -> int:
    from .. import experiments
    from ..runs import RunFolder

    wanted = list(WHAT) if "all" in args.what else list(dict.fromkeys(args.what))
    check_options(args, set(wanted))
    options = experiments.Options(
        evaluation=args.evaluation,
        rule=args.rule,
        views=args.views,
        draws=args.draws,
        random_state=args.seed,
        method=args.method,
        searches=args.searches,
        max_nodes=args.max_nodes,
        direction=args.direction,
        candidates=args.candidates,
        keypoints_of=args.keypoints_of,
    )
    run = RunFolder(args.run or os.path.join("runs", f"reproduce-{args.dataset}"))
    with run.holding():
        return _reproduce(args, run, wanted, options)


def check_options(args, wanted: set[str]) -> None:
    """ValueError names an option that would do nothing."""
    if "table1" not in wanted:
        no_effect(args, "without table1", "draws")
    if not wanted & {"table4", "table5"}:
        no_effect(args, "without table4 and table5", "seeds")
    if "table5" not in wanted and args.method != "exact":
        no_effect(args, "without table5 where --method is not exact", "max_nodes")
    if "table2" not in wanted:
        no_effect(args, "without table2", "refine_minutes", "rounds", "scn", "scn_steps")
    elif not args.refine_minutes > 0:
        no_effect(args, "with --refine-minutes 0", "rounds")
    if args.scn is None:
        no_effect(args, "without --scn", "scn_steps")
    if args.method != "random":
        no_effect(args, "where --method is not random", "searches")
    if wanted <= _SINGLE:
        no_effect(args, f"in {', '.join(sorted(wanted))}: M = 1", "m", "candidates")
    if args.features == "gradient":
        no_effect(args, "with --features gradient", "minutes")
        if "table2" not in wanted or not args.refine_minutes > 0:
            no_effect(args, "with --features gradient", "preset")


def _reproduce(args, run, wanted, options) -> int:
    from .. import experiments
    from ..features import FeatureExtractor
    from ..runs import RunFolder

    needs_test = args.evaluation != "paper" or bool({"table2", "fig4"} & set(wanted))
    progress = not args.quiet
    data = experiments.load(
        args.dataset,
        args.root,
        images=args.images,
        test=needs_test,
        folder=RunFolder(run / "reproduce"),
        progress=progress,
    )
    largest = _largest(args, wanted)
    if largest > len(data.train):
        raise ValueError(f"M = {largest}: the pool holds {len(data.train)} images; see -m")
    if wanted == ["table4"] and args.features == "trained":
        extractor = FeatureExtractor(preset=args.preset, size=args.size)  # it trains its own
    else:
        extractor = _features(args, data, run.path)
    study = experiments.Study(data, extractor, run, options, progress)
    for name in wanted:
        result = _make(args, study, name)
        files = result.write(study.folder)
        print(result.text())
        print(f"written to {study.folder.path}: {', '.join(files)}\n", flush=True)
    say_next(_next(args, run, study, wanted))
    return 0


def _next(args, run, study, wanted) -> list[tuple[str, str]]:
    """What to do next, as in `scp.run.next`."""
    folder, pool = study.folder.path, len(study.ids)
    files = ", ".join(f"{name}.md" for name in wanted)
    steps = [(f"Read the tables beside the paper's: {files} in {folder}.", "")]
    rest = [name for name in WHAT if not (folder / f"{name}.md").is_file()]
    if args.evaluation == "paper" and "fig4" in rest:  # shows test images
        rest.remove("fig4")
    if "table2" in rest and _largest(args, ["table2"]) > pool:
        rest.remove("table2")
    if rest:
        common = ["dataset", "root", "images", "features", "size", "evaluation", "rule", "views"]
        common += ["method", "direction", "keypoints_of", "run"]
        common += [] if args.features == "gradient" else ["preset"]
        common += [] if set(rest) <= _SINGLE else ["m", "candidates"]
        command = shlex.join(["scp", "reproduce", *rest, *given_words(args, *common)])
        steps.append(("Make the others, from what is there already:", command))
    if (run / WEIGHTS).is_file() and args.dataset == "cephalometric":
        words = [args.root, "--dataset", "cephalometric", "--model", str(run / WEIGHTS)]
        text = "Choose images of these by the features that were trained (or of your own folder):"
        steps.append((text, shlex.join(["scp", "select", *words])))
    return steps


def _largest(args, wanted) -> int:
    from ..experiments.refined import SIZES2

    if args.m:
        return max(args.m)
    return max(SIZES2) if "table2" in wanted else 1 if set(wanted) <= _SINGLE else 5


def _features(args, data, run):
    """The features in the run folder, trained there first if there are none."""
    from ..features import FeatureExtractor, GradientExtractor

    if args.features == "gradient":
        return GradientExtractor(size=args.size or (384, 384))
    if (run / WEIGHTS).is_file():
        extractor = FeatureExtractor.load(run)
        if args.size not in (None, extractor.grid_size):
            raise ValueError(f"--size: the features in {run} are of {extractor.grid_size}")
        if extractor.preset != args.preset:
            raise ValueError(f"--preset: the features in {run} are of preset {extractor.preset}")
        return extractor
    minutes = MINUTES if args.minutes is None else args.minutes
    if not minutes > 0:
        raise ValueError(f"--minutes must be above 0: there are no features in {run}")
    extractor = FeatureExtractor(preset=args.preset, random_state=args.seed, size=args.size)
    args.json = False
    if not fit(extractor, data.train, run, args, minutes=minutes):
        raise KeyboardInterrupt
    return FeatureExtractor.load(run)


def _make(args, study, name: str):
    from .. import experiments

    if name == "table1":
        return experiments.table1(study, *([args.m] if args.m else []))
    if name == "table2":
        refinement = None
        if args.refine_minutes > 0:
            refinement = experiments.Refinement(
                minutes=args.refine_minutes, rounds=args.rounds, preset=args.preset
            )
        supervision = None
        if args.scn is not None:
            supervision = experiments.Supervision(args.scn, args.scn_steps)
        watch = None if args.quiet else _watch()
        return experiments.table2(
            study,
            *([args.m] if args.m else []),
            refinement=refinement,
            supervision=supervision,
            callback=watch,
        )
    if name == "table4":
        trainings = None
        if args.features == "trained":
            trainings = experiments.Trainings(
                minutes=MINUTES4 if args.minutes is None else args.minutes,
                seeds=SEEDS4 if args.seeds is None else args.seeds,
                preset=args.preset,
                size=args.size,
            )
        watch = None if args.quiet else _watch4()
        sizes = [args.m] if args.m else []
        return experiments.table4(study, *sizes, trainings=trainings, callback=watch)
    most = max(args.m) if args.m else 5
    if name == "table5":
        return experiments.table5(study, most, seeds=SEEDS5 if args.seeds is None else args.seeds)
    if name == "fig4":
        return experiments.fig4(study, most)
    return getattr(experiments, name)(study)


def _watch():
    last = time.monotonic()

    def watch(event):
        nonlocal last
        if event["event"] == "step" and time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            text = f"step {event['step']}, loss {event['loss']:.3f}"
            left = event.get("seconds_left", 0)
            print(f"training, M = {event['m']}: {text}, {left:.0f} s left", file=sys.stderr)

    return watch


def _watch4():
    """A line when a training begins, and now and then."""
    last = time.monotonic()

    def watch(event):
        nonlocal last
        about = f"table4, training {event['number']} of {event['count']} ({event['objective']}, "
        about += f"seed {event['seed']})"
        if event["event"] == "start":
            print(f"{about}: from step {event['step']}", file=sys.stderr, flush=True)
        elif event["event"] == "step" and time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            text = f"step {event['step']}, loss {event['loss']:.3f}"
            left = event["seconds_left"]
            print(f"{about}: {text}, {left:.0f} s left", file=sys.stderr, flush=True)

    return watch


def _sizes(text: str) -> list[int]:
    """Argument type: "5", "1,5,10", "1-5"."""
    sizes = counts(text)
    if sizes is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 5, 1,5,10 or 1-5")
    return sizes
