"""Definitions: what is read, and errors that name file, key and landmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scp
from scp.datasets import DatasetError
from scp.measures import read_definitions

GOOD = """
title = "mine"
names = "cephalogram"
clockwise = ["S", "N", "Me"]
[landmarks]
"tip of the nose" = ["Pn", "pronasale"]
[points]
mid = { middle = ["U1", "L1"] }
[measures.SNA]
angle = ["S", "N", "A"]
norm = [80, 84]
classes = [{ name = "low", below = 80 }, { name = "usual", from = 80, to = 84 },
           { name = "high", title = "far", above = 84 }]
[measures.nose]
distance = ["tip of the nose", ["N", "mid"]]
optional = true
"""


def test_a_file(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    known = read_definitions(path)
    assert known.title == "mine" and [m.name for m in known.shown] == ["SNA", "nose"]
    assert known.landmarks() == {
        "SNA": ("S", "N", "A"),
        "nose": ("tip of the nose", "N", "U1", "L1"),
    }
    assert known["SNA"].unit == "deg" and known["nose"].unit == "mm" and len(known) == 2
    assert [str(c) for c in known["SNA"].classes] == ["below 80", "from 80 to 84", "above 84"]
    assert read_definitions(known) is known
    assert [m.name for m in known.only(["nose"]).shown] == ["nose"]
    with pytest.raises(ValueError, match="'X'; there are SNA, nose"):
        known.only(["X"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = ,\n", "bad.toml: .*line 1"),
        ("", "measures: there is none"),
        ("[measure.a]\nangle = 1", "measure: unknown .known: title"),
        ("measures = 3", "measures: a table expected"),
        ("[measures.a]", "measures.a: one of angle, .*, got 0"),
        ('[measures.a]\nangle=["a","b","c"]\nratio=["a","b"]', "measures.a: one of .*, got 2"),
        ('[measures.a]\nangle=["a","b"]', r"measures.a.angle.0.: a list of names"),
        ('[measures.a]\nangle=["a","b","b"]', "measures.a.angle: 'b', at which"),
        ('[measures.a]\nangle=["a","b",3]', "measures.a.angle: a text of 1 to 200 .* got 3"),
        ('[measures.a]\nangle=[["a","a"],["b","c"]]', r"measures.a.angle\[0\]: a line from 'a'"),
        ('[measures.a]\ndistance=["a"]', "measures.a.distance: two points"),
        ('[measures.a]\ndistance=["a","b"]\nsigned=true', "measures.a.signed: unknown here"),
        ('[measures.a]\ndistance=["a",["b","c"]]\npositive="right"', "positive: a distance from"),
        ('[measures.a]\ndistance=["a","b"]\npositive="left"', "measures.a.positive: a list"),
        ('[measures.a]\ndistance=["a","b"]\nhidden=1', "hidden: true or false expected, got 1"),
        ('[measures.a]\nprojection=["a","b"]', "projection: two points and a line"),
        ('[measures.a]\nsum=["b"]', "measures.a.sum: no measurement is called 'b'"),
        ('[measures.a]\nsum=["a"]', "measures.a: it is made of itself"),
        ('[measures.-a]\ndistance=["a","b"]', "measures.-a: a name must not begin"),
        (
            '[measures.a]\nsum=["b","-c"]\n[measures.b]\ndistance=["p","q"]\n'
            '[measures.c]\nangle=["p","q","r"]',
            "measures.a.sum: units differ .b: mm, c: deg",
        ),
        ('[measures.a]\ndistance=["a","b"]\nnorm=[2,1]', "norm: the lower end 2 must lie below"),
        ('[measures.a]\ndistance=["a","b"]\nnorm=[nan,1]', "norm: a finite number"),
        ('[measures.a]\ndistance=["a","b"]\nclasses=[{name="x"}]', r"classes\[0\]: an end"),
        (
            '[measures.a]\ndistance=["a","b"]\nclasses=[{name="x",to=3},{name="y",from=3}]',
            r"classes: \[0\] to 3 and \[1\] from 3 overlap",
        ),
        (
            '[measures.a]\ndistance=["a","b"]\nclasses=[{name="x",to=3,below=4}]',
            "below and to are one end",
        ),
        (
            '[measures.a]\ndistance=["a","b"]\nclasses=[{name="x",above=3,to=3}]',
            "above 3 to 3: no value",
        ),
        ('clockwise=["a","b"]\n[measures.a]\ndistance=["a","b"]', "clockwise: three landmarks"),
        ('names="heads"\n[measures.a]\ndistance=["a","b"]', "names: expected 'cephalogram'"),
        (
            '[points]\np={middle=["q","a"]}\nq={middle=["a","b"]}\n[measures.a]\ndistance=["a","b"]',
            "points.p: 'q' is no landmark",
        ),
        ('title="\\u001b[2J"\n[measures.a]\ndistance=["a","b"]', "title: control characters"),
    ],
)
def test_errors_name_file_and_key(tmp_path: Path, text: str, said: str):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(DatasetError, match=said) as caught:
        read_definitions(path)
    assert str(caught.value).startswith(str(path)) and "\x1b" not in str(caught.value)


def test_a_set_that_is_not_built_in(tmp_path: Path):
    with pytest.raises(DatasetError, match="no such file; built in are cephalometry and isbi2015"):
        read_definitions("isbi")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_definitions(tmp_path / "none.toml")
    with pytest.raises(TypeError, match="definitions must be"):
        read_definitions(3)
    with pytest.raises(DatasetError, match=r"^definitions: measures\.a: one of"):
        read_definitions({"measures": {"a": {}}})


def test_a_large_file_and_deep_chains_are_bounded(tmp_path: Path):
    path = tmp_path / "large.toml"
    path.write_text("#" * (1 << 18) + "\n")
    with pytest.raises(DatasetError, match="too large"):
        read_definitions(path)
    chain = {"m0": {"distance": ["a", "b"]}}
    for k in range(1, 900):  # values that double each time
        chain[f"m{k}"] = {"sum": [f"m{k - 1}", f"m{k - 1}"], "hidden": True}
    known = read_definitions({"measures": chain})
    assert known.landmarks()["m899"] == ("a", "b")
    marks = scp.Landmarks(["i"], ["a", "b"], np.array([[[0.0, 0], [3, 4]]]))
    assert scp.measure(marks, known).values[0, 0] == 5


def names_of(*names: str) -> dict[str, int]:
    return read_definitions("isbi2015").columns(names)


def test_names_of_landmarks():
    assert names_of("sella", "Nasion", "A", "point b", "soft  tissue pogonion") == {
        "S": 0,
        "N": 1,
        "A": 2,
        "B": 3,
    }
    assert names_of("Li", "L1", "UIT") == {"L1": 1, "U1": 2}
    assert names_of("s", "n", "a") == {}, "short names count in their case"
    own = read_definitions(
        {
            "names": "cephalogram",
            "landmarks": {"G'": ["glabella"]},
            "measures": {"m": {"distance": ["Pog'", "G'"]}},
        }
    )
    assert own.columns(["Pog", "Pog\u2019", "GLABELLA"]) == {"Pog'": 1, "G'": 2}
    with pytest.raises(DatasetError, match="'A' and 'subspinale' could both be 'A' of isbi2015"):
        names_of("A", "subspinale")


def test_numbers_are_those_of_the_challenge_only_where_there_are_19():
    nineteen = [str(k + 1) for k in range(19)]
    assert names_of(*nineteen)["PNS"] == 16 and names_of(*reversed(nineteen))["S"] == 18
    assert names_of(*nineteen[:18]) == {} and names_of(*nineteen, "20") == {}


def test_all_names_of_the_data_set_are_known():
    from scp.datasets.cephalometric import LANDMARKS

    every = {"m": {"sum": [f"d{k}" for k in range(18)]}}
    numbers = list(names_of(*[str(k + 1) for k in range(19)]))
    canonical = [
        "S",
        "N",
        "Or",
        "Po",
        "A",
        "B",
        "Pog",
        "Me",
        "Gn",
        "Go",
        "L1",
        "U1",
        "Ls",
        "Li",
        "Sn",
        "Pog'",
        "PNS",
        "ANS",
        "Ar",
    ]
    every |= {
        f"d{k}": {"distance": [canonical[k], canonical[k + 1]], "hidden": True} for k in range(18)
    }
    known = read_definitions({"names": "cephalogram", "measures": every})
    assert known.columns(LANDMARKS) == {name: k for k, name in enumerate(canonical)}
    assert set(numbers) <= set(canonical)
