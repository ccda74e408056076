"""What persons said in several files, as one."""

from __future__ import annotations

import numpy as np
import pytest

import scp
from scp.landmarks import hand_marks, marked_ids, merged

NAN = np.nan


def table(ids, names, xy, source=None) -> scp.Landmarks:
    return scp.Landmarks(ids, names, np.array(xy, float), source=source)


def test_what_was_found_is_no_mark():
    both = table(["a", "b"], ["s", "n"], [[(1, 2), (3, 4)], [(5, 6), (NAN, NAN)]])
    assert hand_marks(both).source.tolist() == [["marked", "marked"], ["marked", ""]]
    said = table(both.ids, both.names, both.xy, [["found", "corrected"], ["", "marked"]])
    hand = hand_marks(said)
    assert hand.source.tolist() == [["", "corrected"], ["marked", "marked"]]
    assert hand.present.tolist() == [[False, True], [True, False]]
    assert marked_ids(said) == ["a", "b"]
    found = table(both.ids, both.names, both.xy, [["found"] * 2] * 2)
    with pytest.raises(ValueError, match="no point in it is from a person"):
        hand_marks(found)


def test_the_later_counts():
    first = hand_marks(table(["a", "b"], ["s", "n"], [[(1, 2), (3, 4)], [(5, 6), (7, 8)]]))
    xy = [[(NAN, NAN), (9, 9)], [(5, 6), (1, 1)]]
    source = [["corrected", "corrected"], ["corrected", "found"]]
    second = hand_marks(table(["b", "c"], ["s", "g"], xy, source))
    third = hand_marks(table(["b"], ["n"], [[(7, 8)]]))
    whole, replaced = merged([first, second, third])
    assert whole.ids == ["a", "b", "c"] and whole.names == ["s", "n", "g"]
    assert replaced == {(0, 1): 1}  # s of b is absent now; n of b is the same place
    assert whole.xy[0].tolist()[:2] == [[1, 2], [3, 4]] and np.isnan(whole.xy[1, 0]).all()
    assert whole.source.tolist() == [
        ["marked", "marked", ""], ["corrected", "marked", "corrected"], ["corrected", "", ""]
    ]  # fmt: skip
    again, replaced = merged([second, first])
    assert replaced == {(0, 1): 1} and again.xy[0, 0].tolist() == [5, 6]  # b comes first
