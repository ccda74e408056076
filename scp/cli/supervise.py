"""scp supervise: a network trained on the labelled images alone."""

from __future__ import annotations

import json
import sys

from ..landmarks.names import visible
from ..runs.folder import LANDMARKS
from .arguments import add_data, add_output, no_effect, open_data, run_path, shell_of, size
from .detect import add_templates, keep_templates, open_templates, tell_found, template_words
from .train import add_length, settings, watched

FABREC = "fabrec"


def add_supervise(commands) -> None:
    """The parser of scp supervise."""
    from ..networks import SUPERVISED

    verb = commands.add_parser(
        "supervise",
        help="train on the labelled images alone, to compare with",
        description="Train a network of heat maps on the annotated images alone, without matching "
        "and without pseudo labels: what refinement is compared with. Writes "
        "supervised.safetensors and landmarks.csv to the run folder. What was stopped goes on when "
        "the same command is given again.",
    )
    verb.set_defaults(run_command=run_supervise)
    add_data(verb, "templates")
    add_templates(verb)
    how = verb.add_argument_group("training")
    networks = "; ".join(f"{n}: {p.summary}" for n, p in SUPERVISED.items())
    networks += f"; {FABREC}: faces, on an auto-encoder that saw many without labels (3FabRec)"
    names = [*SUPERVISED, FABREC]
    how.add_argument("--network", default="scn-reduced", choices=names, help=networks)
    how.add_argument(
        "--autoencoder",
        metavar="FILE",
        help=f"{FABREC}: its file or run folder (scp autoencode), or the released file",
    )
    add_length(how, "supervise")
    how.add_argument(
        "--size", type=size, metavar="S", help="of the canvas in pixels; default: the network's"
    )
    how.add_argument(
        "--estimate",
        type=int,
        nargs="?",
        const=3,
        metavar="N",
        help="time N steps (default 3, at most 100), say what the whole training would cost here, "
        "and train nothing",
    )
    add_output(verb, "what was trained, or the estimate, as JSON")


def run_supervise(args) -> int:
    from ..features import GradientExtractor
    from ..run import Run

    detector = _detector(args).check()
    pool = open_data(args)
    folder = run_path(args, pool)
    if args.estimate is None:
        keep_templates(args, folder / LANDMARKS)
    run = Run(pool, folder, features=GradientExtractor(), progress=False if args.quiet else None)
    run.shell = shell_of(args, folder, *template_words(args))
    images, given = open_templates(args, run)
    if args.estimate is not None:
        return _estimate(args, detector, images)
    pool.rows(images.ids, "templates")
    with run.holding():
        return _supervise(args, run, detector, images, given)


def _detector(args):
    from ..faces import FaceDetector
    from ..refinement import SupervisedDetector

    training, options = settings(args.set)
    if args.network != FABREC:
        no_effect(args, f"without --network {FABREC}", "autoencoder")
        return SupervisedDetector(
            network=args.network,
            size=args.size,
            options=options,
            training=training,
            random_state=args.seed,
        )
    no_effect(args, f"with --network {FABREC}", "size", "estimate")
    if options:
        raise ValueError(f"--set network.{next(iter(options))}: the auto-encoder has them")
    if args.autoencoder is None:
        raise ValueError(f"--autoencoder: --network {FABREC} needs one, made by scp autoencode")
    return FaceDetector(args.autoencoder, training=training, random_state=args.seed)


def _estimate(args, detector, images) -> int:
    facts = detector.estimate(images, steps=args.steps, timed=args.estimate)
    if args.json:
        print(json.dumps(facts, indent=1))
        return 0
    height, width = facts["size"]
    print(
        f"{args.network}: {height} x {width} pixels, {facts['parameters']:,} parameters, "
        f"{facts['macs'] / 1e9:.1f} thousand million multiply-adds for an image"
    )
    print(
        f"memory: {facts['bytes'] / 2**20:.0f} MiB to train, "
        f"{facts['image_bytes'] / 2**20:.0f} MiB for {len(images)} images"
    )
    whole = f"{facts['steps']:,} steps: {_duration(facts['seconds'])}"
    print(f"{facts['step_seconds']:.2f} s a step ({facts['timed']} timed); {whole} here")
    return 0


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _supervise(args, run, detector, images, given) -> int:
    """Trains, finds and writes."""
    pool, folder = run.dataset, run.path
    for text in run.image_warnings():
        print(f"warning: {visible(text)}", file=sys.stderr)
    detector.fit(
        images,
        minutes=args.minutes,
        steps=args.steps,
        run=folder,
        resume=not args.fresh,
        progress=False if args.quiet else None,
        callback=_watch(args, len(images)),
    )
    found = detector.predict(pool, progress=run.progress)
    found = run.keep(found, images if given is None else given)
    if args.json:
        print(json.dumps(detector.model_.training, indent=1))
        return 0
    trained = detector.trained_
    heat = trained.losses[0]
    print(f"{trained.step} steps in {trained.seconds:.0f} s; loss of the heat maps {heat:.1f}")
    print(f"{len(found.names)} landmarks in {len(pool)} images, learned from {len(images)}")
    tell_found(run, found, refined=True)
    return 0


def _watch(args, count: int):
    """What takes the events of the training."""

    def begin(event):
        start = f"step {event['step']}" if event["step"] else "random weights"
        return f"{args.network} on {count} labelled images, from {start}"

    return watched(args, begin, lambda event: f"heat maps {event['levels'][0]:.1f}")
