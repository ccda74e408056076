"""Active learning: what it asks for, by which rules, and that it goes on where it stopped."""

import json
import os
import signal

import numpy as np
import pytest

import scp
from scp.baselines import ACTIVE, ActiveNetworks, Ranking, VaalOptions, active, rank, suggest
from scp.cli import main

SIZES = ActiveNetworks((8, 8), latent=4, hidden=16)
COUNT = 14


@pytest.fixture(scope="module")
def images():
    return active.pool(scp.datasets.phantom(COUNT, seed=3, size=(96, 80)), 16)


def few(method, **changes):
    """Arguments of a training of seconds."""
    passes = {"passes": 2} if method == "vaal" else {"passes": 6}
    options = {"size": 16, **passes, **changes}
    return {"options": options, "sizes": SIZES, "views": 3, "progress": False}


@pytest.mark.parametrize("method", ACTIVE)
def test_the_same_seed_asks_for_the_same_images(images, method):
    first = suggest(images, 5, method, random_state=4, **few(method))
    assert len(set(first.tolist())) == 5 and first.dtype == np.int64
    np.testing.assert_array_equal(first, suggest(images, 5, method, random_state=4, **few(method)))
    others = [suggest(images, 5, method, random_state=s, **few(method)) for s in (5, 6)]
    assert any((first != rows).any() for rows in others)


def test_scores_are_what_they_say(images):
    """By hand, from the networks that the training leaves."""
    found = rank(images, "entropy", **few("loss"))
    assert set(found.values) == {"loss", "uncertainty", "entropy"} and len(found.labelled) == 0
    how = active.settings("loss", COUNT, few("loss")["options"])
    assert how.steps == 6 * COUNT // 10
    training = active._Training("instances", images, found.labelled, how, SIZES, 3)
    arrays = training._train(None, False, False, None)
    views = training._crops([2, 2, 2], 2 * 3)
    code = training._run("encoder", arrays, views)[:, None, None]
    p, q = (np.exp(training._run(n, arrays, code).astype(float)) for n in ("first", "second"))
    mean = (p + q) / 2
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    assert found.values["entropy"][2] == pytest.approx(-(mean * np.log(mean)).sum(1).mean())
    assert found.values["uncertainty"][2] == pytest.approx(np.abs(p - q).sum(1).mean())
    assert found.values["loss"][2] == pytest.approx(((mean - np.eye(COUNT)[2]) ** 2).mean())


def test_vaal_learns_which_images_are_labelled():
    """Images that are bright at the top are labelled: those that are so below are asked for."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 0.1, (COUNT, 32, 32)).astype(np.float32)
    images[:8, :16] += 0.8
    images[8:, 16:] += 0.8
    how = few("vaal", passes=80, adversary=0.0, beta=0.1, smallest=0.8, learning_rate=5e-4)
    found = rank(images, "vaal", initial=[0, 1, 2, 3, 4], **how)
    assert set(found.pick(6, "vaal").tolist()) == set(range(8, COUNT))
    np.testing.assert_array_equal(found.labelled, np.arange(5))
    assert np.isnan(found.values["vaal"][:5]).all()


def test_the_classifiers_learn_to_tell_images_apart(tmp_path):
    """Images of different brightness: both cross entropies fall far below chance."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 0.1, (COUNT, 32, 32)).astype(np.float32)
    images += np.linspace(0, 0.85, COUNT, dtype=np.float32)[:, None, None]
    how = few("loss", passes=300, learning_rate=2e-3, smallest=0.8, log_every=50)
    rank(images, "loss", run=tmp_path, **how)
    lines = (tmp_path / "active-instances.jsonl").read_text().splitlines()
    first, second, apart = json.loads(lines[-1])["levels"]
    assert first < 0.5 * np.log(COUNT) and second < 0.5 * np.log(COUNT) and apart > 0


def test_rules(images):
    found = rank(images, "vaal", random_state=1, **few("vaal"))
    assert len(found.labelled) == 5  # drawn, and never asked for
    assert not set(found.pick(9, "vaal").tolist()) & set(found.labelled.tolist())
    with pytest.raises(scp.InfeasibleError, match="count as labelled leave 9"):
        found.pick(10, "vaal")
    groups = [[0, 9, 8, 7][i] if i < 4 else i // 2 for i in range(COUNT)]
    given = {"initial": [0, 1], "include": [2], "exclude": [3], "groups": groups}
    for method in ("vaal", "loss"):
        found = rank(images, method, **given, **few(method))
        rows = found.pick(5, method)
        assert rows[0] == 2 and not set(rows.tolist()) & {0, 1, 3}
        assert len({groups[r] for r in rows.tolist()}) == 5
    values = np.array([0.0, 3, 2, np.nan, 1])
    ranking = Ranking({"vaal": values}, np.array([3]), {"exclude": [1]})
    assert ranking.pick(2, "vaal").tolist() == [2, 4]
    with pytest.raises(scp.InfeasibleError, match="leave 3"):
        ranking.pick(4, "vaal")


def test_a_stopped_training_goes_on_to_the_same_bits(images, tmp_path):
    how = few("vaal", log_every=1)
    whole = rank(images, "vaal", **how)
    steps = []

    def stop(event):
        if event["event"] == "step":
            steps.append(event["step"])
            if event["step"] == 5:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="stopped after step 5"):
        rank(images, "vaal", run=tmp_path, callback=stop, **how)
    assert (tmp_path / "active-vaal.checkpoint.safetensors").is_file()
    events = []
    again = rank(images, "vaal", run=tmp_path, callback=events.append, **how)
    assert events[0]["step"] == 5 and events[0]["bytes"] > 0
    np.testing.assert_array_equal(again.values["vaal"], whole.values["vaal"])
    assert not (tmp_path / "active-vaal.checkpoint.safetensors").exists()
    events.clear()
    read = rank(images, "vaal", run=tmp_path, callback=events.append, **how)  # nothing is trained
    np.testing.assert_array_equal(read.values["vaal"], whole.values["vaal"])
    assert not events
    other = rank(images, "vaal", run=tmp_path, random_state=1, callback=events.append, **how)
    assert events[0]["step"] == 0 and (other.labelled != whole.labelled).any()
    (tmp_path / "active-vaal.json").write_text("{")  # damaged: trained again
    again = rank(images, "vaal", run=tmp_path, **how)
    np.testing.assert_array_equal(again.values["vaal"], whole.values["vaal"])


