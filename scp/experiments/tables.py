"""Tables 1 and 5 of the paper, beside ours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import _core
from ..evaluation.metrics import bootstrap_interval, detection_rates
from ..selection import Problem, Selection
from . import paper
from .output import Result, Table, mean_sd, number
from .statistics import Spread, random_subsets, spread
from .study import Case, Study

SIZES1 = (1, 2, 3, 4, 5)
SEARCHES = (1_000, 10_000, 50_000, 100_000)
SEEDS = 10


# ---- Table 1 ----


def table1(study: Study, sizes: Sequence[int] = SIZES1) -> Result:
    """Errors and similarities of SCP's choice beside those of random sets, for several M."""
    sizes = sorted(set(sizes))
    study.check_sizes(sizes)
    o = study.options
    cases, picks = study.cases(), study.picks(sizes)
    sets = {m: random_subsets(len(study.ids), m, o.draws, o.random_state) for m in sizes}
    result = Result("table1", "Table 1: templates chosen by SCP beside random ones")
    unit, numbers = study.unit, study.data.numbers
    columns = (
        "M",
        "similarity SCP",
        "similarity random",
        f"MRE SCP ({unit})",
        "MRE random",
        "best",
        "worst",
        "below random",
        "better random sets",
    )
    rows = [_paper_row(m, numbers.table1[m]) for m in sizes if m in numbers.table1]
    if rows:
        result.tables.append(Table(f"the paper, {numbers.of} (mm)", columns, rows))
    short = {m: _of_paper(numbers.table1.get(m)) if numbers.table1 else [] for m in sizes}
    total = sum(map(len, sets.values()))
    for case in cases:
        bar, rows, done = study.bar(f"sets, {case.key}", total), [], 0
        for m in sizes:
            if case.others and m == len(study.ids):  # no image is left
                short[m] += ["-", "-"]
                continue
            errors, alike = np.empty(len(sets[m])), np.empty(len(sets[m]))
            for i, chosen in enumerate(sets[m]):
                errors[i], alike[i] = case.mre(chosen), case.similarity(chosen)
                bar(done + i + 1, total)
            done += len(sets[m])
            entry = _entry(study, case, m, picks[m], spread(errors), spread(alike), sets[m])
            result.records.append(entry)
            short[m] += [number(entry["mre"]), number(entry["mre_random_mean"])]
            rows.append(_row(entry))
        result.tables.append(Table(case.title, columns, rows))
    head = ["M", *(["the paper, SCP", "random"] if numbers.table1 else [])]
    head += [f"{case.key} {who}" for case in cases for who in ("SCP", "random")]
    title = f"mean radial errors in {unit}, beside each other"
    result.tables.insert(0, Table(title, head, [(m, *short[m]) for m in sizes]))
    result.tables.append(_rates(study, result))
    result.tables.append(_choices(study, sizes, picks))
    result.notes += _notes(study, sizes)
    return result


def _of_paper(row: paper.SetRow | None) -> list[str]:
    """The errors of a row, for the table of all."""
    return ["-", "-"] if row is None else [number(row.mre), number(row.random_mre[0])]


def _rates(study: Study, result: Result) -> Table:
    """Success rates of SCP's choice."""
    columns = ("", *(f"< {r:g} {study.unit}" for r in study.radii))
    rows = [
        (
            f"M = {entry['m']}, {entry['evaluation']}",
            *(number(entry[f"sdr_{r:g}"], 1) for r in study.radii),
        )
        for entry in sorted(result.records, key=lambda e: e["m"])
    ]
    return Table("success rates of SCP's choice, percent", columns, rows)


def _paper_row(m: int, row: paper.SetRow) -> tuple:
    return (
        m,
        number(row.similarity),
        mean_sd(*row.random_similarity),
        number(row.mre),
        mean_sd(*row.random_mre),
        number(row.best),
        number(row.worst),
        f"{row.gain:.1f} %",
        "-",
    )


def _row(entry: dict) -> tuple:
    e = entry
    return (
        e["m"],
        number(e["similarity"]),
        mean_sd(e["similarity_random_mean"], e["similarity_random_sd"]),
        number(e["mre"]),
        mean_sd(e["mre_random_mean"], e["mre_random_sd"]),
        number(e["mre_best"]),
        number(e["mre_worst"]),
        f"{e['percent_below_random']:.1f} %",
        f"{e['percent_of_random_better']:.1f} %",
    )


