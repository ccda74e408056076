"""Networks: the core's plans against the layer-by-layer twin, the twin against central differences,
memory sharing, determinism and errors."""

import numpy as np
import pytest

from scp import _core, _testing
from scp.networks.network import Network
from scp.reference.nn import Twin


def chain(build, channels=3):
    """A network of one input, what `build` adds, and its last layer as the output."""
    net = Network()
    x = net.input(channels)
    net.output(build(net, x))
    return net


def unet(net, x):
    """Skips, slices, a copied part (3 channels), every resize, two norms and an add."""
    a = net.relu(net.batch_norm(net.conv(x, 16, 4, stride=2, padding=1)))
    b = net.leaky(net.instance_norm(net.conv(net.max_pool(a), 32, 3)), 0.1)
    c = net.relu(net.batch_norm(net.conv(net.max_pool(b), 32, 3, dilation=2)))
    up = net.concat(b, net.resize(c, 2, align=True))
    d = net.relu(net.batch_norm(net.conv(up, 16, (1, 3))))
    e = net.concat(a, net.resize(d, 2, align=False), net.conv(a, 3, 1))
    net.output(net.conv(c, 16, 1))
    net.output(net.conv(d, 19, 1))
    f = net.add(net.batch_norm(net.conv(e, 16, (3, 1), bias=False)), net.batch_norm(a))
    return net.conv(net.relu(f), 5, 3)


def configuration(net, x):
    """Both branches of a spatial configuration network: pooling by means, fixed upsampling with
    zeros outside, a product."""
    skip = net.dropout(net.leaky(net.conv(x, 17, 3), 0.1), 0.5)
    skip = net.leaky(net.conv(skip, 17, 3), 0.1)
    low = net.leaky(net.conv(net.average_pool(skip), 17, 3), 0.1)
    y = net.add(net.leaky(net.conv(skip, 17, 3), 0.1), net.upsample(low))
    heat = net.conv(y, 5, 3)
    coarse = net.leaky(net.conv(net.average_pool(heat, 4), 8, 11), 0.1)
    return net.multiply(heat, net.upsample(net.tanh(net.conv(coarse, 5, 11)), 4, "cubic"))


def rfb(net, x):
    """Linear branches, an add of two norms, an activation after it."""
    x = net.relu(net.conv(x, 16, 3))
    parts = [
        net.batch_norm(net.conv(net.batch_norm(net.conv(x, 16, 1, bias=False)), 16, 3, dilation=k))
        for k in (1, 3)
    ]
    y = net.batch_norm(net.conv(net.concat(*parts), 16, 3))
    return net.relu(net.add(y, net.conv(x, 16, 1)))


