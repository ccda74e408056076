"""scp refine: a network that finds the landmarks everywhere, from a few labelled images."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from .cli_data import add_data, open_data
from .cli_train import EXIT_STOPPED, LINE_SECONDS, settings, size

LANDMARKS = "landmarks.csv"


def add_refine(commands) -> None:
    """The parser of scp refine."""
    from .models import REFINEMENTS

    refine = commands.add_parser(
        "refine", help="landmarks everywhere, from the templates",
        description="Match the landmarks of the templates in all images with the features of the "
        "run, and train a network on these pseudo labels and the templates. Writes "
        "refined.safetensors and landmarks.csv to the run folder. What was stopped goes on when "
        "the same command is given again.",
    )  # fmt: skip
    refine.set_defaults(run_command=run_refine)
    add_data(refine)
    refine.add_argument("--templates", required=True, metavar="FILE",
                        help="landmarks of the labelled images: CSV or COCO JSON")  # fmt: skip
    how = refine.add_argument_group("training")
    presets = "; ".join(f"{n}: {p.summary}" for n, p in REFINEMENTS.items())
    how.add_argument("--preset", default="laptop", choices=list(REFINEMENTS), help=presets)
    length = how.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, metavar="T", help="of all rounds together")
    length.add_argument("--steps", type=int, metavar="N", help="of each round")
    how.add_argument("--rounds", type=int, default=1, metavar="R",
                     help="train again on the network's own predictions (default 1)")  # fmt: skip
    how.add_argument(
        "--size",
        type=size,
        metavar="S",
        help="of the images in pixels, 384 or 768x384; default: of the features",
    )
    how.add_argument("--features", default="auto", choices=["auto", "trained", "gradient"],
                     help="that are matched; auto: trained if the run folder has them")  # fmt: skip
    how.add_argument("--weights", metavar="FILE", help="to start from: a model of features, VGG-19 "
                     "of ImageNet, or random; default: the features of the run")  # fmt: skip
    how.add_argument("--equal", action="store_true",
                     help="all pseudo labels count alike, not by their confidence")  # fmt: skip
    how.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                     help="any option of the refinement, the strength of a transform, or "
                     "network.NAME=VALUE")  # fmt: skip
    how.add_argument("--seed", type=int, default=0)
    how.add_argument("--fresh", action="store_true", help="start anew where a run was stopped")
    output = refine.add_argument_group("output and resources")
    output.add_argument("--run", metavar="DIR", help="run folder (default runs/NAME)")
    output.add_argument("--json", action="store_true", help="print what was trained as JSON")
    output.add_argument("--threads", type=int, help="default: all this process may use")
    output.add_argument("--quiet", action="store_true", help="no progress")


def run_refine(args) -> int:
    from .extractor import FeatureExtractor, extractor_for
    from .landmarks import Landmarks, write_landmarks
    from .refinement import LandmarkRefiner, confidence_weights, pseudo_labels
    from .run import RunFolder

    training, network = settings(args.set)
    pool = open_data(args)
    names, rows, truth = template_rows(args.templates, pool)
    run = Path(args.run or os.path.join("runs", Path(args.images).resolve().name or "images"))
    extractor = extractor_for(run, args.features)
    start = args.weights
    if start is None and args.preset == "laptop" and isinstance(extractor, FeatureExtractor):
        start = extractor
    refiner = LandmarkRefiner(args.preset, args.seed, args.size, network=network, weights=start,
                              **training)  # fmt: skip
    _say(args, f"matching {len(rows)} templates in {len(pool)} images")
    xy, confidence = pseudo_labels(extractor, pool, rows, truth)
    weights = None if args.equal else confidence_weights(confidence)
    refiner.fit(pool, xy, weights, rows, truth, rounds=args.rounds, minutes=args.minutes,
                steps=args.steps, run=run, resume=not args.fresh, names=names,
                progress=False if args.quiet else None,
                callback=_watch(args, refiner, len(pool)))  # fmt: skip
    if not refiner.trained.finished:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return EXIT_STOPPED
    found = refiner.predict(pool)
    with RunFolder(run).writing(LANDMARKS) as path:
        write_landmarks(path, Landmarks(found.ids, found.names, found.xy, found.confidence))
    if args.json:
        print(json.dumps(refiner.model.training, indent=1))
    _say(args, f"landmarks of {len(pool)} images in {run / LANDMARKS}")
    return 0


def template_rows(file: str, pool) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of landmarks, rows of the pool with labels in the file, and these [M][L][2]."""
    from .landmarks import read_landmarks

    labels = read_landmarks(file)
    found = labels.find(pool.ids)
    foreign = sorted(set(range(len(labels))) - set(found.tolist()))
    if foreign:
        raise ValueError(
            f"{file}: image {labels.ids[foreign[0]]!r} is not among the {len(pool)} images"
        )
    rows = np.flatnonzero(found >= 0)
    return labels.names, rows, labels.xy[found[rows]]


def _say(args, text: str) -> None:
    if not args.json and not args.quiet:
        print(text, flush=True)


def _watch(args, refiner, count: int):
    last, lines = time.monotonic(), not args.quiet and not sys.stderr.isatty()

    def watch(event):
        nonlocal last
        if event["event"] == "start":
            begin = f"step {event['step']}" if event["step"] else refiner.start
            _say(args, f"round {event['round']} of {event['rounds']} on {count} images, from "
                 f"{begin}; {event['bytes'] / 2**20:.0f} MiB of memory")  # fmt: skip
        elif event["event"] == "step" and lines and time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            heat, x, y = event["levels"]
            print(f"step {event['step']}: heat maps {heat:.4f}, offsets {x:.3f} {y:.3f}, "
                  f"{event['seconds_left']:.0f} s left", file=sys.stderr, flush=True)  # fmt: skip

    return watch
