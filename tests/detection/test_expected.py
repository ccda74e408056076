"""Expected errors: what they are made of, what several templates correct, and radii."""

import pickle

import numpy as np
import pytest

import scp
from scp.detection.expected import LIMITS, ONE, SEVERAL, TYPICAL, error_scale, expected_error
from scp.landmarks.table import LEVELS, RADII, SPREAD

NAN = np.nan


def test_less_confidence_and_longer_ways_back_mean_larger_errors():
    sure = expected_error(np.array([0.2, 0.5, 0.9]), np.zeros(3), True)
    assert np.all(np.diff(sure) < 0)
    back = expected_error(np.full(3, 0.5), np.array([0.0, 2.0, 9.0]), False)
    assert np.all(np.diff(back) > 0)
    for several, (constant, confidence, cycle) in ((False, ONE), (True, SEVERAL)):
        value = expected_error(np.array(0.3), np.array(4.0), several)
        assert value == pytest.approx(np.exp(constant + confidence * 0.3) * 5**cycle)
    assert np.isnan(expected_error(np.array(0.3), np.array(NAN), True))


def test_templates_found_from_the_others_correct_the_scale():
    expected = np.full((6, 4), 3.0)
    assert np.allclose(error_scale(expected, expected), TYPICAL)
    twice = error_scale(2 * expected, expected)
    assert np.allclose(twice, TYPICAL * 2**0.75)  # six templates against two
    errors = np.tile([2.0, 2.0, 2.0, 6.0], (6, 1))  # a landmark that is hard
    scale = error_scale(errors, expected)
    assert scale[3] > scale[0] and np.all(scale[:3] == scale[0])
    assert (scale * 3).mean() == pytest.approx(TYPICAL * 3)  # the whole stays
    assert np.all(error_scale(1e9 * expected, expected) <= TYPICAL * LIMITS[1])
    assert np.all(error_scale(0 * expected, expected) >= TYPICAL * LIMITS[0])


def test_what_is_not_known_corrects_nothing():
    nothing = np.full((3, 2), NAN)
    assert np.array_equal(error_scale(nothing, nothing), np.ones(2))
    assert np.array_equal(error_scale(np.empty((0, 2)), np.empty((0, 2))), np.ones(2))
    errors = np.array([[2.0, NAN], [2.0, NAN]])
    scale = error_scale(errors, np.full((2, 2), 1.0))
    assert scale[0] > 1 and scale[1] == 1


def test_errors_of_templates_as_the_others_find_them():
    """The scale is what the templates say of each other, not of themselves."""
    pool = scp.datasets.phantom(14, seed=4, size=(96, 96))
    detector = scp.LandmarkDetector(scp.GradientExtractor(size=(96, 96)), together=False)
    rows = [0, 5, 9]
    detector.fit(pool.subset(rows))
    errors, expected = [], []
    for t in rows:
        others = scp.LandmarkDetector(detector.extractor, together=False)
        others.fit(pool.subset([r for r in rows if r != t]))
        found = others.predict(pool.subset([t]))
        errors.append(np.hypot(*(found.xy[0] - pool.landmarks[t]).T))
        cycle, several = found.cycle[0], True
        scale = np.sqrt(np.prod(pool.shape(t)) / np.prod(detector.extractor.grid_size))
        errors[-1] = errors[-1] / scale
        expected.append(expected_error(found.confidence[0], cycle / scale, several))
    scale = error_scale(np.stack(errors), np.stack(expected))
    # the confidence is a mean over all votes, so a vote that is missing changes nothing
    assert np.allclose(detector.error_scale_, scale, rtol=1e-6)
    found = detector.predict(pool)
    assert np.all(found.error > 0) and np.all(np.isfinite(found.cycle))
    alone = scp.LandmarkDetector(detector.extractor).fit(pool.subset([0]))
    assert np.array_equal(alone.error_scale_, np.ones(19))


def test_usual_places_change_the_scale_and_predict_is_the_same_alone_or_together():
    pool = scp.datasets.phantom(20, seed=5, size=(96, 96))
    detector = scp.LandmarkDetector(scp.GradientExtractor(size=(96, 96))).fit(pool.subset([0, 7]))
    before = detector.error_scale_
    detector.learn_places(pool)
    assert detector.reach_ is not None and not np.array_equal(detector.error_scale_, before)
    found = detector.predict(pool)
    one = detector.predict(pool.subset([4]))
    assert np.array_equal(one.error[0], found.error[4])
    assert np.array_equal(one.cycle[0], found.cycle[4])


def test_errors_of_landmarks_that_one_template_has():
    """Five images with one corrected point say nothing of the other landmarks."""
    pool = scp.datasets.phantom(12, seed=4, size=(96, 96))
    marks = pool.landmarks.copy()
    marks[1:6, 1:] = NAN
    extractor = scp.GradientExtractor(size=(96, 96))
    one = scp.LandmarkDetector(extractor).fit(pool.subset([0])).predict(pool.subset([7]))
    some = pool.subset(range(6)).with_landmarks(marks[:6], pool.landmark_names)
    more = scp.LandmarkDetector(extractor).fit(some)
    assert np.all(more.error_scale_[1:] == 1) and more.error_scale_[0] != 1
    found = more.predict(pool.subset([7]))
    same = np.all(found.xy == one.xy, axis=-1)[0, 1:]
    assert same.any() and np.all(found.error[0, 1:][same] > 0.3 * one.error[0, 1:][same])


