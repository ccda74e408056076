"""Puts the report together: picks what to show, hands it to the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import charts, words
from .browse import browse, whole_pool
from .found import next_steps, section
from .frame import ROWS, asset, page
from .gallery import Gallery
from .pictures import Pictures
from .stats import Pool, measure, project


def render(
    dataset: Any,
    points: np.ndarray,
    offsets: np.ndarray,
    values: Any,
    selection: Any,
    curve: Sequence[Any],
    notes: Mapping[str, Any],
    title: str | None,
    landmarks: Any = None,
    second: Any = None,
) -> str:
    """The whole page. Arguments as in `write_report`, already checked."""
    from markupsafe import Markup

    ids = [words.clean(i) for i in dataset.ids]
    pool = measure(values, offsets, selection)
    where = project(values, offsets, pool.templates)
    pictures = Pictures(dataset)
    gallery = Gallery(ids, points, offsets, selection, pool, pictures)
    marks = section(dataset, landmarks, pool.templates, pictures)
    context = {
        "title": words.clean(title or getattr(dataset, "name", None) or "Image pool"),
        **_headline(gallery, selection),
        "chosen": gallery.chosen(),
        "given": gallery.given(),
        "landmarks": Markup(marks),
        "next": Markup(next_steps(notes.get("next") or ())),
        "growth": _growth(selection, curve, len(pool.templates) > pool.chosen),
        "second": gallery.second(second),
        "galleries": gallery.galleries(),
        "worst": gallery.worst(),
        "regions": gallery.regions(),
        "browse": browse(gallery),
        "map": gallery.map(where, values),
        "hovers": where is not None and whole_pool(gallery),
        "spread": _spread(pool),
        "features": _features(notes),
        "notes": _notes(gallery, notes),
        "details": _details(ids, selection, notes),
        "w": words,
    }
    # Last: every picture has been tried by now.
    context["unread"] = [(ids[i], why) for i, why in sorted(pictures.problems.items())]
    context["windowed"] = pictures.windowed
    remarks = context["notes"]
    lists = sum(remarks[name]["total"] for name in ("skipped", "duplicates", "empty"))
    context["problems"] = len(remarks["warnings"]) + lists + len(context["unread"])

    return page("report.html", context, asset("browse.js") + asset("report.js"))


def _headline(gallery: Gallery, selection: Any) -> dict[str, Any]:
    m = len(selection.selected)
    pool = gallery.pool
    parameters = selection.parameters or {}
    free = not words.constrained(parameters)
    sure = words.sure(selection)
    said = words.certificate(
        m, selection.score, selection.upper_bound, selection.gap, selection.proven, free, sure
    )
    gap = words.gap(selection.upper_bound, selection.gap)
    facts = [
        (
            "Score",
            words.number(selection.score),
            "mean over images of the similarity "
            f"{'' if gallery.whole else 'of their key points '}to the best chosen image",
        ),
        (
            f"Bound, {sure} sure" if sure else "Certified bound",
            _bound(selection),
            f"what the best {'allowed ' if not free else ''}choice could reach at most",
        ),
        (
            "Gap",
            "0\u00a0%" if selection.proven else gap,
            "proved best possible" if selection.proven else "room left between score and bound",
        ),
        (
            "Pool",
            f"{len(gallery.ids):,}",
            "images, each compared as a whole"
            if gallery.whole
            else f"images with {words.count(int(pool.counts.sum()), 'key point')}",
        ),
    ]
    return {
        "heading": words.heading(m),
        "certificate": said,
        "constrained": not free,
        "sure": sure,
        "facts": facts,
        "picked": [gallery.ids[i] for i in pool.templates[:m]],
        "method": words.clean(selection.method),
        "m": m,
        "whole": gallery.whole,
    }


def _bound(selection: Any) -> str:
    """The bound as shown: rounded up, or the score itself where that is proved to be the best."""
    return (
        words.number(selection.score)
        if selection.proven
        else words.number_up(selection.upper_bound)
    )


def _growth(selection: Any, curve: Sequence[Any], given: bool) -> dict[str, Any]:
    """Curve of score and bound, gains of the picks, and the same as a table."""
    m = len(selection.selected)
    by_m = {len(s.selected): s for s in curve}
    by_m[m] = selection
    points = [by_m[k] for k in sorted(by_m)]
    path = charts.path_of(selection)
    # Alone the first pick takes nearly everything: drawn with the others it would hide them.
    skip = 0 if given else 1
    table = [
        {
            "m": len(s.selected),
            "score": words.number(s.score),
            "bound": _bound(s),
            "gap": "proved best"
            if s.proven and words.has_bound(s.upper_bound)
            else words.gap(s.upper_bound, s.gap),
            "here": s is selection,
        }
        for s in points
    ]
    history = [(f"{int(d):,}", words.number(float(v))) for d, v in (selection.history or ())]
    return {
        "curve": charts.coverage_curve(points, selection, given) if m else "",
        "several": len(points) > 1,
        "bars": charts.gain_bars(selection.gains[skip:], skip + 1) if m > skip else "",
        "bars_cut": max(0, m - skip - charts.MOST_BARS),
        "before": words.number(path[0]) if given else "",
        "first": words.number(path[1]) if m else "",
        "table": table[:ROWS],
        "history": history[:ROWS],
    }


def _spread(pool: Pool) -> dict[str, Any] | None:
    known = pool.coverage[np.isfinite(pool.coverage)]
    if not len(known):
        return None
    at = np.percentile(known, [0, 5, 25, 50, 75, 100])
    names = ("lowest", "5 % of images below", "quarter below", "median", "quarter above", "highest")
    return {
        "svg": charts.histogram(pool),
        "points": [(n, words.number(float(v))) for n, v in zip(names, at, strict=True)],
    }


def _features(notes: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the similarities are made of, and how it was learned; None where nothing is known."""
    parameters = notes.get("parameters") or {}
    used = parameters.get("features") if isinstance(parameters, Mapping) else None
    if not isinstance(used, Mapping) or "features" not in used:
        return None
    log = notes.get("log") or []
    depth = len(log[0]["levels"]) if log else 0
    log = [entry for entry in log if len(entry["levels"]) == depth and depth]
    losses = np.array([entry["levels"] for entry in log], np.float64).reshape(-1, max(depth, 1))
    steps = np.array([entry["step"] for entry in log], np.float64)
    finite = np.isfinite(losses).all(axis=1)
    shown = finite.sum() > 1
    return {
        "text": words.features(used, notes.get("training") or {}),
        "svg": charts.training_curve(steps[finite], losses[finite]) if shown else "",
    }


