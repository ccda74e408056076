"""Figures 1, 4, 5 and 6 of the paper, made again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from textwrap import fill

import numpy as np

from ..evaluation.metrics import pearson
from ..report.axes import Frame, span, ticks
from ..report.pictures import Pictures
from ..report.plots import landmark_picture
from ..report.svg import Drawing, grid
from .output import Result, Table, number
from .statistics import shares, spread
from .study import Case, Study

BIN = 0.1  # mm, of histograms, where the paper has some
SIMILARITY, SCORE = "landmark similarity (Eq. 6)", "key-point score (Eq. 9)"


def singles(study: Study, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """MRE in mm and landmark similarity (Eq. 6) of every template alone, float64 [T] each."""
    rows = range(len(study.ids))
    return (np.array([case.mre([t]) for t in rows]), np.array([case.similarity([t]) for t in rows]))


def _shown(study: Study) -> list[Case]:
    """The paper's way and ours, one case each."""
    cases = {case.key: case for case in study.cases()}
    wanted = ("paper", f"honest-{study.options.rule}" if study.options.views > 1 else "honest-eq3")
    return [cases[key] for key in wanted if key in cases]


def _records(study: Study, cases: Sequence[Case], values, scores) -> list[dict]:
    out = []
    for t, name in enumerate(study.ids):
        entry = {"image": name, "score": float(scores[t])}
        for case, (mre, similarity) in zip(cases, values, strict=True):
            entry[f"mre_{case.key}"] = float(mre[t])
            entry[f"similarity_{case.key}"] = float(similarity[t])
        out.append(entry)
    return out


def fig1(study: Study) -> Result:
    """Histogram of the errors of the single templates."""
    cases, pick = _shown(study), int(study.picks([1])[1].selected[0])
    values = [singles(study, case) for case in cases]
    panels, rows = [], []
    for case, (mre, _) in zip(cases, values, strict=True):
        panels.append(_histogram(mre, pick, _edges(mre, study), study.unit))
        of = spread(mre)
        rows.append(
            (
                case.title,
                number(of.mean),
                number(of.sd),
                number(of.low),
                number(of.high),
                number(mre[pick]),
                f"{of.share_below(mre[pick]):.1f} %",
            )
        )
    numbers, unit = study.data.numbers, study.unit
    row = numbers.table1.get(1)
    if row is not None:
        given = map(number, (*row.random_mre, row.best, row.worst, row.mre))
        rows.insert(0, ("the paper", *given, "-"))
    figure = grid(panels, 2, [_title(case) for case in cases])
    result = Result("fig1", "Figure 1: errors of single templates", figure=figure)
    columns = (
        "evaluation",
        f"mean ({unit})",
        "deviation",
        "best",
        "worst",
        "SCP's pick",
        "better ones",
    )
    result.tables.append(Table("templates alone", columns, rows))
    result.notes.append(study.about)
    result.records = _records(study, cases, values, study.scores())
    if not numbers.fig1:
        return result
    bins = [100 * shares(mre, numbers.fig1) for mre, _ in values]
    e = numbers.fig1[1:-1]
    names = [f"<= {e[0]}", *(f"{a} .. {b}" for a, b in pairwise(e)), f"> {e[-1]}"]
    result.tables.append(
        Table(
            "percent of the templates in the bins of the paper's figure",
            ("MRE (mm)", *(case.title for case in cases)),
            [(name, *(f"{b[k]:.1f}" for b in bins)) for k, name in enumerate(names)],
        )
    )
    return result


def fig5(study: Study) -> Result:
    """Key-point score (what SCP sees) against landmark similarity (what it stands for)."""
    cases, scores = _shown(study), study.scores()
    values = [singles(study, case) for case in cases]
    given = study.data.numbers.fig5
    panels, titles = [], []
    rows = [] if given is None else [("the paper", number(given))]
    for case, (_, similarity) in zip(cases, values, strict=True):
        r = pearson(similarity, scores)
        panels.append(_scatter(study, similarity, scores, SIMILARITY, SCORE))
        titles.append(_title(case, r))
        rows.append((case.title, number(r)))
    figure = grid(panels, 2, titles)
    result = Result("fig5", "Figure 5: key-point score and landmark similarity", figure=figure)
    result.tables.append(Table("Pearson's r over single templates", ("evaluation", "r"), rows))
    result.notes.append(study.about)
    result.records = _records(study, cases, values, scores)
    return result


def fig6(study: Study) -> Result:
    """Error against landmark similarity, and against the key-point score."""
    cases, scores = _shown(study), study.scores()
    values = [singles(study, case) for case in cases]
    panels, titles = [], []
    given = study.data.numbers.fig6
    rows = [] if given is None else [("the paper", number(given), "-")]
    for case, (mre, similarity) in zip(cases, values, strict=True):
        r = []
        for x, name in ((similarity, SIMILARITY), (scores, SCORE)):
            r.append(pearson(x, mre))
            panels.append(_scatter(study, x, mre, name, f"mean radial error ({study.unit})"))
            titles.append(_title(case, r[-1]))
        rows.append((case.title, *map(number, r)))
    figure = grid(panels, 2, titles)
    result = Result("fig6", "Figure 6: error and similarity of single templates", figure=figure)
    columns = ("evaluation", "r, landmark similarity", "r, key-point score")
    result.tables.append(Table("Pearson's r with the MRE", columns, rows))
    result.notes.append(study.about)
    result.notes.append(
        "The paper shows landmark similarity, which needs the true landmarks; the "
        "key-point score is what can be known before annotation."
    )
    result.records = _records(study, cases, values, scores)
    return result


