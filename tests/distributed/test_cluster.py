"""Dask: four worker processes give the bits of one, whatever happens to them."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

import scp
from scp.datasets.pictures import SmallPicture
from scp.detection.detector import FindLandmarks
from scp.distributed import WorkerError, connect
from scp.distributed.cluster import _Dask
from scp.distributed.workers import TASKS
from scp.keypoints.pool import FindPoints
from scp.similarity.job import SearchImage
from scp.similarity.point_vectors import VectorsOf

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")
FEATURES = scp.GradientExtractor(size=(64, 64))
N = 24


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=4, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster):
    with distributed.Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    made = scp.datasets.phantom(N, seed=4, size=(96, 80))
    for i in range(N):
        cv2.imwrite(str(folder / f"{i:02d}.png"), made.image(i))
    return scp.datasets.folder(folder).with_landmarks(made.landmarks, made.landmark_names)


def opened(pool, run, workers=None, **options):
    return scp.Run(pool, run, features=FEATURES, count=20, workers=workers, **options)


@pytest.fixture(scope="module", params=[None, 100], ids=["whole", "sample"])
def alone(request, pool, tmp_path_factory):
    """A run in one process."""
    run = opened(pool, tmp_path_factory.mktemp("alone") / "run", sample=request.param)
    return request.param, run, run.select(3)


def files(run):
    """Arrays of a run folder, and what it says was chosen."""
    found = {p.name: p.read_bytes() for p in run.path.iterdir() if p.suffix == ".npy"}
    return found | {"selection.json": json.loads((run.path / "selection.json").read_text())}


def test_four_workers_give_the_bits_of_one_process(alone, pool, client, tmp_path):
    sample, run, choice = alone
    workers = connect(client, part=3)
    assert "4 threads" in repr(workers)
    asked, ask = [], workers.map
    workers.map = lambda task, *rest, **more: asked.append(type(task)) or ask(task, *rest, **more)
    far = opened(pool, tmp_path / "run", workers, sample=sample)
    assert far.select(3).selection == choice.selection
    assert files(far) == files(run)
    assert {p.name for p in far.path.iterdir()} == {p.name for p in run.path.iterdir()}
    assert asked == [SmallPicture, FindPoints, VectorsOf, SearchImage]
    found, expected = far.detect(), run.detect(write=False)
    assert np.array_equal(found.xy, expected.xy, equal_nan=True)
    assert np.array_equal(found.votes, expected.votes, equal_nan=True)
    assert np.array_equal(found.confidence, expected.confidence)
    assert asked[4:] == [FindLandmarks] * 2  # how far is far, then all
    assert not (far.path / TASKS).exists()


class Slow:
    """Rows that take a moment; worker processes and times are written down."""

    def __init__(self, folder, seconds=0.15, unreadable=""):
        self.folder, self.seconds, self.unreadable = str(folder), seconds, unreadable

    def __call__(self, row):
        with open(os.path.join(self.folder, f"{row}-{os.getpid()}-{time.monotonic_ns()}"), "w"):
            pass
        if self.unreadable and self.unreadable == distributed.get_worker().address:
            raise PermissionError(13, "Permission denied", "/pool/007.png")
        time.sleep(self.seconds)
        return {"value": np.full(3, row), "pid": np.int64(os.getpid())}


def tried(folder):
    """How often each row was begun."""
    return np.bincount([int(p.name.partition("-")[0]) for p in folder.iterdir()])


def test_a_worker_that_is_killed_costs_its_task(client, tmp_path):
    victim = next(iter(client.run(os.getpid).values()))
    found = {}
    results = connect(client, part=2).map(Slow(tmp_path), range(40), tmp_path.parent)
    for k, (row, own) in enumerate(results):
        found[row] = own["value"].tolist()
        if k == 8:
            os.kill(victim, signal.SIGKILL)
    assert found == {row: [row] * 3 for row in range(40)}
    counts = tried(tmp_path)
    assert counts.min() == 1 and counts.sum() - 40 <= 2 * 2  # a task of it, and one that waited
    client.wait_for_workers(4, timeout=120)


def test_a_worker_that_comes_late_takes_part(tmp_path):
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        processes, count = set(), 0
        results = connect(client, part=1).map(Slow(tmp_path, 0.1), range(2000), tmp_path.parent)
        for count, (_, own) in enumerate(results, 1):
            processes.add(int(own["pid"]))
            if count == 3:
                cluster.scale(2)
            if len(processes) == 2:
                break
        results.close()
        assert 3 < count < 2000


def test_a_file_that_one_worker_cannot_read_is_read_by_another(client, tmp_path):
    address = next(iter(client.nthreads()))
    task = Slow(tmp_path, 0.02, unreadable=address)
    found = dict(connect(client, part=2).map(task, range(30), tmp_path.parent))
    assert sorted(found) == list(range(30))
    assert tried(tmp_path).max() == 2


class Broken:
    def __call__(self, row):
        raise scp.datasets.DatasetError(f"/pool/{row}.png: cannot be decoded")


def test_a_file_that_nobody_can_read_is_an_error_that_names_it(client, tmp_path):
    with pytest.raises(WorkerError, match=r"^/pool/\d\.png: cannot be decoded \(on tcp://[^;]*\)$"):
        list(connect(client, part=2).map(Broken(), range(4), tmp_path))


class Deadly:
    def __call__(self, row):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_task_that_kills_its_workers_ends(tmp_path):
    """Such as one that needs more memory than there is."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        pytest.raises(WorkerError, match=r"KilledWorker: .* died"),
    ):
        list(connect(client).map(Deadly(), [0], tmp_path))


