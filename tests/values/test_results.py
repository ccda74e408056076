"""Results are values: compared by content, and shown in a few lines."""

import copy
import dataclasses
import pickle
import re

import numpy as np
import pytest

import scp

POOL = scp.datasets.phantom(4, seed=3, size=(128, 96))
VALUES = np.random.default_rng(0).random((12, 30))


def gradient():
    return scp.GradientExtractor(size=(64, 64))


def choice(m=2):
    return scp.choose(POOL, m, features=gradient(), count=10, duplicates=False, progress=False)


def detections(template=0):
    return scp.LandmarkDetector(extractor=gradient()).fit_predict(POOL, [template])


def trained(steps=2):
    return scp.FeatureExtractor(size=(64, 64)).fit(POOL, steps=steps, progress=False)


# Each made twice, and once in another way.
RESULTS = {
    "Selection": (lambda: scp.select(VALUES, 3), lambda: scp.select(VALUES, 4)),
    "Certificate": (
        lambda: scp.select(VALUES, 3, method="exact").certificate,
        lambda: scp.select(VALUES, 4, method="exact").certificate,
    ),
    "Choice": (choice, lambda: choice(1)),
    "Landmarks": (lambda: scp.Landmarks.of(POOL), lambda: scp.Landmarks.of(POOL.subset([0]))),
    "Detections": (detections, lambda: detections(1)),
    "Matches": (
        lambda: scp.match_templates(gradient(), POOL.subset([0]), POOL),
        lambda: scp.match_templates(gradient(), POOL.subset([1]), POOL),
    ),
    "Evaluation": (
        lambda: scp.evaluate(detections(), POOL, resamples=10),
        lambda: scp.evaluate(detections(1), POOL, resamples=10),
    ),
    "ErrorTable": (
        lambda: scp.metrics.error_table([[1.0, np.nan]]),
        lambda: scp.metrics.error_table([[1.0, 2.0]]),
    ),
    "FeaturePyramid": (
        lambda: gradient().pyramid(POOL.grid(0, (64, 64))),
        lambda: gradient().pyramid(POOL.grid(1, (64, 64))),
    ),
    "KeyPoints": (
        lambda: scp.keypoints.detect(POOL.grid(0)),
        lambda: scp.keypoints.detect(POOL.grid(1)),
    ),
    "Model": (lambda: trained().model_, lambda: trained(1).model_),
    "TrainedState": (lambda: trained().trained_, lambda: trained(1).trained_),
    "Network": (
        lambda: scp.FeatureExtractor().architecture,
        lambda: scp.FeatureExtractor(network={"channels": 16}).architecture,
    ),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_equal_is_what_holds_the_same(kind):
    make, make_other = RESULTS[kind]
    one, two, other = make(), make(), make_other()
    assert type(one).__name__ == kind
    for same in (one, two, copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert (one == same) is True and (one != same) is False
        if kind != "Network":  # layers may be added to it
            assert hash(one) == hash(same) and one in {same}
    assert (one == other) is False and (one != other) is True
    assert other not in [one, two] and [one, two].index(two) == 0
    for strange in (None, 3, "text", [one], np.zeros(2)):
        assert np.all((one == strange) == False)  # noqa: E712


@pytest.mark.parametrize("kind", RESULTS)
def test_they_are_shown_in_a_few_lines(kind):
    text = repr(RESULTS[kind][0]())
    assert len(text.splitlines()) <= 10 and len(text) < 1000


def test_a_choice_says_what_comes_next(tmp_path):
    made = scp.choose(
        POOL, 2, run=tmp_path / "run", features=gradient(), count=10, progress=False, report=False
    )
    text = str(made)
    assert text in repr(made) and f"2 of 4 images: {', '.join(made.ids)}" in text
    assert f"score {made.selection.score:.4f}" in text and str(tmp_path / "run") in text
    assert f"{made.selection.upper_bound:.4f}" in text and "marks.csv" in text
    line = re.search(r"scp\.Run\.open\(.+?\)\.detect\(\)", text)[0]
    assert len(eval(line, {"scp": scp, "images": POOL}).ids) == len(POOL)
    assert "read_landmarks" in str(scp.choose(POOL, 2, features=gradient(), count=10))
    page = made._repr_html_()
    assert page.count("<figure") == 2 and all(f". {name}, gain" in page for name in made.ids)
    made.warnings = ["<b>" + "w" * 5000] * 30
    assert "30 warnings" in str(made) and "<b>" not in made._repr_html_()
    made.ids = [f"image {i}" for i in range(500)]
    assert len(str(made).splitlines()) <= 10 and len(str(made)) < 1000


def test_stores_and_queries_are_copied_whole(tmp_path):
    store = gradient().transform(POOL, max_memory=1, folder=tmp_path)
    assert store.spilled == len(POOL) and "4 pyramids, 4 of them in a file" in repr(store)
    for copied in (copy.deepcopy(store), pickle.loads(pickle.dumps(store))):
        assert list(copied) == list(store) and copied.spilled == len(POOL)
    queries = scp.Queries(*store[0].at(np.array([[3.0, 4.0], [20.0, 30.0]])))
    for copied in (copy.deepcopy(queries), pickle.loads(pickle.dumps(queries))):
        found, wanted = scp.match(store[1], copied), scp.match(store[1], queries)
        assert np.array_equal(found[0], wanted[0]) and np.array_equal(found[1], wanted[1])


def test_a_run_goes_to_other_processes(tmp_path):
    for where in (None, tmp_path / "run"):
        run = scp.Run(POOL, where, features=gradient(), count=10, progress=False)
        made = run.select(2)
        for copied in (copy.deepcopy(run), pickle.loads(pickle.dumps(run))):
            assert copied.select(2) == made and repr(copied) == repr(run)


def test_what_was_chosen_is_seen_in_a_notebook():
    images = scp.datasets.phantom(16, seed=2, size=(96, 80))
    assert images._repr_html_().count("<img ") == 12 and "and 4 more" in images._repr_html_()
    run = scp.Run(images, features=scp.GradientExtractor(size=(64, 64)), progress=False)
    before = run._repr_html_()
    choice = run.select(3)
    page = choice._repr_html_()
    assert page.count("<img ") == 3 and all(f'alt="{name}"' in page for name in choice.ids)
    assert f"gain {choice.selection.gains[0]:.4f}" in page and "can exceed" in page
    assert "<img " not in before and run._repr_html_().endswith(page)
    alone = dataclasses.replace(choice, images=None, ids=["<b>", "b", "c"])._repr_html_()
    assert "<img " not in alone and "<b>" not in alone and "&lt;b&gt;" in alone
