"""scp detect, as a user runs it."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from phantoms import write_images

import scp
from scp.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four radiographs as PNG files, and the landmarks of two of them."""
    pool = scp.datasets.phantom(4, seed=2)
    root = write_images(tmp_path_factory.mktemp("images"), pool)
    table = scp.Landmarks([f"{v}.png" for v in pool.ids], pool.landmark_names, pool.landmarks)
    truth = root.parent / f"{root.name}-truth.csv"
    scp.write_landmarks(truth, table)
    marked = root.parent / f"{root.name}-marked.csv"
    scp.write_landmarks(marked, table.rows([f"{pool.ids[0]}.png", f"{pool.ids[2]}.png"]))
    return root, marked, truth


def test_landmarks_of_a_folder_from_a_file(folder, tmp_path, capsys):
    root, marked, truth = folder
    run = tmp_path / "run"
    command = ["detect", str(root), "--templates", str(marked), "--run", str(run), "--quiet"]
    assert main([*command, "--size", "128"]) == 0
    out = capsys.readouterr().out
    assert "19 landmarks in 4 images from 2 templates" in out and "look at first" in out
    assert "4 images, gradient features at 128 x 128 pixels" in out
    found, true = scp.read_landmarks(run / "landmarks.csv"), scp.read_landmarks(truth)
    assert found.ids == true.ids and found.names == true.names
    apart = np.hypot(*np.moveaxis(found.xy - true.xy, -1, 0))
    assert (apart[[0, 2]] == 0).all() and np.median(apart[[1, 3]]) > 0
    assert found.confidence.min() >= 0 and found.confidence.max() <= 1
    assert np.isfinite(found.error).all()
    pool = scp.datasets.folder(root)
    detector = scp.LandmarkDetector(extractor=scp.GradientExtractor(size=(128, 128)))
    same = detector.fit_predict(pool, scp.read_landmarks(marked))
    assert np.array_equal(same.xy, found.xy)  # the command line and Python are one
    assert np.array_equal(same.source, found.source)


def test_the_choice_of_a_run_is_the_default(folder, tmp_path, capsys):
    root, _, truth = folder
    run = tmp_path / "run"
    data = [str(root), "--dataset", "table", "--annotations", str(truth), "--run", str(run)]
    assert main(["detect", *data]) == 2
    error = capsys.readouterr().err
    command = shlex.split(error.split("run scp select first: ")[1])
    assert command == ["scp", "select", *data]
    plain = ["--size", "64", "--quiet"]
    assert main(["select", *data, *plain, "-m", "2", "--count", "20", "--no-report"]) == 0
    capsys.readouterr()
    assert main(["detect", *data, *plain, "--json", "--views", "1"]) == 0
    content = json.loads(capsys.readouterr().out)
    selected = json.loads((run / "selection.json").read_text())["selected"]
    assert content["templates"] == [entry["id"] for entry in selected]
    assert content["views"] == 1 and 0 < content["confidence"] < 1
    assert main(["detect", *data, "--size", "64"]) == 0
    hint = next(v for v in capsys.readouterr().out.splitlines() if "scp evaluate" in v)
    assert main(shlex.split(hint)[1:]) == 0  # as it was printed
    out = capsys.readouterr().out
    assert (
        "2 images, 19 landmarks" in out and "marked by a person or excluded: " in out
    )  # templates


