"""Landmark files: long and wide CSV, COCO, and the join by id."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scp import datasets
from scp.errors import DatasetError
from scp.landmarks import Landmarks, read_landmarks, stem, write_landmarks

NAN = math.nan
LONG = """image,landmark,x,y,confidence
b.png,sella,10.5,20,0.5
b.png,nasion,,,
a/2.png,nasion,-1e1,+.5,1
"""
WIDE = "image,sella_x,sella_y,nasion_x,nasion_y\nb.png,10.5,20,,\na/2.png,1,2,-10,0.5\n"
COCO = {
    "images": [
        {"id": 7, "file_name": "b.png", "width": 48, "height": 60},
        {"id": 3, "file_name": "a/2.png", "width": 48, "height": 60},
    ],
    "annotations": [
        {"id": 1, "image_id": 3, "category_id": 1, "keypoints": [0, 0, 0, 10.5, 2, 1], "area": 9},
        {"id": 2, "image_id": 7, "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 2], "area": 9},
    ],
    "categories": [{"id": 1, "name": "head", "keypoints": ["sella", "nasion"]}],
}
HAND = {"id": 2, "name": "hand", "keypoints": ["p"]}


def read(tmp_path, text, name="points.csv", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_landmarks(path, **options)


def test_long(tmp_path):
    found = read(tmp_path, LONG)
    assert found.ids == ["b.png", "a/2.png"] and found.names == ["sella", "nasion"]
    expected = [[[10.5, 20], [NAN, NAN]], [[NAN, NAN], [-10, 0.5]]]
    np.testing.assert_array_equal(found.xy, expected)
    np.testing.assert_array_equal(found.confidence, [[0.5, NAN], [NAN, 1]])
    assert found.error is None and found.xy.dtype == np.float64
    np.testing.assert_array_equal(found.present, [[True, False], [False, True]])


def test_a_spreadsheet_itself(tmp_path):
    with pytest.raises(DatasetError, match=r"points.xlsx: a spreadsheet .* save it as CSV"):
        read(tmp_path, b"PK\x03\x04\x14\x00\x06\x00\xff", name="points.xlsx")


@pytest.mark.parametrize("delimiter", ";\t")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spreadsheets_of_other_languages(tmp_path, delimiter, encoding):
    """Semicolons or tabs, decimal commas, CRLF; names with a comma stay as they are."""
    header = ["image", "landmark", "x", "y"]
    long = [header, ["1,5", "2,5", "10,5", "-20"], ["b.png", "s", "1.5", "2"]]
    wide = [["image", "s_x", "s_y"], ["1,5", "10,5", "+0,25"]]
    for rows, names, points in (
        (long, ["2,5", "s"], [[10.5, -20], [1.5, 2]]),
        (wide, ["s"], [[10.5, 0.25]]),
    ):
        text = "".join(delimiter.join(row) + "\r\n" for row in rows)
        found = read(tmp_path, text.encode(encoding))
        assert found.ids == ["1,5", "b.png"][: len(found)] and found.names == names
        np.testing.assert_array_equal(found.xy[found.present], points)
    for cell in ("1,5,5", "1.935,5", ","):
        with pytest.raises(DatasetError, match=r"line 2: x: .* is not a number"):
            read(tmp_path, f"image;landmark;x;y\nb;s;{cell};1\n")
    with pytest.raises(DatasetError, match="'1,5' is not a number"):  # a thousand and five, perhaps
        read(tmp_path, 'image,landmark,x,y\nb,s,"1,5",1\n')


def test_wide(tmp_path):
    found = read(tmp_path, WIDE)
    assert found.ids == ["b.png", "a/2.png"] and found.names == ["sella", "nasion"]
    np.testing.assert_array_equal(found.xy, [[[10.5, 20], [NAN, NAN]], [[1, 2], [-10, 0.5]]])
    assert found.confidence is None


def test_coco(tmp_path):
    found = read(tmp_path, json.dumps(COCO), "points.json")
    assert found.ids == ["b.png", "a/2.png"] and found.names == ["sella", "nasion"]
    np.testing.assert_array_equal(found.xy, [[[1, 2], [3, 4]], [[NAN, NAN], [10.5, 2]]])


def test_columns_in_another_order_quotes_byte_order_mark_and_line_ends(tmp_path):
    text = '\ufeffy,x,image,landmark\r\n2,1,"a,b.png","upper ""lip"""\r\n\r\n4,3,"c\nd",e\r\n'
    found = read(tmp_path, text)
    assert found.ids == ["a,b.png", "c\nd"] and found.names == ['upper "lip"', "e"]
    assert found.xy[0, 0].tolist() == [1, 2] and found.xy[1, 1].tolist() == [3, 4]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"line 1: expected a header"),
        ("a,b\n", r"line 1: expected a header .* 'a,b'"),
        ("image,landmark,x\n", r"line 1: column 'y' is missing"),
        ("image,landmark,x,y,v\n", r"line 1: unknown column 'v'"),
        ("image,landmark,x,x,y\n", r"line 1: column 'x' is there twice"),
        ("image,landmark,x,y\n", r"no landmark in it"),
        ("image,landmark,x,y\na,p,1,2\nb,q,1,two\n", r"line 3: y: 'two' is not a number"),
        ("image,landmark,x,y\na,p,inf,2\n", r"line 2: x: 'inf' is infinite"),
        ("image,landmark,x,y\na,p,1e999,2\n", r"line 2: x: '1e999' is infinite"),
        ("image,landmark,x,y\na,p,1_0,2\n", r"line 2: x: '1_0' is not a number"),
        ("image,landmark,x,y\na,p,1,\n", r"line 2: one of x and y is empty"),
        ("image,landmark,x,y\na,p,1\n", r"line 2: 4 cells expected, got 3"),
        ("image,landmark,x,y\n,p,1,2\n", r"line 2: image is empty"),
        ("image,landmark,x,y\na,,1,2\n", r"line 2: landmark is empty"),
        ("image,landmark,x,y\na,p,1,2\n\na,p,1,2\n", r"line 4: .*'p' of .*'a' is in line 2"),
        ('image,landmark,x,y\n"a\nb",p,1,2\n"a\nb",q,1,z\n', r"line 4: y: 'z'"),
        ('image,landmark,x,y\n"a,p,1,2\n', r"line 2: unexpected end of data"),
        ("image,p_x\na,1\n", r"line 1: column 'p_x' without 'p_y'"),
        ("image,p_x,p_y,q\n", r"line 1: unknown column 'q'"),
        ("image,_x,_y\n", r"line 1: unknown column '_x'"),
        ("image\na\n", r"line 1: no landmark in the header"),
        ("image,p_x,p_y\n", r"no image in it"),
        ("image,p_x,p_y\na,1,2\nb,1\n", r"line 3: 3 cells expected, got 2"),
        ("image,p_x,p_y\na,1,2\na,1,2\n", r"line 3: image 'a' is in line 2 already"),
        ("image,p_x,p_y\na,1,-inf\n", r"line 2: p_y: '-inf' is infinite"),
        (b"image,p_x,p_y\na,1,2\n\xff,1,2\n", r"line 3: not UTF-8"),
        ("image,landmark,x,y\na,p\0,1,2\n", r"line 2: a null character"),
        ("image,landmark,x,y\na,p,1,2\n".encode("utf-16-le"), r"line 1: a null character"),
        ("image,landmark,x,y\na,p,1,2\n".encode("utf-16-be"), r"line 1: a null character"),
        ("{", r"line 1: "),
        ("[]", r"expected a JSON object"),
        ('{"images": [],\n "x": NaN}', r"NaN is no number"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, message):
    with pytest.raises(datasets.DatasetError, match=r"(?s)points\.csv.*" + message):
        read(tmp_path, text)


