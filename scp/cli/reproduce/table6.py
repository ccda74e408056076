"""Table 6: active learning beside SCP."""

from __future__ import annotations

import argparse

from ..arguments import counts
from .part import FIVE, Part, Work, numbered, watched

RATE = 35e9  # multiply-adds per second of a core of 2021 with AVX-512


def _options(parser) -> None:
    group = parser.add_argument_group("active learning (table6)")
    for kind, what in (("vaal", "VAAL"), ("instances", "the two classifiers")):
        group.add_argument(
            f"--{kind}-set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help=f"option of the training of {what}; scp info --options {kind} prints them",
        )
    group.add_argument(
        "--active-widths",
        type=_widths,
        metavar="N,N",
        help="channels of the encoder's convolutions (default: as published)",
    )
    group.add_argument(
        "--more",
        action="store_true",
        default=None,
        help="beside them the ten other ways to choose, each --seeds times "
        "(docs/how-to/baselines.md)",
    )


def _widths(text: str) -> list[int]:
    widths = [counts(part) for part in text.split(",")]
    if not all(w and len(w) == 1 for w in widths):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 128,256,512,1024")
    return [w[0] for w in widths]


def _changes(kind: str, pairs: list[str]) -> dict[str, str]:
    changes = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--{kind}-set: expected NAME=VALUE, got {pair!r}")
        if name == "seed":
            raise ValueError(f"--{kind}-set seed: use --seed")
        changes[name.strip()] = value.strip()
    return changes


def _trainings(job):
    from ...baselines import ActiveNetworks
    from ...experiments import ActiveTrainings

    args = job.args
    return ActiveTrainings(
        seeds=job.seeds("table6"),
        vaal=_changes("vaal", args.vaal_set),
        instances=_changes("instances", args.instances_set),
        **({"sizes": ActiveNetworks(args.active_widths)} if args.active_widths else {}),
    )


def _work(job):
    """Of judging, and of the trainings that have not begun."""
    from ... import _core
    from ...baselines import active
    from ...experiments.active import FOLDER

    trainings, macs, memory, count = _trainings(job), 0, 0, 0
    for method in ("vaal", "loss"):
        options = trainings.options(method)
        needs = active.needs(method, len(job.data.train), options, trainings.sizes)
        name, first = f"active-{active.KINDS[method]}.json", job.args.seed
        folders = (job.folder / FOLDER / str(first + k) for k in range(trainings.seeds))
        left = sum(not (folder / name).is_file() for folder in folders)
        macs, count = macs + left * needs["macs"], count + left
        memory = max(memory, needs["bytes"] if left else 0)
    (m,) = job.sizes("table6")
    seconds = job.costs.sets(m, job.args.draws + 4 * trainings.seeds)
    seconds += macs / (RATE * _core.threads())
    note = f"{count} trainings" if count else ""
    return Work(seconds, TABLE6.shared(job.args), memory, note)


def _why_not(m: int, n: int) -> str:
    from ...baselines.active import labelled_at_first

    labelled = labelled_at_first(n)
    if n - labelled >= m:
        return ""
    return (
        f"VAAL asks for {m} images beside {labelled} that count as labelled, and the pool holds "
        f"{n}; see -m"
    )


def _make(job):
    from ...experiments import other_ways, table6

    args, trainings = job.args, _trainings(job)
    watch = None if args.quiet else watched(numbered("table6", "method"))
    m = max(job.sizes("table6"))
    more = other_ways(job.study, m, job.seeds("table6")) if args.more else ()
    return table6(job.study, m, trainings, more, callback=watch)


TABLE6 = Part(
    "table6",
    "active learning beside SCP",
    _make,
    options=_options,
    uses=("draws", "vaal_set", "instances_set", "active_widths", "more"),
    seeds=("of the trainings", 10),
    sizes=FIVE,
    largest=True,
    work=_work,
    why_not=_why_not,
)
