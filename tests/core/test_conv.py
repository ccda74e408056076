"""Convolution of maps against its NumPy twin, on every instruction set and number of threads."""

import numpy as np
import pytest

from scp import _core, _testing
from scp.reference import conv as reference
from scp.reference.conv import Geometry

# batch, height, width, in, out, kernel_y, kernel_x, geometry
SHAPES = [
    (1, 1, 1, 16, 16, 1, 1, Geometry()),
    (1, 1, 1, 5, 3, 3, 3, Geometry(1, 1, 1, 1)),
    (2, 7, 5, 3, 19, 3, 3, Geometry(1, 1, 1, 1)),
    (2, 13, 29, 16, 32, 3, 3, Geometry(1, 1, 1, 1)),
    (1, 9, 31, 1, 16, 3, 3, Geometry(1, 1, 1, 1)),
    (3, 12, 12, 64, 48, 3, 3, Geometry(1, 1, 1, 1)),
    (1, 6, 6, 160, 208, 3, 3, Geometry(1, 1, 1, 1)),
    (1, 11, 10, 20, 18, 3, 3, Geometry(1, 1, 0, 2)),
    (1, 5, 50, 33, 17, 3, 3, Geometry(1, 1, 3, 0)),
    (2, 6, 9, 32, 19, 1, 1, Geometry()),
    (1, 40, 70, 64, 64, 1, 1, Geometry()),
    (1, 9, 8, 16, 16, 1, 1, Geometry(2, 1, 0, 0)),
    (2, 9, 14, 16, 16, 1, 3, Geometry(1, 1, 0, 1)),
    (2, 9, 14, 16, 32, 3, 1, Geometry(1, 1, 1, 0)),
    (1, 15, 14, 16, 16, 3, 3, Geometry(1, 2, 2, 2)),
    (1, 10, 21, 48, 16, 3, 3, Geometry(1, 4, 4, 4)),
    (1, 13, 14, 16, 24, 3, 3, Geometry(2, 1, 1, 1)),
    (2, 15, 10, 3, 16, 7, 7, Geometry(2, 1, 3, 3)),
    (1, 14, 15, 16, 16, 3, 3, Geometry(2, 2, 1, 2)),
    (1, 14, 17, 16, 16, 5, 2, Geometry(3, 2, 2, 0)),
    (1, 30, 30, 16, 16, 2, 2, Geometry(2, 1, 0, 0)),
    (2, 7, 6, 32, 16, 2, 2, Geometry(2, 1, 0, 0, True)),
    (1, 7, 6, 16, 20, 4, 4, Geometry(2, 1, 1, 1, True)),
    (2, 22, 19, 24, 40, 4, 4, Geometry(2, 1, 1, 1)),
    (1, 31, 40, 17, 9, 4, 4, Geometry(2, 1, 0, 2)),
    (2, 24, 24, 136, 130, 4, 4, Geometry(2, 1, 1, 1)),
    (2, 11, 9, 40, 24, 4, 4, Geometry(2, 1, 1, 1, True)),
    (1, 12, 13, 130, 264, 4, 4, Geometry(2, 1, 1, 1, True)),
    (1, 9, 11, 16, 19, 2, 2, Geometry(1, 1, 1, 0)),
    (1, 5, 6, 16, 16, 3, 3, Geometry(1, 1, 1, 1, True)),
    (1, 5, 6, 5, 16, 3, 3, Geometry(3, 2, 1, 0, True)),
    (1, 100, 90, 32, 32, 3, 3, Geometry(1, 1, 1, 1)),
    (2, 46, 50, 130, 136, 3, 3, Geometry(1, 1, 1, 1)),
    (1, 46, 50, 370, 356, 3, 3, Geometry(1, 1, 1, 1)),
]
LONG = 10**8  # pixels times channels in and out: the repeated runs leave these out
MARKED = [
    pytest.param(s, marks=pytest.mark.slow) if s[1] * s[2] * s[3] * s[4] > LONG else s
    for s in SHAPES
]
# Largest error of a sum of n products, in units of 2^-24 * sum |products|: n for the longest chain,
# and the factor that the transforms of Winograd add.
WINOGRAD = 40.0


def up(channels):
    return (channels + 15) // 16 * 16


