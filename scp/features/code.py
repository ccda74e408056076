"""Functions of people's own that compute features: by name from a file, and what they are known
by."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def is_code(value: object) -> bool:
    """Whether this is FILE.py:NAME."""
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else ""
    file, colon, name = str(text).rpartition(":")
    return bool(colon) and file.endswith(".py") and name.isidentifier()


def load_function(source: str) -> tuple[Callable[..., Any], Path]:
    """The function FILE.py:NAME, and its file. The file is run, as Python runs it; modules beside
    it can be imported.

    Raises:
        ValueError: there is no such file or function, or the file fails; names it.
    """
    file, _, name = source.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"features: there is no file {path}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(f"_scp_features_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever people's code raises
        raise ValueError(f"features: {path} fails: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ValueError(f"features: {path} has no function {name}")
    return function, path


def code_digest(function: Callable[..., Any], path: Path | None = None) -> str:
    """SHA-256 of the text of a function's file, or of the function where it came from elsewhere (of
    an object's class; without a text, of its name). What it reads is not in it."""
    if path is not None:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    for part in (function, type(function)):
        try:
            return hashlib.sha256(inspect.getsource(part).encode()).hexdigest()
        except (OSError, TypeError):
            continue
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return hashlib.sha256(name.encode()).hexdigest()
