"""Landmarks decided together: usual places, how far is far, and votes that lie elsewhere."""

import numpy as np
import pytest

import scp
from scp.detection import combine
from scp.detection.together import LEAST, reach_of, trust_of, usual_places
from scp.detection.votes import AGREE

RNG = np.random.default_rng(3)
SHAPE = RNG.uniform(0, 100, (12, 2))


def images(n, wrong=0, noise=0.0):
    """Affine images of SHAPE, their confidence, and where `wrong` landmarks of each lie far off."""
    out, off = np.empty((n, 12, 2)), np.zeros((n, 12), bool)
    for i in range(n):
        turn = np.eye(2) + RNG.normal(0, 0.15, (2, 2))
        out[i] = SHAPE @ turn + RNG.uniform(-20, 20, 2) + RNG.normal(0, noise, SHAPE.shape)
        off[i, RNG.choice(12, wrong, replace=False)] = True
    found = np.where(off[..., None], out + RNG.choice([-60, 60], (n, 12, 2)), out)
    return out, found, np.where(off, 0.4, 0.6), off


def test_the_places_of_an_affine_image_in_spite_of_outliers():
    truth, found, confidence, _ = images(9, wrong=3)
    places = usual_places(found, confidence, SHAPE[None])
    assert np.abs(places - truth).max() < 0.5
    assert np.array_equal(places[:4], usual_places(found[:4], confidence[:4], SHAPE[None]))


def test_the_template_that_fits_best_speaks():
    truth, found, confidence, _ = images(5)
    other = RNG.uniform(0, 100, (12, 2))
    shapes = np.stack([other, SHAPE])
    assert np.abs(usual_places(found, confidence, shapes) - truth).max() < 1e-3
    shapes[1, 2] = np.nan  # it lacks a landmark: nothing is said of this one
    places = usual_places(found, confidence, shapes)
    assert np.isnan(places[:, 2]).all() and np.isfinite(np.delete(places, 2, axis=1)).all()


def test_too_little_to_say_anything():
    _, found, confidence, _ = images(3)
    few = np.where(np.arange(12)[:, None] < LEAST - 1, SHAPE, np.nan)
    assert np.isnan(usual_places(found, confidence, few[None])).all()
    found[1, LEAST - 1 :] = np.nan
    assert np.isnan(usual_places(found, confidence, SHAPE[None])[1]).all()
    assert np.isnan(usual_places(found, confidence, np.ones((1, 12, 2)))).all()
    assert reach_of(found, confidence, np.ones(3), SHAPE[None]) is None
    assert reach_of(found[:, :5], confidence[:, :5], np.ones(3), SHAPE[None, :5]) is None


def test_a_mirrored_or_squeezed_shape_is_no_fit():
    _, found, confidence, _ = images(4)
    found[0] = SHAPE * [-1, 1]  # left for right
    found[1, :9] = 50  # nine of twelve at one place
    found[2] = SHAPE * [1, 0.05]
    places = usual_places(found, confidence, SHAPE[None])
    assert np.isnan(places[:3]).all() and np.isfinite(places[3]).all()
    confidence[3, 2] = np.nan
    assert np.isfinite(usual_places(found, confidence, SHAPE[None])[3]).all()


def test_reach_follows_the_landmarks():
    _, found, confidence, _ = images(60, noise=0.5)
    found[:, 4] += RNG.normal(0, 25, (60, 2))  # it varies
    reach = reach_of(found, confidence, np.ones(60), SHAPE[None])
    assert reach[4] > 30 and (np.delete(reach, 4) == 2 * AGREE).all()
    halved = reach_of(found, confidence, np.full(60, 2.0), SHAPE[None])  # pixels of the grid
    assert halved[4] == pytest.approx(reach[4] / 2)


def test_trust():
    votes = np.array([[[0.0, 0]], [[10, 0]], [[20, 0]], [[np.nan, np.nan]]])
    trust = trust_of(votes, np.zeros((1, 2)), np.array([10.0]))[:, 0]
    assert trust[0] == 1 and trust[1] == 0.5 and 0 < trust[2] < 0.01 and trust[3] == 1
    assert (trust_of(votes, np.full((1, 2), np.nan), np.array([10.0])) == 1).all()


@pytest.mark.parametrize("rule", ["agreeing", "weighted", "median", "confident"])
def test_votes_that_are_not_trusted_lose(rule):
    xy = np.array([[[50.0, 0]], [[50, 1]], [[0, 0]]])  # two agree at a wrong place
    similarity = np.array([[0.9], [0.8], [0.5]])
    trust = np.array([[1e-3], [1e-3], [1.0]])
    usual, sure, _ = combine(xy, similarity, rule, 6.0)
    found, less, vote = combine(xy, similarity, rule, 6.0, trust=trust)
    assert usual[0, 0] > 30 and found[0, 0] < (5 if rule != "weighted" else 8) and vote[0] == 2
    assert less[0] < sure[0]
    same = combine(xy, similarity, rule, 6.0, trust=np.ones((3, 1)))
    assert np.array_equal(same[0], usual) and np.array_equal(same[1], sure)


def test_a_detector_learns_the_places_from_a_pool():
    pool = scp.datasets.phantom(14, seed=5, size=(96, 80))
    extractor = scp.GradientExtractor(size=(64, 64))
    alone = scp.LandmarkDetector(extractor, together=False).fit(pool.subset([0, 1]))
    assert alone.learn_places(pool).reach_ is None
    paper = scp.LandmarkDetector(extractor, mode="paper", rule="confident").fit(pool.subset([0, 1]))
    assert paper.learn_places(pool).reach_ is None
    detector = scp.LandmarkDetector(extractor).fit(pool.subset([0, 1]))
    assert detector.learn_places(pool.subset([2, 3])).reach_ is None  # too few images
    before = detector.predict(pool, progress=False)
    assert np.array_equal(before.xy, alone.predict(pool, progress=False).xy)
    detector.learn_places(pool, progress=False)
    assert detector.reach_.shape == (19,) and (detector.reach_ >= 2 * AGREE).all()
    found = detector.predict(pool, progress=False)
    assert np.array_equal(found.votes, before.votes) and not np.array_equal(found.xy, before.xy)
    one = detector.predict(pool.subset([7]), progress=False)  # an image is decided by itself
    assert np.array_equal(one.xy[0], found.xy[7]) and one.error[0, 3] == found.error[7, 3]

    def error(xy):
        return np.hypot(*np.moveaxis(xy - pool.landmarks, -1, 0))[2:].mean()

    assert error(found.xy) < error(before.xy)
    half = np.where(np.arange(19)[:, None] < LEAST - 1, pool.landmarks[:2], np.nan)
    few = scp.LandmarkDetector(extractor).fit(pool.subset([0, 1]), half)
    assert few.learn_places(pool).reach_ is None  # no template has enough landmarks
    with pytest.raises(ValueError, match="together must be True, False or None, got 'no'"):
        scp.LandmarkDetector(extractor, together="no").check()
    with pytest.raises(TypeError, match="pool must be a data set"):
        detector.learn_places([1])


def test_a_run_finds_them_together(tmp_path):
    pool = scp.datasets.phantom(14, seed=5, size=(96, 80))
    run = scp.Run(pool, tmp_path, features=scp.GradientExtractor(size=(64, 64)), progress=False)
    together, alone = (run.detect([0, 1], together=t, write=False) for t in (None, False))
    assert not np.array_equal(together.xy, alone.xy)
    detector = scp.LandmarkDetector(run.extractor)
    assert np.array_equal(together.xy, detector.fit_predict(pool, [0, 1], progress=False).xy)
