"""Networks, their gradients and the loss against PyTorch, where it is installed (else skipped)."""

import numpy as np
import pytest

from scp import _core, _testing
from scp.networks import Network, build

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no peer to compare with")
import torch_networks  # noqa: E402


def everything() -> Network:
    """Every operator that has one meaning in both (dropout draws differently)."""
    net = Network()
    x = net.input(3)
    a = net.relu(net.batch_norm(net.conv(x, 20, 4, stride=2, padding=1, bias=False)))
    b = net.leaky(net.instance_norm(net.conv(a, 24, (1, 5))), 0.2)
    c = net.max_pool(net.conv(b, 17, 3, dilation=3, padding=3))
    d = net.resize(c, 2, align=True)
    e = net.concat(a, d, net.resize(net.tanh(c), 2, align=False))
    f = net.sigmoid(net.batch_norm(net.conv(e, 16, 1), momentum=0.3))
    g = net.add(f, net.conv(b, 16, 3))
    coarse = net.upsample(net.average_pool(g, 4), 4, "cubic")
    g = net.multiply(coarse, net.upsample(net.average_pool(net.conv(g, 16, 11))))
    net.output(net.transposed(c, 9, 4))
    net.output(net.conv(g, 8, 1))
    net.output(net.linear(net.mean(g), 5))
    return net


def pair(net, seed=1):
    """The torch twin with the same weights, and the weights."""
    parameters, state = net.initial(seed)
    rng = np.random.default_rng(seed)
    parameters += rng.normal(0, 0.05, parameters.shape).astype(np.float32)
    twin = torch_networks.TorchNetwork(net.ints, net.floats)
    twin.put(net.blocks, parameters, state)
    return twin, parameters, state


def channels_last(x):
    return np.ascontiguousarray(x.detach().numpy().transpose(0, 2, 3, 1))


def check(ours, theirs, tolerance):
    scale = max(float(np.abs(theirs).max()), 1e-6)
    worst = float(np.abs(ours - theirs).max()) / scale
    assert worst <= tolerance, worst


def test_numbers_survive_the_way_there_and_back():
    net = everything()
    twin, parameters, state = pair(net)
    p, s = np.zeros_like(parameters), np.zeros_like(state)
    twin.take(net.blocks, p, s)
    assert np.array_equal(p, parameters) and np.array_equal(s, state)


@pytest.mark.parametrize(
    ("network", "batch", "size", "tolerance"),
    [
        (everything, 3, (24, 40), 2e-4),
        (lambda: build("laptop"), 2, (64, 96), 2e-4),
        pytest.param(lambda: build("paper"), 2, (128, 64), 5e-3, marks=pytest.mark.slow),
    ],
    ids=["everything", "laptop", "paper"],
)
def test_forward_backward_and_running_statistics(network, batch, size, tolerance):
    net = network()
    twin, parameters, state = pair(net)
    rng = np.random.default_rng(0)
    images = rng.random((batch, *size, net.image_channels), np.float32)
    # In float64: in float32 PyTorch's own gradients differ by 6 % where a ReLU is near 0.
    twin = twin.double()
    inputs = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float64)).requires_grad_()
    plan = _core.plan_create(net.graph(), batch, *size, True)
    ours = _core.plan_forward(plan, parameters, state, images, 0, 0, None)
    theirs = twin.train()(inputs)
    assert len(ours) == len(theirs) == len(net.outputs)
    for a, b in zip(ours, theirs, strict=True):
        check(a, channels_last(b), tolerance)
    pulls = [rng.standard_normal(a.shape, np.float32) for a in ours]
    gradients, back = np.zeros_like(parameters), np.zeros_like(images)
    _testing.plan_backward(plan, gradients, back, parameters, pulls, None)
    total = sum(
        (b * torch.from_numpy(g.transpose(0, 3, 1, 2).copy())).sum()
        for b, g in zip(theirs, pulls, strict=True)
    )
    total.backward()
    expected, running = np.zeros_like(parameters), np.zeros_like(state)
    twin.take(net.blocks, expected, running, gradients=True)
    for i, (at, n, *_) in enumerate(net.blocks):
        if n:
            part = slice(at, at + n)
            # a bias before a batch norm has gradient 0 but for rounding
            scale = max(float(np.abs(expected[part]).max()), 1e-2 * float(np.abs(expected).max()))
            worst = float(np.abs(gradients[part] - expected[part]).max()) / scale
            assert worst <= 10 * tolerance, (net.names[i], worst)
    check(back, channels_last(inputs.grad), 10 * tolerance)
    twin.take(net.blocks, np.zeros_like(parameters), running)
    check(state, running, tolerance)


def test_eval_and_its_folded_form():
    net = build("laptop")
    twin, parameters, state = pair(net)
    state[:] = np.random.default_rng(2).random(len(state), np.float32) + 0.5
    twin.put(net.blocks, parameters, state)
    images = np.random.default_rng(0).random((1, 64, 64, 1), np.float32)
    plan = _core.plan_create(net.graph(), 1, 64, 64, False)
    ours = _core.plan_forward(plan, parameters, state, images, 0, 0, None)
    inputs = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    for form in (twin.eval(), twin.folded()):
        with torch.no_grad():
            for a, b in zip(ours, form(inputs), strict=True):
                check(a, channels_last(b), 1e-4)


