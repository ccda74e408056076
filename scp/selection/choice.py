"""What a run chose, and selection.json."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..landmarks import Landmarks, marked_ids
from ..landmarks.names import Index
from ..report import cells, figures
from ..report.browse import Browser, browser
from ..runs import RunFolder, brief, read_json
from ..runs.folder import MARKS
from ..values import Result, entries, whole_numbers
from .answer import SHOWN, Selection, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEXT = (
    "next: mark their landmarks in a table (marks.csv); then Run.detect(scp.read_landmarks("
    '"marks.csv")) finds them in all images'
)
NEXT_IN = (
    "next: fill in their landmarks in {marks}; then scp.Run.open({run!r}, images).detect() finds "
    "them in all images"
)


@dataclass(eq=False, repr=False)
class Choice(Result):
    """The images to annotate.

    Attributes:
        selection: the Selection for the largest M asked for.
        curve: Selections for the M asked for, ascending.
        ids: ids of the chosen images, in pick order.
        values: float32 [N][Q], similarity as the selection scored it. offsets: int64 [N+1], columns
            of every image.
        points: float32 [Q][2], key points (x, y) in original pixels.
        warnings: what a user should know. duplicates: (id, id, kind) of images that show the same.
        elapsed: seconds per stage.
        run: the run folder, or None. resumed: rows of the similarity that were done already.
        dots, brute: dot products done, and those of brute force.
        expected_error: of the choice, pixels of the grid (`scp.similarity.expected_error`); None
            unless the score is "cycle".
        images: the data set that it was chosen from.
    """

    selection: Selection
    curve: list[Selection]
    ids: list[str]
    values: np.ndarray
    offsets: np.ndarray
    points: np.ndarray
    warnings: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, str, str]] = field(default_factory=list)
    elapsed: dict[str, float] = field(default_factory=dict, compare=False)
    run: RunFolder | None = field(default=None, compare=False)
    resumed: int = field(default=0, compare=False)
    dots: int = field(default=0, compare=False)
    brute: int = field(default=0, compare=False)
    expected_error: float | None = None
    images: Any = field(default=None, compare=False)

    def __str__(self) -> str:
        """A few lines: the images, score and bound, warnings, what comes next."""
        s = self.selection
        lines = [
            f"annotate {len(self.ids)} of {len(self.values)} images: {listed(self.ids)}",
            f"score {s.score:.4f}; no allowed choice can exceed {s.upper_bound:.4f} ({s.proof})"
            f"{s.more}",
        ]
        if self.warnings:
            many = "1 warning" if len(self.warnings) == 1 else f"{len(self.warnings)} warnings"
            lines.append(f"{many} (.warnings): {self.warnings[0][:100]}")
        if self.run is not None:
            path = self.run.path
            lines += [f"files: {path}", NEXT_IN.format(marks=path / MARKS, run=str(path))]
        else:
            lines.append(NEXT)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Choice: {self}>"

    def _repr_html_(self) -> str:
        gains = self.selection.gains
        captions = [
            f"{rank}. {name}, gain {gain:.4f}"
            for rank, (name, gain) in enumerate(zip(self.ids, gains, strict=True), 1)
        ]
        if self.images is None:
            shown = "".join(map(cells.paragraph, captions[:SHOWN]))
        else:
            shown = cells.tiles(self.images, self.selection.selected, captions)
        head, *lines = map(cells.paragraph, str(self).split("\n"))
        return head + shown + "".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Score against M with the bound, drawn with matplotlib; where one M was asked for, the
        score after each pick.

        ax: where to draw; None: a new figure. Returns the axes. `scp.report.plots.coverage_curve`
        draws the same as SVG.
        """
        return figures.score_curve(self.curve, ax)

    def browse(self) -> Browser:
        """The chosen images one at a time, with the images that each represents best and worst,
        and the key points that nothing covers: for a cell of a notebook, or `.save(path)`.

        Raises:
            ValueError: the choice knows no images.
        """
        if self.images is None:
            raise ValueError("browse: this choice has no images; choose from a data set")
        return browser(self.images, self.points, self.offsets, self.values, self.selection)


def _gap(s: Selection) -> float | None:
    """JSON has no NaN."""
    return float(s.gap) if s.gap == s.gap else None


def describe(choice: Choice, dataset, parameters: dict) -> dict:
    """selection.json, field by field in docs/reference/files.md."""
    s = choice.selection
    return {
        "version": 1,
        "scp": __version__,
        "method": s.method,
        "seed": s.random_state,
        "m": len(s.selected),
        "selected": [
            {"id": dataset.ids[i], "index": int(i), "gain": float(g)}
            for i, g in zip(s.selected, s.gains, strict=True)
        ],
        "score": float(s.score),
        "upper_bound": float(s.upper_bound),
        "gap": _gap(s),
        "proven": bool(s.proven),
        "probability": float(s.probability),
        "expected_error": choice.expected_error,
        "curve": [
            {
                "m": len(c.selected),
                "selected": [dataset.ids[i] for i in c.selected],
                "score": float(c.score),
                "upper_bound": float(c.upper_bound),
                "gap": _gap(c),
                "proven": bool(c.proven),
            }
            for c in choice.curve
        ],
        "history": [[int(d), float(v)] for d, v in s.history],
        "parameters": parameters,
        "rules": plain({**s.parameters, "groups": _groups_text(s.parameters.get("groups"))}),
        "images": len(dataset),
        "keypoints": int(choice.offsets[-1]),
        "keypoints_sha256": hashlib.sha256(choice.points.tobytes()).hexdigest(),
        "warnings": choice.warnings,
        "skipped": [list(x) for x in dataset.skipped],
        "duplicates": [list(x) for x in choice.duplicates],
    }


