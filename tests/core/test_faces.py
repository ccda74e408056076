"""Both stages of 3FabRec in the core against their twins, and the twins against central
differences."""

import numpy as np
import pytest

from scp import _core, _testing
from scp.faces import swaps_of
from scp.networks import Network
from scp.reference import faces as twin
from scp.reference.nn import Twin

RNG = np.random.default_rng(7)
SIDE = 32
FACES = RNG.integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)
POINTS = RNG.uniform(2, 38, (5, 68, 2)).astype(np.float32)
STILL = dict.fromkeys(("flip", "rotate", "move", "shrink", "grow", "shear"), 0.0)


def options(table="transfer", **values) -> dict:
    rows = {row["name"]: row for row in _core.options(table)}
    plain = {n: r["default"] for n, r in rows.items() if r["type"] != "choice"}
    return plain | {"seed": 3, "batch": 2} | values


def sample(how, step=0, items=4):
    return _testing.face_sample(FACES, POINTS, swaps_of(68), how, items, SIDE, step)


# ---- views ----


def test_a_view_without_transforms_is_the_middle():
    views, points, rows = sample(options(**STILL))
    np.testing.assert_allclose(views, FACES[rows][:, 4:36, 4:36] / 255 - twin.MEANS, atol=1e-6)
    np.testing.assert_allclose(points, np.maximum(POINTS[rows] - 4, 0), atol=1e-5)


def test_a_mirrored_view_renames_its_landmarks():
    views, points, rows = sample(options(**{**STILL, "flip": 1.0}))
    np.testing.assert_allclose(views, FACES[rows][:, 4:36, 35:3:-1] / 255 - twin.MEANS, atol=1e-6)
    left, right = points[:, 36], POINTS[rows][:, 45]  # the outer corners of the eyes
    np.testing.assert_allclose(left[:, 0], np.maximum(39 - right[:, 0] - 4, 0), atol=1e-5)


@pytest.mark.parametrize("step", [0, 5])
def test_views_equal_the_twin(step):
    how = options(move=0.1)
    views, points, rows = sample(how, step)
    expected = twin.sample(FACES, POINTS, swaps_of(68), how, 4, SIDE, step)
    assert rows.tolist() == expected[2]
    np.testing.assert_allclose(views, expected[0], atol=2e-5)
    np.testing.assert_allclose(points, expected[1], atol=1e-4)


def test_a_point_lies_where_its_pixel_went():
    faces = np.zeros((1, 40, 40, 3), np.uint8)
    faces[0, 18:21, 22:25] = 255
    how = options(flip=0.5, rotate=30.0, seed=1)
    for step in range(4):
        views, points, _ = _testing.face_sample(
            faces, np.full((1, 68, 2), [23, 19], np.float32), swaps_of(68), how, 1, SIDE, step
        )
        light = views[0, ..., 0] - views.min()
        y, x = (np.average(v, weights=light) for v in np.indices(light.shape))
        assert np.hypot(x - points[0, 0, 0], y - points[0, 0, 1]) < 0.2


def test_what_does_not_fill_a_batch_is_left_out():
    for step in range(0, 8, 2):  # five faces, two at a time: two steps a pass
        rows = [*sample(options(), step, 2)[2], *sample(options(), step + 1, 2)[2]]
        assert len(set(rows)) == 4


# ---- structure ----


def pictures(items=2, side=36, low=-0.4):
    x = RNG.uniform(low, 0.5, (items, side, side, 3)).astype(np.float32)
    y = np.clip(x + RNG.normal(0, 0.2, x.shape), -0.5, 0.6).astype(np.float32)
    return x, y


@pytest.mark.parametrize("low", [-0.4, -0.6])  # the range of values is 1, and 2
def test_structure_equals_the_twin(low):
    x, y = pictures(low=low)
    gradient, loss = _testing.structure(x, y, 1.0)
    expected, slope = twin.structure(x.astype(float), y.astype(float))
    assert loss == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(gradient, slope, atol=2e-3 * np.abs(slope).max())
    assert _testing.structure(x, x, 1.0)[1] == pytest.approx(0, abs=1e-6)


