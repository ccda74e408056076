"""Run folders with trained features: which are used, what the report and the files say of them."""

import json
import tomllib

import numpy as np
import pytest
from phantoms import write_images

import scp
from scp import cli
from scp.features import FeatureExtractor, extractor_for
from scp.networks.model import Model
from scp.report import charts, words
from scp.runs import read_log, unfinished
from scp.training import TrainingOptions

NETWORK = {"encoder": [16, 16, 32], "depths": [0, 1, 1], "decoder": [16, 16], "channels": 16}
SMALL = ["--count", "30", "--quiet", "-m", "2"]


@pytest.fixture(scope="module")
def pool():
    return scp.datasets.phantom(6, seed=3, size=(120, 96))


@pytest.fixture
def run(tmp_path):
    """A run folder as a training leaves it."""
    e = FeatureExtractor(preset="laptop", random_state=0, size=(64, 64), network=NETWORK)
    options = TrainingOptions(steps=40, seed=5).to_dict()
    facts = {
        "images": 6,
        "steps": 40,
        "seconds": 3.5,
        "start": "random weights",
        "options": options,
    }
    e.model_ = Model(e.architecture, e.size, *e.architecture.initial(5), e.preset, e.network, facts)
    e.save(tmp_path / "weights.safetensors")
    lines = [
        json.dumps({"event": "step", "step": s, "levels": [3 - s / 40, 2.0, 1.0]})
        for s in range(10, 41, 10)
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(["{}", *lines, '{"event": "st']))
    return tmp_path


def test_trained_features_are_the_default(run, pool):
    choice = scp.choose(pool, 2, run=run, count=30)
    answer = json.loads((run / "selection.json").read_text())
    used = answer["parameters"]["features"]
    assert used["features"] == "trained" and used["size"] == [64, 64] and used["levels"] == 3
    assert used["weights"] == FeatureExtractor.load(run / "weights.safetensors").model_.digest()
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["training"]["steps"] == 40 and config["training"]["seed"] == 5
    assert config["training"]["transforms"]["noise"] == "0.04@both"
    page = (run / "report.html").read_text()
    assert "The features" in page and "40 steps in 3.50 s on 6 images" in page
    assert "Line chart of the training loss of 3 levels" in page
    plain = scp.choose(pool, 2, run=run, count=30, features="gradient")
    assert plain.selection.score != choice.selection.score
    assert "training loss" not in (run / "report.html").read_text()
    again = scp.choose(pool, 2, run=run, count=30)
    assert (again.values == choice.values).all()


def test_other_weights_are_other_rows(run, pool):
    first = scp.choose(pool, 2, run=run, count=30, report=False)
    e = FeatureExtractor.load(run / "weights.safetensors")
    e.model_.parameters *= 1.5
    e.save(run / "weights.safetensors")
    second = scp.choose(pool, 2, run=run, count=30, report=False)
    assert second.resumed == 0 and (np.asarray(first.values) != np.asarray(second.values)).any()


