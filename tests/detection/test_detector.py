"""Template matching: votes, views, the detector."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import scp
from scp.detection import (
    RULES,
    VIEWS,
    Matches,
    Templates,
    Views,
    combine,
    match_templates,
    usual_pseudo_templates,
    view_weights,
)
from scp.detection.detector import PSEUDO_TEMPLATES


def votes(*rows):
    """xy [M][1][2] and similarity [M][1] from (x, y, similarity)."""
    table = np.array(rows, float)
    return table[:, None, :2], table[:, None, 2]


def test_the_confident_rule_takes_the_most_similar_vote_and_the_first_of_equals():
    xy, confidence, vote = combine(*votes((1, 2, 0.5), (3, 4, 0.8), (5, 6, 0.8)), "confident", 1e9)
    assert xy.tolist() == [[3, 4]] and vote.tolist() == [1]
    assert confidence[0] == pytest.approx((0.5 + 0.8 + 0.8) / 3)


def test_the_weighted_rule_is_the_mean_by_the_eighth_power():
    xy, _, vote = combine(*votes((0, 0, 0.5), (8, 16, 1.0)), "weighted")
    assert xy == pytest.approx(np.array([[8 * 256 / 257, 16 * 256 / 257]]))
    assert vote.tolist() == [1]


def test_the_median_rule_takes_each_coordinate():
    xy, _, _ = combine(*votes((0, 9, 0.5), (4, 1, 0.9), (100, 2, 0.1)), "median")
    assert xy.tolist() == [[4, 2]]


def test_templates_that_agree_outvote_a_stray_one():
    rows = votes((10, 10, 0.6), (11, 10, 0.6), (10, 11, 0.6), (300, 300, 0.65))
    agreed, confidence, vote = combine(*rows, "agreeing", 6)
    weighted, _, _ = combine(*rows, "weighted", 6)
    assert np.abs(agreed - [10.33, 10.33]).max() < 0.5
    assert np.abs(weighted - [10.33, 10.33]).max() > 50
    assert vote[0] < 3 and 0.4 < confidence[0] < 0.5  # three of four agree: about 3 / 4 of 0.6


def test_points_settle_each_by_its_own_distance():
    rng = np.random.default_rng(5)
    xy, similarity = rng.uniform(0, 40, (25, 6, 7, 2)), rng.uniform(0.2, 1, (25, 6, 7))
    distance = rng.uniform(2, 20, (6, 1))
    found = combine(xy, similarity, "agreeing", distance)
    for i, k in ((0, 0), (3, 6), (5, 2)):  # beside others as alone
        alone = combine(xy[:, i, k], similarity[:, i, k], "agreeing", distance[i, 0])
        for a, b in zip(found, alone, strict=True):
            assert a[i, k] == pytest.approx(b, rel=1e-12)
        votes, weight, last = xy[:, i, k], similarity[:, i, k] ** 8, None
        answer = np.average(votes, axis=0, weights=weight)
        for _ in range(50):
            if last is not None and np.abs(answer - last).max() <= 1e-3 * distance[i, 0]:
                break
            r = np.hypot(*(votes - answer).T) / distance[i, 0]
            last, answer = answer, np.average(votes, axis=0, weights=weight / (1 + r**2))
        assert found[0][i, k] == pytest.approx(answer, rel=1e-9)


def test_votes_that_are_missing_do_not_count():
    xy, similarity = votes((1, 1, 0.9), (3, 3, 0.9), (7, 7, 0.9))
    similarity[2] = np.nan
    xy[2] = np.nan
    for rule in RULES:
        answer, _, vote = combine(xy, similarity, rule, 10)
        expected = [1, 1] if rule == "confident" else [2, 2]
        assert answer[0] == pytest.approx(np.array(expected)) and vote[0] < 2
        nothing, confidence, _ = combine(xy[2:], similarity[2:], rule, 10)
        assert np.isnan(nothing).all() and confidence.tolist() == [0]


@pytest.mark.parametrize("rule", RULES)
def test_votes_that_agree_are_the_answer_of_every_rule(rule):
    xy = np.full((4, 3, 2), [5.0, 7.0])
    answer, confidence, _ = combine(xy, np.full((4, 3), 0.7), rule, 2)
    assert answer == pytest.approx(np.full((3, 2), [5.0, 7.0]))
    assert confidence == pytest.approx(np.full(3, 0.7))


def test_combine_names_what_is_wrong():
    with pytest.raises(ValueError, match="rule must be one of"):
        combine(*votes((1, 1, 1)), "best")
    with pytest.raises(ValueError, match=r"xy must be \[M\]"):
        combine(np.zeros((2, 2)), np.zeros((3,)))
    with pytest.raises(ValueError, match="distance must be above 0"):
        combine(*votes((1, 1, 1)), "agreeing", np.nan)


def test_points_of_a_view_come_back_and_lie_on_what_they_lay_on():
    extractor = scp.GradientExtractor(size=(64, 96), levels=3)
    views = Views(extractor, [*VIEWS, (7.0, 1.0), (-20.0, 1.25)])
    assert views.sizes == [(64, 96), (80, 120), (96, 144), (112, 168), (64, 96), (80, 120)]
    assert [e.grid_size for e in views.extractors] == views.sizes
    assert views.extractors[0] is views.extractors[4] is extractor
    points = np.array([[30.0, 40.0], [50.0, 20.0], [60.25, 31.5]]) * 4
    yy, xx = np.mgrid[:256, :384]
    for x, y in points:
        spot = np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / 18 / 16)
        data = scp.datasets.arrays([np.uint8(np.rint(255 * spot))])
        for v, grid in enumerate(data.grids(0, views.sizes)):
            moved = views.points(v, np.array([x, y]), spot.shape)
            assert views.back(v, moved, spot.shape) == pytest.approx([x, y])
            seen = views.image(v, grid)
            assert seen.shape == views.sizes[v]
            weight = np.where(seen > 0.3, seen, 0)
            b, a = np.mgrid[: seen.shape[0], : seen.shape[1]]
            centre = np.array([(weight * a).sum(), (weight * b).sum()]) / weight.sum()
            assert np.abs(centre - moved).max() < 0.1
    with pytest.raises(ValueError, match="views must be"):
        Views(extractor, [(0, 0)])


def test_finer_views_count_more_and_weights_must_fit():
    assert view_weights(((0, 1), (7, 2))).tolist() == [1, 4]
    xy, similarity = np.array([[0.0, 0.0], [5.0, 0.0]]), np.ones(2)
    found, _, vote = combine(xy, similarity, "weighted", weights=[1, 4])
    assert found == pytest.approx([4, 0]) and vote == 1
    for bad in ([1], [1, 0], [1, np.nan], [[1, 1]]):
        with pytest.raises(ValueError, match="weights must be"):
            combine(xy, similarity, "weighted", weights=bad)


def test_interpolated_vectors_are_those_of_the_cells_at_their_centres():
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(2 << d, 3 << d, 16)).astype(np.float32) for d in range(2)]
    pyramid = scp.FeaturePyramid.from_levels(maps)
    for d, stride in enumerate((4, 2)):
        cell = np.array([[1, 1]]) * stride + (stride - 1) / 2  # the centre of cell (1, 1)
        vector, norm = pyramid.between(cell)
        assert vector[0, d] == pytest.approx(pyramid.level(d)[0][1, 1], abs=1e-6)
        assert norm[0, d] == pytest.approx(pyramid.level(d)[1][1, 1], rel=1e-6)
    # a quarter of the way from cell (0, 0) to (1, 0) of the fine level, raw vectors
    vector, norm = pyramid.between(np.array([[0.5 + 0.5, 0.5]]))
    raw = 0.75 * maps[1][0, 0] + 0.25 * maps[1][0, 1]
    assert vector[0, 1] * norm[0, 1] == pytest.approx(raw, abs=1e-5)
    corner, _ = pyramid.between(np.array([[-0.5, -0.5], [12.0, 8.0]]))
    assert corner[0, 1] == pytest.approx(pyramid.level(1)[0][0, 0], abs=1e-6)
    assert corner[1, 1] == pytest.approx(pyramid.level(1)[0][-1, -1], abs=1e-6)


@pytest.fixture(scope="module")
def pool():
    return scp.datasets.phantom(5, seed=3)


@pytest.fixture(scope="module")
def extractor():
    return scp.GradientExtractor(size=(128, 128), channels=32)


@pytest.mark.parametrize("mode", ("bilinear", "nearest"))
def test_a_template_finds_its_own_landmarks(pool, extractor, mode):
    detector = scp.LandmarkDetector(extractor=extractor, mode=mode, views=1)
    found = detector.fit(pool.subset([2])).predict(pool.subset([2]))
    apart = np.abs(found.xy[0] - pool.landmarks[2]).max(axis=1)
    pixel = pool.shape(2)[0] / 128
    assert (apart <= 2 * pixel).mean() > 0.9  # the norms differ a little from cell to cell
    if mode == "nearest":  # between the centres of cells, cosines of neighbours mix
        assert found.confidence.min() > 0.9


def test_views_of_a_template_find_its_own_landmarks(pool, extractor):
    detector = scp.LandmarkDetector(extractor=extractor, views=len(VIEWS))
    found = detector.fit_predict(pool.subset([1, 4]), [0], pseudo_templates=0)
    assert found.votes.shape == (1, len(VIEWS), 2, 19, 2)
    apart = np.abs(found.xy[0] - pool.landmarks[1]).max(axis=1)
    assert np.median(apart) <= 2 * pool.shape(1)[0] / 128
    assert found.ids == [pool.ids[1], pool.ids[4]] and found.templates == [pool.ids[1]]


def test_the_paper_mode_is_the_authors_code(pool, extractor):
    """Everything truncated to whole pixels, the first maximum over templates, then pixels."""
    templates, image = pool.subset([0, 1]), pool.subset([3])
    detector = scp.LandmarkDetector(extractor=extractor, rule="confident", mode="paper", views=1)
    found = detector.fit(templates).predict(image)
    height, width = image.shape(0)
    maps = []
    target = extractor.pyramid(image.grid(0, (128, 128)))
    for t in range(2):
        grid = np.trunc(np.trunc(templates.landmarks[t]) * [128 / width, 128 / height]).astype(int)
        source = extractor.pyramid(templates.grid(t, (128, 128)))
        for x, y in grid:
            product = np.ones((128, 128), np.float64)
            for d in range(5):
                stride = 32 >> d
                (f, n), (g, m) = source.level(d), target.level(d)
                cell = y // stride, x // stride
                length = n[cell].astype(np.float64) * m
                cosine = np.clip(g @ f[cell] * length / (length + 1e-3), 0, 1)
                product *= np.kron(cosine, np.ones((stride, stride)))
            maps.append(product)
    maps = np.array(maps).reshape(2, 19, -1)
    for k in range(19):
        best = maps[:, k].max()
        place = scp.datasets.to_grid(found.xy[0, k], (height, width), (128, 128))
        x, y = np.rint(place).astype(int)
        assert np.abs(place - [x, y]).max() < 1e-6 and x % 2 == y % 2 == 0
        assert maps[found.template[0, k], k, y * 128 + x] > best * (1 - 1e-5)


def test_every_template_in_every_image_and_not_in_itself(pool, extractor):
    matches = match_templates(extractor, pool.subset([0, 1, 2]))
    assert matches.xy.shape == (3, 1, 3, 19, 2) and matches.similarity.shape == (3, 1, 3, 19)
    assert matches.counts.tolist() == (~np.eye(3, dtype=bool)).tolist()
    other = match_templates(extractor, pool.subset([0, 2]), pool.subset([1]))
    assert np.array_equal(other.xy[:, :, 0], matches.xy[[0, 2], :, 1])
    together = matches.of([0, 2], "weighted")[0][1]
    found = scp.LandmarkDetector(extractor=extractor, rule="weighted", views=1)
    found = found.fit(pool.subset([0, 2])).predict(pool.subset([1]))
    assert np.array_equal(together, found.xy[0])
    with pytest.raises(ValueError, match="at least one"):
        matches.of([])
    assert isinstance(matches, Matches)


def test_a_landmark_that_no_template_has_is_not_found(pool, extractor):
    truth = pool.landmarks[[0, 1]].copy()
    truth[:, 4] = np.nan
    truth[0, 7] = np.nan
    found = (
        scp.LandmarkDetector(extractor=extractor)
        .fit(pool.subset([0, 1]), truth)
        .predict(pool.subset([2]))
    )
    assert np.isnan(found.xy[0, 4]).all() and found.confidence[0, 4] == 0
    assert np.isfinite(np.delete(found.xy[0], 4, axis=0)).all() and found.template[0, 7] == 1
    assert isinstance(found, scp.Landmarks)
    assert found.present.tolist()[0] == [k != 4 for k in range(19)]


def test_the_detector_takes_arrays_and_tables(pool, extractor):
    images = [pool.image(i) for i in range(3)]
    a = scp.LandmarkDetector(extractor=extractor, views=1).fit(images[:2], pool.landmarks[:2])
    table = scp.Landmarks(
        [pool.ids[1], pool.ids[0]], [f"p{k}" for k in range(19)], pool.landmarks[[1, 0]]
    )
    b = scp.LandmarkDetector(extractor=extractor, views=1).fit(pool.subset([0, 1]), table)
    first, second = a.predict(images[2:]), b.predict(pool.subset([2]))
    assert np.array_equal(first.xy, second.xy)
    assert first.names == [str(k + 1) for k in range(19)] and second.names == table.names
    assert "lowest" in second._repr_html_()
    shown = second.with_marks(table)._repr_html_()
    assert f"to look at first: {pool.ids[2]}<" in shown and "1.000" not in shown


def test_what_a_person_gave_is_no_confidence():
    xy, confidence = np.ones((8, 1, 2)), np.linspace(0.9, 0.2, 8)[:, None]
    names = [f"<{i}>" for i in range(8)]
    source = np.array([["marked"]] + [["found"]] * 7)
    shown = scp.Landmarks(names, ["p"], xy, confidence, source=source)._repr_html_()
    assert f"<td>{confidence[1:].mean():.3f}</td><td>0.200</td>" in shown
    assert "first: &lt;7&gt;, &lt;6&gt;, &lt;5&gt;, &lt;4&gt;, &lt;3&gt;</p>" in shown


def test_the_detector_names_what_is_wrong(pool, extractor):
    with pytest.raises(RuntimeError, match="call fit"):
        scp.LandmarkDetector(extractor=extractor).predict(pool)
    for wrong in ({"rule": "best"}, {"mode": "cubic"}, {"views": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            scp.LandmarkDetector(extractor=extractor, **wrong).fit(pool.subset([0]))
    with pytest.raises(ValueError, match="landmarks: arrays have none"):
        scp.LandmarkDetector(extractor=extractor).fit([pool.image(0)])
    plain = scp.datasets.arrays([pool.image(0)])
    with pytest.raises(ValueError, match="no landmarks"):
        scp.LandmarkDetector(extractor=extractor).fit(plain)
    with pytest.raises(ValueError, match=r"landmarks must be \[1\]\[L\]\[2\]"):
        scp.LandmarkDetector(extractor=extractor).fit(plain, np.zeros((2, 3, 2)))
    outside = pool.landmarks[:1].copy()
    outside[0, 3] = (1e5, 5)
    with pytest.raises(ValueError, match="outside the image"):
        Templates(extractor, pool.subset([0]).with_landmarks(outside))
    with pytest.raises(ValueError, match="infinite"):
        pool.subset([0]).with_landmarks(np.full((1, 19, 2), np.inf))
    with pytest.raises(ValueError, match="no landmarks for image"):
        table = scp.Landmarks(["x"], ["p"], np.zeros((1, 1, 2)))
        scp.LandmarkDetector(extractor=extractor).fit(pool.subset([0]), table)


def test_parameters_of_the_detector_are_read_and_set(extractor):
    detector = scp.LandmarkDetector(extractor=extractor, rule="median")
    assert detector.get_params(deep=False) == {
        "extractor": extractor,
        "rule": "median",
        "mode": "bilinear",
        "views": None,
        "together": None,
        "every": False,
    }
    trained = SimpleNamespace(name="trained")  # its larger images are worth a look
    assert scp.LandmarkDetector(extractor=trained).view_list() == VIEWS
    assert scp.LandmarkDetector(extractor=trained, mode="paper").view_list() == VIEWS[:1]
    assert detector.set_params(views=2).views == 2 and detector.rule == "median"


def test_pseudo_templates_vote_with_the_places_found_in_them(pool, extractor):
    views = 2
    detector = scp.LandmarkDetector(extractor=extractor, views=views).fit(pool.subset([0]))
    alone = detector.predict(pool)
    others = sorted(range(1, len(pool)), key=lambda i: -alone.confidence[i].mean())[:2]
    assert detector.add_pseudo_templates(pool, 2) is detector
    assert alone.templates == [pool.ids[0]]  # as it was
    assert detector.pseudo_templates_ == [pool.ids[i] for i in others]
    found = detector.predict(pool)
    assert found.templates == [pool.ids[i] for i in [0, *others]]
    assert np.array_equal(found.votes[:1], alone.votes)
    truth = np.concatenate([pool.landmarks[:1], alone.xy[others]])
    same = scp.LandmarkDetector(extractor=extractor, views=views).fit(
        pool.subset([0, *others]), truth
    )
    expected = same.predict(pool)
    free = [i for i in range(len(pool)) if i not in others]
    assert np.array_equal(found.xy[free], expected.xy[free])
    for k, i in enumerate(others):  # not asked about itself
        assert np.isnan(found.similarity[1 + k, :, i]).all()
        assert np.isfinite(np.delete(found.similarity[:, :, i], 1 + k, axis=0)).all()
        assert np.isfinite(found.xy[i]).all() and np.isfinite(found.error[i]).all()
    # an error goes back to the template alone, so pseudo-templates change it only through the place
    assert detector.fit(pool.subset([0])).pseudo_templates_ == []
    both = scp.LandmarkDetector(extractor=extractor, views=views).fit_predict(
        pool, [0], pseudo_templates=2
    )
    assert np.array_equal(both.xy[1:], found.xy[1:])
    assert np.array_equal(both.xy[0], pool.landmarks[0])  # a mark stays, and says what it is
    assert (both.source[0] == "marked").all() and (both.source[1:] == "found").all()


def test_pseudo_templates_are_for_one_template_in_several_views(pool, extractor):
    one, two = (scp.LandmarkDetector(extractor=extractor, views=v) for v in (1, 2))
    counts = [usual_pseudo_templates(d, m) for d in (one, two) for m in (1, 2)]
    assert counts == [0, 0, PSEUDO_TEMPLATES, 0]
    assert one.fit_predict(pool, [1]).templates == [pool.ids[1]]
    few = two.fit_predict(pool.subset([0, 1]), [1])  # fewer images than pseudo-templates
    assert few.templates == [pool.ids[1], pool.ids[0]]
    with pytest.raises(RuntimeError, match="call fit"):
        scp.LandmarkDetector(extractor=extractor).add_pseudo_templates(pool)
    with pytest.raises(ValueError, match="count of pseudo-templates must be"):
        one.add_pseudo_templates(pool, -1)
