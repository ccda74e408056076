"""The page that shows an evaluation: numbers, curve, boxes, and the worst cases with pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import errors, overlay, words
from .frame import ROWS, page
from .pictures import Pictures

WORST = 12  # cases with a picture
SHARE = 0.12  # of the longer side of the image: the region shown around a case, at least


def render(evaluation: Any, pictures: bool = True) -> str:
    """The whole page of an `Evaluation`; without `pictures` no image is read."""
    e = evaluation
    landmarks, images = e.by_landmark(), e.by_image()
    cases, problems = _cases(e, pictures)
    order = np.argsort(-np.nan_to_num(images.mean, nan=np.inf), kind="stable")
    context = {
        "title": words.clean(getattr(e.images, "name", None) or "landmarks"),
        "unit": e.unit,
        "said": _said(e),
        "facts": _facts(e),
        "rates": [
            (f"{r:g}", _percent(rate), f"{_percent(low)} to {_percent(high)}")
            for r, rate, (low, high) in zip(e.radii, e.rates, e.rates_intervals, strict=True)
        ],
        "radii": [f"{r:g}" for r in e.radii],
        "level": f"{e.level:.0%}".replace("%", "\u00a0%"),
        "curve": errors.cumulative(e.errors, e.radii, e.unit),
        "boxes": errors.boxes(e.errors, e.names, e.unit) if e.count else "",
        "landmarks": _rows(e.names, landmarks, range(len(e.names))),
        "images": _rows(e.ids, images, order[:ROWS]),
        "images_more": max(0, len(e.ids) - ROWS),
        "cases": cases,
        "notes": [
            (title, [words.clean(i) for i in ids[:ROWS]], max(0, len(ids) - ROWS))
            for title, ids in (
                ("Left out: no true landmark", e.left_out),
                ("Not evaluated: no prediction", e.not_predicted),
                ("Excluded on demand", e.excluded),
                ("Left out: no spacing, so no errors in mm", e.without_spacing),
            )
            if ids
        ],
        "missing": words.count(e.missing, "landmark") if e.missing else "",
        "grid": f"{e.grid['size'][0]} × {e.grid['size'][1]} ({e.grid['rule']})" if e.grid else "",
        "details": words.flatten(
            {
                "unit": e.unit,
                "radii": list(e.radii),
                "interval": {"level": e.level, "resamples": e.resamples, "seed": e.random_state},
                "grid": e.grid or "none: errors in the original images",
            }
        ),
        "unread": problems,
        "w": words,
    }
    return page("evaluation.html", context)


def _said(e: Any) -> str:
    low, high = e.mre_interval
    if not e.count:
        return "No landmark was predicted."
    return (
        f"The predicted landmarks lie {_length(e.mre)} {e.unit} from the true ones on average; "
        f"{e.level:.0%} interval {_length(low)} to {_length(high)} {e.unit}.".replace(
            "%", "\u00a0%"
        )
    )


def _facts(e: Any) -> list[tuple[str, str, str]]:
    low, high = e.rates_intervals[0]
    return [
        ("Mean radial error", f"{_length(e.mre)} {e.unit}", f"median {_length(e.median)} {e.unit}"),
        (
            f"Detected within {e.radii[0]:g} {e.unit}",
            _percent(e.rates[0]),
            f"interval {_percent(low)} to {_percent(high)}",
        ),
        ("Images", f"{len(e.ids):,}", f"{len(e.names)} landmarks each"),
        (
            "Landmarks",
            f"{e.count:,}",
            f"compared; {e.missing:,} not predicted, {e.absent:,} without truth",
        ),
    ]


def _rows(names: list[str], table: Any, order: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": words.clean(names[k]),
            "count": f"{int(table.count[k]):,}",
            "mean": _length(table.mean[k]),
            "sd": _length(table.sd[k]),
            "median": _length(table.median[k]),
            "largest": _length(table.largest[k]),
            "rates": [_percent(v) for v in table.rates[k]],
        }
        for k in order
    ]


def _length(x: float) -> str:
    return f"{x:,.2f}" if np.isfinite(x) else "–"


def _percent(x: float) -> str:
    return f"{x:.1f}\u00a0%" if np.isfinite(x) else "–"


# ---- worst cases ----


def _cases(e: Any, pictures: bool) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The worst cases for the template, and the images that could not be read, with reasons."""
    crops = _Crops(e) if e.images is not None and pictures else None
    reader = Pictures(crops)
    cases = []
    for k, (i, l) in enumerate(e.worst(WORST)):
        picture = reader.small(k, 360) if crops is not None else None
        cases.append(
            {
                "image": words.clean(e.ids[i]),
                "landmark": words.clean(e.names[l]),
                "error": _length(e.errors[i, l]),
                "predicted": _place(e.predicted[i, l]),
                "truth": _place(e.truth[i, l]),
                "picture": picture,
                "overlay": overlay.landmarks(
                    e.predicted[i, l][None], e.truth[i, l][None], crops.box(k)
                )
                if picture is not None and picture.uri
                else "",
            }
        )
    problems = {e.ids[e.worst(WORST)[k][0]]: why for k, why in reader.problems.items()}
    return cases, [(words.clean(name), why) for name, why in sorted(problems.items())]


def _place(xy: np.ndarray) -> str:
    return f"({xy[0]:.1f}, {xy[1]:.1f})"


class _Crops:
    """The regions around the worst cases, as images that `Pictures` can read."""

    def __init__(self, e: Any) -> None:
        self.images, self.cases = e.images, e.worst(WORST)
        self.points = [(e.predicted[i, l], e.truth[i, l]) for i, l in self.cases]

    def box(self, k: int) -> tuple[int, int, int, int]:
        """Left, top, width and height of region k, in pixels of the image."""
        h, w = self.images.shape(self.cases[k][0])
        return region(*self.points[k], (h, w))

    def shape(self, k: int) -> tuple[int, int]:
        _, _, width, height = self.box(k)
        return height, width

    def image(self, k: int) -> np.ndarray:
        left, top, width, height = self.box(k)
        return self.images.image(self.cases[k][0])[top : top + height, left : left + width]


def region(a: np.ndarray, b: np.ndarray, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """A square around two points, cut at the borders of the image of `shape` (H, W): left, top,
    width, height. It never is empty: a point outside the image is moved to its border first."""
    h, w = shape
    a, b = (np.clip(p, 0, (w - 1, h - 1)) for p in (a, b))
    half = max(0.9 * float(np.abs(a - b).max()), SHARE / 2 * max(h, w), 8.0)
    middle = (a + b) / 2
    left, top = (max(0, int(v - half)) for v in middle)
    right, bottom = min(w, int(middle[0] + half) + 1), min(h, int(middle[1] + half) + 1)
    return left, top, right - left, bottom - top
