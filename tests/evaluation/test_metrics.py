"""The metrics against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scp import _core
from scp.evaluation import metrics
from scp.evaluation.metrics import (
    area_under_curve,
    bootstrap_interval,
    detection_rates,
    error_table,
    failure_rate,
    mean_radial_error,
    normalised_errors,
    paper_errors,
    paper_pixels,
    paper_spacing,
    paper_truth,
    pearson,
    radial_errors,
    ranks,
    spearman,
    wrist_spacing,
)

NAN = float("nan")
RIGHT = np.array([1.0, 0.0])


def same(a, b):
    """Equal bit for bit, NaN in the same places."""
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


# ---- distances ----


def test_error_in_pixels():
    # (3, 4) away: 5
    assert radial_errors([13.0, 4.0], [10.0, 0.0]) == 5.0


def test_spacing_is_rows_then_columns():
    # dx = 3 pixels of 2 mm = 6, dy = 4 pixels of 0.5 mm = 2: sqrt(36 + 4)
    assert radial_errors([3.0, 4.0], [0.0, 0.0], (0.5, 2.0)) == math.sqrt(40)


def test_spacing_of_each_image_even_where_n_is_l():
    # two images, two landmarks, all one pixel to the right: the error is sx of the image
    truth = np.zeros((2, 2, 2))
    errors = radial_errors(truth + RIGHT, truth, [[9, 0.1], [9, 0.3]])
    same(errors, [[0.1, 0.1], [0.3, 0.3]])
    several = radial_errors(
        np.stack([truth + RIGHT, truth + 2 * RIGHT]), truth, [[9, 0.1], [9, 0.3]]
    )
    same(several, [[[0.1, 0.1], [0.3, 0.3]], [[0.2, 0.2], [0.6, 0.6]]])


def test_absent_points_have_no_error():
    errors = radial_errors([[NAN, NAN], [1, 0], [NAN, 1]], [[0, 0], [NAN, NAN], [1, 1]], (1, 1))
    assert np.isnan(errors).all()


@pytest.mark.parametrize(
    ("spacing", "text"),
    [
        ((0.1, 0.0), "spacing must be positive"),
        ((0.1, NAN), "spacing must be positive"),
        ([[0.1, 0.1]] * 4, r"spacing \[4, 1, 2\] does not go with points \[3, 5, 2\]"),
        (0.1, "spacing must have a last axis of length 2"),
    ],
)
def test_bad_spacing(spacing, text):
    with pytest.raises(ValueError, match=text):
        radial_errors(np.zeros((3, 5, 2)), np.zeros((3, 5, 2)), spacing)


def test_bad_points():
    with pytest.raises(ValueError, match="predicted must have a last axis"):
        radial_errors(np.zeros((3, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"predicted \[3, 2\] and truth \[4, 2\] do not agree"):
        radial_errors(np.zeros((3, 2)), np.zeros((4, 2)))


# ---- means and rates ----


def test_mean_leaves_nan_out():
    errors = np.array([[1.0, NAN], [2.0, 6.0], [NAN, NAN]])
    assert mean_radial_error(errors) == 3.0  # (1 + 2 + 6) / 3
    same(mean_radial_error(errors, axis=0), [1.5, 6.0])
    same(mean_radial_error(errors, axis=1), [1.0, 4.0, NAN])
    assert math.isnan(mean_radial_error([NAN]))


def test_rates_are_strict():
    # 2.0 is not below 2; the next smaller double is
    errors = [2.0, np.nextafter(2.0, 0), 1.0, 2.4]
    same(detection_rates(errors, (2, 2.5)), [50.0, 100.0])


def test_rates_of_twenty_pixels_of_a_tenth_of_a_millimetre():
    # 12 and 16 pixels of 0.1 mm are 2 mm (20 pixels) away: not detected at 2 mm
    error = radial_errors([12.0, 16.0], [0.0, 0.0], (0.1, 0.1))
    assert error == 2.0
    same(detection_rates(error, (2,)), [0.0])


def test_rates_leave_nan_out_and_count_infinity():
    errors = np.array([[1.0, NAN], [np.inf, NAN], [3.0, NAN], [1.5, NAN]])
    same(detection_rates(errors, (2, 4)), [50.0, 75.0])
    same(detection_rates(errors, (2, 4), axis=0), [[50.0, 75.0], [NAN, NAN]])
    same(detection_rates(errors, (2, 4), axis=1)[1], [0.0, 0.0])


@pytest.mark.parametrize("radii", [(), (0,), (-1, 2), (2, 2), (NAN,), ("far",), (np.inf,)])
def test_bad_radii(radii):
    with pytest.raises(ValueError, match="radii must be"):
        detection_rates([1.0], radii)


def test_table_of_landmarks_and_images():
    errors = np.array([[1.0, 4.0], [3.0, np.inf], [NAN, NAN]])
    table = error_table(errors, (2, 5))
    same(table.count, [2, 1])
    same(table.mean, [2.0, 4.0])
    same(table.sd, [1.0, 0.0])  # population: sqrt(((1-2)^2 + (3-2)^2) / 2)
    same(table.median, [2.0, 4.0])
    same(table.largest, [3.0, 4.0])
    same(table.rates, [[50.0, 100.0], [0.0, 50.0]])
    images = error_table(errors, (2, 5), by="image")
    same(images.count, [2, 1, 0])
    same(images.mean, [2.5, 3.0, NAN])
    same(images.rates, [[50.0, 100.0], [0.0, 50.0], [NAN, NAN]])
    with pytest.raises(ValueError, match="by must be landmark or image"):
        error_table(errors, by="row")


# ---- the paper's grid ----

CEPHALOGRAM = (2400, 1935)


def test_paper_truth_truncates_twice():
    # x = 835.5 -> 835 -> 835 * 384 / 1935 = 165.7... -> 165
    # y = 996.5 -> 996 -> 996 * 384 / 2400 = 159.36 -> 159
    same(paper_truth([835.5, 996.5], CEPHALOGRAM), [165, 159])
    # The first cut matters: y = 6.25 * 3 = 18.75 -> 18 -> 18 * 0.16 = 2.88 -> 2, uncut 3.0 -> 3
    same(paper_truth([0, 18.75], CEPHALOGRAM), [0, 2])
    # int() cuts towards zero
    same(paper_truth([-0.9, -7.5], CEPHALOGRAM), [0, -1])  # -7 * 0.16 = -1.12
    same(paper_truth([NAN, 5], CEPHALOGRAM), [NAN, 0])


@given(st.integers(0, 1934), st.integers(0, 2399))
def test_paper_truth_is_the_integer_rule(x, y):
    same(paper_truth([x, y], CEPHALOGRAM), [int(x * 384 / 1935), int(y * 384 / 2400)])


def test_rounding_goes_to_even():
    # 768 -> 384 halves: 1 -> 0.5 -> 0, 3 -> 1.5 -> 2, 5 -> 2.5 -> 2; and round(), not int(), of 7.9
    same(paper_truth([[1, 3], [5, 7.9]], (768, 768), 384, "round"), [[0, 2], [2, 4]])
    same(paper_truth([[1, 3], [5, 7.9]], (768, 768), 384), [[0, 1], [2, 3]])
    with pytest.raises(ValueError, match="rule must be one of truncate, round"):
        paper_truth([1, 3], (768, 768), 384, "floor")


@pytest.mark.parametrize("shape", [CEPHALOGRAM, (1000, 703), (384, 384)])
def test_prediction_is_the_top_left_pixel_of_its_cell(shape):
    # the centre of the cell of 2 x 2 pixels (c, c) is at 2 c + 0.5 of the grid
    from scp.datasets import to_original

    cells = np.stack([np.arange(192), np.arange(192)[::-1]], axis=-1)
    centres = to_original(2 * cells + 0.5, shape, (384, 384))
    same(paper_pixels(centres, shape), 2 * cells)


def test_prediction_is_the_nearest_pixel():
    from scp.datasets import to_original

    grid = np.array([[3.4, 3.6], [0.0, 383.0], [NAN, 1.0]])
    at = to_original(grid, CEPHALOGRAM, (384, 384))
    same(paper_pixels(at, CEPHALOGRAM), [[3, 4], [0, 383], [NAN, 1]])


def test_paper_spacing():
    same(paper_spacing((0.1, 0.1), CEPHALOGRAM), [0.1 * 2400 / 384, 0.1 * 1935 / 384])
    np.testing.assert_allclose(paper_spacing((0.1, 0.1), CEPHALOGRAM), [0.625, 0.50390625])
    np.testing.assert_allclose(
        paper_spacing([[0.1, 0.2], [0.3, 0.3]], [[100, 200], [50, 50]], (10, 20)),
        [[1.0, 2.0], [1.5, 0.75]],
    )


def test_paper_errors_by_hand():
    # truth (835.5, 996.5) -> (165, 159); the prediction in the middle of pixel (168, 163):
    # dx = 3 * 0.50390625 = 1.51171875, dy = 4 * 0.625 = 2.5
    at = (np.array([168, 163]) + 0.5) * (1935 / 384, 2400 / 384) - 0.5
    truth = np.array([[[835.5, 996.5]]])
    error = paper_errors(at[None, None], truth, [CEPHALOGRAM], [(0.1, 0.1)])
    np.testing.assert_allclose(error, [[math.hypot(1.51171875, 2.5)]], rtol=1e-12)
    same(paper_errors(at[None, None], truth, CEPHALOGRAM), [[5.0]])  # pixels of the grid
    with pytest.raises(ValueError, match="one of them only"):
        paper_errors(at, at, CEPHALOGRAM, (0.1, 0.1), grid_spacing=(1, 1))


@pytest.mark.parametrize("size", [0, 384.0, (384, 0), (1, 2, 3), "384"])
def test_bad_grid(size):
    with pytest.raises(ValueError, match="size must be"):
        paper_truth([1, 2], CEPHALOGRAM, size)


# ---- hands ----


def test_wrist_in_original_pixels():
    # the wrist is (0, 0) to (300, 400): 500 pixels are 50 mm
    truth = np.zeros((1, 5, 2))
    truth[0, 4] = 300, 400
    same(wrist_spacing(truth), [[0.1, 0.1]])
    same(wrist_spacing(truth, width=100, pair=(4, 1)), [[0.2, 0.2]])


def test_wrist_on_the_grid_carries_the_squeeze_of_the_columns():
    # an image of 2000 x 1000: the wrist along x, 250 pixels, is 96 pixels of the grid (0.384 each)
    truth = np.zeros((1, 5, 2))
    truth[0, 4] = 250, 0
    spacing = wrist_spacing(truth, way="grid", shape=(2000, 1000))
    same(spacing, [[50 / 96, 50 / 96]])
    # an error of 100 pixels along y is 20 mm by the wrist, but 19.2 -> 19 pixels of the grid
    predicted = truth.copy()
    predicted[0, 2] = 0, 100
    same(radial_errors(predicted, truth, wrist_spacing(truth))[0, 2], 20.0)
    on_grid = paper_errors(predicted, truth, (2000, 1000), rule="round", grid_spacing=spacing)
    np.testing.assert_allclose(on_grid[0, 2], 19 * 50 / 96)
    with pytest.raises(ValueError, match="shape: the sizes"):
        wrist_spacing(truth, way="grid")
    with pytest.raises(ValueError, match="way must be"):
        wrist_spacing(truth, way="paper")


def test_wrist_that_is_not_there():
    truth = np.zeros((3, 5, 2))
    truth[:, 4] = 1, 0
    truth[1, 0] = NAN
    truth[2, 4] = 0
    with pytest.raises(ValueError, match=r"landmarks 0 and 4 of image 1 .* \(2 such images\)"):
        wrist_spacing(truth)
    with pytest.raises(ValueError, match="pair must be two landmarks below 5"):
        wrist_spacing(truth, pair=(0, 5))


# ---- faces ----


def test_normalised_errors():
    # eyes 40 pixels apart, errors of 5 and 0 pixels: 12.5 % and 0 %
    truth = np.array([[[0, 0], [40, 0], [9, 9]]], float)
    predicted = truth + np.array([[3, 4], [0, 0], [NAN, 0]])
    same(normalised_errors(predicted, truth, (0, 1)), [[12.5, 0.0, NAN]])
    with pytest.raises(ValueError, match="pair must be two landmarks below 3"):
        normalised_errors(predicted, truth)


def test_failure_rate_is_strictly_above():
    assert failure_rate([10.0, 10.1, 3.0, NAN, 40.0]) == 50.0
    assert math.isnan(failure_rate([NAN]))


def test_area_is_the_riemann_sum_with_both_ends():
    # thresholds 0, 5, 10: shares of (0, 5, 7) are 1/3, 2/3, 1; their mean is 2/3
    assert area_under_curve([0.0, 5.0, 7.0], 10, 3) == pytest.approx(2 / 3, abs=1e-15)
    # the trapezoidal rule over [0, 10] would give (1/3 + 2 * 2/3 + 1) / 4 = 2/3 too; this one not:
    # all at 10: only the last of 50 thresholds counts, 1/50; the trapezoid gives 1/98
    assert area_under_curve([10.0, 10.0]) == pytest.approx(0.02, abs=1e-15)
    assert area_under_curve([0.0]) == pytest.approx(1.0, abs=1e-12)
    assert area_under_curve([10.5]) == 0.0
    assert math.isnan(area_under_curve([]))


# ---- bootstrap ----


def test_bootstrap_is_what_its_text_says():
    values, weights = np.array([1.0, 2.0, 7.0, NAN]), np.array([1.0, 3.0, 1.0, 5.0])
    means = []
    for b in range(200):
        rows = [int(w) * 4 >> 32 for w in _core.random_words(11, b, 4)]
        rows = [r for r in rows if r != 3]
        if rows:
            means.append(sum(values[r] * weights[r] for r in rows) / sum(weights[r] for r in rows))
    expected = np.quantile(means, [0.05, 0.95])
    got = bootstrap_interval(values, weights, resamples=200, level=0.9, random_state=11)
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_bootstrap_repeats_and_columns_share_the_draws():
    values = np.random.default_rng(0).normal(size=(40, 3))
    low, high = bootstrap_interval(values, resamples=500, random_state=3)
    again = bootstrap_interval(values, resamples=500, random_state=3)
    same(low, again[0])
    same(high, again[1])
    for k in range(3):
        same(bootstrap_interval(values[:, k], resamples=500, random_state=3), (low[k], high[k]))
    other = bootstrap_interval(values, resamples=500, random_state=4)
    assert (other[0] != low).all()


def test_bootstrap_does_not_depend_on_blocks():
    values = np.random.default_rng(1).normal(size=3000)  # several blocks of draws
    first = bootstrap_interval(values, resamples=700)
    means = [
        values[_core.random_words(0, b, 3000).astype(np.int64) * 3000 >> 32].mean()
        for b in range(700)
    ]
    np.testing.assert_allclose(first, np.quantile(means, [0.025, 0.975]), rtol=1e-12)


def test_bootstrap_covers_the_mean():
    # 400 samples of 60 from an exponential distribution of mean 1: of the 95 % intervals about
    # 93 % hold the mean (the percentile method is a little short for skewed data); 4 standard
    # deviations of that share are 5 %
    rng = np.random.default_rng(5)
    samples = rng.exponential(size=(60, 400))
    low, high = bootstrap_interval(samples, resamples=1000)
    covered = np.mean((low <= 1) & (high >= 1))
    assert 0.88 <= covered <= 0.98
    # the width is that of the normal approximation, 2 * 1.96 * sd / sqrt(60)
    width = 2 * 1.96 * samples.std(axis=0) / math.sqrt(60)
    np.testing.assert_allclose((high - low).mean(), width.mean(), rtol=0.03)


def test_bootstrap_without_knowledge():
    assert np.isnan(bootstrap_interval([NAN, NAN], resamples=10)).all()
    same(bootstrap_interval([2.5], resamples=10), (2.5, 2.5))
    same(bootstrap_interval([2.5, NAN], resamples=100), (2.5, 2.5))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"values": []}, "values must be"),
        ({"values": [1.0], "level": 1.0}, "level must be between 0 and 1"),
        ({"values": [1.0], "resamples": 0}, "resamples must be at least 1"),
        ({"values": [1.0], "weights": [-1.0]}, "weights must be"),
        ({"values": [1.0, 2.0], "weights": [1.0]}, "weights must be"),
    ],
)
def test_bad_bootstrap(arguments, text):
    with pytest.raises(ValueError, match=text):
        bootstrap_interval(**arguments)


# ---- correlation ----


def test_pearson_by_hand():
    # a - mean = (-1, 0, 1), b - mean = (-1, -1, 2): 3 / sqrt(2 * 6)
    assert pearson([1, 2, 3], [2, 2, 5]) == pytest.approx(3 / math.sqrt(12), abs=1e-15)
    assert pearson([1, 2, 3, NAN, 5], [2, 2, 5, 9, np.inf]) == pearson([1, 2, 3], [2, 2, 5])
    assert math.isnan(pearson([1, 1], [1, 2]))
    assert math.isnan(pearson([1], [1]))


def test_ranks_are_shared():
    same(ranks([30, 10, 20, 20, 5]), [5, 2, 3.5, 3.5, 1])


def test_spearman_sees_order_only():
    assert spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1)
    # ranks (1, 2, 3) and (1.5, 1.5, 3): 1.5 / sqrt(2 * 1.5)
    assert spearman([1, 2, 3], [7, 7, 9]) == pytest.approx(1.5 / math.sqrt(3), abs=1e-15)
    with pytest.raises(ValueError, match="a and b must be two rows of one length"):
        spearman([1, 2], [1, 2, 3])


def test_default_radii():
    assert metrics.RADII == (2.0, 2.5, 3.0, 4.0)
