"""scp reproduce: the verb, its options, and one part after the other."""

from __future__ import annotations

import argparse
import os
import shlex

from ...errors import DatasetError
from ...landmarks.names import visible
from ...runs.folder import WEIGHTS
from ..arguments import add_output, counts, given_words, no_effect, say_next, size, usual
from ..evaluate import numbers
from .data import WORDS, add_data
from .job import MINUTES, Job
from .parts import ALL, PARTS
from .places import PAPER, place_of
from .plan import plan


def add_reproduce(commands) -> None:
    """The parser of scp reproduce."""
    from ...detection import RULES, VIEWS
    from ...experiments.study import CANDIDATES, DIRECTIONS, EVALUATIONS, KEYPOINTS_OF, Options
    from ...networks import PRESETS
    from ...selection import METHODS

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
        "what", nargs="+", choices=[*PARTS, "all"], metavar="WHAT", help=f"{_list()}; or all"
    )
    add_data(verb, _kinds())
    features = verb.add_argument_group("features")
    features.add_argument("--preset", default="laptop", choices=list(PRESETS))
    features.add_argument("--features", default="trained", choices=["trained", "gradient"])
    features.add_argument(
        "--minutes",
        type=float,
        metavar="T",
        help=f"of training, where the run folder has no features (default {MINUTES:g}), and of "
        "each training of table4 (default 10)",
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
        "--m",
        type=_sizes,
        metavar="M,M",
        help=f"numbers of templates (default: {_default_sizes()})",
    )
    how.add_argument(
        "--radii",
        type=numbers,
        metavar="R,R,...",
        help="of success rates, in the unit of the errors (default 2,2.5,3,4 mm; hands 2,4,7,10 "
        "mm; 5,10,20,40 px; 1,2,3,5 %% of the side; 2,5,8,10 %% of a distance)",
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
        help="; ".join(
            f"{p.name}: {p.seeds[0]} (default {p.seeds[1]})" for p in PARTS.values() if p.seeds
        ),
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
    for part in PARTS.values():
        if part.options is not None:
            part.options(verb)
    add_output(verb, None, "runs/reproduce-DATASET")


def _list() -> str:
    return "; ".join(f"{part.name}: {part.shows}" for part in PARTS.values())


def _default_sizes() -> str:
    """ "table1, table4 1,2,3,4,5; ..."."""
    by_sizes: dict[str, list[str]] = {}
    for part in PARTS.values():
        if not part.single and part.sizes:
            text = ",".join(map(str, part.sizes[""]))
            by_sizes.setdefault(text, []).append(part.name)
    largest = ", ".join(part.name for part in PARTS.values() if part.largest)
    text = "; ".join(f"{', '.join(names)} {sizes}" for sizes, names in by_sizes.items())
    return f"{text}; of several {largest} take the largest"


def _kinds() -> list[str]:
    """What --dataset takes."""
    return list(dict.fromkeys(kind for part in PARTS.values() for kind in part.fits))


def run_reproduce(args) -> int:
    everything = "all" in args.what
    check_options(args, [part.name for part in ALL] if everything else args.what)
    made = []
    for job in _jobs(args, everything):
        with job.run.holding():
            job = _with_data(job, everything)
            names = _make(job, everything) if job else []
        if names:
            made.append((job, names))
    if not made:
        raise ValueError("nothing could be made: see above")
    say_next([step for job, names in made for step in _next(job, names)])
    return 0


def _jobs(args, everything: bool) -> list[Job]:
    """The parts that are asked for, by data set."""
    if args.dataset == "phantom" or not everything:
        return [_job(args, args.dataset or _kind_of(args.what), args.run, everything)]
    if args.root is None:
        raise ValueError("--root: the folder that holds the data sets is needed")
    if not os.path.isdir(args.root):
        raise ValueError(f"--root: {args.root}: no such folder")
    jobs = []
    for kind in [args.dataset] if args.dataset else PAPER:
        if not args.dataset and place_of(kind, args.root) is None:
            parts = [p.name for p in ALL if kind in p.paper]
            if parts:
                text = f"not {', '.join(parts)} of {kind}: no {PAPER[kind]} below {args.root}"
                print(text, flush=True)
            continue
        run = args.run
        if run and jobs:  # the first data set's files stand in the run folder itself
            run = os.path.join(run, kind)
        jobs.append(_job(args, kind, run, everything))
    return jobs


def _job(args, kind: str, run: str | None, everything: bool) -> Job:
    from ...experiments.data import GOES_WITH
    from ...runs import RunFolder

    own = argparse.Namespace(**vars(args))
    own.dataset = kind
    if everything and args.dataset is None:  # an option is for the data sets that it goes with
        for name, kinds in GOES_WITH.items():
            if kind not in kinds and name != "read" and name != "root":
                setattr(own, name, None)
    if kind in PAPER and args.root is not None:
        own.root = place_of(kind, args.root) or args.root
    wanted = list(dict.fromkeys(args.what))
    if everything:
        named = args.dataset is not None
        wanted = [p.name for p in ALL if kind in p.fits and (named or kind in p.paper)]
    folder = RunFolder(run or os.path.join("runs", f"reproduce-{kind}"))
    return Job(own, folder, wanted, _options(own))


def _kind_of(names: list[str]) -> str:
    """The data set that parts are made of, where none is named."""
    kinds = {(PARTS[name].kinds or PARTS[name].paper)[0] for name in names}
    if len(kinds) > 1:
        raise ValueError(f"{', '.join(names)} are of {' and '.join(sorted(kinds))}: ask one by one")
    return kinds.pop()


def _options(args):
    from ...experiments import Options

    return Options(
        evaluation=args.evaluation,
        rule=args.rule,
        views=args.views,
        radii=args.radii,
        draws=args.draws,
        random_state=args.seed,
        method=args.method,
        searches=args.searches,
        max_nodes=args.max_nodes,
        direction=args.direction,
        candidates=args.candidates,
        keypoints_of=args.keypoints_of,
    )


def check_options(args, wanted: list[str]) -> None:
    """ValueError names an option that would do nothing."""
    users: dict[str, list[str]] = {}
    for part in PARTS.values():
        for name in (*part.uses, *(["seeds"] if part.seeds else [])):
            users.setdefault(name, []).append(part.name)
    if args.method == "exact":
        del users["max_nodes"]
    for name, parts in users.items():
        if not set(parts) & set(wanted):
            *others, last = parts
            named = f"{', '.join(others)} and {last}" if others else last
            where = f"without {named}"
            where += " where --method is not exact" if name == "max_nodes" else ""
            no_effect(args, where, name)
    if "table2" in wanted and not args.refine_minutes > 0:
        no_effect(args, "with --refine-minutes 0", "rounds")
    if args.scn is None:
        no_effect(args, "without --scn", "scn_steps")
    if args.method != "random":
        no_effect(args, "where --method is not random", "searches")
    if all(PARTS[name].single for name in wanted):
        no_effect(args, f"in {', '.join(sorted(wanted))}: M = 1", "m", "candidates")
    if args.features == "gradient":
        no_effect(args, "with --features gradient", "minutes")
        if "table2" not in wanted or not args.refine_minutes > 0:
            no_effect(args, "with --features gradient", "preset")


def _make(job: Job, everything: bool) -> list[str]:
    """Makes the parts; the names of those. everything: says first what each takes, and leaves out
    what cannot be made, with a line that says why."""
    reasons = {name: _why_not(job, name) for name in job.wanted}
    for name, reason in reasons.items():
        if reason and not everything:
            raise ValueError(reason)
        if reason:
            print(f"not {name}: {reason}", flush=True)
    names = [name for name, reason in reasons.items() if not reason]
    if everything and names:
        print("\n".join(map(visible, plan(job, names))) + "\n", flush=True)
    for name in names:
        result = PARTS[name].make(job)
        files = result.write(job.folder)
        print(result.text())
        print(f"written to {job.folder.path}: {', '.join(files)}\n", flush=True)
    return names


def _with_data(job: Job, everything: bool) -> Job | None:
    """The job, without an evaluation that its data set has no images for; None where it cannot be
    opened (and others may)."""
    if not everything:
        return job
    from ...experiments.data import NoTestImagesError

    try:
        if any(PARTS[name].sizes for name in job.wanted):
            _ = job.data
    except NoTestImagesError as error:
        args = argparse.Namespace(**{**vars(job.args), "evaluation": "paper"})
        left_out = [n for n in job.wanted if PARTS[n].test == "always" or PARTS[n].shows_test]
        print(f"not {', '.join(left_out)}, and no honest evaluation: {error}", flush=True)
        wanted = [name for name in job.wanted if name not in left_out]
        return Job(args, job.run, wanted, _options(args))
    except DatasetError as error:
        if job.args.given.get("dataset"):
            raise
        print(f"not {', '.join(job.wanted)} of {job.args.dataset}: {error}", flush=True)
        return None
    return job


def _why_not(job: Job, name: str) -> str:
    """Why a part cannot be made of this data set, as asked for; "" where it can."""
    args, part = job.args, PARTS[name]
    if args.dataset not in part.fits:
        return f"{name} is made of {' or '.join(part.fits)}, not of {args.dataset}"
    if part.shows_test and args.evaluation == "paper":
        return f"{name} shows test images: --evaluation honest or both"
    if not part.sizes:
        return ""
    largest, n = max(part.sizes_of(args)), len(job.data.train)
    if largest > n:
        return f"M = {largest}: the pool holds {n} images; see -m"
    return part.why_not(largest, n) if part.why_not else ""


def _next(job: Job, made: list[str]) -> list[tuple[str, str]]:
    """What to do next, as in `scp.run.next`."""
    args, run, folder = job.args, job.run, job.folder.path
    files = ", ".join(f"{name}.md" for name in made)
    steps = [(f"Read the tables beside the paper's: {files} in {folder}.", "")]
    rest = [p.name for p in ALL if not (folder / f"{p.name}.md").is_file()]
    rest = [name for name in rest if name not in job.wanted and not _why_not(job, name)]
    if rest and "all" not in args.what:
        common = [*WORDS, "features", "size", "evaluation", "rule", "views", "radii", "method"]
        common += ["direction", "keypoints_of", "run"]
        common += [] if args.features == "gradient" else ["preset"]
        common += [] if all(PARTS[name].single for name in rest) else ["m", "candidates"]
        command = shlex.join(["scp", "reproduce", *rest, *given_words(args, *common)])
        steps.append(("Make the others, from what is there already:", command))
    if (run / WEIGHTS).is_file() and args.dataset == "cephalometric":
        words = [args.root, "--dataset", "cephalometric", "--model", str(run / WEIGHTS)]
        text = "Choose images of these by the features that were trained (or of your own folder):"
        steps.append((text, shlex.join(["scp", "select", *words])))
    return steps


def _sizes(text: str) -> list[int]:
    """Argument type: "5", "1,5,10", "1-5"."""
    sizes = counts(text)
    if sizes is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 5, 1,5,10 or 1-5")
    return sizes
