"""The builder of networks: numbers for the core, shapes, blocks, first weights."""

import copy
import json
import pickle

import numpy as np
import pytest

from scp.networks import Network
from scp.networks.plans import SIZES
from scp.reference.nn import Twin


def small() -> Network:
    net = Network()
    x = net.input(3)
    a = net.conv(x, 16, kernel=4, stride=2, name="stem")
    b = net.relu(net.batch_norm(a, name="norm"))
    c = net.conv(b, 8, kernel=(1, 3), dilation=2, bias=False)
    d = net.resize(net.max_pool(net.leaky(c, 0.2)), 2, align=False)
    e = net.concat(b, d)
    f = net.add(net.sigmoid(e), net.tanh(e))
    g = net.linear(net.mean(net.dropout(f, 0.25)), 5, name="answer")
    net.output(g)
    net.output(d)
    net.transposed(net.instance_norm(e), 7)
    return net


def test_numbers_for_the_core():
    net = small()
    ints, floats = net.ints, net.floats
    assert ints.dtype == np.int32 and floats.dtype == np.float32
    assert ints.shape == (17, 16) and floats.shape == (17, 4)
    assert ints[0].tolist() == [0, -1, -1, -1, -1, 3] + [0] * 10
    assert ints[1].tolist() == [1, 0, -1, -1, -1, 16, 4, 4, 2, 1, 1, 1, 1, 0, 0, 0]
    assert ints[2].tolist() == [3, 1, -1, -1, -1] + [0] * 11
    assert floats[2].tolist() == [0, np.float32(1e-5), np.float32(0.1), 0]
    assert ints[4].tolist() == [1, 3, -1, -1, -1, 8, 1, 3, 1, 2, 0, 2, 0, 0, 0, 0]
    assert floats[5].tolist() == [np.float32(0.2), 0, 0, 0]
    assert ints[7].tolist() == [9, 6, -1, -1, -1] + [0] * 8 + [2, 0, 1]
    assert ints[8, :5].tolist() == [10, 3, 7, -1, -1]
    assert floats[12, 3] == np.float32(0.25)
    assert net.outputs == [7, 14] and net.names[14] == "answer"
    assert ints[:, 15].nonzero()[0].tolist() == [7, 14]


def test_blocks_and_tensors_tile_the_arrays():
    net = small()
    blocks = net.blocks
    assert blocks[1].tolist() == [0, 4 * 4 * 3 * 16 + 16, 0, 0]
    assert blocks[2].tolist() == [784, 32, 0, 32]
    parameters = np.arange(net.n_parameters, dtype=np.float32)
    state = np.arange(net.n_state, dtype=np.float32)
    tensors = net.tensors(parameters, state)
    assert tensors["stem.weight"].shape == (4, 4, 3, 16)
    assert tensors["stem.bias"][0] == 768 and tensors["norm.beta"][0] == 784 + 16
    assert tensors["norm.variance"][0] == 16
    assert sum(t.size for t in tensors.values()) == net.n_parameters + net.n_state
    tensors["answer.bias"][:] = -1  # views
    at = int(blocks[14, 0] + blocks[14, 1])
    assert (parameters[at - 5 : at] == -1).all()


def test_shapes():
    shapes = small().shapes(32, 48)
    assert shapes[1].tolist() == [16, 24, 16, 16 * 24 * 16 * 3 * 16]
    assert shapes[7, :3].tolist() == [16, 24, 8]
    assert shapes[8, 2] == 24 and shapes[14].tolist() == [1, 1, 5, 24 * 5]
    assert shapes[-1].tolist()[:3] == [32, 48, 7]
    with pytest.raises(ValueError, match="concat8"):
        small().shapes(34, 48)  # 17 rows pooled to 8 and resized to 16
    with pytest.raises(ValueError, match="too small"):
        small().shapes(1, 1)


@pytest.mark.parametrize("init", ["normal", "normal_out"])
def test_first_weights_of_a_whole_normal_distribution(init):
    net = Network(init)
    c = net.conv(net.input(64), 127, 3, name="c")
    net.output(net.transposed(c, 33, 5, stride=1, name="t"))
    parameters, state = net.initial(7)
    assert parameters.tobytes() == net.initial(7)[0].tobytes()
    tensors = net.tensors(parameters, state)
    for name, fan in (("c", 9 * (64 if init == "normal" else 127)), ("t", 25 * 33)):
        w, deviation = tensors[f"{name}.weight"].ravel(), np.sqrt(2 / fan)
        assert abs(w.mean()) < 0.02 * deviation and abs(w.std() - deviation) < 0.01 * deviation
        assert 0.03 < (np.abs(w) > 2 * deviation).mean() < 0.06  # 4.6 %
        assert not tensors[f"{name}.bias"].any()


@pytest.mark.parametrize("init", ["torch", "he", "he_normal", "small"])
def test_first_weights(init):
    net = Network(init)
    net.output(net.batch_norm(net.conv(net.input(64), 128, name="c"), name="n"))
    parameters, state = net.initial(7)
    again, _ = net.initial(7)
    other, _ = net.initial(8)
    tensors = net.tensors(parameters, state)
    fan, cut = 64 * 9, 0.8796256610342398  # deviation of a normal distribution cut at 2
    bound = {
        "torch": 1 / np.sqrt(fan),
        "he": np.sqrt(6 / fan),
        "he_normal": 2 * np.sqrt(2 / fan) / cut,
        "small": 2e-4,
    }[init]
    deviation = bound * cut / 2 if init in ("he_normal", "small") else bound / np.sqrt(3)
    w = tensors["c.weight"]
    assert 0.999 * bound <= np.abs(w).max() <= bound
    assert abs(w.mean()) <= 0.01 * bound and abs(w.std() - deviation) <= 0.01 * bound
    assert (tensors["c.bias"] == 0).all() == (init != "torch")
    assert (tensors["n.gamma"] == 1).all() and (tensors["n.beta"] == 0).all()
    assert (tensors["n.mean"] == 0).all() and (tensors["n.variance"] == 1).all()
    assert parameters.tobytes() == again.tobytes() and (parameters != other).any()


