"""Networks that were hardly trained say so wherever they are used."""

from __future__ import annotations

import warnings

import pytest

import scp
from scp.cli import main
from scp.features import learned
from scp.training import ENOUGH, HardlyTrainedWarning, hardly_trained

SIZE = ["--size", "64", "--quiet"]


def test_few_steps_are_named_and_many_are_not():
    assert "63 steps" in hardly_trained({"steps": 63, "start": "random weights"})
    assert hardly_trained({"steps": ENOUGH}) == ""
    assert hardly_trained({}) == ""
    assert hardly_trained({"steps": 3, "start": "the model weights.safetensors"}) == ""


def test_python_is_warned_once(monkeypatch):
    monkeypatch.setattr(learned, "_WARNED", set())
    pool = scp.datasets.phantom(2, size=(80, 64))
    features = scp.FeatureExtractor(size=(64, 64)).fit(pool, steps=2, progress=False)
    with pytest.warns(HardlyTrainedWarning, match="2 steps"):
        features.pyramid(pool.grid(0, (64, 64)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features.pyramid(pool.grid(0, (64, 64)))


def test_every_verb_says_it(images, tmp_path, capsys):
    run = ["--run", str(tmp_path / "run")]
    said = "hardly trained: 3 steps"
    assert main(["train", str(images), *run, *SIZE, "--steps", "3"]) == 0
    out, err = capsys.readouterr()
    assert said in err and "scp train" in out and "--fresh" in out
    for _ in range(2):  # also where all is done already
        assert main(["select", str(images), "-m", "2", *run, "--quiet", "--count", "20"]) == 0
        assert capsys.readouterr().err.count(said) == 1
    page = (tmp_path / "run" / "report.html").read_text()
    assert said in page
    marks = tmp_path / "run" / "marks.csv"
    lines = marks.read_text().splitlines()
    marks.write_text(
        "\n".join([lines[0], lines[1] + "0", lines[2]]).replace(",,0", ",50,60") + "\n"
    )
    assert main(["detect", str(images), *run, "--quiet"]) == 0
    assert said in capsys.readouterr().err
    weights = str(tmp_path / "run" / "weights.safetensors")
    assert main(["info", "--model", weights]) == 0
    out, err = capsys.readouterr()
    assert "trained for 3 steps" in out and "hardly trained" in err
