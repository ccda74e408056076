"""Which images of a run folder are unchanged, so that a resumed run need not decode them again.

`images.json` stands beside `keypoints.npz` and names, for each image file, its size, its times of
modification and of change, its inode, the digest of its pixels on the grid, and the value that is
white where it is not the largest of the type. An image is known
when all of these are as they were, and when its file was already at rest when it was read: a file
written in the last two seconds may be written again within one tick of the clock. All else is
decoded as in a first run.

Until both files are written, `images.journal` holds what is known: a line with the settings, then a
line per image with its key points, each after its checksum. A process may be killed at any moment.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zlib
from typing import Any

import numpy as np

from .arrays import read_npz
from .files import naming
from .fingerprints import of_file
from .folder import RunFolder
from .plain import read_json

NAME, JOURNAL = "images.json", "images.journal"
AT_REST = 2_000_000_000  # ns; the coarsest clock of a file system in use (FAT)


class KnownImages:
    """The images that an earlier run left in `folder`, and those that this run adds.

    Args:
        folder: the run folder; None knows nothing and writes nothing.
        dataset: a `scp.datasets.Dataset`; images without a file are never known.
        settings: what key points and digests depend on besides the image. With other settings
            nothing is known.

    Attributes:
        notes: what was damaged, and is computed again.
    """

    def __init__(self, folder: RunFolder | None, dataset, settings: dict):
        self.folder, self.dataset = folder, dataset
        self.settings = json.loads(json.dumps(settings))
        self._images: dict[str, dict] = {}
        self._points: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._now: list[dict | None] = [None] * len(dataset)
        self.notes: list[str] = []
        self._journal: Any = None
        if folder is not None and (folder / NAME).is_file():
            self._read(folder)
        if folder is not None:
            self._begin(folder)

    def _read(self, folder: RunFolder) -> None:
        try:
            content = read_json(folder / NAME)
            if content["settings"] != self.settings:
                return
            path = folder / "keypoints.npz"
            if content["keypoints_sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
                raise ValueError(f"{path}: damaged, or not the file that {NAME} belongs to")
            self._points = _points(**read_npz(path, ("ids", "offsets", "xy_grid", "response")))
            entries = [e for e in content["images"] if isinstance(e["sha256"], str)]
            self._images = {str(e["id"]): e for e in entries}
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            self._images, self._points = {}, {}
            what = (
                str(error)
                if isinstance(error, (OSError, ValueError))
                else f"{folder / NAME}: damaged"
            )
            self.notes.append(f"{what}; key points are computed again")

    def _begin(self, folder: RunFolder) -> None:
        """Takes what a stopped run left in the journal, and goes on in it."""
        path, settings = folder / JOURNAL, _line(self.settings)
        lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        good = [settings]
        if lines and lines[0] == settings:
            for line in lines[1:]:
                try:
                    content = json.loads(line[9:])
                    if line != _line(content):
                        continue
                    own = str(content["id"])
                    points = [base64.b64decode(content.pop(name)) for name in ("xy", "response")]
                    xy, response = (np.frombuffer(b, np.float32).copy() for b in points)
                    self._points[own] = xy.reshape(len(response), 2), response
                    self._images[own] = content
                    good.append(line)
                except (ValueError, KeyError, TypeError):
                    continue  # cut off: the process was killed
        with folder.writing(JOURNAL) as beside:
            beside.write_bytes(b"".join(good))
        self._journal = path.open("ab", buffering=0)

    def get(self, i: int) -> tuple[str, np.ndarray, np.ndarray] | None:
        """Digest, key points on the grid float32 [K][2] and responses [K] of image i, if known."""
        entry = self._images.get(self.dataset.ids[i])
        now = of_file(self.dataset.path(i)) if entry is not None else None
        if now is None or entry.get("stamp") != now:
            return None
        if (
            entry.get("white") != self.dataset.unusual_white(i)
            or self.dataset.ids[i] not in self._points
        ):
            return None
        self._now[i] = entry
        return str(entry["sha256"]), *self._points[self.dataset.ids[i]]

    def before(self, i: int) -> tuple[list[int] | None, int]:
        """What `add` needs from the time before image i is read: its stamp, and now in ns."""
        return of_file(self.dataset.path(i)), time.time_ns()

    def add(
        self,
        i: int,
        before: tuple[list[int] | None, int],
        digest: str,
        xy: np.ndarray,
        response: np.ndarray,
    ) -> None:
        """Image i was read and has this digest and these key points; they are kept for the next run
        if it was at rest."""
        then, started = before
        if then is None or then != of_file(self.dataset.path(i)):
            return
        if max(then[1:3]) + AT_REST <= started:
            entry = {"id": self.dataset.ids[i], "stamp": then, "sha256": digest}
            white = self.dataset.unusual_white(i)
            self._now[i] = entry if white is None else {**entry, "white": white}
            if self._journal is not None:
                arrays = {"xy": xy, "response": response}
                coded = {
                    name: base64.b64encode(np.ascontiguousarray(a, np.float32)).decode()
                    for name, a in arrays.items()
                }
                line = _line({**self._now[i], **coded})
                with naming(self._journal.name):
                    while line:  # a full disk takes a part and then says so
                        line = line[self._journal.write(line) :]

    def write(self) -> None:
        """Call when keypoints.npz is written."""
        if self.folder is None:
            return
        raw = (self.folder / "keypoints.npz").read_bytes()
        content = {
            "settings": self.settings,
            "keypoints_sha256": hashlib.sha256(raw).hexdigest(),
            "images": [entry for entry in self._now if entry is not None],
        }
        self.folder.write_json(NAME, content)
        self._journal.close()
        (self.folder / JOURNAL).unlink(missing_ok=True)


def _line(content: dict) -> bytes:
    """A line of the journal."""
    text = json.dumps(content, sort_keys=True).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _points(ids, offsets, xy_grid, response) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Key points on the grid and responses of each image."""
    if (
        (xy_grid.dtype, response.dtype) != (np.float32, np.float32)
        or xy_grid.shape != (*response.shape, 2)
        or offsets.dtype != np.int64
        or offsets.shape != (len(ids) + 1,)
    ):
        raise ValueError("keypoints.npz: arrays of other types or shapes")
    cuts = list(map(slice, offsets[:-1], offsets[1:]))
    return {str(name): (xy_grid[c], response[c]) for name, c in zip(ids, cuts, strict=True)}
