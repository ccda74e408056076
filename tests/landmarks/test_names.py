"""Which names of images, landmarks and patients mean the same; lists beside the images."""

from __future__ import annotations

import contextlib
import importlib
import time
import unicodedata

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scp
from scp.datasets import DatasetError, validation_split
from scp.datasets.spacing import read_spacing
from scp.landmarks import Landmarks, read_landmarks, write_landmarks
from scp.landmarks.csv import csv_cell, plain_cell
from scp.landmarks.lists import read_ids, read_values
from scp.landmarks.names import Index, group_numbers, known_groups, visible
from scp.landmarks.text import read_text

# The functions of these names hide the modules.
cephalometric, hand, wflw = (
    importlib.import_module(f"scp.datasets.{name}") for name in ("cephalometric", "hand", "wflw")
)

COMPOSED = "Müller1.png"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def pool(*ids, **rest):
    return scp.datasets.arrays([np.zeros((8, 8), np.uint8)] * len(ids), list(ids), **rest)


# Images -------------------------------------------------------------------------------------------


def test_exact_names_go_before_forms_and_stems():
    index = Index(["001.png", "001.jpg", "002.png", DECOMPOSED])
    assert [index.place(v) for v in ("001.jpg", "002", COMPOSED, " 002.png")] == [1, 2, 3, 2]
    assert index.place("Müller1") == 3
    assert index.place("003") == index.place("002.jpg") == -1  # another file than 002.png
    with pytest.raises(ValueError, match=r"'001' could be 001\.png or 001\.jpg"):
        index.place("001")
    both = Index([COMPOSED, DECOMPOSED])
    assert both.place(COMPOSED) == 0 and both.place(DECOMPOSED) == 1
    with pytest.raises(ValueError, match="Unicode form only"):
        both.place(f"{COMPOSED} ")
    assert Index(["001", "002"]).place("001.bmp") == 0  # numbers are the ids of some data sets


def test_rows_of_a_data_set():
    data = pool("a.png", DECOMPOSED)
    assert data.rows([COMPOSED, "a"]) == [1, 0]
    with pytest.raises(ValueError, match=r"here: image 'a\.png' is named twice"):
        data.rows(["a.png", "a"], "here")
    with pytest.raises(ValueError, match="here: no image is called 'b'"):
        data.rows(["b"], "here")
    with pytest.raises(ValueError, match="at least one"):
        data.rows([])


def test_landmarks_find_other_forms():
    found = Landmarks([COMPOSED, "b"], ["é"], np.zeros((2, 1, 2)))
    assert found.find([DECOMPOSED, "b.png"]).tolist() == [0, 1]
    assert found.columns(["e\u0301"]).names == ["e\u0301"]


def test_a_split_does_not_depend_on_the_unicode_form():
    names = ["Mz.png", "Müa.png", "Mb.png", "Mü.png"]
    halves = validation_split(names)
    other = validation_split([unicodedata.normalize("NFD", v) for v in names])
    assert all((a == b).all() for a, b in zip(halves, other, strict=True))


def test_rules_name_images_and_refuse_parts_of_numbers():
    values = np.random.default_rng(0).random((3, 5)).astype(np.float32)
    with pytest.raises((TypeError, ValueError), match="include"):
        scp.select(values, 1, include=[1.7])
    run = scp.Run(pool("a.png", DECOMPOSED, "c.png"), duplicates=False)
    assert run.check(2, {"exclude": [COMPOSED], "include": [0]})[1] == {
        "exclude": [1],
        "include": [0],
    }
    for rules, m in (({"include": [1.7]}, 1), ({"include": [True]}, 1), ({"include": [7]}, 1)):
        with pytest.raises((TypeError, ValueError), match="include"):
            run.check(m, rules)
    for m in (1.5, [1, 2.5], "x", True):
        with pytest.raises((TypeError, ValueError), match="m must be"):
            run.check(m, {})
    with pytest.raises(ValueError, match="needs costs and budget"):
        run.check(None, {})
    with pytest.raises(ValueError, match="m: at least one"):
        run.check([], {})


