"""Image files: formats, depths, orientation, damage."""

from __future__ import annotations

import io
import os
import struct
import time
import zlib

import cv2
import imagefiles
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from scp import datasets
from scp.datasets import DatasetError, headers, reading

GREY = np.random.default_rng(5).integers(0, 256, (37, 52), dtype=np.uint8)
SUFFIXES = (".png", ".jpg", ".bmp", ".tiff")
SMOOTH = cv2.GaussianBlur(GREY, (0, 0), 3)


def write(tmp_path, data: bytes, name: str = "image.bin"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
def test_lossless_grey_comes_back(tmp_path, suffix):
    path = write(tmp_path, imagefiles.encode(suffix, GREY))
    assert reading.inspect(path).shape == GREY.shape
    np.testing.assert_array_equal(reading.read_grey(path), GREY)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_comes_back(tmp_path, suffix):
    image = (GREY.astype(np.uint16) << 8) + 3
    path = write(tmp_path, imagefiles.encode(suffix, image))
    out = reading.read_grey(path)
    assert out.dtype == np.uint16
    np.testing.assert_array_equal(out, image)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_colour_becomes_luma_and_alpha_goes(tmp_path, suffix, channels):
    if suffix == ".jpg" and channels == 4:
        pytest.skip("JPEG has no alpha")
    rng = np.random.default_rng(1)
    planes = rng.integers(0, 256, (channels, 40, 30), dtype=np.uint8)
    image = np.stack([cv2.GaussianBlur(plane, (0, 0), 4) for plane in planes], axis=2)
    out = reading.read_grey(write(tmp_path, imagefiles.encode(suffix, image)))
    assert out.shape == (40, 30)
    luma = image[..., :3] @ [0.114, 0.587, 0.299]
    assert np.abs(out - luma).max() <= (3 if suffix == ".jpg" else 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("make", [imagefiles.png, imagefiles.jpeg, imagefiles.tiff])
def test_orientation(tmp_path, make, orientation):
    path = write(tmp_path, make(SMOOTH, orientation))
    expected = imagefiles.displayed(SMOOTH, orientation)
    assert reading.inspect(path).shape == expected.shape
    out = reading.read_grey(path).astype(int)
    assert out.shape == expected.shape
    assert np.abs(out - expected).max() <= 2


@pytest.mark.parametrize("order", "<>")
def test_tiff_byte_orders(tmp_path, order):
    image = GREY.astype(np.uint16) * 257
    path = write(tmp_path, imagefiles.tiff(image, order=order))
    np.testing.assert_array_equal(reading.read_grey(path), image)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int16", "int32", "uint32"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "predictor": True}])
def test_pixels_that_need_a_scale(tmp_path, kind, options):
    image = np.arange(-600, 600).reshape(40, 30).clip(0 if kind[0] == "u" else -600)
    if kind == "float16" and options:
        options = {"compression": "zlib"}
    image = (image if "int" in kind else image / 2).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", image, **options)
    with pytest.raises(DatasetError, match=r"a\.tif: .*scale=\(low, high\), --scale LOW,HIGH"):
        datasets.folder(tmp_path)
    data = datasets.folder(tmp_path, scale=(-100, 200))
    want = np.rint(np.clip((image.astype(float) + 100) / 300, 0, 1) * 65535)
    np.testing.assert_array_equal(data.image(0), want)
    assert data.white(0) == 65535
    np.testing.assert_allclose(data.grid(0, (40, 30)), want / 65535, atol=1e-6)
    np.testing.assert_array_equal(data.subset([0]).image(0), want)


def test_no_number_is_refused_by_its_place(tmp_path):
    image = np.zeros((300, 20), np.float32)
    for value, name in ((np.nan, "NaN"), (np.inf, "infinite")):
        image[270, 3] = value
        tifffile.imwrite(tmp_path / "a.tif", image)
        with pytest.raises(DatasetError, match=rf"a\.tif: .*row 270, column 3, is {name}"):
            datasets.folder(tmp_path, scale=(0, 1)).image(0)
    for scale in ((1, 0), (0, np.nan), 3, (1, 1)):
        with pytest.raises(ValueError, match="scale must be"):
            datasets.folder(tmp_path, scale=scale)


def test_a_scale_leaves_other_pixels_alone(tmp_path):
    write(tmp_path, imagefiles.png(GREY, 1)).rename(tmp_path / "a.png")
    np.testing.assert_array_equal(datasets.folder(tmp_path, scale=(0, 1)).image(0), GREY)


@pytest.mark.parametrize("kind", ["complex64", "int64", "uint64"])
def test_other_tiff_pixels_are_refused_with_the_header(tmp_path, kind):
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(kind))
    with pytest.raises(DatasetError, match=r"a\.tif.*TIFF pixels"):
        reading.inspect(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_truncation_is_seen_in_the_header(tmp_path, suffix):
    data = imagefiles.encode(suffix, GREY)
    for size in range(len(data)):
        with pytest.raises(headers.HeaderError):
            headers.parse(io.BytesIO(data[:size]), size)
    headers.parse(io.BytesIO(data), len(data))


def test_progressive_jpeg_with_bytes_after_its_end(tmp_path):
    data = imagefiles.encode(".jpg", SMOOTH, cv2.IMWRITE_JPEG_PROGRESSIVE, 1) + b"\0" * 30
    path = write(tmp_path, data)
    assert reading.inspect(path).shape == GREY.shape
    with pytest.raises(DatasetError, match="truncated"):
        reading.inspect(write(tmp_path, data[:-32] + b"\0" * 32))


def test_reduced_jpeg_is_near_the_full_one(tmp_path):
    image = cv2.resize(SMOOTH, (403, 517))
    path = write(tmp_path, imagefiles.encode(".jpg", image))
    small = reading.read_grey(path, at_least=(100, 60))
    assert small.shape == (130, 101)
    full = cv2.resize(reading.read_grey(path), (101, 130), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - full).mean() < 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not a PNG"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"BM" + b"\0" * 60, "header"),
        (b"\xff\xd8\xff\xd9", "no pixels"),
    ],
)
def test_bad_files_are_named(tmp_path, data, reason):
    path = write(tmp_path, data)
    for function in (reading.inspect, reading.read_grey):
        with pytest.raises(DatasetError, match=rf"image\.bin: .*{reason}"):
            function(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DatasetError, match=r"none\.png"):
        reading.inspect(tmp_path / "none.png")
    with pytest.raises(DatasetError, match="cannot be read"):
        reading.read_grey(tmp_path)