def _entry(
    study: Study, case: Case, m: int, pick: Selection, random: Spread, alike: Spread, sets
) -> dict:
    ours = case.mre(pick.selected)
    errors = case.record.errors(pick.selected, case.rule)
    low, high = bootstrap_interval(
        np.nanmean(errors, axis=1), random_state=study.options.random_state
    )
    row = study.data.numbers.table1.get(m)
    measured = errors[case.record.images_of(pick.selected)] if case.others else errors
    rates = detection_rates(measured, study.radii)
    return {
        "m": m,
        "evaluation": case.key,
        "rule": case.rule,
        "images": len(case.record.truth),
        "unit": study.unit,
        "similarity": case.similarity(pick.selected),
        "similarity_random_mean": alike.mean,
        "similarity_random_sd": alike.sd,
        "mre": ours,
        "mre_low": None if case.others else float(low),
        "mre_high": None if case.others else float(high),
        "mre_random_mean": random.mean,
        "mre_random_sd": random.sd,
        "mre_best": random.low,
        "mre_worst": random.high,
        "percent_below_random": 100 * (1 - ours / random.mean),
        "percent_of_random_better": random.share_below(ours),
        **{f"sdr_{r:g}": float(v) for r, v in zip(study.radii, rates, strict=True)},
        "sets": len(sets),
        "score": pick.score,
        "upper_bound": pick.upper_bound,
        "proven": pick.proven,
        "chosen": study.names(pick.selected),
        "best": study.names(sets[random.first_low]),
        "worst": study.names(sets[random.first_high]),
        "paper_mre": row.mre if row else None,
        "paper_mre_random": row.random_mre[0] if row else None,
    }


def _choices(study: Study, sizes, picks: dict[int, Selection]) -> Table:
    rows = []
    for m in sizes:
        p = picks[m]
        rows.append(
            (
                m,
                f"{p.score:.4f}",
                f"{p.upper_bound:.4f}",
                p.proof,
                ", ".join(study.names(p.selected)),
            )
        )
    title = f"SCP's choices ({study.options.method}): score, and what no choice can exceed"
    return Table(title, ("M", "score", "bound", "proof", "images"), rows)


def _notes(study: Study, sizes) -> list[str]:
    o, n = study.options, len(study.ids)
    out = [
        f"{study.about} Pool of {n} images; random: {o.draws} sets (all sets where there are "
        f"no more), seed {o.random_state}; mean ± standard deviation (population); best and worst: "
        "of these sets. Similarity: of landmarks (Eq. 6), measured with the true landmarks.",
    ]
    if o.views > 1:
        out.append(f"{o.views} sizes of each image vote by the rule {o.rule!r}, one by Eq. 3.")
    code = o.of_the_code()
    if code:
        out.append("As in the released code: " + "; ".join(code) + ".")
    return out


# ---- Table 5 ----


def table5(
    study: Study,
    m: int = 5,
    searches: Sequence[int] = SEARCHES,
    seeds: int = SEEDS,
    exact: bool = True,
) -> Result:
    """The number of random searches, and of key points, for one M."""
    study.check_sizes([m])
    searches = sorted(set(searches))
    if not searches or searches[0] < 1:
        raise ValueError("searches must be at least 1")
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    result = Result("table5", f"Table 5: searches and key points, M = {m}")
    cases = study.cases()
    result.tables.append(_searches(study, result, cases, m, searches, seeds, exact))
    result.tables += _keypoints(study, result, cases, m)
    result.notes += _notes(study, [m])
    result.notes.append(
        "Similarity here is the score that is searched for (Eq. 9). Scores of different key points "
        "do not compare: easier points are more similar everywhere."
    )
    return result


def _record5(part: str, setting, score, bound, rows, errors: dict, given=None, sd=None) -> dict:
    return {
        "part": part,
        "setting": setting,
        "score": score,
        "score_sd": sd,
        "bound": bound,
        "chosen": rows,
        **errors,
        "paper_similarity": given[0] if given else None,
        "paper_mre": given[1] if given else None,
    }