def maps(seed, sizes, batch=2, channels=6):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, channels, s, s, generator=g) for s in sizes]


def plain_loss(image, crop, place, target, level, levels, window):
    """The loss of one level, cell by cell, as it is defined (temperature 0.1, margin 0.07)."""
    stride = 2 ** (levels - level)
    total = []
    for b in range(image.shape[0]):
        for p in range(place.shape[1]):
            cx, cy = (int(v) // stride for v in place[b, p])
            gx, gy = (int(v) // stride for v in target[b, p])
            query, terms, positive = crop[b, :, cy, cx], [], None
            for y in range(image.shape[2]):
                for x in range(image.shape[3]):
                    far = not (gy - window <= y < gy + window and gx - window <= x < gx + window)
                    if level and far:
                        continue
                    key = image[b, :, y, x]
                    cosine = float(key @ query / (key.norm() * query.norm() + 1e-3))
                    handicap = min(0.07 * np.hypot(y - gy, x - gx), 0.8)
                    terms.append((cosine + handicap) / 0.1)
                    if (y, x) == (gy, gx):
                        positive = cosine / 0.1
            total.append(np.log(np.sum(np.exp(terms))) - positive)
    return np.mean(total)


@pytest.mark.parametrize("form", ["dense", "gather"])
def test_loss_is_what_it_is_defined_to_be(form):
    image, crop = maps(0, (4, 8, 16)), maps(1, (2, 4, 8))
    place = torch.tensor([[[0, 0], [7, 15], [9, 3]], [[1, 14], [15, 15], [4, 8]]])
    target = place + torch.tensor([[[0, 16]], [[16, 5]]])
    ours = torch_networks.loss(image, crop, place, target, window=3, form=form)
    for d in range(3):
        expected = plain_loss(image[d], crop[d], place, target, d, 3, 3)
        assert float(ours[d]) == pytest.approx(expected, rel=1e-5)


def test_both_forms_of_the_loss_have_the_same_gradient():
    grads = []
    for form in ("dense", "gather"):
        image, crop = maps(0, (4, 8, 16)), maps(1, (2, 4, 8))
        for m in (*image, *crop):
            m.requires_grad_()
        place = torch.tensor([[[3, 2], [7, 15]], [[1, 14], [15, 15]]])
        sum(torch_networks.loss(image, crop, place, place + 8, window=3, form=form)).backward()
        grads.append([m.grad for m in (*image, *crop)])
    for a, b in zip(*grads, strict=True):
        assert float(a.abs().max()) > 0
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "form",
    ["float32 contiguous dense", "float32 channels_last gather", "bfloat16 channels_last gather"],
)
def test_a_step_lowers_the_loss(form):
    net = build("laptop", encoder=(16, 16, 16), depths=(1, 1, 1), decoder=(16, 16), channels=16)
    parameters, state = net.initial(0)
    arrays = {
        "ints": net.ints,
        "floats": net.floats,
        "blocks": net.blocks,
        "parameters": parameters,
        "state": state,
    }
    trainer = torch_networks.Trainer(arrays, form)
    data = torch_networks.batch(64, 32, 2, 8, 1)
    losses = [trainer.step(*data) for _ in range(12)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_training_steps_go_where_pytorch_goes():
    """Losses and the way of the parameters over three steps on the views that the core draws."""
    from scp.features import train
    from scp.training import TrainingOptions

    net = build("laptop", encoder=(16, 32, 32), depths=(1, 1, 1), decoder=(32, 16), channels=16)
    pool = np.random.default_rng(3).random((4, 64, 64), np.float32)
    options = TrainingOptions(
        steps=3, batch=2, points=6, window=3, log_every=1, schedule="constant"
    )
    initial = net.initial(0)
    events = []
    ours = train(pool, net, options, initial=initial, progress=False, callback=events.append)
    levels = [e["levels"] for e in events if e["event"] == "step"]
    twin = torch_networks.TorchNetwork(net.ints, net.floats)
    twin.put(net.blocks, *initial)
    adam = torch.optim.Adam(
        twin.train().parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    for step in range(3):
        images, crops, place, target, _ = _testing.contrast_sample(
            pool, options.core(), 32, 1, step
        )
        inside = (place >= 0).all()
        assert inside, "the comparison needs a place for every pair"
        views = [torch.from_numpy(v.transpose(0, 3, 1, 2).copy()) for v in (images, crops)]
        pixels = torch.from_numpy(np.floor(target + 0.5).astype(np.int64))
        losses = torch_networks.loss(
            *(twin(v) for v in views), torch.from_numpy(place).long(), pixels, window=3
        )
        adam.zero_grad()
        sum(losses).backward()
        adam.step()
        assert levels[step] == pytest.approx([float(v.detach()) for v in losses], rel=2e-3)
    parameters, state = (np.zeros_like(v) for v in initial)
    twin.take(net.blocks, parameters, state)
    way = np.linalg.norm(ours.parameters - initial[0])
    assert np.linalg.norm(ours.parameters - parameters) < 0.05 * way
    check(ours.state, state, 1e-3)
