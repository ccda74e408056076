"""Every verb that reads the images warns of those that are of another range, or negatives."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import scp
from scp.cli import main

POOL = scp.datasets.phantom(6, seed=2, size=(160, 128))
SIZE = ["--size", "64", "--quiet"]


@pytest.fixture
def folder(tmp_path):
    """Six radiographs of 12 bits: one is a negative, one has 8 bits in the same type."""
    root = tmp_path / "images"
    root.mkdir()
    for i, name in enumerate(POOL.ids):
        image = POOL.image(i)
        image = 255 - image if i == 4 else image
        deep = image.astype(np.uint16) if i == 1 else np.rint(image * (4095 / 255))
        assert cv2.imwrite(str(root / f"{name}.png"), deep.astype(np.uint16))
    return root


def test_every_verb_warns_once(folder, tmp_path, capsys):
    marks = tmp_path / "marks.csv"
    ids = [f"{name}.png" for name in POOL.ids]
    table = scp.Landmarks(ids, POOL.landmark_names, POOL.landmarks)
    scp.write_landmarks(marks, table.rows(ids[:1]))
    templates = ["--templates", str(marks)]
    for verb, *more in (
        ["train", "--steps", "2"],
        ["select", "-m", "2", "--count", "20"],
        ["detect", *templates],
        ["refine", *templates, "--steps", "2"],
    ):
        size = SIZE if verb in ("train", "refine") else ["--quiet"]
        words = [verb, str(folder), "--run", str(tmp_path / "run"), *size, *more]
        assert main(words) == 0
        err = capsys.readouterr().err
        assert err.count("images of different ranges") == 1, verb
        assert err.count(f"1 image looks like a negative of the others: {ids[4]}") == 1, verb
