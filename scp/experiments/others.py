"""SCP beside the ten other ways to choose: errors for several M, and what predicts them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import baselines
from ..evaluation.metrics import spearman
from ..networks.imagenet import stored_vgg19
from ..report.axes import Frame, span
from ..report.svg import Drawing, grid, tag, text
from . import active
from .output import Result, Table, mean_sd, number
from .statistics import random_subsets
from .study import Case, Study

SIZES = (1, 2, 5, 10, 25)
SEEDS = 10
KINDS = ("levels", "keypoints", "pixels")  # of vectors, beside "vgg" where there are weights
OWN = {"pixels": "pixels", "freesel": "patterns"}  # rules that work on these alone
FIXED = ("kcenter", "facility", "repdiv")  # nothing is drawn
GROWING = (
    "kcenter",
    "facility",
    "freesel",
    "zcore",
)  # the first of a larger choice are the smaller
SCP, RANDOM = "SCP", "random"


@dataclass(frozen=True)
class Way:
    """A rule on a kind of vectors."""

    method: str
    vectors: str

    @property
    def name(self) -> str:
        return self.method if OWN.get(self.method) else f"{self.method}, {self.vectors}"


def ways(kinds: Sequence[str] = KINDS) -> list[Way]:
    """All rules, each on the kinds of vectors that it takes."""
    return [
        Way(method, kind)
        for method in baselines.METHODS
        for kind in ([OWN[method]] if method in OWN else kinds)
    ]


def usual_kinds() -> tuple[str, ...]:
    """Kinds of vectors that can be made here."""
    return (*KINDS, "vgg") if stored_vgg19() is not None else KINDS


@dataclass(frozen=True)
class Choices:
    """Images that each way takes, rows of the pool.

    rows: by way and M, a choice for each seed; of a way that draws nothing one.
    warnings: what the rules said, each once.
    """

    rows: dict[Way, dict[int, list[np.ndarray]]]
    warnings: list[str]


def choices(
    study: Study, sizes: Sequence[int] = SIZES, seeds: int = SEEDS, kinds: Sequence[str] = KINDS
) -> Choices:
    """What the ten rules take for each M, with seeds random_state, random_state + 1, .."""
    study.check_sizes(sizes)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    first, every = study.options.random_state, ways(kinds)
    out: dict[Way, dict[int, list[np.ndarray]]] = {}
    vectors = {kind: study.vectors(kind) for kind in dict.fromkeys(way.vectors for way in every)}
    bar = study.bar("other ways to choose", len(every))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for k, way in enumerate(every):
            count = 1 if way.method in FIXED else seeds
            out[way] = {m: [] for m in sizes}
            for seed in range(first, first + count):
                for m, rows in _of_seed(study, way, vectors[way.vectors], sizes, seed).items():
                    out[way][m].append(rows)
            bar(k + 1, len(every))
    return Choices(out, list(dict.fromkeys(str(w.message) for w in said)))


def _of_seed(study: Study, way: Way, x: np.ndarray, sizes, seed: int) -> dict[int, np.ndarray]:
    """The rows for each M, from one choice where the rule grows it and may take the same images."""
    found, largest = {}, None
    for m in sorted(sizes, reverse=True):
        excluded = study.excluded(m)
        if largest is not None and way.method in GROWING and largest[0] == excluded:
            found[m] = largest[1][:m]
            continue
        found[m] = baselines.pick(x, m, way.method, exclude=excluded, random_state=seed)
        largest = excluded, found[m]
    return found


def other_ways(
    study: Study, m: int, seeds: int = SEEDS, kinds: Sequence[str] | None = None
) -> list[active.Way]:
    """The ten rules as lines of Table 6, see `choices`. kinds: None: all that can be made here."""
    found = choices(study, [m], seeds, usual_kinds() if kinds is None else kinds)
    return [active.Way(way.name, of[m]) for way, of in found.rows.items()]


def others(
    study: Study,
    sizes: Sequence[int] = SIZES,
    seeds: int = SEEDS,
    kinds: Sequence[str] | None = None,
) -> Result:
    """Errors of SCP's choices, of the ten rules' and of random ones, for several M; and how what
    each of them makes large goes with the error over random sets.

    Args:
        study: features, options and run folder; `options.draws` random sets of each M.
        sizes: numbers of images. seeds: choices of each rule that draws.
        kinds: of vectors ("levels", "keypoints", "pixels", "vgg"), see `scp.baselines.vectors`;
            None: all that can be made here.
    """
    sizes = sorted(set(sizes))
    study.check_sizes(sizes)
    kinds = usual_kinds() if kinds is None else tuple(kinds)
    o, result = study.options, Result("others", "SCP beside ten other ways to choose")
    cases, picks = study.cases(), study.picks(sizes)
    found = choices(study, sizes, seeds, kinds)
    sets = {m: random_subsets(len(study.ids), m, o.draws, o.random_state) for m in sizes}
    rows: dict[str, dict[int, list[np.ndarray]]] = {
        SCP: {m: [np.array(picks[m].selected)] for m in sizes},
        **{way.name: of for way, of in found.rows.items()},
    }
    values, weights = study.matrix()
    objectives = {m: _objectives(study, kinds, sets[m]) for m in sizes}
    tables, panels = [], []
    for case in cases:
        usable = [m for m in sizes if not (case.others and m == len(study.ids))]
        random = {m: _errors(study, case, sets[m], m) for m in usable}
        errors = {
            name: {m: np.array([case.mre(r) for r in of[m]]) for m in usable}
            for name, of in rows.items()
        }
        result.records += [
            {
                "evaluation": case.key,
                "way": name,
                "m": m,
                "choice": k,
                "mre": float(error),
                "percent_of_random_better": _better(random[m], error),
                "score": float(values[of[m][k]].max(axis=0) @ weights),
                "chosen": study.names(of[m][k]),
            }
            for name, of in rows.items()
            for m in usable
            for k, error in enumerate(errors[name][m])
        ]
        tables.append(_error_table(study, case, usable, errors, random))
        tables.append(_better_table(case, usable, errors, random))
        tables.append(_predicts(study, case, usable, objectives, random, sets))
        panels.append((case, usable, errors, random))
    result.tables = tables
    result.figure = _figure(*panels[-1], kinds)
    result.notes += _notes(study, seeds, kinds, found.warnings)
    return result


def _errors(study: Study, case: Case, sets: np.ndarray, m: int) -> np.ndarray:
    bar, out = study.bar(f"random sets of {m}, {case.key}", len(sets)), np.empty(len(sets))
    for i, chosen in enumerate(sets):
        out[i] = case.mre(chosen)
        bar(i + 1, len(sets))
    return out


def _better(random: np.ndarray, error: float) -> float:
    """Percent of the random sets with a smaller error; equal ones count half."""
    return float(100 * ((random < error).mean() + 0.5 * (random == error).mean()))


def _error_table(study: Study, case: Case, sizes, errors, random) -> Table:
    lines = []
    for name, of in errors.items():
        cells = [number(e[0]) if len(e) == 1 else mean_sd(e.mean(), e.std()) for e in of.values()]
        lines.append((name, *cells))
    lines.insert(1, (RANDOM, *(mean_sd(e.mean(), e.std()) for e in random.values())))
    return Table(f"MRE ({study.unit}), {case.title}", ("", *(f"M = {m}" for m in sizes)), lines)


def _better_table(case: Case, sizes, errors, random) -> Table:
    lines = [
        (name, *(number(np.mean([_better(random[m], e) for e in of[m]]), 1) for m in sizes))
        for name, of in errors.items()
    ]
    title = f"percent of the random sets that are better (chance: 50), {case.title}"
    return Table(title, ("", *(f"M = {m}" for m in sizes)), lines)


# ---- what predicts the error ----


def _objectives(study: Study, kinds, sets: np.ndarray) -> dict[str, np.ndarray]:
    """What SCP and each rule make large, for each set, float64 [sets]."""
    values, weights = study.matrix()
    out = {f"{SCP}: score (Eq. 9)": np.array([values[r].max(axis=0) @ weights for r in sets])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for way in ways(kinds):
            out[way.name] = baselines.objective(
                study.vectors(way.vectors),
                sets,
                way.method,
                random_state=study.options.random_state,
            )
    return out


def _predicts(study: Study, case: Case, sizes, objectives, random, sets) -> Table:
    """Spearman's correlation of each objective with the error."""
    similar = {m: np.array([case.similarity(r) for r in sets[m]]) for m in sizes}
    lines = [
        (name, *(_r(objectives[m][name], random[m]) for m in sizes))
        for name in objectives[sizes[0]]
    ]
    yard = "yardstick: landmark similarity (Eq. 6)"
    lines.append((yard, *(_r(similar[m], random[m]) for m in sizes)))
    title = (
        "rank correlation of what a way makes large with the error, over the random sets "
        f"(-1: it orders them fully), {case.title}"
    )
    return Table(title, ("", *(f"M = {m}" for m in sizes)), lines)


