"""Supervised heat maps in the core against their twins, and the twins against central
differences."""

import numpy as np
import pytest

from scp import _core, _testing
from scp.networks import build_supervised
from scp.reference import supervised as twin

ROWS = {row["name"]: row for row in _core.options("supervise")}
SMOOTH = np.add.outer(np.sin(np.arange(32) / 5), np.cos(np.arange(48) / 7)) / 4 + 0.5
POOL = np.clip(SMOOTH + np.random.default_rng(5).normal(0, 0.02, (3, 32, 48)), 0, 1).astype(
    np.float32
)
STILL = dict.fromkeys(("move", "rotate", "zoom", "stretch", "bend", "brighten", "contrast"), 0.0)


def options(**values) -> dict:
    plain = {n: r["default"] for n, r in ROWS.items() if r["type"] != "choice"}
    return plain | {"seed": 3, "batch": 2} | values


def labels(landmarks=4, size=(32, 48)):
    rng = np.random.default_rng(1)
    points = rng.uniform([0, 0], [size[1], size[0]], (3, landmarks, 2)).astype(np.float32)
    weights = np.ones((3, landmarks), np.float32)
    points[1, -1], weights[1, -1] = np.nan, 0
    return points, weights


def draw(pool, marks, how, step=0):
    return _testing.supervise_sample(pool, *marks, how, how["batch"], step)


def test_a_view_without_transforms_is_the_image():
    marks = labels()
    images, points, weights, sources = draw(POOL, marks, options(**STILL), 1)
    np.testing.assert_allclose(images, (255 * POOL[sources] - 128) / 128, atol=1e-6)
    there = weights > 0
    assert np.array_equal(weights, marks[1][sources])
    np.testing.assert_allclose(points[there], marks[0][sources][there], atol=1e-4)


@pytest.mark.parametrize("step", [0, 4])
def test_sample_has_the_twins_numbers(step):
    marks, how = labels(), options()
    got = draw(POOL, marks, how, step)
    want = twin.sample(POOL, marks, how, step)
    assert got[3].tolist() == list(want[3])
    np.testing.assert_allclose(got[0], want[0], atol=2e-5)
    there = got[2] > 0
    np.testing.assert_allclose(got[1][there], want[1][there], atol=1e-3)


def test_landmarks_go_where_their_pixels_go():
    """A bright spot stays under its landmark, whatever was drawn."""
    for step in range(8):
        pool = np.zeros((1, 64, 64), np.float32)
        y, x = np.mgrid[:64, :64]
        pool[0] = np.exp(-((x - 30.3) ** 2 + (y - 35.6) ** 2) / 18)
        marks = np.array([[[30.3, 35.6]]], np.float32), np.ones((1, 1), np.float32)
        how = options(batch=1, brighten=0.0, contrast=0.0)
        images, points, _, _ = draw(pool, marks, how, step)
        image = images[0] + 1
        mean = [(image * v).sum() / image.sum() for v in (x, y)]
        assert np.hypot(*(points[0, 0] - mean)) < 0.35, step


def test_every_pass_shows_every_image_once():
    drawn = np.concatenate([draw(POOL, labels(), options(batch=1), s)[3] for s in range(6)])
    assert sorted(drawn[:3]) == sorted(drawn[3:]) == [0, 1, 2]


def problem(dtype=np.float64):
    rng = np.random.default_rng(2)
    maps = rng.normal(0, 0.3, (2, 20, 24, 4)).astype(np.float32)
    sigmas = rng.uniform(1, 4, 4).astype(np.float32)
    points = rng.uniform(-3, 26, (2, 4, 2)).astype(np.float32)
    weights = np.ones((2, 4), np.float32)
    weights[1, 2] = 0
    return [a.astype(dtype) for a in (maps, sigmas, points, weights)]


