"""Writes scp/_core.pyi from the rows that describe the functions of the core (csrc/python/args.h).

    python tools/stubs.py          # after a development build, which has scp._testing

tests/package/test_stubs.py says that what is committed is what this makes.
"""

import inspect
import textwrap
from pathlib import Path

from scp import _core, _testing

STUB = Path(__file__).resolve().parent.parent / "scp" / "_core.pyi"
HEAD = '''"""The C core. Written by tools/stubs.py: do not edit.

Arrays must have exactly the stated dtype and be C-contiguous; nothing is converted. Dimensions of
one name are of one length. Errors name the argument: TypeError for a wrong type or dtype,
ValueError for a wrong value, shape or order, MemoryError, InfeasibleError, or what a progress
callback or signal handler raised.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, SupportsIndex, final

import numpy as np
from numpy.typing import NDArray

'''
TYPES = {
    "count": "SupportsIndex",
    "real": "float",
    "flag": "bool",
    "text": "str | os.PathLike[str]",
    "named": "dict[str, NDArray[np.float32]]",
    "progress": "Callable[[int, int], object]",
    "options": "dict[str, Any]",
}


def type_of(kind: str, text: str) -> str:
    """The annotation of a row that takes or gives `text`, such as "float32 [cells]"."""
    if kind == "array":
        return f"NDArray[np.{text.split()[0]}]"
    if kind == "arrays":
        return f"Sequence[NDArray[np.{text.split()[1]}]]"
    if kind == "choice":
        return "Literal[" + ", ".join(f'"{word}"' for word in text.split()[2:]) + "]"
    if kind == "value":
        return {"int64": "int", "float64": "float", "boolean": "bool"}[text]
    if kind == "made":
        return made(text.partition(":")[0])
    return text if kind == "object" else TYPES[kind]


def made(text: str) -> str:
    """The annotation of what a function makes: "float32 [n]", "list of float32", "dict from .."."""
    first, _, rest = text.partition(" of ")
    if rest:
        return f"{first}[{type_of('array', rest) if 'float' in rest else 'Any'}]"
    if text.startswith("float"):
        return type_of("array", text)
    return "dict[str, Any]" if text.startswith("dict from") else text


def signature(name: str, rows: list) -> str:
    arguments, results = [], []
    defaults = inspect.signature(getattr(_core, name)).parameters
    for row, kind, text, _, is_argument, optional, none in rows:
        if not is_argument:
            results.append(type_of(kind, text))
            continue
        kind = type_of(kind, text) + (" | None" if none else "")
        default = f" = {defaults[row].default!r}".replace("'", '"') if optional else ""
        arguments.append(f"{row}: {kind}{default}")
    result = ", ".join(results) or "None"
    if len(results) > 1:
        result = f"tuple[{result}]"
    line = f"def {name}({', '.join(arguments)}) -> {result}:"
    if len(line) <= 100:
        return line
    return f"def {name}(\n    " + ",\n    ".join(arguments) + f",\n) -> {result}:"


def stub() -> str:
    text = HEAD
    for name, value in sorted(vars(_core).items()):
        if not isinstance(value, type):
            continue
        if issubclass(value, ValueError):
            head = f"class {name}(ValueError):"
        else:
            head = f"@final\nclass {name}:"
        text += f'{head}\n    """{value.__doc__}"""\n\n'
    for name, _, rows in _testing.functions():
        text_of = inspect.getdoc(getattr(_core, name)) or ""
        lines = [line.rstrip() for line in text_of.strip().splitlines()]
        close = "" if len(lines) == 1 else "\n    "
        doc = textwrap.indent("\n".join(lines), "    ").strip()
        text += f'{signature(name, rows)}\n    """{doc}{close}"""\n\n'
    return text.rstrip() + "\n"


if __name__ == "__main__":
    STUB.write_text(stub())
