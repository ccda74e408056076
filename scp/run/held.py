"""What stages have to do with their run folder: they hold it while they write, and see when
somebody else wrote in it between two calls."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..datasets import Dataset
from ..runs import RunFolder, check_owner
from ..runs.fingerprints import of_file
from ..runs.folder import KEYPOINTS, PLACES, SIMILARITY
from .spacing import with_kept_spacing

_P = ParamSpec("_P")  # one a line: mypy reads them so
_T = TypeVar("_T")
# What is in memory, and the files that it was written to.
_OF_FILES = {
    KEYPOINTS: ("_pool", "_sampling", "_job", "_similarity", "_scored"),
    SIMILARITY: ("_similarity", "_scored"),
    PLACES: ("_similarity", "_scored"),
}


class Held:
    """A data set and its run folder.

    Attributes:
        dataset: the images. path: of the run folder, or None. folder: a RunFolder, or None.
        elapsed: seconds by stage.
    """

    def __init__(self, dataset: Dataset, run: str | os.PathLike[str] | None):
        self.dataset = dataset
        self.path = None if run is None else Path(run)
        if self.path is not None:
            check_owner(self.path, dataset)
            self.dataset = with_kept_spacing(dataset, self.path)
        self.elapsed: dict[str, float] = {}
        self._turn = threading.RLock()
        self._depth = 0
        self._written: dict[str, list[int] | None] = {}

    def __fspath__(self) -> str:
        if self.path is None:  # a run stands wherever the argument `run` is asked for
            raise TypeError("run: this one has no folder")
        return os.fspath(self.path)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_turn": None, "workers": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _turn=threading.RLock())

    @cached_property
    def folder(self) -> RunFolder | None:
        """The run folder; made when it is first used."""
        return None if self.path is None else RunFolder(self.path)

    @contextlib.contextmanager
    def holding(self, writes: bool = True) -> Iterator[None]:
        """Within the block no other process writes in the run folder, and no other thread uses
        this run. Every call that writes does so; this is for several calls that belong together.

        writes: False keeps other threads out only.

        Raises:
            FolderInUseError: another process writes there.
        """
        with self._turn, contextlib.ExitStack() as stack:
            if not writes or self.path is None or self._depth:
                yield
                return
            self.folder = RunFolder(self.path)  # made again if it was deleted
            stack.enter_context(self.folder.holding(self.dataset))
            self._forget_what_changed()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                self._written = {name: self._stamp(name) for name in _OF_FILES}

    def _stamp(self, name: str) -> list[int] | None:
        """What tells a file from another that took its place."""
        stamp = None if self.path is None else of_file(str(self.path / name))
        # The time of a mapped file changes when the system writes it back; its inode is in use.
        return stamp and [stamp[0], stamp[3], *(stamp[1:2] if name == KEYPOINTS else ())]

    def _forget_what_changed(self) -> None:
        """Another run may have written in the folder since the last call: what lies there is then
        not what is in memory, and is read or made again."""
        for name, before in self._written.items():
            if before is not None and self._stamp(name) != before:
                for kept in _OF_FILES[name]:
                    self.__dict__.pop(kept, None)

    @contextlib.contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.elapsed[name] = time.perf_counter() - start


_R = TypeVar("_R", bound=Held)


def held(call: Callable[Concatenate[_R, _P], _T]) -> Callable[Concatenate[_R, _P], _T]:
    """A method that holds the run folder."""

    @functools.wraps(call)
    def inside(self: _R, /, *args: _P.args, **options: _P.kwargs) -> _T:
        with self.holding():
            return call(self, *args, **options)

    return inside
