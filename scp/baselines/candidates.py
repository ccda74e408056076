"""The images that a rule may take, and those that it took: initial, include, exclude and groups."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from .._core import InfeasibleError
from ..landmarks.names import group_numbers, known_groups
from ..values import whole, whole_numbers


class Candidates:
    """Images as vectors, of which some may be taken.

    Args:
        vectors: float32 [N][d], or [N][P][d] of P patterns each. seed: of all that is drawn.
        initial, include, exclude, groups, quota: as in `scp.select`; sequences.

    Attributes:
        x: the vectors. seed, rng: of the numbers drawn. rules: as they were given.
        taken: rows that were chosen, in their order, those of `include` first.
        covering: rows that are annotated already or chosen.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        seed: int = 0,
        initial: Sequence[int] = (),
        include: Sequence[int] = (),
        exclude: Sequence[int] = (),
        groups: Sequence[Hashable] | None = None,
        quota: int = 1,
    ):
        self.x, self.seed = vectors, seed
        self.rng = np.random.default_rng(seed)
        self.rules = {"initial": initial, "include": include, "exclude": exclude}
        self.rules |= {"groups": groups, "quota": quota}
        self._free = np.ones(len(vectors), bool)
        self._groups = None if groups is None else self._numbered(groups)
        if groups is None and quota != 1:
            raise ValueError("quota goes with groups")
        self._left = np.full(len(vectors), whole(quota, "quota", 0, 2**31))
        self.taken: list[int] = []
        self.covering: list[int] = []
        for name, rows in (("initial", initial), ("include", include), ("exclude", exclude)):
            for row in whole_numbers(rows, name, 0, len(vectors) - 1):
                if not self._free[row]:
                    raise ValueError(f"{name}: row {row} is named before, here or in another list")
                self._free[row] = False
                if name != "exclude":
                    self._count(row)
                if name == "include":
                    self.taken.append(row)
        if self._groups is not None and (self._left < 0).any():
            raise InfeasibleError("initial and include hold more of a group than quota allows")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def allowed(self) -> np.ndarray:
        """bool [N]: rows that may be taken next."""
        if self._groups is None:
            return self._free.copy()
        return self._free & (self._left[self._groups] > 0)

    @property
    def most(self) -> int:
        """How many rows can be chosen in all."""
        more = int(self._free.sum())
        if self._groups is not None:
            counts = np.bincount(self._groups[self._free], minlength=len(self._left))
            more = int(np.minimum(self._left, counts).sum())
        return len(self.taken) + more

    def take(self, row: int) -> None:
        """Chooses a row that is allowed."""
        self._free[row] = False
        self.taken.append(int(row))
        self._count(int(row))

    def take_best(self, values: np.ndarray, among: np.ndarray | None = None) -> int:
        """Chooses the allowed row of the largest value, ties to the first; -1: none is allowed.

        among: bool [N], the rows that come into question."""
        allowed = self.allowed if among is None else self.allowed & among
        if not allowed.any():
            return -1
        row = int(np.where(allowed, values, -np.inf).argmax())
        self.take(row)
        return row

    def _count(self, row: int) -> None:
        self.covering.append(row)
        if self._groups is not None:
            self._left[self._groups[row]] -= 1

    def _numbered(self, groups: Sequence[Hashable]) -> np.ndarray:
        known = known_groups(groups)
        if len(known) != len(self.x):
            raise ValueError(f"groups must have {len(self.x)} entries, got {len(known)}")
        return np.array(group_numbers(known), np.intp)
