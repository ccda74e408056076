"""The values of measurements from points, and how far errors of the points move them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from . import geometry
from .definitions import DEGREES, Definitions, Measure

STEP = 1e-3  # mm (or pixels) that a point is moved to see how a value follows


class Points:
    """Landmarks of N images, looked up by the names that definitions use.

    xy: float64 [N][L][2], of square units (mm, or pixels). columns: name -> place among the L.
    sense: [N], 1 where the image is as the field looks at it, -1 where it is mirrored, NaN where
    that is not known.
    """

    def __init__(
        self, definitions: Definitions, xy: np.ndarray, columns: Mapping[str, int], sense=None
    ):
        self.xy, self.columns, self.middles = xy, columns, definitions.middles
        self.sense = self._sense(definitions) if sense is None else sense

    def _sense(self, definitions: Definitions) -> np.ndarray:
        if not definitions.clockwise:
            return np.ones(len(self.xy))
        three = [self[name] for name in definitions.clockwise]
        return geometry.handedness(np.stack(three, axis=1))

    def __getitem__(self, name: str) -> np.ndarray:
        """[N][2]."""
        parts = [self._landmark(part) for part in self.middles.get(name, (name,))]
        return parts[0] if len(parts) == 1 else np.mean(parts, axis=0)

    def _landmark(self, name: str) -> np.ndarray:
        k = self.columns.get(name)
        return np.full((len(self.xy), 2), np.nan) if k is None else self.xy[:, k]

    def line(self, line: tuple[str, str]) -> np.ndarray:
        return self[line[1]] - self[line[0]]


def values_of(definitions: Definitions, points: Points) -> dict[str, np.ndarray]:
    """Measurement -> its values [N], NaN where one of its landmarks is absent."""
    known = {m.name: m for m in definitions.measures}
    out: dict[str, np.ndarray] = {}
    with np.errstate(all="ignore"):
        for name in definitions.order:
            value = _RULES[known[name].kind](known[name], points, out)
            out[name] = np.where(np.isfinite(value), value, np.nan)
    return out


def _angle(m: Measure, points: Points, _) -> np.ndarray:
    if m.lines:
        first, second = (points.line(line) for line in m.lines)
    else:
        a, b, c = (points[name] for name in m.points)
        first, second = a - b, c - b
    angle = geometry.turn(first, second)
    return angle * points.sense if m.signed else np.abs(angle)


def _distance(m: Measure, points: Points, _) -> np.ndarray:
    if m.lines:
        a = points[m.points[0]] - points[m.lines[0][0]]
        return geometry.aside(a, points.line(m.lines[0])) * points.sense
    way = points[m.points[1]] - points[m.points[0]]
    size = geometry.length(way)
    if m.positive == "right":
        return np.where(way[:, 0] * points.sense < 0, -size, size * np.abs(points.sense))
    if m.positive:
        forward = geometry.dot(way, points.line(m.positive))
        return np.where(forward < 0, -size, np.where(np.isnan(forward), np.nan, size))
    return size


def _projection(m: Measure, points: Points, _) -> np.ndarray:
    return geometry.along(points[m.points[1]] - points[m.points[0]], points.line(m.lines[0]))


def _ratio(m: Measure, _, done: Mapping[str, np.ndarray]) -> np.ndarray:
    (a, _), (b, _) = m.terms
    over = np.where(done[b] == 0, np.nan, done[b])
    return done[a] / over * (100.0 if m.percent else 1.0)


def _sum(m: Measure, points: Points, done: Mapping[str, np.ndarray]) -> np.ndarray:
    total = np.zeros(len(points.xy))
    for name, sign in m.terms:
        total = total + sign * done[name]
    return total


_RULES = {
    "angle": _angle,
    "distance": _distance,
    "projection": _projection,
    "ratio": _ratio,
    "sum": _sum,
}


def spread_of(definitions: Definitions, points: Points, sd: np.ndarray) -> dict[str, np.ndarray]:
    """Measurement -> standard deviation of its values [N], where each coordinate [N][L][2] of a
    point errs by `sd` (in the unit of the points), independently of the others: to the first order,

        sd(m)^2 = sum over coordinates c of (dm/dc sd_c)^2

    NaN where the sd of a point that matters is not known.
    """
    units = {m.name: m.unit for m in definitions.measures}
    total = {name: np.zeros(len(points.xy)) for name in definitions.order}
    for k in dict.fromkeys(points.columns.values()):
        for axis in (0, 1):
            ends = []
            for sign in (1, -1):
                xy = points.xy.copy()
                xy[:, k, axis] += sign * STEP
                moved = Points(definitions, xy, points.columns, points.sense)
                ends.append(values_of(definitions, moved))
            for name in total:
                change = ends[0][name] - ends[1][name]
                if units[name] == DEGREES:
                    change = (change + 180) % 360 - 180
                slope = change / (2 * STEP)
                matters = np.where(slope == 0, 0.0, slope * sd[:, k, axis])
                total[name] += matters**2
    return {name: np.sqrt(square) for name, square in total.items()}
