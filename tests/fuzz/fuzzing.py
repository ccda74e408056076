"""Damaged files by the million, and what must hold for each of them.

A case is a valid file (a seed) after a few mutations. For each: nothing but the exceptions that the
reader documents comes out, in one line with the name of the file; within a time and a memory that
are linear in its size. A reader that hangs in C is ended by a watchdog; the file stays where it is.
"""

from __future__ import annotations

import faulthandler
import random
import re
import signal
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

SECONDS, SECONDS_PER_MB = 2.0, 8.0  # of CPU time, which other processes do not change
MEMORY, MEMORY_PER_BYTE = 64 << 20, 120
TRACED = 6  # times slower while memory is measured
WATCHDOG = 600.0  # of code that does not look for signals
LONGEST_MESSAGE = 1000


@dataclass(frozen=True)
class Target:
    """A reader of files.

    seeds: valid files. read: called with the path. errors: exactly these types may come out.
    words: what mutations put in, of the format. grow: size -> files of about that size that ask
    for more work or memory than they are worth. repair: makes a mutated file pass the checks
    that keep mutations from going deep (checksums, say).
    """

    name: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    errors: tuple[type[Exception], ...] = (ValueError,)
    file: str = "case.bin"
    words: Iterable[bytes] = ()
    grow: Callable[[int], Iterable[bytes]] = field(default=lambda size: ())
    repair: Callable[[bytes], bytes] | None = None
    named: bool = True  # errors name the file


class Finding(AssertionError):
    """A file that a reader does not take as it should."""


class _TooLong(BaseException):
    """Not an Exception, so that no reader takes it for a damaged file."""


def _ring(*_):
    raise _TooLong


def check(target: Target, data: bytes, folder: Path, memory: bool = False) -> str:
    """How the reader ended: "read" or the name of an exception; Finding if it may not end so."""
    path = folder / target.file
    path.write_bytes(data)
    seconds = (SECONDS + SECONDS_PER_MB * len(data) / 1e6) * (TRACED if memory else 1)
    old = signal.signal(signal.SIGPROF, _ring)
    faulthandler.dump_traceback_later(WATCHDOG + seconds, exit=True)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    if memory:
        tracemalloc.start()
    try:
        target.read(path)
        return "read"
    except _TooLong:
        raise Finding(f"more than {seconds:.1f} s for {len(data)} bytes") from None
    except Exception as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        _check_error(target, path, error)
        return type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)
        faulthandler.cancel_dump_traceback_later()
        if memory:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            if peak > MEMORY + MEMORY_PER_BYTE * len(data):
                raise Finding(f"{peak / 1e6:.0f} MB for {len(data)} bytes")


def _check_error(target: Target, path: Path, error: Exception) -> None:
    text = str(error)
    said = f"{type(error).__name__}: {text[:300]}"
    if type(error) not in target.errors:
        raise Finding(f"not a documented exception: {said}") from error
    if target.named and path.name not in text:
        raise Finding(f"the file is not named: {said}") from error
    if re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        raise Finding(f"more than a line, or control characters: {said!r}") from error
    if len(text) - len(str(path)) > LONGEST_MESSAGE:
        raise Finding(f"a message of {len(text)} characters: {said}") from error


def run(target: Target, cases: int, seed: int, folder: Path, memory_every: int = 50):
    """(endings with their counts, files per second); Finding with the file that caused it."""
    rng, seeds = random.Random(f"{target.name} {seed}"), target.seeds()
    endings: dict[str, int] = {}
    for data in seeds:
        if check(target, data, folder, True) != "read":
            raise Finding(f"{target.name}: a seed is not read")
    begin = time.perf_counter()
    for k in range(cases):
        data = mutated(rng, seeds, list(target.words))
        if target.repair is not None and rng.random() < 0.8:
            data = target.repair(data)
        try:
            how = check(target, data, folder, memory_every > 0 and k % memory_every == 0)
        except Finding as finding:
            finding.add_note(f"target {target.name}, case {k} of seed {seed}: {len(data)} bytes")
            finding.data = data
            raise
        endings[how] = endings.get(how, 0) + 1
    return endings, cases / max(time.perf_counter() - begin, 1e-9)


