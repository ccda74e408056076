"""Why no allowed set can score more: what an answer carries so that somebody else can check it.

A bound is proved by multipliers. A proof is a tree: each node holds the sets with some rows taken
and some left out, moves the multipliers of its parent a few steps, and is closed when they bound
all its sets at or below the score. The tree says only which way the search went; every bound is
computed here anew (docs/explanation/certificate.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..values import Result, array
from .checks import _matrix
from .relaxed import Region, Relaxed

NEAR = 4096
OUTWARD = 1e-5  # of the largest score: what rounding outward may add to a bound
MEMORY = np.float32(0.5)  # weight of the direction before


@dataclass(frozen=True, eq=False)
class Certificate(Result):
    """A bound on every allowed set, and its proof.

    Attributes:
        m: rows of a set; -1: any number within the budget.
        upper_bound: no allowed set has a larger score.
        rules: as in `Selection.parameters`.
        weights: float64 [Q], of the score.
        multipliers: float32 [Q], times `unit`. mu: multiplier of the budget.
        trace: float64, the tree (docs/explanation/certificate.md); empty: the multipliers prove the
            bound.
        near: uint8, bits [N][N]: rows that are closer than min_distance; empty without that rule,
            and of more than NEAR rows.
    """

    m: int
    upper_bound: float
    rules: dict[str, Any]
    weights: np.ndarray
    unit: float
    multipliers: np.ndarray
    mu: float
    trace: np.ndarray
    near: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))

    def __repr__(self) -> str:
        proof = f"proved in {len(self.trace)} numbers" if len(self.trace) else "multipliers"
        return f"<Certificate: m = {self.m}, upper bound {self.upper_bound:.4f}, {proof}>"

    def check(self, values: ArrayLike, distances: ArrayLike | None = None) -> list[str]:
        """Whether the bound holds: what is wrong, in words; [] if nothing is.

        Args:
            values: the matrix of the selection. distances: as there, where the rules have
                min_distance; None: which rows are near is taken from the certificate.
        """
        problem = self.problem(_matrix(values), distances)
        try:
            limit = self.limit(problem)
        except ValueError as error:
            return [f"proof: {error}"]
        if not self.upper_bound >= limit - problem.tolerance:
            return [f"upper_bound: {self.upper_bound!r} is not proved, only {limit!r} is"]
        return []

    def problem(self, values: Any, distances: ArrayLike | None = None) -> Relaxed:
        """What `limit` takes; values may be what gives float32 rows by their numbers."""
        near, n = None, len(values)
        if self.rules.get("min_distance") is not None:
            if distances is not None:
                near = array(distances, "distances") < self.rules["min_distance"]
            elif n and len(self.near) == (n * n + 7) // 8:
                near = np.unpackbits(self.near, count=n * n).reshape(n, n).astype(bool)
            if near is None or near.shape != (n, n):
                raise ValueError("distances: the rules have min_distance, so they are needed")
        return Relaxed(values, self.weights, self.rules, self.m, near)

    def limit(self, problem: Relaxed) -> float:
        """What is proved: no allowed set scores more; -inf where there is none.

        Raises:
            ValueError: multipliers or tree are not what they should be.
        """
        if self.multipliers.shape != (problem.q,) or not np.isfinite(self.multipliers).all():
            raise ValueError("not a multiplier for each column")
        if not (self.mu >= 0 and 0 <= self.unit < np.inf):
            raise ValueError("negative multipliers")
        limit = problem.decided(problem.root)
        if limit is None:
            limit = self.plain_limit(problem, problem.root)
        return min(limit, Replay(self, problem, limit).run()) if len(self.trace) else limit

    def plain_limit(self, problem: Relaxed, region: Region) -> float:
        """What the multipliers prove for the sets of a region."""
        floor = problem.cover(region.taken)
        threshold = np.maximum(self.unit * self.multipliers.astype(np.float64), floor)
        return problem.limit(region, threshold, self.mu).value

    def to_dict(self) -> dict[str, Any]:
        """In types that JSON has."""
        content = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in content.items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Certificate:
        """Back from `to_dict`."""
        kinds = {"weights": np.float64, "multipliers": np.float32, "trace": np.float64}
        kinds["near"] = np.uint8
        return cls(**{k: np.array(v, kinds[k]) if k in kinds else v for k, v in content.items()})


@dataclass
class Open:
    """A node before its record is read."""

    region: Region
    multipliers: np.ndarray  # float32 [Q]
    limit: float


@dataclass(frozen=True)
class Move:
    mu: float
    rows: np.ndarray
    length: np.float32
    taken: np.ndarray


class Replay:
    """The tree of a certificate, gone through once more."""

    def __init__(self, certificate: Certificate, problem: Relaxed, limit: float):
        self.problem, self.target = problem, certificate.upper_bound + problem.tolerance
        self.unit, self.trace, self.at = certificate.unit, certificate.trace, 0
        self.factor = problem.weights / self.unit if self.unit > 0 else np.ones(problem.q)
        self.root = Open(problem.root, certificate.multipliers.astype(np.float32), limit)
        self.highest = -np.inf

    def run(self) -> float:
        """The bound that the tree proves; infinity if a leaf is open."""
        waiting: dict[tuple[int, int], Open | None] = {(-1, 0): self.root}
        number = 0
        while self.at < len(self.trace):
            parent, side = self._whole(-1), self._whole(0)
            moves = [self._read_move() for _ in range(self._whole(0))]
            branch, best = self._whole(-1), self._whole(0)
            if (parent, side) not in waiting:
                raise ValueError("a node without a parent")
            node = waiting.pop((parent, side))
            children = (None, None)
            if node is not None:
                children = self._process(node, moves, branch, best)
            if branch >= self.problem.n:
                raise ValueError("a branch on no row")
            if branch >= 0:
                waiting[number, 0], waiting[number, 1] = children
            number += 1
        for node in waiting.values():  # children that nobody looked at: their parent bounds them
            if node is not None:
                self.highest = max(self.highest, node.limit)
        return self.highest

    def _process(self, node: Open, moves: list[Move], branch: int, best: int):
        """The two children, both None: nothing is left to decide."""
        problem, region, limit = self.problem, node.region, node.limit
        floor = self._floor(region)
        now = np.maximum(node.multipliers, floor)
        kept, direction = now, np.zeros_like(now)
        for k, move in enumerate(moves):
            if self._decided(region):
                return None, None
            threshold = np.maximum(self.unit * now.astype(np.float64), problem.cover(region.taken))
            bound = problem.limit(region, threshold, move.mu)
            limit = min(limit, bound.value)
            if limit <= self.target:
                self._close(limit)
                return None, None
            if k == best:
                kept = now
            if move.length:
                now, direction = self._move(now, direction, floor, move)
            out = bound.with_row <= self.target
            if out.any():
                self._close(bound.with_row[out].max())
            rest = region.open[~out]
            taken = region.taken
            for row in move.taken:
                without = bound.without(row) if problem.plain and row in rest else np.inf
                if not without <= self.target:
                    raise ValueError("a row is taken without reason")
                self._close(without)
                taken = np.append(taken, row)
            region = problem.region(taken, rest[~np.isin(rest, move.taken)])
            if len(move.taken):
                floor = np.maximum(floor, self._screen(move.taken).max(axis=0))
                now = np.maximum(now, floor)
        if self._decided(region):
            return None, None
        if branch < 0 or branch in region.taken:
            self._close(np.inf if limit > self.target else limit)
            return None, None
        kept = np.maximum(kept, floor)
        rest = region.open[region.open != branch]
        with_row = Open(problem.region(np.append(region.taken, branch), rest), kept, limit)
        if branch not in region.open:
            with_row = None
        if problem.plain:  # a set without the row has no use for one that equals it
            digest = problem.digest
            rest = rest[[digest[r] != digest[branch] for r in rest]] if len(rest) else rest
        return Open(problem.region(region.taken, rest), kept, limit), with_row

    def _decided(self, region: Region) -> bool:
        value = self.problem.decided(region)
        if value is not None:
            self._close(value)
        return value is not None

    def _close(self, limit: float) -> None:
        self.highest = max(self.highest, limit)

    def _move(self, now, direction, floor, move: Move):
        """A move against the subgradient, in float32 as the search takes it."""
        count = (self._screen(move.rows) > now).sum(axis=0, dtype=np.float32)
        direction = (np.float32(1) - count) + MEMORY * direction
        direction[(now <= floor) & (direction > 0)] = 0
        return np.maximum(now - move.length * direction, floor), direction

    def _screen(self, rows: np.ndarray) -> np.ndarray:
        """float32 rows in units of the multipliers."""
        if (self.factor == 1).all():
            return self.problem.values[rows]
        return (self.problem.values[rows].astype(np.float64) * self.factor).astype(np.float32)

    def _floor(self, region: Region) -> np.ndarray:
        """What the rows taken cover, likewise."""
        problem = self.problem
        rows = np.concatenate([problem.initial, region.taken])
        if len(rows):
            return self._screen(rows).max(axis=0)
        return problem.extreme(np.minimum, values=self._screen)

    # ---- reading ----

    def _number(self) -> float:
        if self.at >= len(self.trace):
            raise ValueError("the tree is cut off")
        self.at += 1
        return float(self.trace[self.at - 1])

    def _whole(self, low: int) -> int:
        number = self._number()
        if not (low <= number < 2**53 and number == int(number)):
            raise ValueError("the tree holds what is no whole number")
        return int(number)

    def _rows(self) -> np.ndarray:
        count = self._whole(0)
        rows = self.trace[self.at : self.at + count]
        self.at += count
        with np.errstate(invalid="ignore"):
            whole = rows.astype(np.int64)
        if (
            len(rows) < count
            or not ((whole == rows) & (whole >= 0) & (whole < self.problem.n)).all()
        ):
            raise ValueError("the tree holds what is no row")
        return whole

    def _read_move(self) -> Move:
        mu, rows = self._number(), self._rows()
        length, taken = np.float32(self._number()), self._rows()
        if not (mu >= 0 and np.isfinite(length)):
            raise ValueError("a move that is no number")
        return Move(mu, rows, length, taken)
