"""The core's training by BYOL, and objectives of one level: against their twins, and what they
promise."""

from __future__ import annotations

import numpy as np
import pytest

from scp import _core, _testing
from scp.features import byol, train
from scp.networks import Network, laptop
from scp.reference import byol as reference
from scp.reference import training
from scp.reference.nn import Twin
from scp.training import TrainingOptions

HEIGHT, WIDTH, SIDE, HIDDEN = 32, 40, 16, 12
NET = laptop(encoder=(8, 8, 8), depths=(0, 1, 1), decoder=(8, 8), channels=5)
BYOL = [name for name in TrainingOptions.ROWS["objective"].choices if name.startswith("byol")]


def pool(n=4):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rng = np.random.default_rng(0)
    waves = [np.sin(x * a + y * b + 9 * a) for a, b in rng.uniform(-1, 1, (n, 2))]
    return (0.5 + 0.4 * np.array(waves) + 0.1 * rng.random((n, HEIGHT, WIDTH))).astype(np.float32)


def options(objective="byol-levels", **changes) -> dict:
    values = {"batch": 3, "points": 6, "hidden": HIDDEN, "seed": 5, "weight_decay": 0.0}
    return TrainingOptions().set(objective=objective, **values | changes).core()


def trainer(o, net=NET):
    """A trainer and its arrays, as they start."""
    _, lengths, side = _core.contrast_measure(net.graph(), pool(), o)
    assert side == SIDE
    arrays = {name: np.zeros(n, np.float32) for name, n in lengths.items()}
    levels = 3 if o["objective"].endswith("-levels") else 1
    if o["objective"].startswith("byol"):
        start = byol.initial(*net.initial(1), 5, HIDDEN, levels, 1)
    else:
        start = dict(zip(("parameters", "state"), net.initial(1), strict=True))
    for name, values in start.items():
        assert arrays[name].shape == values.shape
        arrays[name][:] = values
    return _core.contrast_trainer(net.graph(), pool(), o), arrays


def run(o, steps=1, rate=0.0, first=0):
    made, arrays = trainer(o)
    losses, done = _core.trainer_run(made, arrays, first, np.full(steps, rate))
    assert done == steps
    return losses, arrays


def parts(net):
    return net.layers, net.blocks, net.outputs


def doubles(arrays):
    return {name: a.astype(float) for name, a in arrays.items()}


def twin_step(arrays, o, number=0):
    *views, crop_points, image_points, _ = _testing.contrast_sample(pool(), o, SIDE, 1, number)
    views = [v.astype(float) for v in views]
    head = byol.head(5, HIDDEN)
    pairs, sizes = (crop_points, image_points), (HEIGHT, WIDTH, SIDE)
    return reference.step(parts(NET), parts(head), arrays, views, pairs, sizes, o)


WEIGHTS = {"byol-levels": (1, 0.5, 2), "byol": ()}


@pytest.mark.parametrize("objective", BYOL)
def test_the_twin_s_gradients_are_derivatives(objective):
    o = options(objective, level_weights=WEIGHTS[objective])
    arrays = doubles(trainer(o)[1])
    arrays["target.parameters"] *= 0.9  # not the network itself
    _, gradients = twin_step(dict(arrays), o)
    rng = np.random.default_rng(2)
    weights = np.array(o["level_weights"] or [1.0])
    for model, gradient in gradients.items():
        name = f"{model}.parameters" if model else "parameters"
        direction = rng.standard_normal(gradient.shape)
        ends = []
        for h in (1e-7, -1e-7):  # kinks of the ReLUs lie close
            losses, _ = twin_step(arrays | {name: arrays[name] + h * direction}, o)
            ends.append((losses * weights).mean())
        numeric = (ends[0] - ends[1]) / 2e-7
        assert abs(numeric) > 1e-3
        assert numeric == pytest.approx((gradient * direction).sum(), rel=1e-6)


