"""Fuzz the readers of files:

    python tests/fuzz/run.py                       # the targets
    python tests/fuzz/run.py torch --cases 1000000
    python tests/fuzz/run.py all --cases 10000 --seed 7
    python tests/fuzz/run.py torch --file case.pth # one file again

A file that is not taken as it should stays in --keep, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]

import fuzzing  # noqa: E402
import targets  # noqa: E402

MEMORY = 4 << 30  # of the process: a header that asks for more fails at once


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target", nargs="?", choices=[*targets.TARGETS, "all"])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--file", type=Path, help="read this file only")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    args = parser.parse_args()
    if args.target is None:
        print("\n".join(targets.TARGETS))
        return 0
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.fsync = lambda descriptor: None  # thousands of files that need not last
    wrong = 0
    for name in targets.TARGETS if args.target == "all" else [args.target]:
        target = targets.TARGETS[name]
        with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as folder:
            try:
                if args.file is not None:
                    print(fuzzing.check(target, args.file.read_bytes(), Path(folder), True))
                    continue
                endings, speed = fuzzing.run(target, args.cases, args.seed, Path(folder))
            except fuzzing.Finding as finding:
                wrong += 1
                args.keep.mkdir(exist_ok=True)
                kept = args.keep / f"{name}-{args.seed}-{target.file}"
                kept.write_bytes(getattr(finding, "data", b""))
                traceback.print_exception(finding, limit=-6)
                print(f"{name}: FOUND {finding}\n  kept as {kept}", flush=True)
            else:
                counts = ", ".join(f"{k} {v}" for k, v in sorted(endings.items()))
                print(f"{name}: {args.cases} cases, {speed:.0f}/s: {counts}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