def _searches(study: Study, result, cases, m, searches, seeds, exact) -> Table:
    values, weights = study.matrix()
    problem = Problem(values, weights, exclude=study.excluded(m))
    rows = []
    bar = study.bar("searches", seeds)
    scores = np.empty((len(searches), seeds))
    errors = np.empty((len(searches), seeds, len(cases)))
    for s in range(seeds):
        seed = study.options.random_state + s
        for k, draws in enumerate(searches):  # each begins with the draws of the one before
            found, prefix = _core.select_random(
                problem.core, m, seed, draws, np.array([draws], np.int64), None
            )
            scores[k, s] = prefix[-1]
            errors[k, s] = [case.mre(found) for case in cases]
        bar(s + 1, seeds)
    for k, draws in enumerate(searches):
        given = study.data.numbers.table5_searches.get(draws) if m == 5 else None
        rows.append(
            (
                f"{draws:,} draws",
                number(given[0], 4) if given else "-",
                mean_sd(scores[k].mean(), scores[k].std(), 4),
                number(given[1]) if given else "-",
                *(mean_sd(e.mean(), e.std()) for e in errors[k].T),
            )
        )
        result.records.append(
            _record5(
                "searches",
                draws,
                float(scores[k].mean()),
                None,
                [],
                {f"mre_{c.key}": float(e.mean()) for c, e in zip(cases, errors[k].T, strict=True)},
                given,
                float(scores[k].std()),
            )
        )
    methods = ["greedy", "swap"] + (["exact"] if exact else [])
    for method in methods:
        bar = study.bar(method, 1)
        pick = problem.solve(m, method, study.options.random_state, study.options.max_nodes)
        bar(1, 1)
        found = [case.mre(pick.selected) for case in cases]
        proof = ", proved best" if pick.proven else f", bound {pick.upper_bound:.4f}"
        rows.append((method + proof, "-", number(pick.score, 4), "-", *map(number, found)))
        result.records.append(
            _record5(
                "searches",
                method,
                pick.score,
                pick.upper_bound,
                study.names(pick.selected),
                {f"mre_{case.key}": e for case, e in zip(cases, found, strict=True)},
            )
        )
    title = (
        f"searches: mean ± deviation over {seeds} seeds; similarity (Eq. 9), MRE in {study.unit}"
    )
    return Table(
        title,
        (
            "search",
            "paper similarity",
            "similarity",
            "paper MRE",
            *(f"MRE {case.key}" for case in cases),
        ),
        rows,
    )


def _keypoints(study: Study, result, cases, m) -> list[Table]:
    counts = sorted(paper.TABLE5_KEYPOINTS)
    problems = study.keypoint_matrices(sorted(paper.DISTANCES, reverse=True), counts, m)
    tables = []
    for part, title in (
        ("count", "key points: the K of highest response, 10 pixels apart"),
        ("distance", "key points: all that are so many squared pixels apart"),
    ):
        rows = []
        for (kind, setting), problem in problems.items():
            if kind != part:
                continue
            k = setting if kind == "count" else paper.DISTANCES[setting]
            given = study.data.numbers.table5_keypoints.get(k) if m == 5 else None
            pick = problem.solve(m, "swap", study.options.random_state, 0)
            found = [case.mre(pick.selected) for case in cases]
            name = f"K = {setting}" if kind == "count" else f"{setting} (K = {k} in the paper)"
            rows.append(
                (
                    name,
                    f"{problem.q / problem.n:.0f}",
                    number(given[0], 4) if given else "-",
                    number(pick.score, 4),
                    number(given[1]) if given else "-",
                    *map(number, found),
                )
            )
            result.records.append(
                _record5(
                    f"key points, {part}",
                    setting,
                    pick.score,
                    pick.upper_bound,
                    study.names(pick.selected),
                    {f"mre_{case.key}": e for case, e in zip(cases, found, strict=True)},
                    given,
                )
            )
        columns = ("key points", "per image", "paper similarity", "similarity", "paper MRE")
        columns += tuple(f"MRE {case.key}" for case in cases)
        tables.append(Table(title, columns, rows))
    return tables
