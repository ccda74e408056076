"""Which value is white: 10 to 14 bits in 16-bit files, few bits in 8, files that say it."""

from __future__ import annotations

import struct
import zlib

import cv2
import imagefiles
import numpy as np
import pytest
import tifffile

import scp
from scp import datasets
from scp.datasets import reading
from scp.runs import RunFolder

BASE = datasets.phantom(4, seed=2, size=(240, 192))
EIGHT = [BASE.image(i) for i in range(4)]


def deep(image, bits):
    """The same picture in `bits` bits of uint16."""
    return np.rint(image / 255 * ((1 << bits) - 1)).astype(np.uint16)


def write(folder, images, suffix=".png"):
    folder.mkdir()
    for i, image in enumerate(images):
        (folder / f"{i}{suffix}").write_bytes(imagefiles.encode(suffix, image))
    return folder


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 13, 14, 16])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_a_pool_shows_its_range(tmp_path, bits, suffix):
    pool = datasets.folder(write(tmp_path / "a", [deep(a, bits) for a in EIGHT], suffix))
    white = (1 << bits) - 1
    assert [pool.white(i) for i in range(4)] == [white] * 4
    assert pool.range_note() == ("" if bits == 16 else f"white is {white} ({bits} bits)")
    assert pool.range_note() in repr(pool) and pool.range_warnings() == []
    for i in range(4):
        for grid in (pool.grid(i, (96, 80)), next(pool.grids(i, [(96, 80)]))):
            assert np.abs(grid - BASE.grid(i, (96, 80))).max() < 1 / 255
        assert np.abs(pool.thumbnail(i, (32, 32)) - BASE.thumbnail(i, (32, 32))).max() < 1 / 255


def test_the_answers_are_those_of_eight_bits(tmp_path):
    found = []
    for name, images in (("b8", EIGHT), ("b12", [deep(a, 12) for a in EIGHT])):
        run = scp.Run(
            datasets.folder(write(tmp_path / name, images)),
            tmp_path / f"run-{name}",
            features=scp.GradientExtractor(size=(96, 96)),
            progress=False,
        )
        choice = run.select(2)
        marks = BASE.subset([0]).landmarks
        templates = run.dataset.subset([0]).with_landmarks(marks)
        detector = scp.LandmarkDetector(extractor=run.extractor).fit(templates)
        found.append((choice, detector.predict(run.dataset), run.parameters()["dataset"]))
    (a, marks_a, said_a), (b, marks_b, said_b) = found
    assert a.ids == b.ids and len(a.points) > 30
    assert np.abs(marks_a.xy - marks_b.xy).max() < 1
    assert np.abs(marks_a.confidence - marks_b.confidence).max() < 0.02
    assert "range" not in said_a and said_b["range"] == "white is 4095 (12 bits)"


def test_few_bits_in_eight_and_dark_pools():
    for bits in (2, 4, 6):
        low = datasets.arrays([a >> (8 - bits) for a in EIGHT])
        assert low.white(0) == (1 << bits) - 1 and low.grid(1).max() > 0.9
    dark = datasets.arrays([a >> 1 for a in EIGHT])  # dark, not of 7 bits
    assert dark.white(0) == 255
    full = datasets.arrays(EIGHT)
    np.testing.assert_array_equal(full.grid(0, (240, 192)), EIGHT[0] * np.float32(1 / 255))
    flat = datasets.arrays([np.full((9, 9), 40, np.uint8)])
    assert flat.grid(0, (3, 3)).max() == np.float32(40 / 255)


def big(bits, seed=0):
    """Noise of many pixels in `bits` bits."""
    draw = np.random.default_rng(seed)
    return draw.integers(0, 1 << bits, (400, 300), dtype=np.uint16)


def test_a_stray_pixel_is_not_the_range(tmp_path):
    images = [big(12, seed) for seed in range(3)]
    plain = datasets.arrays([a.copy() for a in images])
    images[1][7, 9] = images[1][200, 30] = 65535  # 2 of 120,000
    for pool in (datasets.arrays(images), datasets.folder(write(tmp_path / "a", images))):
        assert [pool.white(i) for i in range(3)] == [4095] * 3 and pool.range_warnings() == []
        apart = np.abs(pool.grid(1, (40, 30)) - plain.grid(1, (40, 30)))
        assert np.count_nonzero(apart) == 2 and apart.max() <= 1 / 100  # of a cell of 100, one
        assert np.array_equal(pool.grid(0, (40, 30)), plain.grid(0, (40, 30)))
    images[1][8, 9] = 65535  # three are a part of the picture
    assert datasets.arrays(images).white(0) == 65535
    eight = np.full((400, 300), 40, np.uint8)
    eight[3, 3] = 255
    assert datasets.arrays([eight]).white(0) == 255


def test_a_run_folder_keeps_the_range(tmp_path, monkeypatch):
    monkeypatch.setattr("scp.datasets.extents.AT_REST", -(10**18))
    folder = write(tmp_path / "a", [deep(a, 12) for a in EIGHT])
    decoded, extent = [], reading.extent
    monkeypatch.setattr(reading, "extent", lambda path: decoded.append(path) or extent(path))

    def start():
        decoded.clear()
        pool = datasets.folder(folder)
        with RunFolder(tmp_path / "run").holding(pool):
            whites = [pool.white(i) for i in range(4)]
        return whites, len(decoded)

    kept = tmp_path / "run" / "ranges.json"
    assert start() == ([4095] * 4, 4) and kept.is_file()
    assert start() == ([4095] * 4, 0)
    (folder / "2.png").write_bytes(imagefiles.encode(".png", deep(EIGHT[2], 14)))
    assert start() == ([16383] * 4, 1)
    kept.write_text(kept.read_text().replace("4095", "4094", 1))  # damaged: found again
    assert start() == ([16383] * 4, 4)