def test_digest_tells_structures_apart():
    assert small().digest() == small().digest()
    other = small()
    other.output(8)
    assert other.digest() != small().digest()


def test_description_gives_the_same_network():
    net = small()
    content = json.loads(json.dumps(net.describe()))
    again = Network.from_description(content)
    assert again.names == net.names and again.digest() == net.digest()
    for change, text in (
        ({"op": "graph"}, "op must be one of"),
        ({"kernel": 3}, "not a description"),
        ({"inputs": [99]}, "99 is not the number"),
        ({"inputs": []}, "not a description"),
        ({"channels": 0}, "channels must be"),
    ):
        wrong = json.loads(json.dumps(content))
        wrong["layers"][1].update(change)
        with pytest.raises(ValueError, match=text):
            Network.from_description(wrong)
    with pytest.raises(ValueError, match="not a description"):
        Network.from_description({"layers": 3})


@pytest.mark.parametrize(
    "wrong, text",
    [
        (lambda n: n.conv(99, 8), "99 is not the number of a layer"),
        (lambda n: n.conv(0, 0), "channels must be"),
        (lambda n: n.conv(0, 8, kernel=(1, 2, 3)), "kernel must be"),
        (lambda n: n.conv(0, 8, padding=-1), "padding must be"),
        (lambda n: n.transposed(0, 8, kernel=3, stride=2), "padding: 'same'"),
        (lambda n: n.input(3), "input: it must be the first"),
        (lambda n: n.concat(0), "concat: takes 2 to 4"),
        (lambda n: n.add(0, n.conv(0, 8)), "add: both layers"),
        (lambda n: n.dropout(0, 1.0), "rate must be"),
        (lambda n: n.conv(0, 8, name="input0"), "called 'input0' already"),
        (lambda n: n.batch_norm(0, epsilon=0), "epsilon must be"),
        (lambda n: n.graph(), "no output"),
    ],
)
def test_errors_name_the_argument(wrong, text):
    net = Network()
    net.input(3)
    with pytest.raises(ValueError, match=text):
        wrong(net)
    with pytest.raises(ValueError, match="first layer must be an input"):
        Network().conv(0, 8)


# ---- running ----


def runnable() -> Network:
    net = Network()
    x = net.relu(net.batch_norm(net.conv(net.input(3), 16, kernel=4, stride=2, name="stem")))
    net.output(net.conv(x, 5, name="fine"))
    net.output(net.conv(net.max_pool(x), 7, name="coarse"))
    return net


def test_a_network_runs_images_of_every_kind():
    net = runnable()
    parameters, state = net.initial(random_state=3)
    images = np.random.default_rng(0).random((3, 12, 16), np.float32)
    maps = net.run(images, parameters, state)
    shapes = net.shapes(12, 16)[net.outputs, :3].tolist()
    assert [list(m.shape) for m in maps] == [[3, *shape] for shape in shapes]
    coloured = net.run(np.repeat(images[..., None], 3, axis=3), parameters, state)
    alone = [net.run(image, parameters, state) for image in images]
    for k, m in enumerate(maps):
        assert m.tobytes() == coloured[k].tobytes()
        assert m.tobytes() == np.stack([one[k] for one in alone]).tobytes()
    twin = Twin(
        net.layers,
        net.blocks,
        net.outputs,
        parameters.astype(np.float64),
        state.astype(np.float64),
        train=False,
    )
    wanted = twin.forward(np.repeat(images[..., None], 3, axis=3).astype(np.float64))
    for m, w in zip(maps, wanted, strict=True):
        assert np.abs(m - w).max() <= 1e-5


def test_running_says_what_does_not_fit():
    net = runnable()
    parameters, state = net.initial()
    for images, text in (
        (np.zeros((4, 4, 4, 2)), r"images must be .*\[N\]\[H\]\[W\]\[3\], got \[4, 4, 4, 2\]"),
        (np.zeros(4), "images must be"),
        (np.zeros((0, 4, 4)), "images must be"),
        (np.zeros((1, 1)), "layer stem: images 1 x 1 are too small"),
    ):
        with pytest.raises(ValueError, match=text):
            net.run(images, parameters, state)
    with pytest.raises(ValueError, match="parameters"):
        net.run(np.zeros((16, 16)), parameters[:-1], state)
    with pytest.raises(ValueError, match="it has no output"):
        Network().run(np.zeros((1, 8, 8, 1)), parameters, state)


def test_layers_that_are_added_count_and_copies_run():
    net = runnable()
    image = np.random.default_rng(1).random((16, 16), np.float32)
    first = net.run(image, *net.initial())
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        again = other.run(image, *net.initial())
        assert [m.tobytes() for m in again] == [m.tobytes() for m in first]
    net.output(2)
    assert len(net.run(image, *net.initial())) == 3


def test_plans_are_kept_for_a_few_sizes():
    net = runnable()
    weights = net.initial()
    for side in range(8, 8 + 2 * SIZES):
        net.run(np.zeros((side, side)), *weights)
    assert len(net._plans._idle) == SIZES
