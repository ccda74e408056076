"""The parts of the report that show images: which ones, how large, and what is said of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import overlay, poolmap, words
from .along import Along
from .pictures import Picture, Pictures
from .stats import Map, Pool
from .svg import COLOURS

LARGE = 12  # chosen images shown large
SMALL = 60  # further chosen images shown small
GALLERIES = 12  # templates with a gallery
PER_GALLERY = 15
WORST = 8
SECOND = 16  # images of a second round
GIVEN = 200  # rows of the table of already annotated images


class Gallery:
    """Chooses the images each section shows and describes them for the template."""

    def __init__(
        self,
        ids: list[str],
        points: np.ndarray,
        offsets: np.ndarray,
        selection: Any,
        pool: Pool,
        pictures: Pictures,
    ) -> None:
        self.ids, self.points, self.offsets = ids, points, offsets
        self.selection, self.pool, self.pictures = selection, pool, pictures
        self.whole = len(points) > 0 and not np.isfinite(points).any()  # images, without places
        self.cover = np.asarray(selection.cover, dtype=np.int64)
        self.cover_value = np.asarray(selection.cover_value, dtype=np.float64)

    def own(self, i: int) -> slice:
        """The columns of image i."""
        return slice(int(self.offsets[i]), int(self.offsets[i + 1]))

    def tile(self, i: int, size: int) -> dict[str, Any]:
        """What every small picture shows."""
        return {
            "id": self.ids[i],
            "picture": self.pictures.small(i, size),
            "coverage": words.number(self.pool.coverage[i]),
        }

    def chosen(self) -> dict[str, Any]:
        """Chosen images: large with key points, then small, then a count of the rest."""
        large, small = [], []
        for k in range(min(self.pool.chosen, LARGE + SMALL)):
            i = int(self.pool.templates[k])
            gain = float(self.selection.gains[k])
            item = self.tile(i, 560 if k < LARGE else 180) | {
                "rank": k + 1,
                "colour": f"t{k % COLOURS}",
                "gain": words.number(gain) if k == 0 and not self.given() else words.signed(gain),
                "points": int(self.pool.counts[i]),
                "covers_points": int(self.pool.points[k]),
                "share": f"{100 * self.pool.points[k] / max(1, len(self.cover)):.0f}",
                "covers_images": int(self.pool.images[k]),
            }
            if k < LARGE:
                item["overlay"] = self.key_points(i, item["picture"], None)
            (large if k < LARGE else small).append(item)
        return {"large": large, "small": small, "more": max(0, self.pool.chosen - LARGE - SMALL)}

    def second(self, found: Any) -> dict[str, Any] | None:
        """The images of a second round: pictures, gains, score."""
        if found is None or not len(found.selected):
            return None
        tiles = [
            self.tile(int(i), 180) | {"gain": words.signed(float(gain))}
            for i, gain in zip(found.selected[:SECOND], found.gains, strict=False)
        ]
        return {
            "tiles": tiles,
            "total": len(found.selected),
            "more": len(found.selected) - len(tiles),
            "score": words.number(found.score),
        }

    def given(self) -> list[dict[str, Any]]:
        """Images annotated before: name on the map, id, what they cover."""
        return [
            {
                "name": poolmap.label(self.pool, k),
                "id": self.ids[int(self.pool.templates[k])],
                "covers_points": int(self.pool.points[k]),
                "covers_images": int(self.pool.images[k]),
            }
            for k in range(self.pool.chosen, len(self.pool.templates))
        ][:GIVEN]

    def key_points(self, i: int, picture: Picture, scale: tuple[float, float] | None) -> Any:
        """Key points of image i over its picture; coloured by coverage if `scale` is given."""
        if picture.original is None or self.whole:
            return ""
        columns = self.own(i)
        xy = self.points[columns]
        if scale is None:
            return overlay.key_points(xy, picture.original)
        low, high = scale
        values = self.cover_value[columns]
        share = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
        place = {int(t): poolmap.label(self.pool, k) for k, t in enumerate(self.pool.templates)}
        said = [
            f"{words.number(v)}, best covered by {place.get(int(t), 'none')}"
            for v, t in zip(values, self.cover[columns], strict=True)
        ]
        colours = [overlay.ramp(s) for s in share]
        return overlay.key_points(xy, picture.original, colours, 1.35 - 0.55 * share, said)

    def represented(self, k: int) -> np.ndarray:
        """Images that template k represents, most similar first, without itself."""
        mine = np.flatnonzero(self.pool.owner == k)
        mine = mine[mine != self.pool.templates[k]]
        return mine[np.argsort(-self.pool.mean_to[k][mine], kind="stable")]

    def galleries(self) -> dict[str, Any]:
        """For each template the images it represents best, most similar first."""
        shown = []
        for k in range(min(len(self.pool.templates), GALLERIES)):
            t = int(self.pool.templates[k])
            mine = self.represented(k)
            tiles = [
                self.tile(int(i), 216) | {"value": words.number(self.pool.mean_to[k][i])}
                for i in mine[:PER_GALLERY]
            ]
            shown.append(
                {
                    "name": poolmap.label(self.pool, k),
                    "chosen": k < self.pool.chosen,
                    "colour": f"t{k % COLOURS}",
                    "id": self.ids[t],
                    "self": self.tile(t, 216),
                    "tiles": tiles,
                    "total": len(mine),
                    "more": len(mine) - len(tiles),
                }
            )
        return {"shown": shown, "more": max(0, len(self.pool.templates) - GALLERIES)}

    def worst(self) -> dict[str, Any]:
        """The least covered images, templates left out, with their key points by coverage."""
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
            tile["overlay"] = self.key_points(i, tile["picture"], (low, high))
            tile["lowest"] = words.number(self.pool.lowest[i])
            k = int(self.pool.owner[i])
            tile["owner"] = poolmap.label(self.pool, k) if k >= 0 else "–"
            tile["colour"] = f"t{k % COLOURS}" if k >= 0 else ""
            tile["where"] = self.weak_region(i, tile["picture"])
            tiles.append(tile)
        return {"tiles": tiles, "legend": overlay.ramp_legend(low, high), "of": len(known)}

    def regions(self) -> dict[str, Any] | None:
        """Coverage by region of the frame over all images but the templates."""
        if not len(self.pool.templates) or self.whole:
            return None
        place, values = [], []
        left_out = set(self.pool.templates.tolist())
        for i in np.flatnonzero(self.pool.counts):
            shape = None if int(i) in left_out else self.pictures.shape(int(i))
            if shape is not None:
                h, w = shape
                place.append((self.points[self.own(i)] + 0.5) / (w, h))
                values.append(self.cover_value[self.own(i)])
        first = self.tile(int(self.pool.templates[0]), 420)
        shape = first["picture"].original
        if len(place) < 10 or shape is None:
            return None
        drawn = overlay.field(np.concatenate(place), np.concatenate(values), shape)
        if drawn is None:
            return None
        drawing, low, high = drawn
        return first | {
            "overlay": drawing,
            "legend": overlay.ramp_legend(low, high),
            "images": len(place),
            "points": sum(len(v) for v in values),
            "name": poolmap.label(self.pool, 0),
        }

    def weak_region(self, i: int, picture: Picture) -> str:
        """The ninth of the image that holds most of its weakest quarter of key points."""
        if picture.original is None or self.whole:
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

    def map(self, where: Map | None, values: Any) -> dict[str, Any] | None:
        """The drawing of the pool, how much of it two axes can show, and what its slider says."""
        if where is None:
            return None
        thumbs = poolmap.thumbnails(self.pool, where, self.pictures)
        several = self.pool.chosen > 1
        along = Along(values, self.offsets, self.selection, self.pool) if several else None
        return {
            "svg": poolmap.pool_map(self.pool, where, self.ids, thumbs, along),
            "steps": [] if along is None else list(zip(along.steps, along.said, strict=True)),
            "shapes": poolmap.SHAPES,
            "share": f"{100 * where.share:.0f}",
            "absent": int(np.isnan(where.xy[:, 0]).sum()),
            "left_out": len(poolmap.left_out(self.pool, where)),
            "colours": len(self.pool.templates) > COLOURS,
        }
