"""Refinement in the core against its twins, and the twins against truths made by hand."""

import numpy as np
import pytest

from scp import _core, _testing
from scp.reference import refinement as twin
from scp.training import TRANSFORMS

RNG = np.random.default_rng(7)
POOL = RNG.random((5, 32, 48), dtype=np.float32)
STRENGTHS = np.zeros(len(TRANSFORMS), np.float32)
VOTES = ("count", "weighted")
STRONG = np.array([20, 0.2, 0.1, 0, 0.02, 0.7, 0.15, 0.25, 0.5, 0.15, 0.08, 0.04], np.float32)


def labels(landmarks=4, labelled=(1, 3), pseudo=(0, 2, 4)):
    points = RNG.uniform([0, 0], [47, 31], (5, landmarks, 2)).astype(np.float32)
    weights = RNG.random((5, landmarks), dtype=np.float32)
    weights[2, 1] = 0
    points[2, 1] = np.nan
    return (points, weights, np.array(labelled, np.uint32), np.array(pseudo, np.uint32))


def options(strengths=STRENGTHS, **values) -> dict:
    values = {"seed": 3, "labelled": 1, "pseudo": 3, **values}
    rows = dict(zip(TRANSFORMS, ([float(s)] * 2 for s in strengths), strict=True))
    return {"inputs": "unit", "interpolation": "bilinear", "border": "constant"} | values | rows


def draw(pool, marks, how, channels=1, step=0):
    items = how["labelled"] * bool(len(marks[2])) + how["pseudo"] * bool(len(marks[3]))
    return _testing.refine_sample(pool, *marks, how, items, channels, step)


# ---- sampling ----


def test_a_batch_without_transforms_is_the_pool():
    marks = labels()
    for step in range(7):
        images, points, weights, sources = draw(POOL, marks, options(), 1, step)
        assert sources[0] == (1, 3)[step % 2], "labelled images come in turn"
        assert np.isin(sources[1:], (0, 2, 4)).all()
        assert np.array_equal(images[..., 0], POOL[sources])
        assert np.array_equal(weights, marks[1][sources])
        here = weights > 0
        assert np.abs(points[here] - marks[0][sources][here]).max() <= 1e-4


def test_every_pass_shows_every_pseudo_labelled_image_once():
    marks = labels()
    drawn = [draw(POOL, marks, options(), 1, s)[3][1:] for s in range(6)]
    assert all(sorted(d) == [0, 2, 4] for d in drawn)
    assert len({tuple(d) for d in drawn}) > 1, "in another order"


@pytest.mark.parametrize("step", [0, 5])
def test_sample_has_the_twins_numbers(step):
    marks, how = labels(), options(STRONG, inputs="centred")
    images, points, weights, sources = draw(POOL, marks, how, 3, step)
    expected = twin.sample(POOL, marks, how, step)
    assert sources.tolist() == expected[3]
    assert np.array_equal(images[..., 0], images[..., 2])
    assert np.abs(images[..., 0] - expected[0]).max() <= 2e-4
    assert np.abs(points - expected[1]).max() <= 1e-4
    assert np.abs(weights - expected[2]).max() <= 1e-6
    assert 0 < (weights > 0).sum() < weights.size


def test_points_follow_the_picture():
    """A bright dot lies where its point is said to lie."""
    pool = np.zeros((1, 64, 64), np.float32)
    y, x = np.mgrid[:64, :64]
    pool[0] = np.exp(-((x - 40) ** 2 + (y - 25) ** 2) / 8)
    marks = (
        np.array([[[40, 25]]], np.float32),
        np.ones((1, 1), np.float32),
        np.zeros(0, np.uint32),
        np.zeros(1, np.uint32),
    )
    strengths = np.where(np.arange(len(STRONG)) < 5, STRONG, 0).astype(np.float32)
    seen = 0
    for step in range(20):
        how = options(strengths, labelled=0, pseudo=1)
        image, point, weight, _ = draw(pool, marks, how, 1, step)
        image = image[0, ..., 0].astype(float)
        if weight[0, 0] == 0 or min(*point[0, 0], *(63 - point[0, 0])) < 10:
            continue
        centre = [(image * v).sum() / image.sum() for v in (x, y)]
        assert np.abs(centre - point[0, 0]).max() < 0.7  # the warp bends the dot
        seen += 1
    assert seen > 5


