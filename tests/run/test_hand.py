"""What a person did is never lost: marks, corrections of landmarks.csv, files of other origin."""

from __future__ import annotations

import csv
import os
import warnings

import numpy as np
import pytest

import scp
from scp.landmarks import edits_in, write_kept


@pytest.fixture
def pool():
    return scp.datasets.phantom(5, seed=2, size=(160, 128))


def run_of(pool, path):
    return scp.Run(pool, path, features=scp.GradientExtractor(size=(64, 64)), progress=False)


def edit(path, change):
    """The lines of a CSV as cells by column, changed and written back as another tool does."""
    with path.open(newline="") as file:
        head, rows = change(list(csv.DictReader(file)))
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, head, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


def test_marks_are_what_was_given_wherever_landmarks_are_found(pool, tmp_path):
    marks = scp.Landmarks.of(pool).rows(pool.ids[:2])
    marks.xy[1, 3] = np.nan  # not marked: found, and said so
    run = run_of(pool, tmp_path / "run")
    for found in (
        run.detect(marks),
        scp.read_landmarks(tmp_path / "run" / "landmarks.csv"),
        run.detect(marks, out=tmp_path / "all.csv"),
        scp.read_landmarks(tmp_path / "all.csv"),
        scp.LandmarkDetector(extractor=run.extractor).fit_predict(pool, marks),
        run.keep(scp.LandmarkDetector(extractor=run.extractor).fit(pool).predict(pool), marks),
    ):
        assert np.array_equal(found.xy[:2][marks.present], marks.xy[marks.present])
        assert (found.source[:2][marks.present] == "marked").all()
        assert found.source[1, 3] == "found" and np.isfinite(found.xy[1, 3]).all()
        assert (found.source[2:] == "found").all()
        assert (found.confidence[found.by_hand] == 1).all() and (
            found.error[found.by_hand] == 0
        ).all()


def test_corrections_are_kept_and_used(pool, tmp_path, recwarn):
    run = run_of(pool, tmp_path / "run")
    first = run.detect([0, 1])
    path = tmp_path / "run" / "landmarks.csv"
    name = pool.landmark_names

    def change(rows):
        for row in rows:  # moved, taken away, and a line that is gone; the rest is rounded
            if row["x"]:
                row["x"], row["y"] = f"{float(row['x']):.4f}", f"{float(row['y']):.4f}"
            if (row["image"], row["landmark"]) == (pool.ids[3], name[4]):
                row["x"], row["y"] = "30.5", "40.25"
            if (row["image"], row["landmark"]) == (pool.ids[4], name[0]):
                row["x"] = row["y"] = ""
        gone = (pool.ids[4], name[1])
        rows = [r for r in rows if (r["image"], r["landmark"]) != gone]
        return ["image", "landmark", "x", "y"], rows

    edit(path, change)
    for _ in range(3):  # and not only once
        found = run.detect([0, 1])
        for landmarks in (found, scp.read_landmarks(path)):
            assert landmarks.xy[3, 4].tolist() == [30.5, 40.25]
            assert np.isnan(landmarks.xy[4, :2]).all()
            assert np.argwhere(landmarks.source == "corrected").tolist() == [[3, 4], [4, 0], [4, 1]]
            assert (landmarks.source[:2] == "marked").all()
        assert found.templates == [pool.ids[i] for i in (0, 1, 3)]  # a correction is a mark
    assert not np.array_equal(found.xy[2, 4], first.xy[2, 4])  # and has a vote
    assert not [w for w in recwarn if "kept as" in str(w.message)]
    assert sorted(p.name for p in path.parent.glob("*.csv*")) == [
        "landmarks.csv",
        "landmarks.csv.ledger",
    ]


def test_a_mark_that_was_corrected_stays_corrected(pool, tmp_path):
    run = run_of(pool, tmp_path / "run")
    run.detect([0, 1])
    path = tmp_path / "run" / "landmarks.csv"
    x, y = (repr(float(v)) for v in pool.landmarks[0, 0])
    path.write_text(path.read_text().replace(f"{x},{y},", "11.0,12.0,", 1))
    with pytest.warns(UserWarning, match="1 mark of a template was corrected"):
        found = run.detect([0, 1])
    assert found.xy[0, 0].tolist() == [11, 12] and found.source[0, 0] == "corrected"


