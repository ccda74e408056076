"""A selection problem with its rules, prepared once for several answers."""

from __future__ import annotations

import numpy as np

from .. import _core
from .._core import InfeasibleError
from ..devices import resolve
from ..landmarks.names import group_numbers, known_groups
from ..values import array, whole, whole_numbers
from .answer import Selection
from .certificate import NEAR, Certificate
from .checks import _matrix, _number, _vector

BOUND_STEPS = 300  # of the subgradient descent; it stops by itself when steps become tiny
CURVE_STEPS = 150  # from the multipliers of the curve's point before
MAX_SETS = 1 << 26  # that a device scores to prove a choice, before branch and bound takes over
TRACE = 1 << 23  # numbers of a proof at most, 64 MiB; a larger one is not kept
TRACE_NODES = 5_000  # looked at for a proof that others can check, where a device has proved it


_NO_TRACE = np.zeros(0)


class Problem:
    """A checked problem, prepared once for several answers: what every call of `select` makes.

    Args:
        values, weights, initial, ...: as in `select`.
        own: nobody else writes to values, float32 [N][Q], C-contiguous: no copy is made.

    Attributes:
        n, q: rows and clients.
        core: what the functions of `scp._core` that begin with select_ take as `problem`: the
            core's own copy of the matrix and the rules.
        multipliers: float32 [Q], where the last bound ended and the next one starts; NaN at first.
        parameters: the rules, as a Selection keeps them.
    """

    def __init__(
        self,
        values,
        weights=None,
        initial=(),
        include=(),
        exclude=(),
        groups=None,
        quota=1,
        costs=None,
        budget=None,
        distances=None,
        min_distance=None,
        device="cpu",
        own=False,
    ):
        index = resolve(device)
        self.values = _matrix(values, copy=not own)  # what is proved is of one matrix
        self.n, self.q = self.values.shape
        if self.n == 0 or self.q == 0:
            raise ValueError(f"values must not be empty, got shape {self.values.shape}")
        if weights is None:
            self.weights = np.full(self.q, 1.0 / self.q)
        else:
            self.weights = _vector(weights, "weights", self.q)
        self.roles = np.zeros(self.n, np.uint8)
        self.rows = {}
        for role, (name, rows) in enumerate(
            (("initial", initial), ("include", include), ("exclude", exclude)), 1
        ):
            self.rows[name] = self._mark(role, name, rows)
        self.quota = whole(quota, "quota", 0, 2**31)
        groups = None if groups is None else known_groups(groups)
        self.groups = None if groups is None else self._numbered(groups)
        if groups is None and self.quota != 1:
            raise ValueError("quota goes with groups")
        if (costs is None) != (budget is None):
            raise ValueError("costs and budget go together")
        self.costs = None if costs is None else _vector(costs, "costs", self.n)
        self.budget = 0.0 if budget is None else _number(budget, "budget")
        if (distances is None) != (min_distance is None):
            raise ValueError("distances and min_distance go together")
        self.distances = None if distances is None else self._symmetric(distances)
        self.min_distance = 0.0 if min_distance is None else _number(min_distance, "min_distance")
        self.parameters = {
            **self.rows,
            "groups": groups,
            "quota": None if groups is None else self.quota,
            "costs": None if costs is None else self.costs.tolist(),
            "budget": budget,
            "min_distance": min_distance,
        }
        self.multipliers = np.full(self.q, np.nan, np.float32)  # of the last bound; NaN: none yet
        self._order = np.zeros(0, np.uint32)  # of greedy's picks, where answers are nested
        self.core = _core.select_problem(
            self.values,
            self.weights,
            self.roles,
            self.groups,
            self.quota,
            self.costs,
            self.budget,
            self.distances,
            self.min_distance,
        )
        self.on_device = index >= 0
        if self.on_device:
            _core.select_attach(self.core, index)

    def _mark(self, role: int, name: str, rows) -> list[int]:
        out = whole_numbers(rows, name, 0, self.n - 1)
        for row in out:
            if self.roles[row]:
                other = (None, "initial", "include", "exclude")[self.roles[row]]
                where = "twice" if other == name else f"and in {other}"
                raise ValueError(f"{name}: row {row} is named {where}")
            self.roles[row] = role
        return out

    def _numbered(self, groups) -> np.ndarray:
        if len(groups) != self.n:
            raise ValueError(f"groups must have one entry per row ({self.n}), got {len(groups)}")
        return np.array(group_numbers(groups), np.uint32)

    def _symmetric(self, distances) -> np.ndarray:
        d = array(distances, "distances", copy=True)
        if d.shape != (self.n, self.n):
            raise ValueError(f"distances must have shape {(self.n, self.n)}, got {d.shape}")
        if not np.isfinite(d).all():
            raise ValueError("distances must be finite")
        if (d < 0).any():
            raise ValueError("distances must not be negative")
        if not np.array_equal(d, d.T):
            raise ValueError("distances must be symmetric")
        return d

    def random(self, m, seed, draws, checkpoints, progress) -> Selection:
        points = sorted(set(whole_numbers(checkpoints, "checkpoints", 1)))
        points = [c for c in points if c < draws] + [draws]
        rows, prefix = self._call(
            m, _core.select_random, m, seed, draws, np.array(points, np.int64), progress
        )
        history = [(c, float(s)) for c, s in zip(points, prefix, strict=True)]
        return self._certified(m, rows, "random", seed, progress, history=history)

    def solve(self, m, method, seed, max_nodes, progress=None, largest=0) -> Selection:
        """An answer of greedy, swap or exact; `largest`: the largest m that is still to come."""
        rows = np.sort(self.greedy(m, progress, largest))
        if method != "greedy":
            rows, _ = self._call(m, _core.select_swap, m, rows, progress)
        return self._certified(m, rows, method, seed, progress, max_nodes=max_nodes)

    def judge(self, rows, method, seed, progress=None) -> Selection:
        """The answer that these rows are, with the bound on every other; `method` chose them.

        Raises:
            ValueError: rows that are no set of the problem, or that its rules forbid.
        """
        rows = np.sort(np.array(whole_numbers(rows, "rows", 0, self.n - 1), np.uint32))
        return self._certified(len(rows), rows, method, seed, progress)

    def greedy(self, m, progress=None, largest=0) -> np.ndarray:
        """The rows that greedy takes, uint32 [m], in their order, included rows first.

        Without budget and distances the answer for m is the start of that for any larger m, so
        one run, for `largest`, serves a whole curve.
        """
        nested = self.costs is None and self.distances is None and m >= len(self.rows["include"])
        if nested and m <= len(self._order):
            return self._order[:m]
        if nested and m < largest <= self.n:
            try:
                self._order = _core.select_greedy(self.core, largest, progress)
                return self._order[:m]
            except InfeasibleError:  # for largest; m has its own answer
                pass
        rows = self._call(m, _core.select_greedy, m, progress)
        if nested:
            self._order = rows
        return rows

    def _certified(self, m, rows, method, seed, progress, history=(), max_nodes=0) -> Selection:
        score = _core.select_score(self.core, rows)
        multipliers, steps, trace = self.multipliers.copy(), BOUND_STEPS, _NO_TRACE
        if not np.isnan(multipliers[0]):
            steps = CURVE_STEPS
        bound, mu = _core.select_bound(self.core, m, rows, score, steps, multipliers, progress)
        if len(rows) > 1:  # those of a single pick are no start for more
            self.multipliers = multipliers
        proven = bool(bound <= score)
        if method == "exact" and not proven and self._enumerable(len(rows)):
            rows, score, _, _, proven = _core.select_enumerate(
                self.core, np.sort(rows), multipliers, MAX_SETS, progress
            )
            if proven:
                trace = self._exact(m, rows, bound, multipliers, TRACE_NODES, progress)[-1]
        if method == "exact" and not proven:
            rows, score, bound, proven, trace = self._exact(
                m, rows, bound, multipliers, max_nodes, progress
            )
        rows, gains, score, cover, cover_value = _core.select_explain(self.core, rows)
        bound = score if proven else max(bound, score)
        near = np.zeros(0, np.uint8)
        if self.distances is not None and self.n <= NEAR:
            near = np.packbits(self.distances < self.min_distance)
        return Selection(
            selected=rows.astype(np.int64),
            gains=gains,
            score=score,
            upper_bound=bound,
            gap=0.0 if proven else (bound - score) / bound if bound > 0 else float("nan"),
            cover=cover,
            cover_value=cover_value,
            method=method,
            m=len(rows),
            random_state=seed,
            proven=bool(proven),
            history=list(history),
            parameters=self.parameters,
            certificate=Certificate(
                m, bound, self.parameters, self.weights, self._unit(), multipliers, mu, trace, near
            ),
            next_gain=_core.select_next(self.core, rows),
        )

    def _exact(self, m, rows, bound, multipliers, max_nodes, progress):
        """rows, score, bound, proven, and the tree that shows it."""
        room = np.empty(TRACE)  # only what is written becomes memory
        rows, score, bound, _, proven, traced = _core.select_exact(
            self.core, m, rows, bound, multipliers, max_nodes, progress, room
        )
        return rows, score, bound, proven, room[:traced].copy()

    def _unit(self) -> float:
        """What multipliers are times of: the core scales weights to at most 1, and large or tiny
        values near 1."""
        heaviest = float(self.weights.max())
        used = (self.values[i] for i in np.flatnonzero(self.roles != 3))
        largest = max((max(float(row.max()), -float(row.min())) for row in used), default=0.0)
        equal = bool((self.weights == heaviest).all())
        if heaviest == 0 or (equal and (largest == 0 or 1e-25 < largest < 1e25)):
            return heaviest
        return float(np.ldexp(heaviest, np.frexp(largest)[1]))

    def _enumerable(self, m) -> bool:
        """Whether a device may look at all sets of m rows instead of branch and bound."""
        plain = not (self.roles % 3).any()  # rows are free or excluded
        for rule in (self.groups, self.costs, self.distances):
            plain = plain and rule is None
        return self.on_device and plain and 2 <= m <= 5 and self.n <= 8192

    def _call(self, m, function, *args):
        try:
            return function(self.core, *args)
        except InfeasibleError:
            raise InfeasibleError(self._why_not(m)) from None

    def _why_not(self, m: int) -> str:
        """Which rule leaves too few rows, and what to change."""
        wanted = "the images" if m < 0 else f"{m} images"
        free = np.flatnonzero((self.roles == 0) | (self.roles == 2))
        if m > len(free):
            return (
                f"{wanted} cannot be chosen: initial and exclude leave {len(free)} of {self.n}; "
                f"lower m or exclude fewer"
            )
        included = len(self.rows["include"])
        if 0 <= m < included:
            return f"include names {included} images but m is {m}; raise m or include fewer"
        if self.groups is not None:
            left = np.full(int(self.groups.max()) + 1, self.quota)
            np.subtract.at(left, self.groups[self.roles == 1], 1)
            counts = np.bincount(self.groups[free], minlength=len(left))
            most = int(np.minimum(np.maximum(left, 0), counts).sum())
            if m > most:
                return (
                    f"{wanted} cannot be chosen: {len(left)} groups with at most {self.quota} "
                    f"each allow {most}; raise quota or lower m"
                )
        if self.costs is not None and m > 0:
            cheapest = float(np.sort(self.costs[free])[:m].sum())
            if cheapest > self.budget:
                return (
                    f"{wanted} cannot be chosen: the {m} cheapest cost {cheapest:g}, the budget "
                    f"is {self.budget:g}; raise budget or lower m"
                )
        rules = [
            name
            for name, given in (
                ("include", included),
                ("groups", self.groups is not None),
                ("budget", self.costs is not None),
                ("min_distance", self.distances is not None),
            )
            if given
        ]
        return (
            f"no set of {wanted} was found that satisfies {', '.join(rules) or 'the rules'} "
            f"together; lower m or loosen one of them"
        )
