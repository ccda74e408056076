"""Images that look like negatives of the others."""

from __future__ import annotations

import numpy as np
import pytest

import scp
from scp import datasets

BASE = datasets.phantom(9, seed=5, size=(160, 128))
IMAGES = [BASE.image(i) for i in range(9)]


@pytest.mark.parametrize("which", [(), (0,), (8, 3), (1, 2, 4, 7)])
def test_negatives_are_found(which):
    images = [255 - a if i in which else a for i, a in enumerate(IMAGES)]
    assert datasets.find_inverted(datasets.arrays(images)) == sorted(which)


def test_tone_does_not_make_a_negative():
    tones = [
        np.rint((a / 255) ** g * 200 + 20) for a, g in zip(IMAGES, [0.4, 1, 2.5] * 3, strict=True)
    ]
    assert datasets.find_inverted(datasets.arrays([t.astype(np.uint8) for t in tones])) == []


def test_two_images_and_images_without_content_say_nothing():
    assert datasets.find_inverted(datasets.arrays([IMAGES[0], 255 - IMAGES[0]])) == []
    flat = [np.full((20, 20), v, np.uint8) for v in (0, 90, 255)]
    assert datasets.find_inverted(datasets.arrays([*IMAGES[:3], *flat])) == []


def test_a_choice_warns_of_them():
    pool = datasets.arrays([*IMAGES[:4], 255 - IMAGES[4]])
    run = scp.Run(pool, features=scp.GradientExtractor(size=(64, 64)), duplicates=False)
    warnings = run.select(1).warnings
    assert [text for text in warnings if "negative of the others: 0004;" in text]


@pytest.mark.parametrize("name", ["cephalometric", "chest"])
def test_real_radiographs(real_data, name):
    root = real_data(name)
    pool = datasets.cephalometric(root) if name == "cephalometric" else datasets.folder(root)
    pool = pool.subset(range(0, min(len(pool), 400), 4))
    seen = datasets.pictures(pool)
    assert datasets.find_inverted(pool, seen=seen) == []
    seen[::7] *= -1
    found = datasets.find_inverted(pool, seen=seen)
    assert set(found) <= set(range(0, len(pool), 7))
    assert len(found) >= 0.8 * len(range(0, len(pool), 7))
