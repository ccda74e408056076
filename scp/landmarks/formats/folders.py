"""Folders in which a tool has a file for each image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ...errors import DatasetError
from ..names import stem

MAX_FILES = 1 << 17


def files_in(path: Path, suffix: str, start: str = "") -> list[Path]:
    """The file itself, or the files of a folder and those in its folders that begin and end so, by
    name.

    Links are left out: they may lead anywhere.
    """
    if not path.is_dir():
        return [path]
    found = []
    for file in _walk(path):
        if _called(file, suffix, start) and not file.name.startswith("."):
            found.append(file)
            if len(found) > MAX_FILES:
                raise DatasetError(f"{path}: more than {MAX_FILES} files {suffix}")
    if not found:
        raise DatasetError(f"{path}: no file {suffix} in this folder")
    return sorted(found)


def _walk(path: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(path, followlinks=False):
        for name in names:
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink():
                yield file


def first_in(path: Path, suffix: str, start: str = "") -> Path | None:
    """A file of a folder by which its format is known, or the file itself."""
    if not path.is_dir():
        return path if _called(path, suffix, start) else None
    return next((file for file in _walk(path) if _called(file, suffix, start)), None)


def _called(file: Path, suffix: str, start: str) -> bool:
    return file.name.lower().endswith(suffix) and file.name.startswith(start)


def beside(folder: Path, name: str, suffix: str) -> Path:
    """The file for an image in a folder that is written; its folders are made. ValueError where the
    name would lead out of it."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{name!r}: cannot be a file below {folder}")
    target = folder.joinpath(*parts)
    target = target.with_name(target.name + suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def check_files(path: Path, ids: list[str], suffix: str) -> None:
    """ValueError where two images would have the same file."""
    files: dict[str, str] = {}
    for name in ids:
        other = files.setdefault(stem(name), name)
        if other != name:
            raise ValueError(
                f"{path}: {other!r} and {name!r} would both have {stem(name)}{suffix}; rename one"
            )