def test_copies_and_pseudo_templates_learn_places_too():
    pool = scp.datasets.phantom(16, seed=5, size=(96, 96))
    detector = scp.LandmarkDetector(scp.GradientExtractor(size=(96, 96)))
    detector.fit(pool.subset([0, 7]))
    again = pickle.loads(pickle.dumps(detector)).learn_places(pool)
    detector.learn_places(pool)
    assert np.array_equal(again.error_scale_, detector.error_scale_)
    scale = detector.error_scale_
    detector.add_pseudo_templates(pool, 3).learn_places(pool)
    assert np.all(np.isfinite(detector.error_scale_)) and len(detector.others_[0]) == 2
    detector.learn_places(pool.subset([0, 7]))  # too few: alone again
    assert detector.reach_ is None and not np.array_equal(detector.error_scale_, scale)


def landmarks(error, xy=None, **more):
    error = np.asarray(error, float)
    n, l = error.shape
    spread = np.arange(l)[None, :, None] * np.array([10.0, 0.0]) + np.zeros((n, 1, 1))
    names = [f"p{k}" for k in range(l)]
    xy = spread if xy is None else xy
    return scp.Landmarks([f"i{k}" for k in range(n)], names, xy, error=error, **more)


def test_radii_hold_the_share_that_they_say():
    found = landmarks([[1.0, 2.0]])
    for level, radius in zip(LEVELS, RADII, strict=True):
        assert np.allclose(found.radius(level), [[radius, 2 * radius]])
    between = found.radius(0.85)
    assert np.all((found.radius(0.8) < between) & (between < found.radius(0.9)))
    for level in (-0.1, 0.96, NAN):
        with pytest.raises(ValueError, match="level must be 0 to 0"):
            found.radius(level)
    with pytest.raises(ValueError, match="no expected errors"):
        scp.Landmarks(["a"], ["p"], np.zeros((1, 1, 2))).radius()


def test_doubt_is_relative_to_the_size_of_what_is_seen():
    xy = np.zeros((3, 2, 2))
    xy[:, 1, 0] = [10, 100, 10]  # the second image is ten times as large
    found = landmarks([[2.0, 2.0], [10.0, 10.0], [3.0, 3.0]], xy)
    assert found.least_certain(3) == [2, 0, 1]
    hand = np.array([["found", "found"], ["found", "found"], ["marked", "corrected"]])
    assert landmarks(found.error, xy, source=hand).least_certain(3) == [0, 1]
    only = scp.Landmarks(found.ids, found.names, xy, np.array([[0.9, 0.9], [0.1, 0.2], [0.5, 0.4]]))
    assert only.least_certain(2) == [1, 2]
    assert scp.Landmarks(found.ids, found.names, xy).least_certain(2) == []
    nothing = landmarks(
        np.full((3, 2), 2.0),
        np.where(np.arange(3)[:, None, None] == 1, NAN, xy),
        presence=np.full((3, 2), 0.4),
    )
    assert nothing.least_certain(2) == [1, 0]  # looked for, and nothing found
    unknown = scp.Landmarks(found.ids, found.names, xy, only.confidence, np.full((3, 2), NAN))
    assert unknown.least_certain(2) == [1, 2]


def test_refined_landmarks_take_over_what_matching_knows():
    matched = landmarks([[1.0, 2.0], [3.0, 1.0]])
    same = scp.Landmarks(matched.ids[::-1], matched.names, matched.xy)
    assert same.with_matches(matched).error.tolist() == [[3.0, 1.0], [1.0, 2.0]]
    moved = matched.xy.copy()
    moved[..., 1] += 0.5 * matched.error
    refined = scp.Landmarks(matched.ids, matched.names, moved)
    factor = np.sqrt(1 - 0.25 / SPREAD)
    assert np.allclose(refined.with_matches(matched).error, factor * matched.error)
    moved[1, 0] += 40  # one that was mended, or lost
    some = scp.Landmarks(matched.ids, matched.names, moved).with_matches(matched).error
    assert np.allclose(np.delete(some, 2), np.delete(factor * matched.error, 2))
    assert some[1, 0] == pytest.approx(np.hypot(40, 41.5))
    far = scp.Landmarks(matched.ids, matched.names, matched.xy + 50)  # a network that is useless
    assert np.allclose(far.with_matches(matched).error, np.hypot(50, 50))
    template = landmarks(matched.error, source=np.array([["marked"] * 2, ["found"] * 2]))
    assert np.isnan(refined.with_matches(template).error).tolist() == [[True, True], [False, False]]
    source = np.array([["marked", "found"], ["found", "found"]])
    hand = scp.Landmarks(matched.ids, matched.names, matched.xy, source=source)
    assert hand.with_matches(matched).error.tolist() == [[0.0, 2.0], [3.0, 1.0]]
    plain = scp.Landmarks(matched.ids, matched.names, matched.xy)
    assert (
        refined.with_matches(plain).error is None and refined.with_matches(plain).presence is None
    )
    xy, likely = matched.xy.copy(), np.array([[0.9, 0.2], [0.9, NAN]])
    xy[0, 1] = NAN
    absent = landmarks(np.where(np.isnan(xy[..., 0]), NAN, 1.0), xy, presence=likely)
    after = same.with_matches(absent)
    assert after.present.tolist() == [[True, True], [True, False]]
    assert np.array_equal(after.presence, likely[::-1], equal_nan=True)
    hand = scp.Landmarks(matched.ids, matched.names, matched.xy, source=source[:, ::-1])
    assert hand.with_matches(absent).present.all()  # a person said where it is
