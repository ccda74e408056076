"""The page on which the chosen, or the least certain, images are marked and corrected."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..annotate import PAGE_SIZE, Written, write_page
from ..datasets import Dataset
from ..landmarks import FOUND, Landmarks, edits_in, numbered, read_landmarks, under
from ..landmarks.names import form
from ..runs import RunFolder
from ..runs.folder import LANDMARKS, MARKS, SELECTION
from ..runs.plain import read_json
from ..selection.choice import chosen_ids
from ..values import whole
from .held import Held
from .marks import UNNAMED, given_marks, landmark_names

PAGE = "annotate.html"


class Annotating(Held):
    """The part of `Run` that writes the page to annotate on."""

    def annotate(
        self,
        images: Sequence[int] | Sequence[str] | None = None,
        *,
        least_certain: int | None = None,
        landmarks: str | os.PathLike[str] | Sequence[str] = (),
        initial: Landmarks | None = None,
        page_size: int = PAGE_SIZE,
        out: str | os.PathLike[str] | None = None,
    ) -> Path:
        """Write annotate.html, a page on which landmarks are marked and corrected in a browser;
        returns its path. See `annotate_run`, which also tells what was written."""
        if self.path is None and out is None:
            raise ValueError("out: a run without a folder needs a file")
        return annotate_run(
            self.path,
            self.dataset,
            images,
            least_certain=least_certain,
            landmarks=landmarks,
            initial=initial,
            page_size=page_size,
            out=out,
        ).path


def annotate_run(
    run: str | os.PathLike[str] | None,
    dataset: Dataset,
    images: Sequence[int] | Sequence[str] | None = None,
    *,
    least_certain: int | None = None,
    landmarks: str | os.PathLike[str] | Sequence[str] = (),
    initial: Landmarks | None = None,
    page_size: int = PAGE_SIZE,
    out: str | os.PathLike[str] | None = None,
) -> Written:
    """Write the page of a run folder on which landmarks are marked and corrected.

    What a person marked (marks.csv, corrections in landmarks.csv, the data set's landmarks of the
    chosen images) is shown as marked; what was found can be moved, or accepted. The page needs no
    network and saves a CSV that `Run.detect` takes as templates; no file of the run is changed.

    Args:
        run: the run folder, or None. dataset: its images.
        images: rows or ids; None: the chosen ones, in pick order.
        least_certain: instead of these so many images in which landmarks.csv is least certain, see
            `Landmarks.least_certain`.
        landmarks: names; or a file of names or landmarks; or "cephalometric-19". None given: those
            of marks.csv and landmarks.csv, else of the data set.
        initial: further points; those that no person gave, as its source says, are shown as found.
        page_size: bytes of the page at most, see `scp.annotate.write_page`.
        out: a file instead of annotate.html in the run folder.

    Raises:
        ValueError: nothing was chosen or found yet; unknown images; a name that is there twice.
    """
    path = None if run is None else Path(run)
    page_size = whole(page_size, "page_size", 1)
    if out is not None and Path(out).exists() and Path(out).suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"out: {out} is there, and no page; give another name")
    rows, notes = _rows(path, dataset, images, least_certain)
    ids = [dataset.ids[i] for i in rows]
    given = landmark_names(landmarks)
    known = _known(path, dataset, given, initial)
    points = known.rows(ids, absent=True)
    if given:  # marks that a person gave are shown under any name
        more = points.by_hand.any(axis=0)
        here = {form(name) for name in given}
        more = [n for n, hand in zip(points.names, more, strict=True) if hand]
        points = points.columns([*given, *(n for n in more if form(n) not in here)])
    options = {
        "dataset": dataset,
        "rows": rows,
        "points": points,
        "key": str(Path(path or out or PAGE).resolve()),
        "title": (path.resolve().name if path else "") or dataset.name,
        "notes": notes,
        "usual": _usual(known.columns(points.names), dataset, ids),
        "page_size": page_size,
    }
    if out is not None:
        return write_page(out, **options)
    if path is None:
        raise ValueError("out: a run without a folder needs a file")
    with RunFolder(path).holding(dataset):
        return write_page(path / PAGE, **options)


def _rows(
    path: Path | None, dataset: Dataset, images, least_certain: int | None
) -> tuple[list[int], list[str]]:
    """Which images, and what is said of each."""
    if least_certain is not None:
        if images is not None:
            raise ValueError("images, least_certain: give one of them")
        count = whole(least_certain, "least_certain", 1)
        file = None if path is None else path / LANDMARKS
        if file is None or not file.is_file():
            raise ValueError(f"least_certain: there is no {file}; scp detect finds landmarks first")
        found = read_landmarks(file).rows(dataset.ids, absent=True)
        rows = found.least_certain(count)
        if not rows:
            raise ValueError(f"least_certain: {file} says of no point how certain it is")
        return rows, [f"least certain {k + 1}" for k in range(len(rows))]
    if images is not None:
        names = [images] if isinstance(images, str) else list(images)
        rows = [
            dataset.rows([i], "images")[0] if isinstance(i, str) else whole(i, "images", 0)
            for i in names
        ]
        if not rows or len(set(rows)) < len(rows) or max(rows) >= len(dataset):
            raise ValueError(
                f"images must be different rows, 0 to {len(dataset) - 1}, or ids, got {names[:5]}"
            )
        return rows, []
    file = None if path is None else path / SELECTION
    if file is None or not file.is_file():
        raise ValueError(f"there is no {file}: run scp select first, or say which images (images)")
    rows = dataset.rows(chosen_ids(file), str(file))
    gains = [entry.get("gain") for entry in read_json(file)["selected"]]
    return rows, [f"gain {g:.4f}" if isinstance(g, float) else "" for g in gains]


def _known(
    path: Path | None, dataset: Dataset, given: list[str], initial: Landmarks | None
) -> Landmarks:
    """What is known of all images: found, marked and corrected."""
    file = None if path is None else path / LANDMARKS
    found = read_landmarks(file) if file is not None and file.is_file() else None
    marks = given_marks(path)
    layers = [found, marks, initial]
    names = list(given)
    for layer in layers:
        names = _joined(names, [] if layer is None else layer.names)
    own = None
    if found is None and marks is None and dataset.landmarks is not None:
        own = Landmarks.of(dataset)
        names = names or own.names
    names = names or _to_fill(path) or list(dataset.landmark_names) or numbered(UNNAMED)
    nothing = np.full((len(dataset), len(names), 2), np.nan)
    known = Landmarks(dataset.ids, names, nothing, source=np.full(nothing.shape[:2], "", "<U9"))
    if own is not None and path is not None and (path / SELECTION).is_file():
        known = known.with_marks(own.rows(chosen_ids(path / SELECTION)))
    if found is not None:
        known = _over(known, found.rows(dataset.ids, absent=True))
    if marks is not None:
        known = known.with_marks(under(marks, dataset.ids))
    if file is not None and found is not None:
        edits = edits_in(file, dataset.ids, names).points
        known = known if edits is None else known.with_marks(edits)
    return known if initial is None else _over(known, under(initial, dataset.ids))


def _joined(names: list[str], more: Sequence[str]) -> list[str]:
    here = {form(name) for name in names}
    return [*names, *(name for name in more if form(name) not in here)]


def _to_fill(path: Path | None) -> list[str]:
    """The names in a marks.csv in which nothing is filled in."""
    file = None if path is None else path / MARKS
    return read_landmarks(file).names if file is not None and file.is_file() else []


def _over(known: Landmarks, more: Landmarks) -> Landmarks:
    """`known` with the points of `more` put in: what no person gave, where no person said
    anything; what a person gave, everywhere."""
    place = more.present & ~more.by_hand
    found = known.with_marks(replace(more, source=np.where(place, "marked", "")))
    put = found.by_hand & ~known.by_hand
    source = np.where(put, FOUND, known.source)
    xy = np.where(put[..., None], found.xy, known.xy)
    out = replace(found, xy=xy, source=source)
    return out.with_marks(more) if more.source is not None else out


def _usual(known: Landmarks, dataset: Dataset, shown: Sequence[str]) -> np.ndarray:
    """[L][3]: of each landmark the sums of x / W and y / H over the images that are not shown and
    in which a person marked it, and how many these are."""
    total = np.zeros((len(known.names), 3))
    here = set(shown)
    hand = known.by_hand & known.present
    for i in np.flatnonzero(hand.any(axis=1)):
        if known.ids[i] in here:
            continue
        height, width = dataset.shape(int(i))
        at = np.flatnonzero(hand[i])
        total[at, :2] += (known.xy[i, at] + 0.5) / (width, height)
        total[at, 2] += 1
    return total
