"""Landmarks that are not in an image: their probability, and what is made of it."""

import json

import numpy as np
import pytest

import scp
from scp.cli import main
from scp.detection.absent import CONSTANT, FARTHEST, FLOOR, INSIDE, LIKELY, SURE, presence

NAN = np.nan
SIZE = (96, 96)


def likely(confidence=0.5, place=(50.0, 50.0), having=5, templates=5, others=3):
    """Of the first landmark; all templates have `others` more of four."""
    values = np.full(4, confidence), np.array([place] * 4), np.full(4, 20.0)
    shapes = np.zeros((templates, 4, 2))
    shapes[having:, 0] = NAN
    shapes[:, 1 + others :] = NAN
    return presence(*values, (100, 100), shapes)[0]


def test_places_outside_and_votes_without_confidence_speak_against_it():
    inwards = [likely(place=(x, 50.0)) for x in (-30.0, -5.0, 5.0, 30.0)]
    assert np.all(np.diff(inwards) > 0) and inwards[0] < 0.4 and inwards[-1] > 0.9
    for place in ((130.0, 50.0), (50.0, -30.0), (50.0, 129.0)):
        assert likely(place=place) < 0.4
    sure = [likely(confidence, (-5.0, 50.0)) for confidence in (0.0, 0.1, 0.3, 0.9)]
    assert np.all(np.diff(sure) > 0)
    odds = CONSTANT + INSIDE * FARTHEST + SURE * np.log(0.5 + FLOOR)
    assert likely() == pytest.approx(1 / (1 + np.exp(-odds)))
    assert 0 < likely(place=(NAN, NAN)) < 1


def test_templates_that_lack_it_speak_against_it():
    odds = [p / (1 - p) for p in (likely(having=n) for n in (5, 4, 3, 1))]
    assert np.all(np.diff(odds) < 0)
    ratio = 4.5 / 5.5 * 0.5 / 1.5  # 4 of 5 have it, each side counted half higher
    assert odds[1] / odds[0] == pytest.approx(ratio)
    assert likely(having=1, others=0) == pytest.approx(likely())  # nobody marked them as a whole


