"""The command line: scp train, select, detect, refine, evaluate, demo, weights, info."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from . import __version__, _core, devices
from .cli_common import add_features, add_output, bar, counts, names, size
from .cli_data import add_data, open_data
from .cli_detect import LANDMARKS, add_detect, write_found
from .cli_evaluate import add_evaluate
from .cli_refine import add_refine
from .cli_reproduce import add_reproduce
from .cli_train import add_train, add_weights, fit, show_model, show_options

DEMO_MINUTES, DEMO_SIZE = 0.75, (192, 192)  # in so short a time small images teach more
EXIT_ERROR, EXIT_STOPPED = 2, 130


def main(argv: list[str] | None = None) -> int:
    """Runs a command; the exit code: 0, 2 (an error, said in one line), 130 (stopped)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(argv)
    args.command_text = shlex.join(["scp", *argv])
    try:
        if getattr(args, "threads", None) is not None:
            _core.set_threads(args.threads)
        devices.resolve(getattr(args, "device", "cpu"))
        return args.run_command(args)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return EXIT_STOPPED
    except MemoryError as error:
        print(f"error: {error or 'out of memory; try --max-memory'}", file=sys.stderr)
        return EXIT_ERROR
    except (ValueError, OSError, TypeError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scp", description="Which few medical images to annotate, and how good that choice is."
    )
    parser.add_argument("--version", action="version", version=f"scp {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add_train(commands)

    select = commands.add_parser(
        "select", help="choose the images to annotate", description="Choose M images to annotate."
    )
    select.set_defaults(run_command=_select)
    select.add_argument(
        "-m",
        type=counts,
        default=[5],
        metavar="M",
        help="how many; 1,3,5 or 1-5: a curve; any: by the budget",
    )
    data = add_data(select)
    data.add_argument("--no-duplicates", action="store_true", help="do not look for duplicates")
    _add_method(select)
    rules = select.add_argument_group("rules (images by id; @FILE reads one id a line)")
    for name, text in (
        ("initial", "already annotated: free, and counted"),
        ("include", "must be chosen"),
        ("exclude", "must not be chosen"),
    ):
        rules.add_argument(f"--{name}", type=names, default=[], metavar="IDS", help=text)
    rules.add_argument("--groups", metavar="CSV", help="lines id,group, a patient say")
    rules.add_argument("--quota", type=int, default=1, help="images per group at most (default 1)")
    rules.add_argument("--costs", metavar="CSV", help="lines id,cost")
    rules.add_argument("--budget", type=float, help="sum of the costs at most")
    rules.add_argument(
        "--min-distance",
        type=float,
        metavar="D",
        help="between chosen images, 0 to 1: 1 - mean similarity",
    )
    _add_output(select)

    add_detect(commands)
    add_refine(commands)

    demo = commands.add_parser(
        "demo",
        help="the whole path on generated radiographs",
        description="Train on 40 generated radiographs, choose 5 of them, write a report, and find "
        "their landmarks in all the others.",
    )
    demo.set_defaults(run_command=_demo)
    demo.add_argument("-m", type=counts, default=[5], metavar="M")
    demo.add_argument("-n", type=int, default=40, help="images to generate (default 40)")
    demo.add_argument(
        "--minutes",
        type=float,
        default=DEMO_MINUTES,
        help=f"of training; 0: none (default {DEMO_MINUTES:g})",
    )
    demo.add_argument("--fresh", action="store_true", help="train anew")
    _add_method(demo)
    _add_output(demo)

    add_evaluate(commands)
    add_reproduce(commands)
    add_weights(commands)

    info = commands.add_parser("info", help="versions, threads, instruction sets; networks")
    info.set_defaults(run_command=_info)
    info.add_argument("--model", metavar="NAME", help="the layers of a preset, or of a model file")
    info.add_argument("--size", type=size, metavar="S", help="of the images, for --model")
    info.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the network, for --model",
    )
    info.add_argument(
        "--options",
        nargs="?",
        const="train",
        choices=["train", "refine"],
        help="the options of the training, for --set of scp train or refine",
    )
    info.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_method(parser) -> None:
    method = parser.add_argument_group("method")
    method.add_argument("--method", default="swap", choices=["random", "greedy", "swap", "exact"])
    method.add_argument("--keypoints", default="sift", choices=["sift", "surf", "orb", "random"])
    method.add_argument("--count", type=int, default=100, help="key points per image at most")
    method.add_argument("--mode", default="nearest", choices=["nearest", "bilinear"])
    method.add_argument(
        "--objective",
        default="similarity",
        choices=["similarity", "cycle"],
        help="cycle: matches that do not come back count less",
    )
    add_features(method)
    method.add_argument("--channels", type=int, help="of gradient features (default 64)")
    method.add_argument("--draws", type=int, default=100_000, help="of the random search")
    method.add_argument("--max-nodes", type=int, help="of the exact search")
    method.add_argument("--seed", type=int, default=0)