def test_objective_has_the_twins_numbers():
    given = problem(np.float32)
    losses, gradient, slope = _testing.supervise_objective(*given, 100.0, 20.0)
    want = twin.objective(*(a.astype(float) for a in given), 100.0, 20.0)
    np.testing.assert_allclose(losses[[0, 2]], want[0], rtol=1e-10)
    np.testing.assert_allclose(gradient, want[1], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(slope, want[2], rtol=1e-5)


def test_twin_is_the_derivative_in_maps_and_sigmas():
    maps, sigmas, *rest = problem()
    _, pull, slope = twin.objective(maps, sigmas, *rest, 100.0, 20.0)
    for place, gradient in ((0, pull), (1, slope)):
        direction = np.random.default_rng(3).normal(size=gradient.shape)
        values = []
        for sign in (1e-6, -1e-6):
            at = [maps, sigmas]
            at[place] = at[place] + sign * direction
            values.append(twin.objective(*at, *rest, 100.0, 20.0)[0].sum())
        want = (gradient * direction).sum()
        assert abs((values[0] - values[1]) / 2e-6 - want) <= 1e-5 * np.abs(gradient).max() * 10


def first_parameters(network) -> np.ndarray:
    """Heat maps that differ from zero at once, then the sigmas."""
    parameters, state = network.initial(1)
    for name, values in network.tensors(parameters, state).items():
        values *= 1000 if name.endswith("heatmaps.weight") else 1
    return np.array([*(parameters + np.float32(0.01)), 2.5, 3.0], np.float32)


def training(how, steps, first=0, arrays=None):
    """Arrays and losses after some steps of a tiny network."""
    network = build_supervised("scn-reduced", 2, filters=5, levels=2, kernel=5, reduction=4)
    marks = labels(2)
    given = network.graph(), np.ascontiguousarray(POOL), *marks, how
    _, lengths = _core.supervise_measure(*given)[:2]
    if arrays is None:
        arrays = {name: np.zeros(n, np.float32) for name, n in lengths.items()}
        arrays["parameters"][:] = first_parameters(network)
    trainer = _core.supervise_trainer(*given)
    losses, done = _core.trainer_run(trainer, arrays, first, np.full(steps, 1e-5))
    assert done == steps
    return network, marks, arrays, losses


def test_steps_have_the_twins_numbers():
    how = options(clip_norm=30.0, weight_decay=0.1)
    network, marks, arrays, losses = training(how, 3)
    parameters = first_parameters(network).astype(float)
    velocity = np.zeros_like(parameters)
    for step in range(3):
        want = twin.train_step(
            network, parameters, velocity, POOL.astype(float), marks, how, step, 1e-5
        )
        np.testing.assert_allclose(losses[step], want, rtol=1e-4)
    np.testing.assert_allclose(arrays["velocity"], velocity, rtol=2e-3, atol=2e-3)
    assert (arrays["velocity"][-3:] != 0).all(), "a bias and the sigmas move too"
    np.testing.assert_allclose(arrays["parameters"], parameters, atol=1e-5)


def test_same_bits_at_any_number_of_threads_and_in_parts():
    runs = []
    for threads, parts in ((1, (4,)), (2, (4,)), (3, (1, 3))):
        _core.set_threads(threads)
        arrays, first = None, 0
        for steps in parts:
            _, _, arrays, _ = training(options(), steps, first, arrays)
            first += steps
        runs.append(arrays)
    for name in runs[0]:
        for other in runs[1:]:
            np.testing.assert_array_equal(runs[0][name], other[name])


def test_instruction_sets_agree():
    found = []
    for isa in _core.isas():
        _testing.set_isa(isa)
        found.append(training(options(), 2)[2]["parameters"])
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"points": np.nan}, "points"),
        ({"weights": -1.0}, "weights"),
    ],
)
def test_bad_labels_are_named(change, text):
    points, weights = labels()
    for name, value in change.items():
        {"points": points, "weights": weights}[name][0, 1] = value
    with pytest.raises(ValueError, match=text):
        draw(POOL, (points, weights), options())


def test_the_published_network():
    net = build_supervised("scn", 19)
    assert net.n_parameters == 6_348_070
    assert build_supervised("scn", 37).n_parameters == 6_926_410
    assert round(net.shapes(512, 512)[:, 3].sum() / 1e9, 1) == 164.7
    parameters, state = net.initial(0)
    tensors = net.tensors(parameters, state)
    for name in ("local.heatmaps", "spatial.heatmaps"):
        assert np.abs(tensors[f"{name}.weight"]).max() <= 2e-4
        assert not tensors[f"{name}.bias"].any()
    assert abs(tensors["local1.down0.weight"].std() / np.sqrt(2 / (9 * 128)) - 1) < 0.01
