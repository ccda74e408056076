"""How far predicted landmarks lie from the true ones, in numbers; NumPy only, no files.

Points are (x, y) in original pixels with pixel centres at integers, spacing is (sy, sx) in
millimetres per pixel, shapes and sizes are (rows, columns). A landmark that is absent is NaN, and
so is its error; means and rates leave NaN out, and are NaN where nothing is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ..values import Result, array, whole

RADII = (2.0, 2.5, 3.0, 4.0)  # mm, of the cephalograms in the paper
RADII_OF = {"mm": RADII, "px": (5.0, 10.0, 20.0, 40.0), "%": (2.0, 5.0, 8.0, 10.0)}  # by unit
RULES = ("truncate", "round")
_HALF = 1e-6  # of a pixel: what conversion between grids may add to an exact half


# ---- distances ----


def radial_errors(
    predicted: ArrayLike, truth: ArrayLike, spacing: ArrayLike | None = None
) -> np.ndarray:
    """Radial error: distance of each predicted point from the true one (the measure of the paper).

        RE = sqrt(((y - y*) sy)^2 + ((x - x*) sx)^2)

    Args:
        predicted: points [...][2]; broadcast against the truth, so [T][N][L][2] goes with
            [N][L][2].
        truth: points [...][2].
        spacing: (sy, sx) in mm per pixel; [2], or [N][2] with one row per image of points
            [...][N][L][2], or anything that broadcasts against the points. None: pixels.

    Returns:
        float64 [...], in mm (pixels without spacing); NaN where either point is absent.

    Raises:
        ValueError: shapes that do not agree; a spacing that is not positive.
    """
    predicted, truth = points(predicted, "predicted"), points(truth, "truth")
    try:
        delta = predicted - truth
    except ValueError:
        raise ValueError(
            f"predicted {list(predicted.shape)} and truth {list(truth.shape)} do not agree"
        ) from None
    if spacing is not None:
        spacing = array(spacing, "spacing")
        if not (spacing > 0).all() or not np.isfinite(spacing).all():
            raise ValueError("spacing must be positive")
        delta = delta * _per_image(spacing, delta.shape, "spacing")[..., ::-1]
    return np.sqrt((delta * delta).sum(axis=-1))


def points(xy: ArrayLike, name: str) -> np.ndarray:
    """`xy` as float64 [...][2], or ValueError that calls it `name`."""
    xy = array(xy, name, absent=True)
    if xy.ndim == 0 or xy.shape[-1] != 2:
        raise ValueError(f"{name} must have a last axis of length 2 (x, y), got {list(xy.shape)}")
    return xy


def _per_image(pair: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Pairs [2] or [N][2] so that they broadcast against points of this shape [...][N][L][2]."""
    if pair.ndim == 0 or pair.shape[-1] != 2:
        raise ValueError(f"{name} must have a last axis of length 2, got {list(pair.shape)}")
    if pair.ndim == 2 and len(shape) > 2:
        pair = pair[:, None]
    try:
        fits = np.broadcast_shapes(pair.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} {list(pair.shape)} does not go with points {list(shape)}")
    return pair


# ---- means and rates ----


def mean_radial_error(
    errors: ArrayLike, axis: int | tuple[int, ...] | None = None
) -> np.ndarray | float:
    """MRE: the mean of the errors that are there, over `axis` (None: all). In their unit.

    Where every image has every landmark this is also the mean over landmarks of the means over
    images, as the paper takes it.
    """
    errors = array(errors, "errors", absent=True)
    known = ~np.isnan(errors)
    total = np.where(known, errors, 0).sum(axis=axis)
    count = known.sum(axis=axis)
    out = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return out if out.ndim else float(out)


