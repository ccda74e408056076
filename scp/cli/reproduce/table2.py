"""Table 2: matching alone, refined, and networks that see the labels alone."""

from __future__ import annotations

import sys
import time

from ...progress import LINE_SECONDS
from .part import Part, Work

MINUTES = 10.0  # of each training


def _options(parser) -> None:
    refine = parser.add_argument_group("refinement (table2)")
    refine.add_argument(
        "--refine-minutes",
        type=float,
        default=MINUTES,
        metavar="T",
        help=f"of training for each M; 0: matching only (default {MINUTES:g})",
    )
    refine.add_argument("--rounds", type=int, default=1)
    scn = parser.add_argument_group("networks that see the labels alone (table2)")
    scn.add_argument(
        "--scn",
        choices=("scn", "scn-reduced", "unet"),
        help="train this network on M labelled images alone, for each M and for all images; hours",
    )
    scn.add_argument("--scn-steps", type=int, metavar="N", help="default: the network's")


def _work(job):
    from ...runs.folder import REFINED

    args = job.args
    missing = [
        m for m in job.sizes("table2") if not (job.folder / f"refined-{m}" / REFINED).is_file()
    ]
    seconds = 60 * args.refine_minutes * len(missing) + job.costs.honest().seconds / 10
    note = ""
    if args.scn is not None:
        note = f"and the trainings of {args.scn}: scp supervise --estimate says how long"
    return Work(seconds, ("similarity",), note=note)


def _make(job):
    from ...experiments import Refinement, Supervision, table2

    args, refinement, supervision = job.args, None, None
    if args.refine_minutes > 0:
        refinement = Refinement(minutes=args.refine_minutes, rounds=args.rounds, preset=args.preset)
    if args.scn is not None:
        supervision = Supervision(args.scn, args.scn_steps)
    return table2(
        job.study,
        job.sizes("table2"),
        refinement=refinement,
        supervision=supervision,
        callback=None if args.quiet else _watch(),
    )


def _watch():
    last = time.monotonic()

    def watch(event):
        nonlocal last
        if event["event"] == "step" and time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            text = f"step {event['step']}, loss {event['loss']:.3f}"
            left = event.get("seconds_left", 0)
            print(f"training, M = {event['m']}: {text}, {left:.0f} s left", file=sys.stderr)

    return watch


TABLE2 = Part(
    "table2",
    "matching alone, and refined",
    _make,
    options=_options,
    uses=("refine_minutes", "rounds", "scn", "scn_steps"),
    sizes={"": (1, 5, 10, 25)},
    test="always",
    work=_work,
)