def test_the_gradient_of_structure_is_its_derivative():
    x, y = (v.astype(float) for v in pictures(1, 31))
    slope = twin.structure(x, y)[1]
    for at in [(0, 0, 0, 0), (0, 15, 15, 1), (0, 14, 16, 2)]:
        ends = []
        for sign in (1, -1):
            moved = y.copy()
            moved[at] += sign * 1e-5
            ends.append(twin.structure(x, moved)[0])
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope[at], rel=1e-5, abs=1e-12)


def test_structure_wants_its_window():
    with pytest.raises(ValueError, match=r"images.*31"):
        _testing.structure(*pictures(1, 30), 1.0)


# ---- heat maps ----


def test_heat_maps_equal_the_twin():
    maps = RNG.normal(0, 0.3, (2, 24, 24, 5)).astype(np.float32)
    points = RNG.uniform(0, 48, (2, 5, 2)).astype(np.float32)
    points[0, 0] = [50, 0]  # beyond the last pixel
    how = options(sigma=2.3)
    gradient, loss = _testing.transfer_objective(maps, points, 48, how)
    expected, slope = twin.objective(maps.astype(float), points, 48, 2.3, 300.0)
    assert loss == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, atol=1e-6)
    ends = []
    for sign in (1, -1):
        moved = maps.astype(float)
        moved[1, 7, 9, 3] += sign * 1e-4
        ends.append(twin.objective(moved, points, 48, 2.3, 300.0)[0])
    assert (ends[0] - ends[1]) / 2e-4 == pytest.approx(slope[1, 7, 9, 3], rel=1e-6)


def test_stamps_are_cut_toward_zero():
    """Of 35 pixels at sigma 7: a point before 17.5 is drawn one pixel further in."""
    made = twin.targets(np.array([[[60.4, 12.2]]]), 128, 128, 7.0)[0, :, :, 0]
    assert np.unravel_index(made.argmax(), made.shape) == (13, 60)
    assert made.max() == 1 and made[13, 60 - 19] == 0 < made[13, 60 - 18]
    assert made[13, 60 + 16] > 0 == made[13, 60 + 17]


def test_peaks_equal_the_twin():
    maps = RNG.normal(0, 1, (30, 30, 4)).astype(np.float32)
    maps[:, :, 3] = 0
    maps[0, 0, 3] = 1  # equal everywhere near the corner: the first
    xy, height = _core.heat_peaks(maps, 4, 60)
    np.testing.assert_array_equal(xy, twin.peaks(maps, 60))
    assert xy[3].tolist() == [0, 0] and height[3] == pytest.approx(1 / 81)


# ---- steps ----


def parts() -> dict[str, Network]:
    """Small networks of the four kinds."""
    encoder = Network()
    x = encoder.relu(encoder.batch_norm(encoder.conv(encoder.input(3), 6, 4, stride=4, padding=0)))
    encoder.output(encoder.linear(encoder.mean(encoder.max_pool(x, 3)), 5))
    generator = Network()
    x = generator.linear(generator.input(5), 8)
    x = generator.transposed(x, 8, 4, 1, padding=0, bias=False)
    x = generator.relu(generator.batch_norm(x))
    x = generator.relu(generator.batch_norm(generator.transposed(x, 6, 4, 2, padding=1)))
    x = generator.transposed(generator.transposed(x, 4, 4, 2, padding=1), 3, 4, 2, padding=1)
    generator.output(generator.tanh(x))
    latent = Network()
    x = latent.relu(latent.dropout(latent.linear(latent.input(5), 12), 0.2))
    latent.output(latent.sigmoid(latent.linear(x, 1)))
    image = Network()
    x = image.leaky(image.conv(image.input(3), 4, 4, stride=4, padding=0), 0.2)
    x = image.leaky(image.batch_norm(image.conv(x, 6, 4, stride=2, padding=1)), 0.2)
    image.output(image.sigmoid(image.mean(image.conv(x, 1, 4, padding=0))))
    names = ("encoder", "generator", "latent_discriminator", "discriminator")
    return dict(zip(names, (encoder, generator, latent, image), strict=True))


