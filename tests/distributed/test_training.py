"""A training by a worker: the same weights, whatever happens to the worker or to the command."""

import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

import scp
from scp.distributed import Workers, training
from scp.runs import holding
from scp.runs.folder import read_log

SIZE = (64, 64)


@pytest.fixture
def pool():
    return scp.datasets.phantom(6, size=(96, 80))


def test_a_command_that_stops_waits_for_the_checkpoint(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LOOK", 0.2)
    whole = scp.FeatureExtractor(size=SIZE).fit(pool, steps=60, progress=False)

    class Enough(Exception):
        pass

    def idle():
        if read_log(tmp_path / "run" / "log.jsonl"):
            raise Enough

    with ProcessPoolExecutor(1, get_context("spawn"), short, (0.2,)) as executor:
        workers = Workers(executor)
        with pytest.raises(Enough):
            extractor = scp.FeatureExtractor(size=SIZE)
            training.train(extractor, pool, tmp_path / "run", workers, steps=20_000, idle=idle)
        with holding(tmp_path / "run"):  # nobody else is in it
            assert (tmp_path / "run" / "checkpoint.safetensors").exists()
        left = [p.name for p in (tmp_path / "run").iterdir()]
        assert not [name for name in left if name.startswith("beat") or name == "tasks"]
        done = training.train(
            scp.FeatureExtractor(size=SIZE), pool, tmp_path / "other", workers, steps=60
        )
    assert done["finished"] and done["step"] == 60 and len(done["losses"]) == 5
    assert scp.FeatureExtractor.load(tmp_path / "other").model_.digest() == whole.model_.digest()


def short(look):
    training.LOOK = look


def test_a_training_stops_where_the_command_was_killed(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LOOK", 0.1)
    monkeypatch.setattr(training, "DEAD", 0.5)
    share = scp.distributed.Share(tmp_path / "share")
    share.write("beat", b"1", make=True)
    options = {"steps": 100_000}
    task = training.Fit(
        scp.FeatureExtractor(size=SIZE), pool, tmp_path / "run", options, share, "beat"
    )
    start = time.monotonic()
    result = task(0)
    assert not result["finished"] and result["step"] > 0 and time.monotonic() - start < 60
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()
    share.remove("beat")
    again = training.Fit(
        scp.FeatureExtractor(size=SIZE), pool, tmp_path / "run", options, share, "beat"
    )(0)
    assert result["step"] < again["step"] < 100_000  # from the checkpoint, until it looked


def test_another_worker_takes_over(pool, tmp_path):
    distributed = pytest.importorskip("distributed")
    run, killed = tmp_path / "run", []
    whole = scp.FeatureExtractor(size=SIZE).fit(pool, steps=60, progress=False)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        pids = client.run(os.getpid)

        def idle():
            busy = [address for address, tasks in client.processing().items() if tasks]
            if busy and not killed and (run / "log.jsonl").exists():
                killed.append(pids[busy[0]])
                os.kill(killed[0], signal.SIGKILL)

        workers = scp.distributed.connect(client)
        extractor = scp.FeatureExtractor(size=SIZE)
        done = training.train(extractor, pool, run, workers, steps=60, idle=idle)
    assert done["finished"] and done["step"] == 60
    assert scp.FeatureExtractor.load(run).model_.digest() == whole.model_.digest()
