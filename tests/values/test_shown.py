"""What results show in a notebook and in a terminal: short, fast, and never an error."""

import dataclasses
import html
import re
from pathlib import Path

import numpy as np
import pytest
from phantoms import write_images

import scp
from scp.evaluation import metrics
from scp.reference.selection import next_gain

POOL = scp.datasets.phantom(4, seed=3, size=(96, 80))
NAN = np.nan


def detections(images=POOL, templates=("000",), **changes):
    """As a detector finds them: the first image is the least certain, its third point above all."""
    n, l = len(images), 5
    confidence = np.repeat(np.linspace(0.3, 0.9, max(n, 1))[:n, None], l, axis=1)
    confidence[:1, 2] = 0.1
    xy = np.full((n, l, 2), 20.0) + np.arange(l)[None, :, None] * 5
    m = len(templates)
    made = scp.Detections(
        images.ids,
        [f"p{k}" for k in range(l)],
        xy,
        confidence,
        np.full((n, l), 2.5) / np.maximum(confidence, 0.1),
        templates=list(templates),
        template=np.zeros((n, l), np.int64),
        votes=np.zeros((m, 1, n, l, 2)),
        similarity=np.zeros((m, 1, n, l), np.float32),
        cycle=np.zeros((n, l)),
        images=images,
    )
    return dataclasses.replace(made, **changes)


def broken(pool):
    """The same images, of which only the second can be read."""
    read = scp.datasets.arrays([pool.image(i) for i in range(len(pool))], pool.ids)
    image = read.image

    def one(i):
        if i != 1:
            raise scp.datasets.DatasetError("gone <away>")
        return image(i)

    read.image = one
    read.depth = lambda i: (8, None)
    return read


def text_of(page: str) -> str:
    return html.unescape(re.sub("<[^>]+>", " ", page))


# ---- data sets ----


def test_a_data_set_says_count_sizes_and_spacing():
    images = [np.full((30 + 2 * i, 24), 90, np.uint8) for i in range(3)]
    pool = scp.datasets.arrays(images, spacing=[[0.1, 0.1], [0.2, 0.2], [0.1, 0.1]])
    said = "arrays data set: 3 images, 30 to 34 x 24 pixels, 0.1 to 0.2 mm per pixel"
    assert repr(pool) == f"<{said}>" and said in text_of(pool._repr_html_())
    one = scp.datasets.arrays(images[:1])
    assert repr(one) == "<arrays data set: 1 images, 30 x 24 pixels>"
    assert one._repr_html_().count("<img ") == 1
    none = pool.subset([])
    assert repr(none).startswith("<arrays data set: 0 images") and "<img" not in none._repr_html_()
    pool.spacing[2] = NAN
    assert "0.1 to 0.2 mm per pixel (1 without)" in repr(pool)


def test_images_that_cannot_be_read_are_named(tmp_path):
    folder = write_images(tmp_path / "films", POOL, ["<b>0", "a", "b", "c"])
    pool = scp.datasets.folder(folder)
    Path(pool.path(0)).unlink()
    page = pool._repr_html_()
    assert page.count("<img ") == 3 and "cannot be read" in page and "<b>" not in page
    assert broken(POOL)._repr_html_().count("<img ") == 1


def test_pictures_are_small_and_few():
    pool = scp.datasets.phantom(30, seed=1, size=(600, 480))
    drawn = []
    image = pool.image
    pool.image = lambda i: drawn.append(i) or image(i)
    page = pool._repr_html_()
    assert len(page) < 100_000 and len(set(drawn)) <= 13  # one more may be seen for its range


# ---- the choice ----


def test_a_selection_says_what_one_more_brings():
    values = np.random.default_rng(0).random((7, 40)).astype(np.float32)
    for rules in ({}, {"initial": [0]}, {"exclude": [1, 2]}, {"method": "exact"}):
        found = scp.select(values, 3, **rules)
        taken = [*found.selected, *rules.get("initial", ())]
        left = set(range(7)) - set(rules.get("exclude", ()))
        twin = next_gain(
            values, taken, np.full(40, 1 / 40), lambda more, left=left: more[-1] in left
        )
        assert found.next_gain == pytest.approx(twin, abs=1e-12)
        said = f"one more image would add {found.next_gain:.4f}"
        assert said in str(found) and said in text_of(found._repr_html_())
        assert found._repr_html_().count("<tr>") == 4
    everything = scp.select(values, 7)
    assert np.isnan(everything.next_gain) and "one more" not in str(everything)


def test_one_more_is_what_the_rules_allow():
    values = np.eye(5, dtype=np.float32) * [5, 4, 3, 2, 1]
    same = scp.select(values, 2, groups=["a", "a", "b", "c", "d"])
    assert same.selected.tolist() == [0, 2] and same.next_gain == pytest.approx(2 / 5)
    cheap = scp.select(values, None, costs=[2, 2, 2, 2, 1], budget=5)
    assert 4 in cheap.selected and np.isnan(cheap.next_gain)
    far = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    apart = scp.select(values, 1, distances=far, min_distance=2)
    assert apart.selected.tolist() == [0] and apart.next_gain == pytest.approx(3 / 5)


