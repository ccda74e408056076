"""How far measurements agree with those of the true landmarks, and whether their classes do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..report import cells, figures
from ..report.measured import digits, percent
from ..values import Result, finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .result import Measurements

LIMITS = 1.96  # standard deviations on either side of the mean difference


@dataclass(frozen=True, eq=False)
class Agreement(Result):
    """Measured and true values of N images.

    Attributes:
        ids, names, units: of the images compared and of the measurements.
        measured, truth: float64 [N][M]; NaN where not known.
        inside: bool [N][M], the interval holds the true value; where both are known (`judged`).
        judged: bool [N][M]. half: float64 [N][M], half the width of the interval.
        labels: the classes of each measurement.
        measured_classes, true_classes: str [N][M], "" without one.
        excluded: images that a person gave landmarks of, not compared.
        without_truth: images without true landmarks.
    """

    ids: list[str]
    names: list[str]
    units: list[str]
    measured: np.ndarray
    truth: np.ndarray
    inside: np.ndarray
    judged: np.ndarray
    half: np.ndarray
    labels: list[list[str]]
    measured_classes: np.ndarray
    true_classes: np.ndarray
    level: float
    error_scale: float
    excluded: list[str]
    without_truth: list[str]

    @property
    def differences(self) -> np.ndarray:
        """Measured minus true, float64 [N][M]; of angles within half a turn."""
        d = self.measured - self.truth
        turns = np.array([unit == "deg" for unit in self.units])
        return np.where(turns & (np.abs(d) > 180), (d + 180) % 360 - 180, d)

    def summary(self) -> list[dict[str, Any]]:
        """For each measurement: count, mean difference, its standard deviation, the limits of
        agreement (mean -+ 1.96 standard deviations; Bland and Altman, 1986), mean absolute
        difference, share of the true values within the intervals, and the success of its classes
        (`success`); NaN for what is not known."""
        return [self._of(k) for k in range(len(self.names))]

    def _of(self, k: int) -> dict[str, Any]:
        d = self.differences[:, k]
        d = d[~np.isnan(d)]
        mean = float(d.mean()) if len(d) else math.nan
        sd = float(d.std(ddof=1)) if len(d) > 1 else math.nan
        judged = self.judged[:, k]
        return {
            "name": self.names[k],
            "unit": self.units[k],
            "count": len(d),
            "mean": mean,
            "sd": sd,
            "low": mean - LIMITS * sd,
            "high": mean + LIMITS * sd,
            "absolute": float(np.abs(d).mean()) if len(d) else math.nan,
            "coverage": float(self.inside[judged, k].mean()) if judged.any() else math.nan,
            "success": self.success(k),
            "right": self.right(k),
        }

    def confusion(self, k: int) -> np.ndarray:
        """int [C][C + 1] of measurement k: true classes in rows, measured ones in columns, and last
        those that are in none, a landmark being absent. Images without a true class do not
        count."""
        labels = self.labels[k]
        at = {label: c for c, label in enumerate(labels)}
        out = np.zeros((len(labels), len(labels) + 1), np.int64)
        pairs = zip(self.true_classes[:, k], self.measured_classes[:, k], strict=True)
        for true, found in pairs:
            if true in at:
                out[at[true], at.get(found, len(labels))] += 1
        return out

    def success(self, k: int) -> float:
        """The challenge's success rate of classification, in percent: the mean of the diagonal of
        the confusion matrix whose rows are divided by their sums, over the classes that occur."""
        counts = self.confusion(k)
        total = counts.sum(axis=1)
        there = total > 0
        if not there.any():
            return math.nan
        return 100 * float((counts.diagonal()[there] / total[there]).mean())

    def right(self, k: int) -> float:
        """Share of the images in their true class, in percent."""
        counts = self.confusion(k)
        return 100 * float(np.trace(counts) / counts.sum()) if counts.sum() else math.nan

    @property
    def mean_success(self) -> float:
        """Mean of `success` over the measurements with classes."""
        known = [v for v in map(self.success, range(len(self.names))) if math.isfinite(v)]
        return float(np.mean(known)) if known else math.nan

    @property
    def coverage(self) -> float:
        """Share of all true values within their intervals."""
        return float(self.inside[self.judged].mean()) if self.judged.any() else math.nan

    @property
    def needed_scale(self) -> float:
        """The `error_scale` with which the intervals would hold as many of these true values as
        they are to hold; NaN where there are none."""
        known = self.judged & (self.half > 0)
        if not known.any():
            return math.nan
        ratio = np.abs(self.differences[known]) / self.half[known]
        return self.error_scale * float(np.quantile(ratio, self.level))

    def __repr__(self) -> str:
        success = self.mean_success
        more = f", {success:.1f} % success of classification" if math.isfinite(success) else ""
        return f"<Agreement: {len(self.names)} measurements of {len(self.ids)} images{more}>"

    def _repr_html_(self) -> str:
        heads = ("measurement", "unit", "images", "mean difference", "SD", "mean absolute", "class")
        rows = [
            (
                row["name"],
                row["unit"],
                row["count"],
                digits(row["mean"], row["unit"], True),
                digits(row["sd"], row["unit"]),
                digits(row["absolute"], row["unit"]),
                percent(row["right"]),
            )
            for row in self.summary()
        ]
        return cells.paragraph(repr(self)[1:-1]) + cells.table(heads, rows)

    def plot(self, ax: Axes | None = None, *, name: str | None = None) -> Axes | np.ndarray:
        """The differences of a measurement against its mean (Bland and Altman, 1986), drawn with
        matplotlib.

        Args:
            ax: where to draw the one that is named; None: a new figure.
            name: of the measurement; None: all of them, in a new figure.

        Returns:
            the axes; of all measurements, an array of them [M]. `scp.report.measured.bland_altman`
            draws all as SVG.
        """
        return figures.each(lambda k, at: figures.difference(self, k, at), self.names, name, ax)

    def to_dict(self) -> dict[str, Any]:
        rows = [
            {
                **{key: finite(value) for key, value in row.items()},
                "classes": self.labels[k],
                "confusion": self.confusion(k).tolist(),
            }
            for k, row in enumerate(self.summary())
        ]
        return {
            "images": len(self.ids),
            "excluded": self.excluded,
            "without_truth": self.without_truth,
            "level": self.level,
            "coverage": finite(self.coverage),
            "needed_scale": finite(self.needed_scale),
            "mean_success": finite(self.mean_success),
            "measurements": rows,
        }


def agreement(found: Measurements, true: Measurements) -> Agreement:
    """Compare measurements of the same images. Those that a person gave landmarks of are left out,
    unless there are no others.

    Raises:
        ValueError: no image is left.
    """
    known = ~np.isnan(true.values).all(axis=1)
    rows = known & ~found.by_hand
    rows = rows if rows.any() else known
    if not rows.any():
        raise ValueError("truth: none of the measurements can be made from its landmarks")
    here = np.flatnonzero(rows)
    values, truth = found.values[here], true.values[here]
    low, high = found.low[here], found.high[here]
    judged = ~np.isnan(low) & ~np.isnan(high) & ~np.isnan(truth)
    with np.errstate(invalid="ignore"):
        inside = judged & (low <= truth) & (truth <= high)
    return Agreement(
        ids=[found.ids[i] for i in here],
        names=found.names,
        units=found.units,
        measured=values,
        truth=truth,
        inside=inside,
        judged=judged,
        half=(high - low) / 2,
        labels=[list(dict.fromkeys(c.name for c in m.classes)) for m in found.measures],
        measured_classes=found.classes[here],
        true_classes=true.classes[here],
        level=found.level,
        error_scale=found.error_scale,
        excluded=[found.ids[i] for i in np.flatnonzero(known & ~rows)],
        without_truth=[found.ids[i] for i in np.flatnonzero(~known)],
    )
