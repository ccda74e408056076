"""What the rules take, against their definitions in a few lines of NumPy."""

import sys

import numpy as np
import pytest

import scp
from scp import baselines
from scp.baselines import activeft, cover
from scp.baselines.candidates import Candidates
from scp.baselines.distances import unit
from scp.reference.selection import greedy
from scp.runs import write_safetensors

pytest.importorskip("sklearn", reason="k-means is scikit-learn's")


def blobs(seed=0, n=240, d=8, k=6, spread=0.2):
    rng = np.random.default_rng(seed)
    middle = rng.standard_normal((k, d))
    label = np.arange(n) % k
    return (middle[label] + spread * rng.standard_normal((n, d))).astype(np.float32), label


@pytest.mark.parametrize("method", baselines.METHODS)
def test_rules_hold_for_all(method):
    x, _ = blobs()
    groups = np.arange(len(x)) // 3
    rules = {"initial": [0, 4], "include": [9], "exclude": range(60, 200), "groups": groups}
    found = baselines.pick(x, 12, method, random_state=5, **rules)
    assert found.dtype == np.int64 and found[0] == 9 and len(set(found.tolist())) == 12
    assert not set(found.tolist()) & {0, 4, *range(60, 200)}
    assert len({0, 4, *found.tolist()}) == len(set(groups[[0, 4, *found]]))
    again = baselines.pick(x.astype(np.float64), 12, method, random_state=5, **rules)
    assert found.tolist() == again.tolist()


@pytest.mark.filterwarnings("ignore:typiclust")
@pytest.mark.parametrize("method", baselines.METHODS)
def test_all_images_can_be_taken(method):
    x, _ = blobs(n=9)
    assert sorted(baselines.pick(x, 9, method).tolist()) == list(range(9))


@pytest.mark.parametrize("method", baselines.METHODS)
def test_equal_and_zero_vectors(method):
    x = np.zeros((20, 4), np.float32)
    x[10:, 1] = 1
    found = baselines.pick(x, 5, method)
    assert len(set(found.tolist())) == 5


@pytest.mark.parametrize(
    "method", ["kmeans", "pixels", "typiclust", "kcenter", "probcover", "facility"]
)
def test_far_clusters_get_one_each(method):
    x, label = blobs(spread=0.05)
    assert sorted(label[baselines.pick(x, 6, method)]) == list(range(6))
    more = baselines.pick(x, 5, method, initial=[2])  # whose cluster is covered
    assert sorted(label[more]) == [0, 1, 3, 4, 5]


def test_kmeans_takes_the_nearest_to_each_centre():
    from sklearn.cluster import KMeans

    x, _ = blobs()
    fit = KMeans(7, n_init=1, random_state=3).fit(unit(x))
    distance = np.linalg.norm(unit(x)[:, None] - fit.cluster_centers_, axis=2)
    nearest = [int(np.where(fit.labels_ == c, distance[:, c], np.inf).argmin()) for c in range(7)]
    assert sorted(baselines.pick(x, 7, "kmeans", random_state=3)) == sorted(nearest)


