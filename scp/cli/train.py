"""scp train and scp weights: features learned from unlabelled images."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

from ..landmarks.names import visible
from ..progress import LINE_SECONDS
from ..runs import parse_json, read_json
from ..runs.folder import SELECTION
from .arguments import (
    add_data,
    add_output,
    data_words,
    given_words,
    open_data,
    option_of,
    program,
    run_path,
    say_next,
    size,
)
from .workers import add_workers, workers_of

EXIT_STOPPED = 130
RULES = ("initial", "include", "exclude", "groups", "costs", "budget", "min_distance")


def add_train(commands) -> None:
    """The parser of scp train."""
    from ..networks import PRESETS
    from ..training import TrainingOptions

    train = commands.add_parser(
        "train",
        help="learn the features from unlabelled images",
        description="Train a network on unlabelled images. A run that was stopped goes on when the "
        "same command is given again; scp select --run DIR then uses the features.",
    )
    train.set_defaults(run_command=run_train)
    add_data(train)
    how = train.add_argument_group("training")
    how.add_argument(
        "--preset",
        default="laptop",
        choices=list(PRESETS),
        help="; ".join(f"{n}: {p.summary}" for n, p in PRESETS.items()),
    )
    add_length(how)
    how.add_argument(
        "--size",
        type=size,
        metavar="S",
        help="of the images in pixels, 384 or 768x384 (rows x columns); default: with laptop as "
        "the images are, but no more pixels than 384x384 has; with paper 384",
    )
    how.add_argument(
        "--objective",
        choices=TrainingOptions.ROWS["objective"].choices,
        help="what is learned: to tell a place from others (infonce) or to predict its feature in "
        "another view (byol), at all levels or at the finest (default infonce-levels)",
    )
    how.add_argument(
        "--start", metavar="FILE", help="initial weights: a model, VGG-19 of ImageNet, or random"
    )
    add_output(train, "what was trained as JSON")
    add_workers(train)


def add_length(how, verb="train", minutes: str | None = None, steps: str | None = None) -> None:
    """--minutes or --steps (with these meanings), --set, --seed and --fresh of a training."""
    length = how.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, metavar="T", help=minutes)
    length.add_argument("--steps", type=int, metavar="N", help=steps)
    how.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any option of the training, the strength of a transform, or "
        f"network.NAME=VALUE; scp info --options {verb} prints them",
    )
    how.add_argument("--seed", type=int, default=0)
    how.add_argument("--fresh", action="store_true", help="start anew where a run was stopped")


def add_weights(commands) -> None:
    """The parser of scp weights."""
    weights = commands.add_parser("weights", help="weights of ImageNet in, trained networks out")
    verbs = weights.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser(
        "import",
        help="VGG-19 of ImageNet, for the preset paper",
        description="Read torchvision's VGG-19 from a .pth or safetensors file. Nothing in the "
        "file is executed. Later trainings with --preset paper start from these weights.",
    )
    verb.set_defaults(run_command=run_import)
    verb.add_argument("file")
    verb.add_argument(
        "--to",
        metavar="FILE",
        help="default: vgg19.safetensors in $SCP_WEIGHTS, else in ~/.local/share/scp",
    )
    verb = verbs.add_parser(
        "export",
        help="a trained network as a PyTorch module or ONNX, which need no scp",
        description="Write a trained network for others: FILE.py with its weights in "
        "FILE.safetensors beside it, a PyTorch module; or FILE.onnx.",
    )
    verb.set_defaults(run_command=run_export)
    verb.add_argument("model", help="a file of weights, or a run folder with trained features")
    verb.add_argument("--to", metavar="FILE", required=True, help="FILE.py or FILE.onnx")


def settings(pairs: list[str]) -> tuple[dict, dict]:
    """NAME=VALUE pairs as options of the training and of the network (network.NAME)."""
    training, network = {}, {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ValueError(f"--set: expected NAME=VALUE, got {pair!r}")
        if name.startswith("network."):
            try:
                network[name.removeprefix("network.")] = parse_json(value)
            except ValueError:
                raise ValueError(
                    f"--set {name}: expected a number, true, false or a list like [16, 32], got "
                    f"{value!r}"
                ) from None
        elif name in ("seed", "steps", "minutes"):
            raise ValueError(f"--set {name}: use --{name}")
        else:
            training[name] = value.strip()
    return training, network


def run_train(args) -> int:
    from ..datasets import find_inverted
    from ..features import FeatureExtractor, usual_size
    from ..runs import holding
    from ..selection import image_warnings

    training, network = settings(args.set)
    extractor = FeatureExtractor(
        preset=args.preset,
        random_state=args.seed,
        size=args.size,
        network=network,
        objective=args.objective,
        start=args.start,
        training=training,
    ).check()
    pool = open_data(args)
    if args.size is None and args.preset == "laptop":
        extractor.size = usual_size(pool, extractor.grid_size, extractor.unit)
        extractor.check()
    run = run_path(args, pool)
    workers = workers_of(args)
    with holding(run, pool):
        inverted = find_inverted(pool, False if args.quiet else None)
        for text in image_warnings(pool, [pool.ids[i] for i in inverted]):
            print(f"warning: {visible(text)}", file=sys.stderr)
    length = {"minutes": args.minutes, "steps": args.steps, "resume": not args.fresh}
    if workers is None:
        finished = fit(extractor, pool, run, args, **length)
    else:
        finished = fit_far(extractor, pool, run, args, workers, length)
        extractor = FeatureExtractor.load(run) if finished else extractor
    if args.json and hasattr(extractor, "model_"):
        print(json.dumps(extractor.model_.training, indent=1))
    if not finished:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return EXIT_STOPPED
    if not args.json:
        print(f"weights in {run}/weights.safetensors")
        same = [args.images, "--run", str(run), *data_words(args)]
        m, rules = asked_before(run)
        select = shlex.join([*program(), "select", *same, *m])
        again = ", ".join(map(option_of, rules))
        more = f"; the choice before had {again}: give them again" if rules else ""
        steps = [(f"Choose the images to annotate, by these features{more}:", select)]
        if extractor.hardly_trained:
            print(f"warning: {extractor.hardly_trained}", file=sys.stderr)
            same += given_words(args, "preset", "size", "objective", "start", "seed")
            same += [word for value in args.set for word in ("--set", value)]
            longer = [*program(), "train", *same, "--minutes", "10", "--fresh"]
            steps.insert(0, ("Train for longer first:", shlex.join(longer)))
        say_next(steps)
    return 0


def asked_before(run: Path) -> tuple[list[str], list[str]]:
    """-m of the choice that is in the run folder, as words, and the names of its rules."""
    try:
        content = read_json(run / SELECTION)
        rules = [name for name in RULES if content["rules"].get(name)]
        return ["-m", str(len(content["selected"]))], rules
    except (ValueError, OSError, KeyError, TypeError, AttributeError):
        return [], []


def fit(extractor, pool, run, args, **length) -> bool:
    """Trains and tells how it goes; False when it was stopped."""
    first = True

    def begin(event):
        start = f"from step {event['step']}" if event["step"] else f"from {extractor.start_}"
        height, width = extractor.grid_size
        what = f"{len(pool)} images of {height} x {width} pixels"
        return f"training {extractor.preset} on {what}, {start}"

    watch = watched(args, begin, _line)

    def and_how_long(event):
        nonlocal first
        watch(event)
        if event["event"] == "step" and first and length.get("steps"):
            first = False
            say(args, f"{length['steps']} steps, about {event['seconds_left']:.0f} s to go")

    try:
        extractor.fit(
            pool, run=run, progress=False if args.quiet else None, callback=and_how_long, **length
        )
    except KeyboardInterrupt:
        if not hasattr(extractor, "trained_"):  # before its checkpoint was written
            raise
    trained = extractor.trained_
    losses = " ".join(f"{v:.3f}" for v in trained.losses)
    say(
        args,
        f"{trained.step} steps in {trained.seconds:.0f} s; losses, coarsest level first: {losses}",
    )
    return trained.finished


def fit_far(extractor, pool, run, args, workers, length) -> bool:
    """As `fit`, by a worker; how it goes is read from the log."""
    from ..distributed import train as far
    from ..runs.folder import LOG, read_log

    last = time.monotonic()

    def idle():
        nonlocal last
        if args.quiet or time.monotonic() - last < LINE_SECONDS:
            return
        last = time.monotonic()
        if entries := read_log(run / LOG):
            print(f"step {entries[-1]['step']}: {_line(entries[-1])}", file=sys.stderr, flush=True)

    height, width = extractor.grid_size
    what = f"{len(pool)} images of {height} x {width} pixels"
    say(args, f"training {extractor.preset} on {what}, on a worker of {args.dask}")
    done = far(extractor, pool, run, workers, idle=idle, **length)
    say(args, f"{done['step']} steps in {done['seconds']:.0f} s")
    return bool(done["finished"])


def _line(event: dict) -> str:
    losses = " ".join(f"{v:.2f}" for v in event["levels"])
    return f"loss {event['loss']:.3f} ({losses})"


def say(args, text: str) -> None:
    """What a person reads and a program does not."""
    if not args.json:
        print(text, flush=True)


def watched(args, begin, line):
    """What takes the events of a training. begin(event): what is trained, from where, said with its
    memory when it starts; line(event): how it stands, every half minute where there is no bar."""
    last, lines = time.monotonic(), not args.quiet and not sys.stderr.isatty()

    def watch(event: dict) -> None:
        nonlocal last
        if event["event"] == "start":
            say(args, f"{begin(event)}; {event['bytes'] / 2**20:.0f} MiB of memory")
        elif event["event"] == "step" and lines and time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            left = event.get("seconds_left")
            more = f", {left:.0f} s left" if left is not None else ""
            print(f"step {event['step']}: {line(event)}{more}", file=sys.stderr, flush=True)

    return watch


def run_import(args) -> int:
    from ..networks.imagenet import import_vgg19

    print(f"VGG-19 read; scp train --preset paper starts from {import_vgg19(args.file, args.to)}")
    return 0


def run_export(args) -> int:
    from ..networks import export_model, load_model
    from ..runs.folder import WEIGHTS

    path = Path(args.model)
    files = export_model(load_model(path / WEIGHTS if path.is_dir() else path), args.to)
    print("written: " + ", ".join(visible(str(file)) for file in files))
    return 0
