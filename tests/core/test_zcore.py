"""ZCore's scores: the same as their twin, and the same bits at any number of threads."""

import numpy as np
import pytest

from scp import _core, _testing
from scp.reference import zcore as reference


def scores(x, seed, draws):
    shape = np.stack([x.min(0), np.median(x, 0), x.max(0)], axis=1).astype(np.float32)
    return _core.zcore(np.ascontiguousarray(x.T), shape, seed, draws, None)


SHAPES = [(1, 2, 0), (2, 2, 1), (37, 3, 2), (130, 9, 2**63), (700, 4, 3)]


@pytest.mark.parametrize(("n", "d", "seed"), SHAPES)
def test_equal_to_their_twin(n, d, seed):
    x = np.random.default_rng(n).standard_normal((n, d)).astype(np.float32)
    for vectors in (x, np.round(3 * x)):  # of which many are equal, and equally near
        wanted = reference.scores(vectors, seed, 300)
        for isa in _core.isas():
            _testing.set_isa(isa)
            assert np.array_equal(scores(vectors, seed, 300), wanted)


def test_images_in_one_place_share_the_penalty():
    x = np.zeros((5, 2), np.float32)
    x[3:] = 1
    found = scores(x, 0, 50)
    near = found[:3].sum() - found[3:].sum()  # each draw adds 1 and takes 1 in the same place
    assert found.sum() == pytest.approx(0, abs=1e-9) and near == pytest.approx(0, abs=1e-9)
    assert found[0] > 0 > found[1] == pytest.approx(found[2])


def test_same_bits_at_any_number_of_threads():
    x = np.random.default_rng(0).standard_normal((61, 6)).astype(np.float32)
    found = []
    for count in (1, 2, 5):
        _core.set_threads(count)
        found.append(scores(x, 4, 1000))
    assert all(np.array_equal(found[0], other) for other in found)


def test_errors():
    x = np.zeros((2, 4), np.float32)
    for shape in ([[1, 0, 2]] * 2, [[0, np.nan, 2]] * 2, [[0, 1, np.inf]] * 2):
        with pytest.raises(ValueError, match="shape"):
            _core.zcore(x, np.array(shape, np.float32), 0, 1, None)
    shape = np.array([[0, 0, 0]] * 2, np.float32)
    for bad in (np.nan, np.inf):  # no distance is the smallest then
        with pytest.raises(ValueError, match=r"columns.* must be finite"):
            _core.zcore(np.full((2, 4), bad, np.float32), shape, 0, 1, None)
    with pytest.raises(ValueError, match="columns"):
        _core.zcore(x[:1], np.zeros((1, 3), np.float32), 0, 1, None)
