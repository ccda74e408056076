"""What every benchmark shares: arguments, the machine's description, medians, the last line.

A benchmark states its command, machine, limit and numbers; it never fails because of them. With
--json its last line is {"ours": seconds, "peer": seconds, "ratio": peer / ours} and what is added.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scp import _core


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the options that all scripts have: --json, --repeat."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions; the median counts")
    return parser


def machine() -> str:
    """CPU, threads, instruction set, versions: one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    return (
        f"{cpu}, {os.cpu_count()} CPUs, {_core.threads()} threads, {_core.isa()}, "
        f"Python {platform.python_version()}, numpy {np.__version__}, {platform.system()}"
    )


def header(limit: str) -> None:
    """Prints machine, command and the limit that the numbers are compared with."""
    print(f"machine: {machine()}")
    print(f"command: python {' '.join(sys.argv)}")
    print(f"limit:   {limit}", flush=True)


def seconds(function: Callable[[], object], repeat: int = 5, warm: int = 1) -> float:
    """Median wall-clock seconds of `repeat` calls, after `warm` calls that do not count."""
    for _ in range(warm):
        function()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def finish(options: argparse.Namespace, ours: float, peer: float, **more: object) -> None:
    """Prints the ratio and, with --json, the line for programs."""
    ratio = peer / ours if ours else float("inf")
    print(f"ours {ours:.4g} s, peer {peer:.4g} s, ratio {ratio:.3g}")
    if options.json:
        print(json.dumps({"ours": ours, "peer": peer, "ratio": ratio, **more}))
