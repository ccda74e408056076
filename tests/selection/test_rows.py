"""Choosing from a matrix part by part: as from the whole, and a bound that holds for every set."""

from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from multiprocessing import get_context

import numpy as np
import pytest

import scp
from scp.distributed import Workers
from scp.run import sampling
from scp.selection import parts, sampled_bound, shortlist
from scp.selection.rows import _file_of, beyond, select_rows


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Parts, blocks and shortlists much smaller than the matrix, so that every step is taken."""
    monkeypatch.setattr(parts, "PART", 37)
    monkeypatch.setattr(parts, "CELLS", 900)
    monkeypatch.setattr(shortlist, "SHORTLIST", 40)
    monkeypatch.setattr(shortlist, "FEW", 8)


def matrix(n=230, q=90, seed=0):
    """Rows that are good for a few kinds of columns each."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 7, q)
    skill = rng.random((n, 7)) ** 3
    return np.clip(skill[:, kinds] * 0.8 + 0.2 * rng.random((n, q)), 0, 1).astype(np.float32)


@pytest.mark.parametrize("m", [1, 4, 9])
def test_nearly_the_answer_of_the_whole_matrix(m):
    values = matrix()
    weights = np.full(90, 1 / 90)
    found, wanted = select_rows(values, m, weights), scp.select(values, m)
    assert found.score >= 0.998 * wanted.score
    assert found.upper_bound >= wanted.score and found.gap < 0.05
    assert len(found.selected) == m
    assert found.score == pytest.approx(values[found.selected].max(axis=0).mean(), rel=1e-6)
    assert found.gains.sum() == pytest.approx(found.score)
    more = [np.maximum(values[found.selected].max(axis=0), row).mean() for row in values]
    assert found.next_gain == pytest.approx(max(more) - found.score, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_no_set_exceeds_the_bound(seed):
    values = matrix(45, 30, seed)
    found = select_rows(values, 2, np.full(30, 1 / 30))
    exact = values.astype(np.float64)
    best = max(exact[list(s)].max(axis=0).mean() for s in combinations(range(45), 2))
    assert best <= found.upper_bound


@pytest.mark.parametrize(
    "rules",
    [
        {"initial": [3, 50]},
        {"include": [7], "exclude": [0, 1, 2]},
        {"groups": [i // 23 for i in range(230)], "quota": 1},
        {"costs": 1.0 + np.arange(230) % 5, "budget": 9.0},
    ],
)
def test_rules(rules):
    values = matrix()
    weights = np.random.default_rng(1).random(90)
    found = select_rows(values, 4, weights, **rules)
    wanted = scp.select(values, 4, weights=weights, **rules)
    assert found.score >= 0.98 * wanted.score and found.upper_bound >= wanted.score * (1 - 1e-9)
    rows = found.selected.tolist()
    assert len(set(rows)) == 4 and not set(rows) & set(rules.get("exclude", ()))
    assert set(rules.get("include", ())) <= set(rows)
    if "groups" in rules:
        assert len({rules["groups"][i] for i in rows}) == 4
    if "costs" in rules:
        assert rules["costs"][rows].sum() <= 9


def test_as_many_as_the_budget_allows():
    values, costs = matrix(), 1.0 + np.arange(230) % 5
    found = select_rows(values, -1, np.full(90, 1 / 90), costs=costs, budget=12.0)
    wanted = scp.select(values, None, costs=costs, budget=12.0)
    assert found.score >= 0.99 * wanted.score and costs[found.selected].sum() <= 12
    assert found.upper_bound >= wanted.score


def test_a_file_is_read_by_processes(tmp_path):
    values, weights = matrix(), np.full(90, 1 / 90)
    np.save(tmp_path / "values.npy", values)
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    assert _file_of(np.ascontiguousarray(mapped)) == tmp_path / "values.npy"
    assert _file_of(mapped[1:]) is None and _file_of(mapped[:9]) is None
    assert _file_of(values) is None
    square = np.ascontiguousarray(values[:90])
    np.save(tmp_path / "square.npy", square)
    assert _file_of(np.load(tmp_path / "square.npy", mmap_mode="r").T) is None
    changed = np.load(tmp_path / "square.npy", mmap_mode="c")
    changed[7] = 0
    assert _file_of(changed) is None
    (tmp_path / "square.npy").unlink()
    here = select_rows(mapped, 5, weights)
    assert here == select_rows(values, 5, weights)
    asked = []
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        workers = Workers(executor, part=2)
        ask = workers.map
        workers.map = lambda task, *a, **b: asked.append(type(task)) or ask(task, *a, **b)
        assert select_rows(mapped, 5, weights, workers=workers, folder=tmp_path) == here
    assert {parts.Candidates, parts.Gains, parts.Above} == set(asked)
    assert [p.name for p in tmp_path.iterdir()] == ["values.npy"]


def test_the_same_bits_at_any_number_of_threads():
    values, found = matrix(), []
    for count in (1, 3):
        scp.set_threads(count)
        found.append(select_rows(values, 5, np.full(90, 1 / 90)))
    assert found[0] == found[1]


def test_the_bound_of_a_sample_part_by_part(monkeypatch):
    values = matrix(q=300)
    reference = values[:100].max(axis=0) * 0.9
    one = sampled_bound(values, reference, float(reference.mean()), 4)
    parted = sampled_bound(
        values, reference, float(reference.mean()), 4, max_memory=2 * values.nbytes - 2
    )
    assert parted.upper_bound == pytest.approx(one.upper_bound, rel=0.01)
    size = values.nbytes
    assert not beyond(size, None) and not beyond(size, 2 * size) and beyond(size, 2 * size - 2)
    small = values[:40]
    monkeypatch.setattr("scp.selection.sampled.beyond", lambda values, memory: True)
    found = sampled_bound(small, reference, 0.5, 2, max_memory=1 << 28, initial=[3])
    rows = -np.log1p(-found.eta * (small.astype(np.float64) - reference))  # some are negative
    sets = ([3, *s] for s in combinations([i for i in range(40) if i != 3], 2))
    best = max(rows[s].max(axis=0).mean() for s in sets)
    assert best <= found.sampled <= best + 0.02 * abs(best) + 0.01


def test_memory():
    with pytest.raises(MemoryError, match=r"too small for 230 images .* \d+ bytes are") as error:
        select_rows(matrix(), 4, np.full(90, 1 / 90), max_memory=10_000)
    enough = int(str(error.value).split()[-4])
    assert select_rows(matrix(), 4, np.full(90, 1 / 90), max_memory=enough).gap < 0.5


@pytest.fixture
def too_large(monkeypatch):
    """Every matrix is one that does not fit."""
    for module in ("rows", "sampled"):
        monkeypatch.setattr(f"scp.selection.{module}.beyond", lambda values, memory: True)
    monkeypatch.setattr("scp.run.reporting.beyond", lambda values, memory: True)


POOL = {"features": scp.GradientExtractor(size=(64, 64)), "count": 30}


def pool_of(n=24):
    return scp.datasets.phantom(n, seed=3, size=(96, 80))


def test_a_run_whose_sample_does_not_fit(monkeypatch, tmp_path, request):
    monkeypatch.setattr(sampling, "PILOT_IMAGES", 10)
    monkeypatch.setattr(sampling, "PILOT_COLUMNS", 100)
    whole = scp.Run(pool_of(), tmp_path / "a", sample=300, **POOL).select([2, 3])
    request.getfixturevalue("too_large")
    found = scp.Run(pool_of(), tmp_path / "b", sample=300, **POOL).select([2, 3])
    for one, other in zip(found.curve, whole.curve, strict=True):
        assert one.score >= 0.99 * other.score and one.probability == 0.99
        assert one.upper_bound == pytest.approx(other.upper_bound, rel=0.02)


RULES = [
    {},
    {"initial": [3], "include": [5], "exclude": [0, 1]},
    {"groups": [i // 3 for i in range(24)]},
    {"costs": [1.0 + i % 4 for i in range(24)], "budget": 5.0},
]


@pytest.mark.parametrize("rules", RULES)
def test_a_run_whose_matrix_does_not_fit(tmp_path, request, rules):
    whole = scp.Run(pool_of(), tmp_path / "a", **POOL).select([2, 3], **rules)
    request.getfixturevalue("too_large")
    run = scp.Run(pool_of(), tmp_path / "b", **POOL)
    found = run.select([2, 3], **rules)
    for one, other in zip(found.curve, whole.curve, strict=True):
        assert one.score >= 0.98 * other.score and one.probability == 1
        assert other.score <= one.upper_bound * (1 + 1e-9) and one.gap < other.gap + 0.05
    verdict = scp.verify(tmp_path / "b")
    assert verdict, str(verdict)
    assert "pictures and plots" not in run.report().read_text()  # few images: all are shown
    again = scp.Run.open(tmp_path / "b", pool_of(), features=POOL["features"])
    again.report()
    assert again._choice.ids == found.ids
    with pytest.raises(MemoryError, match=r"the method exact .* give \d+ bytes"):
        run.select(2, method="exact")
    with pytest.raises(MemoryError, match="min_distance"):
        run.select(2, min_distance=0.1)
    with pytest.raises(MemoryError, match="the method greedy"):  # before the long part
        scp.Run(pool_of(), tmp_path / "c", **POOL).select(2, method="greedy")
    assert not (tmp_path / "c" / "similarity.npy").exists()


def test_one_set_alone_and_proofs_of_different_units(tmp_path, too_large):
    """All images that may be chosen; a curve whose shortlists are of different scales."""
    run = scp.Run(pool_of(10), tmp_path / "a", **POOL)
    found = run.select([2, 8, 10])
    assert found.selection.gap == pytest.approx(0, abs=1e-9)
    verdict = scp.verify(tmp_path / "a")
    assert verdict, str(verdict)
    weights = np.random.default_rng(0).random(90)
    alone = select_rows(matrix(60), 4, weights, exclude=range(4, 60))
    assert alone.upper_bound == alone.score and alone.proven
    nothing = select_rows(np.zeros((60, 90), np.float32), 4, weights)
    assert nothing.upper_bound == nothing.score == 0
    values = matrix(60)
    values[7, 3] = 1.25
    for found in (select_rows(values, 1, weights), select_rows(values, 9, weights)):
        assert found.certificate.check(values) == []


@pytest.mark.parametrize("m", [60, -1])
def test_many_rows_stay_within_the_room(monkeypatch, m):
    held = []
    listed = shortlist.Shortlist._list
    monkeypatch.setattr(
        shortlist.Shortlist,
        "_list",
        lambda self, *rest: listed(self, *rest) or held.append((len(self.listed), self.room)),
    )
    rules = {} if m > 0 else {"costs": np.ones(230), "budget": 60.0}
    found = select_rows(matrix(), m, np.full(90, 1 / 90), max_memory=180_000, **rules)
    assert len(found.selected) == 60 and found.gap < 0.05
    assert held and all(rows <= room < 200 for rows, room in held)


def test_as_many_as_the_budget_allows_of_a_matrix_that_does_not_fit(tmp_path, too_large):
    costs = [1.0 + i % 4 for i in range(24)]
    found = scp.Run(pool_of(), tmp_path, **POOL).select(None, costs=costs, budget=4.0)
    assert sum(costs[i] for i in found.selection.selected) <= 4
    verdict = scp.verify(tmp_path)
    assert verdict, str(verdict)


def test_vectors_of_images_whose_matrix_does_not_fit(tmp_path, too_large):
    vectors = np.random.default_rng(0).standard_normal((24, 6)).astype(np.float32)
    found = scp.Run(pool_of(), tmp_path, features=vectors).select(3)
    assert found.selection.score <= found.selection.upper_bound
    assert scp.verify(tmp_path)
