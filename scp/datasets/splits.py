"""Two fixed halves of a training pool: one to train on while settings are searched, one to judge.

Settings are chosen by what they give on the validation half; a test split is then looked at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from ..landmarks.names import form, group_numbers


def validation_split(
    ids: Sequence[str], groups: Sequence[Hashable] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the fit half and of the validation half, int64 each, ascending.

    The rule: ids in the order of strings take turns, the first goes to the fit half, the second to
    the validation half, and so on. With groups (a patient, say) groups take turns in the order of
    their first id, so that no group is on both sides; an image whose group is missing (None, NaN,
    "") is a group of its own. The split depends on the ids and groups
    only, not on the order in which they are given: of the 150 training cephalograms of ISBI 2015
    the odd numbers fit and the even numbers validate.

    Args:
        ids: unique names, at least two (of two groups).
        groups: one hashable per id, or None.

    Raises:
        ValueError: ids that are not unique, groups of another length, or an empty half.
    """
    ids = [str(i) for i in ids]
    if len(set(ids)) != len(ids):
        raise ValueError("ids must be unique")
    if groups is not None and len(groups) != len(ids):
        raise ValueError(f"groups must hold {len(ids)} names, got {len(groups)}")
    names = ids if groups is None else group_numbers(groups)
    turn: dict = {}
    for i in sorted(range(len(ids)), key=lambda i: (form(ids[i]), ids[i])):
        turn.setdefault(names[i], len(turn) % 2)
    if len(turn) < 2:
        raise ValueError("ids must hold at least two images (of two groups)")
    side = np.array([turn[name] for name in names])
    return np.flatnonzero(side == 0), np.flatnonzero(side == 1)