def prepared(nets, how):
    graphs = [net.graph() for net in nets.values()]
    given = *graphs, FACES, SIDE, how
    arrays = {n: np.zeros(k, np.float32) for n, k in _core.autoencode_measure(*given)[1].items()}
    for k, (name, net) in enumerate(nets.items()):
        start = net.initial(k)
        arrays[f"{name}.parameters"][:], arrays[f"{name}.state"][:] = start
    return _core.autoencode_trainer(*given), arrays


def slopes(before, after, rate) -> np.ndarray:
    """Gradients from the first move of Adam with beta1 = 0 and epsilon 1: rate * g / (|g| + 1)."""
    moved = (before - after).astype(float) / rate
    return moved / (1 - np.abs(moved))


def test_a_step_of_the_autoencoder_has_the_gradients_of_the_twin():
    how = options("autoencode", batch=4, gan_from=0.0, structure_from=0.0, adam_epsilon=1.0)
    how |= {"structure_weight": 5.0, "gan_weight": 20.0, "latent_weight": 20.0}
    nets, rate = parts(), 10.0
    trainer, arrays = prepared(nets, how)
    old = {name: value.copy() for name, value in arrays.items()}
    losses, done = _core.trainer_run(trainer, arrays, 0, np.array([rate]))
    assert done == 1

    def copy(name, values):
        net = nets[name]
        start = values[f"{name}.parameters"].astype(float), old[f"{name}.state"].astype(float)
        return Twin(net.layers, net.blocks, net.outputs, *start)

    views = twin.sample(FACES, POINTS, swaps_of(68), how, 4, SIDE, 0)[0]
    encoder, generator = copy("encoder", old), copy("generator", old)
    (z,) = encoder.forward(views, 3, 0)
    (made,) = generator.forward(z, 3, 0)
    noise = twin.normal(3, 0, z.size).reshape(z.shape)
    latent, image = copy("latent_discriminator", old), copy("discriminator", old)
    found = {}
    expected = [0.0] * 6
    expected[2], found["latent_discriminator"] = twin.play(latent, noise, z, how, 0)
    expected[4], found["discriminator"] = twin.play(image, views, made, how, 0)
    latent, image = copy("latent_discriminator", arrays), copy("discriminator", arrays)
    encoder, generator = copy("encoder", old), copy("generator", old)
    parts_of, found["encoder"], found["generator"] = twin.codes_step(
        encoder, generator, latent, image, views, how, 0
    )
    expected[0], expected[1] = parts_of["reconstruction"], parts_of["structure"]
    expected[3], expected[5] = parts_of["latent"], parts_of["image"]
    np.testing.assert_allclose(losses[0], expected, rtol=2e-4)
    for name, gradient in found.items():
        key = f"{name}.parameters"
        own = rate * (0.5 if name == "discriminator" else 1)
        slope = slopes(old[key], arrays[key], own)
        atol = 3e-3 * np.abs(gradient).max()
        np.testing.assert_allclose(slope, gradient, rtol=5e-3, atol=atol, err_msg=name)
    np.testing.assert_allclose(arrays["encoder.state"], encoder.state, rtol=1e-4, atol=1e-6)


