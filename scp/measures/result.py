"""Measurements: numbers, files, pictures."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..landmarks.csv import csv_cell
from ..report import cells, figures, measured, words
from ..runs import naming, writing
from ..values import Result, finite
from .agreement import Agreement
from .definitions import LENGTH, Definitions, Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TABLE, NUMBERS, PAGE = "measurements.csv", "measurements.json", "measurements.html"


@dataclass(frozen=True, eq=False)
class Measurements(Result):
    """M measurements of N images.

    Attributes:
        ids, names: of the images and measurements.
        units: M texts: "deg", "mm" (or "px", where no spacing is known), "%" or "".
        values: float64 [N][M]; NaN where a landmark is absent.
        low, high: float64 [N][M], the ends of the intervals; NaN where an expected error is not
            known.
        level: share of the true values that the intervals are to hold. error_scale: what the
            expected errors were multiplied by.
        definitions: what was measured.
        by_hand: bool [N], a person gave landmarks of this image.
        missing: measurement -> landmarks that no image has.
        remarks: what to know of the numbers.
        agreement: with measurements from true landmarks, or None.
    """

    ids: list[str]
    names: list[str]
    units: list[str]
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    error_scale: float
    definitions: Definitions
    by_hand: np.ndarray
    missing: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    agreement: Agreement | None = None

    # ---- classes and counts ----

    @property
    def measures(self) -> list[Measure]:
        """The M definitions."""
        return self.definitions.shown

    @property
    def classes(self) -> np.ndarray:
        """str [N][M], the name of the class of each value; "" without one."""
        out = np.full(self.values.shape, "", object)
        for k, m in enumerate(self.measures):
            if m.classes and self._comparable(k):
                out[:, k] = classes_of(m, self.values[:, k])
        return out.astype(np.str_)

    @property
    def empty(self) -> dict[str, int]:
        """Measurement -> of how many images it is not known."""
        counts = np.isnan(self.values).sum(axis=0)
        return {name: int(n) for name, n in zip(self.names, counts, strict=True) if n}

    def column(self, name: str) -> np.ndarray:
        """The values of one measurement, [N]."""
        if name not in self.names:
            raise ValueError(
                f"no measurement is called {name!r}; there are {', '.join(self.names)}"
            )
        return self.values[:, self.names.index(name)]

    def _comparable(self, k: int) -> bool:
        """Norm and classes are of the unit that the values have."""
        return self.measures[k].unit != LENGTH or self.units[k] == LENGTH

    def norm(self, k: int) -> tuple[float, float] | None:
        """Lower and upper end of what is usual, of measurement k."""
        return self.measures[k].norm if self._comparable(k) else None

    # ---- showing and writing ----

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        empty = int(np.isnan(self.values).sum())
        more = f", {empty} values empty" if empty else ""
        kinds = words.count(len(self.names), "measurement")
        return f"<{kinds} of {words.count(len(self), 'image')}{more}>"

    def _repr_html_(self) -> str:
        rows = [
            (name, _shown(mean), _shown(sd), unit, count)
            for name, unit, count, mean, sd in self.summary()
        ]
        heads = ("measurement", "mean", "SD", "unit", "images")
        said = cells.paragraph(f"{words.count(len(self), 'image')}, {self.definitions.title}")
        return said + cells.table(heads, rows)

    def summary(self) -> list[tuple[str, str, int, float, float]]:
        """Name, unit, number of images, mean and standard deviation of each measurement."""
        out = []
        for k, name in enumerate(self.names):
            known = self.values[~np.isnan(self.values[:, k]), k]
            mean = float(known.mean()) if len(known) else math.nan
            sd = float(known.std(ddof=1)) if len(known) > 1 else math.nan
            out.append((name, self.units[k], len(known), mean, sd))
        return out

    def records(self) -> list[dict[str, Any]]:
        """A dict for each image and measurement: `pandas.DataFrame(result.records())`."""
        return [
            {
                "image": image,
                "measurement": name,
                "value": finite(self.values[i, k]),
                "low": finite(self.low[i, k]),
                "high": finite(self.high[i, k]),
                "unit": self.units[k],
                "class": str(classes[k]) or None,
            }
            for i, (image, classes) in enumerate(zip(self.ids, self.classes, strict=True))
            for k, name in enumerate(self.names)
        ]

    def csv(self) -> str:
        """A line per image and measurement: image,measurement,value,low,high,unit,class. Cells of
        what is not known are empty."""
        lines = ["image,measurement,value,low,high,unit,class"]
        for row in self.records():
            numbers = ("" if row[n] is None else repr(row[n]) for n in ("value", "low", "high"))
            texts = (row["unit"], csv_cell(row["class"] or ""))
            names = csv_cell(row["image"]), csv_cell(row["measurement"])
            lines.append(",".join((*names, *numbers, *texts)))
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """The content of measurements.json: numbers, lists and texts; None for what is unknown."""
        return {
            "definitions": {"title": self.definitions.title, "source": self.definitions.source},
            "level": self.level,
            "error_scale": self.error_scale,
            "images": len(self),
            "measurements": [
                {
                    "name": name,
                    "title": self.measures[k].title,
                    "unit": unit,
                    "count": count,
                    "empty": len(self) - count,
                    "mean": finite(mean),
                    "sd": finite(sd),
                    "norm": self.norm(k),
                    "missing_landmarks": self.missing.get(name, []),
                }
                for k, (name, unit, count, mean, sd) in enumerate(self.summary())
            ],
            "remarks": self.remarks,
            "agreement": None if self.agreement is None else self.agreement.to_dict(),
            "values": self.records(),
        }

    def plot(self, ax: Axes | None = None, *, name: str | None = None) -> Axes | np.ndarray:
        """The distribution of a measurement, with what is usual as a band, drawn with matplotlib.

        Args:
            ax: where to draw the one that is named; None: a new figure.
            name: of the measurement; None: all of them, in a new figure.

        Returns:
            the axes; of all measurements, an array of them [M]. `scp.report.measured.distributions`
            draws all as SVG.
        """
        return figures.each(lambda k, at: figures.distribution(self, k, at), self.names, name, ax)

    def write(self, target: str | os.PathLike[str]) -> list[Path]:
        """Write the measurements, each file whole or not at all; the same ones give the same bytes.

        target: a folder, which gets measurements.csv, measurements.json and measurements.html; or
            one file of these kinds, .csv, .json or .html.

        Returns:
            the paths written.
        """
        target = Path(target)
        kinds = {".csv": self.csv, ".json": self._json, ".html": lambda: measured.page_of(self)}
        if target.suffix.lower() in kinds and not target.is_dir():
            files = {target: kinds[target.suffix.lower()]}
        else:
            with naming(target):
                target.mkdir(parents=True, exist_ok=True)
            files = {target / n: kinds[Path(n).suffix] for n in (TABLE, NUMBERS, PAGE)}
        for path, content in files.items():
            with writing(path) as beside:
                beside.write_bytes(content().encode("utf-8", "replace"))
        return list(files)

    def _json(self) -> str:
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def classes_of(measure: Measure, values: np.ndarray) -> np.ndarray:
    """The name of the class of each value, "" where it is in none."""
    out = np.full(len(values), "", object)
    for c in measure.classes:
        low, begins, high, ends = c.ends
        above = values >= low if begins else values > low
        out[above & (values <= high if ends else values < high)] = c.name
    return out


def _shown(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"
