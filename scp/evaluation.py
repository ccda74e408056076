"""Predicted landmarks against the true ones: the errors, their summary, the worst cases.

result = scp.evaluate(scp.read_landmarks("landmarks.csv"), images)
result.mre, result.mre_interval, result.rates
result.write("runs/mine")        # metrics.json, metrics.csv, plots, evaluation.html
"""

from __future__ import annotations

import html
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import metrics
from .files import naming, writing
from .landmarks import Landmarks, stem

UNITS = ("mm", "px")


@dataclass(frozen=True, eq=False)
class Evaluation:
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
        level, resamples, seed: of the intervals (bootstrap over images).
        grid: None, or the settings of the paper's way: size and rule.
        faces: None, or of errors in "%": the pair, and over the mean errors of the images the
            failure rate FR@10 in percent and the area under the curve up to 10 %.
        left_out: images with predictions but without a true landmark.
        not_predicted: images with true landmarks and no row among the predictions; not counted.
        excluded: images left out on demand.
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
    seed: int
    grid: dict | None = None
    faces: dict | None = None
    left_out: list[str] = field(default_factory=list)
    not_predicted: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    images: object = None

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
        heads = "".join(f"<th>&lt; {r:g} {self.unit}</th>" for r in self.radii)
        table = self.by_landmark()
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{_shown(mean)}</td>"
            + "".join(f"<td>{_shown(v, 1)} %</td>" for v in rates)
            + "</tr>"
            for name, mean, rates in zip(self.names, table.mean, table.rates, strict=True)
        )
        return (
            f"<p>{html.escape(str(self))}</p><table><thead><tr><th>landmark</th>"
            f"<th>MRE, {self.unit}</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def plot(self):
        """The cumulative curve of the errors and a box per landmark, as a `Drawing` for notebooks
        and .svg files."""
        from .report.plots import error_figure

        return error_figure(self.errors, self.names, self.radii, self.unit)

    def to_dict(self) -> dict:
        """The content of metrics.json: numbers, lists and texts; None for what is unknown."""
        landmarks, images = self.by_landmark(), self.by_image()
        return {
            "unit": self.unit,
            "images": len(self.ids),
            "landmarks": len(self.names),
            "count": self.count,
            "missing": self.missing,
            "absent": self.absent,
            "mre": _json(self.mre),
            "mre_interval": _json(self.mre_interval),
            "median": _json(self.median),
            "sdr": {f"{r:g}": _json(v) for r, v in zip(self.radii, self.rates, strict=True)},
            "sdr_intervals": {
                f"{r:g}": _json(v) for r, v in zip(self.radii, self.rates_intervals, strict=True)
            },
            "interval": {
                "method": "bootstrap over images, percentiles",
                "level": self.level,
                "resamples": self.resamples,
                "seed": self.seed,
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
        }

    def _rows(self, names: list[str], table: metrics.ErrorTable) -> list[dict]:
        return [
            {
                "name": name,
                "count": int(table.count[k]),
                "mre": _json(table.mean[k]),
                "sd": _json(table.sd[k]),
                "median": _json(table.median[k]),
                "largest": _json(table.largest[k]),
                "sdr": {
                    f"{r:g}": _json(v) for r, v in zip(self.radii, table.rates[k], strict=True)
                },
            }
            for k, name in enumerate(names)
        ]

    def write(self, folder: str | os.PathLike, pictures: bool = True) -> list[Path]:
        """Write the evaluation into a folder, each file whole or not at all.

        metrics.json (`to_dict`), metrics.csv (a line per image and landmark), metrics.svg (`plot`),
        evaluation.html (all of it, with pictures of the worst cases where the images are known).
        The same evaluation gives the same bytes.

        Args:
            folder: made if it is not there.
            pictures: False leaves out the pictures of the worst cases, so that no image is read.

        Returns:
            the paths written.
        """
        from .report.accuracy import render

        folder = Path(folder)
        with naming(folder):
            folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        files = {
            "metrics.json": content.encode("utf-8", "replace"),
            "metrics.csv": self.csv().encode("utf-8", "replace"),
            "evaluation.html": render(self, pictures).encode("utf-8"),
            "metrics.svg": f"{self.plot()}\n".encode(),
        }
        for name, data in files.items():
            with writing(folder / name) as beside:
                beside.write_bytes(data)
        return [folder / name for name in files]

    def csv(self) -> str:
        """A line per image and landmark: image,landmark,x,y,true_x,true_y,error_mm (or error_px).

        Cells of what is absent are empty.
        """
        from .landmarks import _quoted

        lines = [f"image,landmark,x,y,true_x,true_y,error_{self.unit}"]
        for i, image in enumerate(self.ids):
            for k, name in enumerate(self.names):
                numbers = (*self.predicted[i, k], *self.truth[i, k], self.errors[i, k])
                cells = (repr(float(v)) if math.isfinite(v) else "" for v in numbers)
                lines.append(",".join((_quoted(image), _quoted(name), *cells)))
        return "\n".join(lines) + "\n"


def evaluate(
    predicted,
    truth,
    *,
    spacing=None,
    unit: str | None = None,
    radii: Sequence[float] = metrics.RADII,
    grid=None,
    rule: str = "truncate",
    grid_spacing=None,
    pair: tuple[int, int] | None = None,
    exclude: Sequence[str] = (),
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """Compare predicted landmarks with the true ones.

    Images are joined by id ("001" is also "001.png"), landmarks by name. An image without a true
    landmark is left out and listed; so is one that was not predicted. A single absent point of the
    truth is left out; one that is true but not predicted counts as not detected, and is missing
    from the mean.

    Args:
        predicted: `Landmarks`, or anything with ids [N], names [L] and xy [N][L][2].
        truth: a `Dataset` with landmarks, `Landmarks`, or anything like it.
        spacing: mm per pixel: one number, (sy, sx), or [N][2] in the order of the images of
            `truth`; None: that of the data set.
        unit: "mm" or "px"; None: mm where the spacing is known.
        radii: of the detection rates, in that unit.
        grid: None: errors in the original image. A size (384, or (h, w)): the paper's way, on whole
            pixels of that grid (`metrics.paper_errors`); needs a data set, for the image sizes.
        rule: of the grid, "truncate" or "round".
        grid_spacing: mm per pixel of the grid, [N][2] like `spacing`, where it does not follow from
            the spacing of the images (`metrics.wrist_spacing(way="grid")`).
        pair: errors in percent of the distance between these two true landmarks, (60, 72) for the
            98 of faces (`metrics.normalised_errors`), with FR@10 and AUC.
        exclude: ids to leave out, the templates themselves say.
        resamples, level, seed: of the confidence intervals (`metrics.bootstrap_interval`).

    Raises:
        ValueError: no image is left; landmarks that are called differently; mm without a spacing;
            a grid without image sizes. The message names the image, landmark or argument.
    """
    radii = metrics.check_radii(radii)
    if unit not in (None, *UNITS):
        raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {unit!r}")
    images = truth if hasattr(truth, "landmarks") and hasattr(truth, "shape") else None
    guess = _landmarks(predicted, "predicted")
    known = _landmarks(truth, "truth")
    guess = _same_names(guess, known)
    if images is not None and spacing is None:
        spacing = images.spacing
    spacing = _spacing(spacing, len(known.ids), "spacing")
    grid_spacing = _spacing(grid_spacing, len(known.ids), "grid_spacing")

    rows, excluded, left_out, not_predicted = _join(guess, known, exclude)
    here = guess.find([known.ids[n] for n in rows])
    xy, true = guess.xy[here], known.xy[rows]

    if pair is not None and (grid is not None or unit is not None):
        raise ValueError("pair: the errors are in percent, so neither grid nor unit goes with it")
    if grid is None and grid_spacing is not None:
        raise ValueError("grid_spacing goes with grid")
    use = spacing if grid_spacing is None else grid_spacing
    if unit is None:
        unit = "px" if use is None else "mm"
    if unit == "mm" and use is None:
        raise ValueError(
            "spacing: the truth has none, so errors in mm are not known; give spacing, or unit='px'"
        )
    use = None if unit == "px" else use[rows]
    settings, faces = None, None
    if pair is not None:
        unit, pair = "%", _pair(pair, true, [known.ids[n] for n in rows])
        errors = metrics.normalised_errors(xy, true, pair)
    elif grid is None:
        errors = metrics.radial_errors(xy, true, use)
    else:
        if images is None:
            raise ValueError(
                "grid: the sizes of the images are needed, so truth must be a data set"
            )
        shapes = np.array([images.shape(n) for n in rows])
        name = "spacing" if grid_spacing is None else "grid_spacing"
        errors = metrics.paper_errors(xy, true, shapes, size=grid, rule=rule, **{name: use})
        settings = {"size": np.broadcast_to(grid, 2).tolist(), "rule": rule}
    errors[np.isnan(errors) & ~np.isnan(true).any(axis=2)] = np.inf

    if pair is not None:  # an image with a landmark that was not predicted has failed
        nme = metrics.mean_radial_error(errors, axis=1)
        faces = {
            "pair": list(pair),
            "failure_rate": metrics.failure_rate(nme),
            "area_under_curve": metrics.area_under_curve(nme),
        }

    mre, mre_interval, rates, intervals = _summary(errors, radii, resamples, level, seed)
    return Evaluation(
        ids=[known.ids[n] for n in rows],
        names=known.names,
        predicted=xy,
        truth=true,
        errors=errors,
        unit=unit,
        radii=radii,
        mre=mre,
        mre_interval=mre_interval,
        rates=rates,
        rates_intervals=intervals,
        level=level,
        resamples=resamples,
        seed=seed,
        grid=settings,
        faces=faces,
        left_out=left_out,
        not_predicted=not_predicted,
        excluded=excluded,
        images=None if images is None else images.subset(rows),
    )


def _summary(errors: np.ndarray, radii, resamples: int, level: float, seed: int):
    """MRE, its interval, the rates and their intervals."""
    finite, there = np.isfinite(errors), ~np.isnan(errors)
    count, total = finite.sum(axis=1), there.sum(axis=1)
    image_mean = np.where(finite, errors, 0).sum(axis=1) / np.maximum(count, 1)
    below = np.stack([(errors < r).sum(axis=1) for r in radii], axis=1)
    shares = 100 * below / np.maximum(total, 1)[:, None]
    values = np.concatenate([image_mean[:, None], shares], axis=1)
    weights = np.concatenate([count[:, None], np.repeat(total[:, None], len(radii), 1)], axis=1)
    low, high = metrics.bootstrap_interval(
        values, weights, resamples=resamples, level=level, seed=seed
    )
    mre = metrics.mean_radial_error(np.where(finite, errors, np.nan))
    return (
        mre,
        (float(low[0]), float(high[0])),
        metrics.detection_rates(errors, radii),
        np.stack([low[1:], high[1:]], axis=1),
    )


def _landmarks(source, name: str) -> Landmarks:
    """Ids, names and points of a data set or of something like Landmarks."""
    if isinstance(source, Landmarks):
        return source
    if hasattr(source, "landmarks") and hasattr(source, "shape"):
        try:
            return Landmarks.of(source)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    try:
        return Landmarks(source.ids, source.names, source.xy)
    except AttributeError:
        raise TypeError(
            f"{name} must be Landmarks or a data set, got {type(source).__name__}"
        ) from None


def _same_names(guess: Landmarks, known: Landmarks) -> Landmarks:
    """The predictions with their landmarks in the order of the truth."""
    for a, b, said in (
        (guess, known, "predicted landmark {} is not in the truth, which has {}"),
        (known, guess, "landmark {} of the truth was not predicted; there are {}"),
    ):
        odd = [name for name in a.names if name not in set(b.names)]
        if odd:
            more = f" (and {len(odd) - 1} more)" if len(odd) > 1 else ""
            names = ", ".join(b.names[:5]) + (", ..." if len(b.names) > 5 else "")
            raise ValueError(said.format(repr(odd[0]) + more, names))
    return guess.columns(known.names)


def _join(guess: Landmarks, known: Landmarks, exclude: Sequence[str]):
    """Rows of the truth to evaluate; ids excluded, without truth, and not predicted."""
    found = guess.find(known.ids)
    if (found < 0).all():
        raise ValueError(
            f"predicted: no image of the truth is in it (it has {guess.ids[0]!r}, ..., the truth "
            f"{known.ids[0]!r}, ...)"
        )
    wanted = {stem(str(name)) for name in exclude}
    everything = {stem(name) for name in (*known.ids, *guess.ids)}
    for name in exclude:
        if stem(str(name)) not in everything:
            raise ValueError(f"exclude: no image is called {name!r}")
    present = ~np.isnan(known.xy).any(axis=2).all(axis=1)
    rows, excluded, left_out, not_predicted = [], [], [], []
    for n, name in enumerate(known.ids):
        if stem(name) in wanted:
            excluded.append(name)
        elif found[n] < 0:
            if present[n]:
                not_predicted.append(name)
        elif present[n]:
            rows.append(n)
        else:
            left_out.append(name)
    joined = set(found.tolist())
    left_out += [
        name for i, name in enumerate(guess.ids) if i not in joined and stem(name) not in wanted
    ]
    if not rows:
        raise ValueError(
            "truth: no image is left to evaluate: "
            f"{len(left_out)} have no true landmark, {len(excluded)} are excluded"
        )
    return rows, excluded, left_out, not_predicted


def _pair(pair, truth: np.ndarray, ids: list[str]) -> tuple[int, int]:
    """The pair as two ints; ValueError names an image where they give no distance."""
    a, b = (int(v) for v in pair)
    if a == b or min(a, b) < 0 or max(a, b) >= truth.shape[1]:
        raise ValueError(f"pair must be two landmarks below {truth.shape[1]}, got {(a, b)}")
    bad = np.flatnonzero(~(metrics.radial_errors(truth[:, a], truth[:, b]) > 0))
    if len(bad):
        raise ValueError(
            f"pair: landmarks {a} and {b} of image {ids[bad[0]]!r} are absent or at the same place"
        )
    return a, b


def _spacing(spacing, count: int, name: str) -> np.ndarray | None:
    """[count][2] float64, or None."""
    if spacing is None:
        return None
    spacing = np.asarray(spacing, np.float64)
    if spacing.shape not in ((), (2,), (count, 2)):
        raise ValueError(
            f"{name} must be a number, (sy, sx) or [{count}][2] in the order of the truth, got "
            f"{list(spacing.shape)}"
        )
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise ValueError(f"{name} must be positive")
    return np.broadcast_to(spacing, (count, 2))


def _shown(value: float, decimals: int = 2) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "–"


def _json(value):
    """A float, or a list of them; None for what is not finite."""
    if np.ndim(value):
        return [_json(v) for v in value]
    return float(value) if math.isfinite(value) else None
