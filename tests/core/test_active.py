"""The core's trainings of VAAL and of two classifiers: against their twins, what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from scp import _core, _testing
from scp.networks import active as networks
from scp.reference import active as reference
from scp.reference import sampling, training

WIDTHS, SIZE, LATENT, HIDDEN, COUNT = (6, 10), 16, 3, 7, 9
LABELLED, UNLABELLED = np.array([1, 4, 8], np.uint32), np.array([0, 2, 3, 5, 6, 7], np.uint32)
SEED = 5


def pool(n=COUNT, height=33, width=40):
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(0)
    waves = [np.sin(x * a + y * b + 9 * a) for a, b in rng.uniform(-1, 1, (n, 2))]
    return (0.5 + 0.4 * np.array(waves) + 0.1 * rng.random((n, height, width))).astype(np.float32)


NETS = {
    "vaal": {
        "encoder": networks.encoder(SIZE, 2 * LATENT, WIDTHS),
        "decoder": networks.decoder(SIZE, LATENT, WIDTHS),
        "discriminator": networks.perceptron(LATENT, 1, HIDDEN),
    },
    "instances": {
        "encoder": networks.encoder(SIZE, LATENT, WIDTHS),
        "first": networks.perceptron(LATENT, COUNT, HIDDEN, classes=True),
        "second": networks.perceptron(LATENT, COUNT, HIDDEN, classes=True),
    },
}
PARTS = {
    kind: {m: (n.layers, n.blocks, n.outputs) for m, n in nets.items()}
    for kind, nets in NETS.items()
}
KINDS = list(NETS)


def options(kind, **changes) -> dict:
    values = {"size": SIZE, "batch": 2, "seed": SEED}
    values |= {"beta": 0.7, "adversary": 1.3} if kind == "vaal" else {"discrepancy": 0.4}
    rows = {row["name"]: row["default"] for row in _core.options(kind)}
    return {n: v for n, v in rows.items() if n != "schedule"} | values | changes


def given(kind, nets=None):
    graphs = {m: n.graph() for m, n in (nets or NETS[kind]).items() if m != "second"}
    rest = [LABELLED, UNLABELLED] if kind == "vaal" else []
    return [*graphs.values(), pool(), *rest]


def trainer(kind, o, nets=None):
    """A trainer and its arrays, as they start."""
    measure = getattr(_core, f"{kind}_measure")
    held, lengths = measure(*given(kind, nets), o)
    assert held > 0
    arrays = {name: np.zeros(n, np.float32) for name, n in lengths.items()}
    for k, (name, net) in enumerate((nets or NETS[kind]).items()):
        start = networks.first_weights(net, k)
        for part, values in zip(("parameters", "state"), start, strict=True):
            assert arrays[f"{name}.{part}"].shape == values.shape
            arrays[f"{name}.{part}"][:] = values
    return getattr(_core, f"{kind}_trainer")(*given(kind, nets), o), arrays


def run(kind, o, steps=1, rate=0.0, first=0):
    made, arrays = trainer(kind, o)
    losses, done = _core.trainer_run(made, arrays, first, np.full(steps, rate))
    assert done == steps
    return losses, arrays


def doubles(arrays):
    return {name: a.astype(float) for name, a in arrays.items()}


def batches(o, number):
    kinds = enumerate((LABELLED, UNLABELLED))
    return [reference.vaal_batch(pool(), rows, k, number, o, LATENT, 3) for k, rows in kinds]


def views_of(o, number):
    chosen = sampling.sources(COUNT, o["batch"], SEED, number)
    return reference.crops(pool(), chosen, 3, o, number * o["batch"]), np.array(chosen)


# ---- crops ----


@pytest.mark.parametrize("shape", [(33, 40), (60, 9), (5, 64)])
def test_crops_are_the_twin_s(shape):
    """Larger and smaller than what they become; the second image is too narrow for most draws."""
    images = pool(3, *shape)
    sources = np.tile(np.arange(3, dtype=np.uint32), 7)
    o = options("instances", seed=2**63 + 1)
    got = _core.crops(images, sources, o, 3, 2**40)
    want = reference.crops(images, sources, 3, o, 2**40)
    np.testing.assert_allclose(got, want, atol=2e-5)
    assert got.min() >= -1.00001 and got.max() <= 1.00001


def test_a_crop_of_everything_is_the_image():
    images = pool(2, 16, 16)
    o = options("instances", smallest=1.0, stretch=1.0, flip=0.0)
    views = _core.crops(images, np.array([1, 0], np.uint32), o, 1, 0)[..., 0]
    np.testing.assert_allclose(views, 2 * images[::-1] - 1, atol=1e-6)
    o["flip"] = 1.0
    flipped = _core.crops(images, np.array([1, 0], np.uint32), o, 1, 0)[..., 0]
    np.testing.assert_array_equal(flipped, views[:, :, ::-1])


# ---- steps ----


def twin_steps(kind, arrays, o, number=0, rate=None):
    """Losses of a step; gradients of the last moves. rate: the models move, as the loop's."""
    if kind == "instances":
        losses, gradients = reference.instances_step(PARTS[kind], arrays, *views_of(o, number), o)
        moves = [gradients]
    else:
        moves = []
        for k in range(o["moves"]):
            seen = batches(o, number * o["moves"] + k)
            losses, found = reference.vaal_move(PARTS[kind], arrays, seen, o)
            moves.append(found)
            if rate is not None:
                adam(arrays, found, number * o["moves"] + k, rate, o)
        loss, found = reference.vaal_judge(PARTS[kind], arrays, seen)
        losses = np.append(losses, loss)
        moves.append({"discriminator": found})
    if rate is not None:
        adam(arrays, moves[-1], number, rate, o)
    return losses, {m: g for found in moves for m, g in found.items()}


