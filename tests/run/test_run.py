"""A run in stages: what a folder holds is found again, and never replaced by something else."""

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from phantoms import write_images

import scp
from scp.cli.arguments import spacing_argument
from scp.run.spacing import spacing_words
from scp.runs import read_config

POOL = scp.datasets.phantom(8, seed=0, size=(96, 80))
FEATURES = scp.GradientExtractor(size=(64, 64), channels=16)
SETTINGS = {"features": FEATURES, "count": 20, "progress": False}


def test_stages_come_one_after_the_other_and_once(tmp_path):
    seen = []
    settings = {**SETTINGS, "progress": lambda stage, done, total: seen.append((stage, done))}
    run = scp.Run(POOL, tmp_path, **settings)
    assert "about" in str(run.estimate())
    values, places = run.similarity()
    assert values.shape == places.shape == (8, len(run.points().xy))
    choice = run.select(2)
    assert run.chosen() == choice.selection.selected.tolist() and run.similarity()[0] is values
    assert run.report() == tmp_path / "report.html"
    stages = [stage for stage, done in seen if done == 0]
    assert stages == ["key points", "similarity", "duplicates", "selection", "report"]
    again = scp.Run(POOL, tmp_path, **SETTINGS)
    assert again.select(2).resumed == 8 and not again._job._kept


def test_a_choice_changed_by_hand(tmp_path):
    """It is refused until its digest is taken out, used then, and never overwritten."""
    pool, path = POOL, tmp_path / "selection.json"
    found = scp.Run(pool, tmp_path, **SETTINGS).select(1).ids
    other = next(name for name in pool.ids if name not in found)
    edited = path.read_text().replace(f'"id": "{found[0]}"', f'"id": "{other}"')
    path.write_text(edited)
    with pytest.raises(ValueError, match=r"selection\.json.*changed after.*delete its digest"):
        scp.Run(pool, tmp_path, **SETTINGS).chosen()
    lines = [line for line in edited.splitlines() if '"digest"' not in line]
    assert len(lines) == len(edited.splitlines()) - 1
    path.write_text("\n".join(lines))
    run = scp.Run(pool, tmp_path, **SETTINGS)
    assert [pool.ids[i] for i in run.chosen()] == [other]
    config = tmp_path / "config.toml"
    config.write_text(changed := config.read_text() + "# mine\n[notes]\nby = 1\n")
    with pytest.warns(UserWarning) as said:
        run.select(1)
    texts = [str(w.message) for w in said]
    for name in ("selection.json", "config.toml"):
        assert any(text.startswith(f"{name} was changed by hand") for text in texts)
    assert (tmp_path / "selection.user.json").read_text() == "\n".join(lines)
    assert (tmp_path / "config.user.toml").read_text() == changed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run.select(2).ids and run.chosen()


@pytest.mark.parametrize("spacing", [0.25, (0.2, 0.1), "each"])
def test_a_given_spacing_stays_known(tmp_path, spacing):
    images = write_images(tmp_path / "images", POOL)
    pool = scp.datasets.folder(images)
    if spacing == "each":
        spacing = np.linspace(0.1, 0.9, 16).reshape(8, 2)
    expected = np.broadcast_to(spacing, (8, 2))
    scp.Run(pool.with_spacing(spacing), tmp_path / "run", **SETTINGS).select(2)
    again = scp.Run.open(tmp_path / "run", progress=False)
    assert np.array_equal(again.dataset.spacing, expected)
    assert np.array_equal(scp.Run(pool, tmp_path / "run", **SETTINGS).dataset.spacing, expected)
    other = scp.Run(pool.with_spacing(3.0), tmp_path / "run", **SETTINGS)  # what is given counts
    assert (other.dataset.spacing == 3.0).all()
    words = spacing_words(again.dataset, again.path)
    assert np.array_equal(pool.with_spacing(spacing_argument(words[1])).spacing, expected)


