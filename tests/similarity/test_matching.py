"""The search equals brute force to the bit, on every path, instruction set and thread count."""

import numpy as np
import pytest
from pyramids import pyramid, queries

from scp import FeaturePyramid, GradientExtractor, Queries, _core, _testing, match
from scp.reference import gradient as reference_gradient
from scp.reference import match as reference

GRIDS = [(1, 1, 1, 16), (1, 2, 3, 16), (2, 1, 3, 48), (3, 3, 5, 16), (4, 2, 2, 64), (5, 1, 2, 64)]


@pytest.mark.parametrize("kind", ["random", "smooth", "ties", "holes"])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_equals_brute_force(grid, kind, mode):
    rng = np.random.default_rng(sum(grid))
    levels, height, width, channels = grid
    p = pyramid(rng, levels, height, width, channels, kind)
    q, qn = queries(rng, p, 10)
    many = np.concatenate([q] * 4), np.concatenate([qn] * 4)  # auto asks a sample of more than 32
    for epsilon in (0.0, 1e-3):
        found = {
            path: match(
                p, *(many if path == "auto" else (q, qn)), mode=mode, epsilon=epsilon, path=path
            )
            for path in ("search", "dense", "auto")
        }
        across = width << (levels if mode == "bilinear" else levels - 1)
        for i in range(len(q)):
            value, index = reference.match(
                p.features, p.norms, q[i], qn[i], height, width, mode == "bilinear", epsilon
            )
            for got, place, _ in found.values():
                assert got[i].tobytes() == np.float32(value).tobytes()
                assert place[i, 1] * across + place[i, 0] == index


@pytest.mark.parametrize("kind", ["smooth", "ties", "holes"])
@pytest.mark.parametrize("grid", [(1, 2, 3, 16), (2, 1, 3, 48), (5, 3, 2, 32)])
def test_queries_that_share_coarse_vectors(grid, kind):
    """What the search does once for all of them does not change an answer."""
    rng = np.random.default_rng(8)
    p = pyramid(rng, *grid, kind)
    other = pyramid(rng, *grid, kind)
    height, width = p.size
    q, qn = other.at(rng.uniform(0, [width, height], (150, 2)).astype(np.float32))
    again = rng.permutation(np.concatenate([np.arange(150), np.arange(40)]))
    q, qn = np.ascontiguousarray(q[again]), np.ascontiguousarray(qn[again])
    expected = match(p, q, qn, path="dense")
    value, place, stats = match(p, q, qn, path="search")
    np.testing.assert_array_equal(value, expected[0])
    np.testing.assert_array_equal(place, expected[1])
    alone = [match(p, q[i : i + 1], qn[i : i + 1], path="search") for i in range(len(q))]
    np.testing.assert_array_equal(value, [v[0] for v, _, _ in alone])
    assert stats["dots"] < sum(s["dots"] for _, _, s in alone)


def test_prepared_queries():
    rng = np.random.default_rng(12)
    p = pyramid(rng, 4, 2, 3, 16, "smooth")
    q, qn = queries(rng, p, 30)
    copies = q.copy(), qn.copy()
    prepared = Queries(*copies)
    copies[0][:], copies[1][:] = 0, np.nan  # what was prepared stays
    assert len(prepared) == 30
    for mode in ("nearest", "bilinear"):
        for path in ("search", "dense"):
            once = match(p, q, qn, mode=mode, path=path)
            again = match(p, prepared, mode=mode, path=path)
            np.testing.assert_array_equal(once[0], again[0])
            np.testing.assert_array_equal(once[1], again[1])
            assert once[2] == again[2]
    with pytest.raises(TypeError, match="query_norms"):
        match(p, prepared, qn)
    with pytest.raises(TypeError, match="query_norms"):
        match(p, q)
    with pytest.raises(ValueError, match="unit vectors"):
        Queries(2 * q, qn)


def test_vectors_far_below_unit_length():
    """They are allowed, however small: the quantised tree has a unit for them."""
    rng = np.random.default_rng(13)
    p = pyramid(rng, 3, 2, 2, 16)
    q, qn = queries(rng, p, 8)
    for level in range(3):
        for size in (0.5, 1e-3, 1e-20, 1e-38, 1e-42, 0.0):
            small = FeaturePyramid(p.features.copy(), p.norms, 3, 2, 2)
            small.level(level)[0][:] *= np.float32(size)
            expected = match(small, q, qn, path="dense")
            found = match(small, q, qn, path="search")
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[1], expected[1])


def test_opposite_vectors_match_nowhere():
    rng = np.random.default_rng(1)
    p = pyramid(rng, 3, 2, 2, 16, "ties")
    q, qn = p.at(np.array([[3.0, 5.0]], np.float32))
    for mode in ("nearest", "bilinear"):
        value, place, _ = match(p, np.ascontiguousarray(-q), qn, mode=mode)
        assert value[0] == 0 and place[0].tolist() == [0, 0]


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_same_bits_on_every_set_and_thread_count(mode):
    rng = np.random.default_rng(2)
    p = pyramid(rng, 5, 3, 4, 64, "smooth")
    q, qn = queries(rng, p, 80)
    outcomes = []
    for isa in _core.isas():
        for threads in (1, 2, 5):
            _testing.set_isa(isa)
            _core.set_threads(threads)
            value, place, stats = match(p, q, qn, mode=mode, path="search")
            outcomes.append((value.tobytes(), place.tobytes(), str(stats)))
    assert len(set(outcomes)) == 1


