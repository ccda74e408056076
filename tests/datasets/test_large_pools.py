"""Duplicates of a large pool: as comparing all pairs finds them, from lists of likely images."""

from __future__ import annotations

import sys

import cv2
import imagefiles
import numpy as np
import pytest

from scp import datasets
from scp.datasets import likely, neighbours

BASE = datasets.phantom(90, seed=8, size=(96, 80))
IMAGES = [BASE.image(i) for i in range(90)]
H, W = IMAGES[0].shape


def recompressed(image):
    data = np.frombuffer(imagefiles.encode(".jpg", image, cv2.IMWRITE_JPEG_QUALITY, 50), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def moved(image, scale, dx):
    matrix = cv2.getRotationMatrix2D((W / 2, H / 2), 0, scale)
    matrix[0, 2] += dx * W
    return cv2.warpAffine(image, matrix, (W, H), borderMode=cv2.BORDER_REPLICATE)


def noisy(image):
    grain = np.random.default_rng(0).normal(0, 6, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


COPIES = [
    lambda a: a,
    recompressed,
    noisy,
    lambda a: np.rint((a / 255) ** 0.6 * 255).astype(np.uint8),
    lambda a: moved(a, 1.0, 0.04),
    lambda a: moved(a, 1.1, 0.0),
    lambda a: a[H // 16 :, : -W // 20],
    lambda a: cv2.resize(a, (W // 2, H // 2), interpolation=cv2.INTER_AREA),
]
COPIED = range(0, 80, 5)
PLANTED = [(i, 90 + k) for k, i in enumerate(COPIED)]


@pytest.fixture(scope="module")
def pool():
    copies = [COPIES[k % len(COPIES)](IMAGES[i]) for k, i in enumerate(COPIED)]
    return datasets.arrays([*IMAGES, *copies])


@pytest.fixture
def large(monkeypatch):
    """A pool of more than 20 images is large, and each image is compared with 10 others."""
    monkeypatch.setattr(likely, "ALL_PAIRS", 20)
    monkeypatch.setattr(likely, "LISTED", 11)
    monkeypatch.setattr(neighbours, "_SIZE", 8)
    monkeypatch.setattr(neighbours, "_MOST", 16)
    monkeypatch.setattr(neighbours, "_PROBES", 4)
    monkeypatch.setattr(neighbours, "_BLOCK", 24)


def test_copies_are_found_as_by_comparing_all(pool, large, monkeypatch):
    compared = []

    def counted(moved, middle):
        compared.append(middle.shape[0] * middle.shape[1])
        return best(moved, middle)

    best = likely._best
    monkeypatch.setattr(likely, "_best", counted)
    found = datasets.find_duplicates(pool)
    assert sum(compared) == 2 * len(pool) * likely.LISTED  # and not len(pool) squared
    monkeypatch.setattr(likely, "ALL_PAIRS", len(pool))
    assert found == datasets.find_duplicates(pool)
    assert [(p.a, p.b) for p in found] == PLANTED
    assert sum(compared) == 2 * len(pool) * likely.LISTED


def test_values_are_those_of_all_pairs(pool, large):
    seen = datasets.pictures(pool)
    for some, every in zip(likely._with_listed(seen), likely._with_all(seen), strict=True):
        exact = {a: values.copy() for a, _, values in every}
        rows = 0
        for a, others, values in some:
            there = others >= 0  # a few cells may hold fewer than are listed
            assert there.sum() > 4 and len(set(others[there])) == there.sum()
            assert np.abs(values - exact[a][others])[there].max() < 1e-3
            rows += 1
        assert rows == len(pool)


def test_different_images_are_no_duplicates(large):
    assert datasets.find_duplicates(datasets.arrays(IMAGES)) == []


def test_progress_of_a_large_pool(pool, large):
    seen = []
    datasets.find_duplicates(pool, progress=lambda *at: seen.append(at))
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages == ["duplicates", "likely duplicates", "comparing"]
    for stage in stages:
        ends = [(done, total) for name, done, total in seen if name == stage]
        assert ends[0][0] == 0 and ends[-1][0] == ends[-1][1] > 0


def test_equal_images_without_content(large):
    flat = [np.full((20, 30), 9, np.uint8)] * 25
    found = datasets.find_duplicates(datasets.arrays([*flat, np.full((30, 20), 9, np.uint8)]))
    assert {(p.a, p.b) for p in found} == {
        (a, b) for a in range(25) for b in range(a + 1, min(25, a + 1 + likely.NEIGHBOURS))
    }


def test_many_pictures_lie_in_a_file(pool, tmp_path, monkeypatch):
    kept = datasets.pictures(pool)
    monkeypatch.setattr(sys.modules["scp.datasets.pictures"], "_IN_MEMORY", 50)
    monkeypatch.setattr(sys.modules["scp.datasets.pictures"], "BLOCK", 32)
    filed = datasets.pictures(pool, folder=tmp_path)
    assert not list(tmp_path.iterdir())  # it has no name
    assert np.array_equal(filed, kept) and filed.dtype == np.float16
    assert not filed.flags.writeable and kept.flags.writeable
    assert datasets.find_inverted(pool, seen=filed) == datasets.find_inverted(pool, seen=kept)


def rows_of(n, d=24, seed=0, kinds=12, spread=0.3):
    rng = np.random.default_rng(seed)
    share = 0.5 ** np.arange(1, kinds + 1)  # half of the rows are of one kind
    of = rng.choice(kinds, n, p=share / share.sum())
    return neighbours.whole(rng.normal(size=(kinds, d))[of] + spread * rng.normal(size=(n, d)))


def test_products_are_exact():
    a, b = rows_of(40, 676, 1), rows_of(30, 676, 2)
    exact = a.astype(np.int64) @ b.astype(np.int64).T
    assert (a.astype(np.int64) ** 2).sum(axis=1).max() < 1 << 24  # of float32
    assert np.array_equal(neighbours.correlations(a, b) * neighbours._LENGTH**2, exact)


def nearest_of(rows, queries, count):
    out = np.full((len(queries), count), -1)
    for asked, listed in neighbours.Cells(rows).nearest(queries, count):
        out[asked] = listed
    return out


def test_the_nearest_are_those_of_all_where_all_cells_are_looked_into(monkeypatch):
    monkeypatch.setattr(neighbours, "_SIZE", 20)
    monkeypatch.setattr(neighbours, "_MOST", 40)
    monkeypatch.setattr(neighbours, "_PROBES", 10_000)
    rows, queries = rows_of(600), rows_of(90, seed=3)
    rows[100:110] = rows[7]  # equal rows: the first count
    queries[0] = rows[7]
    alike = queries.astype(np.int64) @ rows.astype(np.int64).T
    first = np.sort(np.argsort(-alike, axis=1, kind="stable")[:, :5], axis=1)
    assert np.array_equal(nearest_of(rows, queries, 5), first)
    assert first[0].tolist() == [7, 100, 101, 102, 103]


def test_few_cells_are_enough_for_near_ones(monkeypatch):
    monkeypatch.setattr(neighbours, "_SIZE", 20)
    monkeypatch.setattr(neighbours, "_MOST", 40)
    monkeypatch.setattr(neighbours, "_PROBES", 3)
    rows = rows_of(2000)
    near = neighbours.whole(rows + np.random.default_rng(5).normal(size=rows.shape) * 30)
    found = nearest_of(rows, near, 3)
    assert np.mean([i in listed for i, listed in enumerate(found)]) > 0.99


def test_where_cells_hold_fewer_rows_than_are_listed(monkeypatch):
    monkeypatch.setattr(neighbours, "_SIZE", 4)
    monkeypatch.setattr(neighbours, "_MOST", 8)
    monkeypatch.setattr(neighbours, "_PROBES", 1)
    rows = rows_of(60)
    found = nearest_of(rows, rows, 10)
    assert all(i in listed for i, listed in enumerate(found))  # itself
    assert (found[:, 0] == -1).all() and (np.diff(found) >= 0).all()


@pytest.mark.parametrize("same", [0, 1500, 3000])
def test_cells_hold_each_row_once_and_few(same):
    rows = rows_of(3000)
    rows[:same] = rows[0]
    cells = neighbours.Cells(rows)
    assert np.array_equal(np.sort(np.concatenate(cells.members)), np.arange(3000))
    assert max(map(len, cells.members)) <= neighbours._MOST
    assert len(cells.centres) == len(cells.members)
    if same:  # of equal rows the first, wherever they were put
        assert nearest_of(rows, rows[:1], 4).max() < same


def test_real_radiographs(real_data, large):
    pool = datasets.cephalometric(real_data("cephalometric"), "all")
    seen, flat = datasets.pictures(pool), np.zeros(len(pool), bool)
    found = {tuple(row[:2]) for row in likely.likely_pairs(seen, flat).tolist()}
    ids = {(pool.ids[a], pool.ids[b]) for a, b in found}
    assert {("001", "275"), ("007", "293"), ("014", "287"), ("144", "173")} <= ids