@pytest.mark.parametrize("spacing", [0.25, "each"])
def test_a_spacing_given_to_detect_stays_known(tmp_path, spacing):
    images = write_images(tmp_path / "images", POOL)
    pool = scp.datasets.folder(images)
    if spacing == "each":
        spacing = np.linspace(0.1, 0.9, 16).reshape(8, 2)
    choice = scp.Run(pool, tmp_path / "run", **SETTINGS).select(2)
    before = read_config(tmp_path / "run" / "config.toml")
    marks = scp.Landmarks.of(POOL).rows([Path(i).stem for i in choice.ids])
    marks = scp.Landmarks(choice.ids, marks.names, marks.xy)
    scp.Run(pool.with_spacing(spacing), tmp_path / "run", **SETTINGS).detect(marks, views=1)
    again = scp.Run.open(tmp_path / "run", progress=False)
    assert np.array_equal(again.dataset.spacing, np.broadcast_to(spacing, (8, 2)))
    after = read_config(tmp_path / "run" / "config.toml")
    del after["dataset"]["spacing"]
    assert after == before
    assert scp.verify(tmp_path / "run") and again.report().is_file()


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"m": [1, 2, 3]},
        {"initial": ["001", "002"], "exclude": ["004"]},
        {"m": None, "costs": [1.0] * 8, "budget": 3.0},
        {"groups": [i // 2 for i in range(8)], "quota": 1},
        {"method": "random", "draws": 50},
        {"min_distance": 0.05, "m": 2},
    ],
)
def test_a_report_of_an_earlier_choice_changes_nothing(tmp_path, rules):
    scp.Run(POOL, tmp_path, **SETTINGS).select(**{"m": 3, **rules})
    before = (tmp_path / "selection.json").read_bytes(), (tmp_path / "config.toml").read_bytes()
    assert scp.Run.open(tmp_path, POOL, progress=False).report().is_file()
    after = (tmp_path / "selection.json").read_bytes(), (tmp_path / "config.toml").read_bytes()
    assert after == before


def test_a_choice_that_cannot_be_made_again_is_not_replaced(tmp_path):
    scp.Run(POOL, tmp_path, **SETTINGS).select(3)
    path = tmp_path / "selection.json"
    path.write_text(path.read_text().replace('"id": "', '"id": "x'))
    with pytest.raises(ValueError, match=r"selection\.json: .*damaged, or changed"):
        scp.Run(POOL, tmp_path, **SETTINGS).report()
    content = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in content.items() if k != "digest"}))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"selection\.json: chosen in another way than it says"):
        scp.Run.open(tmp_path, POOL, progress=False).report()
    assert path.read_bytes() == before


def test_other_features_than_those_of_the_run_are_refused(tmp_path):
    scp.Run(POOL, tmp_path, **SETTINGS).select(3)
    other = scp.GradientExtractor(size=(96, 96), channels=16)
    with pytest.raises(ValueError, match=r"features: .*config\.toml names others"):
        scp.Run.open(tmp_path, POOL, features=other)
    with pytest.raises(FileNotFoundError, match=r"config\.toml: there is no such file"):
        scp.Run.open(tmp_path / "none", POOL)
    with pytest.raises(ValueError, match="of the kind 'phantom'"):
        scp.Run.open(tmp_path)


def test_a_choice_that_fails_leaves_the_one_before():
    run = scp.Run(POOL, **SETTINGS)
    first = run.select(2)
    for error, options in (
        (ValueError, {"method": "luck"}),
        (TypeError, {"random_state": 4}),
        (scp.InfeasibleError, {"exclude": list(range(8))}),
    ):
        with pytest.raises(error):
            run.select(2, **options)
    assert run.chosen() == first.selection.selected.tolist()
    assert run.parameters()["selection"]["method"] == "swap"
    with pytest.raises(ValueError, match="a report needs a run folder"):
        run.report()


def test_a_choice_can_be_pickled_and_holds_no_pyramids():
    choice = scp.choose(POOL, 2, **{**SETTINGS, "progress": lambda *at: None})
    assert pickle.loads(pickle.dumps(choice)).ids == choice.ids
    assert len(pickle.dumps(choice)) < 100_000


def test_landmarks_of_images_that_are_not_there_are_refused(tmp_path):
    run = scp.Run(POOL, tmp_path, **SETTINGS)
    strange = scp.Landmarks(["nobody"], ["a"], [[[3.0, 4.0]]])
    with pytest.raises(ValueError, match="'nobody' is not among the 8 images"):
        run.detect(strange)
    with pytest.raises(ValueError, match="templates must be rows or ids"):
        run.detect([True, False])
    with pytest.raises(ValueError, match="run scp select first"):
        run.detect()
    found = run.detect(["001", "003"])
    assert found.templates == ["001", "003"] and (tmp_path / "landmarks.csv").is_file()