# Patients -----------------------------------------------------------------------------------------

PATIENTS = ["p", "q", "p"]
MISSING = [
    ["p", None, "p", None, "q", None],
    ["p", np.nan, "p", float("nan"), "q", ""],
    np.array(["p", np.nan, "p", np.nan, "q", np.nan], object),
    np.array(["p", np.nan, "p", np.nan, "q", np.nan]),  # text: "nan"
    np.array(["p", None, "p", None, "q", None], str),  # text: "None"
    np.array([b"p", b"", b"p", b"nan", b"q", b" "]),
    np.array([1.0, np.nan, 1.0, np.nan, 2.0, np.nan]),
    np.ma.array([1, 0, 1, 0, 2, 0], mask=[0, 1, 0, 1, 0, 1]),
    pandas.Series(["p", None, "p", pandas.NA, "q", None]),
    pandas.Series(["p", None, "p", None, "q", None], dtype="string"),
    pandas.Series([1, None, 1, None, 2, None], dtype="Int64"),
    pandas.Series(["p", None, "p", None, "q", None], dtype="category"),
    pandas.Series(pandas.to_datetime(["2020", None, "2020", None, "2021", None])),
]


@pytest.mark.parametrize("groups", MISSING, ids=range(len(MISSING)))
def test_each_image_without_a_patient_is_its_own(groups):
    assert group_numbers(groups) == [0, 1, 0, 2, 3, 4]
    values = np.eye(6, dtype=np.float32)
    chosen = scp.select(values, 5, groups=groups, method="exact")
    assert len(chosen.selected) == 5 and {0, 2} - set(chosen.selected.tolist())
    assert [g is None for g in chosen.parameters["groups"]] == [False, True] * 3
    with pytest.raises(ValueError, match="5 groups"):
        scp.select(values, 6, groups=groups)
    ids = ["0", "1", "2", "3", "4", "5"]
    assert pool(*ids, groups=groups).groups == known_groups(groups)
    fit, _ = validation_split(ids, groups)
    assert fit.tolist() == [0, 2, 3, 5]  # 0 and 2 go together, then turns


@pytest.mark.parametrize(
    "groups", [pandas.to_datetime(["2020", None, "2020"]), [(1, 2), 3, (1, 2)]]
)
def test_any_group_can_be_written_and_read_again(tmp_path, groups):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 64, 64), np.uint8)
    data = scp.datasets.arrays(list(pixels))
    options = {
        "features": scp.GradientExtractor(size=(64, 64), levels=3, channels=16),
        "keypoints": "random",
        "count": 5,
        "duplicates": False,
    }
    ids = scp.Run(data, tmp_path, **options).select(2, groups=groups).ids
    assert "0001" in ids
    assert scp.Run(data, tmp_path, **options).report().is_file()


def test_patients_in_another_form_are_the_same():
    assert group_numbers(["Mü", "Mu\u0308", "Mü ", "mü", 1, 1.0, "1", ("a", 1)]) == [
        *(0, 0, 0, 1),
        *(2, 2, 3, 4),
    ]


# Landmarks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [("sella", "sella "), ("upper lip", "upper  lip"), ("é", "e\u0301"), ("a", "a\u00a0")],
)
def test_landmark_names_that_look_the_same(tmp_path, first, second):
    long = f"image,landmark,x,y\na,{first},1,2\nb,{second},3,4\n"
    wide = f"image,{first}_x,{first}_y,{second}_x,{second}_y\na,1,2,,\nb,,,1,2\n"
    for text in (long, wide):
        (tmp_path / "l.csv").write_text(text)
        with pytest.raises(DatasetError, match=r"l\.csv.*blanks or Unicode form only"):
            read_landmarks(tmp_path / "l.csv")
    with pytest.raises(ValueError, match="blanks or Unicode form only"):
        Landmarks(["a"], [first, second], np.zeros((1, 2, 2)))