def adam(arrays, gradients, number, rate, o):
    for model, gradient in gradients.items():
        names = [f"{model}.{n}" for n in ("parameters", "first_moment", "second_moment")]
        moved = training.adam(*(arrays[n] for n in names), gradient, number, rate, o)
        arrays.update(zip(names, moved, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_twin_s(kind):
    """Losses, the gradients of all models (with beta1 = 0, Adam's first moment), and running
    statistics."""
    o = options(kind, beta1=0.0)
    for number in (0, 3):
        twin = doubles(trainer(kind, o)[1])
        losses, arrays = run(kind, o, first=number)
        wanted, gradients = twin_steps(kind, twin, o, number)
        np.testing.assert_allclose(losses[0], wanted, rtol=2e-5)
        assert set(gradients) == set(NETS[kind])
        for model, gradient in gradients.items():
            ours = arrays[f"{model}.first_moment"]
            assert np.abs(ours - gradient).max() <= 1e-4 * np.abs(gradient).max() > 0, model
            np.testing.assert_allclose(arrays[f"{model}.state"], twin[f"{model}.state"], rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_twin_s_gradients_are_derivatives(kind):
    o = options(kind)
    arrays = doubles(trainer(kind, o)[1])
    rng = np.random.default_rng(2)
    weights = {"encoder": (1, o.get("beta"), o.get("adversary"), 0)}
    weights |= {"decoder": (1, 0, 0, 0), "discriminator": (0, 0, 0, 1)}

    def losses(changed):
        copies = {n: a.copy() for n, a in (arrays | changed).items()}
        found = twin_steps(kind, copies, o)[0]
        if kind == "instances":
            return found @ (1, 1, -o["discrepancy"])
        return found @ weights[model]

    gradients = twin_steps(kind, dict(arrays), o)[1]
    for model, gradient in gradients.items():
        name = f"{model}.parameters"
        direction = rng.standard_normal(gradient.shape)
        ends = [losses({name: arrays[name] + h * direction}) for h in (1e-7, -1e-7)]
        numeric = (ends[0] - ends[1]) / 2e-7
        assert abs(numeric) > 1e-3
        assert numeric == pytest.approx((gradient * direction).sum(), rel=1e-5), model


@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_those_of_the_loop_s_twin(kind):
    o = options(kind, weight_decay=1e-2, adam_epsilon=1e-2)
    twin = doubles(trainer(kind, o)[1])
    losses, arrays = run(kind, o, steps=3, rate=0.02)
    for number in range(3):
        wanted, _ = twin_steps(kind, twin, o, number, rate=0.02)
        np.testing.assert_allclose(losses[number], wanted, rtol=1e-3)
    for name, values in ((n, v) for n, v in twin.items() if len(v)):
        assert np.abs(arrays[name] - values).max() <= 2e-3 * np.abs(values).max() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_bits_are_the_same_at_any_threads_and_numbers_at_any_isa(kind):
    isas = {}
    for isa in _core.isas():
        _testing.set_isa(isa)
        for threads in (1, 2, 3):
            _core.set_threads(threads)
            losses, arrays = run(kind, options(kind), steps=2, rate=1e-3)
            before = isas.setdefault(isa, (losses, arrays))
            np.testing.assert_array_equal(losses, before[0])
            for name, values in arrays.items():
                np.testing.assert_array_equal(values, before[1][name])
    for losses, _ in isas.values():
        np.testing.assert_allclose(losses, isas["portable"][0], rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_continued_has_the_same_bits(kind):
    o = options(kind)
    whole = run(kind, o, steps=5, rate=1e-3)
    made, arrays = trainer(kind, o)
    first, _ = _core.trainer_run(made, arrays, 0, np.full(2, 1e-3))
    made = getattr(_core, f"{kind}_trainer")(*given(kind), o)
    second, _ = _core.trainer_run(made, arrays, 2, np.full(3, 1e-3))
    np.testing.assert_array_equal(np.concatenate([first, second]), whole[0])
    for name, values in whole[1].items():
        np.testing.assert_array_equal(arrays[name], values)


def test_labelled_images_come_in_whole_batches_of_a_pass():
    """Of three images a pass of batches of two sees two; in ten passes all are seen."""
    o = options("vaal")
    seen = [sampling.sources(3, 3, SEED ^ reference.KIND_KEYS[0], n)[:2] for n in range(10)]
    assert {s for pair in seen for s in pair} == {0, 1, 2}
    views = [reference.vaal_batch(pool(), LABELLED, 0, n, o, LATENT, 3)[0] for n in range(2)]
    assert views[0].shape == (2, SIZE, SIZE, 3) and (views[0] != views[1]).any()


def test_bad_calls_name_the_argument():
    o, vaal = options("vaal"), given("vaal")
    for place, value, text in (
        (4, LABELLED[:1], "labelled must hold a batch"),
        (5, UNLABELLED[:1], "unlabelled must hold a batch"),
        (4, np.array([1, 9], np.uint32), r"labelled\[1\] must be a row"),
        (0, networks.encoder(SIZE, 5, WIDTHS).graph(), "encoder must give one pixel"),
        (1, networks.decoder(32, LATENT, WIDTHS).graph(), "decoder must give what"),
        (2, networks.perceptron(LATENT, 2, HIDDEN).graph(), "discriminator must give one"),
        (2, networks.perceptron(4, 1, HIDDEN).graph(), "discriminator must read one"),
    ):
        changed = [*vaal[:place], value, *vaal[place + 1 :]]
        with pytest.raises(ValueError, match=text):
            _core.vaal_trainer(*changed, o)
    encoder, head, images = given("instances")
    o = options("instances")
    with pytest.raises(ValueError, match="head must give a number for each image"):
        _core.instances_trainer(encoder, head, images[:4], o)
    with pytest.raises(ValueError, match="pool must hold 2"):
        _core.instances_trainer(encoder, head, images[:1], o)
    with pytest.raises(ValueError, match="encoder has a layer that does not fit"):
        _core.instances_trainer(networks.encoder(64, 3, WIDTHS).graph(), head, images, o)
    with pytest.raises(ValueError, match="sources"):
        _core.crops(images, np.array([9], np.uint32), o, 1, 0)
    with pytest.raises(ValueError, match="multiple of 4"):
        networks.encoder(18, 3, WIDTHS)


@pytest.mark.parametrize("kind", KINDS)
def test_allocation_failures_leave_nothing(kind):
    o, parts = options(kind), given(kind)
    before = _testing.alloc_state()[0]
    for n in range(1, 400):
        _testing.alloc_fail_at(n)
        try:
            made = getattr(_core, f"{kind}_trainer")(*parts, o)
        except MemoryError:
            assert _testing.alloc_state()[0] == before
        else:
            del made
            _testing.alloc_fail_at(0)
            break
    else:
        pytest.fail("every allocation failed")
    assert n > 20
    assert _testing.alloc_state()[0] == before


def test_the_networks_are_the_published_ones():
    nets = [networks.encoder(192, 64), networks.decoder(192), networks.perceptron(32, 1)]
    assert sum(n.n_parameters for n in nets[:2]) == 36_341_315
    assert nets[2].n_parameters == 280_065
    parameters, _ = networks.first_weights(networks.decoder(16, 8, (4, 16)), 0)
    weights = parameters[: 9 * 4 * 4 * 16].reshape(16, 9, 16)
    assert abs(weights[:, :-1].std() - np.sqrt(2 / 8)) < 0.02 and not weights[:, -1].any()
