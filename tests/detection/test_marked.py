"""Images without a point are no templates, wherever templates are named."""

from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import pytest
from phantoms import write_images

import scp
from scp.cli import main
from scp.detection import templates_among
from scp.detection.detector import usual_pseudo_templates


@pytest.fixture(scope="module")
def pool():
    return scp.datasets.phantom(4, seed=5, size=(120, 96))


@pytest.fixture(scope="module")
def one_marked(pool):
    xy = pool.landmarks.copy()
    xy[1:] = np.nan
    return pool.with_landmarks(xy)


LEFT_OUT = "3 of 4 images have no point and are left out: "


def test_rows_without_a_point_are_no_templates(pool, one_marked):
    extractor = scp.GradientExtractor(size=(96, 96), levels=3, channels=16)
    alone = scp.LandmarkDetector(extractor=extractor, views=2).fit(pool.subset([0])).predict(pool)
    table = scp.Landmarks.of(one_marked)
    run = scp.Run(pool, features=extractor, duplicates=False)
    fits = [
        lambda d: d.fit(one_marked).predict(pool),
        lambda d: d.fit(pool, one_marked.landmarks).predict(pool),
        lambda d: d.fit(pool, table).predict(pool),
        lambda d: d.fit_predict(pool, table, pseudo_templates=0),
        lambda d: d.fit_predict(pool, one_marked, pseudo_templates=0),
        lambda d: d.fit_predict(one_marked, [0, 1, 2, 3], pseudo_templates=0),
        lambda d: d.fit_predict(one_marked, one_marked.ids, pseudo_templates=0),
        lambda d: run.detect(table, views=2, pseudo_templates=0),
    ]
    for fit in fits:
        with pytest.warns(UserWarning, match=LEFT_OUT):
            found = fit(scp.LandmarkDetector(extractor=extractor, views=2))
        assert found.templates == [pool.ids[0]]
        hand = found.by_hand  # marks that were given stay as they are
        np.testing.assert_array_equal(found.xy[~hand], alone.xy[~hand])
        np.testing.assert_array_equal(found.xy[hand], one_marked.landmarks[hand])
    detector = scp.LandmarkDetector(extractor=extractor, views=2)
    with pytest.warns(UserWarning):
        found = detector.fit_predict(pool, table)  # one template: others vote too
    assert len(found.templates) == 1 + min(usual_pseudo_templates(detector, 1), 3)


def test_images_with_found_points_only_are_left_out_silently(pool):
    """The landmarks found by a first round are templates of a second: most are nobody's marks."""
    table = scp.Landmarks.of(pool)
    source = np.full(table.present.shape, "found", "<U9")
    source[0], source[2, 1] = "marked", "corrected"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = templates_among(pool, dataclasses.replace(table, source=source))
    assert known.ids == [pool.ids[0], pool.ids[2]]
    assert np.flatnonzero(np.isfinite(known.landmarks[1]).any(axis=-1)).tolist() == [1]


def test_nothing_marked_and_images_of_another_split(pool, one_marked):
    none = pool.with_landmarks(np.full_like(pool.landmarks, np.nan))
    with pytest.raises(ValueError, match="no landmark is marked in them"):
        templates_among(pool, scp.Landmarks.of(none))
    other = scp.Landmarks(["x", pool.ids[0]], pool.landmark_names, pool.landmarks[:2])
    with pytest.raises(ValueError, match=r"'x' is not among the 4 images \(1 of 2.*leave"):
        templates_among(pool, other)


def test_a_refiner_learns_from_pseudo_labels_of_the_others(pool, one_marked):
    from scp.refinement.labels import true_labels

    with pytest.warns(UserWarning, match=LEFT_OUT):
        rows, truth = true_labels(pool, pool.landmark_names, scp.Landmarks.of(one_marked))
    assert rows.tolist() == [0] and truth.shape == (1, 19, 2)


@pytest.mark.parametrize("kind", ["long", "wide", "coco"])
def test_command_line(pool, one_marked, tmp_path, capsys, kind):
    root = write_images(tmp_path / "images", pool)
    ids = [f"{v}.png" for v in pool.ids]
    names, first = pool.landmark_names, pool.landmarks[0].round(1)
    file = tmp_path / "marks.csv"
    if kind == "long":
        scp.write_landmarks(file, scp.Landmarks(ids, names, one_marked.landmarks))
    elif kind == "wide":
        header = ",".join(f"{v}_x,{v}_y" for v in names)
        rows = [",".join(map(str, first.ravel()))] + ["," * (2 * len(names) - 1)] * 3
        lines = [f"{v},{row}" for v, row in zip(ids, rows, strict=True)]
        file.write_text("\n".join([f"image,{header}", *lines]) + "\n")
    else:
        flat = np.concatenate([first, np.full((19, 1), 2)], axis=1).ravel().tolist()
        content = {
            "images": [{"id": i, "file_name": v} for i, v in enumerate(ids)],
            "annotations": [
                {"image_id": 0, "category_id": 1, "keypoints": flat},
                {"image_id": 1, "category_id": 1, "keypoints": [0] * 57},
            ],
            "categories": [{"id": 1, "name": "head", "keypoints": names}],
        }
        file.write_text(json.dumps(content))
    command = ["detect", str(root), "--templates", str(file), "--run", str(tmp_path / "run")]
    assert main([*command, "--size", "96", "--quiet"]) == 0
    said = capsys.readouterr()
    assert f"from 1 template: {ids[0]}\n" in said.out
    doubtful = said.out.split("to look at first:")[1]
    assert all(name in doubtful for name in ids[1:]) and ids[0] not in doubtful
    assert f"warning: templates: {LEFT_OUT}" in said.err