def _notes(gallery: Gallery, notes: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {gallery.ids[i] for i in gallery.pool.templates}
    skipped = [(words.clean(i), words.clean(why)) for i, why in notes.get("skipped") or ()]
    pairs = []
    for a, b, kind in notes.get("duplicates") or ():
        a, b = words.clean(a), words.clean(b)
        hit = [x for x in (a, b) if x in chosen]
        pairs.append((a, b, words.clean(kind), len(hit)))
    pairs.sort(key=lambda pair: -pair[3])
    empty = [gallery.ids[i] for i in np.flatnonzero(gallery.pool.counts == 0)]
    return {
        "warnings": [words.clean(x) for x in notes.get("warnings") or ()],
        "skipped": _cut(skipped),
        "duplicates": _cut(pairs),
        "empty": _cut(empty),
    }


def _cut(rows: list[Any]) -> dict[str, Any]:
    return {"rows": rows[:ROWS], "total": len(rows), "more": max(0, len(rows) - ROWS)}


def _details(ids: list[str], selection: Any, notes: Mapping[str, Any]) -> dict[str, Any]:
    elapsed = {words.clean(k): float(v) for k, v in (notes.get("elapsed") or {}).items()}
    chosen = {
        "method": selection.method,
        "m": len(selection.selected),
        "seed": selection.random_state,
    }
    options = {k: _names(ids, k, v) for k, v in (selection.parameters or {}).items()}
    return {
        "parameters": words.flatten(notes.get("parameters")),
        "selection": words.flatten(chosen | options),
        "elapsed": [(k, words.seconds(v)) for k, v in elapsed.items()],
        "total": words.seconds(sum(elapsed.values())),
        "command": words.clean(notes.get("command") or ""),
        "versions": words.flatten(
            notes.get("versions")
            if isinstance(notes.get("versions"), Mapping)
            else ({"scp": notes["versions"]} if notes.get("versions") else {})
        ),
    }


def _names(ids: list[str], key: str, value: Any) -> Any:
    """Image numbers of an option as ids, where that is what they are; anything else unchanged."""
    if key not in ("initial", "include", "exclude") or not words.is_set(value):
        return value
    numbers = np.asarray(value)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or numbers.min() < 0:
        return value
    return [ids[i] for i in numbers.tolist()] if numbers.max() < len(ids) else value
