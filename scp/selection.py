"""Which images to annotate: weighted facility location, solved and certified (the paper, Eq. 9-10).

    score(S) = sum_q weights[q] * max over t in S and initial of values[t][q]

Every answer carries an upper bound that no allowed set can exceed. The work is done in C
(csrc/include/scp/select.h); this module turns what a user says into a problem and back.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _core
from ._core import InfeasibleError
from .devices import resolve

METHODS = ("random", "greedy", "swap", "exact")
BOUND_STEPS = 300  # of the subgradient descent; it stops by itself when steps become tiny
CURVE_STEPS = 150  # from the multipliers of the curve's point before
MAX_NODES = 1_000_000
MAX_SETS = 1 << 26  # that a device scores to prove a choice, before branch and bound takes over


@dataclass(frozen=True)
class Selection:
    """An answer of `select`.

    Attributes:
        selected: int64 [M], rows in pick order: each next one adds most.
        gains: float64 [M], score that each pick added.
        score: the objective, `initial` rows included.
        upper_bound: no allowed set of this size has a larger score; rigorous under rounding.
        gap: (upper_bound - score) / upper_bound, 0 when the bound is not positive.
        cover: int64 [Q], the row that covers each client; -1 if there is none.
        cover_value: float32 [Q], its value.
        method, m, seed: how it was made; m is the number of picks.
        proven: the score is proved to be the largest possible.
        history: random search: (draws, best score so far).
        parameters: the rules that were given.
    """

    selected: np.ndarray
    gains: np.ndarray
    score: float
    upper_bound: float
    gap: float
    cover: np.ndarray
    cover_value: np.ndarray
    method: str
    m: int
    seed: int
    proven: bool
    history: list[tuple[int, float]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        proof = "proved best" if self.proven else f"gap {self.gap:.2%}"
        rows = ", ".join(str(i) for i in self.selected)
        return (
            f"{self.m} images ({self.method}): {rows}; score {self.score:.4f}, "
            f"bound {self.upper_bound:.4f}, {proof}"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{rank}</td><td>{i}</td><td>{gain:.4f}</td></tr>"
            for rank, (i, gain) in enumerate(zip(self.selected, self.gains, strict=True), 1)
        )
        return (
            f"<p>{html.escape(str(self))}</p><table><thead><tr><th>pick</th><th>image</th>"
            f"<th>gain</th></tr></thead><tbody>{rows}</tbody></table>"
        )

    def plot(self):
        """Score after each pick and the bound, as a `Drawing` for notebooks and .svg files."""
        from .report.plots import coverage_curve

        return coverage_curve(self)


def select(
    values,
    m: int | Sequence[int] | None,
    *,
    weights=None,
    method: str = "swap",
    initial: Sequence[int] = (),
    include: Sequence[int] = (),
    exclude: Sequence[int] = (),
    groups: Sequence | None = None,
    quota: int = 1,
    costs=None,
    budget: float | None = None,
    distances=None,
    min_distance: float | None = None,
    draws: int = 100_000,
    checkpoints: Sequence[int] = (1_000, 10_000, 50_000, 100_000),
    random_state: int = 0,
    max_nodes: int = MAX_NODES,
    device: str = "auto",
    progress: Callable[[int, int], object] | None = None,
) -> Selection | list[Selection]:
    """Choose m rows of a matrix.

    Args:
        values: float [N][Q], finite; row = candidate image, column = client (key point). float64
            is rounded to float32.
        m: number of rows; a sequence gives a list, one Selection per entry (the curve: greedy runs
            once where its answers are nested, and each bound starts from the multipliers of the
            one before); None: as many as the budget allows.
        weights: float64 [Q], >= 0; 1 / Q each if None.
        method: "random" (the paper's seeded draws), "greedy", "swap" (greedy, then exchanges),
            "exact" (branch and bound: proved, or the best after max_nodes nodes).
        initial: rows already annotated: counted in the score, free, never chosen.
        include, exclude: rows that must, must not be chosen.
        groups: N hashables; at most `quota` rows of a group are chosen, initial rows counted.
        costs, budget: float64 [N] >= 0, and what the chosen rows may cost together.
        distances, min_distance: float64 [N][N], symmetric; chosen rows, and chosen and initial
            rows, are at least min_distance apart.
        draws, checkpoints, random_state: of the random search; draw i uses stream i of the seed.
        device: where the sums run, see `scp.devices.resolve`; the answer is the same.
        progress: called with (done, total) now and then; an exception stops the work.

    Raises:
        InfeasibleError (a ValueError): no set satisfies the rules; says why.
        ValueError, TypeError: a bad argument, by name.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    seed = _whole(random_state, "random_state", 0, 2**64 - 1)
    problem = Problem(
        values,
        weights,
        initial,
        include,
        exclude,
        groups,
        quota,
        costs,
        budget,
        distances,
        min_distance,
        device,
    )
    if m is None or np.ndim(m) == 0:
        sizes = [m]
    else:
        sizes = list(m)
        if not sizes:
            raise ValueError("m must not be an empty sequence")
    out = []
    largest = max((s for s in sizes if isinstance(s, (int, np.integer))), default=0)
    for size in sizes:
        if size is None:
            if budget is None:
                raise ValueError("m may be None only with costs and a budget")
            size = -1
        else:
            size = _whole(size, "m", 1, None)
            if size > problem.n:
                raise ValueError(f"m must be at most {problem.n}, the number of rows, got {size}")
        if method == "random":
            draws = _whole(draws, "draws", 1, 2**40)
            out.append(problem.random(size, seed, draws, checkpoints, progress))
        else:
            nodes = _whole(max_nodes, "max_nodes", 0, 2**62)
            out.append(problem.solve(size, method, seed, nodes, progress, largest))
    return out[0] if m is None or np.ndim(m) == 0 else out


class Problem:
    """A checked problem, prepared once for several answers: what every call of `select` makes.

    Args:
        values, weights, initial, ...: as in `select`.

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
    ):
        index = resolve(device)
        self.values = _matrix(values)
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
        self.quota = _whole(quota, "quota", 0, 2**31)
        self.groups = None if groups is None else self._numbered(groups)
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
            "groups": None if groups is None else list(groups),
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
        out = [_whole(row, name, 0, self.n - 1) for row in rows]
        for row in out:
            if self.roles[row]:
                other = (None, "initial", "include", "exclude")[self.roles[row]]
                where = "twice" if other == name else f"and in {other}"
                raise ValueError(f"{name}: row {row} is named {where}")
            self.roles[row] = role
        return out

    def _numbered(self, groups) -> np.ndarray:
        groups = list(groups)
        if len(groups) != self.n:
            raise ValueError(f"groups must have one entry per row ({self.n}), got {len(groups)}")
        numbers: dict = {}
        try:
            return np.array([numbers.setdefault(g, len(numbers)) for g in groups], np.uint32)
        except TypeError:
            raise TypeError("groups must hold hashable values, such as names") from None

    def _symmetric(self, distances) -> np.ndarray:
        d = np.ascontiguousarray(distances, np.float64)
        if d.shape != (self.n, self.n):
            raise ValueError(f"distances must have shape {(self.n, self.n)}, got {d.shape}")
        if not np.isfinite(d).all():
            raise ValueError("distances must be finite")
        if not np.array_equal(d, d.T):
            raise ValueError("distances must be symmetric")
        return d

    def random(self, m, seed, draws, checkpoints, progress) -> Selection:
        points = sorted({_whole(c, "checkpoints", 1, None) for c in checkpoints})
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
        multipliers, steps = self.multipliers.copy(), BOUND_STEPS
        if not np.isnan(multipliers[0]):
            steps = CURVE_STEPS
        bound = _core.select_bound(self.core, m, rows, score, steps, multipliers, progress)
        if len(rows) > 1:  # those of a single pick are no start for more
            self.multipliers = multipliers
        proven = bool(bound <= score)
        if method == "exact" and not proven and self._enumerable(len(rows)):
            rows, score, _, _, proven = _core.select_enumerate(
                self.core, np.sort(rows), multipliers, MAX_SETS, progress
            )
        if method == "exact" and not proven:
            rows, score, bound, _, proven = _core.select_exact(
                self.core, m, rows, bound, multipliers, max_nodes, progress
            )
        rows, gains, score, cover, cover_value = _core.select_explain(self.core, rows)
        bound = max(bound, score)
        return Selection(
            selected=rows.astype(np.int64),
            gains=gains,
            score=score,
            upper_bound=score if proven else bound,
            gap=(bound - score) / bound if bound > 0 and not proven else 0.0,
            cover=cover,
            cover_value=cover_value,
            method=method,
            m=len(rows),
            seed=seed,
            proven=bool(proven),
            history=list(history),
            parameters=self.parameters,
        )

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


def verify(values, selection: Selection, weights=None, initial: Sequence[int] = ()) -> float:
    """Recompute a selection's score naively in float64 and check what it says of itself.

    Returns the score. Raises ValueError when score, gains, covers, bound or gap are wrong.
    """
    v = _matrix(values).astype(np.float64)
    w = np.full(v.shape[1], 1.0 / v.shape[1]) if weights is None else np.asarray(weights, float)
    initial = list(initial) or list(selection.parameters.get("initial", ()))
    chosen = [int(i) for i in selection.selected]
    if len(set(chosen)) != len(chosen) or set(chosen) & set(initial):
        raise ValueError("selected: an image is named twice")
    tolerance = 1e-9 * max(1.0, float(np.abs(v).max() * w.sum()))
    rows = initial + chosen
    score = float(w @ v[rows].max(axis=0)) if rows else 0.0
    start = float(w @ v[initial].max(axis=0)) if initial else 0.0
    served = np.where(selection.cover >= 0, v[selection.cover, np.arange(v.shape[1])], 0.0)
    for name, difference in (
        ("score", selection.score - score),
        ("gains", float(np.sum(selection.gains)) - (score - start)),
        ("cover_value", float(w @ selection.cover_value.astype(np.float64)) - score),
        ("cover", float(w @ served) - score),
    ):
        if not abs(difference) <= tolerance:
            raise ValueError(f"{name}: off by {difference:g} from the score {score!r}")
    if not selection.upper_bound >= selection.score:
        raise ValueError(f"upper_bound {selection.upper_bound} is below the score")
    return score


class TemplateSelector:
    """`select` with the manners of scikit-learn: `fit` stores the answer.

    Parameters are those of `select`; after `fit(values)` the attributes `selection_`,
    `selected_`, `gains_`, `score_`, `upper_bound_` and `gap_` hold the answer.
    """

    def __init__(
        self,
        n_templates: int = 5,
        method: str = "swap",
        random_state: int = 0,
        draws: int = 100_000,
        max_nodes: int = MAX_NODES,
        device: str = "auto",
    ):
        self.n_templates = n_templates
        self.method = method
        self.random_state = random_state
        self.draws = draws
        self.max_nodes = max_nodes
        self.device = device

    def get_params(self, deep: bool = True) -> dict:
        names = "n_templates", "method", "random_state", "draws", "max_nodes", "device"
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params) -> TemplateSelector:
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"{name!r} is no parameter of TemplateSelector")
            setattr(self, name, value)
        return self

    def fit(self, values, y=None, **rules) -> TemplateSelector:
        """Choose rows of values [N][Q]; rules: weights, initial, groups, ... of `select`."""
        params = self.get_params()
        self.selection_ = select(values, params.pop("n_templates"), **params, **rules)
        self.selected_ = self.selection_.selected
        self.gains_ = self.selection_.gains
        self.score_ = self.selection_.score
        self.upper_bound_ = self.selection_.upper_bound
        self.gap_ = self.selection_.gap
        return self


# ---- checks ----


def _matrix(values) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValueError(f"values must have 2 dimensions [N][Q], got {values.ndim}")
    if values.dtype.kind not in "fiub":
        raise TypeError(f"values must be numbers, got dtype {values.dtype}")
    return np.ascontiguousarray(values, np.float32)


def _vector(x, name: str, length: int) -> np.ndarray:
    x = np.ascontiguousarray(x, np.float64)
    if x.shape != (length,):
        raise ValueError(f"{name} must have shape ({length},), got {x.shape}")
    if not (np.isfinite(x) & (x >= 0)).all():
        raise ValueError(f"{name} must be finite and >= 0")
    return x


def _number(x, name: str) -> float:
    x = float(x)
    if not 0 <= x < np.inf:
        raise ValueError(f"{name} must be a finite number >= 0, got {x}")
    return x


def _whole(x, name: str, low: int, high: int | None) -> int:
    if isinstance(x, (bool, np.bool_)) or not isinstance(x, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {x!r}")
    if x < low or (high is not None and x > high):
        limit = f"at least {low}" if high is None else f"{low} to {high}"
        raise ValueError(f"{name} must be {limit}, got {x}")
    return int(x)
