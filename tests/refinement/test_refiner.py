"""LandmarkRefiner and scp refine: training end to end, resuming, files, bad input."""

import json

import numpy as np
import pytest
from phantoms import write_images

import scp
from scp import cli
from scp.features import FeatureExtractor
from scp.landmarks import Landmarks, read_landmarks, write_landmarks
from scp.networks import PRESETS, build_refinement
from scp.networks.model import Model
from scp.networks.refine import HEAD
from scp.refinement import (
    LandmarkRefiner,
    RefinementOptions,
    confidence_weights,
    error_weights,
)
from scp.refinement.labels import pseudo_labels

TRUNK = {"encoder": [16, 16, 32], "depths": [0, 1, 1], "decoder": [16, 16]}
SIZE = (64, 48)


@pytest.fixture(scope="module")
def pool():
    return scp.datasets.phantom(6, seed=3, size=(120, 96))


def refiner(**options):
    return LandmarkRefiner(size=SIZE, network=TRUNK, training={"log_every": 1, **options})


def labels(pool, xy=None):
    """Landmarks of the pool, as if they were found."""
    return Landmarks(pool.ids, pool.landmark_names, pool.landmarks if xy is None else xy)


def features(seed=1):
    e = FeatureExtractor(
        preset="laptop", random_state=0, size=(64, 64), network={**TRUNK, "channels": 16}
    )
    e.model_ = Model(e.architecture, e.size, *e.architecture.initial(seed), e.preset, e.network)
    return e


def same(a, b):
    assert np.array_equal(a.model_.parameters, b.model_.parameters)
    assert np.array_equal(a.model_.state, b.model_.state)


# ---- networks ----


def test_the_papers_network_has_its_parameters():
    net = build_refinement("paper", 19)
    assert net.n_parameters == 24_305_593  # 20,024,384 of VGG-19, 4,277,504 up, 3,705 the head
    assert net.n_state == 0
    assert tuple(net.shapes(384, 384)[net.outputs[0], :3]) == (384, 384, 57)
    assert abs(net.shapes(384, 384)[:, 3].sum() / 1e9 - 90.1) < 0.1  # billions of products


def test_the_narrow_network_shares_its_trunk_with_the_features():
    net, other = build_refinement("laptop", 5), PRESETS["laptop"].build()
    assert tuple(net.shapes(384, 384)[net.outputs[0], :3]) == (192, 192, 15)
    trunk = [n for n in net.names if n != HEAD]
    assert trunk == [n for n in other.names if not n.startswith("head")]
    wide = build_refinement("laptop", 5, width=24)
    assert wide.channels[wide.names.index("last.conv1")] == 24


@pytest.mark.parametrize("options", [{"channels": 3}, {"depth": 1}])
def test_unknown_options_of_the_network_are_refused(options):
    with pytest.raises(ValueError, match="options of preset 'laptop'"):
        build_refinement("laptop", 5, **options)


def test_trained_features_are_a_start(pool, tmp_path):
    e = features()
    e.save(tmp_path / "weights.safetensors")
    for start in (e, tmp_path / "weights.safetensors"):
        r = LandmarkRefiner(network=TRUNK, start=start)
        assert r.grid_size == (64, 64)
        net = build_refinement("laptop", 4, **TRUNK)
        parameters, state = r._initial(net)
        found = net.tensors(parameters, state)
        expected = e.architecture.tensors(e.model_.parameters, e.model_.state)
        copied = [n for n in found if n in expected]
        assert len(copied) == len(found) - 2
        assert all(np.array_equal(found[n], expected[n]) for n in copied)
        share = np.pi * r.radius**2 / 64**2
        assert np.allclose(1 / (1 + np.exp(-found[f"{HEAD}.bias"][:4])), share)
    assert "trained features" in r.start_


# ---- training ----


def test_training_learns(pool):
    r = refiner(transforms=(), labelled=2, pseudo=4, focal=50, learning_rate=3e-3)
    events = []
    r.fit(pool, labels(pool), templates=[0, 4], steps=150, callback=events.append)
    losses = np.array([e["levels"] for e in events if e["event"] == "step"])
    assert losses.shape == (150, 3)
    assert (losses[-10:].mean(axis=0) < 0.6 * losses[:10].mean(axis=0)).all()
    found = r.predict(pool)
    assert isinstance(found, Landmarks)
    assert found.ids == pool.ids
    assert found.names == pool.landmark_names
    errors = np.linalg.norm(found.xy - pool.landmarks, axis=-1)
    assert np.median(errors) < 3
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()