NETWORKS = {
    "conv": lambda n, x: n.conv(x, 5, 3),
    "strided": lambda n, x: n.conv(n.conv(x, 20, 4, stride=2, padding=1), 7, (1, 3), dilation=2),
    "transposed": lambda n, x: n.transposed(n.relu(n.conv(x, 16, 3)), 6, 4, stride=2, padding=1),
    "batch norm": lambda n, x: n.batch_norm(n.conv(x, 17, 3)),
    "norm, relu, conv": lambda n, x: n.conv(n.relu(n.batch_norm(n.conv(x, 16, 3))), 4, 3),
    "instance norm": lambda n, x: n.conv(n.leaky(n.instance_norm(n.conv(x, 16, 3)), 0.2), 4, 3),
    "norm of the input": lambda n, x: n.relu(n.batch_norm(x)),
    "norm after relu": lambda n, x: n.batch_norm(n.relu(n.conv(x, 8, 3))),
    "two activations": lambda n, x: n.relu(n.leaky(n.conv(x, 8, 3), 0.5)),
    "curves": lambda n, x: n.add(n.sigmoid(n.relu(n.conv(x, 8, 3))), n.tanh(n.conv(x, 8, 1))),
    "pool": lambda n, x: n.max_pool(n.max_pool(n.relu(n.conv(x, 16, 3)))),
    "pool 3": lambda n, x: n.max_pool(n.max_pool(n.relu(n.batch_norm(n.conv(x, 17, 3))), 3), 3),
    "pool 3 of the input": lambda n, x: n.max_pool(x, 3),
    "pool of the input": lambda n, x: n.max_pool(x),
    "resize 3": lambda n, x: n.resize(n.relu(n.conv(x, 20, 3)), 3, align=False),
    "concat": lambda n, x: n.concat(n.conv(x, 3, 1), x, n.relu(n.conv(x, 18, 3)), x),
    "concat twice": lambda n, x: (lambda c: n.concat(c, c))(n.relu(n.conv(x, 16, 3))),
    "mean": lambda n, x: n.linear(n.mean(n.relu(n.conv(x, 24, 3))), 10),
    "slice before the whole": lambda n, x: (
        lambda a: n.add(n.conv(n.concat(a, n.conv(x, 16, 1)), 16, 3), n.conv(n.relu(a), 16, 3))
    )(n.conv(x, 16, 3)),
    "average pool": lambda n, x: n.average_pool(n.relu(n.conv(x, 16, 3))),
    "average pool 3": lambda n, x: n.average_pool(x, 3),  # 16 and 24 are no multiples of 5
    "average pool 5": lambda n, x: n.average_pool(n.conv(x, 5, 3), 5),
    "upsample 2": lambda n, x: n.upsample(n.leaky(n.conv(x, 20, 3), 0.1)),
    "upsample 3": lambda n, x: n.upsample(n.conv(x, 20, 3), 3),
    "upsample by cubic": lambda n, x: n.upsample(n.relu(n.conv(x, 4, 3)), 4, "cubic"),
    "upsample 3 by cubic": lambda n, x: n.upsample(x, 3, "cubic"),
    "transposed from a pixel": lambda n, x: n.transposed(
        n.relu(n.transposed(n.mean(n.conv(x, 17, 3)), 9, 4, stride=1, padding=0)), 3, 4, bias=False
    ),
    "generator": lambda n, x: n.tanh(
        n.transposed(n.leaky(n.batch_norm(n.transposed(x, 20, 4, bias=False)), 0.95), 3, 4)
    ),
    "critic": lambda n, x: n.sigmoid(
        n.mean(n.conv(n.leaky(n.batch_norm(n.conv(x, 18, 4, 2, 1, 1, False)), 0.2), 1, 4, 2, 1, 1))
    ),
    "all pixels to one": lambda n, x: n.conv(n.relu(n.conv(x, 16, 4, 2, 1, 1)), 5, (4, 4), 1, 1, 0),
    "log softmax": lambda n, x: n.log_softmax(n.relu(n.conv(x, 21, 3))),
    "log softmax, twice": lambda n, x: n.log_softmax(n.log_softmax(n.linear(n.mean(x), 150))),
    "multiply": lambda n, x: n.multiply(n.relu(n.conv(x, 17, 3)), n.tanh(n.conv(x, 17, 1))),
    "square": lambda n, x: (lambda c: n.multiply(c, c))(n.relu(n.conv(x, 16, 3))),
    "product with the input": lambda n, x: n.multiply(n.conv(x, 3, 3), x),
    "dropout": lambda n, x: n.conv(n.dropout(n.leaky(n.conv(x, 17, 3), 0.1), 0.3), 4, 3),
    "kernel of 11": lambda n, x: n.conv(n.leaky(n.conv(x, 19, 11), 0.1), 7, 11),
    "unet": unet,
    "configuration": configuration,
    "rfb": rfb,
}


def problem(net, shape, seed=0):
    rng = np.random.default_rng(seed)
    parameters, state = net.initial(seed)
    parameters += rng.normal(0, 0.05, parameters.shape).astype(np.float32)
    images = rng.normal(size=(*shape, net.image_channels)).astype(np.float32)
    return parameters, state, images, rng


@pytest.mark.parametrize("name", NETWORKS)
def test_plan_equals_twin(name):
    net = chain(NETWORKS[name])
    parameters, state, images, rng = problem(net, (2, 16, 24))
    twin = Twin(net.layers, net.blocks, net.outputs, parameters.astype(float), state.astype(float))
    plan = _core.plan_create(net.graph(), 2, 16, 24, True)
    for _ in range(2):  # the second run finds used memory
        outputs = _core.plan_forward(plan, parameters, state, images, 7, 3, None)
        expected = twin.forward(images.astype(float), seed=7, step=3)
        output_gradients = [rng.normal(size=o.shape).astype(np.float32) for o in outputs]
        gradients = np.ones_like(parameters)  # they are added to
        input_gradient = np.full_like(images, np.nan)
        _testing.plan_backward(plan, gradients, input_gradient, parameters, output_gradients, None)
        want, want_input = twin.backward([g.astype(float) for g in output_gradients])
        for got, e in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(got, e, rtol=1e-4, atol=1e-4 * np.abs(e).max())
        np.testing.assert_allclose(state, twin.state, rtol=1e-4, atol=1e-5)
        scale = np.abs(want).max() if want.size else 1
        np.testing.assert_allclose(gradients - 1, want, rtol=1e-3, atol=2e-4 * scale)
        scale = np.abs(want_input).max()
        np.testing.assert_allclose(input_gradient, want_input, rtol=1e-3, atol=2e-4 * scale)


