"""A run folder belongs to one data set: dataset.json says to which.

    check_owner(folder, dataset)    an error where it belongs to another
    claim(folder, dataset)          the same, and it is written down
    opened_in(folder)               how its images are opened
    free_folder(..)                 a folder under runs/ that is this data set's, or nobody's

A data set is known again by its kind and folder; or, where it was moved, or is not in a folder, by
some of its images: those whose names have the smallest hashes, so that most of them stay the same
when images are added or removed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from .config import as_unicode, read_config
from .files import writing
from .fingerprints import of_image
from .plain import read_json, sealed

RECORD = "dataset.json"
KNOWN, CONFIG = "images.json", "config.toml"  # what tells of older folders whose they are
FORMAT = "scp run folder"
SAMPLE, DECODED = 32, 4  # images that stand for all: with a file, without
PARTS, PART = 16, 1 << 13  # of a file that are read
SPLIT = ("cephalometric", "hand", "wflw")  # one folder, several data sets


class OtherDatasetError(ValueError):
    """A run folder belongs to another data set."""


def check_owner(folder: str | os.PathLike[str], dataset) -> None:
    """Raises OtherDatasetError where the folder, if there is one, belongs to another data set."""
    name = _other_owner(Path(folder), dataset)
    if name is not None:
        raise OtherDatasetError(
            f"{folder}: this run folder belongs to another data set, {name}; give another folder "
            "(--run, run=). Features trained there can be used in it (--model "
            f"{Path(folder, 'weights.safetensors')}, features=scp.FeatureExtractor.load(..))"
        )


def claim(folder: str | os.PathLike[str], dataset) -> None:
    """Writes down that the folder, which the caller holds, belongs to the data set."""
    check_owner(folder, dataset)
    path, record = Path(folder, RECORD), _read(Path(folder))
    root = _root(dataset)
    opened = dataset.opened or (record or {}).get("opened")
    same = record is not None and (record["kind"], record["root"]) == (dataset.name, root)
    if record is not None and same and record.get("opened") == opened:
        return
    content = {
        "format": FORMAT,
        "version": 1,
        "kind": dataset.name,
        "root": None if root is None else as_unicode(root, "the folder of the images"),
        "images": {as_unicode(n, "an image"): _digest(dataset, i) for n, i in _sample(dataset)},
        **({} if opened is None else {"opened": opened}),
    }
    with writing(path) as beside:
        beside.write_text(json.dumps(sealed(content), indent=1) + "\n", encoding="utf-8")


def opened_in(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Arguments of the command line that open the images of a run folder: "images", their folder,
    "dataset", the kind, and its options. None where the folder is none of a run.

    Raises:
        ValueError: the folder does not say it.
    """
    path = Path(folder)
    if not path.is_dir() or not is_run_folder(path, os.listdir(path)):
        return None
    record = _read(path) or {}
    said, root = record.get("opened"), record.get("root")
    if said is None and record.get("kind") == "folder" and root is not None:
        said = {"dataset": "folder", "images": root}
    if not isinstance(said, dict) or not isinstance(said.get("images"), str):
        raise ValueError(
            f"{folder}: this run folder does not say how its images are opened (a Python program "
            "or an older version made it); name the images, with --dataset as for scp select, and "
            f"--run {folder}"
        )
    if not os.path.exists(said["images"]):
        raise ValueError(
            f"{folder}: its images are not in {said['images']} any more; name their folder, and "
            f"--run {folder}"
        )
    return said


def free_folder(dataset, name: str, parent: str = "") -> tuple[Path, str | None]:
    """The usual run folder of a data set: runs/NAME, or where that belongs to another data set,
    runs/PARENT-NAME, runs/NAME-2, ..; and what the first one holds if it is not that."""
    first = Path("runs", name)
    taken = _other_owner(first, dataset)
    path, number = first, 1
    while path.is_symlink() or path.exists():
        if _other_owner(path, dataset) is None:
            break
        number += 1
        path = first.with_name(f"{parent}-{name}" if number == 2 and parent else f"{name}-{number}")
    return path, taken


def is_run_folder(path: str | os.PathLike[str], names: Collection[str]) -> bool:
    """Whether scp wrote the files of these names in a folder, and images are not beside them
    because it is their own folder that was given as run folder."""
    if RECORD in names:
        record = _read(Path(path))
        return record is not None and record["root"] != os.path.realpath(path)
    return not _OURS.isdisjoint(names) and len((_OURS | _OURS_TOO).intersection(names)) > 1