def test_a_bomb_is_refused_before_decoding(tmp_path):
    data = bytearray(imagefiles.encode(".png", GREY))
    data[16:24] = struct.pack(">II", 50_000, 50_000)
    with pytest.raises(DatasetError, match="megapixels"):
        reading.inspect(write(tmp_path, bytes(data)))


def with_precision(bits: int, frame: int = 0xC0) -> bytes:
    data = bytearray(imagefiles.encode(".jpg", GREY))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = frame, bits
    return bytes(data)


@pytest.mark.parametrize(
    ("bits", "frame", "reason"),
    [(12, 0xC1, "a JPEG of 12 bits"), (16, 0xC3, "a lossless JPEG of 16 bits")],
)
def test_deep_jpeg_is_refused_with_that_reason(tmp_path, bits, frame, reason):
    path = write(tmp_path, with_precision(bits, frame))
    for function in (reading.inspect, reading.read_grey):
        with pytest.raises(DatasetError, match=rf"image\.bin: {reason}.*16-bit PNG"):
            function(path)


def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for function in (reading.inspect, reading.read_grey):
        with pytest.raises(DatasetError, match=r"pipe\.png: .*pipe"):
            function(tmp_path / "pipe.png")


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    path = write(tmp_path, imagefiles.encode(".png", GREY))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    with pytest.raises(DatasetError, match="cannot be decoded"):
        reading.read_grey(path)

    def none_left(*_):
        raise MemoryError

    monkeypatch.setattr(reading.np, "empty", none_left)
    with pytest.raises(MemoryError, match=r"image\.bin: not enough memory .* 52 x 37"):
        reading.read_grey(path)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bombs() -> dict[str, bytes]:
    """Files of up to some megabytes whose headers cost a careless reader minutes or gigabytes."""
    png, jpeg = imagefiles.encode(".png", GREY), imagefiles.encode(".jpg", GREY)
    text = zlib.compress(bytes(7_900_000), 9)
    entry = struct.pack("<HHII", 274, 3, 0x7FF8, 8)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 4000) + entry * 4000
    exif = exif.ljust(65_500, b"\0")
    block = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    scan = jpeg[jpeg.index(b"\xff\xda") : -2]
    wide = bytearray(jpeg)
    at = wide.index(b"\xff\xc0")
    wide[at + 5 : at + 9] = struct.pack(">HH", 12_000, 12_000)
    return {
        "texts": png[:33] + chunk(b"zTXt", b"k\0\0" + text) * 500 + png[33:],
        "profile": png[:33] + chunk(b"iCCP", b"k\0\0" + text) + png[33:],
        "chunks": png[:33] + chunk(b"quAT", b"") * 50_000 + png[33:],
        "exif": jpeg[:2] + block * 100 + jpeg[2:],
        "markers": jpeg[:2] + b"\xff\xe1\0\2" * 200_000 + jpeg[2:],
        "fill": jpeg[:2] + b"\xff" * 1_000_000 + jpeg[2:],
        "stuffing": jpeg[:-2] + b"\xff\0" * 2_000_000,
        "scans": bytes(wide[:-2]) + scan * 3000 + b"\xff\xd9",
    }


