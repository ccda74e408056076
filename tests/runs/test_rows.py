"""Searches that are killed and go on: the same bits."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import scp
from scp.experiments.records import record
from scp.runs import Rows, RunFolder

ARRAYS = {"a.npy": ((5, 2, 3), np.float64), "b.npy": ((5, 4), np.float32)}


def opened(folder, fingerprint="a"):
    return Rows(folder, "x.ledger", fingerprint, ARRAYS)


def fill(folder, rows):
    table = opened(folder)
    for i in rows:
        table.put(i, np.full((2, 3), i + 0.5), np.full(4, np.nan, np.float32))
    return table.finish()


def done(folder, fingerprint="a"):
    table = opened(folder, fingerprint)
    for i in table.done:
        assert np.array_equal(table.arrays[0][i], np.full((2, 3), i + 0.5))
        assert np.isnan(table.arrays[1][i]).all()
    table.finish()
    return table.done


def test_rows_stay_until_one_is_damaged(tmp_path):
    fill(tmp_path, (3, 0, 1))
    ledger, array = tmp_path / "x.ledger", tmp_path / "a.npy"
    assert done(tmp_path) == {0, 1, 3}
    lines = ledger.read_bytes()
    for cut in range(1, 12):  # killed while the last line was written
        ledger.write_bytes(lines[:-cut])
        assert done(tmp_path) == {0, 1}
    ledger.write_bytes(lines)
    content = bytearray(array.read_bytes())
    content[128 + 48] ^= 1  # a byte of row 1 that is not what was written
    array.write_bytes(content)
    assert done(tmp_path) == {0, 3}
    fill(tmp_path, (1, 2, 4))
    assert done(tmp_path) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("change", ["fingerprint", "ledger", "array", "shape", "text"])
def test_files_of_something_else_are_made_anew(tmp_path, change):
    fill(tmp_path, range(5))
    if change == "ledger":
        (tmp_path / "x.ledger").unlink()
    elif change == "array":
        (tmp_path / "b.npy").unlink()
    elif change == "shape":
        np.save(tmp_path / "b.npy", np.zeros((5, 3), np.float32))
    elif change == "text":
        (tmp_path / "a.npy").write_bytes(b"short")
    assert done(tmp_path, "b" if change == "fingerprint" else "a") == set()


def test_rows_in_memory_and_rows_removed(tmp_path):
    table = Rows(None, "x.ledger", "", ARRAYS)
    table.put(2, np.ones((2, 3)), np.ones(4))
    table.remove()
    assert table.finish()[0][2].all() and not table.finish()[0][1].any()
    empty = {"a.npy": ((5, 0), np.float32)}
    assert Rows(tmp_path, "x.ledger", "", empty).finish()[0].shape == (5, 0)
    assert np.load(tmp_path / "a.npy").shape == (5, 0)
    table = opened(tmp_path)
    table.remove()
    assert not list(tmp_path.iterdir())


KILLED = """
import os, sys, scp
from scp.experiments.records import record
from scp.runs import RunFolder
images = scp.datasets.phantom(6, seed=0)
def bar(stage, done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
record(scp.GradientExtractor(size=(96, 96), channels=16), images, images,
       folder=RunFolder(sys.argv[1]), progress=bar)
"""


def test_matching_that_is_killed_goes_on(tmp_path, monkeypatch):
    images = scp.datasets.phantom(6, seed=0)
    extractor = scp.GradientExtractor(size=(96, 96), channels=16)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    first = record(extractor, images, images, folder=RunFolder(whole))
    for done in (2, 4):
        killed = subprocess.run([sys.executable, "-c", KILLED, parts, str(done)], check=False)
        assert killed.returncode == -signal.SIGKILL
        names = [".lock", "matches.ledger", "matches.similarity.npy", "matches.xy.npy"]
        assert sorted(os.listdir(parts)) == names
    searched = []
    find = scp.detection.Templates.find

    def counted(self, *image):
        searched.append(1)
        return find(self, *image)

    monkeypatch.setattr(scp.detection.Templates, "find", counted)
    last = record(extractor, images, images, folder=RunFolder(parts))
    assert len(searched) == 2
    assert np.array_equal(last.matches.xy, first.matches.xy)
    assert (parts / "matches.npz").read_bytes() == (whole / "matches.npz").read_bytes()
    assert sorted(os.listdir(parts)) == ["matches.npz"]
