"""Images chosen by another rule in a run folder: chosen as scp.baselines does, judged by SCP."""

import json

import numpy as np
import pytest

import scp
from scp import baselines
from scp.cli import main

pytest.importorskip("sklearn", reason="k-means is scikit-learn's")


@pytest.fixture(scope="module")
def images():
    return scp.datasets.phantom(8)


def start(images, folder=None):
    return scp.Run(images, folder, features=scp.GradientExtractor(size=(96, 96)), count=20)


def test_chosen_by_its_rule_and_judged_by_scp(images, tmp_path):
    run = start(images, tmp_path / "run")
    best = run.select(3, method="exact", exclude=[4])
    found = run.select([2, 3], method="kcenter", exclude=[images.ids[4]])
    x = baselines.vectors(images, "levels", run.extractor)
    assert set(found.selection.selected) == set(baselines.pick(x, 3, "kcenter", exclude=[4]))
    assert found.selection.score <= best.selection.score <= found.selection.upper_bound + 1e-6
    assert [s.m for s in found.curve] == [2, 3]
    content = json.loads((tmp_path / "run" / "selection.json").read_text())
    assert content["method"] == "kcenter"
    assert scp.verify(tmp_path / "run")
    again = start(images, tmp_path / "run")
    assert again.report().is_file()  # chosen again as selection.json says


def test_vectors_may_be_given(images, tmp_path):
    x = np.random.default_rng(0).standard_normal((8, 5))
    run = start(images, tmp_path / "run")
    found = run.select(3, method="facility", vectors=x)
    assert set(found.selection.selected) == set(baselines.pick(x, 3, "facility"))
    assert "sha256" in (tmp_path / "run" / "config.toml").read_text()
    with pytest.raises(ValueError, match="vectors that were given are not kept"):
        start(images, tmp_path / "run").report()
    by_points = run.select(3, method="kmeans", vectors="keypoints")
    assert by_points.selection.method == "kmeans"
    for name in ("pixels", "freesel"):
        assert len(run.select(2, method=name).ids) == 2


def test_vectors_in_a_file_and_as_features(images, tmp_path):
    x = np.random.default_rng(1).standard_normal((8, 5)).astype(np.float32)
    file = tmp_path / "x.npz"
    np.savez(file, vectors=x[::-1], ids=np.array(images.ids[::-1]))
    wanted = set(baselines.pick(x, 3, "kcenter"))
    run = start(images, tmp_path / "run")
    assert set(run.select(3, method="kcenter", vectors=str(file)).selection.selected) == wanted
    assert start(images, tmp_path / "run").report().is_file()
    whole = scp.Run(images, tmp_path / "whole", features=str(file))
    assert set(whole.select(3, method="kcenter", vectors=x).selection.selected) == wanted
    assert set(whole.select(3, method="kcenter").selection.selected) == wanted
    assert whole.report().is_file()
    with pytest.raises(ValueError, match="needs maps"):
        whole.select(3, method="freesel")


def test_what_does_not_go_together(images):
    run = start(images)
    for rules, text in (
        ({"method": "kmeans", "costs": np.ones(8), "budget": 3}, "costs: method 'kmeans'"),
        ({"method": "kmeans", "min_distance": 0.1}, "min_distance: method 'kmeans'"),
        ({"method": "swap", "vectors": "levels"}, "vectors goes with another way"),
        ({"method": "kmeans", "vectors": "words"}, "vectors: words is no file and none of levels"),
        ({"method": "kmeans", "vectors": np.ones((3, 2))}, "vectors must have 8 rows"),
    ):
        with pytest.raises(ValueError, match=text):
            run.select(3, **rules)
    with pytest.raises(ValueError, match="m: method 'kmeans' needs a number"):
        run.select(None, method="kmeans", costs=np.ones(8), budget=3)


def test_command_line(images, tmp_path, capsys, monkeypatch):
    import cv2

    for i in range(8):
        cv2.imwrite(str(tmp_path / f"{i}.png"), images.image(i))
    monkeypatch.chdir(tmp_path)
    few = ["select", ".", "--size", "96", "--count", "20", "-m", "2", "--run", "out", "--quiet"]
    assert main([*few, "--method", "typiclust", "--vectors", "pixels", "--seed", "3"]) == 0
    assert "Annotate these 2:" in capsys.readouterr().out
    assert main([*few, "--vectors", "pixels"]) == 2
    assert "--vectors has no effect" in capsys.readouterr().err
