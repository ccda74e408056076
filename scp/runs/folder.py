"""The run folder (docs/reference/files.md): one file per stage, written beside and then renamed."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import warn
from .config import toml
from .files import naming, writing
from .lock import hold
from .owner import claim
from .plain import parse_json, sealed, sealed_toml

CONFIG, SELECTION, REPORT = "config.toml", "selection.json", "report.html"
LOG, CHECKPOINT, WEIGHTS = "log.jsonl", "checkpoint.safetensors", "weights.safetensors"
KEYPOINTS, SIMILARITY, PLACES = "keypoints.npz", "similarity.npy", "places.npy"
LANDMARKS, REFINED, MARKS = "landmarks.csv", "refined.safetensors", "marks.csv"
SAMPLED = ("sample.npy", "scores.npy", "scores.ledger")  # of a choice from a sample alone
VECTORS = ("vectors.npy", "norms.npy", "vectors.ledger")  # of all key points of a large pool
SUPERVISED = "supervised.safetensors"
SPACING = "spacing.csv"


def unfinished(path: str | os.PathLike[str]) -> bool:
    """Whether a training in the folder was begun and has not finished."""
    return Path(path, CHECKPOINT).is_file() and not Path(path, WEIGHTS).is_file()


def read_log(path: str | os.PathLike[str]) -> list[dict]:
    """The steps of log.jsonl, each with "step" and "levels"; [] without such a file. Of a step that
    was trained twice the last line counts."""
    steps = {entry["step"]: entry for _, entry in log_lines(path)}
    return [steps[k] for k in sorted(steps)]


def log_lines(path: str | os.PathLike[str]) -> list[tuple[str, dict]]:
    """The lines of log.jsonl, each with what it says; [] without such a file. Damaged ones are left
    out, with a warning, but for a last one that is cut off: a training was killed."""
    path, lines, lost = Path(path), [], 0
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(text, 1):
        try:
            entry = parse_json(line)
            numbers = {"step": int(entry["step"]), "levels": [float(v) for v in entry["levels"]]}
            lines.append((line + "\n", {**entry, **numbers}))
        except (ValueError, KeyError, TypeError, OverflowError):
            lost += number < len(text)
    if lost:
        many = "1 line is" if lost == 1 else f"{lost} lines are"
        warn(f"{path}: {many} damaged and left out")
    return lines


def keeps_start(start: object, file: Path) -> None:
    """ValueError where a training would start from the very file that it replaces."""
    given = isinstance(start, (str, os.PathLike)) and Path(start).is_file() and file.is_file()
    if given and os.path.samefile(start, file):
        raise ValueError(
            f"start: a training in this run folder would replace {file}, from which it starts; "
            "give another run folder (--run, run=)"
        )


class RunFolder:
    """A folder that every verb reads and writes. Made on first use."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise NotADirectoryError(f"run folder {self.path}: this is a file")
        with naming(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of(cls, path: str | os.PathLike[str] | None) -> RunFolder | None:
        """The folder of a path, a `scp.Run` or a RunFolder; None of None."""
        return path if path is None or isinstance(path, cls) else cls(path)

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @contextlib.contextmanager
    def holding(self, dataset=None) -> Iterator[None]:
        """Within the block no other process writes here (`scp.runs.lock`).

        dataset: whose folder it is, or becomes (`scp.runs.owner`).
        """
        with hold(self.path):
            if dataset is None:
                yield
                return
            claim(self.path, dataset)
            dataset.extents.read(self.path)
            try:
                yield
            finally:
                if dataset.extents.new > 1:  # of 8 bits, one image often says it all
                    with contextlib.suppress(OSError):  # they are found again
                        dataset.extents.write(self)

    def writing(self, name: str):
        """A path to write; it becomes `name` when the block ends without an error."""
        return writing(self.path / name)

    def write_text(self, name: str, text: str) -> None:
        with self.writing(name) as path:
            path.write_text(text, encoding="utf-8")

    def write_json(self, name: str, content: dict) -> None:
        self.write_text(name, json.dumps(sealed(content), indent=1, ensure_ascii=False) + "\n")

    def write_arrays(self, name: str, **arrays: np.ndarray) -> None:
        """An .npz file."""
        content = io.BytesIO()  # a zip file cannot be closed in peace on a full disk
        np.savez(content, **arrays)
        with self.writing(name) as path:
            path.write_bytes(content.getbuffer())

    def write_array(self, name: str, array: np.ndarray) -> None:
        with self.writing(name) as path, path.open("wb") as file:
            np.save(file, array)

    def write_keypoints(self, ids, xy, xy_grid, response, offsets) -> None:
        self.write_arrays(
            KEYPOINTS,
            xy=np.asarray(xy, np.float32),
            xy_grid=np.asarray(xy_grid, np.float32),
            response=np.asarray(response, np.float32),
            offsets=np.asarray(offsets, np.int64),
            ids=np.asarray(ids, dtype=np.str_),
        )

    def write_config(self, tables: dict[str, dict]) -> None:
        """config.toml: the resolved settings, a table per stage; None is left out."""
        self.write_text(CONFIG, sealed_toml(toml(tables)))


@contextlib.contextmanager
def holding(run: str | os.PathLike[str] | None, dataset=None) -> Iterator[None]:
    """`RunFolder.holding` of a folder, made if it is not there; nothing where `run` is None."""
    if run is None:
        yield
        return
    with RunFolder(run).holding(dataset):
        yield
