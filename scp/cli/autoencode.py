"""scp autoencode: an auto-encoder of faces, learned without labels."""

from __future__ import annotations

import json
import shlex
import sys

from .arguments import add_data, add_output, data_words, open_data, program, run_path, say_next
from .train import EXIT_STOPPED, add_length, settings, watched


def add_autoencode(commands) -> None:
    """The parser of scp autoencode."""
    verb = commands.add_parser(
        "autoencode",
        help="learn an auto-encoder of faces, without labels",
        description="Train the first stage of 3FabRec on faces, colour or grey: an adversarial "
        "auto-encoder. Writes autoencoder.safetensors and pictures of reconstructions to the run "
        "folder. What was stopped goes on when the same command is given again.",
    )
    verb.set_defaults(run_command=run_autoencode)
    add_data(verb)
    how = verb.add_argument_group("training")
    how.add_argument(
        "--size",
        type=int,
        default=128,
        choices=(128, 256),
        help="pixels that the networks see (default 128; published: 256)",
    )
    add_length(how, "autoencode")
    add_output(verb, "what was trained as JSON")


def run_autoencode(args) -> int:
    from ..faces import AUTOENCODER, FaceAutoencoder
    from ..faces.pictures import PICTURES

    training, network = settings(args.set)
    unknown = sorted(set(network) - {"latent", "width", "room"})
    if unknown:
        raise ValueError(f"--set network.{unknown[0]}: there are latent, width and room")
    model = FaceAutoencoder(
        size=args.size, training=training, random_state=args.seed, **network
    ).check()
    pool = open_data(args)
    run = run_path(args, pool)

    def begin(event):
        start = f"step {event['step']}" if event["step"] else "random weights"
        held = event["image_bytes"] / 2**20
        return f"{len(pool)} faces of {args.size} pixels, {held:.0f} MiB, from {start}"

    try:
        model.fit(
            pool,
            minutes=args.minutes,
            steps=args.steps,
            run=run,
            resume=not args.fresh,
            progress=False if args.quiet else None,
            callback=watched(args, begin, lambda event: _losses(event["levels"])),
        )
    except KeyboardInterrupt:
        if getattr(model, "trained_", None) is None:
            raise
        print("stopped; the same command goes on from here", file=sys.stderr)
        return EXIT_STOPPED
    if args.json:
        print(json.dumps(model.model_.training, indent=1))
        return 0
    trained = model.trained_
    print(f"{trained.step} steps in {trained.seconds:.0f} s: {_losses(trained.losses)}")
    print(f"{AUTOENCODER} and {PICTURES} in {run}")
    words = [*program(), "supervise", args.images, "--network", "fabrec", *data_words(args)]
    words += ["--autoencoder", str(run), "--templates", "FILE"]
    say_next([("Learn landmarks on it, from few labelled faces:", shlex.join(words))])
    return 0


def _losses(losses) -> str:
    """Of a step, without those of the discriminators."""
    reconstruction, structure, _, codes, _, real = losses
    return (
        f"reconstruction {reconstruction:.1f}, structure {structure:.2f}, codes {codes:.2f}, "
        f"generator {real:.2f}"
    )
