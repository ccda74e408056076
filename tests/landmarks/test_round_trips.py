"""Random landmarks survive every format, every two formats, and every form of a table."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import scp
from scp.landmarks import convert_landmarks, numbered
from scp.landmarks.formats import FORMATS

SIZES = (40, 30), (300, 410), (1935, 2400)  # (H, W)
IMAGES = scp.datasets.arrays(
    [np.zeros(size, np.uint8) for size in SIZES],
    ["set a/001.png", "set a/002.png", "b/ü 3.tif"],
).with_spacing([[0.1, 0.1], [0.5, 0.25], [1, 1]])
WRITTEN = [row.name for row in FORMATS if row.write is not None]
NAMELESS = ("tps",)
WORDS = st.text("abcdxyzÄß019 _-.()&<'\"", min_size=1, max_size=12)
ROUNDS = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def key(name):
    return "".join(c for c in name.casefold() if c.isalnum())


NAMES = st.lists(
    WORDS.map(lambda text: " ".join(text.split())).filter(key),
    min_size=1,
    max_size=4,
    unique_by=key,
)


@st.composite
def marks(draw):
    """Points inside the images; each name has one in the first image."""
    names, rng = draw(NAMES), np.random.default_rng(draw(st.integers(0, 1 << 30)))
    shape = len(SIZES), len(names)
    xy = rng.random((*shape, 2)) * (np.array(SIZES)[:, None, ::-1] - 1)
    xy[1:][rng.random((len(SIZES) - 1, len(names))) < 0.3] = np.nan
    return scp.Landmarks(IMAGES.ids, names, xy)


def same(found, said, *formats):
    """To a thousandth of a pixel; a format without names keeps the order."""
    names = numbered(len(said.names)) if set(formats) & set(NAMELESS) else said.names
    assert sorted(found.names) == sorted(names)
    again = found.rows(said.ids, absent=True).columns(names)
    np.testing.assert_allclose(again.xy, said.xy, atol=1e-3, rtol=0)


@ROUNDS
@pytest.mark.parametrize("name", WRITTEN)
@given(said=marks())
def test_every_format(tmp_path_factory, name, said):
    path = tmp_path_factory.mktemp("trip") / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that a format has not
        scp.write_landmarks(path, said, name, IMAGES)
        same(scp.read_landmarks(path, images=IMAGES, format=name), said, name)


@settings(ROUNDS, max_examples=60)
@given(said=marks(), first=st.sampled_from(WRITTEN), second=st.sampled_from(WRITTEN))
def test_every_two_formats(tmp_path_factory, said, first, second):
    folder = tmp_path_factory.mktemp("trip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scp.write_landmarks(folder / "a", said, first, IMAGES)
        convert_landmarks(folder / "a", folder / "b", to=second, images=IMAGES, format=first)
        same(scp.read_landmarks(folder / "b", images=IMAGES, format=second), said, first, second)


WAYS = ("{}_x", "{}_X", "{}.x", "{} x", "{} (x)", "x_{}", "X {}", "x.{}")
PLAIN = st.lists(
    st.text("abcdÄß019", min_size=1, max_size=6).filter(lambda t: key(t) not in ("x", "y")),
    min_size=1,
    max_size=4,
    unique_by=key,
)


@settings(ROUNDS, max_examples=150)
@given(
    names=PLAIN,
    way=st.sampled_from(WAYS),
    image=st.sampled_from(["image", "File", "file_name", "ID", "name", "image id", "path"]),
    delimiter=st.sampled_from([",", ";", "\t"]),
    comma=st.booleans(),
    index=st.booleans(),
    seed=st.integers(0, 1 << 30),
)
def test_every_form_of_a_wide_table(
    tmp_path_factory, names, way, image, delimiter, comma, index, seed
):
    xy = np.random.default_rng(seed).uniform(-5, 500, (3, len(names), 2)).round(4)
    axis = {"x": ("x", "y"), "X": ("X", "Y")}["X" if "X" in way else "x"]
    header = [image] + [way.replace(axis[0], a).format(n) for n in names for a in axis]
    rows = [[name, *map(repr, row.ravel().tolist())] for name, row in zip("abc", xy, strict=True)]
    if comma and delimiter != ",":
        rows = [[cell.replace(".", ",") for cell in row] for row in rows]
    if index:
        header, rows = ["", *header], [[str(k), *row] for k, row in enumerate(rows)]
    path = tmp_path_factory.mktemp("wide") / "t.csv"
    path.write_text("\n".join(map(delimiter.join, [header, *rows])) + "\n", "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scp.read_landmarks(path)
    assert found.ids == list("abc") and found.names == names
    np.testing.assert_array_equal(found.xy, xy)