def fig4(study: Study, m: int = 5) -> Result:
    """Examples: landmarks found from the worst template, SCP's one and SCP's M, beside the truth.

    The three test images are those at the quarters of the error of SCP's M.
    """
    study.check_sizes([1, m])
    cases = [case for case in study.cases() if case.key.startswith("honest")]
    if not cases:
        raise ValueError("figure 4 shows test images: --evaluation honest or both")
    case, images = cases[-1], study.data.test.subset(study.data.distinct)
    picks = study.picks(sorted({1, m}))
    mre = singles(study, case)[0]
    sets = {
        f"worst template, {study.ids[int(mre.argmax())]}": [int(mre.argmax())],
        f"SCP, M = 1: {study.ids[int(picks[1].selected[0])]}": picks[1].selected,
        f"SCP, M = {m}": picks[m].selected,
    }
    errors = np.nanmean(case.record.errors(picks[m].selected, case.rule), axis=1)
    order = np.argsort(errors, kind="stable")
    shown = [int(order[round(q * (len(order) - 1))]) for q in (0.25, 0.5, 0.75)]
    result = Result("fig4", "Figure 4: examples of landmarks found")
    panels, titles, rows, reader = [], [], [], Pictures(images)
    for i in shown:
        line = []
        for name, chosen in sets.items():
            xy = case.record.matches.of(chosen, case.rule)[0][i]
            error = np.nanmean(case.record.errors(chosen, case.rule)[i])
            panels.append(landmark_picture(reader, i, xy, case.record.truth[i]))
            titles.append(f"{name}\n{images.ids[i]}: {error:.2f} {study.unit}")
            line.append(number(error))
            result.records.append(
                {"image": images.ids[i], "templates": study.names(chosen), "mre": float(error)}
            )
        rows.append((images.ids[i], *line))
    result.figure = grid(panels, len(sets), titles)
    result.tables.append(Table(f"MRE in {study.unit} of the examples", ("image", *sets), rows))
    result.notes.append(study.about)
    result.notes.append(
        "Rings: true landmarks, crosses: found. The images stand at 25, 50 and 75 % of "
        f"the error of SCP's M = {m}; {case.title}."
    )
    return result


# ---- drawing ----


def _title(case: Case, r: float | None = None) -> str:
    lines = fill(case.title, 70)
    return lines if r is None else f"{lines}\nr = {r:.3f}"


def _edges(mre: np.ndarray, study: Study) -> np.ndarray:
    """Bins that hold all; at most 40 (the last holds what is above). Of 0.1 mm where the paper has
    such, else round ones, about twenty."""
    step = BIN
    if not study.data.numbers.fig1:
        marks = ticks(float(mre.min()), float(np.quantile(mre, 0.98)), 20)
        step = float(marks[1] - marks[0]) if len(marks) > 1 else max(float(np.ptp(mre)), 1e-3)
    low = np.floor(mre.min() / step) * step
    count = int(min(max(np.ceil((mre.max() - low) / step), 1), 40))
    return low + step * np.arange(count + 1)


def _histogram(mre: np.ndarray, pick: int, edges: np.ndarray, unit: str) -> Drawing:
    """Templates by their error, with the mean and SCP's pick marked."""
    step = edges[1] - edges[0]
    part = 100 * shares(mre, edges)
    frame = Frame(x=(edges[0] - step, edges[-1] + step), y=(0.0, 1.1 * part.max()))
    frame.y_axis("templates (%)")
    frame.x_axis(f"mean radial error of one template ({unit})", ticks(*frame.x, 8))
    for (low, high), share in zip(pairwise(edges), part, strict=True):
        if share:
            said = f"{low:.3g} to {high:.3g} {unit}: {share:.1f} %"
            frame.bar((low, high), (0.0, share), "bar t0", said, 0.5)
    frame.upright(mre.mean(), "line dashed")
    frame.upright(mre[pick], "line t1")
    frame.key(
        ("\u2503", "key", f"mean {mre.mean():.2f}"),
        ("\u2503", "key t1", f"SCP's pick {mre[pick]:.2f}"),
    )
    return frame.done("Histogram of the errors of single templates")


def _scatter(study: Study, x: np.ndarray, y: np.ndarray, x_name: str, y_name: str) -> Drawing:
    """Templates as points with the regression line and SCP's pick marked."""
    pick = int(study.picks([1])[1].selected[0])
    frame = Frame(x=span(x), y=span(y))
    frame.y_axis(y_name)
    frame.x_axis(x_name, ticks(*frame.x))
    for t, name in enumerate(study.ids):
        frame.dot(x[t], y[t], 3.5, "point t0", f"{name}: {x[t]:.3f}, {y[t]:.3f}")
    if np.ptp(x) > 0:
        slope, level = np.polyfit(x, y, 1)
        frame.path([(v, level + slope * v) for v in (x.min(), x.max())], "line thin")
    frame.dot(x[pick], y[pick], 6, "dot t1", f"SCP's pick, {study.ids[pick]}")
    frame.key(("\u25cf", "key t1", "SCP's pick"))
    return frame.done(f"Scatter plot of {y_name} against {x_name}")