def detection_rates(
    errors: ArrayLike,
    radii: Sequence[float] = RADII,
    axis: int | tuple[int, ...] | None = None,
) -> np.ndarray:
    """SDR, successful detection rate: percentage of the errors that are below each radius.

        SDR(r) = 100 * #{RE < r} / #{RE}, strictly below

    An infinite error counts as not detected; NaN does not count.

    Args:
        errors: [...], in the unit of the radii.
        radii: R positive numbers.
        axis: the axis or axes to count over; None: all.

    Returns:
        float64 [...][R], percent; the last axis is that of the radii.
    """
    errors = array(errors, "errors", absent=True)
    radii = check_radii(radii)
    count = np.asarray((~np.isnan(errors)).sum(axis=axis))[..., None]
    below = np.stack([(errors < r).sum(axis=axis) for r in radii], axis=-1)
    return np.where(count > 0, 100 * below / np.maximum(count, 1), np.nan)


def check_radii(radii: Sequence[float]) -> tuple[float, ...]:
    """The radii as floats, or ValueError: at least one, positive and finite, no two the same."""
    try:
        out = tuple(float(r) for r in radii)
    except (TypeError, ValueError):
        raise ValueError(f"radii must be numbers, got {radii!r}") from None
    if not out or not all(0 < r < np.inf for r in out) or len(set(out)) != len(out):
        raise ValueError(f"radii must be different positive numbers, got {radii!r}")
    return out


@dataclass(frozen=True, eq=False)
class ErrorTable(Result):
    """What the errors of each landmark (or of each image) come to; all [K].

    Attributes:
        count: how many errors there are.
        mean, sd, median, largest: in the unit of the errors; sd is that of the population
            (ddof 0). NaN where there is no error.
        rates: [K][R], percent, as `detection_rates`.
    """

    count: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    median: np.ndarray
    largest: np.ndarray
    rates: np.ndarray


def error_table(
    errors: ArrayLike, radii: Sequence[float] = RADII, by: str = "landmark"
) -> ErrorTable:
    """The table per "landmark" (K = L) or per "image" (K = N) of errors [N][L].

    An infinite error (a landmark that was not predicted) counts in the rates only.
    """
    errors = array(errors, "errors", absent=True)
    if errors.ndim != 2:
        raise ValueError(f"errors must be [N][L], got {list(errors.shape)}")
    if by not in ("landmark", "image"):
        raise ValueError(f"by must be landmark or image, got {by!r}")
    rows = errors.T if by == "landmark" else errors
    rates = detection_rates(rows, radii, axis=1)
    rows = [row[np.isfinite(row)] for row in rows]

    def of(function):
        return np.array([function(row) if len(row) else np.nan for row in rows], np.float64)

    return ErrorTable(
        np.array([len(row) for row in rows], np.int64),
        of(np.mean),
        of(np.std),
        of(np.median),
        of(np.max),
        rates,
    )


# ---- the paper's grid ----


def paper_truth(
    xy: ArrayLike, shape: ArrayLike, size: ArrayLike = 384, rule: str = "truncate"
) -> np.ndarray:
    """True landmarks as the released code sees them: whole pixels of a small grid.

    rule="truncate" (cephalograms): the point is cut to whole pixels of the original first,
    then scaled and cut again, int(int(x) * w / W); the code cuts the mean of two readers so.
    rule="round" (hands): round(x * w / W), exact halves to the even number.
    Seen by pixel centres (as in `paper_pixels`), "truncate" picks nearly the pixel that holds the
    point: the truth of a cephalogram moves by 0.23 mm on average, with a shift of 0.07 mm up and
    left in common. "round" moves it half a pixel of the grid right and down on average.

    Args:
        xy: [...][2] in original pixels.
        shape: (H, W) of the original; [2], or [N][2] for points [...][N][L][2].
        size: of the grid, one number or (h, w).
        rule: one of RULES.

    Returns:
        float64 [...][2], whole numbers; NaN where absent.
    """
    xy = points(xy, "xy")
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
    shape, size = _shape(shape, xy.shape), _size(size)
    if rule == "truncate":
        return np.trunc(np.trunc(xy) * size[::-1] / shape[..., ::-1])
    return np.rint(xy * size[::-1] / shape[..., ::-1])


