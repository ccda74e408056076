"""Training through FeatureExtractor and the command line: files, resumption, errors."""

import json
import os
import signal

import numpy as np
import pytest
from phantoms import write_images

import scp
from scp import cli
from scp.features import FeatureExtractor
from scp.networks.model import load_model
from scp.runs import unfinished

NETWORK = {"encoder": [16, 16, 16], "depths": [0, 1, 1], "decoder": [16, 16], "channels": 16}
OPTIONS = {"batch": 2, "points": 8, "window": 3, "log_every": 1, "checkpoint_seconds": 0}
COMMAND = [
    *(f"{n}={v}" for n, v in OPTIONS.items()),
    *(f"network.{n}={v}" for n, v in NETWORK.items()),
]


def extractor(seed=0, start=None, **options):
    return FeatureExtractor(
        preset="laptop",
        random_state=seed,
        size=(64, 64),
        network=NETWORK,
        training={**OPTIONS, **options},
        start=start,
    )


@pytest.fixture(scope="module")
def pool():
    return scp.datasets.phantom(5, seed=2, size=(80, 64))


@pytest.fixture(scope="module")
def images(pool, tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"), pool)


def test_fit_writes_the_documented_files(pool, tmp_path):
    events = []
    e = extractor().fit(pool, steps=6, run=tmp_path, progress=False, callback=events.append)
    assert e.trained_.finished and e.trained_.step == 6
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint.safetensors",
        "dataset.json",
        "log.jsonl",
        "weights.safetensors",
    ]
    assert [v["step"] for v in events if v["event"] == "step"] == [1, 2, 3, 4, 5, 6]
    model = load_model(tmp_path / "weights.safetensors")
    assert model.digest() == e.model_.digest()
    assert model.training["steps"] == 6 and model.training["options"]["steps"] == 6
    assert model.training["start"] == "random weights" and model.training["images"] == 5
    first = e.architecture.initial(0)[0]
    assert (e.model_.parameters != first).mean() >= 0.9
    values = e.pyramid(pool.grid(0, (64, 64))).features
    again = FeatureExtractor.load(tmp_path / "weights.safetensors")
    assert (again.pyramid(pool.grid(0, (64, 64))).features == values).all()
    assert again.options == e.options.set(steps=6)


def test_images_of_any_kind_train_the_same(pool):
    pictures = [pool.image(i) for i in range(5)]
    grids = np.stack([pool.grid(i, (64, 64)) for i in range(5)])
    digests = {
        extractor().fit(given, steps=2, progress=False).model_.digest()
        for given in (pool, pictures, grids)
    }
    assert len(digests) == 1
    assert extractor(1).fit(pool, steps=2, progress=False).model_.digest() not in digests