def test_players_move_in_their_turns():
    how = options("autoencode", batch=2, gan_from=2.0, structure_from=4.0)
    trainer, arrays = prepared(parts(), how)
    moved, losses = [], []
    for step in range(12):
        old = {name: value.copy() for name, value in arrays.items()}
        losses.append(_core.trainer_run(trainer, arrays, step, np.array([1e-3]))[0][0])
        moved.append(
            [bool((old[f"{n}.parameters"] != arrays[f"{n}.parameters"]).any()) for n in parts()]
        )
    moved, losses = np.array(moved), np.array(losses)
    assert moved[:, :2].all()
    assert moved[:, 2].tolist() == [step % 4 == 0 for step in range(12)]
    gan = [2 * step >= 2 * len(FACES) for step in range(12)]
    assert moved[:, 3].tolist() == [on and step % 2 == 0 for step, on in enumerate(gan)]
    assert (losses[:, 5] > 0).tolist() == gan
    assert (losses[:, 1] > 0).tolist() == [2 * step >= 4 * len(FACES) for step in range(12)]
    assert (losses[:, 3] > 0).tolist() == [step % 2 == 0 for step in range(12)]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_training_of_two_parts_has_the_bits_of_one(threads):
    how = options("autoencode", batch=2, gan_from=0.0, structure_from=0.0)
    rates, before = np.full(4, 1e-3), _core.threads()
    trainer, whole = prepared(parts(), how)
    _core.trainer_run(trainer, whole, 0, rates)
    try:
        _core.set_threads(threads)
        trainer, arrays = prepared(parts(), how)
        _core.trainer_run(trainer, arrays, 0, rates[:2])
        trainer, _ = prepared(parts(), how)
        _core.trainer_run(trainer, arrays, 2, rates[2:])
    finally:
        _core.set_threads(before)
    assert all(arrays[name].tobytes() == whole[name].tobytes() for name in whole)


def test_a_step_that_fails_late_leaves_everything_as_it_was():
    trainer, arrays = prepared(parts(), options("autoencode", batch=2))
    arrays["generator.parameters"][-1] = np.nan  # seen after the latent discriminator has moved
    old = {name: value.copy() for name, value in arrays.items()}
    losses, done = _core.trainer_run(trainer, arrays, 0, np.array([1e-3]))
    assert done == 0 and losses[0, 2] > 0 and np.isnan(losses[0, 0])
    assert all(arrays[name].tobytes() == old[name].tobytes() for name in arrays)


def transfer():
    """Features of 8 x 8, and a head of which the first and last layer learn."""
    features = Network()
    x = features.conv(features.input(3), 6, 4, stride=4, padding=0)
    features.output(features.relu(features.batch_norm(x)))
    head = Network()
    x = head.conv(head.input(6), 6, 3, bias=False)
    x = head.relu(head.transposed(x, 6, 4, 2, padding=1))
    head.output(head.transposed(x, 68, 4, 2, padding=1, bias=False))
    return features, head, np.array([1, 4], np.uint32)


def test_a_step_of_transfer_moves_what_learns_by_the_gradients_of_the_twin():
    features, head, moving = transfer()
    how = options(batch=3, beta1=0.0, adam_epsilon=1.0, sigma=2.0)
    given = features.graph(), head.graph(), moving, FACES, POINTS, swaps_of(68), SIDE, how
    arrays = {n: np.zeros(k, np.float32) for n, k in _core.transfer_measure(*given)[1].items()}
    for name, net in (("features", features), ("head", head)):
        arrays[f"{name}.parameters"][:], arrays[f"{name}.state"][:] = net.initial(1)
    arrays["features.state"][:6] = 0.1
    old = {name: value.copy() for name, value in arrays.items()}
    trainer = _core.transfer_trainer(*given)
    losses, done = _core.trainer_run(trainer, arrays, 2, np.array([10.0]))
    views, points, _ = twin.sample(FACES, POINTS, swaps_of(68), how, 3, SIDE, 2)
    below, above = (
        Twin(
            net.layers,
            net.blocks,
            net.outputs,
            old[f"{name}.parameters"].astype(float),
            old[f"{name}.state"].astype(float),
            train=name == "head",
        )
        for name, net in (("features", features), ("head", head))
    )
    (maps,) = above.forward(below.forward(views)[0])
    loss, slope = twin.objective(maps, points, SIDE, 2.0, how["weight"])
    assert done == 1 and losses[0, 0] == pytest.approx(loss, rel=1e-4)
    gradient = above.backward([slope])[0]
    # The second moment of step 2 is corrected as that of the third move.
    learns = np.zeros(head.n_parameters, bool)
    for at, n in head.blocks[moving, :2]:
        learns[at : at + n] = True
    moved = arrays["head.parameters"] != old["head.parameters"]
    assert not moved[~learns].any() and moved[learns].mean() > 0.5
    root = np.sqrt(1 - how["beta2"]) / np.sqrt(1 - how["beta2"] ** 3)
    expected = 10 * gradient / (root * np.abs(gradient) + 1)
    change = (old["head.parameters"] - arrays["head.parameters"])[learns]
    np.testing.assert_allclose(
        change, expected[learns], rtol=5e-3, atol=3e-3 * np.abs(expected[learns]).max()
    )
    for name in ("features.parameters", "features.state", "head.state"):
        assert arrays[name].tobytes() == old[name].tobytes()