def paper_pixels(xy: ArrayLike, shape: ArrayLike, size: ArrayLike = 384) -> np.ndarray:
    """Predictions as whole pixels of the paper's grid.

    The nearest pixel of the grid by pixel centres, g = (x + 0.5) w / W - 0.5; an exact half goes
    to the left or upper one. So the centre of a cell of 2 x 2 pixels, where matching with
    mode="nearest" puts its answer, becomes the cell's top left pixel, which is the first of the
    equal maxima that the released code finds.

    Args and returns: as `paper_truth`.
    """
    xy = points(xy, "xy")
    shape, size = _shape(shape, xy.shape), _size(size)
    grid = (xy + 0.5) * size[::-1] / shape[..., ::-1] - 0.5
    return np.ceil(grid - 0.5 - _HALF) + 0.0


def paper_spacing(spacing: ArrayLike, shape: ArrayLike, size: ArrayLike = 384) -> np.ndarray:
    """mm per pixel of the grid, (sy H / h, sx W / w); 0.625 and 0.50390625 for cephalograms of
    2400 x 1935 pixels of 0.1 mm.

    spacing and shape [2] or [N][2]; returns float64 of the larger shape.
    """
    return array(spacing, "spacing") * array(shape, "shape") / _size(size)


def paper_errors(
    predicted: ArrayLike,
    truth: ArrayLike,
    shape: ArrayLike,
    spacing: ArrayLike | None = None,
    *,
    size: ArrayLike = 384,
    rule: str = "truncate",
    grid_spacing: ArrayLike | None = None,
) -> np.ndarray:
    """Radial errors as the released code measures them, on whole pixels of a small grid.

    For comparison with the paper's tables: `radial_errors` measures in the original image. The
    truth goes through `paper_truth`, the prediction through `paper_pixels`.

    Args:
        predicted: [...][N][L][2] or [...][2], original pixels.
        truth: the same, original pixels.
        shape: (H, W) of the originals, [2] or [N][2].
        spacing: mm per original pixel (sy, sx), [2] or [N][2]; scaled by `paper_spacing`.
        size: of the grid, one number or (h, w).
        rule: for the truth, one of RULES.
        grid_spacing: mm per pixel of the grid instead, as `wrist_spacing(way="grid")` gives it.

    Returns:
        float64 [...] in mm; in pixels of the grid without either spacing.
    """
    if spacing is not None and grid_spacing is not None:
        raise ValueError("spacing and grid_spacing: one of them only")
    if spacing is not None:
        grid_spacing = paper_spacing(spacing, shape, size)
    return radial_errors(
        paper_pixels(predicted, shape, size), paper_truth(truth, shape, size, rule), grid_spacing
    )


def _shape(shape, of: tuple[int, ...]) -> np.ndarray:
    shape = array(shape, "shape")
    if not (shape >= 1).all():
        raise ValueError("shape must be positive (rows, columns)")
    return _per_image(shape, of, "shape")


def _size(size) -> np.ndarray:
    """`size` as float64 (h, w)."""
    size = np.asarray(size)
    whole = size.dtype.kind in "iu" and size.shape in ((), (2,)) and (size >= 1).all()
    if not whole:
        raise ValueError(f"size must be a positive whole number or (rows, columns), got {size}")
    return np.broadcast_to(size, 2).astype(np.float64)


# ---- hands ----


