"""Landmarks found, in the report and in figures."""

from __future__ import annotations

import numpy as np
import pytest

import scp
from scp.report import plots


def found_in(images, rows=None, **columns):
    """Landmarks two pixels beside the true ones."""
    rows = range(len(images)) if rows is None else rows
    ids = [images.ids[i] for i in rows]
    return scp.Landmarks(ids, list(images.landmark_names), images.landmarks[list(rows)] + 2,
                         **columns)  # fmt: skip


def test_figure_of_landmarks_found():
    images = scp.datasets.phantom(3, seed=0)
    found = found_in(images, confidence=np.full((3, 19), 0.5))
    figure = plots.found_landmarks(images, found, [2, 0], truth=images.landmarks)
    assert [ax.get_title() for ax in figure.axes] == [
        f"{images.ids[i]}\nconfidence 0.50" for i in (2, 0)
    ]
    true, cross = (line.get_xydata() for line in figure.axes[0].lines)
    assert np.array_equal(true, images.landmarks[2])
    assert np.array_equal(cross, found.xy[2])
    assert len(plots.found_landmarks(images, found, [1]).axes[0].lines) == 1
    with pytest.raises(ValueError, match="rows: expected"):
        plots.found_landmarks(images, found, [])