@pytest.mark.parametrize("objective", BYOL)
def test_a_step_is_the_twin_s(objective):
    """Losses, the gradients of all models (with beta1 = 0, Adam's first moment), all running
    statistics: those of the predictor have seen every level in both directions."""
    o = options(objective, beta1=0, level_weights=WEIGHTS[objective])
    start = doubles(trainer(o)[1])
    before = {name: a.copy() for name, a in start.items()}
    losses, arrays = run(o)
    wanted, gradients = twin_step(start, o)
    np.testing.assert_allclose(losses[0], wanted, rtol=1e-5)
    for model in ("projectors", "predictor"):
        ours, twin = arrays[f"{model}.first_moment"], gradients[model]
        assert np.abs(ours - twin).max() <= 1e-4 * np.abs(twin).max() > 0
    if objective == "byol-levels":
        ours = arrays["first_moment"]
    else:  # what the finest level depends on: all but the coarser heads
        ours = np.concatenate([v for name, v in arrays.items() if name in MOMENTS])
        still = np.concatenate([np.arange(*span) for span in STILL])
        assert not gradients[""][still].any()
        gradients[""] = np.delete(gradients[""], still)
    assert np.abs(ours - gradients[""]).max() <= 1e-4 * np.abs(gradients[""]).max() > 0
    for name in (n for n in arrays if n.endswith("state")):
        np.testing.assert_allclose(arrays[name], start[name], rtol=1e-4, atol=1e-6)
        assert (start[name] != before[name]).any()


# what the coarser heads of NET hold, and the first moments of all else in the order of parameters
STILL = [
    (at, at + n)
    for name, (at, n, *_) in zip(NET.names, NET.blocks, strict=True)
    if name in ("head2", "head3")
]
MOMENTS = [f"part{k}.first_moment" for k in (1, 2, 3)]


def test_steps_are_those_of_the_loop_s_twin():
    o = options(weight_decay=1e-2, adam_epsilon=1e-2, target_momentum=0.75)
    twin = doubles(trainer(o)[1])
    losses, arrays = run(o, steps=3, rate=0.02)
    for number in range(3):
        wanted, gradients = twin_step(twin, o, number)
        np.testing.assert_allclose(losses[number], wanted, rtol=2e-4)
        for model, gradient in gradients.items():
            prefix = f"{model}." if model else ""
            names = [prefix + n for n in ("parameters", "first_moment", "second_moment")]
            moved = training.adam(*(twin[n] for n in names), gradient, number, 0.02, o)
            twin |= dict(zip(names, moved, strict=True))
        for name in ("parameters", "projectors.parameters"):
            teacher = twin[f"target.{name}"]
            teacher[:] = training.moving_average(teacher, twin[name], 0.75)
    for name, values in twin.items():
        assert np.abs(arrays[name] - values).max() <= 2e-3 * np.abs(values).max() > 0, name


def test_a_pair_that_was_not_found_repeats_the_next():
    o = options(translation="0.5@image", point_margin=0.45, batch=3, points=4)
    for number in range(40):
        found = _testing.contrast_sample(pool(), o, SIDE, 1, number)[2][..., 0] >= 0
        if found.any() and not found.all() and not found[-1].all():
            break
    else:
        pytest.fail("all pairs were found")
    start = doubles(trainer(o)[1])
    losses, _ = run(o, first=number)
    np.testing.assert_allclose(losses[0], twin_step(start, o, number)[0], rtol=1e-5)


@pytest.mark.parametrize("objective", ["infonce", "byol"])
def test_what_the_finest_level_does_not_read_never_moves(objective):
    o = options(objective, weight_decay=0.1)
    first = trainer(o)[1]["parameters"]
    losses, arrays = run(o, steps=4, rate=1e-2)
    assert losses.shape == (4, 1)
    moved = arrays["parameters"] != first
    still = np.zeros(len(first), bool)
    for begin, end in STILL:
        still[begin:end] = True
    assert not moved[still].any() and moved[~still].all()
    assert sum(len(arrays[name]) for name in MOMENTS) == (~still).sum()