def test_stopped_trainings_go_on_to_the_same_weights(pool, tmp_path):
    whole = extractor().fit(pool, steps=6, progress=False).model_.digest()
    for stop in (1, 4):
        run = tmp_path / str(stop)

        def ctrl_c(event, stop=stop):
            if event["event"] == "step" and event["step"] == stop:
                os.kill(os.getpid(), signal.SIGINT)

        e = extractor()
        with pytest.raises(KeyboardInterrupt, match=rf"stopped after step {stop}, .*{run}"):
            e.fit(pool, steps=6, run=run, progress=False, callback=ctrl_c)
        assert not e.trained_.finished and e.trained_.step == stop
        assert f"stopped at {stop / 6:.0%}, {stop} steps" in repr(e.trained_)
        assert unfinished(run) and e.model_.training
        e = extractor().fit(pool, steps=6, run=run, progress=False)
        assert e.trained_.finished and e.model_.digest() == whole
        assert not unfinished(run)
        e = extractor().fit(pool, steps=6, run=run, progress=False)  # nothing left to do
        assert e.model_.digest() == whole
        log = (run / "log.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in log] == [1, 2, 3, 4, 5, 6]


def test_starting_anew_removes_the_old_weights(pool, tmp_path):
    extractor().fit(pool, steps=2, run=tmp_path, progress=False)
    before = (tmp_path / "weights.safetensors").read_bytes()
    with pytest.raises(ValueError, match="started with seed = 0, not 1"):
        extractor(1).fit(pool, steps=2, run=tmp_path, progress=False)
    assert (tmp_path / "weights.safetensors").read_bytes() == before

    def fail(event):
        if event["event"] == "step":
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        extractor(1).fit(pool, steps=2, run=tmp_path, resume=False, progress=False, callback=fail)
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_model_can_be_the_start(pool, tmp_path):
    first = extractor().fit(pool, steps=2, progress=False)
    first.save(tmp_path / "first.safetensors")
    e = extractor(start=tmp_path / "first.safetensors", learning_rate=0)
    e.fit(pool, steps=1, progress=False)
    assert (e.model_.parameters == first.model_.parameters).all()
    assert "first.safetensors" in e.start_
    other = FeatureExtractor(preset="laptop", size=(64, 64), start=tmp_path / "first.safetensors")
    with pytest.raises(ValueError, match="belongs to another network"):
        other.fit(pool, steps=1, progress=False)
    with pytest.raises(ValueError, match="minutes, steps: give one"):
        extractor().fit(pool, steps=1, minutes=1)


def test_train_command(images, tmp_path, capsys):
    run = tmp_path / "run"
    command = ["train", str(images), "--run", str(run), "--steps", "4", "--size", "64", "--quiet"]
    for pair in COMMAND:
        command += ["--set", pair]
    assert cli.main(command) == 0
    text = capsys.readouterr().out
    assert "training laptop on 5 images of 64 x 64 pixels, from random weights" in text
    assert "MiB of memory" in text and "4 steps in" in text and "scp select" in text
    options = load_model(run / "weights.safetensors").training["options"]
    assert options["batch"] == 2 and options["steps"] == 4
    assert cli.main([*command, "--json"]) == 0  # finished already
    assert json.loads(capsys.readouterr().out)["steps"] == 4
    assert cli.main(["select", str(images), "--run", str(run), "-m", "2", "--quiet"]) == 0
    assert "the trained features at 64 x 64 pixels" in capsys.readouterr().out
    assert (run / "report.html").stat().st_size > 10_000
    assert cli.main([*command, "--seed", "1"]) == 2
    assert "--fresh" in capsys.readouterr().err
    assert cli.main([*command, "--seed", "1", "--fresh"]) == 0


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--set", "colour=3"], "no training option is called 'colour'"),
        (["--set", "batch"], "expected NAME=VALUE"),
        (["--set", "seed=3"], "use --seed"),
        (["--set", "batch=many"], "batch must be a whole number"),
        (["--set", "channels=64"], "of the network: --set network.NAME=VALUE"),
        (["--set", "network.colour=3"], "colour"),
        (["--size", "100"], "multiples of 32"),
        (["--steps", "0"], "steps must be above 0"),
        (["--minutes", "0"], "minutes must be above 0"),
        (["--start", "none.pth"], "none.pth"),
        (["--preset", "laptop", "--start", "README"], "README"),
    ],
)
def test_errors_are_one_line(images, tmp_path, capsys, arguments, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README").write_text("read me, not weights")
    assert cli.main(["train", str(images), "--run", "run", *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and text in error


def test_the_objective_is_an_argument_and_an_option(pool, tmp_path, images, capsys):
    e = extractor(objective="byol", hidden=8).fit(pool, steps=2, run=tmp_path, progress=False)
    same = FeatureExtractor(
        size=(64, 64), network=NETWORK, training={**OPTIONS, "hidden": 8}, objective="byol"
    )
    assert same.options == e.options
    assert same.fit(pool, steps=2, progress=False).model_.digest() == e.model_.digest()
    assert FeatureExtractor.load(tmp_path).options.objective == "byol"
    assert len(e.trained_.losses) == 1 and len(same.pyramid(pool.grid(0, (64, 64))).norms)
    with pytest.raises(ValueError, match="objective: give it once"):
        FeatureExtractor(training={"objective": "byol"}, objective="infonce").check()
    with pytest.raises(ValueError, match="objective must be one of infonce-levels, infonce, "):
        FeatureExtractor(objective="plain-byol").check()
    run = tmp_path / "run"
    command = ["train", str(images), "--run", str(run), "--steps", "2", "--size", "64", "--quiet"]
    command += ["--objective", "byol-levels", "--set", "hidden=8"]
    for pair in COMMAND:
        command += ["--set", pair]
    assert cli.main(command) == 0
    assert "--objective byol-levels" in capsys.readouterr().out  # train for longer
    assert load_model(run / "weights.safetensors").training["options"]["objective"] == "byol-levels"
    command[command.index("byol-levels")] = "infonce"
    assert cli.main(command) == 2
    assert "started with objective = 'byol-levels', not infonce; " in capsys.readouterr().err
    assert cli.main([*command, "--fresh"]) == 0