def _add_output(parser) -> None:
    output = add_output(parser, "selection.json")
    output.add_argument("--no-report", action="store_true")
    output.add_argument("--estimate", action="store_true", help="print time and memory, then stop")
    output.add_argument("--max-memory", type=_bytes, metavar="SIZE", help="for example 500M, 2G")
    output.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu, cuda or cuda:NUMBER (default auto)",
    )


def _select(args) -> int:
    pool = open_data(args)
    rules = {k: getattr(args, k) for k in ("initial", "include", "exclude")}
    if args.groups:
        table = _table(args.groups, pool.ids)
        rules.update(groups=[table.get(i, f"\0{i}") for i in pool.ids], quota=args.quota)
    elif pool.groups is not None:
        rules.update(groups=pool.groups, quota=args.quota)
    if (args.costs is None) != (args.budget is None):
        raise ValueError("--costs and --budget go together")
    if args.costs:
        table = _table(args.costs, pool.ids)
        missing = [i for i in pool.ids if i not in table]
        if missing:
            raise ValueError(f"{args.costs}: no cost for {missing[0]} ({len(missing)} missing)")
        try:
            rules.update(costs=[float(table[i]) for i in pool.ids], budget=args.budget)
        except ValueError as error:
            raise ValueError(f"{args.costs}: {error}") from None
    name = Path(args.images).resolve().name or "images"
    return _choose(args, pool, name, rules, not args.no_duplicates)


def _demo(args) -> int:
    from . import datasets
    from .extractor import FeatureExtractor

    if args.n < 2:
        raise ValueError(f"-n must be at least 2, got {args.n}")
    pool = datasets.phantom(args.n, seed=args.seed)
    plain = args.features == "gradient" or args.weights is not None
    if args.minutes > 0 and not plain and not args.estimate:
        run = args.run = args.run or os.path.join("runs", "demo")
        extractor = FeatureExtractor(seed=args.seed, size=args.size or DEMO_SIZE)
        try:
            finished = fit(extractor, pool, run, args, minutes=args.minutes, resume=not args.fresh)
        except ValueError as error:  # the folder holds another demo's training
            print(f"training anew: {error}", file=sys.stderr)
            finished = fit(extractor, pool, run, args, minutes=args.minutes, resume=False)
        if not finished:
            raise KeyboardInterrupt
    code = _choose(args, pool, "demo", {}, True)
    if code == 0 and not args.estimate and not args.json:
        _demo_landmarks(args, pool)
    return code


def _demo_landmarks(args, pool) -> None:
    """The landmarks of the chosen radiographs in all the others, and how far they are off."""
    from .detection import LandmarkDetector
    from .extractor import extractor_for
    from .metrics import radial_errors

    run = Path(args.run or os.path.join("runs", "demo"))
    chosen = json.loads((run / "selection.json").read_text(encoding="utf-8"))["selected"]
    rows = [entry["index"] for entry in chosen]
    extractor = extractor_for(run, args.features, args.size, args.channels, args.weights)
    found = LandmarkDetector(extractor).fit_predict(
        pool, rows, progress=None if args.quiet else bar("landmarks", len(pool))
    )
    write_found(run / LANDMARKS, run, pool, found.landmarks(), rows)
    others = [i for i in range(len(pool)) if i not in rows]
    if not others:
        return
    errors = radial_errors(found.xy[others], pool.landmarks[others], pool.spacing[others])
    print(
        f"their {errors.shape[1]} landmarks, found in the other {len(others)} images: "
        f"{errors.mean():.2f} mm off on average ({run / LANDMARKS})"
    )


class _Estimated(Exception):
    pass


