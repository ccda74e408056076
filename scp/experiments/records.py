"""The landmarks of all templates searched in all images, once; what any set of them comes to."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..datasets import Dataset
from ..detection import VIEWS, Matches, grid_scales, match_templates, view_weights
from ..errors import warn
from ..evaluation.metrics import mean_radial_error, paper_errors, radial_errors
from ..progress import Progress, renamed
from ..runs import Rows, RunFolder, holding
from ..runs.arrays import read_npz
from ..runs.fingerprints import of_dataset
from .units import MM, Unit

WAYS = ("original", "grid")


@dataclass
class Record:
    """Matches of T templates in N images beside the truth.

    Attributes:
        matches: from `match_templates`.
        truth: float64 [N][L][2], original pixels. spacing: [N][2], of the unit of the errors (mm)
            per original pixel. shapes: [N][2].
        way: "original": distances in the original image; "grid": on whole pixels of the grid of
            `size`, as the released code measures.
        own: int64 [T], the image that is the template itself; -1 if it is not among the images.
        grid_spacing: of "grid", where the spacing of its pixels does not follow from that of the
            image: [N][2]; the truth is then rounded, as the code does it with hands.
    """

    matches: Matches
    truth: np.ndarray
    spacing: np.ndarray
    shapes: np.ndarray
    size: tuple[int, int]
    way: str
    own: np.ndarray
    grid_spacing: np.ndarray | None = None
    votes: np.ndarray = field(init=False, repr=False)  # errors of single votes, [T][V][N][L]

    def __post_init__(self):
        if self.way not in WAYS:
            raise ValueError(f"way must be one of {', '.join(WAYS)}, got {self.way!r}")
        self.votes = self.measure(self.matches.xy)
        similarity = self.matches.similarity
        self._rank = np.where(np.isnan(similarity), np.float32(-1), similarity)

    def __len__(self) -> int:
        return len(self.matches.xy)

    def first_view(self) -> Record:
        """The same with the first view alone: what Eq. 3 speaks of."""
        return replace(self, matches=self.matches.first_view())

    def measure(self, xy: np.ndarray) -> np.ndarray:
        """Radial errors in the unit, float64 [...][N][L], of points [...][N][L][2]."""
        if self.way == "original":
            return radial_errors(xy, self.truth, self.spacing)
        if self.grid_spacing is None:
            return paper_errors(xy, self.truth, self.shapes, self.spacing, size=self.size)
        how = {"size": self.size, "rule": "round", "grid_spacing": self.grid_spacing}
        return paper_errors(xy, self.truth, self.shapes, **how)

    def errors(self, rows: Sequence[int], rule: str = "confident") -> np.ndarray:
        """Radial errors [N][L] of a set of templates, combined by a rule of
        `scp.detection.combine`."""
        rows = np.asarray(rows, np.int64)
        if rule != "confident":
            return self.measure(self.matches.of(rows, rule)[0])
        rank = self._rank[rows].reshape(-1, *self._rank.shape[2:])
        errors = self.votes[rows].reshape(rank.shape)
        return np.take_along_axis(errors, rank.argmax(axis=0)[None], axis=0)[0]

    def mre(self, rows: Sequence[int], rule: str = "confident", others: bool = False) -> float:
        """Mean radial error of a set. others: in the images that are not among the set."""
        errors = self.errors(rows, rule)
        return mean_radial_error(errors[self.images_of(rows)] if others else errors)

    def images_of(self, rows: Sequence[int]) -> np.ndarray:
        """The images that are not among the templates, bool [N]."""
        keep = np.ones(len(self.truth), bool)
        own = self.own[np.asarray(rows, np.int64)]
        keep[own[own >= 0]] = False
        return keep

    def similarity(self, rows: Sequence[int], others: bool = False) -> float:
        """Landmark similarity of a set (the paper, Eq. 6): the mean over images and landmarks of
        the most similar template's similarity (Eq. 4). others: see `mre`."""
        best = self._rank[np.asarray(rows, np.int64)].max(axis=(0, 1)).astype(np.float64)
        best = np.where(best < 0, np.nan, best)
        return mean_radial_error(best[self.images_of(rows)] if others else best)