def written(write: Callable[[Path], object], name: str = "file") -> bytes:
    """The bytes that write(path) leaves at a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        write(path)
        return path.read_bytes()


def json_growing(size: int):
    yield b"[" * size
    yield b'{"a":' * (size // 5)
    yield b'{"m": ' + b"1" * size + b"}"
    yield b'{"m": 1e' + b"9" * size + b"}"
    yield b'{"' + b"\\u0041" * (size // 6) + b'": 1}'


# ---- mutations ----

NUMBERS = [
    *("0", "-1", "1", "1.5", "255", "65536", "2147483648", "4294967295", "9223372036854775808"),
    *("1e400", "-1e308", "1e-400", "NaN", "Infinity", "9" * 30, "1" * 5000, "1" + "0" * 400, ""),
]
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40)
NESTS = (b"[", b"{", b"(", b'{"a":', b"[[", b"\x85", b",", b'"', b"\n", b"a.", b"-", b"9", b"\xff")


def mutated(rng: random.Random, seeds: list[bytes], words: list[bytes]) -> bytes:
    """A seed after one to four mutations; one in twenty grows to several times its size."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        rng.choice(MUTATIONS)(rng, data, seeds, words)
    if rng.random() < 0.05 and data:
        _repeat(rng, data, rng.choice((10, 100, 1000)))
    return bytes(data)


def _place(rng, data) -> int:
    near = min(len(data), 512) if rng.random() < 0.5 else len(data)  # headers are met more often
    return rng.randrange(near + 1)


def _part(rng, data) -> slice:
    at = _place(rng, data)
    return slice(at, at + rng.choice((1, 2, 4, 8, 16, 64, 256, 4096)))


def _flip(rng, data, seeds, words):
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(rng, data, seeds, words):
    if data:
        data[_place(rng, data) % len(data)] = rng.choice(
            (0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256))
        )


def _integer(rng, data, seeds, words):
    width, order = rng.choice((2, 4, 8)), rng.choice(("little", "big"))
    at = _place(rng, data)
    value = rng.choice(EXTREMES) + rng.choice((0, 0, -1, 1))
    if rng.random() < 0.3:
        value = int.from_bytes(data[at : at + width], order) + rng.choice((-1, 1, -8, 8, 64))
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)


def _number(rng, data, seeds, words):
    found = list(re.finditer(rb"\d[\d.eE+-]*", bytes(data)))
    if found:
        place = rng.choice(found)
        data[place.start() : place.end()] = rng.choice(NUMBERS).encode()


def _cut(rng, data, seeds, words):
    del data[rng.randrange(len(data) + 1) :]


def _delete(rng, data, seeds, words):
    del data[_part(rng, data)]


def _double(rng, data, seeds, words):
    part = _part(rng, data)
    data[part.start : part.start] = data[part]


def _move(rng, data, seeds, words):
    part = _part(rng, data)
    moved = bytes(data[part])
    del data[part]
    at = _place(rng, data)
    data[at:at] = moved


def _splice(rng, data, seeds, words):
    other = rng.choice(seeds)
    part = _part(rng, bytearray(other))
    at = _place(rng, data)
    data[at : at + rng.choice((0, len(other[part])))] = other[part]


def _insert(rng, data, seeds, words):
    at = _place(rng, data)
    word = rng.choice(words) if words and rng.random() < 0.7 else rng.choice(NESTS)
    data[at : at + rng.choice((0, 0, len(word)))] = word


def _nest(rng, data, seeds, words):
    at = _place(rng, data)
    data[at:at] = rng.choice(NESTS) * rng.choice((3, 40, 1100, 3000))


def _repeat(rng, data, times):
    part = _part(rng, data)
    data[part.start : part.start] = (bytes(data[part]) * times)[: 1 << 18]


MUTATIONS = (
    *(_flip, _flip, _flip, _byte, _byte, _integer, _integer, _number, _number, _cut),
    *(_delete, _double, _move, _splice, _insert, _insert, _nest),
)
