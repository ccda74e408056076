"""A part of `scp reproduce`: one table or figure, what it is asked by and what it needs.

To add one: a module beside this with a `Part` in it, and its name in `parts.py`. The verb, its
help, the plan of `all`, the checks and the hints take everything from there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...progress import LINE_SECONDS

if TYPE_CHECKING:
    from .job import Job

SINGLE: Mapping[str, Sequence[int]] = {"": (1,)}  # of templates alone
FIVE: Mapping[str, Sequence[int]] = {"": (5,)}


@dataclass(frozen=True)
class Work:
    """What a part takes here.

    seconds: of its own. shared: what of `scp.experiments.costs.Costs` it needs, which is made once
    for all parts: "similarity", "paper", "honest". memory: bytes of its own. note: what else.
    """

    seconds: float = 0.0
    shared: tuple[str, ...] = ()
    memory: int = 0
    note: str = ""


@dataclass(frozen=True)
class Part:
    """A table or figure.

    Attributes:
        name: what it is asked for by, and the stem of its files: "table1".
        shows: a few words, for the help and the plan of `all`.
        make: (job) -> the `scp.experiments.Result`. The job has args, run, and on first use data
            and study; a part that works on images of its own leaves these alone.
        options: (parser) -> None: adds a group of options of its own. uses: their names, and those
            of common options that only some parts have ("draws"): refused where no wanted part
            has them.
        seeds: what --seeds counts in this part, and its default; None: it has none.
        sizes: numbers of templates where -m is not given, by kind of data set; "": of all others.
            `SINGLE`: templates alone, so -m has no effect; {}: it does not choose from the
            job's data, which are then not opened for it.
        largest: the part is of one M, the largest.
        test: "always": it needs test images; "honest": unless --evaluation paper; "never".
        shows_test: it shows test images, so there is none with --evaluation paper.
        kinds: of data sets that it can be made of; None: all with landmarks. paper: of those, the
            ones that the paper shows it of: `all` without --dataset makes these.
        beside: it is none of the paper's, so `all` leaves it out.
        own_features: it trains all its features itself, where --features is not gradient.
        work: (job) -> `Work`, before anything is made; None: not known.
        why_not: (M, images of the pool) -> why it cannot be made of so many, or "".
    """

    name: str
    shows: str
    make: Callable[[Job], object]
    options: Callable[[argparse.ArgumentParser], object] | None = None
    uses: Sequence[str] = ()
    seeds: tuple[str, int] | None = None
    sizes: Mapping[str, Sequence[int]] = field(default_factory=lambda: {"": (1, 2, 3, 4, 5)})
    largest: bool = False
    test: str = "honest"
    shows_test: bool = False
    kinds: Sequence[str] | None = None
    paper: Sequence[str] = ("cephalometric",)
    beside: bool = False
    own_features: bool = False
    work: Callable[[Job], Work] | None = None
    why_not: Callable[[int, int], str] | None = None

    @property
    def fits(self) -> Sequence[str]:
        """The kinds of data sets that it can be made of."""
        from ...experiments.data import DATASETS

        return DATASETS if self.kinds is None else self.kinds

    @property
    def single(self) -> bool:
        return self.sizes is SINGLE

    def sizes_of(self, args) -> list[int]:
        """Numbers of templates that are asked for."""
        if self.single:
            return [1]
        if not self.sizes:
            return []
        sizes = args.m or self.sizes.get(args.dataset, self.sizes[""])
        return [max(sizes)] if self.largest else sorted(set(sizes))

    def seeds_of(self, args) -> int:
        """How many seeds are asked for."""
        assert self.seeds is not None
        return self.seeds[1] if args.seeds is None else args.seeds

    def shared(self, args) -> tuple[str, ...]:
        """Records and similarity of a study by the evaluation that is asked for."""
        ways = {"both": ("paper", "honest"), "paper": ("paper",), "honest": ("honest",)}
        return ("similarity", *ways[args.evaluation])

    def needs_test(self, args) -> bool:
        return self.test == "always" or (self.test == "honest" and args.evaluation != "paper")


def watched(about: Callable[[dict], str]) -> Callable[[dict], None]:
    """What takes events of trainings: a line when one begins, with its memory, and now and then.
    about(event): which training it is."""
    last = time.monotonic()

    def watch(event: dict) -> None:
        nonlocal last
        if event["event"] == "start":
            held = (event["bytes"] + event.get("image_bytes", 0)) / 2**20
            text = f"from step {event['step']}; {held:.0f} MiB of memory"
        elif event["event"] == "step" and time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            text = f"step {event['step']}, loss {event['loss']:.3f}"
            text += f", {event['seconds_left']:.0f} s left"
        else:
            return
        print(f"{about(event)}: {text}", file=sys.stderr, flush=True)

    return watch


def numbered(table: str, way: str) -> Callable[[dict], str]:
    """Which of a table's trainings an event is of, by its number, event[way] and seed."""
    return lambda e: f"{table}, training {e['number']} of {e['count']} ({e[way]}, seed {e['seed']})"
