"""scp info: versions, threads, instruction sets, networks, options."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from .. import _core, devices
from .._version import versions
from ..landmarks.names import visible
from ..training import hardly_trained
from .arguments import no_effect, program, say_next, size
from .train import settings


def add_info(commands) -> None:
    """The parser of scp info."""
    info = commands.add_parser("info", help="versions, threads, instruction sets; networks")
    info.set_defaults(run_command=run_info)
    info.add_argument(
        "images", nargs="?", help="folder of images: how many, their white, spacing and its origin"
    )
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
        choices=["train", "refine", "supervise", "autoencode", "transfer", "vaal", "instances"],
        help="the options of the training, for --set of the verb of that name; transfer: of scp "
        "supervise --network fabrec; vaal, instances: of scp reproduce table6",
    )
    info.add_argument("--json", action="store_true", help="print JSON")


def run_info(args) -> int:
    if args.images is not None:
        no_effect(args, "with IMAGES", "model", "size", "set", "options")
        return show_images(args)
    if args.options:
        no_effect(args, "with --options", "size", "set")
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
        say_next([("The whole path on generated radiographs:", shlex.join([*program(), "demo"]))])
    return 0


def show_images(args) -> int:
    """scp info IMAGES: what is known of a folder of images before any of it is used."""
    from ..datasets import folder
    from ..datasets.identity import patients

    data = folder(args.images, on_error="skip")
    known = [p for p in patients([Path(data.path(i) or "") for i in range(len(data))]) if p]
    people = str(len(set(known))) if known else "not known: these files name none"
    if 0 < (lacking := len(data) - len(known)) < len(data):
        people += f" ({lacking} image{'s' * (lacking > 1)} without)"
    sizes = sorted({data.shape(i) for i in range(len(data))})
    spacings = [] if data.spacing is None else sorted({tuple(v) for v in data.spacing.tolist()})
    rows = [f"{sy:g} x {sx:g}" for sy, sx in spacings if sy == sy]
    content = {
        "images": len(data),
        "left out": len(data.skipped),
        "patients": people,
        "rows x columns": _some([f"{h} x {w}" for h, w in sizes]),
        "white": data.range_note() or "the largest value of the type",
        "mm per pixel (sy x sx)": _some(rows) or "not known: --spacing gives it",
        "spacing from": data.spacing_note() or "nothing: these formats say none",
    }
    if args.json:
        print(json.dumps(content, indent=1))
        return 0
    for key, value in content.items():
        print(f"{key:24s}{visible(str(value))}")
    for name, reason in data.skipped[:5]:
        print(f"left out: {visible(name)}: {visible(reason)}")
    return 0


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - 3} others" if len(texts) > 3 else ""
    return ", ".join(texts[:3]) + more


def show_options(args) -> int:
    """scp info --options: every option of a training, its value in the usual preset
    (unless --model names another), the legal ones, its meaning."""
    from ..baselines.active import OPTIONS
    from ..faces import AutoencoderOptions, TransferOptions
    from ..networks import preset
    from ..networks.configuration import supervised
    from ..networks.refine import refinement
    from ..refinement import RefinementOptions, SupervisedOptions
    from ..training import TrainingOptions

    kind, entry, usual = TrainingOptions, preset, "laptop"
    if args.options == "refine":
        kind, entry = RefinementOptions, refinement
    elif args.options == "supervise":
        kind, entry, usual = SupervisedOptions, supervised, "scn-reduced"
    more = {"autoencode": AutoencoderOptions, "transfer": TransferOptions, **OPTIONS}
    if args.options in more:
        no_effect(args, f"with --options {args.options}", "model")
        rows = more[args.options]().rows()
    else:
        rows = kind().set(**entry(args.model or usual).training).rows()
    if args.json:
        print(json.dumps({row.name: row.facts(value) for row, value in rows}, indent=1))
        return 0
    print(f"{'name':20}{'value':12}{'legal':26}meaning")
    for row, value in rows:
        print(f"{row.name:20}{row.text(value):11} {row.legal:25} {row.meaning}")
    return 0


def show_model(args) -> int:
    """scp info --model: the layer table of a preset or a model file."""
    from ..networks import PRESETS, build
    from ..networks.layers import describe_layers
    from ..networks.model import load_model

    trained: dict = {}
    training, options = settings(args.set)
    if training:
        raise ValueError(f"--set {next(iter(training))}: only network.NAME=VALUE goes with --model")
    if args.model in PRESETS:
        network, at = build(args.model, **options), PRESETS[args.model].size
    elif os.path.isfile(args.model):
        if options:
            raise ValueError("--set: the network of a model file is given")
        model = load_model(args.model)
        network, at, trained = model.network, model.size, model.training
    else:
        raise ValueError(
            f"--model must be one of {', '.join(PRESETS)}, or a model file; got {args.model!r}"
        )
    at = args.size or at
    rows = describe_layers(network, at)
    parameters, macs = (sum(r[k] for r in rows) for k in ("parameters", "macs"))
    if args.json:
        print(
            json.dumps(
                {"size": list(at), "parameters": parameters, "macs": macs, "layers": rows}, indent=1
            )
        )
        return 0
    wide = max(len(r["name"]) for r in rows)
    print(
        f"{'layer':{wide}}  {'operator':13} {'height x width x channels':>25} "
        f"{'parameters':>11} {'million MACs':>13}"
    )
    for r in rows:
        shape = f"{r['height']} x {r['width']} x {r['channels']}"
        count = f"{r['parameters']:,}" if r["parameters"] else ""
        products = f"{r['macs'] / 1e6:,.1f}" if r["macs"] else ""
        line = f"{r['name']:{wide}}  {r['op']:13} {shape:>25} {count:>11} {products:>13}"
        print(line.rstrip())
    print(f"{parameters:,} parameters, {macs / 1e9:.3f} GMAC for an image of {at[0]} x {at[1]}")
    if trained:
        print(f"trained for {trained.get('steps')} steps on {trained.get('images')} images")
        if text := hardly_trained(trained, "it was"):
            print(f"warning: {text}", file=sys.stderr)
    return 0
