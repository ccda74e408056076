"""Files that are being written, and what killed processes left of them."""

import fcntl
import signal
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save

from scp.runs import writing
from scp.runs.files import remove_unfinished
from scp.runs.lock import hold
from scp.runs.tensors import write_safetensors

KILLED = """
import os, sys
from scp.runs import writing
with writing(sys.argv[1]) as beside:
    beside.write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""


def test_the_next_run_removes_what_a_killed_one_left(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "report.html"], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".scp-") and left.name.endswith(".report.html")
    for name in (".123.report.html", ".7.refine1.checkpoint.safetensors"):  # of version 0.1.0
        (tmp_path / name).write_text("half")
    for name in (".123.mine", ".notes", "keep.html"):
        (tmp_path / name).write_text("mine")
    with writing(tmp_path / "a") as beside:  # its writer lives
        beside.write_text("whole")
        with hold(tmp_path):
            pass
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == [".123.mine", ".notes", "a", "keep.html"]


def test_a_signal_between_the_file_and_its_block_leaves_nothing(tmp_path, monkeypatch):
    """It comes right behind the call that made the file."""
    place = fcntl.flock

    def late(*args):
        place(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(KeyboardInterrupt), writing(tmp_path / "a.txt"):
        pass
    assert len(list(tmp_path.iterdir())) == 1
    remove_unfinished()
    assert list(tmp_path.iterdir()) == []


def test_a_name_beside_cannot_be_guessed_and_is_no_link(tmp_path):
    names = set()
    for _ in range(3):
        with writing(tmp_path / "a") as beside:
            names.add(beside.name)
            beside.write_text("x")
    assert len(names) == 3
    with pytest.raises(OSError, match="replaced"), writing(tmp_path / "a") as beside:
        beside.unlink()
        beside.symlink_to(tmp_path / "b")
    assert (tmp_path / "a").read_text() == "x"


def test_equal_tensors_are_not_written_again(tmp_path):
    path = tmp_path / "w.safetensors"
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}
    write_safetensors(path, {"k": 1}, tensors)
    before = path.stat().st_ino
    write_safetensors(path, {"k": 1}, tensors)
    assert path.stat().st_ino == before
    header = path.read_bytes()[8:].split(b"}}")[0]
    assert header and path.read_bytes().endswith(save(tensors)[-24:])
    write_safetensors(path, {"k": 2}, tensors)
    assert path.stat().st_ino != before