def test_extractor_for(run, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    assert extractor_for(empty).name == extractor_for(None).name == "gradient"
    assert extractor_for(empty, size=(64, 32), channels=32).channels == 32
    assert (
        extractor_for(run).name == "trained" and extractor_for(run, "gradient").name == "gradient"
    )
    assert extractor_for(run, size=(128, 64)).grid_size == (128, 64)
    assert extractor_for(empty, model=run / "weights.safetensors").grid_size == (64, 64)
    for arguments, kind, text in (
        ((empty, "trained"), FileNotFoundError, "train first"),
        ((run, "auto", None, 32), ValueError, "channels: those of trained"),
        ((run, "best"), ValueError, "features must be one of"),
        ((run, "gradient", None, None, "x"), ValueError, "model: gradient"),
        ((run, "auto", None, None, "x.safetensors"), FileNotFoundError, "x.safetensors"),
        ((run, "trained", (100, 100)), ValueError, "multiples of 8"),
    ):
        with pytest.raises(kind, match=text):
            extractor_for(*arguments)


def test_a_training_that_has_not_finished_is_said(pool, tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"x")
    assert unfinished(tmp_path)
    choice = scp.choose(pool, 2, run=tmp_path, count=30, report=False)
    assert any("has not finished" in text for text in choice.warnings)
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    assert not unfinished(tmp_path)
    with pytest.raises(ValueError, match=r"weights\.safetensors"):
        scp.choose(pool, 2, run=tmp_path, count=30)


def test_select_command(run, pool, tmp_path_factory, capsys):
    images = write_images(tmp_path_factory.mktemp("images"), pool)
    assert cli.main(["select", str(images), "--run", str(run), *SMALL]) == 0
    assert "6 images, the trained features at 64 x 64 pixels" in capsys.readouterr().out
    assert (
        cli.main(
            [
                "select",
                str(images),
                "--run",
                str(run),
                "--features",
                "gradient",
                "--size",
                "64x96",
                *SMALL,
            ]
        )
        == 0
    )
    assert "gradient features at 64 x 96 pixels" in capsys.readouterr().out
    for arguments, text in (
        (["--channels", "32"], "channels: those of trained"),
        (["--model", "none.safetensors"], "none.safetensors"),
    ):
        assert cli.main(["select", str(images), "--run", str(run), *arguments, *SMALL]) == 2
        assert text in capsys.readouterr().err


def test_memory_counts_the_network(run, pool):
    e = FeatureExtractor.load(run / "weights.safetensors")
    points = [np.zeros((3, 2), np.float32)] * 6
    job = scp.SimilarityJob(lambda i: pool.grid(i, e.grid_size), 6, points, e)
    assert job.fixed_bytes() >= e.working_bytes() + 2 * e.pyramid_bytes()


def test_log_is_read_whatever_its_end(tmp_path):
    path = tmp_path / "log.jsonl"
    assert read_log(path) == []
    good = {"step": 1, "levels": [1.0, 2.0], "loss": 3.0}
    path.write_bytes(
        json.dumps({**good, "levels": [9.0, 9.0]}).encode() + b'\n{"event": "checkpoint"}\n\xff\n'
        b"[1]\n" + json.dumps(good).encode() + b'\n{"step": 2, "lev'
    )
    with pytest.warns(UserWarning, match="3 lines are damaged and left out"):
        assert read_log(path) == [good]


def test_curve_and_words():
    steps = np.arange(1000.0)
    losses = np.stack([5 - steps / 300, 2 + 0 * steps], axis=1)
    drawing = str(charts.training_curve(steps, losses))
    assert drawing.count("<polyline") == 2 and drawing.count(",") < 550
    assert "their sum falls from" in drawing and "stride 4:" in drawing
    assert str(charts.training_curve(steps[:1], np.zeros((1, 1)))).count("<polyline") == 1
    assert "without training" in words.features({"features": "gradient", "size": [384, 384]}, {})
    text = words.features({"features": "trained", "size": [384, 384], "preset": "x"}, {})
    assert text == "A network trained on unlabelled images of 384×384 pixels (preset x)."


def test_info_prints_layers(run, capsys):
    assert cli.main(["info", "--model", "paper", "--set", "network.full=true"]) == 0
    text = capsys.readouterr().out
    assert "58,312,512 parameters, 129.464 GMAC" in text and "rfb5.b3.2" in text
    assert cli.main(["info", "--model", str(run / "weights.safetensors"), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["size"] == [64, 64] and table["layers"][1]["name"] == "stem"
    assert table["parameters"] == sum(r["parameters"] for r in table["layers"])
    assert cli.main(["info", "--model", "laptop", "--size", "192"]) == 0
    assert "192 x 192\n" in capsys.readouterr().out
    assert cli.main(["info", "--options"]) == 0
    assert "elastic" in capsys.readouterr().out
    for arguments, text in (
        (["--model", "desktop"], "--model must be one of laptop, paper"),
        (["--model", "paper", "--set", "batch=3"], "only network.NAME"),
        (["--model", "paper", "--set", "network.full=perhaps"], "expected a number, true"),
        (["--model", "paper", "--set", "full"], "expected NAME=VALUE"),
        (["--size", "64"], "go with --model"),
    ):
        assert cli.main(["info", *arguments]) == 2
        assert text in capsys.readouterr().err


def test_weights_import_command(tmp_path, capsys):
    (tmp_path / "x.pth").write_bytes(b"not weights at all")
    assert cli.main(["weights", "import", str(tmp_path / "x.pth")]) == 2
    assert "not a PyTorch file" in capsys.readouterr().err