def _r(values: np.ndarray, errors: np.ndarray) -> str:
    r = spearman(values, errors)
    return "-" if np.isnan(r) else f"{r:.2f}"


# ---- drawing ----


def _figure(case: Case, sizes, errors, random, kinds) -> Drawing:
    """Error against M in percent of the random mean, a panel for each kind of vectors."""
    every = ways(kinds)
    titles, panels = [], []
    for kind in kinds:
        drawn = [way for way in every if way.vectors == kind or way.method in OWN]
        panels.append(_panel(drawn, sizes, errors, random))
        titles.append(f"vectors: {kind}")
    panels.append(_key(panels[0].width))
    titles.append(case.title)
    return grid(panels, 2, titles)


def _class(method: str) -> str:
    """The eight rules on any vectors have a colour each; the two on their own are dashed."""
    if method in OWN:
        return f"dashed t{6 + list(OWN).index(method)}"
    return f"thin t{[m for m in baselines.METHODS if m not in OWN].index(method)}"


def _panel(drawn: Sequence[Way], sizes, errors, random) -> Drawing:
    def of(name: str) -> list[float]:
        return [100 * float(errors[name][m].mean() / random[m].mean()) for m in sizes]

    lines, ours = {way: of(way.name) for way in drawn}, of(SCP)
    wide = [100 * float(random[m].std() / random[m].mean()) for m in sizes]
    low, high = [100 - w for w in wide], [100 + w for w in wide]
    frame = Frame(
        x=(-0.3, len(sizes) - 0.7),
        y=span([v for line in (*lines.values(), ours, low, high) for v in line]),
    )
    frame.y_axis("mean radial error, percent of that of random sets")
    frame.x_axis("M, number of images", [])
    for k, m in enumerate(sizes):
        frame.parts.append(text(str(m), frame.px(k), frame.base + 18, "tick", "middle"))
    band = [*enumerate(high), *reversed(list(enumerate(low)))]
    frame.path(band, "band", "random sets, mean and deviation", element="polygon")
    frame.path([(0, 100), (len(sizes) - 1, 100)], "line thin", RANDOM)
    for way, line in lines.items():
        frame.path(enumerate(line), f"line {_class(way.method)}", way.name)
        for k, v in enumerate(line):
            colour = _class(way.method).split()[1]
            frame.dot(k, v, 3, f"dot {colour}", f"{way.name}, M = {sizes[k]}: {v:.0f} %")
    frame.path(enumerate(ours), "line ours", SCP)
    for k, v in enumerate(ours):
        frame.dot(k, v, 5, "dot ours", f"{SCP}, M = {sizes[k]}: {v:.0f} %")
    return frame.done("Line chart of the error against M: SCP, other ways to choose, random sets")


def _key(width: float) -> Drawing:
    names = [("\u25cf", "name", f"{SCP} (the band: random sets, mean and deviation)")]
    names += [
        ("\u2505" if m in OWN else "\u2501", f"key {_class(m).split()[1]}", m)
        for m in baselines.METHODS
    ]
    parts = [
        tag(
            "text",
            tag("tspan", sign, class_=class_) + f" {name}",
            x=8.0,
            y=20.0 + 20 * k,
            class_="label",
        )
        for k, (sign, class_, name) in enumerate(names)
    ]
    return Drawing(width, 20.0 * len(names) + 12, "Key of the colours", parts)


def _notes(study: Study, seeds: int, kinds, said: Sequence[str]) -> list[str]:
    o, n = study.options, len(study.ids)
    out = [
        f"{study.about} Chosen from {n} images, without labels. Mean ± deviation over {seeds} "
        f"seeds ({', '.join(FIXED)} and {SCP} draw nothing); random: {o.draws} sets (all of M = 1)."
    ]
    if "vgg" not in kinds:
        out.append(
            "No vectors of VGG-19 of ImageNet: `scp weights import FILE` makes them possible."
        )
    return [*out, *said]
