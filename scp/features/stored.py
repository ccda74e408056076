"""Features that were computed elsewhere, in files: vectors or maps, and whose image each is of."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import DatasetError, warn
from ..landmarks.lists import read_ids
from ..landmarks.names import Index, twice
from ..runs.arrays import map_npy, unpack_npz
from .tables import read_csv, read_tensors

SUFFIXES = (".npy", ".npz", ".csv", ".safetensors")
_LEVEL = re.compile(r"(.+)\.([0-9]{1,2})", re.S)


@dataclass
class Stored:
    """Arrays, the first axis of each the images; or the files of a folder.

    Attributes:
        source: the file or folder, "" for arrays of Python.
        arrays: [N][...], a level each. files: those of each image, a level each, instead.
        ids: of the rows; None: not known yet. ordered: no ids were given, the rows are the images
            in their order. list_file: that named the ids, or "".
    """

    source: str
    arrays: list[np.ndarray] = field(default_factory=list)
    ids: list[str] | None = None
    files: list[list[Path]] = field(default_factory=list)
    ordered: bool = False
    list_file: str = ""

    def __len__(self) -> int:
        return len(self.files) or len(self.arrays[0])

    def of(self, row: int) -> list[np.ndarray]:
        """The arrays of one image."""
        if self.files:
            return [map_npy(path) for path in self.files[row]]
        return [array[row] for array in self.arrays]

    def rows(self, ids: Sequence[str]) -> list[int]:
        """Rows of images; ValueError names one that has none."""
        if self.ids is None:
            raise ValueError(
                f"{self.source or 'features'}: whose images these are is known after "
                "of_images(dataset)"
            )
        index = Index(self.ids)
        rows = [index.place(name) for name in ids]
        for name, row in zip(ids, rows, strict=True):
            if row < 0:
                raise ValueError(f"{self.source or 'features'}: no features of image {name!r}")
        return rows

    def digest(self) -> str:
        """SHA-256 of all of it: files and arrays, and the ids that were given beside them."""
        path, content = Path(self.source), hashlib.sha256()
        if not self.ordered and not self.files and (self.list_file or not self.source):
            content.update("\n".join(self.ids or ()).encode("utf-8", "replace"))
        if self.source and path.is_file():
            content.update(_file_digest(path))
            return content.hexdigest()
        for paths in self.files:
            for file in paths:
                content.update(f"{file.relative_to(path).as_posix()}\n".encode("utf-8", "replace"))
                content.update(_file_digest(file))
        for array in self.arrays:
            content.update(f"{array.shape} {array.dtype.str}\n".encode())
            for row in array:
                content.update(np.ascontiguousarray(row))
        return content.hexdigest()

    def bound(self, ids: Sequence[str]) -> Stored:
        """The same with ids, after a check that every image has features.

        Raises:
            ValueError: names the image that has none, or says how many there are.
        """
        where = self.source or "features"
        if self.files:
            return _of_folder(Path(self.source), ids)
        if self.ordered:
            if len(self) != len(ids):
                raise ValueError(
                    f"{where}: {len(self)} rows for {len(ids)} images; a row for each image in "
                    f"their order ({ids[0]}, .., {ids[-1]}) is needed, or ids of the rows"
                )
            return replace(self, ids=list(ids))
        _check_all(Index(self.ids or ()), ids, where)
        return self


def known_by(stored: Stored) -> dict[str, str]:
    """What the settings of a run say of it."""
    order = "of the images" if stored.ordered else "by id"
    listed = {"ids": stored.list_file} if stored.list_file else {}
    return {**listed, "order": order, "sha256": stored.digest()}


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _check_all(there: Index, ids: Sequence[str], where: str) -> None:
    """ValueError where an image has no features; a warning counts those that are of no image."""
    try:
        rows = [there.place(name) for name in ids]
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    missing = [name for name, row in zip(ids, rows, strict=True) if row < 0]
    if missing:
        some = f"{there.names[0][:60]!r}" if there.names else "none"
        raise ValueError(
            f"{where}: no features of image {missing[0]!r} ({len(missing)} of {len(ids)} images "
            f"have none); the first that it names is {some}"
        )
    used: dict[int, str] = {}
    for name, row in zip(ids, rows, strict=True):
        if used.setdefault(row, name) != name:
            both = f"{used[row]!r} or {name!r}"
            raise ValueError(f"{where}: {there.names[row][:60]!r} could be {both}")
    unused = [name for k, name in enumerate(there.names) if k not in used]
    if unused:
        warn(f"{where}: {len(unused)} entries are of no image, the first is {unused[0][:60]!r}")


def read_stored(
    path: str | os.PathLike[str], ids: str | os.PathLike[str] | Sequence[str] | None = None
) -> Stored:
    """Features in a file (.npy, .npz, .csv, .safetensors), or a folder of .npy files.

    Args:
        path: FILE.npy, an array whose first axis is the images; FILE.npz, the same with `ids` [N]
            beside it; maps of several levels are its arrays in the order of their names; FILE.csv,
            lines id,number,...; FILE.safetensors, tensors as in .npz, or vectors [d] named by their
            images; a folder of ID.npy or ID.LEVEL.npy.
        ids: of the rows, or a file with one id a line.

    Raises:
        ValueError: a file is damaged, or holds something else; names it.
    """
    path = Path(path)
    if path.is_dir():
        if ids is not None:
            raise ValueError(f"feature-ids: the files in {path} are named by their images")
        return Stored(str(path), files=[[f] for f in _npy_files(path)])
    if not path.exists():
        raise FileNotFoundError(f"features: there is no file or folder {path}")
    suffix, named, own = path.suffix.lower(), None, None
    if suffix == ".npy":
        arrays = {"": map_npy(path)}
    elif suffix == ".npz":
        arrays = unpack_npz(path)
        own = arrays.pop("ids", None)
    elif suffix == ".csv":
        named, vectors = read_csv(path)
        arrays = {"": vectors}
    elif suffix == ".safetensors":
        named, arrays = read_tensors(path)
    else:
        raise ValueError(f"{path}: features are read from {', '.join(SUFFIXES)} files")
    if named is not None and ids is not None:
        raise ValueError(f"feature-ids: {path} has the ids of its rows itself")
    if not arrays:
        raise ValueError(f"{path}: there is no array of features in it")
    for name, array in arrays.items():
        where = f"{path}: {name}" if name else f"{path}"
        if array.dtype.kind not in "fiu" or array.ndim not in (2, 4):
            raise ValueError(
                f"{where} must be vectors [N][d] or maps [N][C][H][W] of numbers, got "
                f"{array.dtype} {list(array.shape)}"
            )
    if own is not None and ids is None:
        ids = _texts(own, f"{path}: ids")
    ids = named if named is not None else ids
    list_file = ""
    if isinstance(ids, (str, os.PathLike)):
        list_file, ids = str(ids), read_ids(ids)
    stored = of_arrays([arrays[name] for name in sorted(arrays)], ids, str(path))
    return replace(stored, list_file=list_file)


def of_arrays(
    arrays: Sequence[np.ndarray], ids: Sequence[str] | None = None, source: str = ""
) -> Stored:
    """Arrays of one number of images, checked against their ids."""
    where = source or "features"
    counts = [len(array) for array in arrays]
    if min(counts) != max(counts):
        raise ValueError(f"{where}: arrays of {min(counts)} and of {max(counts)} images")
    names = None if ids is None else [str(name) for name in ids]
    if names is not None and len(names) != counts[0]:
        raise ValueError(f"{where}: {len(names)} ids for {counts[0]} rows")
    if names is not None and (same := twice(names)) is not None:
        raise ValueError(f"{where}: the id {same[:60]!r} is there twice")
    return Stored(source, list(arrays), names, ordered=names is None)


def _texts(array: np.ndarray, where: str) -> list[str]:
    if array.ndim != 1 or array.dtype.kind not in "US":
        raise ValueError(f"{where} must be texts [N], got {array.dtype} {list(array.shape)}")
    try:
        return [n.decode() if isinstance(n, bytes) else str(n) for n in array.tolist()]
    except (UnicodeError, ValueError):
        raise ValueError(f"{where} are no texts") from None


def _npy_files(folder: Path) -> list[Path]:
    files = [p for p in sorted(folder.rglob("*.npy")) if not p.name.startswith(".")]
    if not files:
        raise ValueError(f"{folder}: there is no .npy file in it")
    return files


def _of_folder(folder: Path, ids: Sequence[str]) -> Stored:
    """ID.npy is one map; ID.1.npy, ID.2.npy are levels. An id may itself end in a number."""
    images = Index(ids)
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in _npy_files(folder):
        name = path.relative_to(folder).as_posix().removesuffix(".npy")
        level = _LEVEL.fullmatch(name)
        try:
            whole = images.place(name) >= 0
        except ValueError as error:
            raise ValueError(f"{folder}: {error}") from None
        key, number = (name, -1) if whole or not level else (level[1], int(level[2]))
        found.setdefault(key, []).append((number, path))
    for key, files in found.items():
        if len(files) > 1 and min(number for number, _ in files) < 0:
            raise DatasetError(f"{folder}: {key}.npy stands beside levels of it, {key}.N.npy")
    _check_all(Index(list(found)), ids, str(folder))
    files = [[path for _, path in sorted(entries)] for entries in found.values()]
    return Stored(str(folder), [], list(found), files)
