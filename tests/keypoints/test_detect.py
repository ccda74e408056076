"""Key points: detectors, filters, order, and what is not an image."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scp import datasets
from scp.keypoints import METHODS, OPTIONS, PRESETS, KeyPoints, detect
from scp.keypoints.detect import _sorted, _spread


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return datasets.phantom(1).grid(0)


def naive(xy, response, shape, count, border, min_distance):
    """The filters, one point at a time."""
    points = sorted({(-r, y, x) for (x, y), r in zip(xy, response, strict=True)})
    kept = []
    for r, y, x in points:
        if any((x, y) == (a, b) for a, b, _ in kept):
            continue
        if not (border * shape[1] < x < shape[1] - border * shape[1]):
            continue
        if not (border * shape[0] < y < shape[0] - border * shape[0]):
            continue
        if all((x - a) ** 2 + (y - b) ** 2 >= min_distance**2 for a, b, _ in kept):
            kept.append((x, y, -r))
    return kept[:count]


@pytest.mark.parametrize("method", METHODS)
def test_points_keep_the_rules(image, method):
    points = detect(image, method, count=60)
    assert isinstance(points, KeyPoints)
    assert 20 <= len(points) <= 60
    assert points.xy.dtype == points.response.dtype == np.float32
    assert (points.xy > 38.4).all() and (points.xy < 345.6).all()
    assert (np.diff(points.response) <= 0).all()
    gaps = np.hypot(*(points.xy[:, None] - points.xy[None]).transpose(2, 0, 1))
    assert gaps[~np.eye(len(points), dtype=bool)].min() >= 10 - 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_the_same_call_gives_the_same_points(image, method):
    a, b = detect(image, method), detect(image.copy(), method)
    np.testing.assert_array_equal(a.xy, b.xy)
    np.testing.assert_array_equal(a.response, b.response)


@pytest.mark.parametrize("method", METHODS)
def test_fewer_points_are_the_best_of_more(image, method):
    more, fewer = detect(image, method, count=50), detect(image, method, count=7)
    np.testing.assert_array_equal(more.xy[:7], fewer.xy)


@pytest.mark.parametrize("method", ["sift", "orb", "surf"])
def test_bytes_and_floats_agree(image, method):
    as_bytes = np.rint(image * 255).astype(np.uint8)
    np.testing.assert_array_equal(detect(image, method).xy, detect(as_bytes, method).xy)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(0, 3)), max_size=40),
    st.integers(1, 10),
    st.sampled_from([0, 0.1, 0.3]),
    st.sampled_from([0, 1, 2.5, 6]),
)
def test_filters_are_those_of_the_naive_form(points, count, border, min_distance):
    """Small integers: many ties in place, response and distance."""
    xy = np.array([p[:2] for p in points], np.float64).reshape(-1, 2)
    response = np.array([p[2] for p in points], np.float64)
    expected = naive(xy.tolist(), response.tolist(), (20, 30), count, border, min_distance)
    xy, response = _sorted(xy, response)
    keep = _spread(xy, (20, 30), count, border, min_distance)
    assert [(*p, r) for p, r in zip(xy[keep], response[keep], strict=True)] == expected


def test_sift_keeps_one_point_of_several_orientations(image):
    as_bytes = np.rint(image * 255).astype(np.uint8)
    raw = [p.pt for p in cv2.SIFT_create().detect(as_bytes, None)]
    assert len(set(raw)) < len(raw)
    points = detect(image, "sift", count=10_000, border=0, min_distance=0)
    assert len({tuple(p) for p in points.xy.tolist()}) == len(points)
    inside = {p for p in raw if p[0] > 0 and p[1] > 0}
    assert len(points) == len(inside)


def test_the_bottom_border_is_filtered_too(image):
    turned = np.ascontiguousarray(image[::-1])
    for method in ("sift", "surf", "orb"):
        for picture in (image, turned):
            free = detect(picture, method, count=1000, border=0.0, min_distance=0)
            assert (free.xy[:, 1] > 345.6).any() or method == "orb"
            kept = detect(picture, method, count=1000, border=0.1, min_distance=0)
            assert (kept.xy < 345.6).all() and (kept.xy > 38.4).all()


def test_random_points_depend_on_seed_and_index_only(image):
    a = detect(image, "random", random_state=3, index=5).xy
    np.testing.assert_array_equal(
        a, detect(np.zeros_like(image), "random", random_state=3, index=5).xy
    )
    assert len(a) == 100
    assert not np.array_equal(a, detect(image, "random", random_state=3, index=6).xy)
    assert not np.array_equal(a, detect(image, "random", random_state=4, index=5).xy)


def test_random_points_fill_the_box_evenly():
    xy = np.concatenate(
        [detect(np.zeros((200, 100)), "random", 200, min_distance=0, index=i).xy for i in range(50)]
    )
    assert len(xy) == 10_000
    cells, _, _ = np.histogram2d(xy[:, 0], xy[:, 1], bins=5, range=[[10, 90], [20, 180]])
    assert cells.sum() == 10_000
    assert ((cells - 400) ** 2 / 400).sum() < 60  # chi-square with 24 degrees: p = 6e-5


@pytest.mark.parametrize("method", ["sift", "surf", "orb"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (11, 11), (64, 64), (100, 90)])
def test_no_points_in_flat_or_tiny_images(method, shape):
    for value in (0.0, 0.5, 1.0):
        with pytest.warns(RuntimeWarning, match=f"ward/7.png has no {method} key point"):
            points = detect(np.full(shape, value), method, label="ward/7.png")
        assert points.xy.shape == (0, 2) and points.response.shape == (0,)
        assert points.xy.dtype == np.float32


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(METHODS), st.integers(0, 9))
def test_images_of_any_size_give_points_inside(h, w, method, seed):
    picture = np.random.default_rng(seed).random((h, w))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        points = detect(picture, method, border=0.0, min_distance=2.0)
    assert (points.xy >= 0).all() and (points.xy < [w, h]).all()
    assert np.isfinite(points.response).all()


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (np.full((20, 20), np.nan), ValueError, "not finite"),
        (np.full((20, 20), 2.0), ValueError, r"\[0, 1\]"),
        (np.zeros((20, 20, 3)), ValueError, "rows"),
        (np.zeros((0, 20)), ValueError, "not empty"),
        (np.zeros((20, 20), np.int32), TypeError, "dtype int32"),
    ],
)
def test_bad_images(bad, error, message):
    for method in METHODS:
        with pytest.raises(error, match=message):
            detect(bad, method)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "fast"}, ValueError, "method"),
        ({"count": 0}, ValueError, "count"),
        ({"border": 0.5}, ValueError, "border"),
        ({"border": np.nan}, ValueError, "border"),
        ({"min_distance": -1}, ValueError, "min_distance"),
        ({"min_distance": np.inf}, ValueError, "min_distance"),
        ({"hessian_threshold": 3}, TypeError, "hessian_threshold is no option of sift"),
        ({"contrast_threshold": np.nan}, ValueError, "contrast_threshold"),
        ({"octave_layers": 0}, ValueError, "octave_layers"),
        ({"method": "surf", "octaves": -1}, ValueError, "octaves"),
        ({"method": "surf", "octaves": 40}, ValueError, "octaves"),
        ({"method": "surf", "hessian_threshold": -2.0}, ValueError, "hessian_threshold"),
        ({"method": "orb", "scale": 0.5}, ValueError, "scale"),
        ({"method": "random", "random_state": -1}, ValueError, "random_state"),
    ],
)
def test_bad_arguments(image, arguments, error, message):
    with pytest.raises(error, match=message):
        detect(image, **arguments)


def test_presets_are_legal_and_change_something(image):
    counts = {name: len(detect(image, count=1000, **preset)) for name, preset in PRESETS.items()}
    assert counts["hand"] > counts["head"]
    assert set(OPTIONS) == set(METHODS)
