"""What the verbs of the command line share: argument types, output options, a bar."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

LINE_SECONDS = 30  # between lines of progress where stderr is no terminal


def size(text: str) -> tuple[int, int]:
    """Argument type: "384" or "768x384", rows x columns."""
    try:
        numbers = [int(part) for part in text.lower().split("x")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or min(numbers, default=0) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size like 384 or 768x384")
    return numbers[0], numbers[-1]


def counts(text: str) -> list[int] | None:
    """Argument type: "5", "1,3,5", "1-5"; None for "any"."""
    if text == "any":
        return None
    out: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            out += range(int(first), int(last) + 1) if dash else [int(first)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 5, 1,3,5, 1-5 or any") from None
    if not out or min(out) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: M must be at least 1")
    return out


def names(text: str) -> list[str]:
    """Argument type: ids with commas between, or @FILE with one id a line."""
    if text.startswith("@"):
        try:
            lines = Path(text[1:]).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return [line.strip() for line in lines if line.strip()]
    return [name.strip() for name in text.split(",") if name.strip()]


def add_features(group) -> None:
    """Arguments that say which features are used; `scp.extractor.extractor_for` takes them."""
    group.add_argument(
        "--features",
        default="auto",
        choices=["auto", "trained", "gradient"],
        help="auto: trained if the run folder has them",
    )
    group.add_argument("--weights", metavar="FILE", help="a model, instead of the run folder's")
    group.add_argument(
        "--size",
        type=size,
        metavar="S",
        help="of the grid in pixels, 384 or 768x384 (rows x columns); default: "
        "that of the training, or 384",
    )


def add_output(parser, json: str | None, run: str = "runs/NAME"):
    """The group of --run, --json (what it prints; None: without it), --threads and --quiet."""
    output = parser.add_argument_group("output and resources")
    output.add_argument("--run", metavar="DIR", help=f"run folder (default {run})")
    if json is not None:
        output.add_argument("--json", action="store_true", help=f"print {json}")
    output.add_argument("--threads", type=int, help="default: all this process may use")
    output.add_argument("--quiet", action="store_true", help="no progress")
    return output


def run_path(args) -> Path:
    """The run folder of a verb with images: --run, or one named after them."""
    return Path(args.run or os.path.join("runs", Path(args.images).resolve().name or "images"))


def bar(name: str, total: int):
    """Progress on stderr, function (done, total): a bar, or a line now and then where stderr is no
    terminal."""
    if not sys.stderr.isatty():
        return _lines(name)
    from tqdm import tqdm

    shown = tqdm(total=total, desc=name, delay=1, leave=False, file=sys.stderr)

    def update(done, total):
        shown.total = total
        shown.update(done - shown.n)
        if done >= total:
            shown.close()

    return update


def _lines(name: str):
    last = time.monotonic()

    def update(done, total):
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            print(f"{name}: {done} of {total}", file=sys.stderr, flush=True)

    return update
