"""SupervisedDetector: it learns; a resumed training is the one that never stopped; the canvas."""

from __future__ import annotations

import numpy as np
import pytest

import scp
from scp.cli.main import main
from scp.refinement import SupervisedDetector
from scp.refinement.canvas import from_canvas, on_canvas, peaks, to_canvas

SIZE, LANDMARKS = (64, 64), 4
NETWORK = {"filters": 16, "rate": 0.0, "levels": 3}
TRAINING = {
    "learning_rate": 3e-6,
    "rotate": 0.1,
    "zoom": 0.05,
    "stretch": 0.05,
    "bend": 0.01,
    "sigma": 3.0,
}


@pytest.fixture(scope="module")
def images():
    """Phantoms anywhere in a larger image, so that a mean place tells little."""
    data, rng = scp.datasets.phantom(12, seed=3, size=(96, 80)), np.random.default_rng(1)
    pictures, places = [], []
    for i in range(len(data)):
        x, y = rng.integers(0, 32, 2)
        picture = np.zeros((128, 112), np.uint8)
        picture[y : y + 96, x : x + 80] = data.image(i)
        pictures.append(picture)
        places.append(data.landmarks[i, :LANDMARKS] + [x, y])
    names = data.landmark_names[:LANDMARKS]
    return scp.datasets.arrays(pictures, landmarks=np.array(places), landmark_names=names)


def detector(network="unet", **training):
    tiny = {"filters": 8, "levels": 2, "kernel": 5, "reduction": 8}
    options = NETWORK if network == "unet" else tiny
    return SupervisedDetector(
        network=network, size=SIZE, options=options, training={**TRAINING, **training}
    )


def error(images, xy) -> float:
    return float(np.linalg.norm(xy - images.landmarks, axis=-1).mean())


def test_it_learns(images):
    labelled, others = images.subset(range(8)), images.subset(range(8, 12))
    mean = error(others, labelled.landmarks.mean(0))
    first = detector().fit(labelled, steps=1, progress=False).predict(others)
    trained = detector().fit(labelled, steps=300, progress=False)
    found = trained.predict(others)
    assert error(others, found.xy) < 0.3 * min(mean, error(others, first.xy))
    assert found.ids == others.ids and found.names == images.landmark_names
    assert found.confidence.mean() > 4 * first.confidence.mean()
    assert (np.abs(trained.sigmas_ - 3) > 1e-3).all(), "the sigmas are trained"


class Stop(Exception):
    pass


def test_a_resumed_training_is_the_one_that_never_stopped(images, tmp_path):
    labelled = images.subset(range(5))

    def stop(event):
        if event["event"] == "checkpoint" and event["step"] == 4:
            raise Stop

    def make():
        return detector("scn-reduced", checkpoint_seconds=0, log_every=1)

    whole = make().fit(labelled, steps=7, run=tmp_path / "whole", progress=False)
    with pytest.raises(Stop):
        make().fit(labelled, steps=7, run=tmp_path / "parts", progress=False, callback=stop)
    assert not (tmp_path / "parts" / "supervised.safetensors").exists()
    events = []
    parts = make().fit(
        labelled, steps=7, run=tmp_path / "parts", progress=False, callback=events.append
    )
    assert events[0]["step"] == 4
    for name, values in whole.trained_.arrays.items():
        np.testing.assert_array_equal(parts.trained_.arrays[name], values)
    loaded = SupervisedDetector.load(tmp_path / "parts")
    np.testing.assert_array_equal(loaded.predict(images).xy, whole.predict(images).xy)
    np.testing.assert_array_equal(loaded.sigmas_, whole.sigmas_)


def test_memory_is_not_more_than_was_said(images):
    from scp import _testing

    before = _testing.alloc_state()[0]
    held = []

    def watch(event):
        held.append((event.get("bytes"), _testing.alloc_state()[0] - before))

    detector("scn-reduced").fit(images, steps=2, progress=False, callback=watch)
    said, most = held[0][0], max(now for _, now in held)
    assert 0.5 * said < most <= said