def test_a_point_that_leaves_the_view_has_no_weight():
    strengths = STRENGTHS.copy()
    strengths[1] = 1.0  # scale
    points = np.tile(np.array([[[0, 0], [24, 16]]], np.float32), (5, 1, 1))
    marks = (points, np.ones((5, 2), np.float32), *labels()[2:])
    lost = np.zeros(2)
    for step in range(20):
        _, at, weights, _ = draw(POOL, marks, options(strengths), 1, step)
        lost += (weights == 0).sum(axis=0)
        assert (at[weights == 0] == -1).all()
        assert (at[weights > 0] >= -0.5).all()
    assert lost[0] > 10
    assert lost[1] == 0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("radius", 0.0, "radius must be 0.0001 to 1"),
        ("radius", np.nan, "radius must be"),
        ("focal", -1.0, "focal must be 0 to"),
        ("inputs", "negative", "inputs must be one of unit centred"),
        ("labelled", 40000, "labelled must be int from 0 to 4096"),
    ],
)
def test_bad_options_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        _testing.refine_sample(POOL, *labels(), options(**{name: value}), 4, 1, 0)


def test_bad_labels_are_refused():
    points, weights, labelled, pseudo = labels()
    bad_weights, bad_points = weights.copy(), points.copy()
    bad_weights[0, 0] = 1.5
    bad_points[0, 0] = np.nan
    five = np.array([5], np.uint32)
    for marks, message in [
        ((points, bad_weights, labelled, pseudo), r"weights\[0, 0\] must be 0 to 1, got 1.5"),
        ((bad_points, np.ones_like(weights), labelled, pseudo), r"points\[0, 0, 0\] must be fin"),
        ((points, weights, five, pseudo), r"labelled_rows\[0\] must be an image of the pool"),
        ((points, weights, labelled, five), r"pseudo_rows\[[0-9]\] must be an image of the pool"),
        ((points, weights, labelled[:0], pseudo), "items must be labelled"),
        ((points, weights, labelled[:0], pseudo[:0]), "labelled, pseudo must give one image"),
        ((points[:, :0], weights[:, :0], labelled, pseudo), "points must have 1 to 1024 landmarks"),
        ((points, weights[:4], labelled, pseudo), "weights: images must be 5, as in pool, got 4"),
    ]:
        with pytest.raises(ValueError, match=message):
            _testing.refine_sample(POOL, *marks, options(), 4, 1, 0)


def test_a_step_without_labelled_images_has_pseudo_labelled_ones_only():
    points, weights, labelled, pseudo = labels()
    sources = draw(POOL, (points, weights, labelled[:0], pseudo), options(), 1, 0)[3]
    assert sorted(sources) == [0, 2, 4]
    sources = draw(POOL, (points, weights, labelled, pseudo[:0]), options(labelled=2), 1, 0)[3]
    assert sources.tolist() == [1, 3]


# ---- the objective ----