def coefficients(rng, rows, channels):
    """scale, shift, slope with zeros beyond the channels."""
    out = []
    for low, high in ((0.5, 1.5), (-0.5, 0.5), (-0.1, 0.4)):
        a = np.zeros((rows, up(channels)), np.float32)
        a[:, :channels] = rng.uniform(low, high, (rows, channels))
        out.append(a)
    return tuple(out)


def spread(values, stride, first=0):
    """Values as the channels from `first` on of a wider map of noise."""
    out = np.full((*values.shape[:3], stride), 7.5, np.float32)
    out[..., first : first + values.shape[3]] = values
    return out


class Case:
    """Everything of one shape: inputs, and what the twin gives in float64."""

    def __init__(self, shape, seed=0, rows=1):
        self.shape = batch, height, width, c, o, ky, kx, self.geometry = shape
        rng = np.random.default_rng([seed, *shape[:7]])
        self.to = reference.size(self.geometry, (ky, kx), height, width)
        self.x = rng.standard_normal((batch, height, width, c)).astype(np.float32)
        self.w = (rng.standard_normal((ky, kx, c, o)) / np.sqrt(ky * kx * c)).astype(np.float32)
        self.bias = rng.standard_normal(o).astype(np.float32)
        self.dy = rng.standard_normal((batch, *self.to, o)).astype(np.float32)
        self.raw = rng.standard_normal((batch, *self.to, o)).astype(np.float32)
        rows = batch if rows else 1
        self.deferred = coefficients(rng, rows, c)
        self.norm = coefficients(rng, rows, o), coefficients(rng, rows, o)
        self.known = {}

    def twin(self, key, compute):
        """What the twin gives, computed once for all instruction sets and layouts."""
        if key not in self.known:
            self.known[key] = compute()
        return self.known[key]

    def z(self, deferred):
        x = self.x.astype(np.float64)
        c = x.shape[3]
        return (
            reference.deferred(x, *(p[:, :c].astype(float) for p in self.deferred))
            if deferred
            else x
        )

    def dx(self, backward):
        dy = self.dy.astype(np.float64)
        o = dy.shape[3]
        if not backward:
            return dy
        deferred, norm = (tuple(p[:, :o].astype(float) for p in n) for n in self.norm)
        return reference.backward(
            dy, self.raw.astype(float), *deferred, norm if backward == "norm" else None
        )


def close(got, exact, size, terms, factor=1.0):
    """|got - exact| <= (terms + 16) * factor * 2^-24 * size, elementwise; NaN fails.

    Winograd mixes the pixels of a tile: there the largest size of the map counts for all of it.
    """
    size = size if factor == 1 else size.max()
    limit = (terms + 16) * factor * 2.0**-24 * size + 1e-30
    assert got.shape == exact.shape
    bad = ~(np.abs(got - exact) <= limit)
    assert not bad.any(), (np.abs(got - exact) / limit).max()


def factor_of(case):
    *_, ky, kx, g = case.shape
    forms = [(3, 3, 1, 1), (4, 4, 2, 1), (2, 2, 1, 1)]
    return WINOGRAD if (ky, kx, g.stride, g.dilation) in forms else 1.0


def check_forward(case, deferred=False, bias=True, wide=True, slice_=False):
    batch, _, _, c, o, ky, kx, g = case.shape
    z, w = case.z(deferred), case.w.astype(np.float64)
    b = case.bias if bias else None
    exact, size = case.twin(
        ("forward", deferred, bias),
        lambda: (
            reference.forward(z, w, b, g),
            reference.forward(np.abs(z), np.abs(w), np.abs(b) if bias else None, g),
        ),
    )
    extra, first = (48, 16) if slice_ else (0, 0)
    x = spread(case.x, up(c) + extra if wide else c, first)
    y = np.full((batch, *case.to, up(o) + extra if wide else o), np.nan, np.float32)
    _testing.conv_forward(
        y, x, case.w, b, tuple(g), case.deferred if deferred else None, first, first
    )
    close(y[..., first : first + o], exact, size, ky * kx * c, factor_of(case))
    if wide:
        assert (y[..., first + o : first + up(o)] == 0).all()
    assert np.isnan(y[..., :first]).all() and np.isnan(y[..., first + up(o) :]).all()
    return y