def test_infonce_of_the_finest_level_is_the_objective_of_that_level_alone():
    """All its cells are negatives, as those of the coarsest level are where all have a loss."""
    o = options("infonce", window=2)
    losses, _ = run(o)
    *views, crop_points, image_points, _ = _testing.contrast_sample(pool(), o, SIDE, 1, 0)
    start = [a.astype(float) for a in NET.initial(1)]
    maps = [Twin(*parts(NET), *start).forward(v.astype(float))[-1:] for v in views]
    assert maps[0][0].shape == (3, 16, 20, 5)
    points = crop_points, image_points
    wanted, *_ = training.objective(*maps, *points, HEIGHT, WIDTH, SIDE, o)
    np.testing.assert_allclose(losses[0], wanted, rtol=1e-4)


@pytest.mark.parametrize("objective", BYOL)
def test_bits_are_the_same_at_any_threads_and_numbers_at_any_isa(objective):
    isas = {}
    for isa in _core.isas():
        _testing.set_isa(isa)
        for threads in (1, 2, 3):
            _core.set_threads(threads)
            losses, arrays = run(options(objective), steps=3, rate=1e-3)
            before = isas.setdefault(isa, (losses, arrays))
            np.testing.assert_array_equal(losses, before[0])
            for name, values in arrays.items():
                np.testing.assert_array_equal(values, before[1][name])
    for losses, _ in isas.values():
        np.testing.assert_allclose(losses, isas[_core.isas()[0]][0], rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 1, "points": 1}, "points must be at least 2 where batch is 1"),
        ({"level_weights": (1, 1, 1)}, "level_weights must be one number per level with a loss"),
    ],
)
def test_bad_options(change, message):
    with pytest.raises(ValueError, match=message):
        trainer(options("byol", **change))


def test_levels_must_have_equal_channels():
    net = Network("torch")
    x = net.conv(net.input(1), 4, stride=4, kernel=4, padding=0)
    net.output(x)
    net.output(net.conv(net.resize(x, 2), 8))
    with pytest.raises(ValueError, match="graph must have levels of equal channels for byol"):
        _core.contrast_measure(net.graph(), pool(), options())


def test_memory_is_what_was_said():
    """Heads and branches are counted: twice the pairs need more."""
    sizes = [_core.contrast_measure(NET.graph(), pool(), options(points=n))[0] for n in (200, 400)]
    numbers = 3 * 200 * (3 * 2 * (HIDDEN + 5) + 5)  # floats of the heads' maps at least
    assert sizes[1] - sizes[0] > 4 * numbers
    assert sizes[0] > _core.contrast_measure(NET.graph(), pool(), options("infonce-levels"))[0]


class Stop(Exception):
    pass


@pytest.mark.parametrize("objective", [*BYOL, "infonce"])
def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path, objective):
    values = {"batch": 2, "points": 4, "hidden": HIDDEN, "log_every": 1, "checkpoint_seconds": 0}
    o = TrainingOptions(**values).set(objective=objective)
    whole = train(pool(), NET, o, steps=5, progress=False)

    def stop(event):
        if event["event"] == "checkpoint" and event["step"] == 2:
            raise Stop

    with pytest.raises(Stop):
        train(pool(), NET, o, tmp_path, steps=5, progress=False, callback=stop)
    with pytest.raises(ValueError, match=r"started with objective = .*, not 'infonce-levels'"):
        train(pool(), NET, o.set(objective="infonce-levels"), tmp_path, steps=5, progress=False)
    again = train(pool(), NET, o, tmp_path, steps=5, progress=False)
    assert list(again.arrays) == list(whole.arrays)
    for name, values in whole.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], values)
    assert whole.losses.shape == (3 if o.of_all_levels else 1,)