def _choose(args, pool, name: str, rules: dict, duplicates: bool) -> int:
    from .extractor import extractor_for
    from .pipeline import choose

    def say(text=""):
        if not args.json:
            print(text, flush=True)

    def estimated(estimate):
        say(f"similarity: {estimate}")
        if args.estimate:
            raise _Estimated

    if args.method == "random":
        rules["draws"] = args.draws
        rules["checkpoints"] = [c for c in (1_000, 10_000, 50_000, 100_000) if c <= args.draws]
    if args.max_nodes is not None:
        rules["max_nodes"] = args.max_nodes
    run = args.run or os.path.join("runs", name)
    extractor = extractor_for(run, args.features, args.size, args.channels, args.weights)
    kind = "the trained" if extractor.name == "trained" else "gradient"
    say(f"{len(pool)} images, {kind} features at {extractor.size[0]} x {extractor.size[1]} pixels")
    try:
        choice = choose(
            pool,
            args.m,
            method=args.method,
            extractor=extractor,
            keypoints=args.keypoints,
            count=args.count,
            mode=args.mode,
            objective=args.objective,
            max_memory=args.max_memory,
            device=args.device,
            min_distance=getattr(args, "min_distance", None),
            random_state=args.seed,
            duplicates=duplicates,
            run=run,
            report=not args.no_report,
            command=args.command_text,
            progress=None if args.quiet else bar,
            before_similarity=estimated,
            **rules,
        )
    except _Estimated:
        return 0
    for text in choice.warnings:
        print(f"warning: {text}", file=sys.stderr)
    if args.json:
        print(Path(run, "selection.json").read_text(encoding="utf-8"), end="")
        return 0
    s = choice.selection
    if choice.resumed:
        say(f"{choice.resumed} of {len(pool)} similarity rows were done already")
    if choice.brute:
        share = choice.dots / choice.brute
        say(f"similarity took {choice.elapsed['similarity']:.1f} s, {share:.2%} of brute force")
    say()
    for other in choice.curve[:-1]:
        say(
            f"M = {other.m}: score {other.score:.4f}, bound {other.upper_bound:.4f}, "
            f"gap {other.gap:.2%}"
        )
    say(f"Annotate these {len(s.selected)}:")
    for rank, (image, gain) in enumerate(zip(choice.ids, s.gains, strict=True), 1):
        say(f"  {rank}. {image}   gain {gain:.4f}")
    proof = "this is the best possible choice" if s.proven else f"gap {s.gap:.2%}"
    say(f"score {s.score:.4f}; no allowed choice can exceed {s.upper_bound:.4f} ({proof})")
    if choice.expected_error is not None:
        say(f"key points come back {choice.expected_error:.2f} pixels of the grid off on average")
    say(f"files in {run}" + ("" if args.no_report else f"; open {run}/report.html"))
    return 0


def _info(args) -> int:
    from .pipeline import versions

    if args.options:
        return show_options(args)
    if args.model is not None:
        return show_model(args)
    if args.size or args.set:
        raise ValueError("--size and --set go with --model")

    content = {
        **versions(),
        "instruction sets": ", ".join(_core.isas()),
        "instruction set in use": _core.isa(),
        "threads": _core.threads(),
        "gpu": "; ".join(devices.describe()),
    }
    if args.json:
        print(json.dumps(content, indent=1))
    else:
        for key, value in content.items():
            print(f"{key:24s}{value}")
    return 0


# ---- argument types ----


def _bytes(text: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    number = text.upper().removesuffix("B").removesuffix("I")
    scale = units.get(number[-1:], 1)
    try:
        value = float(number[:-1] if scale > 1 else number) * scale
    except ValueError:
        value = -1
    if not 0 < value < 1 << 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size like 500M or 2G")
    return int(value)


def _table(path: str, ids: list[str]) -> dict[str, str]:
    """Lines "id,value"; every id must be known and appear once."""
    known, table = set(ids), {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        name, comma, value = (part.strip() for part in line.rpartition(","))
        if not comma or not name or not value:
            raise ValueError(f"{path}, line {number}: expected id,value, got {line!r}")
        if name not in known:
            raise ValueError(f"{path}, line {number}: no image is called {name!r}")
        if name in table:
            raise ValueError(f"{path}, line {number}: {name!r} appears twice")
        table[name] = value
    return table


if __name__ == "__main__":
    sys.exit(main())