def changed(**parts):
    return {**COCO, **parts}


@pytest.mark.parametrize(
    "content, message",
    [
        (changed(images=3), r"images must be a list"),
        (changed(images=[1]), r"images\[0\]: expected an object"),
        (changed(images=[]), r"no image in it"),
        (changed(images=[{"id": 1}]), r"images\[0\]: file_name is missing"),
        (changed(images=COCO["images"] * 2), r"images\[2\]: 7 is in images\[0\] already"),
        (changed(images=[{"id": 7, "file_name": "b", "width": 0, "height": 1}]), r"width and h"),
        (changed(categories=[]), r"no category has keypoints"),
        (
            changed(categories=[*COCO["categories"], HAND]),
            r"several categories.*'head', 'hand'",
        ),
        (
            changed(categories=[{"id": 1, "name": "head", "keypoints": ["p", "p"]}]),
            r"categories\[0\]: .*not unique",
        ),
        (changed(annotations=[{"image_id": 8}]), r"annotations\[0\]: no image has the id 8"),
        (
            changed(annotations=[{"image_id": 7, "category_id": 1, "keypoints": [1, 2]}]),
            r"annotations\[0\]: keypoints must hold 2 times",
        ),
        (
            changed(annotations=[{"image_id": 7, "category_id": 1, "keypoints": [1, "2", 2] * 2}]),
            r"annotations\[0\], keypoints\[0\]: 2 is not a finite number",
        ),
        (
            changed(annotations=[{"image_id": 7, "category_id": 1, "keypoints": [10**400] * 6}]),
            r"not a finite number",
        ),
        (
            changed(annotations=[{"image_id": 7, "category_id": 1, "keypoints": [1, 2, 3] * 2}]),
            r"v must be 0, 1 or 2, got 3",
        ),
        (changed(annotations=COCO["annotations"] * 2), r"annotations\[2\]: .*annotations\[0\]"),
    ],
)
def test_coco_errors_name_file_and_entry(tmp_path, content, message):
    with pytest.raises(datasets.DatasetError, match=r"points\.json.*" + message):
        read(tmp_path, json.dumps(content), "points.json")