def test_estimate(images):
    facts = detector("scn-reduced").estimate(images, timed=2)
    assert facts["timed"] == 2 and facts["steps"] == 5000 and facts["bytes"] > 1e6
    assert facts["seconds"] == facts["step_seconds"] * 5000
    assert detector().estimate(images, steps=7, timed=1)["steps"] == 7


def test_canvas_and_its_points():
    image = np.zeros((60, 30), np.uint8)
    image[30:, 10:20] = 255
    data = scp.datasets.arrays([image])
    canvas = on_canvas(data, 0, (120, 120))
    assert canvas.shape == (120, 120) and not canvas[:, :30].any() and not canvas[:, 90:].any()
    assert canvas[100, 60] == 1 and canvas[20, 60] == 0
    corners = np.array([[-0.5, -0.5], [29.5, 59.5], [10, 30]])
    there = to_canvas(corners, (60, 30), (120, 120))
    np.testing.assert_allclose(there[:2], [[29.5, -0.5], [89.5, 119.5]])
    np.testing.assert_allclose(from_canvas(there, (60, 30), (120, 120)), corners)


def test_peaks_lie_between_pixels():
    y, x = np.mgrid[:20, :30]
    at = np.array([[7.3, 11.8], [0.0, 5.2], [29.0, 19.0]])
    maps = np.stack([9 - (x - a) ** 2 - (y - b) ** 2 for a, b in at], -1).astype(np.float32)
    xy, top = peaks(maps)
    np.testing.assert_allclose(xy, at, atol=1e-5)
    np.testing.assert_allclose(top, [9 - 0.3**2 - 0.2**2, 9 - 0.2**2, 9], rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"network": "vgg"}, "network must be one of scn, scn-reduced, unet"),
        ({"options": {"width": 3}}, "options of network"),
        ({"size": (60, 64)}, "size"),
        ({"training": {"rotation": 3}}, "no training option is called 'rotation'"),
        ({"training": {"sigma": 0}}, "sigma must be"),
    ],
)
def test_what_is_wrong_is_named(values, text):
    with pytest.raises(ValueError, match=text):
        SupervisedDetector(**values).check()


def test_other_models_and_images_without_landmarks_are_refused(images, tmp_path):
    bare = scp.datasets.arrays([images.image(0)])
    with pytest.raises(ValueError, match="none of them has landmarks"):
        detector().fit(bare, steps=1)
    with pytest.raises(RuntimeError, match="not trained yet"):
        detector().predict(bare)
    path = tmp_path / "model.safetensors"
    detector().fit(images, steps=1, progress=False).save(path)
    with pytest.raises(ValueError, match="a model of supervised, not of refinement"):
        scp.LandmarkRefiner.load(path)


def test_by_the_command(tmp_path, capsys):
    data, run = str(tmp_path / "images"), str(tmp_path / "run")
    phantoms = scp.datasets.phantom(5, seed=3, size=(96, 80))
    import cv2

    (tmp_path / "images").mkdir()
    for i, name in enumerate(phantoms.ids):
        cv2.imwrite(f"{data}/{name}.png", phantoms.image(i))
    marks = str(tmp_path / "marks.csv")
    chosen = phantoms.subset([0, 2])
    scp.write_landmarks(marks, scp.Landmarks(chosen.ids, phantoms.landmark_names, chosen.landmarks))
    common = ["supervise", data, "--run", run, "--templates", marks, "--size", "64"]
    common += ["--set", "network.filters=8"]
    assert main([*common, "--estimate", "1"]) == 0
    out = capsys.readouterr().out
    assert "5,000 steps" in out and "MiB to train" in out
    assert main([*common, "--steps", "3"]) == 0
    out = capsys.readouterr().out
    assert "on 2 labelled images" in out and "3 steps in" in out
    found = scp.read_landmarks(f"{run}/landmarks.csv")
    assert len(found.ids) == 5
    assert main([*common, "--steps", "3"]) == 0  # finished: it only finds
    assert "from step 3" in capsys.readouterr().out
