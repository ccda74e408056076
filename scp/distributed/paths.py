"""Paths in what is sent to other processes: whole ones, since those work in other folders."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TypeVar

_travelling: ContextVar[bool] = ContextVar("travelling", default=False)
_P = TypeVar("_P", str, os.PathLike)


@contextlib.contextmanager
def travelling() -> Iterator[None]:
    """Within the block objects are pickled for other processes."""
    token = _travelling.set(True)
    try:
        yield
    finally:
        _travelling.reset(token)


def sent(path: _P) -> _P:
    """A path as it is pickled: whole, if it goes to another process."""
    if not _travelling.get():
        return path
    return type(path)(os.path.abspath(path))