def test_coco_category(tmp_path):
    two = changed(categories=[*COCO["categories"], HAND])
    two["annotations"] = [
        *COCO["annotations"],
        {"image_id": 7, "category_id": 2, "keypoints": [5, 6, 1]},
    ]
    found = read(tmp_path, json.dumps(two), "points.json", category="hand")
    np.testing.assert_array_equal(found.xy, [[[5, 6]], [[NAN, NAN]]])
    with pytest.raises(ValueError, match=r"no category 'foot'.*'head', 'hand'"):
        read(tmp_path, json.dumps(two), "points.json", category="foot")
    with pytest.raises(ValueError, match=r"category goes with .*COCO"):
        read(tmp_path, LONG, category="hand")


def test_rows_joins_with_and_without_suffix():
    found = Landmarks(["a.png", "b", "c.PNG"], ["p"], np.arange(6.0).reshape(3, 1, 2), [[1]] * 3)
    some = found.rows(["c", "b.jpg"])
    assert some.ids == ["c", "b.jpg"]
    np.testing.assert_array_equal(some.xy[:, 0], [[4, 5], [2, 3]])
    assert some.confidence.tolist() == [[1], [1]] and some.error is None
    with pytest.raises(ValueError, match="no landmarks for image 'd'"):
        found.rows(["a", "d"])
    more = found.rows(["d", "a"], absent=True)
    np.testing.assert_array_equal(more.xy[:, 0], [[NAN, NAN], [0, 1]])
    np.testing.assert_array_equal(found.find(["x", "c.png", "b"]), [-1, 2, 1])


def test_rows_refuses_what_is_ambiguous():
    found = Landmarks(["a.png", "a.jpg", "b"], ["p"], np.zeros((3, 1, 2)))
    np.testing.assert_array_equal(found.find(["a.jpg", "a.png"]), [1, 0])
    np.testing.assert_array_equal(found.find(["a", "a.png"]), [1, 0])  # exact names go first
    np.testing.assert_array_equal(found.find(["a.bmp", "a.png", "a.jpg"]), [-1, 0, 1])
    with pytest.raises(ValueError, match=r"'a' could be a\.png or a\.jpg"):
        found.rows(["a"])
    with pytest.raises(ValueError, match=r"'b' could be image b\.png or b\.jpg"):
        found.rows(["b.png", "b.jpg"])
    with pytest.raises(ValueError, match="'b' is there twice"):
        found.rows(["b", "b"])
    with pytest.raises(ValueError, match=r"no landmarks for image 'b\.png'"):
        found.rows(["b", "b.png"])


def test_a_name_with_a_blank_is_not_its_namesake():
    found = Landmarks(["a.png", "a.png ", "b.png"], ["p"], np.zeros((3, 1, 2)))
    assert found.find(["a.png", "a.jpg", "b.jpg"]).tolist() == [0, -1, 2]
    found = Landmarks(["a.png", "b.png"], ["p"], np.zeros((2, 1, 2)))
    assert found.find(["a.jpg", "a.bmp", "b"]).tolist() == [-1, -1, 1]


@pytest.mark.parametrize(
    "name, expected",
    [("a/1.JPG", "a/1"), ("1.2", "1.2"), ("x.nii.gz", "x"), (".png", ".png"), ("a/.png", "a/.png")],
)
def test_stem(name, expected):
    assert stem(name) == expected


def test_columns():
    found = Landmarks(["a"], ["p", "q"], [[[1, 2], [3, 4]]], error=[[5, 6]])
    turned = found.columns(["q", "p"])
    assert turned.names == ["q", "p"] and turned.xy.tolist() == [[[3, 4], [1, 2]]]
    assert turned.error.tolist() == [[6, 5]] and turned.confidence is None
    with pytest.raises(ValueError, match="no landmark is called 'r'"):
        found.columns(["r"])