def wrist_spacing(
    truth: ArrayLike,
    *,
    pair: tuple[int, int] = (0, 4),
    width: float = 50.0,
    way: str = "original",
    shape: ArrayLike | None = None,
    size: ArrayLike = 384,
) -> np.ndarray:
    """Spacing of radiographs of hands from the width of the wrist, float64 [N][2].

        s = width / |g_a - g_b|, the same for both axes

    with the true landmarks (a, b) = pair and a wrist of 50 mm (Payer et al., Medical Image
    Analysis 2019).

    way="original": the distance in original pixels; mm per original pixel.
    way="grid": as the released code, the distance between the landmarks rounded to the grid
        (`paper_truth`, rule "round"); mm per pixel of the grid, for `paper_errors(grid_spacing=)`.
        The grid squeezes the rows and columns of an image differently and the wrist lies across:
        errors along y come out too small by about W / H.

    Args:
        truth: [N][L][2] in original pixels.
        pair: two landmarks, from 0.
        width: mm between them.
        way: "original" or "grid".
        shape: (H, W) of the originals, [2] or [N][2]; for "grid" only.
        size: of the grid.

    Raises:
        ValueError: names the first image where one of the two is absent or both coincide.
    """
    if way not in ("original", "grid"):
        raise ValueError(f"way must be original or grid, got {way!r}")
    if way == "grid":
        if shape is None:
            raise ValueError("shape: the sizes of the images are needed for way='grid'")
        truth = paper_truth(truth, shape, size, "round")
    if not 0 < width < np.inf:
        raise ValueError(f"width must be positive, got {width}")
    apart = _apart(truth, pair)
    return np.repeat(width / apart[:, None], 2, axis=1)


def _apart(truth, pair: tuple[int, int]) -> np.ndarray:
    """Distance between two true landmarks of each image, [N]."""
    truth = points(truth, "truth")
    if truth.ndim != 3:
        raise ValueError(f"truth must be [N][L][2], got {list(truth.shape)}")
    a, b = pair
    if not (0 <= a < truth.shape[1] and 0 <= b < truth.shape[1]) or a == b:
        raise ValueError(f"pair must be two landmarks below {truth.shape[1]}, got {tuple(pair)}")
    apart = radial_errors(truth[:, a], truth[:, b])
    bad = np.flatnonzero(~(apart > 0) | np.isinf(apart))
    if len(bad):
        raise ValueError(
            f"truth: landmarks {a} and {b} of image {bad[0]} are absent or at the same place "
            f"({len(bad)} such images)"
        )
    return apart


# ---- faces ----


def normalised_errors(
    predicted: ArrayLike, truth: ArrayLike, pair: tuple[int, int] = (60, 72)
) -> np.ndarray:
    """NME of each landmark, in percent of the distance between two true ones.

        100 * |p_l - g_l| / |g_a - g_b|

    (a, b) = pair: the outer corners of the eyes among the 98 landmarks of WFLW (Wu et al., CVPR
    2018). The NME of an image is the mean over its landmarks, `mean_radial_error(..., axis=1)`.

    Args:
        predicted, truth: [N][L][2], pixels.

    Returns:
        float64 [N][L].
    """
    return 100 * radial_errors(predicted, truth) / _apart(truth, pair)[:, None]


def failure_rate(nme: ArrayLike, threshold: float = 10.0) -> float:
    """FR: percentage of images whose NME [N] (percent) is above the threshold; NaN left out."""
    nme = _known(nme, "nme")
    return float(100 * np.mean(nme > threshold)) if len(nme) else float("nan")


def area_under_curve(nme: ArrayLike, threshold: float = 10.0, steps: int = 50) -> float:
    """AUC of the cumulative curve of the NME [N] (percent), from 0 to 1.

        sum over t in linspace(0, threshold, steps) of share(NME <= t) / steps

    A Riemann sum with both ends, as the code released with 3FabRec takes it (Browatzki and
    Wallraven, CVPR 2020); not the trapezoidal rule.
    """
    if steps < 2 or not threshold > 0:
        raise ValueError(f"threshold must be positive and steps at least 2: {threshold}, {steps}")
    nme = _known(nme, "nme")
    if not len(nme):
        return float("nan")
    at = np.linspace(0, threshold, steps)
    return float((nme[None, :] <= at[:, None]).mean(axis=1).sum() / steps)


def _known(values, name: str) -> np.ndarray:
    values = array(values, name, absent=True)
    if values.ndim != 1:
        raise ValueError(f"{name} must be [N], got {list(values.shape)}")
    return values[~np.isnan(values)]