def test_labels_with_weight_zero_teach_nothing(pool):
    wrong = pool.landmarks.copy()
    wrong[2:, 1] = 7
    weights = np.ones(wrong.shape[:2])
    weights[2:, 1] = 0
    one = refiner().fit(pool, labels(pool, wrong), weights=weights, templates=[0, 1], steps=3)
    wrong[2:, 1] = np.nan
    two = refiner().fit(pool, labels(pool, wrong), templates=[0, 1], steps=3)
    same(one, two)
    three = refiner().fit(pool, labels(pool), templates=[0, 1], steps=3)
    assert not np.array_equal(one.model_.parameters, three.model_.parameters)


def test_pseudo_labels_of_templates_are_replaced_by_the_truth(pool):
    noise = pool.landmarks.copy()
    noise[1] += 20
    one = refiner().fit(pool, labels(pool, noise), templates=[1], steps=3)
    two = refiner().fit(pool, labels(pool), templates=pool.subset([1]), steps=3)
    same(one, two)


@pytest.mark.parametrize("templates", [[], [0, 1, 2, 3, 4, 5]])
def test_without_templates_or_without_others(pool, templates):
    assert refiner().fit(pool, labels(pool), templates=templates, steps=2).trained_.finished


class Stop(Exception):
    pass


@pytest.mark.parametrize("stop", [(1, 2), (2, 1), (2, 4)])
def test_a_resumed_run_is_the_run_that_never_stopped(pool, tmp_path, stop):
    def fit(run, callback=None):
        return refiner(checkpoint_seconds=0).fit(
            pool, labels(pool), templates=[0], steps=4, rounds=2, run=run, callback=callback
        )

    def callback(event):
        if event["event"] == "checkpoint" and (event["round"], event["step"]) == stop:
            raise Stop

    whole = fit(tmp_path / "whole")
    with pytest.raises(Stop):
        fit(tmp_path / "parts", callback)
    assert not (tmp_path / "parts/refined.safetensors").exists()
    parts = fit(tmp_path / "parts")
    same(whole, parts)
    log = [json.loads(line)["step"] for line in (tmp_path / "parts/refine2.jsonl").open()]
    assert log == [1, 2, 3, 4]


def test_other_labels_are_another_run(pool, tmp_path):
    refiner().fit(pool, labels(pool), templates=[0], steps=2, run=tmp_path)
    with pytest.raises(ValueError, match="started on other labels"):
        refiner().fit(pool, labels(pool, pool.landmarks + 1), templates=[0], steps=2, run=tmp_path)
    with pytest.raises(ValueError, match="started on other labels"):
        refiner().fit(pool, labels(pool), templates=[1], steps=2, run=tmp_path)
    with pytest.raises(ValueError, match="started with focal"):
        refiner(focal=3).fit(pool, labels(pool), templates=[0], steps=2, run=tmp_path)
    fresh = refiner().fit(pool, labels(pool), templates=[1], steps=2, run=tmp_path, resume=False)
    assert fresh.trained_.finished


def test_rounds_go_on_from_the_networks_own_predictions(pool):
    one = refiner().fit(pool, labels(pool), templates=[0], steps=3)
    two = refiner().fit(pool, labels(pool), templates=[0], steps=3, rounds=2)
    assert not np.array_equal(one.model_.parameters, two.model_.parameters)
    again = refiner().fit(pool, labels(pool), templates=[0], steps=3, rounds=2)
    same(two, again)


def test_a_loss_that_is_not_finite_stops(pool):
    r = refiner(learning_rate=10.0, clip_norm=0, weight_decay=0)
    with pytest.raises(FloatingPointError, match="not finite"):
        net = build_refinement("laptop", pool.landmarks.shape[1], **TRUNK)
        broken = np.full(net.n_parameters, np.nan, np.float32)
        r._initial = lambda _: (broken, np.ones(net.n_state, np.float32))
        r.fit(pool, labels(pool), templates=[0], steps=3)


# ---- files ----


def test_a_saved_refiner_predicts_the_same(pool, tmp_path):
    r = refiner(inputs="centred", vote="count").fit(
        pool, labels(pool), templates=[0], steps=3, run=tmp_path
    )
    loaded = LandmarkRefiner.load(tmp_path)
    assert loaded.options == r.options.set(steps=3)
    assert loaded.names_ == pool.landmark_names
    images = [pool.image(i) for i in range(3)]
    one, two = r.predict(pool.subset([0, 1, 2])), loaded.predict(images)
    assert np.array_equal(one.xy, two.xy)
    assert np.array_equal(one.confidence, two.confidence)


