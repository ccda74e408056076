"""Values against hand computation and against complex numbers."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
from heads import heads

import scp
from scp.measures import read_definitions

SQUARE = {"o": (0, 0), "e": (1, 0), "s": (0, 1), "d": (2, 2), "far": (4, 0)}


def one(points, definition, **options):
    """The value of one measurement of one image."""
    marks = scp.Landmarks(["a"], list(points), np.array([list(points.values())], float))
    return scp.measure(marks, {"measures": {"m": definition}, **options}).values[0, 0]


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        ({"angle": ["e", "o", "s"]}, 90),
        ({"angle": ["s", "o", "e"], "signed": True}, -90),
        ({"angle": ["e", "o", "s"], "signed": True}, 90),  # clockwise to the eye: y runs down
        ({"angle": ["e", "o", "d"]}, 45),
        ({"angle": [["o", "e"], ["d", "o"]]}, 135),
        ({"angle": [["o", "e"], ["o", "d"]], "signed": True}, 45),
        ({"distance": ["e", "s"]}, math.sqrt(2)),
        ({"distance": ["far", "e"], "positive": "right"}, -3),
        ({"distance": ["e", "far"], "positive": "right"}, 3),
        ({"distance": ["e", "far"], "positive": ["e", "o"]}, -3),
        ({"distance": ["d", ["o", "e"]]}, 2),  # below a line to the right: the right hand
        ({"distance": ["d", ["e", "o"]]}, -2),
        ({"distance": ["e", ["s", "d"]]}, -3 / math.sqrt(5)),
        ({"projection": ["o", "d", ["o", "e"]]}, 2),
        ({"projection": ["d", "o", ["o", "e"]]}, -2),
        ({"projection": ["e", "far", ["o", "d"]]}, 3 / math.sqrt(2)),
    ],
)
def test_by_hand(definition, value):
    assert one(SQUARE, definition) == pytest.approx(value, abs=1e-12)


def test_what_is_made_of_others():
    marks = scp.Landmarks(["a"], list(SQUARE), np.array([list(SQUARE.values())], float))
    tables = {
        "points": {"m": {"middle": ["e", "far"]}},
        "measures": {
            "long": {"distance": ["o", "far"]},
            "short": {"distance": ["o", "m"], "hidden": True},
            "share": {"ratio": ["short", "long"]},
            "percent": {"ratio": ["short", "long"], "percent": True},
            "less": {"sum": ["long", "-short", "-short", "-short"]},
        },
    }
    result = scp.measure(marks, tables)
    assert result.names == ["long", "share", "percent", "less"]
    assert result.values[0] == pytest.approx([4, 2.5 / 4, 62.5, 4 - 7.5])
    assert result.units == ["px", "", "%", "px"]
    assert scp.measure(marks, tables, spacing=0.5).values[0] == pytest.approx(
        [2, 0.625, 62.5, -1.75]
    )


def by_complex_numbers(z: np.ndarray) -> dict[str, float]:
    """The challenge's eight values of one image, of points x + iy in mm, from its description: y
    runs down, so a positive phase is clockwise."""
    s, n, orbit, po, a, b, pog, me, gn, go, l1, u1, *_, pns, ans, _ar = z

    def turn(first: complex, second: complex) -> float:
        return math.degrees(cmath.phase(second / first))

    sna, snb = abs(turn(s - n, a - n)), abs(turn(s - n, b - n))
    palate = turn(orbit - po, ans - pns)
    return {
        "ANB": sna - snb,
        "SNB": snb,
        "SNA": sna,
        "ODI": abs(turn(go - me, a - b)) + palate,
        "APDI": abs(turn(po - orbit, pog - n)) - turn(pog - n, b - a) + palate,
        "FHI": abs(s - go) / abs(n - me),
        "FMA": abs(turn(n - s, gn - go)),
        "MW": math.copysign(abs(u1 - l1), (u1 - l1).real),
    }


@pytest.mark.parametrize("spacing", [(0.1, 0.1), (0.07, 0.13)])
def test_the_challenge_by_complex_numbers(spacing):
    marks = heads()
    result = scp.measure(marks, "isbi2015", spacing=spacing)
    z = marks.xy[..., 0] * spacing[1] + 1j * marks.xy[..., 1] * spacing[0]
    for i in range(len(marks)):
        wanted = by_complex_numbers(z[i])
        assert list(wanted) == result.names
        assert result.values[i] == pytest.approx(list(wanted.values()), abs=1e-9)


def moved(marks, how):
    return scp.Landmarks(marks.ids, marks.names, how(marks.xy))


@pytest.mark.parametrize("name", ["isbi2015", "cephalometry"])
def test_invariances(name):
    marks = heads()
    plain = scp.measure(marks, name, spacing=0.1)
    angles = np.array([u in ("deg", "", "%") for u in plain.units])
    twice = scp.measure(moved(marks, lambda xy: 2 * xy + (30, -70)), name, spacing=0.1)
    factor = np.where(angles, 1, 2)
    np.testing.assert_allclose(twice.values, plain.values * factor, atol=1e-9)
    np.testing.assert_allclose(
        scp.measure(moved(marks, lambda xy: 2 * xy), name, spacing=0.05).values,
        plain.values,
        atol=1e-9,
    )
    mirrored = scp.measure(moved(marks, lambda xy: xy * (-1, 1) + (1935, 0)), name, spacing=0.1)
    np.testing.assert_allclose(mirrored.values, plain.values, atol=1e-9)
    assert any("mirrored" in text for text in mirrored.remarks) and not plain.remarks
    c, s = math.cos(0.4), math.sin(0.4)
    turned = scp.measure(
        moved(marks, lambda xy: xy @ np.array([[c, s], [-s, c]])), name, spacing=0.1
    )
    same = [k for k, n in enumerate(plain.names) if n != "MW"]  # its sign is of the image's x
    np.testing.assert_allclose(turned.values[:, same], plain.values[:, same], atol=1e-9)
    at = plain.names.index("MW") if "MW" in plain.names else 0
    np.testing.assert_allclose(abs(turned.values[:, at]), abs(plain.values[:, at]), atol=1e-9)


def test_signs_turn_in_a_mirrored_image_that_no_order_tells():
    definition = {"angle": ["e", "o", "s"], "signed": True}
    mirrored = {name: (-x, y) for name, (x, y) in SQUARE.items()}
    assert one(SQUARE, definition) == 90 and one(mirrored, definition) == -90
    assert one(mirrored, definition, clockwise=["e", "d", "s"]) == 90
    assert one(SQUARE, definition, clockwise=["e", "d", "s"]) == 90
    line = {name: (x, 0) for name, (x, _) in SQUARE.items()}
    assert np.isnan(one(line | {"s": (0, 1)}, definition, clockwise=["o", "e", "far"]))


def test_directions_that_there_are_none_of_are_empty():
    same = dict.fromkeys(SQUARE, (3.0, 3.0))
    for definition in (
        {"angle": ["e", "o", "s"]},
        {"angle": [["o", "e"], ["d", "o"]]},
        {"distance": ["d", ["o", "e"]]},
        {"projection": ["d", "o", ["s", "e"]]},
    ):
        assert np.isnan(one(same, definition))
    assert one(same, {"distance": ["e", "s"]}) == 0


def test_wits_by_hand():
    """Feet of A and B on the line through the middles of incisors and molars."""
    points = {
        "S": (0, 0), "N": (70, 0), "Me": (60, 110), "A": (66, 55), "B": (60, 90),
        "U1": (70, 71), "L1": (68, 69), "U6": (38, 81), "L6": (40, 79),
    }  # fmt: skip
    marks = scp.Landmarks(["a"], list(points), np.array([list(points.values())], float))
    result = scp.measure(marks, "cephalometry", spacing=1)
    back, front = np.array([39, 80]), np.array([69, 70])
    way = (front - back) / np.hypot(*(front - back))
    ao, bo = ((np.array(points[p]) - back) @ way for p in "AB")
    assert result.column("Wits")[0] == pytest.approx(ao - bo) and ao > bo
    mirrored = {name: (-x, y) for name, (x, y) in points.items()}
    other = scp.Landmarks(["a"], list(points), np.array([list(mirrored.values())], float))
    assert scp.measure(other, "cephalometry", spacing=1).column("Wits")[0] == pytest.approx(ao - bo)


def test_every_definition_of_the_built_in_sets_is_used():
    for name in ("isbi2015", "cephalometry"):
        known = read_definitions(name)
        used = {term for m in known.measures for term, _ in m.terms}
        assert all(not m.hidden or m.name in used for m in known.measures)
