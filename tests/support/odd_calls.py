"""Every function of scp._core and scp._testing, called with odd arguments: only exceptions may come
out. Run as a program, since a fault ends the process:

    python tests/support/odd_calls.py LOG [FUNCTION ...]

LOG holds a line for each call as it begins; at its end stands what else was wrong: a refusal that
does not name an argument, or an exception of another kind.
"""

from __future__ import annotations

import faulthandler
import re
import resource
import signal
import sys
from itertools import product

import numpy as np
from plain_calls import (
    PLAIN,
    RNG,
    F,
    graph,
    plain_problem,
    plan,
    problem_arguments,
    queries,
    trainer,
)

from scp import _core, _testing

HANGS = 60  # seconds without an answer, and without looking for signals, are a hang
STOP = 1.0  # seconds between signals that stop a call

# ---- odd arguments ----

WHOLE = [
    -1,
    0,
    1,
    2,
    7,
    255,
    256,
    65535,
    65536,
    *(2**k + d for k in (31, 32, 63, 64) for d in (-1, 0, 1)),
]
WHOLE += [10**30, -(2**63), 1.5, True, None, "3", np.int64(3), np.array(3), np.array([1, 2])]
REAL = [np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-320, 1e-30, 1e30, 1e300, 10**400, None, "x"]


class Falls:
    """Not a number after all."""

    def __index__(self):
        raise ZeroDivisionError

    __float__ = __bool__ = __fspath__ = __index__


def odd_arrays(a: np.ndarray):
    """(what, an array like a) of wrong shapes, orders, types and numbers."""
    for axis in range(a.ndim):
        for length in {0, 1, a.shape[axis] + 1, a.shape[axis] * 3} - {a.shape[axis]}:
            shape = list(a.shape)
            shape[axis] = length
            yield f"axis {axis} is {length}", np.resize(a, shape)
    yield "no numbers", np.zeros([0] * a.ndim, a.dtype)
    yield "no axes", np.zeros((), a.dtype)
    yield "one more axis", a[None].copy()
    for dtype in ("f4", "f8", "f2", "i1", "u4", "i8", "c8", "O", "S3", ">f4", ">i4", "M8[s]"):
        if np.dtype(dtype) != a.dtype:
            yield dtype, np.zeros(a.shape, dtype)
    if a.ndim > 1:
        yield "in another order", np.asfortranarray(a)
    yield "with gaps", np.repeat(a, 2, -1)[..., ::2]
    place = np.zeros(a.nbytes + 1, np.uint8)[1:]
    yield "not aligned", place.view(a.dtype).reshape(a.shape) if a.size else a
    fixed = a.copy()
    fixed.flags.writeable = False
    yield "read only", fixed
    if a.dtype.kind == "f":
        numbers = [np.nan, np.inf, -np.inf, -1, 0, 1e-44, 3e38, -3e38]
    else:
        numbers = [np.iinfo(a.dtype).min, np.iinfo(a.dtype).max, 0, 1, 3]
    for number in numbers:
        yield f"all {number}", np.full(a.shape, number, a.dtype)
        one = a.copy()
        one.flat[-1:] = number
        yield f"the last {number}", one
    yield "a list", a.tolist()
    yield "nothing", None


def odd_tables(table: np.ndarray):
    """Layers with one number changed."""
    numbers = [-1, 0, 1, 2, 13, 14, 1 << 15, 1 << 16, (1 << 31) - 1, -(1 << 31)]
    for row, column in product(range(len(table)), range(20)):
        for number in numbers:
            one = table.copy()
            one[row, column] = number
            yield f"[{row}, {column}] = {number}", one


def odd_options(options: dict, table: str):
    rows = {r["name"]: r for r in _core.options(table)}
    yield "no dict", list(options)
    yield "an unknown one", options | {"nonsense": 1}
    yield "a number for a name", {1: 2}
    for name, row in rows.items():
        for value in [
            row["min"],
            row["max"],
            row["default"],
            2 * row["max"] + 1,
            *WHOLE[:6],
            *REAL,
        ]:
            two = row["type"] in ("reals", "strength") and value is not None
            yield f"{name} = {value!r}", options | {name: [value, value] if two else value}


def odd(name: str, value):
    """(what, instead of value)."""
    yield "falls", Falls()
    yield "an object", object()
    if name == "table" and isinstance(value, np.ndarray):
        yield from odd_tables(value)
    if isinstance(value, np.ndarray):
        yield from odd_arrays(value)
    elif isinstance(value, (bool, int)):
        yield from ((repr(x), x) for x in WHOLE)
    elif isinstance(value, float):
        yield from ((repr(x), x) for x in REAL)
    elif isinstance(value, str):
        for text in ("", "\0", "nonsense", "\udc80", "x" * 100_000, b"search", 3, None):
            yield repr(text)[:20], text
    elif isinstance(value, dict):
        if name == "options":
            yield from odd_options(value, "refine" if "pseudo" in value else "train")
        yield "none", {}
        for key, one in value.items():
            if isinstance(one, np.ndarray):
                yield from ((f"{key} {what}", value | {key: x}) for what, x in odd_arrays(one))
    elif isinstance(value, tuple) and name == "geometry":
        for at, x in product(range(5), WHOLE):
            yield f"{at} is {x!r}", (*value[:at], x, *value[at + 1 :])
        yield "short", value[:3]
    elif isinstance(value, tuple):
        yield from (("none", ()), ("a list", list(value)), ("nothing in it", (None,)))
        yield "many", value * 9
        for what, x in odd_arrays(value[0]):
            yield what, (x, *value[1:])
    else:  # an object of the core
        others = (graph(), plan(), plan(False), queries(), plain_problem(), trainer(), None, 3)
        yield from ((repr(x), x) for x in others)


