"""Duplicates: copies are found, other images are not."""

from __future__ import annotations

import cv2
import imagefiles
import numpy as np
import pytest

from scp import datasets

BASE = datasets.phantom(12, seed=4)
IMAGES = [BASE.image(i) for i in range(12)]
H, W = IMAGES[0].shape


def moved(image, scale=1.0, angle=0.0, dx=0.0, dy=0.0):
    matrix = cv2.getRotationMatrix2D((W / 2, H / 2), angle, scale)
    matrix[:, 2] += dx * W, dy * H
    return cv2.warpAffine(image, matrix, (W, H), borderMode=cv2.BORDER_REPLICATE)


def noisy(image):
    grain = np.random.default_rng(0).normal(0, 8, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def recompressed(image):
    data = np.frombuffer(imagefiles.encode(".jpg", image, cv2.IMWRITE_JPEG_QUALITY, 30), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


COPIES = {
    "recompressed": recompressed,
    "half the size": lambda a: cv2.resize(a, (W // 2, H // 2), interpolation=cv2.INTER_AREA),
    "another aspect": lambda a: cv2.resize(a, (300, 300), interpolation=cv2.INTER_AREA),
    "16 bit": lambda a: a.astype(np.uint16) * 257,
    "12 bit in 16": lambda a: a.astype(np.uint16) * 16,
    "brighter": lambda a: np.clip(a * 0.6 + 80, 0, 255).astype(np.uint8),
    "gamma": lambda a: np.rint((a / 255) ** 0.6 * 255).astype(np.uint8),
    "noise": noisy,
    "shift 1 %": lambda a: moved(a, dx=0.01, dy=-0.01),
    "shift 3 %": lambda a: moved(a, dx=-0.03, dy=0.02),
    "shift 5 %": lambda a: moved(a, dx=0.05, dy=0.04),
    "scale": lambda a: moved(a, scale=1.03),
    "turn": lambda a: moved(a, angle=1.5),
    "crop": lambda a: a[H // 50 : -H // 33, W // 33 : -W // 50],
    "crop a corner": lambda a: a[: -H // 10, W // 10 :],
}


@pytest.mark.parametrize("name", COPIES)
def test_changed_copies_are_near_duplicates(name):
    copies = {i: COPIES[name](IMAGES[i]) for i in (0, 5, 11)}
    pairs = datasets.find_duplicates(datasets.arrays([*IMAGES, *copies.values()]))
    assert [(p.a, p.b) for p in pairs] == [(0, 12), (5, 13), (11, 14)]
    assert all(p.kind == "near" and 0 <= p.distance <= 0.25 for p in pairs)


def test_equal_pixels_are_exact_whatever_the_file(tmp_path):
    for name, image in (
        ("a.png", IMAGES[0]),
        ("b.bmp", IMAGES[0]),
        ("c.tif", IMAGES[0]),
        ("d.png", IMAGES[1]),
    ):
        (tmp_path / name).write_bytes(imagefiles.encode(name[1:], image))
    once_changed = IMAGES[0].copy()
    once_changed[7, 9] ^= 1
    (tmp_path / "e.png").write_bytes(imagefiles.encode(".png", once_changed))
    pairs = datasets.find_duplicates(datasets.folder(tmp_path))
    assert [(p.a, p.b, p.kind) for p in pairs] == [
        (0, 1, "exact"),
        (0, 2, "exact"),
        (0, 4, "near"),
        (1, 2, "exact"),
        (1, 4, "near"),
        (2, 4, "near"),
    ]


def test_different_patients_are_no_duplicates():
    assert datasets.find_duplicates(datasets.phantom(60, seed=6, size=(240, 192))) == []


def wing(seed: int) -> np.ndarray:
    """A line drawing: the same outline and veins, the junctions a few pixels elsewhere."""
    rng = np.random.default_rng(seed)
    image = np.full((240, 360), 235, np.uint8)
    at = np.array([[30, 120], [120, 60], [230, 70], [330, 130], [230, 190], [120, 180], [180, 125]])
    at = at + rng.normal(0, 2.5, at.shape)
    for a, b in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (0, 6), (6, 3), (1, 6), (6, 4)]:
        middle = (at[a] + at[b]) / 2 + rng.normal(0, 2, 2)
        curve = np.rint([at[a], middle, at[b]]).astype(np.int32)
        cv2.polylines(image, [curve], False, 40, 7, cv2.LINE_AA)
    image = cv2.GaussianBlur(image, (0, 0), 1.5)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def test_similar_subjects_are_no_duplicates():
    wings = [wing(seed) for seed in range(8)]
    assert datasets.find_duplicates(datasets.arrays(wings)) == []
    copy = cv2.resize(recompressed(wings[3]), (300, 200), interpolation=cv2.INTER_AREA)
    pairs = datasets.find_duplicates(datasets.arrays([*wings, copy]))
    assert [(p.a, p.b, p.kind) for p in pairs] == [(3, 8, "near")]


def test_the_same_patient_in_another_position_is_no_duplicate():
    assert (
        datasets.find_duplicates(datasets.phantom(12, seed=3, size=(240, 192), per_patient=3)) == []
    )


def test_flat_images_are_exact_or_nothing():
    flat = [np.full((20, 30), v, np.uint8) for v in (0, 9, 9, 255)]
    flat += [np.full((30, 20), 9, np.uint8), IMAGES[0]]
    pairs = datasets.find_duplicates(datasets.arrays(flat))
    assert [(p.a, p.b, p.kind) for p in pairs] == [(1, 2, "exact")]


def test_tiny_images_and_a_single_one():
    rng = np.random.default_rng(0)
    tiny = [rng.integers(0, 256, (1, 1), np.uint8), rng.integers(0, 256, (3, 2), np.uint8)]
    assert datasets.find_duplicates(datasets.arrays(tiny[:1])) == []
    datasets.find_duplicates(datasets.arrays(tiny))  # whatever the answer, no crash


def test_progress_is_reported():
    seen = []
    data = datasets.arrays(IMAGES[:3])
    datasets.find_duplicates(data, progress=lambda *at: seen.append(at))
    assert seen == [("duplicates", done, 3) for done in range(4)]


def test_real_look_alikes(real_data):
    pool = datasets.folder(real_data("chest")).subset(range(0, 600, 4))
    assert datasets.find_duplicates(pool) == []


def test_the_known_duplicates_of_the_real_data(real_data):
    data = datasets.cephalometric(real_data("cephalometric"), "all")
    pairs = {(data.ids[p.a], data.ids[p.b]) for p in datasets.find_duplicates(data)}
    known = {
        ("001", "275"),
        ("007", "293"),
        ("010", "295"),
        ("014", "287"),
        ("038", "283"),
        ("144", "173"),
    }
    assert known <= pairs
    if len(data) == 300:
        assert sum(a <= "150" < b for a, b in pairs) == 20
        assert sum(a > "150" for a, b in pairs) == 3
        assert len(pairs) == 23