def check_data(case, backward=None, accumulate=False, wide=True, slice_=False):
    batch, height, width, c, o, ky, kx, g = case.shape
    dx, w = case.dx(backward), case.w.astype(np.float64)
    exact, size = case.twin(
        ("data", backward),
        lambda: (
            reference.backward_data(dx, w, g, height, width),
            reference.backward_data(np.abs(dx), np.abs(w), g, height, width),
        ),
    )
    extra, first = (32, 16) if slice_ else (0, 0)
    dy = spread(case.dy, up(o) + extra if wide else o, first)
    dz = np.full((batch, height, width, up(c) + extra if wide else c), np.nan, np.float32)
    if accumulate:
        dz[..., first : first + up(c)] = 0
        dz[..., first : first + c] = case.x
        exact = exact + case.x
        size = size + np.abs(case.x)
    through = None
    if backward:
        raw = spread(case.raw, up(o) if wide else o)
        through = (raw, case.norm[0], case.norm[1] if backward == "norm" else None)
    _testing.conv_backward_data(dz, accumulate, dy, case.w, tuple(g), through, first, first)
    close(dz[..., first : first + c], exact, size, ky * kx * o, factor_of(case))
    if wide:
        assert (dz[..., first + c : first + up(c)] == 0).all()
    assert np.isnan(dz[..., :first]).all() and np.isnan(dz[..., first + up(c) :]).all()
    return dz


def check_weights(case, deferred=False, backward=None, bias=True, wide=True, slice_=False):
    batch, height, width, c, o, ky, kx, g = case.shape
    z, dx = case.z(deferred), case.dx(backward)
    (exact, exact_bias), (size, size_bias) = case.twin(
        ("weights", deferred, backward),
        lambda: (
            reference.backward_weights(z, dx, g, (ky, kx)),
            reference.backward_weights(np.abs(z), np.abs(dx), g, (ky, kx)),
        ),
    )
    extra, first = (32, 16) if slice_ else (0, 0)
    x = spread(case.x, up(c) + extra if wide else c, first)
    dy = spread(case.dy, up(o) + extra if wide else o, first)
    through = None
    if backward:
        raw = spread(case.raw, up(o) if wide else o)
        through = (raw, case.norm[0], case.norm[1] if backward == "norm" else None)
    grads = case.w.copy()
    bias_grads = case.bias.copy() if bias else None
    _testing.conv_backward_weights(
        grads,
        bias_grads,
        x,
        dy,
        tuple(g),
        case.deferred if deferred else None,
        through,
        first,
        first,
    )
    terms = batch * max(height, case.to[0]) * max(width, case.to[1])
    close(grads, exact + case.w, size + np.abs(case.w), terms, factor_of(case))
    if bias:
        close(bias_grads, exact_bias + case.bias, size_bias + np.abs(case.bias), terms)
    return grads


@pytest.mark.parametrize("shape", MARKED, ids=str)
def test_equals_the_twin(shape):
    case = Case(shape)
    for isa in _core.isas():
        _testing.set_isa(isa)
        for wide in (True, False):
            check_forward(case, wide=wide)
            check_data(case, wide=wide)
            check_weights(case, wide=wide)


@pytest.mark.parametrize("shape", MARKED, ids=str)
@pytest.mark.parametrize("rows", [0, 1])
def test_reads_through_pending_and_pull(shape, rows):
    case = Case(shape, 1, rows)
    for isa in _core.isas():
        _testing.set_isa(isa)
        for wide in (True, False):
            check_forward(case, True, False, wide)
            for backward in ("norm", "scale"):
                check_data(case, backward, backward == "norm", wide)
                check_weights(case, True, backward, wide, wide)


@pytest.mark.parametrize("shape", MARKED, ids=str)
def test_slices_and_accumulation(shape):
    case = Case(shape, 2)
    check_forward(case, True, True, True, True)
    for accumulate in (False, True):
        check_data(case, None, accumulate, True, True)
        check_data(case, None, accumulate, False)
    check_weights(case, False, None, False, True, True)


