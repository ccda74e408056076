"""Figures 1, 4, 5 and 6 of the paper, made again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..evaluation.metrics import pearson
from ..report.plots import COLOURS
from . import paper
from .output import Result, Table, number
from .statistics import shares, spread
from .study import Case, Study

BIN = 0.1  # mm, of histograms


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
    figure, axes = _panels(len(cases))
    rows = []
    for ax, case, (mre, _) in zip(axes, cases, values, strict=True):
        edges = _edges(mre)
        part = 100 * shares(mre, edges)
        ax.bar(edges[:-1], part, np.diff(edges), align="edge", color=COLOURS[0], edgecolor="w")
        ax.axvline(mre.mean(), color="0.3", ls="--", lw=1.2, label=f"mean {mre.mean():.2f}")
        ax.axvline(mre[pick], color=COLOURS[1], lw=2, label=f"SCP's pick {mre[pick]:.2f}")
        ax.set(
            title=_wrapped(case.title),
            xlabel="mean radial error of one template (mm)",
            ylabel="templates (%)",
        )
        ax.legend(frameon=False)
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
    row = paper.TABLE1[1]
    rows.insert(
        0, ("the paper", *map(number, (*row.random_mre, row.best, row.worst, row.mre)), "-")
    )
    result = Result("fig1", "Figure 1: errors of single templates", figure=figure)
    columns = ("evaluation", "mean (mm)", "deviation", "best", "worst", "SCP's pick", "better ones")
    result.tables.append(Table("templates alone", columns, rows))
    bins = [100 * shares(mre, paper.FIG1_EDGES) for mre, _ in values]
    e = paper.FIG1_EDGES[1:-1]
    names = [f"<= {e[0]}", *(f"{a} .. {b}" for a, b in pairwise(e)), f"> {e[-1]}"]
    result.tables.append(
        Table(
            "percent of the templates in the bins of the paper's figure",
            ("MRE (mm)", *(case.title for case in cases)),
            [(name, *(f"{b[k]:.1f}" for b in bins)) for k, name in enumerate(names)],
        )
    )
    result.records = _records(study, cases, values, study.scores())
    return result


def fig5(study: Study) -> Result:
    """Key-point score (what SCP sees) against landmark similarity (what it stands for)."""
    cases, scores = _shown(study), study.scores()
    values = [singles(study, case) for case in cases]
    figure, axes = _panels(len(cases))
    rows = [("the paper", number(paper.FIG5_PEARSON))]
    for ax, case, (_, similarity) in zip(axes, cases, values, strict=True):
        r = _scatter(ax, similarity, scores, study, case.title)
        ax.set(xlabel="landmark similarity (Eq. 6)", ylabel="key-point score (Eq. 9)")
        rows.append((case.title, number(r)))
    result = Result("fig5", "Figure 5: key-point score and landmark similarity", figure=figure)
    result.tables.append(Table("Pearson's r over single templates", ("evaluation", "r"), rows))
    result.records = _records(study, cases, values, scores)
    return result


def fig6(study: Study) -> Result:
    """Error against landmark similarity, and against the key-point score."""
    cases, scores = _shown(study), study.scores()
    values = [singles(study, case) for case in cases]
    figure, axes = _panels(2 * len(cases))
    rows = [("the paper", number(paper.FIG6_PEARSON), "-")]
    for k, (case, (mre, similarity)) in enumerate(zip(cases, values, strict=True)):
        r = []
        for ax, x, name in (
            (axes[2 * k], similarity, "landmark similarity (Eq. 6)"),
            (axes[2 * k + 1], scores, "key-point score (Eq. 9)"),
        ):
            r.append(_scatter(ax, x, mre, study, case.title))
            ax.set(xlabel=name, ylabel="mean radial error (mm)")
        rows.append((case.title, *map(number, r)))
    result = Result("fig6", "Figure 6: error and similarity of single templates", figure=figure)
    columns = ("evaluation", "r, landmark similarity", "r, key-point score")
    result.tables.append(Table("Pearson's r with the MRE", columns, rows))
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
    figure, axes = _panels(3 * len(shown), 3, (2.5, 3.2))
    result = Result("fig4", "Figure 4: examples of landmarks found", figure=figure)
    rows = []
    for r, i in enumerate(shown):
        truth, line = case.record.truth[i], []
        picture = images.thumbnail(i, (600, int(600 * images.shape(i)[1] / images.shape(i)[0])))
        scale = np.array(picture.shape[::-1]) / np.array(images.shape(i)[::-1])
        for k, (name, chosen) in enumerate(sets.items()):
            ax = axes[3 * r + k]
            xy = case.record.matches.of(chosen, case.rule)[0][i]
            error = np.nanmean(case.record.errors(chosen, case.rule)[i])
            ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
            a, b = (truth + 0.5) * scale - 0.5, (xy + 0.5) * scale - 0.5
            ax.plot(*np.stack([a, b], axis=1).T, color="#ffd84d", lw=1)
            ax.plot(*a.T, ".", color="#3ddc84", ms=5)
            ax.plot(*b.T, ".", color="#ff5a4d", ms=5)
            ax.set(xticks=[], yticks=[])
            ax.set_title((name + "\n" if r == 0 else "") + f"{error:.2f} mm", fontsize=8)
            line.append(number(error))
            result.records.append(
                {"image": images.ids[i], "templates": study.names(chosen), "mre": float(error)}
            )
        axes[3 * r].set_ylabel(images.ids[i], fontsize=8)
        rows.append((images.ids[i], *line))
    result.tables.append(Table("MRE in mm of the examples", ("image", *sets), rows))
    result.notes.append(
        "Green: true landmarks, red: found. The images stand at 25, 50 and 75 % of "
        f"the error of SCP's M = {m}; {case.title}."
    )
    return result


# ---- drawing ----


def _panels(count: int, columns: int = 2, size: tuple[float, float] = (4.6, 3.4)):
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure((size[0] * columns, size[1] * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    return figure, list(axes)


def _wrapped(title: str) -> str:
    from textwrap import fill

    return fill(title, 48)


def _edges(mre: np.ndarray) -> np.ndarray:
    """Bins of 0.1 mm that hold all; at most 40 (the last holds what is above)."""
    low = np.floor(mre.min() / BIN) * BIN
    count = int(min(max(np.ceil((mre.max() - low) / BIN), 1), 40))
    return low + BIN * np.arange(count + 1)


def _scatter(ax, x: np.ndarray, y: np.ndarray, study: Study, title: str) -> float:
    """Points with SCP's pick marked and the regression line; returns Pearson's r, which goes into
    the title."""
    pick = int(study.picks([1])[1].selected[0])
    r = pearson(x, y)
    ax.plot(x, y, "o", color=COLOURS[0], ms=4, alpha=0.6, mec="none")
    if np.ptp(x) > 0:
        slope, level = np.polyfit(x, y, 1)
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, level + slope * ends, color="0.4", lw=1.2)
    ax.plot(x[pick], y[pick], "o", color=COLOURS[1], ms=8, label="SCP's pick")
    ax.set_title(f"{_wrapped(title)}\nr = {r:.3f}")
    ax.legend(loc="best")  # in a frame: without one its mark looks like a point
    return r
