"""The command line: scp train, select, detect, refine, evaluate, demo, weights, info."""

from __future__ import annotations

import argparse
import shlex
import sys

from .. import _core, devices
from .._version import __version__
from .arguments import add_data, counts, names, size
from .demo import DEMO_MINUTES, _demo
from .detect import add_detect
from .evaluate import add_evaluate
from .info import _info
from .refine import add_refine
from .reproduce import add_reproduce
from .select import _add_method, _add_output, _select
from .train import add_train, add_weights

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