def problem(factor=2, batch=2, landmarks=3, seed=0):
    rng = np.random.default_rng(seed)
    height, width = 24, 32
    maps = np.zeros((batch, height // factor, width // factor, 16), np.float32)
    maps[..., : 3 * landmarks] = rng.normal(0, 2, (*maps.shape[:3], 3 * landmarks))
    points = rng.uniform([0, 0], [31, 23], (batch, landmarks, 2)).astype(np.float32)
    points[0, 0] = 0, 0  # in a corner
    points[1, 1] = 31, 12.25  # at a border
    weights = rng.random((batch, landmarks), dtype=np.float32)
    weights[0, 2], weights[1, 0] = 0, 1
    return maps, points, weights, height, width


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_objective_has_the_twins_numbers(factor):
    maps, points, weights, height, width = problem(factor)
    losses, gradient = _testing.refine_objective(maps, points, weights, height, width, 4.5, 2.0)
    expected, slope = twin.objective(
        maps.astype(np.float64), points, weights, height, width, 4.5, 2.0
    )
    assert np.abs(losses / expected - 1).max() <= 1e-6
    assert np.abs(gradient - slope).max() <= 1e-6 * np.abs(slope).max()
    assert (gradient[..., 9:] == 0).all()


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_gradient_is_the_central_difference(factor):
    maps, points, weights, height, width = problem(factor)
    maps = maps.astype(np.float64)
    _, gradient = twin.objective(maps, points, weights, height, width, 4.5, 2.0)
    rng = np.random.default_rng(1)
    picked = rng.choice(maps.size, 150, replace=False)
    disc = np.argwhere(gradient[..., 3:9] != 0)
    assert len(disc) > 20
    inside = [np.ravel_multi_index((*d[:3], d[3] + 3), maps.shape) for d in disc[::3]]
    for k in [*picked, *inside]:
        at = np.unravel_index(k, maps.shape)
        sides = []
        for step in (1e-6, -1e-6):
            moved = maps.copy()
            moved[at] += step
            sides.append(twin.objective(moved, points, weights, height, width, 4.5, 2.0)[0].sum())
        assert abs((sides[0] - sides[1]) / 2e-6 - gradient[at]) <= 1e-7


def test_a_disc_by_hand():
    """Radius 1.5 about a pixel: it and its 8 neighbours; at a corner 4 of them; offsets exact."""
    points = np.array([[[5, 4]], [[0, 0]]], np.float32)
    weights = np.ones((2, 1), np.float32)
    maps = np.zeros((2, 10, 12, 16), np.float32)
    losses, gradient = _testing.refine_objective(maps, points, weights, 10, 12, 1.5, 1.0)
    disc = gradient[..., 0] < 0
    assert disc[0, 3:6, 4:7].all()
    assert disc[0].sum() == 9
    assert disc[1, :2, :2].all()
    assert disc[1].sum() == 4
    # offsets: |x| is 0 in a third of 9 and half of 4, else 1 / 1.5
    assert losses[1] == pytest.approx((6 + 2) / 1.5 / 13, rel=1e-6)
    assert losses[2] == pytest.approx((6 + 2) / 1.5 / 13, rel=1e-6)
    assert losses[0] == pytest.approx(0.5 * np.log(2), rel=1e-6)  # everywhere p = 1/2
    signs = -np.sign(gradient[0, 3:6, 4:7, 1]) * 1.0
    assert np.array_equal(signs, np.tile([1, 0, -1], (3, 1))), "offset = landmark - pixel"
    assert np.array_equal(-np.sign(gradient[0, 3:6, 4:7, 2]), np.tile([[1], [0], [-1]], 3))


def test_a_disc_on_a_coarser_map_by_hand():
    """Stride 2: pixel 1 of the map lies at 2.5 of the image."""
    points = np.array([[[2.5, 2.5]]], np.float32)
    maps = np.zeros((1, 4, 4, 16), np.float32)
    _, gradient = _testing.refine_objective(
        maps, points, np.ones((1, 1), np.float32), 8, 8, 2.1, 1.0
    )
    disc = np.zeros((4, 4), bool)
    disc[1, 0:3] = disc[0:3, 1] = True
    assert np.array_equal(gradient[0, ..., 0] < 0, disc)
    assert gradient[0, 1, 1, 1] == 0


def test_without_weights_nothing_is_lost():
    maps, points, weights, height, width = problem()
    losses, gradient = _testing.refine_objective(maps, points, 0 * weights, height, width, 4.5, 2.0)
    assert (losses == 0).all()
    assert (gradient == 0).all()


def test_weight_zero_is_the_absence_of_a_landmark():
    maps, points, weights, height, width = problem()
    one = _testing.refine_objective(maps, points, weights, height, width, 4.5, 2.0)
    points[0, 2] = np.nan
    two = _testing.refine_objective(maps, points, weights, height, width, 4.5, 2.0)
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])


def test_extreme_logits_stay_finite():
    maps, points, weights, height, width = problem()
    for value in (-1e4, -90, 90, 1e4):
        maps[..., :3] = value
        losses, gradient = _testing.refine_objective(maps, points, weights, height, width, 4.5, 2.0)
        assert np.isfinite(losses).all()
        assert np.isfinite(gradient).all()
    maps[0, 0, 0, 0] = np.nan
    losses, _ = _testing.refine_objective(maps, points, weights, height, width, 4.5, 2.0)
    assert not np.isfinite(losses[0])


def test_threads_and_sets_do_not_change_the_objective():
    maps, points, weights, height, width = problem()
    runs = []
    for threads in (1, 3):
        _core.set_threads(threads)
        runs.append(_testing.refine_objective(maps, points, weights, height, width, 4.5, 2.0))
    assert np.array_equal(runs[0][0], runs[1][0])
    assert np.array_equal(runs[0][1], runs[1][1])


