"""One process at a time writes a run folder, and one thread at a time."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import scp
from scp import cli
from scp.errors import FolderInUseError
from scp.runs import RunFolder, lock
from scp.runs.lock import LOCK, hold

HOLDER = """
import sys
from scp.runs.lock import hold
with hold(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_another_process_is_refused_at_once_with_one_sentence(holder, tmp_path):
    with pytest.raises(FolderInUseError) as caught, hold(tmp_path):
        raise AssertionError("held twice")
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}: another run is writing in this folder (process ")
    assert f"process {holder.pid} on " in text and "since 20" in text and "\n" not in text
    assert "wait until it has ended, or use another folder (--run, run=)" in text


@pytest.mark.parametrize("end", ["kill", "release"])
def test_the_lock_goes_with_the_process(holder, tmp_path, end):
    if end == "kill":
        holder.kill()
    else:
        holder.stdin.write("\n")
        holder.stdin.flush()
    holder.wait()
    assert (tmp_path / LOCK).exists() == (end == "kill")
    with hold(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert not list(tmp_path.iterdir())


def test_every_verb_that_writes_is_refused_and_those_that_read_are_not(
    holder, images, tmp_path, capsys
):
    marks = tmp_path / "marks.csv"
    scp.write_landmarks(marks, scp.Landmarks(["p0.png"], ["a"], [[[50.0, 60.0]]]))
    run = ["--run", str(tmp_path), "--quiet"]
    before = sorted(os.listdir(tmp_path))
    for words in (
        ["select", str(images), "-m", "2"],
        ["select", str(images), "--estimate"],
        ["train", str(images), "--steps", "1"],
        ["detect", str(images), "--templates", str(marks)],
        ["refine", str(images), "--templates", str(marks), "--steps", "1"],
        ["demo", "-n", "3"],
        ["reproduce", "fig1", "--dataset", "phantom", "--images", "3"],
    ):
        assert cli.main([*words, *run]) == 2
        assert "another run is writing in this folder" in capsys.readouterr().err
        assert sorted(os.listdir(tmp_path)) == before
    assert cli.main(["evaluate", str(marks), str(marks), "--run", str(tmp_path)]) == 2
    capsys.readouterr()
    out = ["--out", str(tmp_path / "found.csv"), "--size", "64", "--features", "gradient"]
    assert cli.main(["detect", str(images), "--templates", str(marks), *run, *out]) == 0
    assert cli.main(["evaluate", str(tmp_path / "found.csv"), str(marks)]) == 0


def test_a_verdict_of_no_waits_for_who_is_writing(holder, finished_run, tmp_path, capsys):
    for path in finished_run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert scp.verify(tmp_path)
    (tmp_path / "similarity.npy").write_bytes(b"half of the next choice")
    assert cli.main(["verify", str(tmp_path)]) == 2
    assert "another run is writing in this folder" in capsys.readouterr().err
    holder.kill()
    holder.wait()
    verdict = scp.verify(tmp_path)
    assert not verdict and "similarity.npy: not the file of this choice" in verdict.faults
    assert not (tmp_path / LOCK).exists()


def test_a_thread_comes_again_and_others_wait(tmp_path):
    order = []

    def other():
        with hold(tmp_path):
            order.append("other")

    with hold(tmp_path), hold(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.05)
        with hold(tmp_path):
            order.append("first")
    thread.join()
    assert order == ["first", "other"] and not list(tmp_path.iterdir())


def test_a_child_of_fork_does_not_take_the_lock_along(tmp_path):
    with hold(tmp_path):
        child = os.fork()
        if child == 0:
            try:
                with hold(tmp_path):
                    os._exit(1)
            except FolderInUseError:
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    with hold(tmp_path):
        pass


def test_a_file_system_without_locks_is_said_and_used(tmp_path, monkeypatch):
    def no_locks(file, kind):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", no_locks)
    with pytest.warns(UserWarning, match=r"this file system has no locks"), hold(tmp_path):
        (tmp_path / "a").write_text("b")


def test_a_folder_that_cannot_be_written_can_be_read(tmp_path, finished_run, images, monkeypatch):
    def read_only(path, flags, *mode):
        if flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *mode)

    opened = os.open
    monkeypatch.setattr(lock.os, "open", read_only)
    run = scp.Run.open(finished_run, scp.datasets.folder(images), progress=False)
    assert len(run.chosen()) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with hold(tmp_path):
            assert not list(tmp_path.iterdir())


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(target)
    with pytest.raises(OSError, match=r"\.lock"), hold(tmp_path / "run"):
        pass
    assert target.read_text() == "mine"


# ---- runs ----

POOL = scp.datasets.phantom(6, seed=0, size=(96, 80))


def settings(channels):
    features = scp.GradientExtractor(size=(64, 64), channels=channels)
    return {"features": features, "count": 10, "progress": False, "duplicates": False}


ALONE = {c: scp.Run(POOL, **settings(c)).select(2) for c in (16, 32)}


def right(choice, channels):
    alone = ALONE[channels]
    assert choice.ids == alone.ids and choice.selection.score == alone.selection.score
    assert np.array_equal(choice.values, alone.values)


def test_threads_with_runs_in_one_folder_get_their_own_answers(tmp_path):
    out = {}

    def work(k):
        channels = (16, 32)[k % 2]
        out[k] = scp.Run(POOL, tmp_path, **settings(channels)).select(2), channels

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(out) == 8
    for choice, channels in out.values():
        right(choice, channels)


@pytest.mark.parametrize("folder", [True, False])
def test_threads_with_one_run_compute_it_once(tmp_path, folder):
    stages = []
    run = scp.Run(
        POOL,
        tmp_path if folder else None,
        **{**settings(16), "progress": lambda *at: stages.append(at)},
    )
    out = []
    threads = [threading.Thread(target=lambda: out.append(run.select(2))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(out) == 6
    for choice in out:
        right(choice, 16)
    assert sum(stage == "similarity" and done == 0 for stage, done, _ in stages) == 1


def test_a_run_sees_that_another_wrote_in_its_folder(tmp_path):
    first, second = (scp.Run(POOL, tmp_path, **settings(c)) for c in (16, 32))
    first.similarity()
    right(second.select(2), 32)
    right(first.select(2), 16)  # writes all files of its choice again
    assert np.array_equal(np.load(tmp_path / "similarity.npy"), ALONE[16].values)
    assert json.loads((tmp_path / "similarity.ledger").read_text().split("\n")[0])["channels"] == 16


def test_the_open_arrays_are_kept_when_their_names_become_others(tmp_path):
    rows = scp.runs.Rows
    with RunFolder(tmp_path).holding():
        table = rows(tmp_path, "x.ledger", "a", {"a.npy": ((2, 3), np.float32)})
        for i in range(2):
            table.put(i, np.full(3, i + 1, np.float32))
        rows(tmp_path, "x.ledger", "b", {"a.npy": ((2, 3), np.float32)})
        (array,) = table.finish()
    assert array.tolist() == [[1] * 3, [2] * 3] and isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 5


DOUBLE = """
import sys
from scp import cli
sys.stdin.readline()
sys.exit(cli.main(sys.argv[1:]))
"""


def test_double_starts_print_their_own_answer_or_are_refused(images, tmp_path):
    def command(run, channels):
        words = ["select", images, "-m", "2", "--run", run, "--channels", channels, "--count", "20"]
        return [*words, "--size", "64", "--quiet", "--no-report", "--no-duplicates"]

    def both(run):
        started = [
            subprocess.Popen(
                [sys.executable, "-c", DOUBLE, *command(run, channels)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for channels in ("16", "32")
        ]
        time.sleep(1)  # both have been imported
        for process in started:
            process.stdin.write("\n")
            process.stdin.flush()
        return [(*process.communicate(), process.returncode) for process in started]

    def answer(text):
        return re.search(r"Annotate these.*(?=\nfiles)", text, re.DOTALL).group()

    alone = []
    for k, channels in enumerate(("16", "32")):
        run = command(tmp_path / str(k), channels)
        alone.append(subprocess.run([sys.executable, "-m", "scp", *run], capture_output=True))
    alone = [answer(done.stdout.decode()) for done in alone]
    assert alone[0] != alone[1]
    for attempt in range(3):
        ends = both(tmp_path / f"both{attempt}")
        assert {code for *_, code in ends} <= {0, 2} and any(code == 0 for *_, code in ends)
        for (out, error, code), expected in zip(ends, alone, strict=True):
            if code == 0:
                assert answer(out) == expected
            else:
                assert "another run is writing in this folder" in error and not out
