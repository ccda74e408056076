"""The numbers behind the report, read from the similarity matrix block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

BLOCK_BYTES = 16 << 20


@dataclass(frozen=True)
class Pool:
    """How a selection covers the N images of the pool; T templates = the chosen, then the given."""

    counts: np.ndarray  # int64 [N], key points of each image
    coverage: np.ndarray  # float64 [N], mean cover value of the image's key points; NaN if none
    lowest: np.ndarray  # float64 [N], cover value of the worst key point; NaN if none
    templates: np.ndarray  # int64 [T], image numbers: the M chosen in pick order, then the given
    chosen: int  # M
    owner: np.ndarray  # int64 [N], position in `templates` that covers most key points; -1 if none
    points: np.ndarray  # int64 [T], key points covered best by each template
    images: np.ndarray  # int64 [T], images owned by each template
    mean_to: np.ndarray  # float64 [T][N], mean similarity of image n's key points to the template

    def position(self, i: int) -> int:
        """Position of image i among the templates, or -1."""
        where = np.flatnonzero(self.templates == i)
        return int(where[0]) if len(where) else -1


def image_means(block: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Mean over each image's key points: block [R][Q] -> float64 [R][N]; NaN without key points."""
    n = len(offsets) - 1
    counts = np.diff(offsets)
    out = np.full((len(block), n), np.nan)
    filled = np.flatnonzero(counts)
    if len(filled):
        # Images without key points take no columns, so the filled ones are adjacent.
        sums = np.add.reduceat(block, offsets[filled], axis=1).astype(np.float64)
        out[:, filled] = sums / counts[filled]
    return out


def row_blocks(values: Any) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, rows) pieces of values [N][Q], each about BLOCK_BYTES, at least one row."""
    n, q = values.shape
    rows = max(1, BLOCK_BYTES // max(1, q * 8))
    for first in range(0, n, rows):
        yield first, np.asarray(values[first : first + rows])


def given_images(selection: Any, n: int) -> list[int]:
    """Images already annotated before the choice: named in the parameters or seen in `cover`."""
    chosen = {int(i) for i in selection.selected}
    named = np.asarray((selection.parameters or {}).get("initial", ()), dtype=object).ravel()
    given = {int(i) for i in named if isinstance(i, (int, np.integer)) and 0 <= i < n}
    cover = np.asarray(selection.cover)
    given |= {int(i) for i in np.unique(cover[cover >= 0])}
    return sorted(given - chosen)


def measure(values: Any, offsets: np.ndarray, selection: Any) -> Pool:
    """Coverage of every image and the share of every template. Reads T rows of values [N][Q]."""
    n = len(offsets) - 1
    counts = np.diff(offsets)
    chosen = [int(i) for i in selection.selected]
    templates = np.array(chosen + given_images(selection, n), dtype=np.int64)
    cover = np.asarray(selection.cover, dtype=np.int64)
    cover_value = np.asarray(selection.cover_value, dtype=np.float64)

    coverage = image_means(cover_value[None, :], offsets)[0]
    lowest = np.full(n, np.nan)
    filled = np.flatnonzero(counts)
    if len(filled):
        lowest[filled] = np.minimum.reduceat(cover_value, offsets[filled])

    total = len(templates)
    place = np.full(n, -1, dtype=np.int64)
    place[templates] = np.arange(total)
    at = np.where(cover >= 0, place[cover], -1) if total else np.full(len(cover), -1)
    image_of = np.repeat(np.arange(n), counts)
    keep = at >= 0
    share = np.bincount(image_of[keep] * max(total, 1) + at[keep], minlength=n * max(total, 1))
    share = share.reshape(n, max(total, 1))
    owner = np.where(share.sum(axis=1) > 0, share.argmax(axis=1), -1)
    owner[templates] = np.arange(total)

    mean_to = np.full((total, n), np.nan)
    for k, t in enumerate(templates):
        mean_to[k] = image_means(np.asarray(values[int(t) : int(t) + 1]), offsets)[0]
    return Pool(
        counts=counts,
        coverage=coverage,
        lowest=lowest,
        templates=templates,
        chosen=len(chosen),
        owner=owner,
        points=share.sum(axis=0)[:total],
        images=np.bincount(owner[owner >= 0], minlength=total)[:total],
        mean_to=mean_to,
    )


@dataclass(frozen=True)
class Map:
    """Images in the plane, by classical multidimensional scaling of their similarity."""

    xy: np.ndarray  # float64 [N][2]; NaN for images without key points
    share: float  # part of the (positive) variation that the two axes carry


def project(values: Any, offsets: np.ndarray, first: np.ndarray, anchors: int = 800) -> Map | None:
    """Classical scaling of the image-to-image means of values [N][Q]; None below three images.

    The similarity of two images is the mean over the key points of one, searched in the other,
    averaged over both directions. Its doubly centred matrix is the Gram matrix of the squared
    distances s_ii + s_jj - 2 s_ij; the two largest eigenpairs are the coordinates. With more than
    `anchors` images the eigenvectors come from `anchors` of them (those in `first` included) and
    the others are placed by projection.
    """
    usable = np.flatnonzero(np.diff(offsets))
    if len(usable) < 3:
        return None
    picked = _anchors(usable, first, anchors)
    place = np.full(len(offsets) - 1, -1)
    place[picked] = np.arange(len(picked))

    total = np.zeros((len(picked), len(offsets) - 1))
    for start, block in row_blocks(values):
        means = np.nan_to_num(image_means(block, offsets), posinf=0.0, neginf=0.0)
        rows = np.arange(start, start + len(block))
        total[:, rows] += means[:, picked].T / 2
        mine = place[rows] >= 0
        total[place[rows[mine]]] += means[mine] / 2

    gram = total[:, picked]
    gram = (gram + gram.T) / 2
    # An image resembles itself fully and the next one far less. The same amount taken from the
    # whole diagonal keeps the eigenvectors and puts anchors and projected images on one scale.
    apart = gram - np.diag(np.full(len(gram), np.inf))
    spike = max(0.0, float(np.mean(np.diag(gram) - apart.max(axis=1))))
    gram = gram - spike * np.eye(len(gram))
    mean = gram.mean(axis=0)
    centred = gram - mean[:, None] - mean[None, :] + mean.mean()
    worth, vectors = np.linalg.eigh((centred + centred.T) / 2)
    positive = worth[worth > 0].sum()
    if not positive > 1e-12 * max(1.0, float(np.abs(gram).max())):
        return None
    worth, vectors = worth[::-1][:2], vectors[:, ::-1][:, :2]
    sign = np.sign(vectors[np.abs(vectors).argmax(axis=0), [0, 1]])
    vectors = vectors * np.where(sign == 0, 1.0, sign)

    root = np.sqrt(np.maximum(worth, 0.0))
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 1e-9 * root[0])
    xy = np.full((len(offsets) - 1, 2), np.nan)
    other = total[:, usable]
    other = other - other.mean(axis=0) - mean[:, None] + mean.mean()
    xy[usable] = other.T @ vectors * inverse
    xy[picked] = vectors * root
    return Map(xy=xy, share=float(np.maximum(worth, 0.0).sum() / positive))


def _anchors(usable: np.ndarray, first: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the usable images, sorted: those in `first`, then evenly spaced ones."""
    if len(usable) <= most:
        return usable
    forced = np.intersect1d(first, usable)[: most // 2]
    rest = np.setdiff1d(usable, forced)
    step = np.linspace(0, len(rest) - 1, most - len(forced)).round().astype(np.int64)
    return np.sort(np.concatenate([forced, rest[np.unique(step)]]))