def test_what_it_needs_is_known_before():
    needs = active.needs("vaal", 150)
    assert needs["steps"] == 375 and 1.2e9 < needs["bytes"] < 2e9
    assert active.needs("loss", 150)["steps"] == 600
    assert active.needs("vaal", 20, {"minutes": 3})["steps"] == 0


@pytest.mark.parametrize(
    "change, error, text",
    [
        ({"method": "vae"}, ValueError, "method must be one of vaal, loss"),
        ({"initial": [0]}, ValueError, "batches of 2 labelled images, and there are 1"),
        ({"initial": list(range(13))}, ValueError, "batches of 2 unlabelled images"),
        ({"initial": [99]}, ValueError, "initial"),
        ({"views": 0}, ValueError, "views"),
        ({"options": {"sizes": 3}}, ValueError, "no training option is called 'sizes'"),
        ({"sizes": ActiveNetworks((8,) * 5)}, ValueError, "size must be a multiple of 32, got 16"),
        ({"options": active.InstanceOptions()}, TypeError, "options must be VaalOptions"),
        ({"options": VaalOptions()}, ValueError, r"images must be \[N\]\[384\]\[384\]"),
        ({"images": np.full((9, 32, 32), np.nan, np.float32)}, ValueError, r"images\[0\]"),
        ({"images": np.zeros((1, 32, 32), np.float32)}, ValueError, "there are 0"),
    ],
)
def test_bad_calls_name_the_argument(images, change, error, text):
    given = {"images": images, "method": "vaal", **few("vaal")} | change
    with pytest.raises(error, match=text):
        rank(**given)
    with pytest.raises(ValueError, match="widths"):
        ActiveNetworks((0,))


def test_a_run_chooses_by_it(tmp_path):
    """With files, score and bound as any other method."""
    pool = scp.datasets.phantom(10, seed=2, size=(96, 80))
    training = {"size": 16, "passes": 1, "widths": [8, 8], "latent": 4, "hidden": 8, "views": 2}
    how = {"features": scp.GradientExtractor(size=(64, 64), channels=16), "progress": False}
    run = scp.Run(pool, tmp_path / "a", random_state=3, duplicates=False, **how)
    choice = run.select([2, 3], method="vaal", exclude=[pool.ids[0]], training=training)
    told = active.told(training)
    rows = suggest(pool, 3, "vaal", exclude=[0], random_state=3, progress=False, **told)
    assert set(choice.ids) == {pool.ids[i] for i in rows} and choice.selection.method == "vaal"
    assert choice.selection.score <= choice.selection.upper_bound
    text = (tmp_path / "a" / "config.toml").read_text()
    assert 'training = "size=16 passes=1 widths=8,8 latent=4 hidden=8 views=2"' in text
    log = (tmp_path / "a" / "active-vaal.jsonl").read_bytes()
    again = scp.Run(pool, tmp_path / "a", random_state=3, duplicates=False, **how)
    again.report()  # by what selection.json says, without a training
    assert "vaal" in (tmp_path / "a" / "report.html").read_text()
    assert (tmp_path / "a" / "active-vaal.jsonl").read_bytes() == log
    for wrong, text in (
        ({"method": "swap", "training": training}, "training goes with vaal, loss"),
        ({"method": "vaal", "vectors": "levels"}, "vectors goes with another way"),
        ({"method": "vaal", "training": {"widht": 3}}, "no training option is called 'widht'"),
        ({"method": "vaal", "training": {"latent": "a"}}, "latent must be whole numbers"),
        ({"method": "loss", "costs": [1.0] * 10, "budget": 3.0}, "does not know it"),
    ):
        with pytest.raises(ValueError, match=text):
            run.select(2, **wrong)


def test_the_command_chooses_by_it(tmp_path, capsys):
    cv2 = pytest.importorskip("cv2")
    pool = scp.datasets.phantom(8, seed=2, size=(96, 80))
    (tmp_path / "images").mkdir()
    for i, name in enumerate(pool.ids):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), np.rint(255 * pool.grid(i, (96, 80))))
    argv = ["select", str(tmp_path / "images"), "-m", "2", "--method", "entropy", "--size", "64"]
    argv += ["--features", "gradient", "--channels", "16", "--run", str(tmp_path / "run")]
    argv += ["--no-duplicates", "--quiet"]
    for word in ("size=16", "steps=2", "widths=8,8", "hidden=8", "views=2"):
        argv += ["--set", word]
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert "entropy: 2 steps of training, 0.00 GB of memory" in out and "Annotate these 2" in out
    assert main([*argv, "--set", "sizes"]) == 2
    assert "--set: expected NAME=VALUE, got 'sizes'" in capsys.readouterr().err
    assert main([*argv[:5], "swap", *argv[6:]]) == 2
    assert "--set has no effect where --method is none of vaal" in capsys.readouterr().err