def test_what_was_finished_outlives_the_process_that_asked(client, tmp_path):
    (tmp_path / "seen").mkdir()
    task, taken = Slow(tmp_path / "seen", 0.05), []
    results = connect(client, part=2).map(task, range(20), tmp_path, key="a")
    for row, _ in results:
        taken.append(row)
        if len(taken) == 3:
            time.sleep(0.5)  # others finish
            results.close()  # as a process that is stopped
    assert len(taken) == 3
    again = dict(connect(client, part=2).map(task, range(20), tmp_path, key="a"))
    assert sorted(again) == list(range(20))
    assert tried(tmp_path / "seen").sum() < 30
    other = dict(connect(client, part=2).map(task, range(4), tmp_path, key="b"))
    assert sorted(other) == [0, 1, 2, 3] and tried(tmp_path / "seen")[0] >= 2


def test_a_scheduler_that_dies_loses_nothing(pool, alone, tmp_path):
    sample, _, choice = alone
    path = tmp_path / "run"
    scheduler, worker, address = started(tmp_path)
    try:

        def stop(stage, done, total):
            if stage == "similarity" and done > total // 2:
                scheduler.kill()
                scheduler.wait()

        far = opened(pool, path, connect(address, part=1), sample=sample, progress=stop)
        with pytest.raises(
            WorkerError, match="the scheduler is gone; what is finished of a choice is kept"
        ):
            far.select(3)
    finally:
        ended(scheduler, worker)
    again = opened(pool, path, sample=sample, progress=False).select(3)
    assert again.selection == choice.selection and again.resumed > N // 4


def started(folder):
    """A scheduler and a worker with two threads, as docs/how-to/many-machines.md starts them."""
    file = folder / "scheduler.json"
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    command = [sys.executable, "-m", "dask"]
    scheduler = subprocess.Popen(
        [*command, "scheduler", "--scheduler-file", file, "--port", "0", "--no-dashboard"],
        **options,
    )
    for _ in range(2400):
        if file.exists() and file.stat().st_size:
            break
        time.sleep(0.05)
    address = json.loads(file.read_text())["address"]
    worker = subprocess.Popen(
        [*command, "worker", address, "--nthreads", "2", "--no-dashboard"], **options
    )
    return scheduler, worker, address


def ended(*processes):
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(timeout=30)


def test_the_command_line(pool, alone, tmp_path):
    sample, _, choice = alone
    scheduler, worker, address = started(tmp_path)
    try:
        where = ["--dask", address, "--share", tmp_path / "shared", "--task-images", "5"]
        common = [pool.root, "--run", tmp_path / "run", *where, "--quiet"]
        how = ["--features", "gradient", "--size", "64"]
        command = [sys.executable, "-m", "scp", "select", *common, *how, "-m", "3", "--count", "20"]
        command += ["--sample", "all" if sample is None else str(sample), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["score"] == choice.selection.score
        assert done.stderr == ""
        assert list((tmp_path / "shared").iterdir()) == []
        command = [sys.executable, "-m", "scp", "train", *common, "--size", "64", "--steps", "4"]
        command.remove("--quiet")
        loud = (
            "import sys, scp.cli.train as t; t.LINE_SECONDS = 0; from scp.cli import main; main()"
        )
        command[1:3] = ["-c", loud]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "on a worker of" in done.stdout and "4 steps in" in done.stdout
    finally:
        ended(scheduler, worker)
    here = scp.FeatureExtractor(size=(64, 64)).fit(
        scp.datasets.folder(pool.root), steps=4, progress=False
    )
    there = scp.FeatureExtractor.load(tmp_path / "run")
    assert here.model_.digest() == there.model_.digest()


def test_nobody_is_there(tmp_path, cluster):
    with pytest.raises(WorkerError, match="no scheduler answers"):
        connect("tcp://127.0.0.1:9", timeout=1)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as empty,
        pytest.raises(WorkerError, match="no worker has joined; start some with: dask worker"),
    ):
        connect(empty.scheduler_address, timeout=1)


def test_a_client_knows_who_is_there(client):
    dask = _Dask(client, 5)
    assert (dask.slots, dask.workers) == (4, 4)
    assert dask.avoiding(list(client.nthreads()))(max, 3, 4).result() == 4