def shapes(function) -> dict[str, list[str]]:
    """The words of each array's shape, and what is called as a whole number is."""
    found = re.findall(r"^(\w+): .*?\w* ?((?:\[[\w*]+\])+)", function.__doc__ or "", re.M)
    return {name: re.findall(r"\[([\w*]+)\]", shape) for name, shape in found}


def with_length(arguments: dict, words: dict, word: str, length: int) -> dict:
    """All arrays and numbers whose length has that name are so long."""

    def sides(names, lengths):
        return [length if w == word else n for w, n in zip(names, lengths, strict=True)]

    out = dict(arguments)
    if isinstance(out.get(word), int):
        out[word] = length
    for name, shape in words.items():
        value = out.get(name)
        for a in [value] if isinstance(value, np.ndarray) else []:
            if a.ndim == len(shape):
                out[name] = np.resize(a, sides(shape, a.shape))
        if isinstance(value, tuple) and isinstance(value[0], np.ndarray):
            if shape[0] == word:
                out[name] = (value * length)[:length]
            elif len(shape) == value[0].ndim + 1:
                out[name] = tuple(np.resize(a, sides(shape[1:], a.shape)) for a in value)
    return out


def calls(name: str, function):
    """(what, keyword arguments) of one function."""
    make = PLAIN[name]
    yield "plain", make()
    for key, value in make().items():
        for what, instead in odd(key, value):
            yield f"{key}: {what}", make() | {key: instead}
    words = shapes(function)
    for word in sorted({w for shape in words.values() for w in shape} - {"*"}):
        for length in (0, 1, 33):
            yield f"{word} is {length}", with_length(make(), words, word, length)
    for attempt in range(60):  # several at once
        arguments, said = make(), []
        for key, value in arguments.items():
            others = list(odd(key, value))[: 400 if attempt % 2 else 60]
            if RNG.random() < 0.4 and others:
                what, arguments[key] = others[RNG.integers(len(others))]
                said.append(f"{key}: {what}")
        yield f"{attempt}: " + "; ".join(said), arguments


def changed_afterwards():
    """(what, a call) on objects whose arrays are overwritten after they were made."""
    for byte in (0, 1, 0x7F, 0x80, 0xFF):
        for name in [n for n in PLAIN if n.startswith("select_") and n != "select_problem"]:
            given = problem_arguments()
            core = _core.select_problem(**given)
            for a in given.values():
                if isinstance(a, np.ndarray):
                    a.view(np.uint8)[...] = byte
            yield f"{name} after {byte}", getattr(_core, name), PLAIN[name]() | {"problem": core}
        for make, arguments in (
            (_core.contrast_trainer, PLAIN["contrast_trainer"]()),
            (_core.refine_trainer, PLAIN["refine_trainer"]()),
            (_core.supervise_trainer, PLAIN["supervise_trainer"]()),
            (_core.autoencode_trainer, PLAIN["autoencode_trainer"]()),
            (_core.transfer_trainer, PLAIN["transfer_trainer"]()),
            (_core.vaal_trainer, PLAIN["vaal_trainer"]()),
            (_core.instances_trainer, PLAIN["instances_trainer"]()),
        ):
            measure = getattr(_core, make.__name__.replace("_trainer", "_measure"))
            lengths = measure(**arguments)[1]
            arrays = {name: np.zeros(length, F) for name, length in lengths.items()}
            core = make(**arguments)
            for a in arguments.values():
                if isinstance(a, np.ndarray):
                    a.view(np.uint8)[...] = byte
            run = {"trainer": core, "arrays": arrays, "first": 0, "rates": np.full(2, 1e-3)}
            yield f"{make.__name__} after {byte}", _core.trainer_run, run


class Stopped(Exception):
    """What the signal handler raises."""


ALLOWED = (TypeError, ValueError, OverflowError, MemoryError, RuntimeError, OSError, Stopped)
ALLOWED += (ZeroDivisionError,)  # of Falls


RUNNING: list[str] = []  # the call that a signal may stop


def stop(*_):
    if RUNNING:
        raise Stopped


def fault_of(name: str, error: Exception) -> str | None:
    if not isinstance(error, ALLOWED) or isinstance(error, SystemError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, ValueError) and str(error).startswith(f"{name}: invalid"):
        return f"names no argument: {error}"
    return None


def main(log: str, *only: str):
    faults = []
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, STOP, STOP)
    if "asan" not in _core.__file__:  # whose shadow memory takes address space
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    modules = {n: getattr(_core, n, None) or getattr(_testing, n) for n in PLAIN}

    def run(out, what, function, arguments):
        print(what, file=out, flush=True)
        faulthandler.dump_traceback_later(HANGS, exit=True)
        try:
            RUNNING.append(what)
            function(**arguments)
            RUNNING.clear()
        except Exception as error:
            RUNNING.clear()
            fault = fault_of(function.__name__, error)
            faults.extend([f"{what}: {fault}"] if fault else [])
        faulthandler.cancel_dump_traceback_later()
        _testing.alloc_fail_at(0)

    with open(log, "w") as out:
        for name, function in modules.items():
            if not only or name in only:
                for what, arguments in calls(name, function):
                    run(out, f"{name}: {what}", function, arguments)
        if not only:
            for what, function, arguments in changed_afterwards():
                run(out, what, function, arguments)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print("faults:", *faults or ["none"], sep="\n", file=out)


if __name__ == "__main__":
    main(*sys.argv[1:])