_OURS = {"keypoints.npz", "similarity.ledger", "selection.json", "evaluation.html"}
_OURS |= {"checkpoint.safetensors", "weights.safetensors", "refined.safetensors"}
_OURS |= {"supervised.safetensors", "supervised.checkpoint.safetensors"}
_OURS_TOO = {"config.toml", "report.html", "log.jsonl", "metrics.json", "landmarks.csv"}


def _other_owner(folder: Path, dataset) -> str | None:
    """The data set that a folder belongs to, in words, where that is another one."""
    record = _read(folder)
    if record is None:
        return _older_owner(folder, dataset)
    kind, root, images = record["kind"], record["root"], record["images"]
    same_folder = root is not None and (kind, root) == (dataset.name, _root(dataset))
    if same_folder and kind not in SPLIT:
        return None
    place = {name: i for i, name in enumerate(_names(dataset))}
    both = [name for name in images if name in place]
    if same_folder:
        same = bool(both)
    else:
        equal = sum(_digest(dataset, place[name]) == images[name] for name in both)
        same = equal > 0 and 2 * equal >= len(both)
    if same:
        return None
    kind = "" if kind == "folder" else f"{kind} "
    return f"{kind}{root}" if root else f"{kind}without a folder"


def _older_owner(folder: Path, dataset) -> str | None:
    """The same for a folder without a record, as far as its other files tell."""
    root = None
    try:
        source = read_config(folder / CONFIG)["dataset"]
        root = source.get("root")
        if root and source.get("name") == dataset.name and os.path.realpath(root) == _root(dataset):
            return None
    except (OSError, ValueError, KeyError, AttributeError):
        pass
    try:
        entries = read_json(folder / KNOWN)["images"]
        sizes = {str(e["id"]): e["stamp"][0] for e in entries}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None  # nothing says that it is another's
    if not sizes or dataset.root is None:
        return None
    place = {name: i for i, name in enumerate(dataset.ids)}
    for name, size in sizes.items():
        path = dataset.path(place[name]) if name in place else None
        if path is not None and os.path.getsize(path) == size:
            return None
    return str(root) if root else f"one with the image {next(iter(sizes))}"


def _read(folder: Path) -> dict | None:
    """The record of a folder; None where there is none that can be read."""
    try:
        content = read_json(folder / RECORD)
        if content["format"] != FORMAT or not isinstance(content["kind"], str):
            return None
        if not isinstance(content["root"], (str, type(None))):
            return None
        images = {str(name): str(digest) for name, digest in content["images"].items()}
        return {**content, "images": images}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _root(dataset) -> str | None:
    return None if dataset.root is None else os.path.realpath(dataset.root)


def _names(dataset) -> list[str]:
    """Of all images: paths below the folder, which are the same for every kind of data set in it;
    ids where there are no files."""
    paths = [dataset.path(i) for i in range(len(dataset))]
    if dataset.root is None or any(path is None for path in paths):
        return list(dataset.ids)
    return [os.path.relpath(path, dataset.root) for path in paths]


def _sample(dataset) -> list[tuple[str, int]]:
    """Names and rows of the images that stand for all."""

    def rank(entry: tuple[str, int]) -> bytes:
        return hashlib.blake2b(entry[0].encode("utf-8", "surrogatepass"), digest_size=8).digest()

    names = _names(dataset)
    count = DECODED if dataset.path(0) is None else SAMPLE
    return sorted(zip(names, range(len(names)), strict=True), key=rank)[:count]


def _digest(dataset, i: int) -> str:
    """Of parts all over an image's file, or of its pixels where it has none."""
    path = dataset.path(i)
    if path is None:
        try:
            return of_image(dataset.image(i))[:40]
        except NotImplementedError:  # it has grids only
            return of_image(dataset.grid(i, (64, 64)))[:40]
    size = os.path.getsize(path)
    content = hashlib.blake2b(str(size).encode(), digest_size=20)
    with open(path, "rb") as file:
        for k in range(PARTS):
            file.seek(k * size // PARTS)
            content.update(file.read(PART))
    return content.hexdigest()