@pytest.mark.parametrize(("first", "second"), [("sella", "Sella"), ("upper_lip", "upper lip")])
def test_one_landmark_in_two_spellings(tmp_path, first, second):
    path = tmp_path / "l.csv"
    path.write_text(f"image,landmark,x,y\na,{first},1,2\nb,{second},3,4\n")
    with pytest.raises(DatasetError, match="case or punctuation only, and no image has both"):
        read_landmarks(path)
    header = f"image,{first}_x,{first}_y,{second}_x,{second}_y\n"
    path.write_text(header + "a,1,2,,\nb,,,1,2\n")
    with pytest.raises(DatasetError, match="case or punctuation only, and no image has both"):
        read_landmarks(path)
    path.write_text(header + "a,1,2,3,4\n")
    assert read_landmarks(path).names == [first, second]
    path.write_text(f"image,landmark,x,y\na,{first},1,2\na,{second},3,4\n")  # two landmarks
    assert read_landmarks(path).names == [first, second]


# Lists --------------------------------------------------------------------------------------------

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "text",
    [
        "ä.png,P0\nb.png,P0\nc.png,P1\n",
        '"ä.png","P0"\r\n"b.png","P0"\r\n"c.png","P1"\r\n',
        "image,group\nä.png,P0\nb.png,P0\nc.png,P1\n",
        "patient,age,id\nP0,7,ä.png\nP0,8,b.png\nP1,9,c.png\n",
        "a\u0308.png,P0\n\nb,P0\nc,P1\n",
    ],
)
def test_groups_of_any_spreadsheet(tmp_path, encoding, text):
    path = tmp_path / "g.csv"
    path.write_bytes(text.encode(encoding))
    assert read_values(path, ["ä.png", "b.png", "c.png"], "group") == {0: "P0", 1: "P0", 2: "P1"}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_ids_of_any_editor(tmp_path, encoding):
    path = tmp_path / "l.txt"
    for text in ("ä.png\nb, c.png\n", '"ä.png"\r\n\r\n"b, c.png"\r\n', "id\nä.png\nb, c.png"):
        path.write_bytes(text.encode(encoding))
        assert read_ids(path) == ["ä.png", "b, c.png"]
        points = f'image,landmark,x,y\nä.png,"p{len(text)}",1,2\n'
        path.write_bytes(points.encode(encoding))
        assert read_landmarks(path).ids == ["ä.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,1\nz,2\n", "line 2: no image is called 'z'"),
        ("xray,cost\na,1\n", r"line 1: no image is called 'xray' \(a header has image or id"),
        ("a,1\nb\n", "line 2: expected id,cost"),
        ("a,1\na.png,2\n", "line 2: 'a.png' appears twice, also in line 1"),
        ("id,price,cost\na,1,2\n", "line 1: which column is the cost"),
        ('a,1\n"b,2\n', "line 2: unexpected end"),
        (b"a,1\n\xff,2\n", "line 2: not UTF-8"),
        (b"\xff\xfea\0,\0\0\xd8", "not UTF-16"),
        ("a,1\nb,2\0\n", "line 2: a null character"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, message):
    path = tmp_path / "costs.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError, match=r"costs\.csv.*" + message):
        read_values(path, ["a.png", "b"], "cost")
    with pytest.raises(DatasetError, match=r"none\.txt: cannot be read"):
        read_ids(tmp_path / "none.txt")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_text("\0")


LISTS = [b"image,group\na.png,P\n", b"a.png,1\nb,2\n", b"image,sy,sx\na.png,1,2\nb,1,1\n"]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_bytes_give_a_list_or_a_dataset_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    text = bytearray(data.draw(st.sampled_from([b"", *LISTS])))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(text)))
        some = [b"", b",", b'"', b"\n", b"\0", b"\xff", b"\xff\xfe", b"'=", b"9" * 400, b"nan"]
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.sampled_from(some))
    path.write_bytes(bytes(text))
    ids = ["a.png", "b"]
    for read in (
        read_ids,
        lambda path: read_values(path, ids, "group"),
        lambda path: read_values(path, ids, "cost"),
        lambda path: read_spacing(path, ids),
        lambda path: cephalometric.read_landmarks(path, (9, 9)),
        wflw.read_list,
        hand.read_table,
    ):
        with contextlib.suppress(DatasetError):
            read(path)