def test_typiclust_takes_the_most_typical_of_the_largest():
    x, label = blobs(n=101, k=4)
    x[label == 1] *= np.float32(3)  # lengths do not matter
    found = baselines.pick(x, 4, "typiclust")
    sizes = np.bincount(label)[label[found]]
    assert sizes.tolist() == sorted(sizes, reverse=True)
    for row in found:
        inside = np.flatnonzero(label == label[row])
        d = np.linalg.norm(unit(x)[inside, None] - unit(x)[inside], axis=2)
        k = min(20, len(inside) // 2)
        mean = np.sort(d, axis=1)[:, 1 : k + 1].mean(axis=1)
        assert inside[mean.argmin()] == row
    with pytest.warns(UserWarning, match="no cluster has more than 5"):
        baselines.pick(x[:8], 4, "typiclust")
    few = np.concatenate([x[:7] * 0 + x[0], unit(np.eye(8, dtype=np.float32)[:6])])
    with pytest.warns(UserWarning, match="too few images are in clusters of more than 5"):
        assert len(set(baselines.pick(few, 9, "typiclust").tolist())) == 9


def test_kcenter_is_farthest_first():
    x, _ = blobs(1)
    found = baselines.pick(x, 10, "kcenter").tolist()
    y = unit(x).astype(np.float64)
    assert found[0] == np.linalg.norm(y - y.mean(0), axis=1).argmin()
    for k in range(1, 10):
        near = np.linalg.norm(y[:, None] - y[found[:k]], axis=2).min(1)
        assert near[found[k]] == pytest.approx(near.max(), rel=1e-5)


def test_probcover_covers_greedily():
    x, _ = blobs(2, spread=0.6)
    images = Candidates(unit(x))
    labels, _ = cover.clusters(images.x, 10, images.seed)
    reach = cover.reach(images.x, labels)
    d = np.linalg.norm(images.x[:, None].astype(np.float64) - images.x, axis=2) ** 2
    pure = [(labels[row < reach * (1 - 1e-5)] == labels[i]).all() for i, row in enumerate(d)]
    assert np.mean(pure) >= 0.95
    wider = [(labels[row < reach * 1.2] == labels[i]).all() for i, row in enumerate(d)]
    assert np.mean(wider) < np.mean(pure)
    covered = np.zeros(len(x), bool)
    for row in baselines.pick(x, 10, "probcover"):
        count = (~covered & (d < reach)).sum(1)
        if not count.max():
            break
        assert count[row] >= count.max() - 1  # distances at the edge round
        covered |= d[row] < reach


def test_facility_is_greedy_of_the_kernel():
    x, _ = blobs(3)
    y = unit(x).astype(np.float64)
    kernel = np.exp(-((y[:, None] - y) ** 2).sum(2))
    found = baselines.pick(x, 8, "facility")
    assert found.tolist() == greedy(kernel, 8, np.full(len(x), 1 / len(x)))
    spread = baselines.pick(x, 8, "repdiv").tolist()
    assert spread[:6] == found[:6].tolist()
    near = kernel[spread[:6]].max(0)
    assert near[spread[6]] == pytest.approx(near.min())


def test_freesel_draws_by_squared_distance():
    x = np.zeros((6, 2, 3), np.float32)
    x[:, :, 0] = 1
    x[4, 1] = [0, 1, 0]  # one pattern of image 4 and one of image 5 differ
    x[5, 0] = [1, 2, 0]
    counts = np.zeros(6, int)
    for seed in range(400):
        counts[baselines.pick(x, 1, "freesel", initial=[0], random_state=seed)[0]] += 1
    assert counts[:4].sum() == 0
    chance = (1 - 1 / np.sqrt(5)) ** 2
    assert counts[5] / 400 == pytest.approx(chance / (1 + chance), abs=0.06)


def test_activeft_gradient_and_end():
    x, _ = blobs(4, n=90, d=5, k=3)
    y = unit(x).astype(np.float64)
    v = unit(np.random.default_rng(0).standard_normal((4, 5))).astype(np.float64)
    g, step = activeft.gradient(y, v), 1e-6
    for j in range(4):
        for k in range(5):
            e = np.zeros_like(v)
            e[j, k] = step
            slope = (activeft.objective(y, v + e) - activeft.objective(y, v - e)) / (2 * step)
            assert g[j, k] == pytest.approx(slope, rel=1e-4, abs=1e-6)
    found = baselines.pick(x, 3, "activeft")
    assert len(set(found.tolist())) == 3


def test_sums_of_the_nearest_follow_the_vectors():
    x, _ = blobs(5)
    y, rng = unit(x), np.random.default_rng(1)
    v = unit(rng.standard_normal((7, 8))).astype(np.float64)
    kept = activeft.NearestSums(y, 7)
    for _ in range(5):
        nearest = (y @ v.astype(np.float32).T).argmax(axis=1)
        wanted = [y[nearest == j].sum(axis=0, dtype=np.float64) for j in range(7)]
        assert np.array_equal(kept.of(v), wanted)
        v += 0.2 * rng.standard_normal(v.shape)


def test_rules_run_on_one_thread_of_the_linear_algebra(monkeypatch):
    from threadpoolctl import threadpool_info

    def rule(images, m):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        images.take(0)

    rules = sys.modules["scp.baselines.choose"].RULES  # the module has the name of a function
    monkeypatch.setitem(rules, "kcenter", rule)
    assert baselines.pick(blobs()[0], 1, "kcenter").tolist() == [0]


def test_errors_name_what_is_wrong():
    x, _ = blobs()
    with pytest.raises(ValueError, match=r"method must be one of kmeans, .*got 'k'"):
        baselines.pick(x, 3, "k")
    with pytest.raises(ValueError, match="m must be at most 240"):
        baselines.pick(x, 241)
    with pytest.raises(ValueError, match="row 3 is not"):
        y = x.copy()
        y[3, 1] = np.nan
        baselines.pick(y, 3)
    with pytest.raises(ValueError, match=r"shape \[N\]\[d\]"):
        baselines.pick(x[None], 3)
    with pytest.raises(scp.InfeasibleError, match="leave 2"):
        baselines.pick(x, 3, groups=np.arange(240) % 2)
    with pytest.raises(ValueError, match="exclude: row 1 is named before"):
        baselines.pick(x, 3, initial=[1], exclude=[1])
    with pytest.raises(ValueError, match="quota goes with groups"):
        baselines.pick(x, 3, quota=2)
    with pytest.raises(TypeError, match="costs"):
        baselines.pick(x, 3, costs=[1])
    with pytest.raises(ValueError, match="columns must have 2 dimensions"):
        baselines.pick(x[:, :1], 3, "zcore")


def test_choose_is_judged_like_any_choice():
    x, _ = blobs()
    y = unit(x)
    found = baselines.choose(x, 6, "kmeans", random_state=2, exclude=[7])
    assert found.method == "kmeans" and found.random_state == 2
    rows = baselines.pick(x, 6, "kmeans", random_state=2, exclude=[7])
    assert sorted(found.selected) == sorted(rows)
    best = scp.select(np.maximum(y @ y.T, 0), 6, exclude=[7])
    assert found.score <= best.score + 1e-9 <= found.upper_bound + 2e-9
    assert found.score == pytest.approx(np.maximum(y @ y.T, 0)[rows].max(0).mean(), rel=1e-6)


@pytest.mark.filterwarnings("ignore:typiclust")
@pytest.mark.parametrize("method", ["kmeans", "kcenter", "facility", "freesel", "zcore"])
def test_rules_take_more_of_what_they_make_large_than_chance(method):
    x, _ = blobs(6, spread=0.5)
    rng = np.random.default_rng(0)
    sets = np.stack([rng.choice(len(x), 6, replace=False) for _ in range(40)])
    chance = baselines.objective(x, sets, method)
    taken = baselines.objective(x, baselines.pick(x, 6, method)[None], method)
    assert chance.shape == (40,) and taken[0] > np.quantile(chance, 0.9)


def test_objectives_are_what_their_table_says():
    x, _ = blobs(7, n=30, d=4, k=3)
    y, rows = unit(x).astype(np.float64), [4, 9, 11]
    d2 = ((y[:, None] - y[rows]) ** 2).sum(2)
    near, kernel = d2.min(1), np.exp(-d2)
    among = kernel[rows] - np.eye(3)
    apart = np.sort(np.linalg.norm(y[:, None] - y, axis=2), axis=1)[:, 1:21].mean(1)
    wanted = {
        "kmeans": -near.mean(),
        "kcenter": -np.sqrt(near.max()),
        "typiclust": (1 / (apart[rows] + 1e-5)).mean(),
        "facility": kernel.max(1).mean(),
        "repdiv": kernel.max(1).mean() + (1 - among.max(1)).mean(),
        "freesel": -((1 - (y @ y[rows].T).max(1)) ** 2).mean(),
        "activeft": -activeft.objective(y, y[rows]),
    }
    for method, value in wanted.items():
        found = baselines.objective(x, [rows], method)
        assert found[0] == pytest.approx(value, rel=1e-4, abs=1e-5), method
    all_rows = np.arange(30)[None]
    assert baselines.objective(x, all_rows, "probcover")[0] == 1
    scores = baselines.objective(x, np.arange(30)[:, None], "zcore")
    assert scores.argmax() == baselines.pick(x, 1, "zcore")[0]
    for sets in ([[30]], [[-1]], [0], np.zeros((0, 2), int)):
        with pytest.raises(ValueError, match="sets must"):
            baselines.objective(x, sets)


def test_vgg_vectors_need_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("SCP_WEIGHTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"scp weights import vgg19-dcbb9e9d\.pth"):
        baselines.vectors(scp.datasets.phantom(2), "vgg")
    run = scp.Run(scp.datasets.phantom(4), features=scp.GradientExtractor(size=(96, 96)))
    with pytest.raises(FileNotFoundError, match=r"scp weights import"):
        run.select(2, method="kmeans", vectors="vgg")
    assert "points" not in vars(run) and "_pool" not in vars(run)  # before any work


def test_vgg_vectors_are_means_of_the_last_map(monkeypatch, tmp_path):
    shallow = ((4, 1), (6, 2))
    monkeypatch.setattr("scp.networks.vgg.VGG19", shallow)
    monkeypatch.setattr("scp.networks.imagenet.VGG19", shallow)
    monkeypatch.setenv("SCP_WEIGHTS", str(tmp_path))
    rng, inputs, weights = np.random.default_rng(0), 3, {}
    for theirs, channels in ((0, 4), (3, 6), (5, 6)):
        weights[f"features.{theirs}.weight"] = rng.standard_normal((channels, inputs, 3, 3))
        weights[f"features.{theirs}.bias"] = rng.standard_normal(channels)
        inputs = channels
    weights = {k: v.astype(np.float32) for k, v in weights.items()}
    write_safetensors(tmp_path / "given", {}, weights)
    scp.networks.import_vgg19(tmp_path / "given")
    images = scp.datasets.phantom(2)
    found = baselines.vectors(images, "vgg")
    assert found.shape == (2, 6) and found.dtype == np.float32
    grid = images.grid(1, (224, 224)).astype(np.float64)
    x = [
        (grid - mean) / sd
        for mean, sd in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)
    ]
    for theirs, pooled in ((0, True), (3, False), (5, True)):
        x = convolved(x, weights[f"features.{theirs}.weight"], weights[f"features.{theirs}.bias"])
        x = np.maximum(x, 0)
        if pooled:
            c, h, w = x.shape
            x = x.reshape(c, h // 2, 2, w // 2, 2).max((2, 4))
    np.testing.assert_allclose(found[1], x.mean((1, 2)), rtol=1e-4)


def convolved(x, weight, bias):
    """A 3 x 3 convolution with zeros around, as torchvision's weights [out][in][3][3] mean it."""
    x = np.pad(np.asarray(x, np.float64), ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    return np.einsum("chwij,ocij->ohw", windows, weight, optimize=True) + bias[:, None, None]


def test_vectors_of_images():
    images = scp.datasets.phantom(4)
    extractor = scp.GradientExtractor(size=(96, 96))
    levels = baselines.vectors(images, "levels", extractor)
    pyramid = extractor.pyramid(images.grid(2, (96, 96)))
    wanted = [pyramid.level(d)[0].mean((0, 1)) for d in range(pyramid.levels)[-3:]]
    np.testing.assert_allclose(levels[2], np.concatenate(wanted), rtol=1e-5, atol=1e-7)
    points = baselines.vectors(images, "keypoints", extractor)
    assert points.shape == (4, pyramid.levels * pyramid.features.shape[1])
    assert baselines.vectors(images, "pixels").shape == (4, 900)
    assert baselines.vectors(images, "patterns", extractor).shape[:2] == (4, 5)
    with pytest.raises(ValueError, match="extractor: levels vectors need one"):
        baselines.vectors(images, "levels")
