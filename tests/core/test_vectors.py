"""Similarities of vectors: as their twin, the same bits for a pair and at any number of threads."""

import numpy as np
import pytest

from scp import _core, _testing
from scp.reference import vectors as reference

SHAPES = [(1, 1, 1), (5, 7, 3), (49, 16, 16), (130, 100, 17), (20, 257, 600)]


def sides(rows, columns, d):
    rng = np.random.default_rng(rows)
    left, right = rng.standard_normal((rows, d)), rng.standard_normal((columns, d))
    return (left / d**0.5).astype(np.float32), (right / d**0.5).astype(np.float32)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 40.0])
@pytest.mark.parametrize(("rows", "columns", "d"), SHAPES)
def test_equal_to_their_twin(rows, columns, d, gamma):
    left, right = sides(rows, columns, d)
    rng = np.random.default_rng(1)
    floors = rng.random((2, columns)).astype(np.float32) * 0.5
    weights = rng.random(columns).astype(np.float32)
    for isa in _core.isas():
        _testing.set_isa(isa)
        values = _core.vectors_values(left, right, gamma)
        wanted = reference.values(left, right, gamma)
        assert np.allclose(values, wanted, rtol=1e-4, atol=3e-6), isa
        found = _core.vectors_excess(left, right, gamma, floors, weights)
        wanted = reference.excess(left, right, gamma, floors, weights)
        assert np.allclose(found, wanted, rtol=1e-4, atol=1e-5), isa


@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_a_pair_has_the_same_bits_wherever_it_stands(gamma):
    left, right = sides(70, 150, 33)
    values = _core.vectors_values(left, right, gamma)
    assert np.array_equal(values, _core.vectors_values(right, left, gamma).T)
    part = _core.vectors_values(left[60:], np.ascontiguousarray(right[::-1]), gamma)
    assert np.array_equal(part, values[60:, ::-1])


@pytest.mark.parametrize("gamma", [0.0, 0.3])
@pytest.mark.parametrize("n", [1, 50, 129, 700])
def test_each_pair_once(n, gamma):
    x = sides(n, 2, 9)[0]
    rng = np.random.default_rng(n)
    floors, weights = rng.random((2, n)).astype(np.float32) / 3, rng.random(n).astype(np.float32)
    for isa in _core.isas():
        _testing.set_isa(isa)
        once = _core.vectors_excess(x, x, gamma, floors, weights)
        twice = _core.vectors_excess(x, x.copy(), gamma, floors, weights)
        assert np.allclose(once, twice, rtol=1e-6, atol=1e-9), isa


def test_same_bits_at_any_number_of_threads():
    left, right = sides(300, 200, 20)
    floors, weights = np.full((1, 200), 0.1, np.float32), np.ones(200, np.float32)
    found = []
    for count in (1, 2, 5):
        _core.set_threads(count)
        values = _core.vectors_values(left, right, 0.5)
        excess = _core.vectors_excess(left, right, 0.5, floors, weights)
        found.append((values, excess, _core.vectors_excess(right, right, 0.5, floors, weights)))
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(other, found[0], strict=True))


def test_far_vectors_are_not_alike():
    x = np.array([[0, 0], [1e3, 0], [0, 1e3]], np.float32)
    assert np.array_equal(_core.vectors_values(x, x, 1.0), np.eye(3, dtype=np.float32))


@pytest.mark.parametrize("gamma", [-1.0, np.nan, np.inf])
def test_errors(gamma):
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="gamma"):
        _core.vectors_values(x, x, gamma)
    with pytest.raises(ValueError, match="dimensions"):
        _core.vectors_values(x, np.zeros((2, 4), np.float32), 0.0)
