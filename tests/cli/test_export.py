"""scp export: chosen images out to a tool, marked there, and back."""

import json
from pathlib import Path

import numpy as np
import pytest

import scp
from scp.cli import main
from scp.datasets import phantom

cv2 = pytest.importorskip("cv2")


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pool = phantom(5, seed=0)
    (tmp_path / "images").mkdir()
    for i, name in enumerate(pool.ids):
        cv2.imwrite(f"images/{name}.png", pool.image(i))
    words = ["images", "--run", "run"]
    assert main(["select", *words, "-m", "2", "--features", "gradient", "--quiet"]) == 0
    return pool, words


@pytest.mark.parametrize("tool", ["label-studio", "cvat", "labelme"])
def test_out_marked_and_back(chosen, tool, capsys):
    pool, words = chosen
    assert main(["export", *words, "--to", tool, "-o", "out"]) == 0
    assert "The labels: " in capsys.readouterr().out
    images = scp.datasets.folder("images")
    ids = [e["id"] for e in json.loads(Path("run/selection.json").read_text())["selected"]]
    if tool == "label-studio":
        tasks = json.loads(Path("out").read_text())
        assert [t["data"]["image"] for t in tasks] == ids
        assert [t["data"]["pick"] for t in tasks] == [1, 2] and tasks[0]["data"]["gain"] > 0
    true = scp.Landmarks.of(pool).rows(ids)
    scp.write_landmarks("marked", true, tool, images)
    detect = ["detect", *words, "--templates", "marked", "--features", "gradient", "--quiet"]
    assert main(detect) == 0
    found = scp.read_landmarks("run/landmarks.csv").rows(ids)
    np.testing.assert_allclose(found.columns(true.names).xy, true.xy, atol=1e-3)
    assert main(["export", *words, "--to", tool, "-o", "out"]) == 2
    assert "out is there already" in capsys.readouterr().err
    assert main(["export", *words, "--to", tool, "--predictions"]) == 0
    assert f"The labels: {', '.join(true.names)}." in capsys.readouterr().out
    written = scp.Run(images, "run").export(tool, predictions=True, out="again")
    sent = scp.read_landmarks(written, images=images).rows(ids)
    np.testing.assert_allclose(sent.columns(true.names).xy, true.xy, atol=1e-3)
    with pytest.raises(ValueError, match="without a folder"):
        scp.Run(images).export(tool)