# ---- what is refused ----


def test_wrong_arguments_are_named():
    nets, how = parts(), options("autoencode", batch=2)
    graphs = [net.graph() for net in nets.values()]
    with pytest.raises(ValueError, match="faces must have sides"):
        _core.autoencode_measure(*graphs, FACES, 64, how)
    with pytest.raises(ValueError, match="generator must give pictures"):
        _core.autoencode_trainer(*graphs, FACES, 40, how)
    other = Network()
    other.output(other.sigmoid(other.linear(other.input(7), 1)))
    with pytest.raises(ValueError, match="must take what the encoder gives"):
        _core.autoencode_measure(*graphs[:2], other.graph(), graphs[3], FACES, SIDE, how)
    with pytest.raises(TypeError, match="faces"):
        _core.autoencode_measure(*graphs, FACES.astype(np.float32), SIDE, how)
    features, head, moving = transfer()
    given = features.graph(), head.graph()
    rest = FACES, POINTS, swaps_of(68), SIDE, options()
    with pytest.raises(ValueError, match="moving"):
        _core.transfer_measure(*given, np.array([3], np.uint32), *rest)
    lost = POINTS.copy()
    lost[1, 3, 0] = np.nan
    with pytest.raises(ValueError, match=r"points.*finite"):
        _core.transfer_measure(*given, moving, FACES, lost, *rest[2:])
    odd = np.roll(np.arange(68, dtype=np.uint32), 1)
    with pytest.raises(ValueError, match="swaps"):
        _core.transfer_measure(*given, moving, FACES, POINTS, odd, SIDE, options())


def failing(call):
    """Calls until no allocation fails; how many there were."""
    for number in range(1, 2000):
        _testing.alloc_fail_at(number)
        try:
            call()
        except MemoryError:
            continue
        finally:
            _testing.alloc_fail_at(0)
        return number - 1
    raise AssertionError("it never ends well")


def test_every_failed_allocation_is_said():
    nets, how = parts(), options("autoencode", batch=2, gan_from=0.0, structure_from=0.0)
    given = *(net.graph() for net in nets.values()), FACES, SIDE, how
    assert failing(lambda: _core.autoencode_trainer(*given)) > 40
    trainer, arrays = prepared(nets, how)
    assert failing(lambda: _core.trainer_run(trainer, arrays, 0, np.array([1e-3]))) >= 4
    features, head, moving = transfer()
    rest = moving, FACES, POINTS, swaps_of(68), SIDE, options()
    assert failing(lambda: _core.transfer_trainer(features.graph(), head.graph(), *rest)) > 15
    maps = np.zeros((9, 9, 2), np.float32)
    assert failing(lambda: _core.heat_peaks(maps, 2, 9)) == 1
