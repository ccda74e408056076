"""Run folders that earlier versions wrote (data/make_run.py) are read, and go on."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

import scp
from scp import cli
from scp.keypoints import Pool
from scp.refinement import LandmarkRefiner
from scp.runs import RunFolder, read_log

FOLDERS = sorted(Path(__file__).with_name("data").glob("run_*"))
NETWORK = {"encoder": [8, 8, 8], "depths": [0, 1, 1], "decoder": [8, 8], "channels": 8}
OPTIONS = {"batch": 2, "points": 8, "window": 3, "log_every": 1, "checkpoint_seconds": 0}


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def old(request, tmp_path) -> Path:
    """A copy: images, marks.csv, a run, and a training that was stopped."""
    return shutil.copytree(request.param, tmp_path / "old")


def test_there_are_old_runs():
    assert FOLDERS


def test_finished_rows_are_known(old):
    images = scp.datasets.folder(old / "images")
    extractor = scp.GradientExtractor(size=(64, 64), channels=16)
    run = RunFolder(old / "run")
    pool = Pool(images, extractor, "random", count=12, run=run)
    job = scp.SimilarityJob(pool.image, 6, pool.points, extractor, digest=pool.digest)
    before = (old / "run/similarity.npy").read_bytes(), (old / "run/places.npy").read_bytes()
    values, places = job.run(old / "run")
    assert job.resumed == 6 and values.shape == places.shape
    assert before == tuple((old / f"run/{n}.npy").read_bytes() for n in ("similarity", "places"))


def test_select_goes_on(old, capsys):
    answer = json.loads((old / "run/selection.json").read_text())
    rows = (old / "run/similarity.npy").read_bytes()
    command = ["select", str(old / "images"), "-m", "2", "--run", str(old / "run"), "--json"]
    settings = ["--features", "gradient", "--size", "64", "--channels", "16", "--count", "12"]
    assert cli.main([*command, *settings, "--keypoints", "random", "--quiet"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["version"] == answer["version"]
    assert again["selected"] == answer["selected"] and again["score"] == answer["score"]
    assert (old / "run/similarity.npy").read_bytes() == rows
    assert tomllib.loads((old / "run/config.toml").read_text())["features"]["channels"] == 16


def test_the_settings_are_read(old):
    run = scp.Run.open(old / "run", scp.datasets.folder(old / "images"))
    assert (run.score, run.random_state, run.mode) == ("similarity", 0, "nearest")
    assert len(run.chosen()) == len(
        json.loads((old / "run/selection.json").read_text())["selected"]
    )


def test_trained_features_load(old):
    extractor = scp.FeatureExtractor.load(old / "run")
    assert extractor.grid_size == (64, 64) and extractor.model_.training["steps"] == 3
    features = extractor.pyramid(scp.datasets.folder(old / "images").grid(0, (64, 64))).features
    assert np.isfinite(features).all() and features.any()
    assert [line["step"] for line in read_log(old / "run/log.jsonl")] == [1, 2, 3]


def test_landmarks_are_read(old):
    found = scp.read_landmarks(old / "run/landmarks.csv")
    assert found.ids == [f"00{i}.png" for i in range(1, 7)]
    assert found.xy.shape == (6, 19, 2) and found.present.all()
    assert found.names == scp.read_landmarks(old / "marks.csv").names


def test_the_refined_network_predicts(old):
    refiner = LandmarkRefiner.load(old / "run")
    refined = refiner.predict(scp.datasets.folder(old / "images"))
    assert refined.xy.shape == (6, 19, 2) and np.isfinite(refined.xy).all()
    assert refined.names == scp.read_landmarks(old / "marks.csv").names


def test_a_stopped_training_goes_on(old):
    extractor = scp.FeatureExtractor(
        preset="laptop", random_state=0, size=(64, 64), network=NETWORK, training=OPTIONS
    )
    images, events = scp.datasets.folder(old / "images"), []
    options = {"progress": False, "callback": events.append}
    extractor.fit(images, steps=4, run=old / "stopped", **options)
    assert [e["step"] for e in events if e["event"] == "start"] == [2]
    assert extractor.trained_.finished and extractor.trained_.step == 4
    assert [line["step"] for line in read_log(old / "stopped/log.jsonl")] == [1, 2, 3, 4]