@pytest.mark.parametrize("shape", MARKED, ids=str)
def test_same_bits_at_any_number_of_threads(shape):
    outcomes, case = [], Case(shape, 3)
    for threads in (1, 2, 3):
        _core.set_threads(threads)
        parts = check_forward(case, True), check_data(case, "norm"), check_weights(case)
        outcomes.append(b"".join(p.tobytes() for p in parts))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize("shape", [s for s in SHAPES if s[1] * s[2] * s[3] * s[4] < 60000], ids=str)
def test_the_twin_is_a_gradient(shape):
    """Central differences in float64: the function is linear in each argument, so exact."""
    case = Case(shape, 4)
    *_, c, o, ky, kx, g = shape
    rng = np.random.default_rng(0)
    x, w, b, dy = (a.astype(np.float64) for a in (case.x, case.w, case.bias, case.dy))
    dx, dw, db = rng.standard_normal(x.shape), rng.standard_normal(w.shape), rng.standard_normal(o)

    def change(x1, w1, b1, x0, w0, b0):
        plus, minus = (reference.forward(*a, g) for a in ((x1, w1, b1), (x0, w0, b0)))
        return ((plus - minus) * dy).sum() / 2

    grad = reference.backward_data(dy, w, g, *x.shape[1:3])
    grad_w, grad_b = reference.backward_weights(x, dy, g, (ky, kx))
    scale = np.abs(dy).sum() * (np.abs(x).max() + 1) * 1e-12 * c * ky * kx
    assert abs(change(x + dx, w, b, x - dx, w, b) - (grad * dx).sum()) <= scale
    assert abs(change(x, w + dw, b, x, w - dw, b) - (grad_w * dw).sum()) <= scale
    assert abs(change(x, w, b + db, x, w, b - db) - (grad_b * db).sum()) <= scale


def test_the_pull_is_the_gradient_of_the_pending_transform():
    rng = np.random.default_rng(5)
    raw, dz = rng.standard_normal((2, 2, 3, 4, 5))
    scale, shift, slope = rng.uniform(0.2, 1, (3, 1, 5))
    step = 1e-6
    plus, minus = (reference.deferred(raw + s, scale, shift, slope) for s in (step, -step))
    expected = dz * (plus - minus) / (2 * step)
    assert np.abs(reference.backward(dz, raw, scale, shift, slope) - expected).max() <= 1e-7


def test_bad_arguments_are_named():
    y, x = np.zeros((1, 4, 4, 16), np.float32), np.zeros((1, 4, 4, 16), np.float32)
    w = np.zeros((3, 3, 16, 16), np.float32)
    good = (1, 1, 1, 1, False)
    for arguments, word in [
        ((y, x, w, None, (1, 1, 0, 0, False)), "output"),
        ((y, x, w, None, (0, 1, 1, 1, False)), "geometry"),
        ((y, x, w, np.zeros(3, np.float32), good), "bias"),
        ((y, x[:, :, :, :8].copy(), w, None, good), "x must"),
        ((y.astype(np.float64), x, w, None, good), "y must"),
        ((y, x, w, None, good, (x, x, x)), "deferred"),
    ]:
        with pytest.raises((ValueError, TypeError), match=word):
            _testing.conv_forward(*arguments)
    held = _testing.alloc_state()[0]
    _testing.alloc_fail_at(1)
    with pytest.raises(MemoryError):
        _testing.conv_forward(y, x, w, None, good)
    assert _testing.alloc_state()[0] == held


def test_many_tiles_of_a_wide_layer_sum_like_few():
    """The gradient of 128 x 128 weights goes another way from 1,024 tiles on: two images have
    1,152, each alone 576."""
    rng = np.random.default_rng(5)
    x, dy = rng.standard_normal((2, 2, 96, 96, 128), np.float32)
    shape = (3, 3, 128, 128)

    def gradients(images):
        dw, db = np.zeros(shape, np.float32), np.zeros(128, np.float32)
        _testing.conv_backward_weights(dw, db, x[images], dy[images], Geometry(1, 1, 1, 1))
        return dw, db

    both, one, two = (gradients(images) for images in (slice(2), slice(1), slice(1, 2)))
    for together, first, second in zip(both, one, two, strict=True):
        assert np.abs(together - first - second).max() <= 1e-4 * np.abs(together).max()
        assert np.abs(together).max() > 100