@pytest.mark.parametrize(
    "words, message",
    (
        ([], "marks.csv; it is written by: scp select "),
        (["--templates", "nowhere.csv"], "nowhere.csv: cannot be read"),
        (["--template-ids", "a"], "--templates FILE is needed"),
        (["--templates", "MARKED", "--template-ids", "a"], "without landmarks"),
        (["--templates", "OTHER"], "image 'x.png' is not among the 4 images"),
        (["--templates", "MARKED", "--features", "trained"], "train first"),
    ),
)
def test_what_is_wrong_is_said_in_one_line(folder, tmp_path, capsys, words, message):
    root, marked, _ = folder
    other = tmp_path / "other.csv"
    scp.write_landmarks(other, scp.Landmarks(["x.png"], ["p"], np.ones((1, 1, 2))))
    words = [{"MARKED": str(marked), "OTHER": str(other)}.get(w, w) for w in words]
    assert main(["detect", str(root), "--run", str(tmp_path / "run"), *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run" / "landmarks.csv").exists()


def test_ids_that_are_not_there_are_named(folder, tmp_path, capsys):
    root, _, truth = folder
    data = [str(root), "--dataset", "table", "--annotations", str(truth), "--run", str(tmp_path)]
    assert main(["detect", *data, "--template-ids", "zzz"]) == 2
    assert "no image is called 'zzz'" in capsys.readouterr().err
    (tmp_path / "selection.json").write_text("[1]")
    assert main(["detect", *data]) == 2
    assert "not a selection of scp" in capsys.readouterr().err


def test_marks_of_the_templates_are_never_overwritten(folder, tmp_path, capsys):
    root, marked, _ = folder
    own = tmp_path / "landmarks.csv"
    own.write_bytes(marked.read_bytes())
    for verb in ("detect", "refine"):
        assert main([verb, str(root), "--templates", str(own), "--run", str(tmp_path)]) == 2
        assert "would overwrite those of the templates" in capsys.readouterr().err
        assert own.read_bytes() == marked.read_bytes()


def test_templates_without_any_mark_are_refused(folder, tmp_path, capsys):
    root, _, _ = folder
    empty = tmp_path / "empty.csv"
    scp.write_landmarks(
        empty,
        scp.Landmarks([f"{next(root.glob('*.png')).name}"], ["p"], np.full((1, 1, 2), np.nan)),
    )
    for verb in ("detect", "refine"):
        assert main([verb, str(root), "--templates", str(empty), "--run", str(tmp_path)]) == 2
        assert "no landmark is marked in them" in capsys.readouterr().err


def test_several_files_of_templates_in_any_order(folder, tmp_path, capsys):
    """The last file counts, and what was found is no mark; the images may stand behind them."""
    root, marked, truth = folder
    run, more = tmp_path / "run", tmp_path / "more.csv"
    a, b, c, _ = scp.read_landmarks(truth).ids
    name = scp.read_landmarks(truth).names
    more.write_text(
        f"image,landmark,x,y,source\n{a},{name[0]},50.5,60,corrected\n{a},{name[1]},,,corrected\n"
        f"{b},{name[0]},70,80,marked\n{b},{name[1]},1,2,found\n"
    )
    rest = ["--run", str(run), "--quiet", "--size", "64", "--views", "1"]
    outputs = []
    for words in (
        [str(root), *rest, "--templates", str(marked), str(more)],
        [*rest, "--templates", str(marked), str(more), str(root)],
        ["--templates", str(marked), "--templates", str(more), *rest, str(root)],
    ):
        (run / "landmarks.csv").unlink(missing_ok=True)
        assert main(["detect", *words]) == 0
        out, err = capsys.readouterr()
        assert f"2 points of {marked} replaced by those of {more}" in err
        assert f"from 3 templates: {a}, {b}, {c}" in out
        outputs.append((run / "landmarks.csv").read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]
    found = scp.read_landmarks(run / "landmarks.csv").rows([a, b, c])
    assert found.xy[:2, 0].tolist() == [[50.5, 60], [70, 80]]
    assert np.isnan(found.xy[0, 1]).all() and found.source[0, 1] == "corrected"
    assert found.source[1, 1] == "found" and (found.xy[1, 1] != (1, 2)).any()
    assert (found.source[2] == "marked").all()
    # The run's own file holds what persons gave; a newer correction of a point counts.
    more.write_text(f"image,landmark,x,y,source\n{a},{name[0]},51,61,corrected\n")
    own = str(run / "landmarks.csv")
    assert main(["detect", str(root), *rest, "--templates", own, str(more)]) == 0
    again = scp.read_landmarks(own).rows([a, b, c])
    assert again.xy[0, 0].tolist() == [51, 61]
    assert np.array_equal(again.source, found.source)
    hand = found.by_hand.copy()
    hand[0, 0] = False
    assert np.array_equal(again.xy[hand], found.xy[hand], equal_nan=True)


def test_one_file_before_the_images(folder, tmp_path, capsys):
    root, marked, _ = folder
    rest = ["--run", str(tmp_path / "run"), "--quiet", "--size", "64", "--views", "1"]
    assert main(["detect", *rest, "--templates", str(marked), str(root)]) == 0
    assert "from 2 templates" in capsys.readouterr().out
    for words in (["--templates", str(marked)], ["--templates", str(marked), "nowhere"], []):
        with pytest.raises(SystemExit):
            main(["detect", *rest, *words])
        assert "required: images" in capsys.readouterr().err


def test_files_beside_the_landmarks_of_the_data_set(folder, tmp_path, capsys):
    root, _, truth = folder
    ids, name = scp.read_landmarks(truth).ids, scp.read_landmarks(truth).names[0]
    more = tmp_path / "more.csv"
    more.write_text(f"image,landmark,x,y,source\n{ids[1]},{name},70,80,corrected\n")
    data = [str(root), "--dataset", "table", "--annotations", str(truth)]
    rest = ["--run", str(tmp_path / "run"), "--quiet", "--size", "64", "--views", "1", "--json"]
    words = ["--template-ids", ids[0], "--templates", str(more)]
    assert main(["detect", *data, *rest, *words]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["templates"] == [ids[0]] and content["corrected"] == [ids[1]]


def test_only_found_points_are_no_templates(folder, tmp_path, capsys):
    root, _, truth = folder
    found = tmp_path / "found.csv"
    found.write_text(f"image,landmark,x,y,source\n{scp.read_landmarks(truth).ids[0]},s,1,2,found\n")
    words = ["detect", str(root), "--run", str(tmp_path / "run"), "--templates", str(found)]
    assert main(words) == 2
    assert "no point in it is from a person" in capsys.readouterr().err
