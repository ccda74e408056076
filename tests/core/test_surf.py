"""SURF key points: the C core against its twin, and against what the detector is for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scp import _core, _testing
from scp.reference.surf import response, surf


def textured(height: int, width: int, seed: int = 0, sigma: float = 2.0) -> np.ndarray:
    noise = np.random.default_rng(seed).random((height, width), np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma) if sigma else noise
    noise -= noise.min()
    return np.rint(noise / max(noise.max(), 1e-9) * 255).astype(np.uint8)


@pytest.mark.parametrize("options", [(100.0, 4, 3), (0.0, 3, 2), (2000.0, 1, 1), (10.0, 2, 5)])
@pytest.mark.parametrize("shape", [(160, 200), (131, 97)])
def test_same_as_the_twin_to_the_bit(shape, options):
    image = textured(*shape)
    ours, twin = _core.surf(image, *options), surf(image, *options)
    assert len(twin) > 3
    np.testing.assert_array_equal(ours, twin)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 99),
    st.sampled_from([0, 1, 2]),
    st.integers(2, 256),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_same_as_the_twin_on_any_small_image(h, w, seed, sigma, greys, octaves, layers):
    image = textured(h, w, seed, sigma)
    image = (image // (256 // greys)) * (256 // greys)  # few greys: plateaus and ties
    np.testing.assert_array_equal(
        _core.surf(image, 0.0, octaves, layers), surf(image, 0.0, octaves, layers)
    )


def test_mirror_images_have_mirrored_key_points():
    image = textured(129, 129, 3)  # odd: every octave's samples are symmetric
    points = {tuple(p) for p in np.round(_core.surf(image, 50.0, 3, 3), 6)}
    mirrored = _core.surf(np.ascontiguousarray(image[:, ::-1]), 50.0, 3, 3)
    mirrored[:, 0] = 128 - mirrored[:, 0]
    assert len(points) > 20
    assert {tuple(p) for p in np.round(mirrored, 6)} == points


def test_transposed_images_have_transposed_key_points():
    image = textured(120, 90, 4)
    points = _core.surf(image, 50.0, 3, 3)
    turned = _core.surf(np.ascontiguousarray(image.T), 50.0, 3, 3)[:, [1, 0, 2, 3]]
    assert {tuple(p) for p in np.round(points, 6)} == {tuple(p) for p in np.round(turned, 6)}


@pytest.mark.parametrize("sigma", [2.6, 3.5, 5.0, 8.0])
def test_a_blob_is_found_at_its_place_and_scale(sigma):
    y, x = np.mgrid[:151, :151]
    cx, cy = 70.4, 77.3
    image = np.rint(220 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)))
    points = _core.surf(image.astype(np.uint8), 10.0, 4, 3)
    best = points[points[:, 3].argmax()]
    assert np.hypot(best[0] - cx, best[1] - cy) <= 0.5
    assert 0.6 <= best[2] * 1.2 / 9 / sigma <= 1.5


def test_the_smallest_filter_is_a_difference_of_means():
    image = np.zeros((9, 9), np.uint8)
    image[2:7, 3:6] = 0
    image[4, 4] = 30
    sums = np.pad(image.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    assert response(sums, 3, 1)[4, 4] == pytest.approx((60 / 15) ** 2, rel=1e-12)


def test_constant_and_tiny_images_have_none():
    for shape in ((1, 1), (8, 200), (100, 100)):
        assert _core.surf(np.full(shape, 200, np.uint8), 0.0, 4, 3).shape == (0, 4)


def test_large_sums_do_not_overflow():
    """The integral image wraps at 2**32; a bright image of 4500 x 4500 passes that."""
    image = np.full((4500, 4500), 255, np.uint8)
    patch = textured(80, 80, 1)
    image[-100:-20, -100:-20] = patch
    whole = _core.surf(image, 500.0, 1, 3)
    part = _core.surf(np.ascontiguousarray(image[-150:, -150:]), 500.0, 1, 3)
    assert len(part) > 5
    np.testing.assert_allclose(whole[:, :2] - 4350, part[:, :2], atol=1e-9)
    np.testing.assert_array_equal(whole[:, 3], part[:, 3])


def test_arguments_are_named():
    image = textured(20, 20)
    with pytest.raises(TypeError, match=r"image must be uint8 \[height\]\[width\], got float32"):
        _core.surf(image.astype(np.float32), 1.0, 1, 1)
    with pytest.raises(ValueError, match=r"image must be .* of shape \(1, 20, 20\)"):
        _core.surf(image[None], 1.0, 1, 1)
    with pytest.raises(ValueError, match=r"image must be .* not contiguous"):
        _core.surf(image[:, ::2], 1.0, 1, 1)
    with pytest.raises(ValueError, match="image must have sides"):
        _core.surf(np.empty((0, 5), np.uint8), 1.0, 1, 1)
    with pytest.raises(TypeError, match=r"threshold must be float, got float32 of shape \(0,\)"):
        _core.surf(image, np.zeros(0, np.float32), 1, 1)
    for options in ((-1.0, 1, 1), (np.nan, 1, 1), (1.0, 0, 1), (1.0, 1, 0), (1.0, 11, 1)):
        with pytest.raises(ValueError, match=r"threshold|octaves|octave_layers"):
            _core.surf(image, *options)


def test_failing_allocations_leave_nothing():
    image = textured(64, 64)
    expected = _core.surf(image, 0.0, 2, 3)
    held = _testing.alloc_state()[0]
    for n in range(1, 5):
        _testing.alloc_fail_at(n)
        with pytest.raises(MemoryError):
            _core.surf(image, 0.0, 2, 3)
        assert _testing.alloc_state()[0] == held
    _testing.alloc_fail_at(0)
    np.testing.assert_array_equal(_core.surf(image, 0.0, 2, 3), expected)


def test_threads_and_instruction_sets_do_not_matter():
    image = textured(100, 100)
    results = []
    for name in _core.isas():
        for count in (1, 3):
            _testing.set_isa(name)
            _core.set_threads(count)
            results.append(_core.surf(image, 10.0, 3, 3))
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])