def test_norms_whose_product_overflows():
    rng = np.random.default_rng(9)
    p = pyramid(rng, 2, 2, 3, 16)
    q, qn = queries(rng, p, 8)
    p.norms[::2] = 1e30
    qn[::2] = 1e30
    for path in ("search", "dense"):
        value, place, _ = match(p, q, qn, path=path)
        for i in range(len(q)):
            with np.errstate(over="ignore", invalid="ignore"):
                expected, index = reference.match(p.features, p.norms, q[i], qn[i], 2, 3)
            assert value[i] == expected and place[i, 1] * 6 + place[i, 0] == index


def test_pruning_prunes_and_flat_features_go_dense():
    rng = np.random.default_rng(3)
    p = pyramid(rng, 5, 6, 6, 64, "smooth")
    q, qn = queries(rng, p, 64)
    stats = match(p, q, qn)[2]
    assert not stats["dense"] and stats["dots"] < 0.2 * stats["brute"]
    flat = pyramid(rng, 4, 4, 4, 16, "ties")
    q, qn = flat.at(np.zeros((64, 2), np.float32))
    assert match(flat, q, qn)[2]["dense"]
    # no sample of few queries: it would be as much work as their answer
    assert match(flat, q[:32], qn[:32])[2] == match(flat, q[:32], qn[:32], path="search")[2]


def test_bad_arguments_are_named():
    rng = np.random.default_rng(4)
    p = pyramid(rng, 2, 2, 2, 16)
    q, qn = queries(rng, p, 4)
    with pytest.raises(ValueError, match="mode"):
        match(p, q, qn, mode="cubic")
    with pytest.raises(ValueError, match="path"):
        match(p, q, qn, path="fast")
    with pytest.raises(ValueError, match="epsilon"):
        match(p, q, qn, epsilon=-1.0)
    with pytest.raises(TypeError, match="queries"):
        match(p, q.astype(np.float64), qn)
    with pytest.raises(ValueError, match="query_norms"):
        match(p, q, qn[:3])
    with pytest.raises(ValueError, match="levels"):
        match(p, q[:, :0], qn[:, :0])
    with pytest.raises(ValueError, match="channels"):
        match(p, np.zeros((4, q.shape[1], 32), np.float32), qn)
    with pytest.raises(TypeError, match=r"queries must be Queries, got float32"):
        _core.match(p.features, p.norms, q, p.height, p.width)
    for spoil in (np.nan, np.inf, 3.0):
        bad = q.copy()
        bad[1, 1, 3] = spoil
        with pytest.raises(ValueError, match="unit vectors"):
            match(p, bad, qn)
        broken = FeaturePyramid(p.features.copy(), p.norms, p.levels, p.height, p.width)
        broken.features[7, 2] = spoil
        with pytest.raises(ValueError, match="unit vectors"):
            match(broken, q, qn)
    assert len(match(p, q[:0], qn[:0])[0]) == 0


def test_allocation_failure_leaves_nothing():
    rng = np.random.default_rng(5)
    p = pyramid(rng, 3, 2, 2, 16)
    q, qn = queries(rng, p, 4)
    before = _testing.alloc_state()[0]
    failures = 0
    for n in range(1, 50):
        _testing.alloc_fail_at(n)
        try:
            match(p, q, qn)
        except MemoryError:
            failures += 1
        else:
            break
        finally:
            _testing.alloc_fail_at(0)
        assert _testing.alloc_state()[0] == before  # nothing of the traceback lives any more
    assert 3 <= failures < 49


def test_progress_stops_the_search():
    rng = np.random.default_rng(6)
    p = pyramid(rng, 5, 12, 12, 64)
    q, qn = queries(rng, p, 4000)  # long enough to be asked in the middle

    def stop(stage, done, total):
        if total > 1:  # the core's own
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        match(p, q, qn, path="dense", progress=stop)


@pytest.mark.parametrize(
    "levels, channels, size", [(1, 16, (6, 4)), (3, 64, (40, 24)), (5, 32, (64, 96))]
)
def test_gradient_pyramid_equals_its_twin(levels, channels, size):
    image = np.random.default_rng(7).random(size, np.float32)
    p = GradientExtractor(size=size, levels=levels, channels=channels).pyramid(image)
    features, norms = reference_gradient.gradient_pyramid(image, levels, channels)
    assert np.abs(p.norms - norms).max() <= 1e-4
    assert np.abs(p.features - features).max() <= 2e-3
    assert np.abs(np.linalg.norm(p.features, axis=1) - 1).max() <= 1e-5


def test_gradient_pyramid_ignores_brightness_and_contrast():
    image = np.random.default_rng(8).random((64, 64), np.float32)
    extractor = GradientExtractor(size=(64, 64))
    a, b = extractor.pyramid(image), extractor.pyramid(image * np.float32(0.5) + np.float32(0.25))
    assert np.abs(a.features - b.features).max() <= 1e-3
    flat = extractor.pyramid(np.full((64, 64), 0.5, np.float32))
    assert not flat.norms.any() and not flat.features.any()


def test_gradient_pyramid_refuses_bad_images():
    extractor = GradientExtractor(size=(64, 64))
    with pytest.raises(ValueError, match="image"):
        extractor.pyramid(np.zeros((64, 32), np.float32))
    bad = np.zeros((64, 64), np.float32)
    bad[3, 3] = np.nan
    with pytest.raises(ValueError, match="finite"):
        extractor.pyramid(bad)
    for kwargs, name in (
        ({"size": (50, 64)}, "size"),
        ({"channels": 20}, "channels"),
        ({"levels": 0}, "levels"),
    ):
        with pytest.raises(ValueError, match=name):
            GradientExtractor(**kwargs).check()
