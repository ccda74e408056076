"""Puts the report together: picks what to show, hands it to the template."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np

from . import charts, svg, words
from .pictures import Picture, Pictures
from .stats import Map, Pool, measure, project

LARGE = 12  # chosen images shown large
SMALL = 60  # further chosen images shown small
GALLERIES = 12  # templates with a gallery
PER_GALLERY = 12
WORST = 8
MAP_THUMBS = 12
ROWS = 200  # rows of a list or table


def render(
    dataset: Any,
    points: np.ndarray,
    offsets: np.ndarray,
    values: Any,
    selection: Any,
    curve: Sequence[Any],
    notes: Mapping[str, Any],
    title: str | None,
) -> str:
    """The whole page. Arguments as in `write_report`, already checked."""
    from jinja2 import Environment
    from markupsafe import Markup

    ids = [words.clean(i) for i in dataset.ids]
    pool = measure(values, offsets, selection)
    where = project(values, offsets, pool.templates)
    pictures = Pictures(dataset)
    builder = _Builder(ids, points, offsets, selection, pool, pictures)
    context = {
        "title": words.clean(title or getattr(dataset, "name", None) or "Image pool"),
        **_headline(builder, selection),
        "chosen": builder.chosen(),
        "given": builder.given(),
        "growth": _growth(selection, curve),
        "galleries": builder.galleries(),
        "worst": builder.worst(),
        "map": builder.map(where),
        "spread": _spread(pool),
        "notes": _notes(builder, notes),
        "details": _details(selection, notes),
        "w": words,
    }
    # Last: every picture has been tried by now.
    context["unread"] = [(ids[i], why) for i, why in sorted(pictures.problems.items())]
    context["windowed"] = pictures.windowed

    folder = resources.files(__package__)
    style = (folder / "report.css").read_text(encoding="utf-8")
    script = (folder / "copy.js.html").read_text(encoding="utf-8").strip()
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((folder / "report.html").read_text(encoding="utf-8"))
    context |= {
        "style": Markup(style),
        "script": Markup(script),
        "style_hash": _hash(style),
        "script_hash": _hash(script),
    }
    return template.render(context)


def _hash(content: str) -> str:
    """The content security policy's name for exactly this inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode()


def _headline(builder: _Builder, selection: Any) -> dict[str, Any]:
    m = len(selection.selected)
    pool = builder.pool
    parameters = selection.parameters or {}
    free = not words.constrained(parameters)
    said = words.certificate(
        m, selection.score, selection.upper_bound, selection.gap, selection.proven, free
    )
    bounded = words.has_bound(selection.upper_bound)
    gap = words.percent_up(max(selection.gap, 0.0)) if bounded else "–"
    facts = [
        ("Score", words.number(selection.score), "mean similarity of every key point to its best chosen image"),
        ("Certified bound", words.number_up(selection.upper_bound) if bounded else "–", f"what the best {'allowed ' if not free else ''}choice could reach at most"),
        ("Gap", "0\u00a0%" if selection.proven else gap, "proved best possible" if selection.proven else "room left between score and bound"),
        ("Pool", f"{len(builder.ids):,}", f"images with {words.count(int(pool.counts.sum()), 'key point')}"),
    ]
    return {
        "heading": words.heading(m),
        "certificate": said,
        "constrained": not free,
        "facts": facts,
        "picked": [builder.ids[i] for i in pool.templates[:m]],
        "method": words.clean(selection.method),
        "m": m,
    }