BOMBS = bombs()


@pytest.mark.parametrize("name", BOMBS)
def test_headers_take_time_linear_in_the_file(tmp_path, name):
    path = write(tmp_path, BOMBS[name])
    start = time.process_time()
    try:
        out = reading.read_grey(path)
    except DatasetError as error:
        assert name in ("stuffing", "scans") and "image.bin" in str(error)
    else:
        assert out.shape == GREY.shape
    assert time.process_time() - start < 3


def test_damaged_png_data_is_found(tmp_path):
    data = bytearray(imagefiles.encode(".png", GREY))
    data[len(data) // 2] ^= 0x10
    path = write(tmp_path, bytes(data))
    reading.inspect(path)
    with pytest.raises(DatasetError, match="checksum"):
        reading.read_grey(path)


@pytest.mark.parametrize("compression", [5, 8])  # LZW, deflate
def test_damaged_tiff_strips_are_found_silently(tmp_path, capfd, compression):
    image = GREY.astype(np.uint16) if compression == 5 else GREY
    good = imagefiles.encode(".tiff", image, cv2.IMWRITE_TIFF_COMPRESSION, compression)
    np.testing.assert_array_equal(reading.read_grey(write(tmp_path, good)), image)
    path = write(tmp_path, good[:60] + bytes(40) + good[100:])
    with pytest.raises(DatasetError, match=r"damaged|decoded"):
        reading.read_grey(path)
    assert capfd.readouterr() == ("", "")


def test_unknown_tiff_compression_is_named(tmp_path):
    entry = struct.Struct("<HHII")
    data = imagefiles.tiff(GREY).replace(entry.pack(259, 4, 1, 1), entry.pack(259, 4, 1, 999))
    with pytest.raises(DatasetError, match="compression 999"):
        reading.inspect(write(tmp_path, data))


FILES = [imagefiles.encode(suffix, GREY[:9, :11]) for suffix in SUFFIXES]
FILES += [imagefiles.tiff(GREY[:5, :6], 6, ">"), imagefiles.jpeg(GREY[:9, :9], 3)]
for options in (
    {"photometric": "rgb", "planarconfig": "separate", "compression": "deflate"},
    {"photometric": "rgb", "compression": "lzw", "predictor": True, "tile": (16, 16)},
):
    stack = np.stack([GREY[:19, :21]] * 3, axis=0 if "planarconfig" in options else 2)
    stream = io.BytesIO()
    tifffile.imwrite(stream, stack, **options)
    FILES.append(stream.getvalue())


@settings(max_examples=400, deadline=None)
@given(
    which=st.integers(0, len(FILES) - 1),
    edits=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 1 << 16),
)
def test_mutated_files_give_an_image_or_a_dataset_error(tmp_path_factory, which, edits, cut):
    data = bytearray(FILES[which])
    for at, value in edits:
        data[at % len(data)] = value
    if cut % 3 == 0:
        del data[cut % len(data) :]
    path = tmp_path_factory.getbasetemp() / "mutated.bin"
    path.write_bytes(data)
    try:
        header = reading.inspect(path)
        image = reading.read_grey(path)
    except DatasetError as error:
        assert "mutated.bin" in str(error)
    else:
        assert image.shape == header.shape
        assert image.dtype in (np.uint8, np.uint16)


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0+"]),
    rest=st.binary(max_size=200),
)
def test_random_bytes_never_crash_the_header_parser(start, rest):
    data = start + rest
    try:
        header = headers.parse(io.BytesIO(data), len(data))
    except headers.HeaderError:
        return
    assert header.height >= 1 and header.width >= 1 and 1 <= header.orientation <= 8


def test_png_pixels_that_inflate_to_much_more(tmp_path):
    """The data of an 8 x 8 picture go on for half a gigabyte."""
    png = imagefiles.encode(".png", GREY[:8, :8])
    start, end = png.index(b"IDAT") - 4, png.index(b"IEND") - 4
    deflate = zlib.compressobj(9)
    long = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(512)) + deflate.flush()
    body = b"IDAT" + long
    chunk = struct.pack(">I", len(long)) + body + struct.pack(">I", zlib.crc32(body))
    begin = time.process_time()
    with pytest.raises(DatasetError, match="inflates to more"):
        reading.read_grey(write(tmp_path, png[:start] + chunk + png[end:]))
    assert time.process_time() - begin < 0.5
