"""scp refine: a network that finds the landmarks everywhere, from a few labelled images."""

from __future__ import annotations

import json
import sys

from ..landmarks.names import visible
from ..runs.folder import LANDMARKS
from ..training import hardly_trained
from .arguments import (
    add_data,
    add_output,
    add_which_features,
    open_data,
    run_path,
    shell_of,
    size,
)
from .detect import (
    add_pool_arguments,
    add_templates,
    keep_templates,
    open_templates,
    pool_options,
    tell_found,
    template_words,
    templates_said,
)
from .train import add_length, say, settings, watched
from .workers import add_workers, workers_of


def add_refine(commands) -> None:
    """The parser of scp refine."""
    from ..networks import REFINEMENTS

    refine = commands.add_parser(
        "refine",
        help="landmarks everywhere, from the templates",
        description="Match the landmarks of the templates in all images with the features of the "
        "run, and train a network on these pseudo labels and the templates. Writes "
        "refined.safetensors and landmarks.csv to the run folder. What was stopped goes on when "
        "the same command is given again.",
    )
    refine.set_defaults(run_command=run_refine)
    add_data(refine, "templates")
    add_templates(refine)
    how = refine.add_argument_group("training")
    presets = "; ".join(f"{n}: {p.summary}" for n, p in REFINEMENTS.items())
    how.add_argument("--preset", default="laptop", choices=list(REFINEMENTS), help=presets)
    add_length(how, "refine", "of all rounds together", "of each round")
    how.add_argument(
        "--rounds",
        type=int,
        default=1,
        metavar="R",
        help="train again on the network's own predictions (default 1)",
    )
    how.add_argument(
        "--size",
        type=size,
        metavar="S",
        help="of the images in pixels, 384 or 768x384; default: of the features",
    )
    add_which_features(how)
    how.add_argument(
        "--model", metavar="FILE", help="of trained features, instead of the run folder's"
    )
    add_pool_arguments(how)
    how.add_argument(
        "--start",
        metavar="FILE",
        help="initial weights: a model of features, VGG-19 "
        "of ImageNet, or random; default: the features of the run",
    )
    how.add_argument(
        "--mean",
        action="store_true",
        help="write the mean of the network's place and the matched one",
    )
    how.add_argument(
        "--views",
        type=int,
        metavar="V",
        help="places of so many sizes of an image "
        "are averaged, 1 to 3 (default: 3 if trained on zoomed images)",
    )
    add_output(refine, "what was trained as JSON")
    add_workers(refine)


def run_refine(args) -> int:
    from ..features import FeatureExtractor, extractor_for
    from ..refinement import LandmarkRefiner
    from ..run import Run

    training, network = settings(args.set)
    pool = open_data(args)
    folder = run_path(args, pool)
    keep_templates(args, folder / LANDMARKS)
    extractor = extractor_for(folder, args.features, model=args.model, feature_ids=args.feature_ids)
    progress = False if args.quiet else None
    run = Run(pool, folder, features=extractor, progress=progress, workers=workers_of(args))
    run.shell = shell_of(args, folder, *template_words(args))
    images, given = open_templates(args, run)
    pool.rows(images.ids, "templates")
    start = args.start
    if start is None and args.preset == "laptop" and isinstance(extractor, FeatureExtractor):
        start = extractor
    refiner = LandmarkRefiner(
        preset=args.preset,
        random_state=args.seed,
        size=args.size,
        network=network,
        start=start,
        training=training,
    )
    refiner.check().view_sizes(args.views)  # refused before the training, not after it
    with run.holding():
        return _refine(args, run, refiner, images, given)


def _refine(args, run, refiner, images, given) -> int:
    """Matches, trains, finds and writes."""
    pool, folder = run.dataset, run.path
    watch, losses = _watch(args, refiner, len(pool))
    for text in run.image_warnings():
        print(f"warning: {visible(text)}", file=sys.stderr)
    say(args, f"matching {templates_said(images)} in {len(pool)} images")
    matched = run.detect(given, write=False, **pool_options(args))
    refiner.fit(
        pool,
        matched,
        templates=images,
        rounds=args.rounds,
        minutes=args.minutes,
        steps=args.steps,
        run=folder,
        resume=not args.fresh,
        progress=False if args.quiet else None,
        callback=watch,
    )
    found = refiner.predict(
        pool,
        matched=matched if args.mean else None,
        views=args.views,
        workers=run.workers,
        folder=folder,
    )
    found = run.keep(found.with_matches(matched), images if given is None else given)
    if args.json:
        print(json.dumps(refiner.model_.training, indent=1))
        return 0
    trained = refiner.trained_
    before = f"{losses[0]:.3f} at first, " if losses else ""
    loss = f"loss {before}{sum(trained.losses):.3f} in the end"
    print(f"{trained.step} steps in {trained.seconds:.0f} s; {loss}")
    print(f"{len(found.names)} landmarks in {len(pool)} images from {templates_said(images)}")
    if text := hardly_trained(refiner.model_.training, "the refined network was"):
        print(f"warning: {text}", file=sys.stderr)
    tell_found(run, found, refined=True)
    return 0


def _watch(args, refiner, count: int):
    """What takes the events of the training, and the losses that it is told, the first first."""
    losses: list[float] = []

    def begin(event):
        start = f"step {event['step']}" if event["step"] else refiner.start_
        return f"round {event['round']} of {event['rounds']} on {count} images, from {start}"

    def line(event):
        heat, x, y = event["levels"]
        return f"heat maps {heat:.4f}, offsets {x:.3f} {y:.3f}"

    watch = watched(args, begin, line)

    def and_losses(event):
        watch(event)
        if event["event"] == "step":
            losses.append(event["loss"])

    return and_losses, losses
