"""Warnings point at the line of whoever called, however deep in the package they arise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scp
from scp.errors import warn
from scp.features import learned
from scp.training import HardlyTrainedWarning


def test_a_warning_names_the_line_of_the_caller(tmp_path, monkeypatch):
    monkeypatch.setattr(learned, "_WARNED", set())  # other tests of this process were warned
    pool = scp.datasets.phantom(4, seed=0, size=(96, 80))
    extractor = scp.FeatureExtractor(size=(64, 64), training={"batch": 2}, random_state=3)
    extractor.fit(pool, steps=3, progress=False)
    with pytest.warns(HardlyTrainedWarning) as said:
        scp.Run(pool, tmp_path / "run", features=extractor).select(1)
    assert [w.filename for w in said if w.category is HardlyTrainedWarning] == [__file__]
    templates = scp.Landmarks.of(pool)
    templates.xy[1] = np.nan
    with pytest.warns(UserWarning, match="have no point") as said:
        scp.LandmarkDetector(extractor=extractor).fit(pool, templates)
    assert said[0].filename == __file__


def test_a_warning_of_nobody_else_is_said_all_the_same():
    inside = {"__name__": "scp.somewhere", "warn": warn}
    with pytest.warns(UserWarning, match="alone") as said:
        exec("def deep():\n    warn('alone')\ndeep()", inside)
    assert said[0].filename == __file__


def test_only_one_place_warns():
    root = Path(scp.__file__).parent
    found = [p for p in root.rglob("*.py") if "warnings.warn(" in p.read_text()]
    assert [p.relative_to(root).as_posix() for p in found] == ["errors.py"]