def test_the_mean_with_matched_places(pool):
    rows = [0, 2]
    network = refiner().fit(pool, labels(pool), templates=rows, steps=1, progress=False)
    alone = network.predict(pool)
    matched = alone.xy + np.array([4.0, -2.0])
    matched[1, 3] = np.nan
    both = network.predict(pool, matched=labels(pool, matched))
    expected = alone.xy + np.array([2.0, -1.0])
    expected[1, 3] = alone.xy[1, 3]
    np.testing.assert_allclose(both.xy, expected, atol=1e-9)
    np.testing.assert_array_equal(both.confidence, alone.confidence)
    few = labels(pool, matched).rows(pool.ids[4:1:-1])  # joined by id
    part = network.predict(pool, matched=few)
    np.testing.assert_array_equal(part.xy[2:5], both.xy[2:5])
    np.testing.assert_array_equal(part.xy[[0, 1, 5]], alone.xy[[0, 1, 5]])


def test_several_sizes_are_averaged(pool):
    network = LandmarkRefiner(size=(128, 96), network=TRUNK)
    network.fit(pool, labels(pool), templates=[0], steps=3, progress=False)
    sizes = [(128, 96), (160, 128)]
    assert network.view_sizes(None) == network.view_sizes(3)
    assert network.view_sizes(2) == sizes
    assert refiner(transforms=()).view_sizes(None) == [SIZE]
    one, three = network.predict(pool, views=1), network.predict(pool)
    places, confidences = [], []
    for size in network.view_sizes(3):
        found = [
            network._find(pool.grid(i, size).astype(np.float32), pool.shape(i))
            for i in range(len(pool))
        ]
        places.append([f[0] for f in found])
        confidences.append([f[1] for f in found])
    np.testing.assert_array_equal(one.xy, places[0])
    np.testing.assert_allclose(three.xy, np.mean(places, axis=0), atol=1e-9)
    np.testing.assert_allclose(three.confidence, np.mean(confidences, axis=0), atol=1e-9)
    assert np.abs(three.xy - one.xy).max() > 0
    for wrong in (0, 4):
        with pytest.raises(ValueError, match="views must be 1 to 3"):
            network.predict(pool, views=wrong)
    with pytest.raises(ValueError, match=r"grid must be \[H\]\[W\]"):
        network.maps(np.zeros((1, 128, 96)))


def test_features_are_no_refiner_and_a_refiner_gives_no_features(pool, tmp_path):
    features().save(tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match="a model of features"):
        LandmarkRefiner.load(tmp_path / "weights.safetensors")
    refiner().fit(pool, labels(pool), templates=[0], steps=1).save(tmp_path / "r.safetensors")
    with pytest.raises(ValueError, match="of refinement, not of features"):
        FeatureExtractor.load(tmp_path / "r.safetensors")


# ---- parts ----


def test_error_weights():
    errors = np.array([[1.0, 2.0], [4.0, np.nan], [2.0, 0.0]])
    weights = error_weights(errors)
    assert np.allclose(weights, [[1, 1], [0.25, 0], [1, 1]])
    assert np.allclose(error_weights(errors, power=1)[1], [0.5, 0])
    assert (error_weights(errors, power=0) == [[1, 1], [1, 1], [1, 1]]).all()
    assert (error_weights(np.full((2, 2), np.nan)) == 0).all()


def test_pseudo_labels_weigh_by_their_errors_in_images_of_one_size():
    sizes = ((50, 50), (100, 100))
    images = scp.datasets.arrays([np.zeros(size, np.uint8) for size in sizes])
    xy = np.full((2, 2, 2), 9.0)
    error = np.array([[2.0, 4.0], [4.0, 16.0]])  # in pixels, those of the second half as large
    found = scp.Landmarks(images.ids, ["p", "q"], xy, np.full((2, 2), 0.5), error)
    _, weights = pseudo_labels(images, found, None, 1.0)
    assert np.allclose(weights, [[1, 0.75], [1, 0.375]])
    plain = scp.Landmarks(images.ids, ["p", "q"], xy, np.array([[0.5, 0.5], [0.25, 0.5]]))
    assert pseudo_labels(images, plain, None, 1.0)[1][1, 0] < 1
    assert (
        pseudo_labels(images, scp.Landmarks(images.ids, ["p"], xy[:, :1]), None, 1)[1] == 1
    ).all()


