"""A run folder in FiftyOne: tags, gains, key points, marks and landmarks of every image."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import Dataset
from ..landmarks import Landmarks, read_landmarks
from ..run.marks import given_marks
from ..runs import read_json
from ..runs.arrays import read_npz
from ..runs.folder import KEYPOINTS, LANDMARKS, SELECTION
from ..selection import chosen_ids

TAG = "scp-chosen"
FIELDS = ("scp_id", "scp_pick", "scp_gain", "scp_keypoints", "scp_marks", "scp_landmarks")


def to_fiftyone(run: str | os.PathLike[str], images: Dataset, name: str | None = None) -> Any:
    """A new `fiftyone.Dataset` of the images, with what the run folder knows of them.

    Args:
        run: the run folder, or a `Run`. images: the data set that was chosen from, of files.
        name: of the FiftyOne data set.

    See `fiftyone_samples` for the fields.
    """
    import fiftyone as fo

    dataset = fo.Dataset(name)
    dataset.add_samples(fiftyone_samples(run, images))
    return dataset


def add_to_fiftyone(view: Any, run: str | os.PathLike[str], images: Dataset) -> int:
    """Put the fields of `fiftyone_samples` into the samples of a FiftyOne data set or view that are
    of the same files; how many there were."""
    fields = {os.path.realpath(path): more for path, more in _all_fields(Path(run), images)}
    count = 0
    for sample in view.iter_samples(autosave=True):
        more = fields.get(os.path.realpath(sample.filepath))
        if more is None:
            continue
        count += 1
        sample.tags = [tag for tag in sample.tags if tag != TAG] + more.get("tags", [])
        for name in FIELDS:
            if name in more or sample.has_field(name):  # of an earlier choice
                sample[name] = more.get(name)
    return count


def fiftyone_samples(run: str | os.PathLike[str], images: Dataset) -> list[Any]:
    """A `fiftyone.Sample` per image; no database is needed for them.

    Fields: `scp_id`; the tag "scp-chosen", `scp_pick` (1, 2, ..) and `scp_gain` of the chosen;
    `scp_keypoints` (all key points of the choice in one `Keypoint`); `scp_marks` and
    `scp_landmarks` (a `Keypoint` for each landmark, with its name as label; those found with their
    confidence). Points are shares of width and height, as FiftyOne has them: pixel (x, y) of W x H
    is ((x + 0.5) / W, (y + 0.5) / H).

    Raises:
        ValueError: nothing was chosen yet, or the images are no files. ImportError: FiftyOne is not
            installed.
    """
    import fiftyone as fo

    return [fo.Sample(filepath=path, **more) for path, more in _all_fields(Path(run), images)]


def _all_fields(run: Path, images: Dataset) -> list[tuple[str, dict[str, Any]]]:
    """The file and the fields of every image."""
    import fiftyone as fo

    if not (run / SELECTION).is_file():
        raise ValueError(f"there is no {run / SELECTION}; scp select chooses images first")
    where = str(run / SELECTION)
    picks = {row: k for k, row in enumerate(images.rows(chosen_ids(run / SELECTION), where), 1)}
    gains = [entry.get("gain") for entry in read_json(run / SELECTION)["selected"]]
    points, tables = _key_points(run), {}
    marks = given_marks(run)
    if marks is not None:
        tables["scp_marks"] = marks
    if (run / LANDMARKS).is_file():
        tables["scp_landmarks"] = read_landmarks(run / LANDMARKS)
    tables = {name: table.rows(images.ids, absent=True) for name, table in tables.items()}
    out = []
    for i, name in enumerate(images.ids):
        path = images.path(i)
        if path is None:
            raise ValueError(f"images: {name!r} is no file, which FiftyOne needs")
        size, more = np.array(images.shape(i)[::-1]), {"scp_id": name}
        if i in picks:
            more |= {"tags": [TAG], "scp_pick": picks[i], "scp_gain": gains[picks[i] - 1]}
        xy = points.get(name)
        if xy is not None and len(xy):
            shares = ((xy + 0.5) / size).tolist()
            more["scp_keypoints"] = fo.Keypoints(
                keypoints=[fo.Keypoint(label="key points", points=shares)]
            )
        for field, table in tables.items():
            more[field] = fo.Keypoints(
                keypoints=[
                    fo.Keypoint(label=label, points=[tuple(share)], **sure)
                    for label, share, sure in _landmarks(table, i, size)
                ]
            )
        out.append((os.path.abspath(path), more))
    return out


def _landmarks(table: Landmarks, i: int, size: np.ndarray):
    """Label, place and confidence of the landmarks of row i that are there."""
    for k, label in enumerate(table.names):
        if table.present[i, k]:
            share = ((table.xy[i, k] + 0.5) / size).tolist()
            sure = {}
            if table.confidence is not None and np.isfinite(table.confidence[i, k]):
                sure = {"confidence": [float(table.confidence[i, k])]}
            yield label, share, sure


def _key_points(run: Path) -> dict[str, np.ndarray]:
    """Key points by image, in original pixels; none where whole images were compared."""
    if not (run / KEYPOINTS).is_file():
        return {}
    found = read_npz(run / KEYPOINTS, ("ids", "offsets", "xy"))
    cuts = found["offsets"]
    parts = [found["xy"][a:b].astype(np.float64) for a, b in pairwise(cuts)]
    return {
        str(name): xy[np.isfinite(xy).all(axis=1)]
        for name, xy in zip(found["ids"], parts, strict=True)
    }