# What others open ---------------------------------------------------------------------------------

FORMULAS = ["=1+1", "+a", "-a", "@a", "\ta", "'=1+1", "''-x", "＝1", "'quoted'", "=a,b\n", "a=1"]


def test_no_cell_runs_in_a_spreadsheet(tmp_path):
    names = [f"{k}{v}" for k, v in enumerate(FORMULAS)]
    found = Landmarks(FORMULAS, [*FORMULAS[:3]], np.zeros((len(FORMULAS), 3, 2)))
    write_landmarks(tmp_path / "l.csv", found)
    for line in (tmp_path / "l.csv").read_text().splitlines():
        assert line.lstrip('"')[:1] not in set("=+-@\t\r＝")
    back = read_landmarks(tmp_path / "l.csv")
    assert back.ids == FORMULAS and back.names == FORMULAS[:3] and names
    (tmp_path / "ids.txt").write_text("".join(csv_cell(v) + "\n" for v in FORMULAS[:4]))
    assert read_ids(tmp_path / "ids.txt") == FORMULAS[:4]


@given(st.text(st.sampled_from("'=+-@a,\"\t")))
def test_a_safe_cell_is_the_same_name(name):
    cell = csv_cell(name)
    cell = cell[1:-1].replace('""', '"') if cell[:1] == '"' and cell != '"' else cell
    if '"' not in name:
        assert plain_cell(cell) == name and cell[:1] not in ("=", "+", "-", "@", "\t")


def test_control_characters_are_written_out():
    text = visible("a\x1b[31m\x9b\u202e\u2028\ud800b\n\r\tü ")
    assert text == "a\\u001b[31m\\u009b\\u202e\\u2028\\ud800b\\u000a\\u000d\\u0009ü "
    assert visible("a\nb", keep="\n") == "a\nb"


# Work and memory ----------------------------------------------------------------------------------


def test_columns_that_are_swapped_ask_for_no_memory(tmp_path):
    path = tmp_path / "ids.csv"
    lines = "".join(f"{k}.png,id{k},1,2\n" for k in range(20_000))
    path.write_text("image,landmark,x,y\n" + lines)
    with pytest.raises(DatasetError, match=r"ids\.csv: 20,000 images with 20,000 landmarks"):
        read_landmarks(path)
    many = ",".join(f'"p{k}"' for k in range(20_000))
    entries = ",".join(f'{{"id":{k},"file_name":"{k}"}}' for k in range(20_000))
    path.write_text(
        f'{{"images":[{entries}],"annotations":[],'
        f'"categories":[{{"id":1,"name":"a","keypoints":[{many}]}}]}}'
    )
    with pytest.raises(DatasetError, match=r"ids\.csv: 20,000 images with 20,000 landmarks"):
        read_landmarks(path)


def test_long_cells_take_no_time(tmp_path):
    start = time.process_time()
    for cell in ("9" * 131_000 + "x", "9" * 100_000, "1e" + "9" * 100_000, "." * 100_000):
        (tmp_path / "l.csv").write_text(f"image,landmark,x,y\na,p,{cell},1\n")
        with pytest.raises(DatasetError, match="line 2"):
            read_landmarks(tmp_path / "l.csv")
    (tmp_path / "l.csv").write_text("image,landmark,x,y\n" + "a,p,1,1\n" * 2)
    with pytest.raises(DatasetError, match="already"):
        read_landmarks(tmp_path / "l.csv")
    names = [str(k) for k in range(50_000)]
    with pytest.raises(ValueError, match="'49999' is there twice"):
        Landmarks([*names, names[-1]], [], np.zeros((50_001, 0, 2)))
    assert time.process_time() - start < 5