def test_bad_maps_are_refused():
    maps, points, weights, height, width = problem()
    for change, message in [
        ((maps, points, weights, height + 1, width, 4.5, 2.0), "map must be smaller by one whole"),
        ((maps, points, weights, 2 * height, width, 4.5, 2.0), "map must be smaller by one whole"),
        (
            (maps[..., :8].copy(), points, weights, height, width, 4.5, 2.0),
            "map must have 3 channels per landmark",
        ),
        ((maps, points, weights + 1, height, width, 4.5, 2.0), r"weights\[0, 0\] must be 0 to 1"),
        ((maps, points, weights, height, width, 0.0, 2.0), "radius must be above 0"),
        ((maps, points, weights, height, width, 4.5, -2.0), "focal must be at least 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            _testing.refine_objective(*change)


# ---- voting ----


def ideal(points, shape, factor, radius, channels=16):
    """Maps that a perfect network gives."""
    maps = np.zeros((*shape, channels), np.float32)
    for l, point in enumerate(points):
        disc, ox, oy = twin.targets(point, shape, factor, radius)
        maps[..., l] = np.where(disc, 6, -6)
        maps[..., len(points) + l] = ox
        maps[..., 2 * len(points) + l] = oy
    return maps


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_perfect_maps_give_the_landmarks(factor):
    points = np.array([[20.3, 11.8], [1.0, 0.4], [62.9, 30.2]])
    shape, radius = (48 // factor, 64 // factor), 8.0
    maps = ideal(points, shape, factor, radius)
    candidates = int(3.14 * (radius / factor) ** 2)
    xy, confidence = _core.refine_vote(maps, 3, factor, "weighted", candidates, radius, 2.0)
    assert np.abs(xy - points).max() < 1e-3
    assert confidence[0] > 0.9
    assert (confidence <= 1).all()
    xy, confidence = _core.refine_vote(maps, 3, factor, "count", candidates, radius, 2.0)
    assert np.abs(xy - points).max() <= factor + 1e-9
    assert (confidence > 0).all()


@pytest.mark.parametrize("kind", VOTES)
@pytest.mark.parametrize("factor", [1, 2])
def test_votes_have_the_twins_numbers(kind, factor):
    rng = np.random.default_rng(11)
    for candidates in (1, 7, 60, 10_000):
        maps = rng.normal(0, 1, (20, 28, 16)).astype(np.float32)
        maps[..., :4] = np.round(maps[..., :4] * 2)  # ties
        arguments = maps, 4, factor, kind, candidates, 6.5, 3.0
        xy, confidence = _core.refine_vote(*arguments)
        expected = twin.vote(*arguments)
        assert np.abs(xy - expected[0]).max() <= 1e-9
        assert np.abs(confidence - expected[1]).max() <= 1e-9


def test_votes_outside_are_dropped():
    maps = np.zeros((16, 16, 16), np.float32)
    maps[..., 1], maps[..., 0] = 50, -3
    maps[5, 9, 0] = 2
    for kind in VOTES:
        xy, confidence = _core.refine_vote(maps, 1, 1, kind, 30, 4.0, 2.0)
        assert xy.tolist() == [[9, 5]], "the highest pixel"
        assert confidence.tolist() == [0]


def test_very_low_heat_still_votes():
    maps = ideal(np.array([[7.0, 8.0]]), (16, 16), 1, 4.0)
    maps[..., 0] -= 2000
    xy, confidence = _core.refine_vote(maps, 1, 1, "weighted", 40, 4.0, 2.0)
    assert np.abs(xy - [[7, 8]]).max() < 1e-3
    assert confidence[0] == 0


def test_bad_votes_are_refused():
    maps = np.zeros((4, 4, 16), np.float32)
    for change, message in [
        ((maps, 0, 1, "count", 3, 4.0, 2.0), "landmarks must be int from 1"),
        ((maps, 6, 1, "count", 3, 4.0, 2.0), "map must have 3 channels per landmark"),
        ((maps, 1, 0, "count", 3, 4.0, 2.0), "factor must be int from 1"),
        ((maps, 1, 1, "most", 3, 4.0, 2.0), "vote must be one of: count weighted, got 'most'"),
        ((maps, 1, 1, "count", 0, 4.0, 2.0), "candidates must be int from 1"),
        ((maps, 1, 1, "count", 3, 0.0, 2.0), "radius must be above 0, finite"),
        ((maps, 1, 1, "count", 3, 4.0, np.nan), "window must be above 0, finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            _core.refine_vote(*change)