@pytest.mark.parametrize("name", NETWORKS)
def test_twin_backward_is_the_derivative(name):
    net = chain(NETWORKS[name])
    parameters, state, images, rng = problem(net, (2, 8, 8), seed=1)
    parameters, images = parameters.astype(float), images.astype(float)

    def run(p, x):
        twin = Twin(net.layers, net.blocks, net.outputs, p, state.astype(float))
        return twin, twin.forward(x)

    twin, outputs = run(parameters, images)
    weights = [rng.normal(size=o.shape) for o in outputs]
    gradients, input_gradient = twin.backward(weights)
    for at, gradient, which in ((parameters, gradients, 0), (images, input_gradient, 1)):
        if not at.size:
            continue
        direction = rng.normal(size=at.shape)
        step = 1e-6 * direction
        losses = [
            sum(
                (w * o).sum()
                for w, o in zip(
                    weights,
                    run(*((at + s, images) if which == 0 else (parameters, at + s)))[1],
                    strict=True,
                )
            )
            for s in (step, -step)
        ]
        got = (losses[0] - losses[1]) / 2e-6
        want = (gradient * direction).sum()
        assert abs(got - want) <= 1e-4 * max(abs(want), np.abs(gradient).max())


@pytest.mark.parametrize("name", ["unet", "rfb", "norm, relu, conv", "generator", "critic"])
def test_eval_uses_running_statistics(name):
    net = chain(NETWORKS[name])
    parameters, state, images, rng = problem(net, (1, 16, 16))
    state[:] = rng.uniform(0.5, 1.5, state.shape)
    before = state.copy()
    twin = Twin(
        net.layers, net.blocks, net.outputs, parameters.astype(float), state.astype(float), False
    )
    plan = _core.plan_create(net.graph(), 1, 16, 16, False)
    outputs = _core.plan_forward(plan, parameters, state, images, 0, 0, None)
    for got, e in zip(outputs, twin.forward(images.astype(float)), strict=True):
        np.testing.assert_allclose(got, e, rtol=1e-4, atol=1e-4 * np.abs(e).max())
    np.testing.assert_array_equal(state, before)


def test_shapes_agree_with_the_network():
    net = chain(unet)
    plan = _core.plan_create(net.graph(), 1, 32, 48, False)
    np.testing.assert_array_equal(_testing.plan_shapes(plan), net.shapes(32, 48))
    parameters, state, outputs, blocks = _testing.graph_blocks(net.graph())
    assert (parameters, state, outputs) == (net.n_parameters, net.n_state, len(net.outputs))
    np.testing.assert_array_equal(blocks, net.blocks)


def run_network(build):
    net = chain(build)
    parameters, state, images, _ = problem(net, (3, 32, 32))
    plan = _core.plan_create(net.graph(), 3, 32, 32, True)
    outputs = _core.plan_forward(plan, parameters, state, images, 0, 0, None)
    gradients = np.zeros_like(parameters)
    _testing.plan_backward(
        plan, gradients, None, parameters, [np.ones_like(o) for o in outputs], None
    )
    return [*outputs, gradients, state]


def adversaries(net, x):
    """A generator, and beside it a critic that ends in classes."""
    net.output(NETWORKS["generator"](net, x))
    net.output(NETWORKS["transposed from a pixel"](net, x))
    return net.log_softmax(net.conv(NETWORKS["critic"](net, x), 150, 1))