def record(
    extractor,
    templates: Dataset,
    images: Dataset,
    *,
    mode: str = "bilinear",
    way: str = "original",
    views: int = 1,
    unit: Unit = MM,
    grid_spacing: np.ndarray | None = None,
    folder: str | os.PathLike[str] | None = None,
    name: str = "matches",
    progress: Progress = None,
) -> Record:
    """The record of all templates in all images; from the run folder if it is there.

    Args:
        extractor: of features. mode, views: see `scp.LandmarkDetector`.
        way, grid_spacing: see `Record`. unit: of the errors.
        folder, name: the matches are kept in NAME.npz there; one of other features, images or
            landmarks is made again. NAME.ledger and its arrays hold them image by image until all
            are found, so what was stopped goes on.
        progress: see `scp.progress`.
    """
    for dataset, which in ((templates, "templates"), (images, "images")):
        if dataset.landmarks is None:
            raise ValueError(f"{which}: these images have no landmarks")
    try:
        spacing = unit.of(images)
    except ValueError as error:
        raise ValueError(f"images: {error}") from None
    key = json.dumps(
        {
            **extractor.parameters(),
            "mode": mode,
            "views": VIEWS[:views],
            "templates": of_dataset(templates),
            "images": of_dataset(images),
        },
        sort_keys=True,
    )
    with holding(folder):
        found = _matches(extractor, templates, images, mode, views, folder, name, key, progress)
    place = {name: i for i, name in enumerate(images.ids)} if images is templates else {}
    own = np.array([place.get(name, -1) for name in templates.ids], np.int64)
    shapes = np.array([images.shape(i) for i in range(len(images))], np.int64)
    return Record(
        found,
        np.asarray(images.landmarks, np.float64),
        spacing,
        shapes,
        tuple(extractor.grid_size),
        way,
        own,
        grid_spacing if way == "grid" else None,
    )


def _matches(extractor, templates, images, mode, views, folder, name, key, progress) -> Matches:
    """See `record`."""
    folder = RunFolder.of(folder)
    kept = None if folder is None else _read(folder, name, key)
    if kept is not None:
        return Matches(
            *kept,
            np.ones((len(templates), len(images)), bool),
            grid_scales(images, extractor.grid_size),
            view_weights(views),
        )
    parts = None
    if folder is not None:
        (folder / f"{name}.part").unlink(missing_ok=True)  # of version 0.1.0
        shape = len(images), len(templates), views, templates.landmarks.shape[1]
        arrays = {
            f"{name}.xy.npy": ((*shape, 2), np.float64),
            f"{name}.similarity.npy": (shape, np.float32),
        }
        parts = Rows(folder.path, f"{name}.ledger", key, arrays)
    bar = renamed(progress, f"matching {name}")
    found = match_templates(
        extractor, templates, images, mode, views=views, progress=bar, found=parts
    )
    if folder is not None:
        _write(folder, name, key, found)
        parts.remove()
    return found


def _read(folder: RunFolder, name: str, key: str):
    path = folder / f"{name}.npz"
    if not path.is_file():
        return None
    try:
        content = read_npz(path, ("key", "xy", "similarity"))
    except ValueError as error:
        warn(f"{error}; matched again")
        return None
    return (content["xy"], content["similarity"]) if str(content["key"]) == key else None


def _write(folder: RunFolder, name: str, key: str, matches: Matches) -> None:
    content = io.BytesIO()
    np.savez(content, key=np.array(key), xy=matches.xy, similarity=matches.similarity)
    with folder.writing(f"{name}.npz") as path:
        path.write_bytes(content.getbuffer())
