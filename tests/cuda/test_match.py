"""Similarity on a device gives the value and the place of the CPU, bit for bit: here on the host
emulation of CUDA, with `pytest -m cuda` on a GPU as well."""

import ctypes

import cudabuild
import numpy as np
import pytest
from pyramids import pyramid, queries

from scp import FeaturePyramid, GradientExtractor, SimilarityJob, _core, match
from scp.reference import match as reference
from scp.similarity import DeviceSearch


@pytest.fixture(params=cudabuild.PLACES)
def device(request):
    return cudabuild.use(request.param, request)


def same(p, q, qn, device, **options):
    value, place, _ = match(p, q, qn, device=device, **options)
    expected, where, _ = match(p, q, qn, device="cpu", **options)
    assert value.tobytes() == expected.tobytes()
    assert place.tobytes() == where.tobytes()
    return value, place


# Levels, height, width of level 0, channels: all depths of the walk, quads that are not full, every
# width of the tensor core product.
GRIDS = [
    (1, 2, 3, 16),
    (2, 1, 3, 48),
    (3, 2, 3, 64),
    (4, 1, 1, 32),
    (3, 1, 2, 128),
    (2, 2, 1, 144),
    (5, 1, 1, 64),
]


@pytest.mark.parametrize("kind", ["random", "smooth", "ties", "holes"])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_bits_of_the_cpu(device, mode, kind):
    for grid in GRIDS if kind == "smooth" else GRIDS[:3]:
        rng = np.random.default_rng(sum(grid))
        levels, height, width, channels = grid
        p = pyramid(rng, levels, height, width, channels, kind)
        q, qn = queries(rng, p, 18 if mode == "nearest" else 6)
        for epsilon in (0.0, 2.0) if kind == "random" else (1e-3,):
            same(p, q, qn, device, mode=mode, epsilon=epsilon)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_bits_of_the_reference(device, mode):
    rng = np.random.default_rng(5)
    p = pyramid(rng, 3, 2, 2, 32, "smooth")
    q, qn = queries(rng, p, 6)
    value, place, _ = match(p, q, qn, device=device, mode=mode)
    across = 2 << (3 if mode == "bilinear" else 2)
    for i in range(len(q)):
        best, index = reference.match(p.features, p.norms, q[i], qn[i], 2, 2, mode == "bilinear")
        assert value[i].tobytes() == np.float32(best).tobytes()
        assert place[i, 1] * across + place[i, 0] == index


def test_norms_far_apart_and_opposite_vectors(device):
    rng = np.random.default_rng(9)
    p = pyramid(rng, 2, 2, 3, 16)
    q, qn = queries(rng, p, 8)
    p.norms[::2] = 1e30
    p.norms[1::4] = 1e-30
    qn[::2] = 1e30
    qn[1::4] = 0
    same(p, q, qn, device)
    same(p, q, qn, device, mode="bilinear")
    flat = pyramid(rng, 3, 2, 2, 16, "ties")
    q, qn = flat.at(np.array([[3.0, 5.0]], np.float32))
    value, place = same(flat, np.ascontiguousarray(-q), qn, device)
    assert value[0] == 0 and place[0].tolist() == [0, 0]


def test_places_that_bfloat16_cannot_tell_apart(device):
    rng = np.random.default_rng(2)
    p = pyramid(rng, 2, 2, 4, 64, "ties")
    p.features[:] += 1e-4 * rng.standard_normal(p.features.shape).astype(np.float32)
    p.features[:] /= np.linalg.norm(p.features, axis=1, keepdims=True)
    q, qn = queries(rng, p, 20)
    same(p, q, qn, device)
    same(p, q, qn, device, mode="bilinear")


SLACK = 0.008  # of a level; a little more than csrc/cuda/matcher.cu takes


def screened(p, q, qn, grid, bilinear=False) -> np.ndarray:
    """Bounds [Q][roots] that the screen leaves, with epsilon 0, on the host emulation."""
    levels, height, width, channels = grid
    padded = (height * width + 3) // 4 * 4
    bounds = np.zeros((len(q), padded), np.float32)
    library = ctypes.CDLL(str(cudabuild.host_library("scp")))
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (bounds, p.features, p.norms, q, qn)]
    sizes = [ctypes.c_size_t(v) for v in (levels, channels, height, width)]
    count = ctypes.c_size_t(len(q))
    assert library.cuda_host_bounds(pointers[0], *sizes, *pointers[1:], count, int(bilinear)) == 0
    return bounds[:, : height * width]