class _Builder:
    """The parts of the page that show images."""

    def __init__(self, ids: list[str], points: np.ndarray, offsets: np.ndarray, selection: Any, pool: Pool, pictures: Pictures) -> None:
        self.ids, self.points, self.offsets = ids, points, offsets
        self.selection, self.pool, self.pictures = selection, pool, pictures
        self.cover = np.asarray(selection.cover, dtype=np.int64)
        self.cover_value = np.asarray(selection.cover_value, dtype=np.float64)

    def own(self, i: int) -> slice:
        """The columns of image i."""
        return slice(int(self.offsets[i]), int(self.offsets[i + 1]))

    def tile(self, i: int, size: int) -> dict[str, Any]:
        """What every small picture shows."""
        return {"id": self.ids[i], "picture": self.pictures.small(i, size), "coverage": words.number(self.pool.coverage[i])}

    def chosen(self) -> dict[str, Any]:
        """Chosen images: large with key points, then small, then a count of the rest."""
        large, small = [], []
        for k in range(min(self.pool.chosen, LARGE + SMALL)):
            i = int(self.pool.templates[k])
            gain = float(self.selection.gains[k])
            item = self.tile(i, 560 if k < LARGE else 180) | {
                "rank": k + 1,
                "colour": f"t{k % charts.COLOURS}",
                "gain": words.number(gain) if k == 0 else words.signed(gain),
                "points": int(self.pool.counts[i]),
                "covers_points": int(self.pool.points[k]),
                "share": f"{100 * self.pool.points[k] / max(1, len(self.cover)):.0f}",
                "covers_images": int(self.pool.images[k]),
            }
            if k < LARGE:
                item["overlay"] = self.overlay(i, item["picture"], None)
            (large if k < LARGE else small).append(item)
        return {"large": large, "small": small, "more": max(0, self.pool.chosen - LARGE - SMALL)}

    def given(self) -> list[dict[str, Any]]:
        """Images annotated before: name on the map, id, what they cover."""
        return [
            {
                "name": charts.label(self.pool, k),
                "id": self.ids[int(self.pool.templates[k])],
                "covers_points": int(self.pool.points[k]),
                "covers_images": int(self.pool.images[k]),
            }
            for k in range(self.pool.chosen, len(self.pool.templates))
        ][:ROWS]

    def overlay(self, i: int, picture: Picture, scale: tuple[float, float] | None) -> Any:
        """Key points of image i as a drawing over its picture; coloured by coverage with `scale`."""
        from markupsafe import Markup

        if picture.original is None:
            return ""
        columns = self.own(i)
        xy = self.points[columns]
        if scale is None:
            return Markup(charts.key_points(xy, picture.original, None, None))
        low, high = scale
        values = self.cover_value[columns]
        share = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
        place = {int(t): charts.label(self.pool, k) for k, t in enumerate(self.pool.templates)}
        said = [
            f"{words.number(v)}, best covered by {place.get(int(t), 'none')}"
            for v, t in zip(values, self.cover[columns], strict=True)
        ]
        colours = [svg.ramp(s) for s in share]
        return Markup(charts.key_points(xy, picture.original, colours, 1.35 - 0.55 * share, said))

    def galleries(self) -> dict[str, Any]:
        """For each template the images it represents best, most similar first."""
        shown = []
        for k in range(min(len(self.pool.templates), GALLERIES)):
            t = int(self.pool.templates[k])
            mine = np.flatnonzero(self.pool.owner == k)
            mine = mine[mine != t]
            value = self.pool.mean_to[k][mine]
            mine = mine[np.argsort(-value, kind="stable")]
            tiles = [
                self.tile(int(i), 216) | {"value": words.number(self.pool.mean_to[k][i])}
                for i in mine[:PER_GALLERY]
            ]
            shown.append(
                {
                    "name": charts.label(self.pool, k),
                    "chosen": k < self.pool.chosen,
                    "colour": f"t{k % charts.COLOURS}",
                    "id": self.ids[t],
                    "tiles": tiles,
                    "total": len(mine),
                    "more": len(mine) - len(tiles),
                }
            )
        return {"shown": shown, "more": max(0, len(self.pool.templates) - GALLERIES)}

    def worst(self) -> dict[str, Any]:
        """The least covered images, templates left out, with their key points by coverage."""
        from markupsafe import Markup

        coverage = self.pool.coverage.copy()
        coverage[self.pool.templates] = np.nan
        known = np.flatnonzero(np.isfinite(coverage))
        order = known[np.argsort(coverage[known], kind="stable")][:WORST]
        if not len(order):
            return {"tiles": [], "legend": "", "of": 0}
        columns = np.concatenate([np.arange(self.offsets[i], self.offsets[i + 1]) for i in known])
        low, high = (float(v) for v in np.percentile(self.cover_value[columns], [2, 98]))
        if not high > low:
            low, high = low - 1e-3, high + 1e-3
        tiles = []
        for i in (int(i) for i in order):
            tile = self.tile(i, 420)
            tile["overlay"] = self.overlay(i, tile["picture"], (low, high))
            tile["lowest"] = words.number(self.pool.lowest[i])
            tile["owner"] = charts.label(self.pool, int(self.pool.owner[i])) if self.pool.owner[i] >= 0 else "–"
            tile["where"] = self.weak_region(i, tile["picture"])
            tiles.append(tile)
        return {"tiles": tiles, "legend": Markup(charts.ramp_legend(low, high)), "of": len(known)}

    def weak_region(self, i: int, picture: Picture) -> str:
        """The third-by-third part of the image where the weakest quarter of key points lies most."""
        if picture.original is None:
            return ""
        values = self.cover_value[self.own(i)]
        weakest = np.argsort(values, kind="stable")[: max(1, len(values) // 4)]
        h, w = picture.original
        xy = self.points[self.own(i)][weakest]
        cell = np.clip((xy + 0.5) / (w, h) * 3, 0, 2.999).astype(int)
        amount = np.bincount(cell[:, 1] * 3 + cell[:, 0], minlength=9)
        row, column = divmod(int(amount.argmax()), 3)
        name = f"{('upper', 'middle', 'lower')[row]} {('left', 'centre', 'right')[column]}"
        return "centre" if name == "middle centre" else name

    def map(self, where: Map | None) -> dict[str, Any] | None:
        """The drawing of the pool and how much of it two axes can show."""
        from markupsafe import Markup

        if where is None:
            return None
        thumbs = {}
        for k in range(min(len(self.pool.templates), MAP_THUMBS)):
            i = int(self.pool.templates[k])
            if np.isfinite(where.xy[i]).all():
                thumbs[k] = self.pictures.small(i, 150)
        return {
            "svg": Markup(charts.pool_map(self.pool, where, self.ids, thumbs)),
            "share": f"{100 * where.share:.0f}",
            "absent": int(np.isnan(where.xy[:, 0]).sum()),
            "colours": len(self.pool.templates) > charts.COLOURS,
        }


def _growth(selection: Any, curve: Sequence[Any]) -> dict[str, Any]:
    """Curve of score and bound, gains of the picks, and the same as a table."""
    from markupsafe import Markup

    m = len(selection.selected)
    by_m = {len(s.selected): s for s in curve}
    by_m[m] = selection
    points = [by_m[k] for k in sorted(by_m)]
    gains = np.asarray(selection.gains, dtype=np.float64)
    prefix = selection.score - gains.sum() + np.cumsum(gains)
    table = [
        {
            "m": len(s.selected),
            "score": words.number(s.score),
            "bound": words.number_up(s.upper_bound),
            "gap": ("proved best" if s.proven else words.percent_up(max(s.gap, 0.0))) if words.has_bound(s.upper_bound) else "–",
            "here": s is selection,
        }
        for s in points
    ]
    history = [(f"{int(d):,}", words.number(float(v))) for d, v in (selection.history or ())]
    return {
        "curve": Markup(charts.coverage_curve(points, selection, prefix)) if m else "",
        "several": len(points) > 1,
        # The first pick takes nearly everything: drawn with the others it would hide them.
        "bars": Markup(charts.gain_bars(gains[1:], 2)) if m > 1 else "",
        "bars_cut": max(0, m - 1 - charts.MOST_BARS),
        "first": words.number(prefix[0]) if m else "",
        "table": table[:ROWS],
        "history": history[:ROWS],
    }


def _spread(pool: Pool) -> dict[str, Any] | None:
    from markupsafe import Markup

    known = pool.coverage[np.isfinite(pool.coverage)]
    if not len(known):
        return None
    at = np.percentile(known, [0, 5, 25, 50, 75, 100])
    names = ("lowest", "5 % of images below", "quarter below", "median", "quarter above", "highest")
    return {"svg": Markup(charts.histogram(pool)), "points": [(n, words.number(float(v))) for n, v in zip(names, at, strict=True)]}


def _notes(builder: _Builder, notes: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {builder.ids[i] for i in builder.pool.templates}
    skipped = [(words.clean(i), words.clean(why)) for i, why in notes.get("skipped") or ()]
    pairs = []
    for a, b, kind in notes.get("duplicates") or ():
        a, b = words.clean(a), words.clean(b)
        hit = [x for x in (a, b) if x in chosen]
        pairs.append((a, b, words.clean(kind), len(hit)))
    pairs.sort(key=lambda pair: -pair[3])
    empty = [builder.ids[i] for i in np.flatnonzero(builder.pool.counts == 0)]
    return {
        "warnings": [words.clean(x) for x in notes.get("warnings") or ()],
        "skipped": _cut(skipped),
        "duplicates": _cut(pairs),
        "empty": _cut(empty),
    }


def _cut(rows: list[Any]) -> dict[str, Any]:
    return {"rows": rows[:ROWS], "total": len(rows), "more": max(0, len(rows) - ROWS)}


def _details(selection: Any, notes: Mapping[str, Any]) -> dict[str, Any]:
    elapsed = {words.clean(k): float(v) for k, v in (notes.get("elapsed") or {}).items()}
    chosen = {"method": selection.method, "m": len(selection.selected), "seed": selection.seed}
    return {
        "parameters": words.flatten(notes.get("parameters")),
        "selection": words.flatten(chosen | dict(selection.parameters or {})),
        "elapsed": [(k, words.seconds(v)) for k, v in elapsed.items()],
        "total": words.seconds(sum(elapsed.values())),
        "command": words.clean(notes.get("command") or ""),
        "versions": words.flatten(notes.get("versions") if isinstance(notes.get("versions"), Mapping) else ({"scp": notes["versions"]} if notes.get("versions") else {})),
    }
