"""What a person gave was not predicted, and is not measured."""

from __future__ import annotations

import numpy as np
import pytest

import scp


def test_images_with_points_by_hand_are_left_out():
    truth = scp.Landmarks(["a", "b", "c", "d"], ["p", "q"], np.zeros((4, 2, 2)))
    found = np.full((4, 2, 2), 3.0)
    found[:2] = 0
    source = [["marked", "marked"], ["found", "corrected"], ["found"] * 2, ["found"] * 2]
    hand = scp.Landmarks(truth.ids, truth.names, found, source=source)
    result = scp.evaluate(hand, truth)
    assert result.ids == ["c", "d"] and result.excluded == ["a", "b"]
    assert result.mre == pytest.approx(np.hypot(3, 3))
    assert scp.evaluate(hand, truth, exclude=["d", "a"]).ids == ["c"]
    plain = scp.Landmarks(truth.ids, truth.names, found)
    assert scp.evaluate(plain, truth).ids == truth.ids
    with pytest.warns(UserWarning, match="measured as if found"):
        assert scp.evaluate(plain.with_marks(truth), truth).ids == truth.ids