# ---- uncertainty and correlation ----


def bootstrap_interval(
    values: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    resamples: int = 10_000,
    level: float = 0.95,
    random_state: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence interval of a mean over images: percentiles of resampled means.

        T_b = sum_i w_i v_i / sum_i w_i over N images i drawn with replacement

    and the interval is that between the (1 - level) / 2 and (1 + level) / 2 quantiles of T_b (the
    percentile method; Efron and Tibshirani, 1993, chapter 13). Whole images are drawn, because the
    errors of one image's landmarks belong together. Draw b uses stream b of the counter-based
    generator, floor(u N / 2^32) of each 32-bit word u: the same random_state gives the same
    interval anywhere, and every column is drawn with the same images. A column that holds the
    weights' zero (or NaN) in every drawn image gives no mean and does not count.

    Args:
        values: one number per image, [N], or [N][K] for K means at once.
        weights: [N] or [N][K], not negative: how much an image counts, the number of its landmarks
            say. None: 1. A NaN value has the weight 0.
        resamples: how many draws.
        level: share of the distribution inside, between 0 and 1.
        random_state: of the draws.

    Returns:
        low, high: float64 [] or [K]; NaN where nothing is known.
    """
    values = array(values, "values", absent=True)
    if values.ndim not in (1, 2) or not len(values):
        raise ValueError(f"values must be [N] or [N][K], N at least 1, got {list(values.shape)}")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    resamples = whole(resamples, "resamples", 1)
    table = values if values.ndim == 2 else values[:, None]
    weights = np.ones(len(values)) if weights is None else array(weights, "weights")
    weights = weights[:, None] if weights.ndim == 1 else weights
    if weights.shape not in (table.shape, (len(table), 1)) or not (weights >= 0).all():
        raise ValueError(f"weights must be {list(values.shape)} numbers from 0 on")
    weights = np.where(np.isnan(table), 0.0, weights).T.copy()
    sums = np.where(weights > 0, np.nan_to_num(table.T, nan=0.0) * weights, 0.0)
    count = len(table)
    drawn = np.empty((len(sums), resamples))
    block = max(1, min(1024, (1 << 20) // count))
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        words = np.stack([_core.random_words(random_state, b, count) for b in range(start, stop)])
        rows = ((words.astype(np.uint64) * np.uint64(count)) >> np.uint64(32)).astype(np.intp)
        for k in range(len(sums)):
            weight = weights[k][rows].sum(axis=1)
            total = sums[k][rows].sum(axis=1)
            drawn[k, start:stop] = np.where(
                weight > 0, total / np.where(weight > 0, weight, 1), np.nan
            )
    ends = (0.5 - level / 2, 0.5 + level / 2)
    low, high = np.array([_quantiles(row, ends) for row in drawn]).reshape(-1, 2).T
    return (low, high) if values.ndim == 2 else (low[0], high[0])


def _quantiles(drawn: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    drawn = drawn[~np.isnan(drawn)]
    return np.quantile(drawn, ends) if len(drawn) else np.full(2, np.nan)


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson's correlation of the pairs where both are known; NaN for fewer than two pairs or a
    constant side."""
    a, b = _pairs(a, b)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()), -1, 1))


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's correlation: Pearson's of the ranks, equal values sharing their mean rank."""
    a, b = _pairs(a, b)
    return pearson(ranks(a), ranks(b))


def ranks(values: ArrayLike) -> np.ndarray:
    """Ranks of the values [N] from 1, float64; equal values share their mean rank."""
    _, group, count = np.unique(
        array(values, "values", None), return_inverse=True, return_counts=True
    )
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[group]


def _pairs(a, b) -> tuple[np.ndarray, np.ndarray]:
    a, b = array(a, "a", absent=True), array(b, "b", absent=True)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(
            f"a and b must be two rows of one length: {list(a.shape)}, {list(b.shape)}"
        )
    known = np.isfinite(a) & np.isfinite(b)
    return a[known], b[known]