def test_confidence_weights():
    confidence = np.array([[0.2, 0.0], [0.4, 0.0], [0.5, 0.0]])
    weights = confidence_weights(confidence, power=1)
    assert np.allclose(weights[:, 0], np.minimum(confidence[:, 0] / 0.48, 1))
    assert (weights[:, 1] == 0).all()
    assert (confidence_weights(confidence, power=0) == 1).all()
    assert np.allclose(confidence_weights(confidence)[0, 0], (0.2 / 0.48) ** 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.full((6, 19), 2.0)}, "weights must be"),
        ({"weights": np.full((6, 19), np.nan)}, "weights must be"),
        ({"templates": [6]}, "templates must be"),
        ({"templates": [1, 1]}, "templates must be"),
        ({"templates": ["x"]}, "templates: no image is called 'x'"),
        ({"templates": Landmarks(["x"], ["a"], np.zeros((1, 1, 2)))}, "'x' is not among"),
        ({"templates": Landmarks(["001"], ["a"], np.zeros((1, 1, 2)))}, "no landmark is called"),
        ({"rounds": 0}, "rounds must be above 0"),
        ({"steps": 0}, "steps must be above 0"),
    ],
)
def test_bad_arguments(pool, change, message):
    assert pool.landmarks.shape[1] == 19
    arguments = {"found": labels(pool), "templates": [0], "steps": 1, **change}
    with pytest.raises(ValueError, match=message):
        refiner().fit(pool, **arguments)


def test_bad_options():
    with pytest.raises(ValueError, match="vote must be one of"):
        LandmarkRefiner(training={"vote": "median"}).check()
    with pytest.raises(ValueError, match="labelled, pseudo"):
        LandmarkRefiner(training={"labelled": 0, "pseudo": 0}).check()
    with pytest.raises(ValueError, match="preset must be one of"):
        LandmarkRefiner(preset="tiny").check()
    with pytest.raises(ValueError, match="no training option is called"):
        LandmarkRefiner(training={"crop": 0.5}).check()
    with pytest.raises(RuntimeError, match="not trained"):
        LandmarkRefiner().predict([])
    options = RefinementOptions().set(prior="false", radius="0.1", rotation=3)
    assert (options.prior, options.radius) == (False, 0.1)
    assert RefinementOptions.from_dict(options.to_dict()) == options


def test_a_size_that_does_not_fit(pool):
    with pytest.raises(ValueError, match=r"size|layer"):
        LandmarkRefiner(size=(50, 46), network=TRUNK).fit(pool, labels(pool), steps=1)


# ---- the command ----


@pytest.fixture
def folder(pool, tmp_path):
    write_images(tmp_path / "images", pool)
    write_landmarks(tmp_path / "marks.csv", Landmarks.of(pool).rows(pool.ids[:2]))
    return tmp_path


def words(folder, *more):
    sets = [f"network.{k}={v}" for k, v in TRUNK.items()]
    return [
        "refine",
        str(folder / "images"),
        "--templates",
        str(folder / "marks.csv"),
        "--run",
        str(folder / "run"),
        "--steps",
        "3",
        "--size",
        "64x48",
        "--quiet",
        *[w for s in sets for w in ("--set", s)],
        *more,
    ]


def test_the_command(folder, pool, capsys):
    assert cli.main(words(folder, "--rounds", "2", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["templates"], told["rounds"], told["steps"]) == (2, 2, 3)
    found = read_landmarks(folder / "run/landmarks.csv")
    assert len(found) == 6
    assert found.names == pool.landmark_names
    again = LandmarkRefiner.load(folder / "run").predict(scp.datasets.folder(folder / "images"))
    marked = (found.source == "marked").all(axis=1)
    assert marked.sum() == 2 and np.isin(found.xy[marked], pool.landmarks).all()
    assert np.allclose(found.xy[~marked], again.xy[~marked], atol=1e-3)
    assert cli.main(words(folder, "--rounds", "2")) == 0, "a finished run is read again"


def test_the_command_asks_for_pseudo_templates(folder, monkeypatch, capsys):
    asked = []
    add = scp.LandmarkDetector.add_pseudo_templates
    monkeypatch.setattr(
        scp.LandmarkDetector,
        "add_pseudo_templates",
        lambda self, pool, count, **more: asked.append(count) or add(self, pool, count, **more),
    )
    assert cli.main(words(folder)) == 0
    assert asked == [], "two templates agree without"
    assert cli.main(words(folder, "--pseudo-templates", "3", "--fresh")) == 0
    assert asked == [3]
    assert cli.main(words(folder, "--pseudo-templates", "-1", "--fresh")) == 2
    assert "pseudo-templates must be at least 0, got -1" in capsys.readouterr().err


def test_the_command_refuses_foreign_templates(folder, pool, capsys):
    marks = Landmarks.of(pool)
    write_landmarks(
        folder / "marks.csv", Landmarks(["x.png", "001.png"], marks.names, marks.xy[:2])
    )
    assert cli.main(words(folder)) == 2
    assert "'x.png' is not among the 6 images" in capsys.readouterr().err
    write_landmarks(folder / "marks.csv", marks.rows(pool.ids[:2]))
    assert cli.main(words(folder, "--set", "vote=median")) == 2
    assert "vote must be one of" in capsys.readouterr().err
    assert not (folder / "run/refined.safetensors").exists()
