"""TIFF: its tags are obeyed; bombs and what nobody reads are refused by name."""

from __future__ import annotations

import io
import struct
import time
import zlib

import cv2
import imagefiles
import numpy as np
import pytest
import tifffile

from scp.datasets import DatasetError, reading

RNG = np.random.default_rng(3)
LUMA = np.array([4899, 9617, 1868])


def write(tmp_path, image, **options):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, image, **options)
    return path


def values(bits, *shape):
    kind = np.uint8 if bits <= 8 else np.uint16
    return RNG.integers(0, 1 << bits, shape).astype(kind)


def filled(image, bits):
    """Fewer than 8 bits fill 0..255, 9 to 15 bits are moved up to fill 16."""
    if bits < 8:
        return image.astype(int) * 255 // ((1 << bits) - 1)
    return image.astype(int) << (16 - bits if bits > 8 else 0)


def luma(image):
    return (image.astype(np.int64) @ LUMA + 8192) >> 14


@pytest.mark.parametrize("bits", [2, 4, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("colour", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_grey_of_all_depths(tmp_path, bits, colour, tile):
    image = values(bits, 37, 52)
    path = write(tmp_path, image, photometric=colour, bitspersample=bits, tile=tile)
    want = filled(image, bits)
    if colour == "miniswhite":
        want = filled(np.array((1 << bits) - 1), bits) - want
    out = reading.read_grey(path)
    assert out.dtype == (np.uint8 if bits <= 8 else np.uint16)
    np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "packbits"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("order", "<>")
def test_colour_in_every_layout(tmp_path, bits, compression, planar, tile, order):
    image = values(bits, 37, 52, 3)
    data = image if planar == "contig" else np.moveaxis(image, 2, 0)
    options = {"photometric": "rgb", "planarconfig": planar, "compression": compression}
    options["predictor"] = compression in ("deflate", "lzw")
    path = write(tmp_path, data, tile=tile, byteorder=order, rowsperstrip=7, **options)
    np.testing.assert_array_equal(reading.read_grey(path), luma(image))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_alpha_is_dropped_never_multiplied_in(tmp_path, bits, alpha, channels, planar):
    image = values(bits, 37, 52, channels + 1)
    image[..., -1] = 100
    data = image if planar == "contig" else np.moveaxis(image, 2, 0)
    kind = "rgb" if channels == 3 else "minisblack"
    options = {"photometric": kind, "planarconfig": planar, "extrasamples": [alpha]}
    out = reading.read_grey(write(tmp_path, data, **options))
    want = luma(image[..., :3]) if channels == 3 else image[..., 0]
    np.testing.assert_array_equal(out, want)


def test_what_opencv_reads_rightly_has_the_same_bits(tmp_path):
    for image in (values(8, 37, 52), values(16, 37, 52), values(8, 37, 52, 3), values(16, 9, 8, 3)):
        for compression in (1, 5, 8, 32773):
            options = (cv2.IMWRITE_TIFF_COMPRESSION, compression)
            data = imagefiles.encode(".tiff", image, *options)
            path = tmp_path / "image.tif"
            path.write_bytes(data)
            flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH
            theirs = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
            np.testing.assert_array_equal(reading.read_grey(path), theirs)
    table = values(16, 3, 256)
    path = write(tmp_path, values(8, 37, 52), photometric="palette", colormap=table)
    theirs = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(reading.read_grey(path), theirs)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_what_opencv_does_not_decode(tmp_path, orientation):
    stored = values(16, 20, 30)
    options = {"photometric": "miniswhite", "extratags": [(274, 3, 1, orientation, True)]}
    out = reading.read_grey(write(tmp_path, stored, **options))
    np.testing.assert_array_equal(out, 65535 - imagefiles.displayed(stored, orientation))


def directory(entries, data=b"", order="<"):
    """A TIFF of these (tag, type, count, value) entries, with data behind its header of 8 bytes."""
    out = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(data)) + data
    out += struct.pack(order + "H", len(entries))
    for entry in entries:
        out += struct.pack(order + "HHII", *entry)
    return out + struct.pack(order + "I", 0)


def simple(height, width, data, compression=1, **more):
    tags = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1}
    tags |= {278: height, 279: len(data)} | {int(k[1:]): v for k, v in more.items()}
    return directory([(tag, 4, 1, value) for tag, value in sorted(tags.items())], data)


def refused(tmp_path, data, reason, seconds=2.0):
    path = tmp_path / "bomb.tif"
    path.write_bytes(data)
    start = time.process_time()
    with pytest.raises(DatasetError, match=rf"bomb\.tif: .*{reason}"):
        reading.read_grey(path)
    assert time.process_time() - start < seconds


def test_every_tag_that_reads_the_whole_file_is_a_bomb(tmp_path):
    size = 1 << 20
    for tag in (273, 999):  # one that is wanted, and one that only the decoder would read
        entries = [(tag, 1, size - 100_000, 8)] * 4000
        data = directory(entries, bytes(size - 12 * 4000 - 14))
        refused(tmp_path, data, "overlap")
    refused(tmp_path, directory([(274, 3, 1, 1)] * 60_000), "60000 tags")


def test_a_deflate_stream_longer_than_its_pixels_is_not_inflated(tmp_path):
    refused(tmp_path, simple(8, 8, zlib.compress(bytes(200_000_000), 9), 8), "inflates to more")
    refused(tmp_path, simple(8, 8, zlib.compress(bytes(64))[:-2], 8), "damaged")
    good = tmp_path / "good.tif"
    good.write_bytes(simple(8, 8, zlib.compress(bytes(range(64))), 8))
    assert reading.read_grey(good).ravel().tolist() == list(range(64))


def test_sizes_that_no_image_needs_are_refused(tmp_path):
    refused(tmp_path, simple(20_000, 20_000, bytes(64)), "(megapixels|no possible size)")
    huge = {"_322": 1 << 30, "_323": 1 << 30, "_324": 8, "_325": 64}
    refused(tmp_path, simple(8, 8, bytes(64), **huge), "no possible size")
    refused(tmp_path, simple(8, 8, bytes(63)), "too short")
    refused(tmp_path, simple(8, 8, bytes(64), _262=32803), "colour space 32803")
    refused(tmp_path, simple(8, 8, bytes(64), _277=60_000), "60000 samples")
    refused(tmp_path, simple(8, 8, bytes(64), _317=3), "predictor 3")


def test_damage_prints_nothing(tmp_path, capfd):
    data = simple(8, 8, bytes(64)).replace(struct.pack("<HHII", 278, 4, 1, 8), bytes(12))
    (tmp_path / "a.tif").write_bytes(data)
    assert reading.read_grey(tmp_path / "a.tif").shape == (8, 8)
    assert capfd.readouterr() == ("", "")


def test_a_strip_that_ends_with_more_rows_than_the_image_is_read(tmp_path):
    rows = np.arange(64, dtype=np.uint8)
    data = simple(8, 8, rows.tobytes() + bytes(16))
    (tmp_path / "a.tif").write_bytes(data)
    assert reading.read_grey(tmp_path / "a.tif").ravel().tolist() == rows.tolist()


def test_what_it_says_of_its_largest_value_is_the_range():
    for tag, value, white in ((341, 4095, 4095), (341, 3000, 4095), (281, 1023, 1023)):
        data = io.BytesIO()
        options = {"photometric": "minisblack", "extratags": [(tag, 3, 1, value, True)]}
        tifffile.imwrite(data, values(10, 8, 8), **options)
        data.seek(0)
        assert reading.parse(data, len(data.getvalue())).white == white


def test_a_header_cannot_ask_for_many_samples(tmp_path):
    """A hundred bytes that would take three gigabytes to decode."""
    values = {256: 14_000, 257: 14_000, 258: 8, 259: 8, 262: 1, 273: 120, 277: 16, 278: 14_000}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in values.items())
    entries += struct.pack("<HHII", 279, 4, 1, 10)
    path = tmp_path / "wide.tif"
    start = b"II*\0" + struct.pack("<IH", 8, len(values) + 1)
    path.write_bytes((start + entries + bytes(4)).ljust(140, b"\0"))
    with pytest.raises(DatasetError, match="16 samples are too many"):
        reading.inspect(path)
