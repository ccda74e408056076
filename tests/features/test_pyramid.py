"""Pyramids of maps from elsewhere: which axis holds the channels is never guessed."""

import numpy as np
import pytest

from scp.features import FeaturePyramid

RNG = np.random.default_rng(0)


class Tensor:
    """As PyTorch has it: an array by a method, from a module called torch."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def __array__(self, dtype=None, copy=None):
        return self.values


Tensor.__module__ = "torch"


def maps(levels=3, height=4, width=3, channels=20):
    shapes = [(height << d, width << d, channels) for d in range(levels)]
    return [RNG.random(shape).astype(np.float32) for shape in shapes]


def channels_first(given):
    return [np.ascontiguousarray(np.moveaxis(m, 2, 0)) for m in given]


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_both_layouts_give_the_same_pyramid(levels):
    given = maps(levels)
    wanted = FeaturePyramid.from_levels(given)
    assert wanted == FeaturePyramid.from_levels(given, layout="hwc")
    turned = channels_first(given)
    tensors = [Tensor(m) for m in turned]
    for same in (turned, tensors):
        assert FeaturePyramid.from_levels(same, layout="chw") == wanted
        with pytest.raises(ValueError, match=r"layout: .+ say layout='chw' if it is"):
            FeaturePyramid.from_levels(same)
    assert FeaturePyramid.from_levels([Tensor(m) for m in given], layout="hwc") == wanted


@pytest.mark.parametrize("shape", [(4, 4, 16), (12, 10, 64), (24, 32, 256), (2, 2, 3)])
def test_one_map_is_taken_where_its_sides_are_alike(shape):
    one = RNG.random(shape).astype(np.float32)
    assert FeaturePyramid.from_levels([one]).level(0)[0].shape[:2] == shape[:2]
    with pytest.raises(ValueError, match="layout"):
        FeaturePyramid.from_levels(channels_first([one]))


def test_what_fits_neither_layout_is_refused():
    given = maps(2)
    for wrong, words in (
        ([], "at least one level"),
        ([given[0], given[0]], r"maps\[1\] must have shape \(8, 6, 20\)"),
        ([given[0][..., 0]], r"maps\[0\] must have 3 dimensions, got 2"),
        ([np.where(given[0] > 0.9, np.nan, given[0])], r"maps\[0\] must be finite"),
    ):
        with pytest.raises(ValueError, match=words):
            FeaturePyramid.from_levels(wrong)
    with pytest.raises(ValueError, match="layout must be one of hwc, chw"):
        FeaturePyramid.from_levels(given, layout="nchw")
    with pytest.raises(ValueError, match=r"maps\[1\] must have shape"):
        FeaturePyramid.from_levels(given, layout="chw")
