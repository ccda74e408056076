"""Tasks by any executor, and the place that they share."""

import hashlib
import os
import pickle
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
import pytest

import scp
from scp.distributed import Share, WorkerError, Workers, for_each, remote
from scp.distributed.share import packed, unpacked
from scp.distributed.workers import TASKS, WEEK


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
        share.write("a/b", b"text", make=True)
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
    with pytest.raises(WorkerError, match=r"row 5 is bad \(on [^;]*:\d+\)$"):
        list(threads.map(Square(fails=[5]), range(9), tmp_path))
    with pytest.raises(WorkerError, match=r"row 5 is bad .*; what is finished is kept"):
        list(threads.map(Square(fails=[5]), range(9), tmp_path, key="kept"))
    (left,) = (tmp_path / TASKS).iterdir()
    assert (left / "task").is_file()
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


def test_results_that_are_damaged_are_made_again(threads, tmp_path):
    results = threads.map(Square(), range(9), tmp_path, key="k")
    next(results)
    time.sleep(0.5)  # the others finish
    results.close()
    (folder,) = (tmp_path / TASKS).iterdir()
    parts = sorted(p for p in folder.iterdir() if p.name != "task")
    assert parts
    parts[0].write_bytes(parts[0].read_bytes()[:-30])
    (folder / "other").write_bytes(b"text")
    assert squares(threads.map(Square(), range(9), tmp_path, key="k")) == {
        k: EXPECTED[k] for k in range(9)
    }


def test_what_a_killed_process_left_is_removed_after_a_week(threads, tmp_path):
    mine, name = tmp_path / "tasks-mine", "0123456789abcdef" * 2
    folders = [
        mine,
        tmp_path / TASKS / name,
        tmp_path / TASKS / "mine",
        tmp_path / TASKS / name[::-1],
    ]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "task").write_bytes(b"x")
    for path in (mine, *folders[1:3]):
        os.utime(path / "task", (time.time() - 2 * WEEK,) * 2)
    list(threads.map(Square(), [1], tmp_path))
    assert [folder.exists() for folder in folders] == [True, False, True, True]


def test_two_run_folders_share_a_place(tmp_path):
    with ThreadPoolExecutor(2) as executor:
        workers = Workers(executor, tmp_path / "share", part=1)
        one = workers.map(Square(), range(9), tmp_path / "a", key="k")
        next(one)
        assert squares(workers.map(Square(), range(9), tmp_path / "b", key="k")) == {
            k: EXPECTED[k] for k in range(9)
        }
        assert len(list(one)) == 8


class Threads:
    def __call__(self, row):
        return {"threads": np.int64(scp.get_threads())}


def test_threads_of_a_task():
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        workers = Workers(executor)
        found = []
        for threads in (1, 0, 1, 2):
            ((_, own),) = workers.map(Threads(), [0], threads=threads)
            found.append(int(own["threads"]))
        assert found == [1, remote.usable(), 1, 2]


def test_paths_are_whole_for_others(tmp_path, monkeypatch):
    made = scp.datasets.phantom(4, size=(96, 80))
    (tmp_path / "images").mkdir()
    for i in range(4):
        cv2.imwrite(str(tmp_path / "images" / f"{i}.png"), made.image(i).astype(np.uint16) * 16)
    (tmp_path / "own.py").write_text(
        "import numpy as np\ndef maps(image):\n    return np.stack([image, 1 - image])\n"
    )
    monkeypatch.chdir(tmp_path)
    options = {"features": "own.py:maps", "count": 8, "duplicates": True, "progress": False}
    here = scp.Run(scp.datasets.folder("images"), "a", **options).select(2)
    with ProcessPoolExecutor(1, get_context("spawn"), os.chdir, ("/",)) as executor:
        workers = Workers(executor)
        far = scp.Run(scp.datasets.folder("images"), "b", workers=workers, **options).select(2)
    assert far.selection == here.selection
    assert pickle.loads(pickle.dumps(scp.datasets.folder("images"))).path(0) == "images/0.png"


def test_workers_that_do_not_see_the_place_say_so(tmp_path):
    order = remote.Order(Share(tmp_path / "x"), "t", "0" * 64, remote.versions(), ("other", 1))
    _, error = remote.work(order, "0", [0])
    assert "no task is there; --share (share=) must name a place that all workers see" in error


def test_only_what_was_sent_is_loaded(tmp_path):
    """The shared place is not trusted: a task there must be the one that was sent."""
    share = Share(tmp_path)
    share.write("t/task", pickle.dumps(Square()), make=True)
    order = remote.Order(share, "t", "0" * 64, remote.versions(), remote.here())
    _, error = remote.work(order, "0", [0])
    assert "not what was written there" in error
    order = remote.Order(share, "t", "0" * 64, (scp.__version__, "9.9"), remote.here())
    _, error = remote.work(order, "0", [0])
    assert "is installed on this worker" in error and not (tmp_path / "t" / "0").exists()


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
    junk = b"no archive"
    with pytest.raises(ValueError, match="damaged"):
        unpacked(hashlib.sha256(junk).digest() + junk)
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
