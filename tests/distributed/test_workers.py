"""Tasks by any executor, and the place that they share."""

import os
import pickle
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import scp
from scp.distributed import Share, WorkerError, Workers, for_each, remote
from scp.distributed.share import packed, unpacked
from scp.distributed.workers import GRACE


class Square:
    def __init__(self, fails=()):
        self.fails = fails

    def __call__(self, row):
        if row in self.fails:
            raise ValueError(f"row {row} is bad")
        return {"square": np.full(2, row * row), "empty": np.zeros(0, np.float32)}


@pytest.fixture
def threads():
    with ThreadPoolExecutor(3) as executor:
        yield Workers(executor, part=4)


def squares(found):
    return {row: own["square"].tolist() for row, own in found}


EXPECTED = {row: [row * row] * 2 for row in range(30)}


def test_here_and_by_threads_and_by_processes(threads, tmp_path):
    assert squares(for_each(Square(), range(30))) == EXPECTED
    assert squares(for_each(Square(), range(30), threads, tmp_path)) == EXPECTED
    assert squares(threads.map(Square(), range(30))) == EXPECTED  # a folder of its own
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        workers = Workers(executor, tmp_path / "share", part=7)
        assert squares(workers.map(Square(), range(30))) == EXPECTED
    assert list(threads.map(Square(), [])) == []
    assert [*(tmp_path / "share").iterdir()] == [] and len(list(tmp_path.iterdir())) == 1


def test_processes_keep_their_number_of_threads(threads):
    before = scp.get_threads()
    assert squares(threads.map(Square(), range(3))) == {k: EXPECTED[k] for k in range(3)}
    assert scp.get_threads() == before


@pytest.mark.parametrize("where", ["file://{}/store", "memory://scp-{}"])
def test_an_object_store(where, tmp_path):
    pytest.importorskip("fsspec")
    url = where.format(tmp_path if where.startswith("file") else tmp_path.name)
    with ThreadPoolExecutor(2) as executor:
        workers = Workers(executor, url, part=4)
        assert squares(workers.map(Square(), range(30), key="k")) == EXPECTED
        share = Share(url)
        assert share.names("tasks") == []
        share.write("a/b", b"text")
        assert share.read("a/b") == b"text" and share.names("a") == ["a/b"]
        copy = pickle.loads(pickle.dumps(share))
        assert copy.read("a/b") == b"text"
        share.remove("a")
        share.remove("a")
        assert share.names("a") == []


def test_a_url_that_nobody_knows(threads):
    with pytest.raises(ValueError, match="share: nowhere://x"):
        list(Workers(threads.executor, "nowhere://x").map(Square(), [1]))


def test_a_task_that_fails_says_why(threads, tmp_path):
    with pytest.raises(WorkerError, match=r"row 5 is bad \(on .*:\d+; what is finished is kept"):
        list(threads.map(Square(fails=[5]), range(9), tmp_path))
    with pytest.raises(WorkerError, match="row 5 is bad"):
        list(threads.map(Square(fails=[5]), range(9), tmp_path, key="kept"))
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("tasks-")
    assert squares(threads.map(Square(), range(9), tmp_path, key="kept")) == {
        k: EXPECTED[k] for k in range(9)
    }
    assert list(tmp_path.iterdir()) == []


class Dies:
    def __call__(self, row):
        os._exit(1)


def test_a_process_that_dies_is_an_error(tmp_path):
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as executor,
        pytest.raises(WorkerError, match="BrokenProcessPool"),
    ):
        list(Workers(executor).map(Dies(), [0], tmp_path))
    assert GRACE < 10


def test_results_that_are_damaged_are_made_again(threads, tmp_path):
    results = threads.map(Square(), range(9), tmp_path, key="k")
    next(results)
    time.sleep(0.5)  # the others finish
    results.close()
    (folder,) = tmp_path.iterdir()
    parts = sorted(p for p in folder.iterdir() if p.name != "task")
    assert parts
    parts[0].write_bytes(parts[0].read_bytes()[:-30])
    (folder / "other").write_bytes(b"text")
    assert squares(threads.map(Square(), range(9), tmp_path, key="k")) == {
        k: EXPECTED[k] for k in range(9)
    }


def test_what_a_killed_run_left_is_removed(threads, tmp_path):
    (tmp_path / "tasks-old").mkdir()
    (tmp_path / "tasks-old" / "task").write_bytes(b"x")
    list(threads.map(Square(), [1], tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_only_what_was_sent_is_loaded(tmp_path):
    """The shared place is not trusted: a task there must be the one that was sent."""
    share = Share(tmp_path)
    share.write("t/task", pickle.dumps(Square()))
    order = remote.Order(share, "t/task", "0" * 64, scp.__version__, remote.here())
    _, _, error = remote.work(order, "t/0", [0])
    assert isinstance(error, ValueError) and "not what was written there" in str(error)
    order = remote.Order(share, "t/task", "0" * 64, "9.9", remote.here())
    _, _, error = remote.work(order, "t/0", [0])
    assert "9.9 asks" in str(error) and not (tmp_path / "t" / "0").exists()


def test_what_is_packed_is_unpacked():
    results = [{"a": np.arange(3), "b": np.float32(2)}, {"a": np.zeros((0, 2))}]
    found = unpacked(packed([7, 3], results))
    assert [row for row, _ in found] == [7, 3]
    assert found[0][1]["a"].tolist() == [0, 1, 2] and found[0][1]["b"] == 2
    assert found[1][1]["a"].shape == (0, 2)
    data = packed([7, 3], results)
    for cut in range(0, len(data), 37):
        with pytest.raises(ValueError, match="damaged"):
            unpacked(data[:cut])
    rng = np.random.default_rng(0)
    for _ in range(300):
        wrong = bytearray(data)
        wrong[rng.integers(len(data))] ^= 1 << rng.integers(8)
        with pytest.raises(ValueError, match="damaged"):
            unpacked(bytes(wrong))
    objects = {"a": np.array([{}], object)}
    with pytest.raises(ValueError, match="a must be an array of numbers"):
        packed([0], [objects])


def test_errors(threads):
    with pytest.raises(TypeError, match="executor must have a method submit"):
        Workers(3)
    with pytest.raises(ValueError, match="part"):
        Workers(threads.executor, part=0)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(threads)
    pool = scp.datasets.phantom(3, size=(96, 80))
    run = scp.Run(pool, features=scp.GradientExtractor(size=(64, 64)), workers=threads)
    assert pickle.loads(pickle.dumps(run)).workers is None
