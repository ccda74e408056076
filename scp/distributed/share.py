"""The place that workers read tasks from and write their results to: a folder that all machines
see, or an object store."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from ..runs.files import naming

TASK = "task"  # the file of a task, in a folder of its own
NAME = re.compile("[0-9a-f]{32}")  # of such a folder


class Share:
    """Files by name, in one folder level below each other.

    Args:
        where: a folder; or a URL of `fsspec`, such as "s3://bucket/folder".
    """

    def __init__(self, where: str | os.PathLike[str]):
        text = os.fspath(where)
        self.where = text if "://" in text else os.path.abspath(text)
        self._system: tuple[Any, str] | None = None

    def __repr__(self) -> str:
        return f"<Share: {self.where}>"

    def __getstate__(self) -> dict[str, Any]:
        return {"where": self.where, "_system": None}

    def _opened(self) -> tuple[Any, str]:
        """The file system of a URL, and the folder in it."""
        if self._system is None:
            try:
                import fsspec
            except ImportError:
                raise ValueError(
                    f"share: {self.where} needs fsspec: pip install 'sample-choosing-policy[dask]'"
                ) from None
            try:
                self._system = fsspec.core.url_to_fs(self.where)
            except (ValueError, ImportError) as error:
                raise ValueError(f"share: {self.where}: {error}") from None
        return self._system

    @property
    def _folder(self) -> Path | None:
        return None if "://" in self.where else Path(self.where)

    def write(self, name: str, data: bytes, make: bool = False) -> None:
        """A file, whole or not at all. make: its folder, too; else that must be there, so that a
        late result brings nothing back."""
        if self._folder is None:
            system, root = self._opened()
            if make:
                system.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
            system.pipe_file(f"{root}/{name}", data)
            return
        path = self._folder / name
        with naming(path, len(data)):
            if make:
                path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.parent / f".{uuid.uuid4().hex}"
            try:
                beside.write_bytes(data)
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise

    def read(self, name: str) -> bytes:
        """The content of a file; FileNotFoundError where there is none."""
        if self._folder is None:
            system, root = self._opened()
            return system.cat_file(f"{root}/{name}")
        return (self._folder / name).read_bytes()

    def names(self, under: str) -> list[str]:
        """Files below a name, ascending."""
        if self._folder is None:
            system, root = self._opened()
            system.invalidate_cache()
            try:
                found = system.ls(f"{root}/{under}", detail=False)
            except FileNotFoundError:
                return []
            return sorted(f"{under}/{path.rpartition('/')[2]}" for path in found)
        folder = self._folder / under
        if not folder.is_dir():
            return []
        return sorted(f"{under}/{p.name}" for p in folder.iterdir() if not p.name.startswith("."))

    def remove(self, name: str) -> None:
        """A file, or all files below a name; what is not there is not missed."""
        if self._folder is None:
            system, root = self._opened()
            with contextlib.suppress(FileNotFoundError):
                system.rm(f"{root}/{name}", recursive=True)
            return
        path = self._folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):  # others are in it
                path.parent.rmdir()
        else:
            path.unlink(missing_ok=True)

    def remove_old(self, under: str, seconds: float) -> None:
        """Folders of tasks below a name of which nothing was written for so long: of processes that
        were killed. Object stores have rules of their own for that."""
        if self._folder is None or not (self._folder / under).is_dir():
            return
        for path in (self._folder / under).iterdir():
            with contextlib.suppress(OSError):
                if NAME.fullmatch(path.name) and (path / TASK).is_file():
                    last = max(p.stat().st_mtime for p in path.iterdir())
                    if time.time() - last > seconds:
                        shutil.rmtree(path)


def packed(rows: list[int], results: list[dict[str, Any]]) -> bytes:
    """Arrays of several rows as bytes: a SHA-256, and the .npz file that it is of."""
    arrays: dict[str, Any] = {"rows": np.array(rows, np.int64)}
    for k, result in enumerate(results):
        for name, value in result.items():
            arrays[f"{k}.{name}"] = np.asarray(value)
            if arrays[f"{k}.{name}"].dtype.hasobject:
                raise ValueError(f"{name} must be an array of numbers, got {value!r}")
    content = io.BytesIO()
    np.savez(content, **arrays)
    data = content.getvalue()
    return hashlib.sha256(data).digest() + data


def unpacked(data: bytes) -> list[tuple[int, dict[str, np.ndarray]]]:
    """What `packed` was given; ValueError where the bytes are damaged."""
    digest, data = data[:32], data[32:]
    if hashlib.sha256(data).digest() != digest:
        raise ValueError("damaged")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as content:
            rows = content["rows"].tolist()
            results: list[dict[str, np.ndarray]] = [{} for _ in rows]
            for key in content.files:
                number, dot, name = key.partition(".")
                if dot:
                    results[int(number)][name] = content[key]
    except Exception as error:  # whatever a file of somebody else's does
        raise ValueError(f"damaged: {error}") from None
    return list(zip(rows, results, strict=True))
