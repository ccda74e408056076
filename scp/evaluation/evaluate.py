"""Predicted landmarks against the true ones: the errors, their summary, the worst cases.

result = scp.evaluate(scp.read_landmarks("landmarks.csv"), images)
result.mre, result.mre_interval, result.rates
result.write("runs/mine")        # metrics.json, metrics.csv, plots, evaluation.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..datasets import Dataset
from ..errors import warn
from ..landmarks import Landmarks
from ..landmarks.names import Index, form
from ..values import array
from . import metrics
from .result import Evaluation

UNITS = ("mm", "px")


class Labelled(Protocol):
    """Landmarks of images: `scp.Landmarks`, or anything like it."""

    @property
    def ids(self) -> Sequence[str]: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def xy(self) -> np.ndarray: ...


def evaluate(
    predicted: Labelled,
    truth: Labelled | Dataset,
    *,
    spacing: ArrayLike | None = None,
    unit: str | None = None,
    radii: Sequence[float] = metrics.RADII,
    grid: int | tuple[int, int] | None = None,
    rule: str = "truncate",
    grid_spacing: ArrayLike | None = None,
    pair: tuple[int, int] | None = None,
    exclude: Sequence[str] = (),
    resamples: int = 10_000,
    level: float = 0.95,
    random_state: int = 0,
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
        unit: "mm" or "px"; None: mm where the spacing is known. Images without one are then left
            out, and listed.
        radii: of the detection rates, in that unit.
        grid: None: errors in the original image. A size (384, or (h, w)): the paper's way, on whole
            pixels of that grid (`metrics.paper_errors`); needs a data set, for the image sizes.
        rule: of the grid, "truncate" or "round".
        grid_spacing: mm per pixel of the grid, [N][2] like `spacing`, where it does not follow from
            the spacing of the images (`metrics.wrist_spacing(way="grid")`).
        pair: errors in percent of the distance between these two true landmarks, (60, 72) for the
            98 of faces (`metrics.normalised_errors`), with FR@10 and AUC.
        exclude: ids to leave out. Images in which a person gave a point (`Landmarks.source`), the
            templates say, are left out too, unless there are no others.
        resamples, level, random_state: of the confidence intervals (`metrics.bootstrap_interval`).

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
    of_files = images is not None and spacing is images.spacing
    spacing = _spacing(spacing, len(known.ids), "spacing", of_files)
    grid_spacing = _spacing(grid_spacing, len(known.ids), "grid_spacing")

    rows, excluded, left_out, not_predicted = _join(guess, known, exclude)
    rows, without_spacing = _with_spacing(rows, spacing, unit, pair, grid_spacing)
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

    mre, mre_interval, rates, intervals = _summary(errors, radii, resamples, level, random_state)
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
        random_state=random_state,
        grid=settings,
        faces=faces,
        left_out=left_out,
        not_predicted=not_predicted,
        excluded=excluded,
        without_spacing=[known.ids[n] for n in without_spacing],
        images=None if images is None else images.subset(rows),
    )


def _summary(errors: np.ndarray, radii, resamples: int, level: float, random_state: int):
    """MRE, its interval, the rates and their intervals."""
    finite, there = np.isfinite(errors), ~np.isnan(errors)
    count, total = finite.sum(axis=1), there.sum(axis=1)
    image_mean = np.where(finite, errors, 0).sum(axis=1) / np.maximum(count, 1)
    below = np.stack([(errors < r).sum(axis=1) for r in radii], axis=1)
    shares = 100 * below / np.maximum(total, 1)[:, None]
    values = np.concatenate([image_mean[:, None], shares], axis=1)
    weights = np.concatenate([count[:, None], np.repeat(total[:, None], len(radii), 1)], axis=1)
    low, high = metrics.bootstrap_interval(
        values, weights, resamples=resamples, level=level, random_state=random_state
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
        (
            known,
            guess,
            "landmark {} of the truth was not predicted; leave it out of the truth: there are {}",
        ),
    ):
        there = {form(name) for name in b.names}
        odd = [name for name in a.names if form(name) not in there]
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
    out, out_guess = _excluded(known, guess, exclude)
    present = ~np.isnan(known.xy).any(axis=2).all(axis=1)
    hand = set(np.flatnonzero(guess.by_hand.any(axis=1)).tolist())
    here = [k for n, k in enumerate(found) if k >= 0 and present[n] and n not in out]
    if set(here) - out_guess - hand:
        out_guess |= hand
    elif hand & set(here):
        warn("a person gave points of all these images: they are measured as if found")
    rows, excluded, left_out, not_predicted = [], [], [], []
    for n, name in enumerate(known.ids):
        if n in out or found[n] in out_guess:
            excluded.append(name)
        elif found[n] < 0:
            if present[n]:
                not_predicted.append(name)
        elif present[n]:
            rows.append(n)
        else:
            left_out.append(name)
    joined = set(found.tolist())
    left_out += [name for i, name in enumerate(guess.ids) if i not in joined and i not in out_guess]
    if not rows:
        raise ValueError(
            "truth: no image is left to evaluate: "
            f"{len(left_out)} have no true landmark, {len(excluded)} are excluded"
        )
    return rows, excluded, left_out, not_predicted


def _excluded(known: Landmarks, guess: Landmarks, exclude: Sequence[str]):
    """Rows of the truth and of the predictions that `exclude` names, {rows}, {rows}. A name that is
    exactly that of an image on either side means this one only."""
    sides = Index(known.ids), Index(guess.ids)
    out: tuple[set[int], set[int]] = set(), set()
    for name in map(str, exclude):
        exact = [name in side for side in sides]
        found = False
        for side, rows, same in zip(sides, out, exact, strict=True):
            try:
                row = side.place(name) if same or not any(exact) else -1
            except ValueError as error:
                raise ValueError(f"exclude: {error}") from None
            if row >= 0:
                rows.add(row)
                found = True
        if not found:
            raise ValueError(f"exclude: no image is called {name!r}")
    return out


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


def _with_spacing(rows: list[int], spacing, unit, pair, grid_spacing):
    """The rows to evaluate, and those that are left out of errors in mm, as no spacing is known."""
    if spacing is None or unit == "px" or pair is not None or grid_spacing is not None:
        return rows, []
    none = [n for n in rows if np.isnan(spacing[n]).any()]
    if len(none) == len(rows):
        raise ValueError(
            f"spacing: none of the {len(rows)} images to evaluate has one; give spacing, or "
            "unit='px'"
        )
    return [n for n in rows if n not in set(none)], none


def _spacing(spacing, count: int, name: str, absent: bool = False) -> np.ndarray | None:
    """[count][2] float64, or None. absent: NaN where an image has none."""
    if spacing is None:
        return None
    spacing = array(spacing, name, absent=absent)
    if spacing.shape not in ((), (2,), (count, 2)):
        raise ValueError(
            f"{name} must be a number, (sy, sx) or [{count}][2] in the order of the truth, got "
            f"{list(spacing.shape)}"
        )
    good = np.isfinite(spacing) & (spacing > 0)
    if not (good | (absent & np.isnan(spacing))).all():
        raise ValueError(f"{name} must be positive")
    return np.broadcast_to(spacing, (count, 2))
