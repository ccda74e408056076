"""scp select: the images to annotate."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from ..landmarks import read_landmarks
from ..landmarks.lists import holds_landmarks, read_values
from ..landmarks.names import group_numbers, known_groups, stem, visible
from ..landmarks.text import number_in
from .arguments import (
    add_data,
    add_features,
    add_output,
    byte_count,
    counts,
    features_said,
    landmark_source,
    names,
    no_effect,
    open_data,
    run_path,
    say_next,
    shell_of,
    usual,
)
from .workers import add_workers, workers_of


def add_select(commands) -> None:
    """The parser of scp select."""
    from ..run.marks import BUILT_IN

    select = commands.add_parser(
        "select", help="choose the images to annotate", description="Choose M images to annotate."
    )
    select.set_defaults(run_command=run_select)
    select.add_argument(
        "-m",
        type=counts,
        default=[5],
        metavar="M",
        help="how many; 1,3,5 or 1-5: a curve; any: by the budget",
    )
    data = add_data(select)
    data.add_argument("--no-duplicates", action="store_true", help="do not look for duplicates")
    data.add_argument(
        "--landmarks",
        type=landmark_source,
        metavar="NAMES",
        help="of the lines of marks.csv: names with commas between, how many there are, a file "
        f"with one name a line, a file of landmarks, or {', '.join(BUILT_IN)}",
    )
    add_method(select)
    rules = select.add_argument_group("rules (images by id; @FILE reads one id a line)")
    for name, text in (
        (
            "initial",
            "already annotated: free, and counted; or a file of landmarks: the images marked in it",
        ),
        ("include", "must be chosen"),
        ("exclude", "must not be chosen"),
    ):
        kind = marked_or_names if name == "initial" else names
        rules.add_argument(f"--{name}", type=kind, default=[], metavar="IDS", help=text)
    rules.add_argument("--groups", metavar="CSV", help="lines id,group, or patient: of DICOM files")
    rules.add_argument("--quota", type=int, default=1, help="images per group at most (default 1)")
    rules.add_argument("--costs", metavar="CSV", help="lines id,cost")
    rules.add_argument("--budget", type=float, help="sum of the costs at most")
    rules.add_argument(
        "--min-distance",
        type=float,
        metavar="D",
        help="between chosen images, 0 to 1: 1 - mean similarity",
    )
    add_choice_output(select)
    add_workers(select)


def marked_or_names(text: str) -> list[str] | Path:
    """Argument type: a file of landmarks, or `names`."""
    path = Path(text.removeprefix("@"))
    try:
        if stem(path.name) == path.name and path.exists() and holds_landmarks(path):
            return path
    except (ValueError, OSError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return names(text)


def sampled(text: str) -> int | str | None:
    """Argument type: what `Run` takes as sample."""
    if text in ("all", "auto"):
        return None if text == "all" else text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number, all or auto, got {text!r}") from None


def add_method(parser) -> None:
    """How the images are chosen; `open_run` and `choose` read it."""
    from ..baselines import ACTIVE, KINDS
    from ..baselines import METHODS as OTHERS
    from ..keypoints import METHODS as DETECTORS
    from ..run import SCORES, Run
    from ..selection import METHODS
    from ..selection import select as solve
    from ..similarity.matching import MODES

    default = usual(solve, Run)
    method = parser.add_argument_group("method")
    method.add_argument(
        "--method",
        default=default["method"],
        choices=(*METHODS, *OTHERS, *ACTIVE),
        help="of the search; from kmeans on: other ways to choose, which go by --vectors; from "
        "vaal on: active learning, which trains networks (docs/how-to/active.md)",
    )
    method.add_argument(
        "--vectors",
        metavar="KIND|FILE",
        help=f"one per image, for the other ways to choose: {', '.join(KINDS)}, or a .npy, .npz, "
        ".csv or .safetensors file (docs/how-to/baselines.md)",
    )
    method.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"of the training of {', '.join(ACTIVE)}: an option (scp info --options vaal, or "
        "instances), widths, latent, hidden or views",
    )
    method.add_argument(
        "--keypoints", default=default["keypoints"], choices=DETECTORS, help="their detector"
    )
    method.add_argument(
        "--count", type=int, default=default["count"], help="key points per image at most"
    )
    method.add_argument(
        "--mode", default=default["mode"], choices=MODES, help="cells of 2 x 2 pixels, or pixels"
    )
    method.add_argument(
        "--score",
        default=default["score"],
        choices=SCORES,
        help="cycle: matches that do not come back count less",
    )
    add_features(method)
    method.add_argument("--channels", type=int, help="of gradient features (default 64)")
    method.add_argument(
        "--sample",
        type=sampled,
        default=default["sample"],
        metavar="N|all|auto",
        help="key points to sample for the similarity; auto: all of up to 2,000 images, 8192 of "
        "more (docs/how-to/large-pools.md)",
    )
    method.add_argument("--draws", type=int, default=default["draws"], help="of the random search")
    method.add_argument("--max-nodes", type=int, help="of the exact search")
    method.add_argument(
        "--seed", type=int, default=default["random_state"], help="of all random draws"
    )


def add_choice_output(parser) -> None:
    output = add_output(parser, "selection.json")
    output.add_argument("--no-report", action="store_true", help="write no report.html")
    output.add_argument("--estimate", action="store_true", help="print time and memory, then stop")
    output.add_argument(
        "--max-memory", type=byte_count, metavar="SIZE", help="for example 500M, 2G"
    )
    output.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu, cuda or cuda:NUMBER (default auto)",
    )


def run_select(args) -> int:
    from ..selection import METHODS

    pool = open_data(args)
    rules = {k: getattr(args, k) for k in ("initial", "include", "exclude")}
    if isinstance(args.initial, Path):
        rules["initial"] = read_landmarks(args.initial, images=pool)
    rules["min_distance"] = args.min_distance
    if args.groups == "patient":
        rules.update(groups=patients_of(pool), quota=args.quota)
    elif args.groups:
        table = read_values(args.groups, pool.ids, "group")
        rules.update(groups=[table.get(i) for i in range(len(pool))], quota=args.quota)
        if len(table) < len(pool):
            print(
                f"{args.groups}: {len(pool) - len(table)} of {len(pool)} images have no group: "
                "each is its own",
                file=sys.stderr,
            )
    elif pool.groups is not None:
        rules.update(groups=pool.groups, quota=args.quota)
    else:
        no_effect(args, "without --groups: these images have no groups", "quota")
    if (args.costs is None) != (args.budget is None):
        raise ValueError("--costs and --budget go together")
    if args.m is None and args.budget is None:
        raise ValueError("-m any (as many as the budget allows) needs --costs and --budget")
    if args.costs:
        rules.update(costs=_costs(args.costs, pool.ids), budget=args.budget)
    check_choice(args)
    if "random" not in (args.method, args.keypoints) and args.method in METHODS:
        no_effect(args, "where neither --method nor --keypoints is random", "seed")
    workers = workers_of(args)
    run = open_run(args, pool, run_path(args, pool), not args.no_duplicates, workers)
    run.shell = shell_of(args, run.path)
    if run.whole_images:  # what comes next needs places
        run.shell = replace(run.shell, features=[])
    choose(args, run, rules)
    return 0


def patients_of(pool) -> list[int | None]:
    """A number for each patient of DICOM files."""
    from ..datasets.identity import patients

    files = [pool.path(i) for i in range(len(pool))]
    found = [None] * len(files) if None in files else patients(files)
    if not any(found):
        raise ValueError("--groups patient: no image is a DICOM file with a patient's ID")
    if None in found:
        text = f"--groups patient: {found.count(None)} of {len(pool)} images have no patient's ID"
        print(f"{text}: each is its own", file=sys.stderr)
    return found


def check_choice(args) -> None:
    """ValueError names an option that would do nothing."""
    from ..baselines import ACTIVE
    from ..baselines import METHODS as OTHERS

    if args.method not in ACTIVE:
        no_effect(args, f"where --method is none of {', '.join(ACTIVE)}", "set")
    if args.method != "random":
        no_effect(args, "where --method is not random", "draws")
    if args.method not in OTHERS:
        no_effect(args, "where --method is none of the other ways to choose", "vectors")
    if args.method != "exact":
        no_effect(args, "where --method is not exact", "max_nodes")
    if args.estimate:
        no_effect(args, "with --estimate, which chooses nothing", "json", "no_report", "landmarks")


def open_run(args, pool, folder: Path, duplicates: bool = True, workers=None):
    """The `scp.Run` that the arguments describe."""
    from ..features import extractor_for
    from ..run import Run

    return Run(
        pool,
        folder,
        features=extractor_for(
            folder,
            args.features,
            args.size,
            args.channels,
            args.model,
            feature_ids=args.feature_ids,
        ),
        keypoints=args.keypoints,
        count=args.count,
        mode=args.mode,
        score=args.score,
        max_memory=args.max_memory,
        device=args.device,
        random_state=args.seed,
        sample=args.sample,
        duplicates=duplicates,
        progress=not args.quiet,
        workers=workers,
    )


def choose(args, run, rules: dict):
    """Chooses and tells; the Choice, or None after --estimate."""
    from ..baselines import ACTIVE

    def say(text=""):
        if not args.json:
            print(text, flush=True)

    if args.method == "random":
        rules["draws"] = args.draws
        rules["checkpoints"] = [c for c in (1_000, 10_000, 50_000, 100_000) if c <= args.draws]
    if args.vectors is not None:
        rules["vectors"] = args.vectors
    if args.max_nodes is not None:
        rules["max_nodes"] = args.max_nodes
    if args.set:
        rules["training"] = _training(args.set)
    n = len(run.dataset)
    run.check(args.m, rules)
    with run.holding():
        for line in features_said(run):
            say(line)
        if run.dataset.range_note():
            say(run.dataset.range_note())
        alone = "" if run.workers is None else ", by this process alone"
        say(f"similarity: {run.estimate()}{alone}")
        if rules.get("groups"):
            say(_groups_said(rules["groups"], rules["quota"]))
        if run.sample is not None:
            say(f"{run.sample} of {run.points().offsets[-1]} key points choose; scores are of all")
            say(f"all of them, with --sample all: {run.estimate(whole=True)}")
        if args.method in ACTIVE:
            say(_active_said(args.method, n, rules.get("training")))
        if args.estimate:
            return None
        choice = run.select(args.m, method=args.method, **rules)
        if getattr(args, "landmarks", None):
            run.marks_to_fill(args.landmarks)
        if not args.no_report:
            run.report(args.command_text)
        answer = Path(run.path, "selection.json").read_text(encoding="utf-8") if args.json else ""
    for text in choice.warnings:
        print(f"warning: {visible(text)}", file=sys.stderr)
    if args.json:
        print(answer, end="")
        return choice
    s = choice.selection
    if choice.resumed:
        say(f"{choice.resumed} of {n} similarity rows were done already")
    if choice.brute:
        share = choice.dots / choice.brute
        say(f"similarity took {choice.elapsed['similarity']:.1f} s, {share:.2%} of brute force")
    say()
    for other in choice.curve[:-1]:
        say(f"M = {other.m}: score {other.score:.4f}, bound {other.upper_bound:.4f}, {other.proof}")
    say(f"Annotate these {len(s.selected)}:")
    for rank, (image, gain) in enumerate(zip(choice.ids, s.gains, strict=True), 1):
        say(f"  {rank}. {visible(image)}   gain {gain:.4f}")
    proof = "this is the best possible choice" if s.proven else s.proof
    say(f"score {s.score:.4f}; no allowed choice can exceed {s.upper_bound:.4f} ({proof})")
    if choice.expected_error is not None:
        say(f"key points come back {choice.expected_error:.2f} pixels of the grid off on average")
    say(f"files in {run.path}" + ("" if args.no_report else f"; open {run.path}/report.html"))
    if run.shell is not None:
        say_next(run.next_steps())
    return choice


def _training(pairs: list[str]) -> dict[str, str]:
    """Of --set."""
    out = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not value or any(c.isspace() for c in pair):
            raise ValueError(f"--set: expected NAME=VALUE, got {pair!r}")
        if name == "seed":
            raise ValueError("--set seed: use --seed")
        out[name] = value
    return out


def _active_said(method: str, images: int, training: dict[str, str] | None) -> str:
    """Steps and memory of the training that a method takes."""
    from ..baselines import active

    how = active.told(training)
    needs = active.needs(method, images, how["options"], how["sizes"])
    length = f"{needs['steps']} steps" if needs["steps"] else "by minutes"
    return f"{method}: {length} of training, {needs['bytes'] / 1e9:.2f} GB of memory"


def _groups_said(groups: list, quota: int) -> str:
    """How many groups there are: a table of other patients is seen here."""
    known = [g for g in known_groups(groups) if g is not None]
    alone = len(groups) - len(known)
    more = f" ({alone} image{'s' * (alone > 1)} without one)" if alone else ""
    count = len(set(group_numbers(known)))
    named = f"{count} group{'s' * (count != 1)}{more}"
    return f"{named}; at most {quota} of a group are chosen"


def _costs(path: str, ids: list[str]) -> list[float]:
    """The cost of every image."""
    table = read_values(path, ids, "cost")
    missing = [name for i, name in enumerate(ids) if i not in table]
    if missing:
        raise ValueError(f"{path}: no cost for {missing[0]!r} ({len(missing)} missing)")
    costs = [number_in(table[i], f"{path}, {name}", "cost") for i, name in enumerate(ids)]
    wrong = [name for name, cost in zip(ids, costs, strict=True) if not cost >= 0]
    if wrong:
        raise ValueError(f"{path}: the cost of {wrong[0]!r} is empty or below 0")
    return costs
