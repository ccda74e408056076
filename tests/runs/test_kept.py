"""Searches that are killed and go on: the same bits."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import scp
from scp.experiments.records import record
from scp.runs import KeptImages, RunFolder

ARRAYS = ((2, 3), np.float64), ((4,), np.float32)
SIZE = 2 * 3 * 8 + 4 * 4 + 4


def filled(path, key="a", count=3):
    with KeptImages(path, key, ARRAYS) as kept:
        for i in range(len(kept), count):
            kept.append(np.full((2, 3), i + 0.5), np.full(4, np.nan, np.float32))


def kept_rows(path, key="a"):
    with KeptImages(path, key, ARRAYS) as kept:
        for i in range(len(kept)):
            first, second = kept[i]
            assert np.array_equal(first, np.full((2, 3), i + 0.5)) and np.isnan(second).all()
        with pytest.raises(IndexError, match="no record"):
            kept[len(kept)]
        return len(kept)


def test_records_stay_until_one_is_damaged(tmp_path):
    path = tmp_path / "x.part"
    filled(path)
    whole = path.read_bytes()
    assert len(whole) == 32 + 3 * SIZE and kept_rows(path) == 3
    for cut in range(1, SIZE + 1):  # killed while the last was written
        path.write_bytes(whole[:-cut])
        assert kept_rows(path) == 2 and path.stat().st_size == 32 + 2 * SIZE
    for at in (32, 32 + SIZE - 1, 32 + SIZE + 5):  # a byte that is not what was written
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert kept_rows(path) == (at - 32) // SIZE
    first, second = whole[32 : 32 + SIZE], whole[32 + SIZE : 32 + 2 * SIZE]
    path.write_bytes(whole[:32] + second + first)  # in another order
    assert kept_rows(path) == 0
    filled(path)
    assert path.read_bytes() == whole
    assert kept_rows(path, "b") == 0  # of other inputs
    path.write_bytes(b"short")
    assert kept_rows(path) == 0


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
        assert sorted(os.listdir(parts)) == ["matches.part"]
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