@pytest.mark.parametrize("build", [unet, configuration, adversaries])
def test_same_bits_at_any_number_of_threads(build):
    runs = []
    for n in (1, 2, 3):
        _core.set_threads(n)
        runs.append(run_network(build))
    for run in runs[1:]:
        for a, b in zip(runs[0], run, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("build", [unet, configuration, adversaries])
def test_instruction_sets_agree(build):
    runs = {}
    for isa in _core.isas():
        _testing.set_isa(isa)
        runs[isa] = run_network(build)
    for run in runs.values():
        for a, b in zip(runs["portable"], run, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * np.abs(a).max(initial=0))


def test_dropout_keeps_the_mean_and_its_mask():
    net = chain(lambda n, x: n.dropout(x, 0.25), channels=1)
    images = np.ones((2, 64, 64, 1), np.float32)
    none = np.zeros(0, np.float32)
    plan = _core.plan_create(net.graph(), 2, 64, 64, True)
    first = _core.plan_forward(plan, none, none, images, 5, 0, None)[0]
    gradient = np.empty_like(images)
    _testing.plan_backward(plan, none, gradient, none, [np.ones_like(first)], None)
    np.testing.assert_array_equal(gradient, first)
    assert set(np.unique(first)) == {0, np.float32(1 / 0.75)}
    assert abs(first.mean() - 1) < 0.03
    again = _core.plan_forward(plan, none, none, images, 5, 0, None)[0]
    other = _core.plan_forward(plan, none, none, images, 5, 1, None)[0]
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.3
    plan = _core.plan_create(net.graph(), 2, 64, 64, False)
    np.testing.assert_array_equal(_core.plan_forward(plan, none, none, images, 5, 0, None)[0], 1)


def test_upsampling_has_zeros_outside():
    none, image = np.zeros(0, np.float32), np.ones((1, 4, 4, 1), np.float32)
    # Keys' kernel at 0.25, 1.25, 1.75 is 0.8671875, -0.0703125, -0.0234375; at 0.75: 0.2265625
    for kind, edge in (("linear", 0.75), ("cubic", 0.8671875 - 0.0703125)):
        net = chain(lambda n, x, kind=kind: n.upsample(x, 2, kind), channels=1)
        plan = _core.plan_create(net.graph(), 1, 4, 4, False)
        out = _core.plan_forward(plan, none, none, image, 0, 0, None)[0][0, ..., 0]
        np.testing.assert_allclose(out[3:-3, 3:-3], 1, rtol=1e-6)
        np.testing.assert_allclose([out[0, 3], out[0, 0]], [edge, edge**2], rtol=1e-6)


def test_buffers_share_memory():
    net = Network()
    x = net.input(1)
    for _ in range(20):
        x = net.relu(net.conv(x, 16, 3))
    net.output(x)
    one_map = 64 * 64 * 16 * 4
    assert _core.plan_bytes(net.graph(), 1, 64, 64, False) < 6 * one_map
    assert _core.plan_bytes(net.graph(), 1, 64, 64, True) > 20 * one_map


def test_bad_graphs_are_named():
    net = chain(NETWORKS["unet"])
    for row, column, value in [(1, 5, 0), (1, 6, 0), (2, 1, 2), (3, 0, 99), (0, 0, 1), (1, 2, 0)]:
        ints = net.ints
        ints[row, column] = value
        with pytest.raises(ValueError, match=f"layer {row} "):
            _core.graph_create(np.hstack([ints, net.floats.view(np.int32)]))
    floats = net.floats
    floats[2, 1] = np.nan
    with pytest.raises(ValueError, match="layer 2 "):
        _core.graph_create(np.hstack([net.ints, floats.view(np.int32)]))


def test_bad_calls_name_the_argument():
    net = chain(NETWORKS["conv"])
    parameters, state, images, _ = problem(net, (1, 8, 8))
    with pytest.raises(TypeError, match="graph"):
        _core.plan_create(None, 1, 8, 8, True)
    with pytest.raises(ValueError, match="batch must be int from 1 to 65535, got 0"):
        _core.plan_create(net.graph(), 0, 8, 8, True)
    small = chain(lambda n, x: n.max_pool(n.max_pool(x)))
    with pytest.raises(ValueError, match="layer 2 does not fit"):
        _core.plan_create(small.graph(), 1, 2, 2, True)
    plan = _core.plan_create(net.graph(), 1, 8, 8, True)
    with pytest.raises(ValueError, match="no plan_forward"):
        _testing.plan_backward(
            plan, parameters.copy(), None, parameters, [np.zeros((1, 8, 8, 5), np.float32)], None
        )
    with pytest.raises(ValueError, match="images"):
        _core.plan_forward(plan, parameters, state, images[:, :4], 0, 0, None)
    with pytest.raises(TypeError, match="parameters"):
        _core.plan_forward(plan, parameters.astype(float), state, images, 0, 0, None)
    with pytest.raises(ValueError, match="output_gradients"):
        _testing.plan_backward(plan, parameters.copy(), None, parameters, [], None)


def test_allocation_failures_leave_nothing():
    net = chain(unet)
    net.graph()
    before = _testing.alloc_state()[0]
    for n in range(1, 200):
        _testing.alloc_fail_at(n)
        try:
            plan = _core.plan_create(net.graph(), 1, 16, 16, True)
        except MemoryError:
            assert _testing.alloc_state()[0] == before
        else:
            del plan
            _testing.alloc_fail_at(0)
            break
    else:
        pytest.fail("every allocation failed")
    assert n > 5
    assert _testing.alloc_state()[0] == before
