"""A short run of every fuzz target (run.py makes the long ones), and files that grow.

A reader whose work is quadratic takes the small ones in time; here each is an eighth of a megabyte.
"""

import pytest
from fuzzing import Finding, Target, check, run
from targets import TARGETS

CASES = 100
SIZE = 1 << 17


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files(name, tmp_path):
    run(TARGETS[name], CASES, 0, tmp_path)


@pytest.mark.parametrize("name", [n for n, t in TARGETS.items() if list(t.grow(1 << 10))])
def test_files_that_ask_for_much(name, tmp_path):
    for data in TARGETS[name].grow(SIZE):
        check(TARGETS[name], data, tmp_path)
        check(TARGETS[name], data, tmp_path, memory=True)


def complaining(text):
    def read(path):
        raise ValueError(text.format(path))

    return read


@pytest.mark.parametrize(
    "read, text",
    [
        (lambda path: bytearray(1 << 27), "MB for"),
        (lambda path: [None for _ in iter(int, 1)], "more than"),
        (lambda path: {}["x"], "not a documented"),
        (lambda path: "\ud800".encode(), "not a documented"),
        (complaining("damaged"), "not named"),
        (complaining("{}: two\nlines"), "more than a line"),
        (complaining("{}: " + "long" * 1000), "a message of"),
    ],
)
def test_the_harness_finds(read, text, tmp_path, monkeypatch):
    monkeypatch.setattr("fuzzing.SECONDS", 0.3)
    with pytest.raises(Finding, match=text):
        check(Target("x", list, read), b"x", tmp_path, memory="MB" in text)
