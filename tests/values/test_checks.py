"""Arrays and numbers of callers: exact, or refused by name, at every door."""

import contextlib
import importlib
import mmap
import warnings

import numpy as np
import pytest

import scp
from scp.values import array, real, whole, whole_numbers

sparse = pytest.importorskip("scipy.sparse")
RNG = np.random.default_rng(0)
TABLE = RNG.integers(0, 2**11, (7, 12)).astype(np.float32) / 2**11  # exact in float16
CHOSEN = scp.select(TABLE, 3).selected


class Tensor:
    """Like a tensor of another library: NumPy reads it by a method of its own."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        values = np.asarray(self.values)
        return values if dtype is None else values.astype(dtype)

    @property
    def ndim(self):
        return np.ndim(self.values)


class OnDevice:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor; use Tensor.cpu()")


class Exchanged:
    """Gives its memory by the DLPack protocol only."""

    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class NAType:
    """NA of pandas: equal to nothing, and no bool."""

    def __eq__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = object.__hash__


def misaligned(values):
    room = np.zeros(values.nbytes + 1, np.uint8)
    out = room[1:].view(values.dtype).reshape(values.shape)
    out[...] = values
    assert not out.flags.aligned
    return out


def read_only(values):
    values = values.copy()
    values.flags.writeable = False
    return values


EXACT = {
    "misaligned": misaligned,
    "misaligned float64": lambda v: misaligned(v.astype(np.float64)),
    "big-endian": lambda v: v.astype(">f4"),
    "big-endian float64": lambda v: v.astype(">f8"),
    "float16": lambda v: v.astype(np.float16),
    "longdouble": lambda v: v.astype(np.longdouble),
    "read-only": read_only,
    "reversed": lambda v: v[::-1, ::-1].copy()[::-1, ::-1],
    "strided": lambda v: np.repeat(v, 2, axis=1)[:, ::2],
    "columns first": np.asfortranarray,
    "objects": lambda v: v.astype(object),
    "lists": lambda v: v.tolist(),
    "rows": list,
    "tensor": Tensor,
    "DLPack": Exchanged,
    "nothing masked": lambda v: np.ma.masked_array(v, mask=False),
    "rows with masks": lambda v: list(np.ma.masked_array(v, mask=np.zeros_like(v, bool))),
}
masked = np.ma.masked_array(TABLE, mask=np.zeros_like(TABLE, bool))
masked[int(CHOSEN[0])] = np.ma.masked
missing = TABLE.astype(object)
missing[1, 2] = NAType()
REFUSED = {
    "masked": (masked, ValueError, "values must not be masked, but 12 entries are; give values"),
    "masked rows": (list(masked), ValueError, "values must not be masked, but 12 entries"),
    "missing": (missing, TypeError, r"values must .+ but values\[1, 2\] is missing"),
    "None": (np.where(TABLE > 0.5, TABLE, None), TypeError, "is missing"),
    "text": (TABLE.astype(str), TypeError, "values must be numbers, got dtype <U"),
    "text as objects": (TABLE.astype(str).astype(object), TypeError, r"values\[0, 0\] is of str"),
    "complex": (TABLE.astype(complex), TypeError, "values must be real numbers, got dtype complex"),
    "times": (np.zeros((2, 2), "timedelta64[s]"), TypeError, "values must be numbers"),
    "csr matrix": (sparse.csr_matrix(TABLE), TypeError, r"csr_matrix: give values\.toarray\(\)"),
    "coo array": (sparse.coo_array(TABLE), TypeError, r"values must be a dense array, got coo_arr"),
    "device": (OnDevice(), TypeError, r"values must .+ got OnDevice: can't .+ use Tensor\.cpu"),
    "ragged": ([[1.0, 2.0], [3.0]], TypeError, "values must be an array of numbers, got list"),
    "nothing": (None, TypeError, "values must be an array of numbers, got NoneType"),
    "dict": ({1: 2}, TypeError, "values must be an array of numbers, got dict"),
    "one number": (3.0, ValueError, "values must have 2 dimensions, got 0"),
    "too large": (np.full((2, 3), 1e300), ValueError, r"values\[0, 0\] is too large for float32"),
    "NaN": (np.full((2, 3), np.nan), ValueError, r"values\[0, 0\] must be a finite number"),
    "infinite": (np.full((2, 3), np.inf), ValueError, r"values\[0, 0\] must be a finite number"),
}


@pytest.mark.parametrize("kind", EXACT)
def test_what_holds_the_same_numbers_gives_the_same_answer(kind):
    given = EXACT[kind](TABLE)
    one = scp.select(given, 3)
    assert one == scp.select(TABLE, 3)
    assert scp.verify(given, one) == one.score
    assert scp.TemplateSelector(n_templates=3).fit(given).selection_ == one
    taken = array(given, "values", np.float32)
    assert taken.flags.c_contiguous and taken.flags.aligned and taken.dtype.isnative
    assert np.array_equal(taken, TABLE)
    offsets = np.arange(0, 15, 2)
    square = RNG.random((7, 14)).astype(np.float16).astype(np.float32)
    wanted = scp.image_distances(square, offsets)
    assert np.allclose(scp.image_distances(EXACT[kind](square), offsets), wanted, atol=1e-12)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_would_lose_something_is_refused_by_name(kind):
    given, error, words = REFUSED[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(error, match=words):
            scp.select(given, 1)
        with pytest.raises(error, match=words):
            scp.TemplateSelector(n_templates=1).fit(given)


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(TABLE)
    for given in (frame, frame.astype("Float64"), frame.astype("Float32")):
        assert scp.select(given, 3) == scp.select(TABLE, 3)
    with pytest.raises(TypeError, match=r"values\[0, \d+\] is missing"):
        scp.select(frame.astype("Float64").mask(frame > 0.5), 3)
    ones = pandas.Series(np.ones(12)).astype("Float64")
    assert scp.select(TABLE, 3, weights=ones) == scp.select(TABLE, 3, weights=np.ones(12))


def test_dask():
    dask = pytest.importorskip("dask.array")
    assert scp.select(dask.from_array(TABLE, chunks=(2, 5)), 3) == scp.select(TABLE, 3)


def test_groups_and_rows_come_from_any_library():
    groups, rows = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([4, 1])
    wanted = scp.select(TABLE, 3, groups=groups, include=rows)
    assert wanted != scp.select(TABLE, 3, include=rows), "the groups count"
    image = np.zeros((9, 9), np.uint8)
    kinds = [Tensor, lambda v: list(map(np.array, v)), lambda v: list(map(Tensor, v))]
    for module, name in (("xarray", "DataArray"), ("dask.array", "asarray"), ("pandas", "Series")):
        with contextlib.suppress(ImportError):
            kinds.append(getattr(importlib.import_module(module), name))
    for kind in kinds:
        assert scp.select(TABLE, 3, groups=kind(groups), include=kind(rows)) == wanted
        assert scp.datasets.arrays([image] * 7, groups=kind(groups)).groups == groups.tolist()
    for given, words in (
        (dict(enumerate(groups)), "groups must be a sequence of names, got {"),
        (set(range(7)), "groups must be a sequence of names, got {"),
        (groups[:, None], "groups must have 1 dimension, got 2"),
        ([[0]] * 7, "groups must hold hashable values"),
        (OnDevice(), r"groups must .+ use Tensor\.cpu"),
        ("abcdefg", "groups must be a sequence of names, got 'abc"),
        (3, "groups must be a sequence of names, got 3"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            scp.select(TABLE, 3, groups=given)
        with pytest.raises((TypeError, ValueError), match=words):
            scp.datasets.arrays([image] * 7, groups=given)
    for given in (None, "xrays", 3, {"a": image}):
        with pytest.raises(TypeError, match="images must be a sequence of arrays, got "):
            scp.datasets.arrays(given)
    with pytest.raises(TypeError, match="include must be a sequence"):
        scp.select(TABLE, 3, include={1: 2})


@pytest.mark.parametrize("mark", [np.ma.masked_array, lambda v, mask: sparse.csr_matrix(v)])
def test_no_door_loses_a_mask(mark):
    row, square = mark(np.ones(12), mask=np.eye(1, 12)[0]), mark(np.ones((7, 7)), mask=np.eye(7))
    image = mark(np.full((64, 64), 0.5), mask=np.eye(64))
    costs, extractor = mark(np.ones(7), mask=np.eye(1, 7)[0]), scp.GradientExtractor(size=(64, 64))
    pool, words = scp.datasets.phantom(2, seed=1, size=(64, 64)), "must (not be masked|be a dense)"
    doors = (
        lambda: scp.select(TABLE, 1, weights=row),
        lambda: scp.select(TABLE, 1, costs=costs, budget=3),
        lambda: scp.select(TABLE, 1, distances=square, min_distance=1),
        lambda: scp.verify(TABLE, scp.select(TABLE, 1), weights=row),
        lambda: scp.image_distances(square, np.arange(8)),
        lambda: scp.code_direction(square, np.arange(8)),
        lambda: extractor.pyramid(image),
        lambda: extractor.transform([image]),
        lambda: scp.FeatureExtractor(size=(64, 64)).fit([image], steps=1),
        lambda: scp.keypoints.detect(image),
        lambda: scp.FeaturePyramid.from_levels([mark(np.ones((1, 16)), mask=np.eye(1, 16))]),
        lambda: scp.evaluate(scp.Landmarks.of(pool), pool, spacing=mark(np.ones(2), mask=[0, 1])),
        lambda: scp.metrics.radial_errors([[0, 0]], [[3, 4]], mark(np.ones(2), mask=[0, 1])),
    )
    for door in doors:
        with pytest.raises((ValueError, TypeError), match=words):
            door()


def test_masked_landmarks_are_absent():
    xy = np.ma.masked_array(np.full((2, 3, 2), 9.0), mask=np.zeros((2, 3, 2), bool))
    xy[0, 1] = np.ma.masked
    there = [[True, False, True], [True, True, True]]
    pool = scp.datasets.phantom(2, seed=1, size=(64, 64))
    for found in (
        scp.Landmarks(["a", "b"], ["1", "2", "3"], xy),
        scp.Landmarks(["a", "b"], ["1", "2", "3"], [list(rows) for rows in xy]),
        scp.Landmarks.of(pool.with_landmarks(xy)),
    ):
        assert found.present.tolist() == there
    detector = scp.LandmarkDetector(extractor=scp.GradientExtractor(size=(64, 64)))
    assert detector.fit(pool, xy).templates_.present.tolist() == there
    errors = scp.metrics.radial_errors(xy, np.zeros((2, 3, 2)))
    assert np.isnan(errors).tolist() == (~np.array(there)).tolist()
    seen = np.ma.masked_array([0.5, 1.0], mask=[False, True])
    assert scp.metrics.mean_radial_error(seen) == 0.5
    votes = scp.combine(np.ma.masked_array(np.ones((2, 1, 2)), mask=False), seen[:, None])
    assert votes[1] == 0.5
    xy[1, 2, 0] = np.ma.masked
    with pytest.raises(ValueError, match="one coordinate only"):
        scp.Landmarks(["a", "b"], ["1", "2", "3"], xy)


def test_masked_pixels_are_refused():
    pixels = np.ma.masked_array(np.full((64, 64), 40, np.uint8), mask=np.eye(64))
    for door in (
        lambda: scp.keypoints.detect(pixels),
        lambda: scp.GradientExtractor(size=(64, 64)).transform([pixels]),
    ):
        with pytest.raises((ValueError, TypeError), match="mask"):
            door()


def test_images_of_other_byte_orders():
    extractor = scp.GradientExtractor(size=(64, 64))
    image = RNG.integers(0, 2**16, (64, 64)).astype(np.uint16)
    (wanted,) = extractor.transform([image])
    for given in (image.astype(">u2"), misaligned(image), image[::-1].copy()[::-1], Tensor(image)):
        (found,) = extractor.transform([given])
        assert found == wanted


def test_a_matrix_that_changes_during_the_search_does_not_change_the_answer():
    values = RNG.random((40, 200), dtype=np.float32)
    distances, weights = np.ones((40, 40)) - np.eye(40), np.full(200, 1 / 200)
    costs = np.ones(40)
    arguments = {"distances": distances, "weights": weights, "costs": costs}
    rest = {"min_distance": 0.5, "budget": 9, "method": "exact"}
    wanted = scp.select(values, 4, **{k: v.copy() for k, v in arguments.items()}, **rest)
    before = values.copy()

    def disturb(stage, done, total):
        for given in (values, *arguments.values()):
            given[...] = 0

    found = scp.select(values, 4, **arguments, **rest, progress=disturb)
    assert not values.any() and found == wanted
    assert scp.verify(before, found, np.full(200, 1 / 200)) == pytest.approx(found.score)


def test_memory_that_nobody_can_write_to_is_not_copied(tmp_path):
    np.save(tmp_path / "v.npy", TABLE)
    opened = np.load(tmp_path / "v.npy", mmap_mode="r")
    assert np.shares_memory(array(opened, "values", np.float32, copy=True), opened)
    for mode in ("r+", "c"):
        changing = np.load(tmp_path / "v.npy", mmap_mode=mode)
        assert not np.shares_memory(array(changing, "values", np.float32, copy=True), changing)
    view = TABLE.view()
    view.flags.writeable = False  # TABLE can still be written to
    assert not np.shares_memory(array(view, "values", np.float32, copy=True), TABLE)
    room = np.frombuffer(mmap.mmap(-1, 64), np.float32)
    assert not np.shares_memory(array(room, "values", np.float32, copy=True), room)


@pytest.mark.parametrize("wrong", [1.5, 1.0, True, np.True_, "1", None, [1], np.ma.masked, "1.5"])
def test_whole_numbers_are_whole(wrong):
    words = "must be (a whole number|a sequence of whole numbers)"
    with pytest.raises(TypeError, match=f"m {words}"):
        whole(wrong, "m")
    with pytest.raises(TypeError, match=f"include {words}"):
        whole_numbers([wrong], "include")
    pool = scp.datasets.phantom(3, seed=1, size=(64, 64))
    run = scp.Run(pool, features="gradient", count=5, duplicates=False, progress=False)
    for name in ("initial", "include", "exclude"):
        with pytest.raises(TypeError, match=f"{name} {words}"):
            scp.select(TABLE, 2, **{name: [wrong]})
        if not isinstance(wrong, str):  # an id of a run
            with pytest.raises(TypeError, match=f"{name} {words}"):
                run.select(1, **{name: [wrong]})
    if wrong is not None and wrong != [1]:
        with pytest.raises(TypeError, match=f"m {words}"):
            scp.select(TABLE, wrong)
        with pytest.raises(TypeError, match=f"m {words}"):
            run.select(wrong)


def test_numbers():
    assert whole(np.uint8(3), "m") == whole(np.array(3), "m") == 3
    assert whole_numbers(range(3), "rows") == whole_numbers(np.arange(3), "rows") == [0, 1, 2]
    for wrong in ("12", 3, None):
        with pytest.raises(TypeError, match="rows must be a sequence of whole numbers"):
            whole_numbers(wrong, "rows")
    with pytest.raises(TypeError, match=r"not a mask: give np\.flatnonzero\(include\)"):
        scp.select(TABLE, 2, include=np.zeros(7, bool))
    assert real(np.float32(1.5), "x") == 1.5
    for wrong in ("1", True, None, [1.0], 1j):
        with pytest.raises(TypeError, match="budget must be a number"):
            scp.select(TABLE, 1, costs=np.ones(7), budget=[wrong] if wrong is None else wrong)


def test_rows_of_a_data_set_are_whole():
    pool = scp.datasets.phantom(3, seed=1, size=(64, 64))
    assert pool.subset(np.arange(2)).ids == pool.ids[:2]
    for wrong, words in (
        ([1.7], "rows must be a whole number, got 1.7"),
        ([True, False, True], "rows must be a whole number, got True"),
        (np.array([True, False, True]), "rows must be whole numbers, not a mask"),
        ("12", "rows must be a sequence of whole numbers"),
    ):
        with pytest.raises(TypeError, match=words):
            pool.subset(wrong)
    for wrong in (1.7, "1", True):
        with pytest.raises(TypeError, match="image index must be a whole number"):
            pool.image(wrong)
    for wrong in ("3", 2.5, None):
        with pytest.raises(TypeError, match="levels must be a whole number"):
            scp.GradientExtractor(levels=wrong).check()
        with pytest.raises(TypeError, match="channels must be a whole number"):
            scp.GradientExtractor(channels=wrong).check()