@pytest.fixture(scope="module")
def pool():
    """Phantoms; the right half of some is cut off, and their landmarks there."""
    whole = scp.datasets.phantom(24, seed=8, size=(192, 192))
    images, marks = [], whole.landmarks.copy()
    for i in range(len(whole)):
        image = whole.image(i)
        if i in (3, 11, 17, 20):
            image = np.ascontiguousarray(image[:, : image.shape[1] // 2])
            marks[i][marks[i, :, 0] > image.shape[1] - 1] = NAN
        images.append(image)
    return scp.datasets.arrays(images).with_landmarks(marks, whole.landmark_names)


@pytest.fixture(scope="module")
def detector(pool):
    return scp.LandmarkDetector(scp.GradientExtractor(size=SIZE)).fit(pool.subset([0, 5, 9]))


def test_found_only_where_they_probably_are(pool):
    detector = scp.LandmarkDetector(scp.GradientExtractor(size=SIZE)).fit(pool.subset([0, 5, 9]))
    before = detector.predict(pool)
    assert before.presence is None and before.present.all()
    found = detector.learn_places(pool).predict(pool)
    assert np.array_equal(found.present, found.presence >= LIKELY)
    assert np.isnan(found.error[~found.present]).all() and np.isfinite(found.confidence).all()
    there = np.isfinite(pool.landmarks[..., 0])
    assert found.presence[there].mean() > found.presence[~there].mean() + 0.2
    one = detector.predict(pool.subset([11]))
    assert np.array_equal(one.presence[0], found.presence[11])


def test_a_corrected_point_makes_no_other_landmark_absent():
    whole = scp.datasets.phantom(24, seed=8, size=(192, 192))
    marks = whole.landmarks.copy()
    marks[4:12, 1:] = NAN  # of eight images one point
    for rows in ([0, 1, 2], list(range(12))):
        some = whole.subset(rows).with_landmarks(marks[rows], whole.landmark_names)
        detector = scp.LandmarkDetector(scp.GradientExtractor(size=SIZE)).fit(some)
        found = detector.learn_places(whole).predict(whole)
        assert np.mean(~found.present) < 0.02


def test_every_landmark_gets_a_place_where_asked_for(pool, detector):
    every = scp.LandmarkDetector(detector.extractor, every=True).fit(pool.subset([0, 5, 9]))
    found = every.learn_places(pool).predict(pool)
    some = detector.learn_places(pool).predict(pool)
    assert found.present.all() and not some.present.all()
    assert np.array_equal(found.presence, some.presence)
    both = some.present
    assert np.array_equal(found.xy[both], some.xy[both])
    with pytest.raises(ValueError, match="every must be True or False"):
        scp.LandmarkDetector(detector.extractor, every=1).check()


def test_what_a_person_says_is_certain(pool, detector):
    found = detector.learn_places(pool).predict(pool)
    marks = scp.Landmarks.of(pool.subset([3]))
    source = np.where(marks.present, "marked", "corrected")
    said = found.with_marks(scp.Landmarks(marks.ids, marks.names, marks.xy, source=source))
    assert np.array_equal(said.presence[3], marks.present[0].astype(float))


def test_files_keep_the_probability(tmp_path, pool, detector):
    found = detector.learn_places(pool).predict(pool)
    scp.write_landmarks(tmp_path / "found.csv", found)
    again = scp.read_landmarks(tmp_path / "found.csv")
    assert np.array_equal(again.presence, found.presence)
    assert np.array_equal(again.xy, found.xy, equal_nan=True)
    assert np.array_equal(again.rows(found.ids[:2]).presence, found.presence[:2])
    assert np.array_equal(again.columns(found.names[3:]).presence, found.presence[:, 3:])


def test_command_line_counts_them(tmp_path, pool, capsys):
    import cv2

    (tmp_path / "images").mkdir()
    for i in range(len(pool)):
        cv2.imwrite(str(tmp_path / "images" / f"{pool.ids[i]}.png"), pool.image(i))
    scp.write_landmarks(tmp_path / "marks.csv", scp.Landmarks.of(pool.subset([0, 5, 9])))
    command = ["detect", str(tmp_path / "images"), "--templates", str(tmp_path / "marks.csv")]
    command += ["--run", str(tmp_path / "run"), "--size", "96", "--quiet"]
    assert main(command) == 0
    absent = scp.read_landmarks(tmp_path / "run" / "landmarks.csv")
    count = int((~absent.present & ~absent.by_hand).sum())
    assert count > 0
    said = capsys.readouterr().out
    assert f"{count} landmarks are probably not in the image" in said
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["absent"] == count
    assert main([*command, "--every"]) == 0
    assert "probably not" not in capsys.readouterr().out
    assert scp.read_landmarks(tmp_path / "run" / "landmarks.csv").present.all()


def test_a_refined_network_leaves_them_absent(tmp_path, pool):
    import cv2

    (tmp_path / "images").mkdir()
    for i in range(len(pool)):
        cv2.imwrite(str(tmp_path / "images" / f"{pool.ids[i]}.png"), pool.image(i))
    scp.write_landmarks(tmp_path / "marks.csv", scp.Landmarks.of(pool.subset([0, 5, 9])))
    command = ["refine", str(tmp_path / "images"), "--templates", str(tmp_path / "marks.csv")]
    command += ["--run", str(tmp_path / "run"), "--size", "96", "--quiet", "--steps", "1"]
    assert main(command) == 0
    found = scp.read_landmarks(tmp_path / "run" / "landmarks.csv")
    gone = ~found.present & ~found.by_hand
    assert gone.any() and np.all(found.presence[gone] < LIKELY)
    assert np.all(np.isfinite(found.error[found.present]))
    assert main([*command, "--every", "--fresh"]) == 0
    assert scp.read_landmarks(tmp_path / "run" / "landmarks.csv").present.all()