def test_a_file_of_another_origin_is_never_overwritten(pool, tmp_path):
    run = run_of(pool, tmp_path / "run")
    run.folder  # noqa: B018
    path = tmp_path / "run" / "landmarks.csv"
    contents = [
        "image,landmark,x,y\n" + f"{pool.ids[2]},sella,1.0,2.0\n",  # before any run
        "what is this?\n",
        "image,landmark,x,y\nstranger.png,sella,1.0,2.0\n",
        path_text(pool, "own name"),
    ]
    for k, content in enumerate(contents):
        path.write_text(content)
        with pytest.warns(UserWarning, match=r"landmarks.csv is kept as .*landmarks\.user"):
            run.detect([0, 1])
        aside = path.with_name(f"landmarks.user{k + 1 if k else ''}.csv")
        assert aside.read_text() == content
        assert scp.read_landmarks(path).ids == pool.ids


def path_text(pool, name):
    return f"image,landmark,x,y\n{pool.ids[2]},{name},1.0,2.0\n"


def test_other_landmarks_take_the_place_of_those_that_nobody_touched(pool, tmp_path):
    run = run_of(pool, tmp_path / "run")
    run.detect([0, 1])
    fewer = scp.Landmarks.of(pool).rows(pool.ids[:2]).columns(pool.landmark_names[:3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run.detect(fewer).names == fewer.names
        run.detect([3])  # other templates: what was marked before is found now
    assert (scp.read_landmarks(tmp_path / "run" / "landmarks.csv").source[0] == "found").all()


@pytest.mark.parametrize("killed", (1, 2, 3))
def test_killed_between_the_files_nothing_is_taken_for_a_correction_or_lost(
    pool, tmp_path, killed, monkeypatch
):
    path = tmp_path / "landmarks.csv"
    old = scp.Landmarks(["a"], ["p", "q"], np.array([[[1.0, 2], [3, 4]]]), source=[["found"] * 2])
    write_kept(path, old)
    path.write_text(path.read_text().replace("1.0,2.0", "7.0,8.0"))
    new = scp.Landmarks(
        ["a"], ["p", "q"], np.array([[[7.0, 8], [5, 6]]]), source=[["corrected", "found"]]
    )
    steps = iter(range(1, 4))
    real = os.replace

    def replace(a, b):
        if next(steps) == killed:
            raise KeyboardInterrupt
        real(a, b)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", replace)
        with pytest.raises(KeyboardInterrupt):
            write_kept(path, new)
    points = edits_in(path, ["a"], ["p", "q"]).points
    assert points.names == ["p"] and points.xy.tolist() == [[[7, 8]]]


def test_a_refinement_learns_corrections_as_marks(pool):
    from scp.refinement.labels import pseudo_labels

    found = scp.LandmarkDetector(extractor=scp.GradientExtractor(size=(64, 64))).fit_predict(
        pool, [0]
    )
    moved = scp.Landmarks(
        [pool.ids[2]], ["sella"], np.array([[[9.0, 9.0]]]), source=[["corrected"]]
    )
    sella = found.names.index("sella")
    plain_xy, plain = pseudo_labels(pool, found, None, 2.0)
    xy, weights = pseudo_labels(pool, found.with_marks(moved), None, 2.0)
    assert xy[2, sella].tolist() == [9, 9] and weights[2, sella] == 1
    assert (weights[0] == 1).all() and (plain[1:] <= 1).all()
    rest = np.delete(weights, sella, axis=1)
    # weights are relative to the median of all errors, of which one is known now
    assert np.allclose(rest, np.delete(plain, sella, axis=1), atol=0.01)
    assert np.array_equal(np.delete(xy, sella, axis=1), np.delete(plain_xy, sella, axis=1))
