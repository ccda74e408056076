"""Pixels that are not square: every length in mm takes rows and columns by their own size."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from scp.datasets import arrays
from scp.evaluation import evaluate, metrics
from scp.experiments.records import Record
from scp.landmarks import Landmarks
from scp.measures import measure

SY, SX = 0.5, 0.2
TRUTH = np.array([[[10.0, 10.0], [20.0, 30.0], [25.0, 12.0]]] * 2)
RIGHT, DOWN = np.array([3.0, 0.0]), np.array([0.0, 4.0])
MOVE = RIGHT + DOWN
ERROR = np.hypot(3 * SX, 4 * SY)


def images(spacing):
    pixels = [np.full((40, 30), 90, np.uint8)] * 2
    names = ["a", "b", "c"]
    return arrays(pixels, list("pq"), spacing=spacing, landmarks=TRUTH, landmark_names=names)


def test_errors():
    np.testing.assert_allclose(metrics.radial_errors(TRUTH + MOVE, TRUTH, (SY, SX)), ERROR)
    result = evaluate(Landmarks(["p", "q"], ["a", "b", "c"], TRUTH + MOVE), images((SY, SX)))
    np.testing.assert_allclose(result.errors, ERROR)
    given = evaluate(
        Landmarks(["p", "q"], ["a", "b", "c"], TRUTH + MOVE), images(None), spacing=(SY, SX)
    )
    np.testing.assert_allclose(given.errors, ERROR)


def test_errors_on_a_grid():
    """A grid of 20 x 10 has rows of 2 and columns of 3 original pixels."""
    errors = metrics.paper_errors(
        TRUTH + RIGHT, TRUTH, (40, 30), (SY, SX), size=(20, 10), rule="truncate"
    )
    np.testing.assert_allclose(errors, 3 * SX)
    errors = metrics.paper_errors(TRUTH + DOWN, TRUTH, (40, 30), (SY, SX), size=(20, 10))
    np.testing.assert_allclose(errors, 4 * SY)


@pytest.mark.parametrize("way", ["original", "grid"])
def test_errors_of_experiments(way):
    shapes, spacing = np.array([[40, 30]] * 2), np.array([[SY, SX]] * 2)
    found = SimpleNamespace(
        xy=np.stack([TRUTH + RIGHT, TRUTH + DOWN]), similarity=np.ones((2, 2, 3))
    )
    record = Record(found, TRUTH, spacing, shapes, (20, 10), way, np.array([-1, -1]))
    np.testing.assert_allclose(record.votes[0], 3 * SX)
    np.testing.assert_allclose(record.votes[1], 4 * SY)


def test_measurements():
    """A distance and an angle, by hand."""
    definitions = {
        "measures": {
            "length": {"distance": ["a", "b"]},
            "corner": {"angle": ["a", "b", "c"]},
        }
    }
    result = measure(images((SY, SX)), definitions)
    mm = TRUTH[0] * (SX, SY)
    length = np.linalg.norm(mm[1] - mm[0])
    first, second = mm[0] - mm[1], mm[2] - mm[1]
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    values = dict(zip(result.names, result.values[0], strict=True))
    np.testing.assert_allclose(values["length"], length)
    np.testing.assert_allclose(abs(values["corner"]), np.degrees(np.arccos(cosine)))
