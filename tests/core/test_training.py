"""The core of training: views, objectives and Adam against their twins, and what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from scp import _core, _testing
from scp.reference import sampling, training
from scp.training import PAPER_TRANSFORMS, STRONG_TRANSFORMS, TRANSFORMS, TrainingOptions

ALL = TrainingOptions().set(
    rotation="25@both",
    scale="0.2@both",
    translation="0.05@both",
    flip="0.5@both",
    elastic="0.02@both",
    blur="0.9@both",
    brightness="0.2@both",
    contrast="0.3@both",
    gamma="0.5@both",
    shade_multiply="0.2@both",
    shade_add="0.1@both",
    noise="0.05@both",
)


def smooth(n: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(seed)
    out = np.zeros((n, height, width))
    for i in range(n):
        for _ in range(6):
            a, b, c = rng.uniform(-0.4, 0.4, 3)
            out[i] += np.sin(a * x + b * y + 9 * c)
    return ((out - out.min()) / (out.max() - out.min())).astype(np.float32)


def strengths(options: TrainingOptions) -> np.ndarray:
    """[2][len(TRANSFORMS)]: of the image view and of the crop view."""
    return np.array([options.core()[name] for name in TRANSFORMS]).T


def options(strengths, batch=3, points=6, seed=5, margin=0.1, cubic=0, replicate=0) -> dict:
    values = {"batch": batch, "points": points, "seed": seed, "point_margin": margin}
    values |= {"interpolation": ("bilinear", "cubic")[cubic]}
    values |= {"border": ("constant", "replicate")[replicate]}
    return values | dict(zip(TRANSFORMS, np.transpose(strengths).tolist(), strict=True))


def draw(pool, o, channels=1, step=0, side=32):
    return _testing.contrast_sample(pool, o, side, channels, step)


# ---- views ----


@pytest.mark.parametrize("cubic", [0, 1])
@pytest.mark.parametrize("replicate", [0, 1])
@pytest.mark.parametrize("name", [*TRANSFORMS, "all", "none"])
def test_views_and_pairs_are_the_twin_s(name, replicate, cubic):
    pool = smooth(4, 48, 60)
    chosen = strengths(ALL)
    if name != "all":
        chosen[:, [i for i, n in enumerate(TRANSFORMS) if n != name]] = 0
    o = options(chosen, cubic=cubic, replicate=replicate)
    for step in (0, 7):
        ours = draw(pool, o, 1, step)
        twin = sampling.sample(pool, o, 32, step)
        np.testing.assert_array_equal(ours[4], twin[4])
        np.testing.assert_array_equal(ours[2], twin[2])
        assert np.abs(ours[3] - twin[3]).max() <= 1e-4
        for a, b in zip(ours[:2], twin[:2], strict=True):
            assert np.abs(a[..., 0] - b).max() <= 2e-4


@pytest.mark.parametrize("shape", [(5, 5), (6, 33), (33, 7), (17, 16)])
def test_views_of_odd_sizes_are_the_twin_s(shape):
    pool = smooth(2, *shape)
    o, side = options(strengths(ALL), batch=2, points=2), min(shape) - 1
    ours, twin = draw(pool, o, 3, 1, side), sampling.sample(pool, o, side, 1)
    for a, b in zip(ours[:2], twin[:2], strict=True):
        assert np.abs(a - b[..., None]).max() <= 2e-4
    np.testing.assert_array_equal(ours[2], twin[2])


def test_without_transforms_the_crop_is_a_piece_and_points_are_whole():
    pool = smooth(3, 40, 50)
    nothing = np.zeros((2, len(TRANSFORMS)), np.float32)
    images, crops, crop_points, image_points, sources = draw(pool, options(nothing), 1, 3)
    for b in range(3):
        np.testing.assert_array_equal(images[b, ..., 0], pool[sources[b]])
        left, top = (image_points[b, 0] - crop_points[b, 0]).astype(int)
        piece = pool[sources[b], top : top + 32, left : left + 32]
        np.testing.assert_array_equal(crops[b, ..., 0], piece)
        np.testing.assert_array_equal(image_points[b] - crop_points[b], [[left, top]] * 6)


@pytest.mark.parametrize("geometry", ["crop", "both"])
def test_a_pair_shows_the_same_place(geometry):
    """Images whose brightness is their column, or row: the views must agree at the pairs."""
    names = ["rotation", "scale", "translation", "flip", "elastic"]
    strong = TrainingOptions(transforms=()).set(
        **dict(zip(names, (f"{v}@{geometry}" for v in (25, 0.2, 0.05, 0.5, 0.03)), strict=True))
    )
    y, x = np.mgrid[:96, :128].astype(np.float32)
    o = options(strengths(strong), batch=1, points=200, replicate=1)
    errors = []
    for step in range(20):
        for ramp in (x / 127, y / 95):
            images, crops, c, p, _ = draw(ramp[None], o, 1, step, 64)
            c, p = c[0][c[0, :, 0] >= 0], p[0][c[0, :, 0] >= 0]
            assert len(c) >= 100
            seen = crops[0, c[:, 1], c[:, 0], 0]
            i, j = np.floor(p).astype(int).T
            i, j = np.clip(i, 0, 126), np.clip(j, 0, 94)
            u, v = p[:, 0] - i, p[:, 1] - j
            image = images[0, ..., 0]
            upper = (1 - u) * image[j, i] + u * image[j, i + 1]
            lower = (1 - u) * image[j + 1, i] + u * image[j + 1, i + 1]
            inner = (seen > 0.05) & (seen < 0.95)
            errors.append(np.abs((1 - v) * upper + v * lower - seen)[inner] * 127)
    errors = np.concatenate(errors)
    assert errors.size >= 1000
    assert errors.max() <= 0.1  # pixels; a shift of half a pixel would show
    assert errors.mean() <= 0.01


def test_a_marked_pixel_lands_where_the_pair_says():
    """A bright blob, found again by its centre of mass, with all warps of both views on."""
    names = ["rotation", "scale", "elastic"]
    warps = TrainingOptions(transforms=()).set(
        **dict(zip(names, ("20@both", "0.1@both", "0.015@both"), strict=True))
    )
    y, x = np.mgrid[:96, :96]
    found = 0
    for step in range(60):
        blob = np.exp(-((x - 50.3) ** 2 + (y - 47.6) ** 2) / (2 * 1.3**2)).astype(np.float32)
        o = options(strengths(warps), batch=1, points=4000, margin=0.0)
        images, crops, c, p, _ = draw(blob[None], o, 1, step, 64)

        def centre(view):
            v = view[0, ..., 0].astype(float)
            gy, gx = np.mgrid[: v.shape[0], : v.shape[1]]
            return np.array([(v * gx).sum(), (v * gy).sum()]) / v.sum()

        in_crop, in_image = centre(crops), centre(images)
        ok = c[0, :, 0] >= 0
        near = np.abs(c[0] - in_crop).max(-1) <= 3
        if (ok & near).sum() < 8 or not 8 <= in_crop.min() <= in_crop.max() <= 55:
            continue
        design = np.c_[c[0][ok & near] - in_crop, np.ones((ok & near).sum())]
        fit = np.linalg.lstsq(design, p[0][ok & near].astype(float), rcond=None)[0]
        assert np.abs(fit[2] - in_image).max() <= 0.2  # half a pixel would show
        found += 1
    assert found >= 10


def test_pixels_stay_in_range_and_pairs_in_both_views():
    pool = smooth(5, 64, 64)
    o = options(strengths(ALL), batch=5, points=50)
    for step in range(5):
        images, crops, c, p, sources = draw(pool, o, 1, step)
        assert images.min() >= 0 and images.max() <= 1 and crops.min() >= 0 and crops.max() <= 1
        some = c[..., 0] >= 0
        assert some.mean() >= 0.9
        assert c[some].min() >= 3 and c[some].max() <= 28
        assert p[some].min() >= -0.5 and p[some].max() <= 63.5
        assert sorted(sources) == [0, 1, 2, 3, 4]  # a whole pass


def test_a_pair_that_cannot_be_is_marked():
    o = TrainingOptions(transforms=()).set(translation="0.5@image")
    few = options(strengths(o), 1, 5)
    drawn = [draw(smooth(1, 32, 32), few, 1, step, 4) for step in range(200)]
    lost = [(d[2] == -1).all() for d in drawn]
    assert 0 < sum(lost) < 200
    assert all(((d[2] == -1) == (d[3] == -1)).all() for d in drawn)


def test_the_same_at_any_number_of_threads_and_in_any_order():
    pool = smooth(6, 48, 48)
    o = options(strengths(ALL))
    want = {}
    for threads, order in ((1, (0, 1, 5)), (2, (5, 1, 0)), (3, (1, 5, 0))):
        _core.set_threads(threads)
        for step in order:
            got = draw(pool, o, 1, step)
            for a, b in zip(got, want.setdefault(step, got), strict=True):
                np.testing.assert_array_equal(a, b)
    assert np.abs(want[0][1] - want[1][1]).max() > 0.1


def test_one_strength_does_not_change_the_other_draws():
    pool = smooth(6, 48, 48)
    paper = TrainingOptions(transforms=PAPER_TRANSFORMS)
    a = draw(pool, options(strengths(paper)), 1, 2)
    b = draw(pool, options(strengths(paper.set(noise="0.1@image"))), 1, 2)
    np.testing.assert_array_equal(a[1], b[1])
    np.testing.assert_array_equal(a[2], b[2])
    assert np.abs(a[0] - b[0]).max() > 0.01


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"side": 33}, ValueError, "crop must give a part of the image"),
        ({"side": 2, "margin": 0.49, "points": 1}, None, ""),
        ({"batch": 0}, ValueError, "batch must be int from 1"),
        ({"points": 0}, ValueError, "points must be int from 1"),
        ({"margin": 0.5}, ValueError, "point_margin must be 0 to 0.49, got 0.5"),
        ({"margin": float("nan")}, ValueError, "point_margin must be 0 to 0.49, got nan"),
        ({"seed": -1}, ValueError, "seed must be int from 0"),
        ({"seed": "1"}, TypeError, "seed must be int from .*, got '1'"),
        ({"flip": [0.5]}, ValueError, "flip must be 2 to 2 numbers, got 1"),
        ({"flip": [0, 0, 0]}, ValueError, "flip must be 2 to 2 numbers, got 3"),
        ({"noise": [0, -1]}, ValueError, "noise must be 0 to 1, got -1"),
        ({"noise": [0, np.nan]}, ValueError, "noise must be 0 to 1, got nan"),
        ({"noise": ["much", 0]}, TypeError, "noise must be 0 to 1, got 'much'"),
        ({"border": "black"}, ValueError, "border must be one of constant replicate"),
        ({"nose": [0, 0]}, ValueError, "no option is called 'nose'"),
    ],
)
def test_bad_sample_options(change, error, message):
    named = {k: change.pop(k) for k in [*change] if k in ("batch", "points", "seed", "margin")}
    side = change.pop("side", 32)
    o = options(np.zeros((2, 12)), **named) | change
    if error is None:
        draw(smooth(2, 32, 40), o, 1, 0, side)
        return
    with pytest.raises(error, match=message):
        draw(smooth(2, 32, 40), o, 1, 0, side)


# ---- objectives ----


def maps(rng, batch, sizes, channels):
    return [rng.standard_normal((batch, h, w, channels)).astype(np.float32) for h, w in sizes]


def case(seed=0, channels=16, batch=2, points=7, levels=3):
    rng = np.random.default_rng(seed)
    image = maps(rng, batch, [(6 << d, 8 << d) for d in range(levels)], channels)
    crop = maps(rng, batch, [(3 << d, 3 << d) for d in range(levels)], channels)
    height, width, side = 6 << levels, 8 << levels, 3 << levels
    crop_points = rng.integers(0, side, (batch, points, 2)).astype(np.int32)
    image_points = rng.uniform(-0.5, [width - 0.51, height - 0.51], (batch, points, 2))
    image_points = image_points.astype(np.float32)
    image_points[0, 0] = -0.5
    image_points[-1, -1] = width - 0.5, height - 0.5
    return image, crop, crop_points, image_points, height, width, side


def kind(negatives, window, temperature, margin, limit, epsilon, weights=()):
    return {
        "negatives": negatives,
        "window": window,
        "temperature": temperature,
        "margin": margin,
        "margin_limit": limit,
        "epsilon": epsilon,
        "level_weights": list(weights),
    }


KINDS = [
    kind("windowed", 3, 0.1, 0.07, 0.8, 1e-3, [1, 0.5, 2]),
    kind("windowed", 100, 0.5, 0.2, 0.3, 1e-2, [1, 1, 1]),
    kind("windowed", 1, 0.1, 0.07, 0.8, 1e-3),
    kind("plain", 1, 0.2, 0.0, 0.0, 1e-3),
]


def objective(image, crop, *rest):
    """Losses, and new arrays for the gradients in the maps of either view."""
    gradients = [[np.full_like(m, np.nan) for m in maps] for maps in (image, crop)]
    return _testing.contrast_objective(image, crop, *gradients, *rest), *gradients


def doubles(case):
    image, crop, *rest = case
    return [m.astype(float) for m in image], [m.astype(float) for m in crop], *rest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [16, 32, 80])
def test_objective_is_the_twin_s(kind, channels):
    data = case(channels=channels)
    losses, *ours = objective(*data, kind)
    wanted, *twin = training.objective(*doubles(data), kind)
    np.testing.assert_allclose(losses, wanted, rtol=2e-5)
    for a, b in zip(ours[0] + ours[1], twin[0] + twin[1], strict=True):
        assert np.abs(a - b).max() <= 2e-5 * np.abs(b).max()


@pytest.mark.parametrize("kind", KINDS)
def test_the_twin_s_gradients_are_derivatives(kind):
    image, crop, *rest = doubles(case(seed=1))
    _, *gradients = training.objective(image, crop, *rest, kind)
    rng = np.random.default_rng(2)
    for which, views in enumerate((image, crop)):
        for d, view in enumerate(views):
            direction = rng.standard_normal(view.shape)
            original = view.copy()
            sides = []
            for h in (1e-6, -1e-6):
                views[d] = original + h * direction
                losses, *_ = training.objective(image, crop, *rest, kind)
                sides.append(losses @ (kind["level_weights"] or np.ones(3)))
            views[d] = original
            numeric = (sides[0] - sides[1]) / 2e-6
            assert numeric == pytest.approx((gradients[which][d] * direction).sum(), rel=1e-6)


def test_the_coarsest_level_is_seen_whole_and_others_in_a_window():
    image, crop, *rest = case(points=1, batch=1)
    rest[0][:], rest[1][:] = 5, (30.0, 20.0)
    kind = KINDS[0]
    _, gradients, _ = objective(image, crop, *rest, kind)
    assert (gradients[0] != 0).any(-1).all()
    touched = (gradients[2][0] != 0).any(-1)
    row, column = 20 // 2, 30 // 2
    expected = np.zeros_like(touched)
    expected[row - 3 : row + 3, column - 3 : column + 3] = True
    np.testing.assert_array_equal(touched, expected)


def test_marked_pairs_do_not_count():
    image, crop, cp, ip, *sizes = case(points=3)
    cp[1, 2] = ip[1, 2] = -1
    ours = objective(image, crop, cp, ip, *sizes, KINDS[0])
    twin = training.objective(*doubles((image, crop)), cp, ip, *sizes, KINDS[0])
    np.testing.assert_allclose(ours[0], twin[0], rtol=2e-5)
    assert np.abs(ours[1][2] - twin[1][2]).max() <= 1e-5
    cp[:] = -1
    losses, *gradients = objective(image, crop, cp, ip, *sizes, KINDS[0])
    assert not losses.any() and not any(g.any() for g in gradients[0] + gradients[1])


def test_zero_vectors_are_harmless():
    image, crop, *rest = case()
    for view in (*image, *crop):
        view[:, ::2] = 0
    losses, *gradients = objective(image, crop, *rest, KINDS[0])
    wanted, *twin = training.objective(*doubles((image, crop)), *rest, KINDS[0])
    np.testing.assert_allclose(losses, wanted, rtol=2e-5)
    for a, b in zip(gradients[0] + gradients[1], twin[0] + twin[1], strict=True):
        assert np.abs(a - b).max() <= 2e-5 * np.abs(b).max()


def test_equal_features_cost_the_logarithm_of_the_cells():
    image = [np.ones((1, 6, 8, 16), np.float32)]
    crop = [np.ones((1, 3, 3, 16), np.float32)]
    points = np.zeros((1, 4, 2), np.int32), np.zeros((1, 4, 2), np.float32)
    plain = kind("plain", 1, 0.1, 0, 0, 1e-3)
    losses, *_ = objective(image, crop, *points, 48, 64, 24, plain)
    assert losses[0] == pytest.approx(np.log(48), rel=1e-6)


def test_objective_has_the_same_bits_at_any_threads_and_isa():
    data = case(channels=48)
    want = None
    for isa in _core.isas():
        _testing.set_isa(isa)
        for threads in (1, 2, 3):
            _core.set_threads(threads)
            losses, a, b = objective(*data, KINDS[0])
            want = want or (losses, *a, *b)
            for x, y in zip((losses, *a, *b), want, strict=True):
                np.testing.assert_array_equal(x, y)


def test_not_a_number_shows_in_the_loss_of_its_level():
    image, crop, *rest = case()
    image[1][:] = np.nan
    losses, *_ = objective(image, crop, *rest, KINDS[1])
    assert np.isfinite(losses).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("temperature", 0.0, "temperature must be 0.0001 to 10000"),
        ("temperature", np.nan, "temperature must be"),
        ("negatives", "cosine", "negatives must be one of windowed plain"),
        ("negatives", 1, "negatives must be one of"),
        ("window", 0, "window must be int from 1"),
        ("margin", -1, "margin must be 0 to 100"),
        ("margin_limit", np.nan, "margin_limit must be 0 to 100"),
        ("epsilon", 0.0, "epsilon must be 1e-20 to 1"),
        ("level_weights", [1, 2], "level_weights must be one number per level"),
        ("level_weights", [1] * 9, "level_weights must be 0 to 8 numbers"),
        ("level_weights", [1, -1, 1], "level_weights must be 0 to 1e"),
    ],
)
def test_bad_objective_options(name, value, message):
    with pytest.raises(ValueError, match=message):
        objective(*case(), KINDS[0] | {name: value})


def test_bad_objective_arrays():
    image, crop, cp, ip, *sizes = case()
    far = np.where(cp >= 0, 999, cp).astype(np.int32)
    with pytest.raises(ValueError, match=r"crop_points\[0, 0, 0\] must lie in the crop, got 999"):
        objective(image, crop, far, ip, *sizes, KINDS[0])
    for places in (ip + 1e6, ip * np.float32(np.nan)):
        with pytest.raises(ValueError, match=r"image_points\[0, 0, 0\] must lie in the image"):
            objective(image, crop, cp, places, *sizes, KINDS[0])
    with pytest.raises(ValueError, match="image_points: pairs must be 7, as in crop_points"):
        objective(image, crop, cp, ip[:, :1].copy(), *sizes, KINDS[0])
    odd = [np.zeros((2, 6, 8, 20), np.float32)], [np.zeros((2, 3, 3, 20), np.float32)]
    with pytest.raises(ValueError, match="level 0 must have equal channels, padded to 16"):
        objective(*odd, cp, ip, *sizes, KINDS[2])
    with pytest.raises(ValueError, match="level 1 must not be larger than the view"):
        objective(image, crop, cp, ip, 10, 10, sizes[2], KINDS[0])
    with pytest.raises(ValueError, match="crop: levels must be 3, as in image, got 2"):
        objective(image, crop[:2], cp, ip, *sizes, KINDS[0])


# ---- optimisers ----


def adam(beta1=0.9, beta2=0.999, epsilon=1e-8, decay=1e-4, clip=0.0):
    return {
        "beta1": beta1,
        "beta2": beta2,
        "adam_epsilon": epsilon,
        "weight_decay": decay,
        "clip_norm": clip,
    }


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 33, 70_000])
@pytest.mark.parametrize("options", [adam(), adam(0.0, 0.5, 1e-3, 0.1, 0.5)])
def test_adam_is_the_twin_s(n, options):
    rng = np.random.default_rng(n)
    ours = [rng.standard_normal(n).astype(np.float32), *np.zeros((2, n), np.float32)]
    twin = [a.astype(float) for a in ours]
    for step in range(4):
        gradients = rng.standard_normal(n).astype(np.float32)
        rate = 1e-3 * (step + 1)
        _testing.train_adam(*ours, gradients, step, rate, options)
        twin = training.adam(*twin, gradients.astype(float), step, rate, options)
    for a, b in zip(ours, twin, strict=True):
        assert np.abs(a - b).max(initial=0) <= 3e-6 * (1 + np.abs(b).max(initial=0))


def test_adam_has_the_same_bits_at_any_threads_and_isa():
    rng = np.random.default_rng(3)
    start = rng.standard_normal((4, 100_003)).astype(np.float32)
    start[2] = np.abs(start[2])
    want = None
    for isa in _core.isas():
        _testing.set_isa(isa)
        for threads in (1, 2, 3):
            _core.set_threads(threads)
            p, m, v, g = start.copy()
            _testing.train_adam(p, m, v, g, 6, 1e-3, adam(clip=10.0))
            want = want or (p, m, v)
            for a, b in zip((p, m, v), want, strict=True):
                np.testing.assert_array_equal(a, b)


def test_the_decay_is_part_of_the_gradient():
    """Coupled L2: without any gradient a first step moves every weight by the whole rate."""
    p, m, v, g = np.array([[2, -3], [0, 0], [0, 0], [0, 0]], np.float32)
    _testing.train_adam(p, m, v, g, 0, 0.01, adam())
    np.testing.assert_allclose(p, [1.99, -2.99], rtol=1e-5)


@pytest.mark.parametrize(
    ("rate", "change", "message"),
    [
        (np.nan, {}, "rate, momentum"),
        (-1.0, {}, "rate, momentum"),
        (1e-3, {"beta1": 1.0}, "beta1 must be 0 to 1"),
        (1e-3, {"beta2": np.nan}, "beta2 must be 0 to"),
        (1e-3, {"adam_epsilon": 0.0}, "adam_epsilon must be 1e-20 to 1, got 0"),
        (1e-3, {"clip_norm": -1.0}, "clip_norm must be 0 to"),
    ],
)
def test_bad_adam_options(rate, change, message):
    with pytest.raises(ValueError, match=message):
        _testing.train_adam(*np.zeros((4, 5), np.float32), 0, rate, adam() | change)


@pytest.mark.parametrize("n", [0, 1, 33, 70_000])
@pytest.mark.parametrize(
    ("momentum", "nesterov", "decay", "clip"),
    [(0.9, False, 0.0, 0.0), (0.99, True, 1e-2, 0.5), (0.0, False, 0.1, 3.0)],
)
def test_sgd_is_the_twin_s(n, momentum, nesterov, decay, clip):
    rng = np.random.default_rng(n)
    ours = [rng.standard_normal(n).astype(np.float32), np.zeros(n, np.float32)]
    twin = [a.astype(float) for a in ours]
    for step in range(4):
        gradients = rng.standard_normal(n).astype(np.float32)
        rate = 1e-2 * (step + 1)
        _testing.train_sgd(*ours, gradients, rate, momentum, nesterov, decay, clip)
        twin = training.sgd(*twin, gradients.astype(float), rate, momentum, nesterov, decay, clip)
    for a, b in zip(ours, twin, strict=True):
        assert np.abs(a - b).max(initial=0) <= 3e-6 * (1 + np.abs(b).max(initial=0))


def test_a_teacher_is_the_twin_s():
    rng = np.random.default_rng(5)
    teacher, student = rng.standard_normal((2, 70_000)).astype(np.float32)
    want = training.moving_average(teacher.astype(float), student, 0.99)
    _testing.train_average(teacher, student, 0.99)
    assert np.abs(teacher - want).max() <= 1e-6
    _testing.train_average(teacher, student, 0.0)
    np.testing.assert_array_equal(teacher, student)
    with pytest.raises(ValueError, match="rate, momentum"):
        _testing.train_average(teacher, student, 1.5)


def test_optimisers_have_the_same_bits_at_any_threads_and_isa():
    start = np.random.default_rng(3).standard_normal((4, 100_003)).astype(np.float32)
    want = None
    for isa in _core.isas():
        _testing.set_isa(isa)
        for threads in (1, 2, 3):
            _core.set_threads(threads)
            p, v, g, teacher = start.copy()
            _testing.train_sgd(p, v, g, 1e-3, 0.9, True, 1e-2, 10.0)
            _testing.train_average(teacher, p, 0.9)
            want = want or (p, v, teacher)
            for a, b in zip((p, v, teacher), want, strict=True):
                np.testing.assert_array_equal(a, b)


def test_strong_and_paper_tables_are_in_order():
    order = list(TRANSFORMS)
    for table in (PAPER_TRANSFORMS, STRONG_TRANSFORMS):
        assert [t.name for t in table] == sorted((t.name for t in table), key=order.index)
