"""What the page of an evaluation draws: regions, marks, boxes, curves."""

from __future__ import annotations

import math

import numpy as np

from scp.report.accuracy import region
from scp.report.errors import cumulative, five
from scp.report.overlay import landmarks


def test_region_holds_both_points_and_stays_inside():
    rng = np.random.default_rng(0)
    for _ in range(200):
        shape = tuple(int(v) for v in rng.integers(1, 300, 2))
        a, b = rng.uniform(0, 1, (2, 2)) * np.array(shape[::-1]) - 0.5
        left, top, width, height = region(a, b, shape)
        assert 0 <= left < left + width <= shape[1]
        assert 0 <= top < top + height <= shape[0]
        for x, y in (a, b):
            assert left - 0.5 <= x <= left + width
            assert top - 0.5 <= y <= top + height


def test_region_of_points_outside():
    # moved to (0, 5) and (2, 9): 24 pixels, 6 % of 400, to all sides of (1, 7)
    assert region(np.array([-500.0, 5]), np.array([2.0, 9]), (400, 300)) == (0, 0, 26, 32)
    # 30.6 pixels around (2.5, 22) reach the borders
    assert region(np.array([-500.0, 5]), np.array([5.0, 900]), (40, 30)) == (0, 0, 30, 40)


def test_overlay_marks_pixel_centres():
    found, truth = np.array([[4.0, 5.0], [1, 2]]), np.array([[7.0, 9.0], [math.nan, 0]])
    drawing = landmarks(found, truth, (0, 0, 100, 100)).__html__()
    assert 'cx="7.5" cy="9.5"' in drawing
    assert 'x1="4.5" y1="5.5"' in drawing
    assert [drawing.count(f"<{name} ") for name in ("path", "circle", "line")] == [2, 1, 1]


def test_five_numbers():
    # quartiles of 1 2 3 4 20 are 2, 3, 4: whiskers within [-1, 7]
    assert five(np.array([1.0, 2, 3, 4, 20])) == (1, 2, 3, 4, 4)
    assert five(np.array([2.0])) == (2, 2, 2, 2, 2)


def test_curve_says_its_rates():
    drawing = cumulative(np.array([[1.0, 2.0], [math.nan, np.inf]]), (2.0, 4.0), "mm").label
    assert "33 % below 2 mm, 67 % below 4 mm" in drawing
    assert "Cumulative curve of 3 errors" in drawing