@pytest.mark.parametrize("channels", [32, 64, 128, 256])
def test_bounds_hold_where_bfloat16_loses_most(channels):
    """Numbers halfway between two bfloat16 numbers, all rounded down."""
    down = np.float32(1 + 2**-8) / 2 ** (np.log2(channels) // 2)
    vector = np.full(channels, down, np.float32)
    n = int(1 / down**2)
    vector[n:] = 0
    vector[n:] = np.sqrt(max(1 - np.sum(vector.astype(float) ** 2), 0) / max(channels - n, 1))
    p = FeaturePyramid.from_levels([np.tile(vector, (2, 2, 1))])
    p.features[:] = vector
    q, qn = np.ascontiguousarray(p.features[:1, None]), np.ones((1, 1), np.float32)
    lost = 1 - screened(p, q, qn, (1, 2, 2, channels))
    assert (lost <= 0).all()


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("grid", [(3, 2, 3, 64), (1, 2, 3, 16), (2, 1, 5, 128)])
def test_bounds_hold_and_are_tight(mode, grid):
    """A screen that excludes nothing would pass all other tests."""
    levels, height, width, _ = grid
    rng = np.random.default_rng(8)
    p = pyramid(rng, *grid, "smooth")
    q, qn = queries(rng, p, 9)
    bilinear = mode == "bilinear"
    bounds = screened(p, q, qn, grid, bilinear)
    for i in range(len(q)):
        low = high = 1.0
        first = 0
        for d in range(levels):
            shape = height << d, width << d
            part = slice(first, first + shape[0] * shape[1])
            first = part.stop
            c = reference.similarity(q[i, d], qn[i, d], p.features[part], p.norms[part], 0.0)
            c = c.reshape(shape)
            if bilinear:  # the largest of the 3 x 3 roots, level by level
                c = c.reshape(height, 1 << d, width, 1 << d).max((1, 3))
                edge = np.pad(c, 1)
                c = np.max(
                    [edge[j : j + height, k : k + width] for j in range(3) for k in range(3)],
                    axis=0,
                )
                low, high = low * c, high * (c + 2 * SLACK)
            else:
                scale = 2 ** (levels - 1 - d)
                c = c.repeat(scale, 0).repeat(scale, 1)
                low, high = low * c, high * (c + 2 * SLACK)
        if not bilinear:
            low, high = (
                x.reshape(height, 2 ** (levels - 1), width, 2 ** (levels - 1)).max((1, 3))
                for x in (low, high)
            )
        assert (bounds[i] >= low.ravel()).all()
        assert (bounds[i] <= 1.00001 * high.ravel()).all()


def test_queries_in_tiles_and_several_images(device):
    rng = np.random.default_rng(3)
    images = [pyramid(rng, 2, 2, 3, 16, "smooth") for _ in range(5)]
    q, qn = queries(rng, images[0], 50)
    whole = DeviceSearch(0, q, qn, 2, 3, "nearest", 1e-3)(images)
    for memory in range(20_000, 60_000, 8_000):
        try:
            tiles = DeviceSearch(0, q, qn, 2, 3, "nearest", 1e-3, memory)(images)
        except MemoryError:
            assert memory < 40_000
            continue
        assert all(np.array_equal(a, b) for a, b in zip(whole, tiles, strict=True))
    for row, p in enumerate(images):
        assert np.array_equal(match(p, q, qn, device="cpu")[0], whole[0][row])
    with pytest.raises(MemoryError):
        DeviceSearch(0, q, qn, 2, 3, "nearest", 1e-3, 1000)


def test_bad_vectors_and_sizes_are_refused(device):
    rng = np.random.default_rng(4)
    p = pyramid(rng, 2, 2, 2, 16)
    q, qn = queries(rng, p, 4)
    for spoil in (np.nan, np.inf, 3.0):
        bad = q.copy()
        bad[1, 1, 3] = spoil
        with pytest.raises(ValueError, match="unit vectors"):
            match(p, bad, qn, device=device)
    for spoil in (np.nan, np.inf, -1.0):
        norms = p.norms.copy()
        norms[5] = spoil
        with pytest.raises(ValueError, match="finite norms"):
            _core.cuda_match(_core.cuda_matcher(q, qn, 2, 2, 0), (p.features,), (norms,))
    same(p, q, qn, device)  # and nothing is left behind
    with pytest.raises(ValueError, match="features: cells must be 20, as in matcher, got 19"):
        _core.cuda_match(_core.cuda_matcher(q, qn, 2, 2, 0), (p.features[1:],), (p.norms,))
    wide = np.zeros((1, 1, 272), np.float32)
    with pytest.raises(RuntimeError, match="256 channels"):
        _core.cuda_matcher(wide, np.zeros((1, 1), np.float32), 1, 1, 0)


def test_a_job_on_the_device(device, tmp_path):
    rng = np.random.default_rng(6)
    images = rng.random((3, 64, 64), dtype=np.float32)
    extractor = GradientExtractor(size=(64, 64), levels=3, channels=16)
    points = [rng.uniform(0, 63, (4, 2)).astype(np.float32) for _ in images]
    results = []
    for where in ("cpu", device):
        (tmp_path / where).mkdir()
        job = SimilarityJob(lambda i: images[i], 3, points, extractor, device=where)
        results.append([np.array(a) for a in job.run(tmp_path / where)])
    assert results[0][0].tobytes() == results[1][0].tobytes()
    assert results[0][1].tobytes() == results[1][1].tobytes()
