"""The errors of landmarks: numbers, files, pictures."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..landmarks.csv import csv_cell
from ..report import accuracy, cells, figures, plots
from ..runs import naming, writing
from ..values import Result, finite
from . import metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOTS = ("curve", "landmarks")  # kinds
PICTURES = 2  # of the images with the largest errors, in a notebook


@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """Errors of predicted landmarks; N images with a true landmark, L landmarks.

    Attributes:
        ids, names: of the images and landmarks.
        predicted, truth: float64 [N][L][2], (x, y) in original pixels, NaN where absent.
        errors: float64 [N][L]; NaN where there is no true landmark, infinite where there is one
            but no prediction.
        unit: of the errors and radii: "mm", "px" (original pixels, or those of the grid), or "%"
            of the distance between two landmarks.
        radii: R radii of the detection rates.
        mre, mre_interval: mean radial error of what was predicted, and its confidence interval.
        rates, rates_intervals: detection rates in percent [R], and their intervals [R][2]. A
            landmark that was not predicted is not detected.
        level, resamples, random_state: of the intervals (bootstrap over images).
        grid: None, or the settings of the paper's way: size and rule.
        faces: None, or of errors in "%": the pair, and over the mean errors of the images the
            failure rate FR@10 in percent and the area under the curve up to 10 %.
        left_out: images with predictions but without a true landmark.
        not_predicted: images with true landmarks and no row among the predictions; not counted.
        excluded: images left out on demand.
        without_spacing: images that are left out of errors in mm, as their spacing is not known.
        images: the `Dataset`, for pictures, or None.
    """

    ids: list[str]
    names: list[str]
    predicted: np.ndarray
    truth: np.ndarray
    errors: np.ndarray
    unit: str
    radii: tuple[float, ...]
    mre: float
    mre_interval: tuple[float, float]
    rates: np.ndarray
    rates_intervals: np.ndarray
    level: float
    resamples: int
    random_state: int
    grid: dict[str, Any] | None = None
    faces: dict[str, Any] | None = None
    left_out: list[str] = field(default_factory=list)
    not_predicted: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    without_spacing: list[str] = field(default_factory=list)
    images: object = field(default=None, compare=False)

    # ---- counts and tables ----

    @property
    def count(self) -> int:
        """Landmarks that are true and predicted."""
        return int(np.isfinite(self.errors).sum())

    @property
    def missing(self) -> int:
        """Landmarks that are true and not predicted."""
        return int(np.isinf(self.errors).sum())

    @property
    def absent(self) -> int:
        """Landmarks of the N images that have no true position."""
        return int(np.isnan(self.errors).sum())

    @property
    def median(self) -> float:
        return float(np.median(self.errors[np.isfinite(self.errors)])) if self.count else math.nan

    def by_landmark(self) -> metrics.ErrorTable:
        """The table of the L landmarks."""
        return metrics.error_table(self.errors, self.radii, "landmark")

    def by_image(self) -> metrics.ErrorTable:
        """The table of the N images."""
        return metrics.error_table(self.errors, self.radii, "image")

    def worst(self, count: int = 12) -> list[tuple[int, int]]:
        """(image, landmark) of the largest errors, largest first; ties to the lowest index."""
        errors = np.where(np.isfinite(self.errors), self.errors, -1).ravel()
        order = np.argsort(-errors, kind="stable")[: min(count, self.count)]
        return [divmod(int(k), len(self.names)) for k in order]

    # ---- showing and writing ----

    def __repr__(self) -> str:
        return f"<Evaluation: {self}>"

    def __str__(self) -> str:
        low, high = self.mre_interval
        rates = ", ".join(
            f"{rate:.1f} % below {radius:g}"
            for radius, rate in zip(self.radii, self.rates, strict=True)
        )
        return (
            f"MRE {self.mre:.3f} {self.unit} ({self.level:.0%} interval {low:.3f} to {high:.3f}); "
            f"{rates} {self.unit}; {self.count} landmarks of {len(self.ids)} images"
        )

    def _repr_html_(self) -> str:
        table = self.by_landmark()
        heads = ["landmark", f"MRE, {self.unit}", *(f"< {r:g} {self.unit}" for r in self.radii)]
        rows = [
            (name, _shown(mean), *(f"{_shown(v, 1)} %" for v in rates))
            for name, mean, rates in zip(self.names, table.mean, table.rates, strict=True)
        ]
        worst = [f"{self.ids[i]}, {self._case(i, k)}" for i, k in self.worst(5)]
        said = cells.paragraph(f"largest errors: {'; '.join(worst)}") if worst else ""
        return cells.paragraph(self) + cells.table(heads, rows) + said + self._worst_images()

    def _case(self, i: int, k: int) -> str:
        return f"{self.names[k]}: {_shown(self.errors[i, k])} {self.unit}"

    def _worst_images(self) -> str:
        """Pictures of the images with the largest errors, where the images are known."""
        known = list(getattr(self.images, "ids", ()))
        cases: dict[int, int] = {}  # image -> the landmark of its largest error
        for i, k in self.worst(50 * PICTURES):
            cases.setdefault(i, k)
        there = [i for i in cases if self.ids[i] in known][:PICTURES]
        if not there:
            return ""
        captions = [f"{self.ids[i]}, {self._case(i, cases[i])}" for i in there]
        return cells.marked(
            self.images,
            [known.index(self.ids[i]) for i in there],
            self.predicted[there],
            captions,
            [cases[i] for i in there],
            self.truth[there],
        ) + cells.paragraph("crosses: predicted, orange the largest error; rings: true")

    def plot(self, ax: Axes | None = None, *, kind: str = "curve") -> Axes:
        """The errors, drawn with matplotlib.

        Args:
            ax: where to draw; None: a new figure.
            kind: "curve", the share of the landmarks below each error; "landmarks", a box for each
                landmark.

        Returns:
            the axes. `scp.report.plots.error_figure` draws both as SVG.
        """
        if kind not in PLOTS:
            raise ValueError(f"kind must be one of {', '.join(PLOTS)}, got {kind!r}")
        if kind == "curve":
            return figures.error_curve(self.errors, self.radii, self.unit, ax)
        return figures.boxes(self.errors, self.names, f"Error, {self.unit}", ax)

    def _drawing(self) -> Any:
        return plots.error_figure(self.errors, self.names, self.radii, self.unit)

    def to_dict(self) -> dict[str, Any]:
        """The content of metrics.json: numbers, lists and texts; None for what is unknown."""
        landmarks, images = self.by_landmark(), self.by_image()
        return {
            "unit": self.unit,
            "images": len(self.ids),
            "landmarks": len(self.names),
            "count": self.count,
            "missing": self.missing,
            "absent": self.absent,
            "mre": finite(self.mre),
            "mre_interval": finite(self.mre_interval),
            "median": finite(self.median),
            "sdr": {f"{r:g}": finite(v) for r, v in zip(self.radii, self.rates, strict=True)},
            "sdr_intervals": {
                f"{r:g}": finite(v) for r, v in zip(self.radii, self.rates_intervals, strict=True)
            },
            "interval": {
                "method": "bootstrap over images, percentiles",
                "level": self.level,
                "resamples": self.resamples,
                "seed": self.random_state,
            },
            "grid": self.grid,
            "faces": self.faces,
            "by_landmark": self._rows(self.names, landmarks),
            "by_image": self._rows(self.ids, images),
            "worst": [
                {"image": self.ids[i], "landmark": self.names[k], "error": float(self.errors[i, k])}
                for i, k in self.worst()
            ],
            "left_out": self.left_out,
            "not_predicted": self.not_predicted,
            "excluded": self.excluded,
            "without_spacing": self.without_spacing,
        }

    def _rows(self, names: list[str], table: metrics.ErrorTable) -> list[dict]:
        return [
            {
                "name": name,
                "count": int(table.count[k]),
                "mre": finite(table.mean[k]),
                "sd": finite(table.sd[k]),
                "median": finite(table.median[k]),
                "largest": finite(table.largest[k]),
                "sdr": {
                    f"{r:g}": finite(v) for r, v in zip(self.radii, table.rates[k], strict=True)
                },
            }
            for k, name in enumerate(names)
        ]

    def write(self, folder: str | os.PathLike[str], pictures: bool = True) -> list[Path]:
        """Write the evaluation into a folder, each file whole or not at all.

        metrics.json (`to_dict`), metrics.csv (a line per image and landmark), metrics.svg (both
        kinds of `plot`), evaluation.html (all of it, with pictures of the worst cases where the
        images are known).
        The same evaluation gives the same bytes.

        Args:
            folder: made if it is not there.
            pictures: False leaves out the pictures of the worst cases, so that no image is read.

        Returns:
            the paths written.
        """
        folder = Path(folder)
        with naming(folder):
            folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        files = {
            "metrics.json": content.encode("utf-8", "replace"),
            "metrics.csv": self.csv().encode("utf-8", "replace"),
            "evaluation.html": accuracy.render(self, pictures).encode("utf-8"),
            "metrics.svg": f"{self._drawing()}\n".encode(),
        }
        for name, data in files.items():
            with writing(folder / name) as beside:
                beside.write_bytes(data)
        return [folder / name for name in files]

    def csv(self) -> str:
        """A line per image and landmark: image,landmark,x,y,true_x,true_y,error_mm (or error_px).

        Cells of what is absent are empty.
        """
        lines = [f"image,landmark,x,y,true_x,true_y,error_{self.unit}"]
        for i, image in enumerate(self.ids):
            for k, name in enumerate(self.names):
                numbers = (*self.predicted[i, k], *self.truth[i, k], self.errors[i, k])
                cells = (repr(float(v)) if math.isfinite(v) else "" for v in numbers)
                lines.append(",".join((csv_cell(image), csv_cell(name), *cells)))
        return "\n".join(lines) + "\n"


def _shown(value: float, decimals: int = 2) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "–"