def _groups_text(groups):
    """Groups as JSON keeps them apart: what is neither text nor a number (a date) as text."""
    if groups is None:
        return None
    return [g if g is None or isinstance(g, str | int | float) else str(g) for g in groups]


def chosen_ids(path: Path) -> list[str]:
    """Ids of the chosen images in a selection.json.

    Raises:
        ValueError: names the file, if it is no such file.
    """
    return _read(path, lambda content: [str(entry["id"]) for entry in content["selected"]])


def asked_for(path: Path) -> dict[str, Any]:
    """Arguments of `Run.select` that a selection.json was made with.

    Raises:
        ValueError: as `chosen_ids`; and where a rule is too large to be in the file whole.
    """

    def arguments(content):
        settings, rules = content["parameters"]["selection"], dict(content["rules"])
        asked = {name: settings.get(name) for name in ("m", "method", "min_distance")}
        given = {k: v for k, v in rules.items() if k not in asked and v not in (None, [])}
        if (vectors := settings.get("vectors")) is not None:
            if vectors.startswith("given"):
                raise ValueError("vectors that were given are not kept")
            asked["vectors"] = vectors.removeprefix("file ")
        if (training := settings.get("training")) is not None:
            asked["training"] = dict(word.split("=", 1) for word in training.split())
        if asked["method"] == "random":
            given["draws"] = content["history"][-1][0]
        for name, value in given.items():
            if isinstance(value, str):
                raise ValueError(f"{name} is not kept")
        return asked | given

    return _read(path, arguments)


def _read(path: Path, part: Callable[[dict], Any]) -> Any:
    try:
        content = read_json(path)
    except ValueError as error:
        text = str(error).removeprefix(f"{path}: ")
        raise ValueError(f"{path}: not a selection of scp: {text}") from None
    try:
        return part(content)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"{path}: not a selection of scp ({brief(error)})") from None


def warnings_of(
    dataset, duplicates: list[tuple[str, str, str]], empty: list[str], listed: bool = False
) -> list[str]:
    """What a user should know of the images: those left out, the same picture twice, and those
    without key points. A few are named; listed: selection.json names all."""
    notes = []
    if dataset.skipped:
        name, reason = dataset.skipped[0]
        left = len(dataset.skipped)
        notes.append(
            f"left out: {left} {'entry' if left == 1 else 'entries'} of the data set, "
            f"{'' if left == 1 else 'first '}{name}: {reason}"
        )
    if duplicates:
        named = ", ".join(f"{a} = {b}" for a, b, _ in duplicates[:5])
        more = f" and {len(duplicates) - 5} more" if len(duplicates) > 5 else ""
        more += ", all in selection.json" if more and listed else ""
        notes.append(f"{len(duplicates)} pairs of images show the same picture: {named}{more}")
    if empty:
        said = "image has no key points and counts"
        if len(empty) > 1:
            said = "images have no key points and count"
        notes.append(f"{len(empty)} {said} as not covered: {', '.join(empty[:5])}")
    return notes


def image_warnings(dataset, inverted: list[str]) -> list[str]:
    """Different ranges, and images that look like negatives (ids)."""
    notes = dataset.range_warnings()
    if inverted:
        what = "images look like negatives" if len(inverted) > 1 else "image looks like a negative"
        more = f" and {len(inverted) - 5} more" if len(inverted) > 5 else ""
        notes.append(
            f"{len(inverted)} {what} of the others: {', '.join(inverted[:5])}{more}; exchange "
            "black and white (is it MONOCHROME1 of DICOM?), or leave them out"
        )
    return notes


def plain(value):
    """The same in types that JSON has; large arrays by their shape."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray) and value.size > 10_000:
        return f"array {list(value.shape)}"
    if isinstance(value, (list, tuple, np.ndarray, range)):
        return [plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def row_numbers(rules: dict, ids: list[str]) -> dict:
    """Ids in initial, include and exclude become row numbers (of landmarks, the images in which a
    person marked some); how names match: `scp.landmarks.names.Index`."""
    index, out = Index(ids), dict(rules)
    for key in ("initial", "include", "exclude"):
        if isinstance(out.get(key), Landmarks):
            out[key] = index.rows(marked_ids(out[key]), key)
        elif out.get(key) is not None:
            given = entries(out[key], key, "ids or rows")
            rows = [index.rows([e], key)[0] if isinstance(e, str) else e for e in given]
            out[key] = whole_numbers(rows, key, 0, len(ids) - 1)
    return out
