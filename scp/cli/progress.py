"""Progress on stderr: a bar, or a line now and then."""

from __future__ import annotations

import sys
import time

LINE_SECONDS = 30  # between lines of progress where stderr is no terminal


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
