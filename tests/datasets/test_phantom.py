"""Phantoms: the same bits for the same numbers, landmarks where the structures are."""

from __future__ import annotations

import numpy as np
import pytest

from scp import datasets
from scp.datasets.phantom.drawing import Draw, noise, spline


def test_an_image_depends_on_seed_index_and_size_only():
    few, many = datasets.phantom(3, seed=8), datasets.phantom(9, seed=8)
    np.testing.assert_array_equal(few.image(2), many.image(2))
    np.testing.assert_array_equal(many.image(2), many.image(2))
    np.testing.assert_array_equal(few.landmarks, many.landmarks[:3])
    other = datasets.phantom(3, seed=9)
    assert not np.array_equal(few.image(2), other.image(2))
    assert np.abs(few.landmarks - other.landmarks).max() > 3


def test_shape_spacing_and_names():
    data = datasets.phantom(4, size=(240, 200))
    assert data.ids == ["001", "002", "003", "004"]
    assert data.image(0).shape == data.shape(0) == (240, 200)
    assert data.image(0).dtype == np.uint8
    np.testing.assert_allclose(data.spacing, [[1.0, 0.96]] * 4)
    assert data.landmarks.shape == (4, 19, 2)
    assert data.landmark_names == list(datasets.cephalometric_landmarks)
    assert data.path(0) is None and data.groups is None
    assert data.grid(1).shape == (384, 384)


def test_landmarks_lie_in_the_image_and_in_anatomical_order():
    data = datasets.phantom(200, seed=1)
    assert (data.landmarks > 20).all() and (data.landmarks < [384 - 20, 480 - 20]).all()
    at = {name: data.landmarks[:, k] for k, name in enumerate(data.landmark_names)}
    for left, right in (
        ("porion", "sella"),
        ("sella", "nasion"),
        ("gonion", "menton"),
        ("articulare", "posterior nasal spine"),
        ("posterior nasal spine", "anterior nasal spine"),
        ("pogonion", "soft tissue pogonion"),
        ("upper incisal incision", "upper lip"),
    ):
        assert (at[left][:, 0] < at[right][:, 0]).all(), (left, right)
    for upper, lower in (("nasion", "subspinale"), ("subspinale", "menton"), ("sella", "gonion")):
        assert (at[upper][:, 1] < at[lower][:, 1]).all(), (upper, lower)


def test_patients_differ_as_much_as_people_do():
    """Deviation of a landmark over real cephalograms: about 7 to 20 units of half a millimetre."""
    spread = datasets.phantom(200, seed=2).landmarks.std(axis=0)
    assert (spread > 3).all() and (spread < 25).all()


def test_images_use_the_grey_range_and_differ():
    data = datasets.phantom(6)
    images = [data.image(i).astype(float) for i in range(6)]
    for image in images:
        assert np.ptp(np.percentile(image, [5, 95])) > 60
        assert image.std() > 25
    for a in range(6):
        for b in range(a):
            assert np.abs(images[a] - images[b]).mean() > 5


def test_size_scales_the_same_picture():
    small, large = datasets.phantom(2, size=(240, 192)), datasets.phantom(2, size=(480, 384))
    np.testing.assert_allclose((small.landmarks + 0.5) * 2 - 0.5, large.landmarks, atol=1e-9)
    a, b = small.grid(0, (60, 48)), large.grid(0, (60, 48))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.97


def test_images_of_a_patient_share_the_shape():
    data = datasets.phantom(6, per_patient=3)
    assert data.groups == ["patient 001"] * 3 + ["patient 002"] * 3

    def angles(points):
        centred = points - points.mean(axis=0)
        return centred / np.linalg.norm(centred)

    def difference(i, j):  # after taking out shift, scale and rotation
        w = np.linalg.svd(angles(data.landmarks[i]).T @ angles(data.landmarks[j]), compute_uv=False)
        return 1 - w.sum()

    assert difference(0, 1) < 1e-12 < 1e-6 < difference(0, 3)
    assert np.abs(data.landmarks[0] - data.landmarks[1]).max() > 2


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"n": 0}, "n must"),
        ({"seed": -1}, "seed"),
        ({"seed": 1 << 64}, "seed"),
        ({"size": (10, 10)}, "size"),
        ({"size": 7}, "size"),
        ({"per_patient": 0}, "per_patient"),
    ],
)
def test_bad_arguments(arguments, name):
    with pytest.raises(ValueError, match=name):
        datasets.phantom(**({"n": 2} | arguments))


def test_draws_and_noise_are_standard():
    draw = Draw(1, 2, 1 << 16)
    values = np.array([draw.normal() for _ in range(20_000)])
    assert abs(values.mean()) < 0.03 and abs(values.std() - 1) < 0.03
    uniform = np.array([draw.uniform(2, 4) for _ in range(5000)])
    assert uniform.min() >= 2 and uniform.max() < 4 and abs(uniform.mean() - 3) < 0.05
    grain = noise(1, 3, (200, 300))
    assert abs(grain.mean()) < 0.02 and abs(grain.std() - 1) < 0.02
    with pytest.raises(RuntimeError, match="used up"):
        Draw(1, 2, 1).normals(2)


@pytest.mark.parametrize("closed", [False, True])
def test_splines_pass_through_their_points(closed):
    points = np.array([(0, 0), (4, 1), (5, 7), (-2, 3)], float)
    curve = spline(points, closed, steps=5)
    for p in points:
        assert np.abs(curve - p).sum(axis=1).min() < 1e-9