def test_a_choice_shows_what_can_be_shown():
    run = scp.Run(POOL, features=scp.GradientExtractor(size=(64, 64)), count=10, progress=False)
    assert "<img" not in run._repr_html_() and "chosen" not in repr(run)
    choice = run.select(1)
    page = text_of(choice._repr_html_())
    assert "annotate 1 of 4 images" in page and "one more image would add" in page
    assert f"{choice.selection.upper_bound:.4f}" in page and "1 chosen" in repr(run)
    choice.images = broken(POOL)
    shown = choice._repr_html_()
    assert ("cannot be read" in shown) == (choice.ids != [POOL.ids[1]]) and "gain" in shown
    choice.images = None
    assert "<img" not in choice._repr_html_() and f"1. {choice.ids[0]}" in choice._repr_html_()


# ---- landmarks ----


def test_detections_say_how_certain_they_are():
    found = detections()
    said = "5 landmarks of 4 images, mean confidence 0.59, expected error 5.8 px, found from 000"
    assert repr(found) == f"<{said}>" and found.confidence.mean() == pytest.approx(0.59)
    page = found._repr_html_()
    assert page.count("<img ") == 2 and said in text_of(page) and len(page) < 60_000
    least = found.confidence[0].mean()
    assert f"{POOL.ids[0]}: confidence {least:.2f}, least p2 0.10" in text_of(page)
    assert f"first: {', '.join(POOL.ids)}" in text_of(page)


def test_detections_of_no_images_of_one_and_of_lost_ones():
    none = detections(POOL.subset([]))
    assert "5 landmarks of 0 images" in repr(none) and "<img" not in none._repr_html_()
    one = detections(POOL.subset([2]))
    assert one._repr_html_().count("<img ") == 1
    no_template = detections(templates=())
    assert "from no template" in repr(no_template) and "<img" in no_template._repr_html_()
    lost = detections(broken(POOL))._repr_html_()
    assert lost.count("<img ") == 1 and f"{POOL.ids[0]} cannot be read" in lost
    for images in (None, scp.datasets.arrays([np.zeros((9, 9), np.uint8)], ["other"])):
        apart = dataclasses.replace(detections(), images=images)._repr_html_()
        assert "<img" not in apart and "to look at first" in apart
    nowhere = detections(xy=np.full((4, 5, 2), NAN))
    assert "20 points absent" in repr(nowhere) and "confidence" not in repr(nowhere)
    assert "<img" not in nowhere._repr_html_()


def test_marks_far_outside_are_not_drawn():
    xy = np.full((4, 5, 2), 1e9)
    assert detections(xy=xy)._repr_html_().count("<img ") == 2


def test_what_a_person_gave_says_nothing_of_certainty():
    marks = scp.Landmarks(POOL.ids[:1], [f"p{k}" for k in range(5)], np.ones((1, 5, 2)))
    found = detections().with_marks(marks)
    assert found.images is POOL and "mean confidence 0.70" in repr(found)
    page = text_of(found._repr_html_())
    assert f"{POOL.ids[1]}: confidence" in page and f"{POOL.ids[0]}: confidence" not in page
    assert repr(marks) == "<5 landmarks of 1 images>" and "<img" not in marks._repr_html_()


def test_the_detector_hands_on_its_images():
    extractor = scp.GradientExtractor(size=(64, 64))
    found = scp.LandmarkDetector(extractor).fit_predict(POOL, [0])
    assert found.images is POOL and found._repr_html_().count("<img ") == 2
    run = scp.Run(POOL, features=extractor, count=10, progress=False)
    assert run.detect([0]).images is run.dataset


# ---- evaluations ----


def evaluation(images=POOL, by=(3.0, 4.0)):
    truth = POOL.with_landmarks(detections().xy, [f"p{k}" for k in range(5)])
    moved = detections().xy
    moved[2, 1] += by
    moved[1, 4] += (1.0, 0.0)
    found = scp.Landmarks(POOL.ids, truth.landmark_names, moved)
    return dataclasses.replace(scp.evaluate(found, truth, resamples=10, unit="px"), images=images)


def test_an_evaluation_names_its_worst_cases():
    e = evaluation()
    page = e._repr_html_()
    assert page.count("<img ") == 2 and "MRE" in text_of(page) and str(e) in text_of(page)
    worst = f"largest errors: {POOL.ids[2]}, p1: 5.00 px; {POOL.ids[1]}, p4: 1.00 px"
    assert worst in text_of(page)
    assert evaluation(broken(POOL))._repr_html_().count("<img ") == 1
    assert "<img" not in evaluation(None)._repr_html_() and worst in text_of(
        evaluation(None)._repr_html_()
    )


def test_an_evaluation_without_any_prediction():
    e = evaluation()
    lost = np.full(e.errors.shape, np.inf)
    nothing = dataclasses.replace(e, errors=lost, mre=NAN, predicted=np.full((4, 5, 2), NAN))
    page = nothing._repr_html_()
    assert "largest" not in page and "<img" not in page and "–" in page
    assert metrics.error_table(lost).count.sum() == 0
