"""Definitions of measurements, as people write or download them."""

from __future__ import annotations

from importlib import resources

from fuzzing import Target

from scp.datasets import DatasetError
from scp.measures import read_definitions

WORDS = [
    b"[measures.",
    b"angle",
    b"sum",
    b"ratio",
    b'["S", "N"]',
    b'"-',
    b"classes",
    b"nan",
    b"inf",
]
WORDS += [
    b"0x" + b"f" * 40,
    b"'''",
    b"[[",
    b"{",
    b"}",
    b"\0",
    b"\xff",
    b"\\u001b",
    b"=",
    b".",
    b"\n",
]


def _seeds() -> list[bytes]:
    folder = resources.files("scp.measures")
    return [(folder / f"{name}.toml").read_bytes() for name in ("isbi2015", "cephalometry")]


def _growing(size: int):
    part = b'[measures.m%d]\ndistance = ["a", "b"]\n'
    yield b"".join(part % k for k in range(size // 40))
    chain = b'[measures.m%d]\nsum = ["m%d", "m%d"]\n'
    yield part % 0 + b"".join(chain % (k, k - 1, k - 1) for k in range(1, size // 40))
    yield b"a" + b".a" * (size // 2) + b" = 1\n"
    yield b"a = " + b"[" * size
    yield b"a = " + b"{a=" * (size // 3)
    yield b"a = 0x" + b"f" * size
    yield b"a = " + b"1" * size
    yield part % 0 + b"classes = [" + b'{name="a",to=1},' * (size // 16) + b"]"
    yield b"[points]\np = {middle = [" + b'"a",' * (size // 4) + b"]}\n" + part % 0
    yield b"#" * size


TARGETS = [
    Target("definitions", _seeds, read_definitions, (DatasetError,), "case.toml", WORDS, _growing),
]