def test_a_subset_and_templates_take_the_range_of_the_whole():
    dim = np.minimum(deep(EIGHT[0], 12), 700)
    pool = datasets.arrays([dim, *(deep(a, 12) for a in EIGHT[1:])])
    part = pool.subset([0])
    marked = part.with_landmarks(np.ones((1, 2, 2)))
    assert part.white(0) == marked.white(0) == marked.subset([0]).white(0) == 4095
    np.testing.assert_array_equal(marked.grid(0), pool.grid(0))
    assert pool.range_warnings() == marked.range_warnings() != []


@pytest.mark.parametrize("odd", [EIGHT[3], deep(EIGHT[3], 16), deep(EIGHT[3], 10)])
def test_mixed_ranges_are_warned_of(tmp_path, odd):
    pool = datasets.folder(write(tmp_path / "a", [*(deep(a, 12) for a in EIGHT[:3]), odd]))
    (text,) = pool.range_warnings()
    assert (
        "3.png" in text
        and "3 up to 4095" in text
        and str((1 << odd.max().item().bit_length()) - 1) in text
    )
    run = scp.Run(pool, features=scp.GradientExtractor(size=(96, 96)), progress=False)
    assert text in run.select(1).warnings


def test_an_offset_is_warned_of(tmp_path):
    far = [deep(a, 12) + np.uint16(32768) for a in EIGHT]
    pool = datasets.folder(write(tmp_path / "a", far))
    (text,) = pool.range_warnings()
    assert " of 65535 (" in text and "values begin at 32" in text and "subtract it" in text
    bright = [np.full_like(far[0], 65535), *(deep(a, 16) for a in EIGHT)]
    assert datasets.folder(write(tmp_path / "b", bright)).range_warnings() == []
    assert datasets.arrays([np.full((9, 9), 255, np.uint8)] * 2).range_warnings() == []


def significant(data: bytes, bits: int) -> bytes:
    chunk = b"sBIT" + bytes([bits])
    check = struct.pack(">I", zlib.crc32(chunk))
    return data[:33] + struct.pack(">I", 1) + chunk + check + data[33:]


def test_what_files_say_counts_where_it_is_true(tmp_path):
    dim = [np.minimum(deep(a, 12), 1000) for a in EIGHT]
    for name, images, said, white in (
        ("said", dim, 12, 4095),
        ("shown", dim, 16, 1023),
        ("scaled", [deep(a, 16) for a in EIGHT], 12, 65535),
    ):
        folder = tmp_path / name
        folder.mkdir()
        for i, image in enumerate(images):
            data = imagefiles.encode(".png", image)
            (folder / f"{i}.png").write_bytes(significant(data, said))
        pool = datasets.folder(folder)
        assert {pool.white(i) for i in range(4)} == {white}


def test_white_is_zero_is_turned_by_the_range_of_the_pool(tmp_path):
    images = [deep(a, 12) for a in EIGHT]
    for i, image in enumerate(images):
        stored, kind = (4095 - image, "miniswhite") if i == 2 else (image, "minisblack")
        tifffile.imwrite(tmp_path / f"{i}.tif", stored, photometric=kind)
    pool = datasets.folder(tmp_path)
    assert [pool.white(i) for i in range(4)] == [4095] * 4 and pool.range_warnings() == []
    for i, image in enumerate(images):
        np.testing.assert_array_equal(pool.image(i), image)
    assert scp.Run(pool, features=scp.GradientExtractor(size=(96, 96))).inverted == []


def test_a_damaged_image_is_said_when_it_is_read(tmp_path):
    folder = write(tmp_path / "a", [deep(a, 12) for a in EIGHT])
    pool = datasets.folder(folder)
    data = bytearray((folder / "1.png").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "1.png").write_bytes(data)
    assert pool.grid(0).max() > 0.9
    with pytest.raises(datasets.DatasetError, match=r"1\.png.*checksum"):
        pool.grid(1)


def test_a_run_begins_anew_where_the_range_changed(tmp_path, monkeypatch):
    monkeypatch.setattr("scp.runs.images.AT_REST", -(10**18))
    folder = write(tmp_path / "a", [deep(a, 12) for a in EIGHT])
    extractor = scp.GradientExtractor(size=(96, 96))
    first = scp.Run(datasets.folder(folder), tmp_path / "run", features=extractor)
    first.select(1)
    again = scp.Run(datasets.folder(folder), tmp_path / "run", features=extractor)
    assert again.select(1).resumed == 4
    cv2.imwrite(str(folder / "4.png"), deep(EIGHT[3], 16))
    wider = scp.Run(datasets.folder(folder), tmp_path / "run", features=extractor)
    assert wider.select(1).resumed == 0
    assert wider.points().digests[0] != first.points().digests[0]
    assert RunFolder(tmp_path / "run").path.is_dir()
