"""The faces that SCP would have annotated, by the generator's activations of an auto-encoder.

The paper (section 4) says of Table 3 that the model of the first stage suggests "the M instances
with the highest mean similarities". Read literally: faces by their own score, Eq. 9 with one
template, and the M highest of these. Beside it: the set that Eq. 9 gives, which cannot take the
same face twice in other clothes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from ..datasets import Dataset
from ..faces import FaceAutoencoder
from ..faces.views import middle, squares
from ..features import FeaturePyramid
from ..keypoints import detect
from ..progress import Progress, watch
from ..runs import Rows, RunFolder
from ..runs.fingerprints import of_dataset
from ..selection import select
from ..similarity import Queries, client_weights, match

SIMILARITY, LEDGER = "faces-similarity.npy", "faces-similarity.ledger"
LUMA = np.array([0.299, 0.587, 0.114])
SPACING = 10 / 384  # of the side: between key points, as in the released code


@dataclass(frozen=True)
class Asked:
    """Where faces are compared.

    faces: of which key points are searched in all others, drawn at random: each of them costs a
    search of every face. points: key points of each, at most. random_state: of the draw.
    """

    faces: int = 300
    points: int = 50
    random_state: int = 0


def activations(model: FaceAutoencoder, face: np.ndarray) -> FeaturePyramid:
    """x1 .. x4 of a square [1][P][P][3] as a pyramid of equal channels, zeros filled up."""
    maps = [m[0] for m in model.activations(middle(face, model.size))]
    wide = max(m.shape[2] for m in maps)
    filled = [np.pad(m, ((0, 0), (0, 0), (0, wide - m.shape[2]))) for m in maps]
    return FeaturePyramid.from_levels(filled, layout="hwc")


def key_points(face: np.ndarray, size: int, count: int, label: str | None = None) -> np.ndarray:
    """SIFT on the grey view of a square [1][P][P][3], float32 [K][2], pixels of the view. label:
    its name, for the warning where it has none."""
    begin = (face.shape[1] - size) // 2
    grey = face[0, begin : begin + size, begin : begin + size] @ LUMA
    image = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return detect(image, "sift", count, min_distance=SPACING * size, label=label).xy


def similarities(
    model: FaceAutoencoder, faces: Dataset, asked: Asked, folder: RunFolder, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """S float32 [N][Q]: how well each face explains each key point of those that are asked (Eq. 7);
    and the weight of each key point. Rows that are done are taken from the folder."""
    n = len(faces)
    rng = np.random.default_rng(asked.random_state)
    rows = np.sort(rng.permutation(n)[: asked.faces])
    vectors, norms, offsets = [], [], [0]
    for i in rows.tolist():
        face = squares(faces.subset([i]), model.size, model.room)[0]
        xy = key_points(face, model.size, asked.points, label=faces.ids[i])
        pyramid = activations(model, face)
        found = pyramid.at(xy * (pyramid.size[0] / model.size))
        vectors.append(found[0])
        norms.append(found[1])
        offsets.append(offsets[-1] + len(xy))
    if offsets[-1] == 0:
        raise ValueError("no key point in any of the faces")
    key = {
        "model": model.model_.digest(),
        "faces": of_dataset(faces),
        "rows": rows.tolist(),
        "points": asked.points,
    }
    shape = {SIMILARITY: ((n, offsets[-1]), np.float32)}
    done = Rows(folder, LEDGER, json.dumps(key, sort_keys=True), shape)
    queries = Queries(np.concatenate(vectors), np.concatenate(norms))
    bar = watch(progress, "similarity of faces", n)
    for i in range(n):
        if i not in done.done:
            face = squares(faces.subset([i]), model.size, model.room)[0]
            done.put(i, match(activations(model, face), queries)[0])
        if bar:
            bar(i + 1, n)
    return done.finish()[0], client_weights(offsets)


def top_singles(values: np.ndarray, weights: np.ndarray, m: int) -> list[int]:
    """The m rows of the highest own score, Eq. 9 with one template; of equals the first."""
    scores = np.array([np.dot(row.astype(np.float64), weights) for row in values])
    return np.argsort(-scores, kind="stable")[:m].tolist()


def best_set(values: np.ndarray, weights: np.ndarray, m: int) -> list[int]:
    """m rows that together have the highest score found, Eq. 9: greedy, then exchanges."""
    return [int(i) for i in select(values, m, weights=weights, progress=False).selected]
