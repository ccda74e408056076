"""The values that image files hold, which decide what is white.

ranges.json in a run folder keeps them, so that the next start need not decode all files of 16 bits.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from ..runs import RunFolder, read_json
from ..runs.fingerprints import of_file
from ..runs.images import AT_REST
from . import reading

NAME = "ranges.json"


class Extents:
    """Smallest and largest value of each file, as `reading.extent` says them.

    Attributes:
        new: how many were found since they were last kept.
    """

    def __init__(self) -> None:
        self._known: dict[str, list] = {}  # path: stamp of the file, smallest, largest
        self.new = 0

    def of(self, path: str) -> tuple[int, int]:
        """Of a file, decoded if it is not known or changed."""
        stamp, now = of_file(path), time.time_ns()
        known = self._known.get(os.path.realpath(path))
        if known is not None and known[0] == stamp:
            return known[1], known[2]
        low, high = reading.extent(path)
        if stamp is not None and max(stamp[1:3]) + AT_REST <= now and stamp == of_file(path):
            self._known[os.path.realpath(path)] = [stamp, low, high]
            self.new += 1
        return low, high

    def read(self, folder: Path) -> None:
        """Adds what a run folder knows; a file that is damaged knows nothing."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            for path, (stamp, low, high) in read_json(folder / NAME)["files"].items():
                if type(low) is type(high) is int and 0 <= low <= high <= 65535:
                    self._known.setdefault(path, [stamp, low, high])

    def write(self, folder: RunFolder) -> None:
        folder.write_json(NAME, {"files": self._known})
        self.new = 0