@pytest.mark.parametrize(
    "parts, message",
    [
        ({"ids": ["a", "a"]}, "ids must be unique, 'a'"),
        ({"names": [""]}, "names: name 0 is empty"),
        ({"xy": np.zeros((2, 2))}, r"xy must be \[2, 1, 2\], got \[2, 2\]"),
        ({"confidence": np.zeros(2)}, r"confidence must be \[2, 1\]"),
        ({"xy": np.full((2, 1, 2), np.inf)}, "xy must not be infinite"),
        ({"xy": [[[1, NAN]], [[1, 2]]]}, "one coordinate only"),
    ],
)
def test_what_a_dataclass_refuses(parts, message):
    whole = {"ids": ["a", "b"], "names": ["p"], "xy": np.zeros((2, 1, 2))}
    with pytest.raises(ValueError, match=message):
        Landmarks(**{**whole, **parts})


def test_of_a_data_set():
    pool = datasets.phantom(2)
    found = Landmarks.of(pool)
    assert found.ids == pool.ids and found.names == pool.landmark_names
    np.testing.assert_array_equal(found.xy, pool.landmarks)
    images = [np.zeros((4, 4), np.uint8)]
    assert Landmarks.of(datasets.arrays(images, landmarks=np.zeros((1, 2, 2)))).names == ["1", "2"]
    with pytest.raises(ValueError, match="the arrays data set has no landmarks"):
        Landmarks.of(datasets.arrays(images))


def test_a_null_character_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="null character"):
        write_landmarks(tmp_path / "a.csv", Landmarks(["a\0"], ["p"], np.zeros((1, 1, 2))))
    assert not (tmp_path / "a.csv").exists()


def test_a_file_that_is_not_there_or_cannot_be_written(tmp_path):
    with pytest.raises(datasets.DatasetError, match=r"none\.csv: cannot be read"):
        read_landmarks(tmp_path / "none.csv")
    with pytest.raises(datasets.DatasetError, match="cannot be read"):
        read_landmarks(tmp_path)
    with pytest.raises(ValueError, match="cannot be written as UTF-8"):
        write_landmarks(tmp_path / "a.csv", Landmarks(["\udcff"], ["p"], [[[1, 2]]]))
    assert list(tmp_path.iterdir()) == []


def test_write_is_exact_text(tmp_path):
    found = Landmarks(["a,b", "c"], ["p"], [[[0.1, 2]], [[NAN, NAN]]], error=[[1.5], [NAN]])
    write_landmarks(tmp_path / "a.csv", found)
    text = 'image,landmark,x,y,error\n"a,b",p,0.1,2.0,1.5\nc,p,,,\n'
    assert (tmp_path / "a.csv").read_text() == text


NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
    min_size=1,
    max_size=3,
    unique=True,
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=100, deadline=None)
@given(ids=NAMES, names=NAMES, data=st.data())
def test_what_is_written_is_read_back(tmp_path_factory, ids, names, data):
    xy = np.empty((len(ids), len(names), 2))
    for point in xy.reshape(-1, 2):
        point[:] = data.draw(st.one_of(st.just((NAN, NAN)), st.tuples(NUMBERS, NUMBERS)))
    found = Landmarks(ids, names, xy, confidence=xy[..., 0])
    path = tmp_path_factory.mktemp("trip") / "a.csv"
    write_landmarks(path, found)
    back = read_landmarks(path)
    assert back.ids == ids and back.names == names
    np.testing.assert_array_equal(back.xy, xy)
    np.testing.assert_array_equal(back.confidence, found.confidence)


@st.composite
def mutated(draw, valid: bytes):
    """A valid file with some bytes cut, doubled or changed."""
    text = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 9)))
        snippets = [
            b"",
            b",",
            b'"',
            b"\n",
            b"\0",
            b"\xff",
            b"nan",
            b"-inf",
            b"1e999",
            b"[",
            b"null",
            b"{}",
            b"9" * 400,
            bytes(text[at:end]) * 2,
        ]
        text[at:end] = draw(st.sampled_from(snippets))
    return bytes(text)


VALID = [text.encode() for text in (LONG, WIDE, json.dumps(COCO))]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), *map(mutated, VALID)))
def test_any_bytes_give_landmarks_or_a_dataset_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(text)
    try:
        found = read_landmarks(path)
    except datasets.DatasetError as error:
        assert str(path) in str(error)
    else:
        assert found.xy.shape == (len(found.ids), len(found.names), 2)
        assert not np.isinf(found.xy).any()


def test_json_that_is_nested_too_deeply(tmp_path):
    with pytest.raises(datasets.DatasetError, match=r"points\.csv"):
        read(tmp_path, '{"a":' * 200_000)
