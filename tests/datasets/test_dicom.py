"""DICOM files: pixels as pydicom shows them, spacing as the standard means it."""

from __future__ import annotations

import io
import struct
import sys
import warnings
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom", reason="needs pydicom")

from dicomfiles import data_of, encapsulated, look_up_table, picture  # noqa: E402
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array  # noqa: E402

from scp import datasets  # noqa: E402
from scp.datasets import DatasetError, reading  # noqa: E402

ROOT = "1.2.840.10008.1.2"
RAMP = np.arange(40 * 30).reshape(40, 30)
GREY = (RAMP * 3 % 4096).astype(np.uint16)
BYTES = (RAMP % 256).astype(np.uint8)
COLOUR = np.stack([BYTES, BYTES[::-1], BYTES[:, ::-1]], axis=2)
TWELVE = {"BitsStored": 12}
BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"


def write(folder: Path, content, name: str = "a.dcm") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else data_of(content))
    return path


def grey_of(folder: Path, content) -> np.ndarray:
    """Grey as a share of white."""
    path = write(folder, content)
    header = reading.inspect(path)
    image = reading.read_grey(path)
    assert image.shape == header.shape
    assert image.dtype == (np.uint16 if header.bits == 16 else np.uint8)
    return image / (header.white or np.iinfo(image.dtype).max)


def oracle(content) -> np.ndarray:
    """The same by pydicom's functions, on whole pixels."""
    content = pydicom.dcmread(io.BytesIO(data_of(content)))
    array = pixel_array(content)
    out = apply_voi_lut(apply_modality_lut(array, content), content).astype(float)
    low = -(2 ** (content.BitsStored - 1)) if content.PixelRepresentation else 0
    ends = [low, low + 2**content.BitsStored - 1]
    if content.get("ModalityLUTSequence"):
        ends = [0, 2 ** content.ModalityLUTSequence[0].LUTDescriptor[2] - 1]
    if "RescaleSlope" in content:
        ends = [v * float(content.RescaleSlope) + float(content.RescaleIntercept) for v in ends]
    if content.get("VOILUTSequence"):
        ends = [0, 2 ** content.VOILUTSequence[0].LUTDescriptor[2] - 1]
    out = (out - min(ends)) / (max(ends) - min(ends))
    return 1 - out if content.PhotometricInterpretation == "MONOCHROME1" else out


WINDOW = {"WindowCenter": 1500, "WindowWidth": 900}
CURVE = np.minimum(np.sqrt(np.arange(4096) / 4095) * 1023, 1023).astype(int)


@pytest.mark.parametrize("colour", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"RescaleSlope": "2", "RescaleIntercept": "-1000"},
        WINDOW,
        {**WINDOW, "VOILUTFunction": "LINEAR_EXACT"},
        {**WINDOW, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": [1500, 200], "WindowWidth": [900, 50]},
        {**WINDOW, "RescaleSlope": "0.5", "RescaleIntercept": "100"},
        {"ModalityLUTSequence": [look_up_table(CURVE * 64, 0, 16)]},
        {"ModalityLUTSequence": [look_up_table(CURVE * 64, 0, 16)], **WINDOW},
        {"VOILUTSequence": [look_up_table(CURVE, 0, 10)], **WINDOW},
        {"VOILUTSequence": [look_up_table(CURVE[:1000], 500, 10), look_up_table(CURVE, 0, 10)]},
    ],
)
def test_grey_is_what_pydicom_shows(tmp_path, tags, colour):
    content = picture(GREY, PhotometricInterpretation=colour, **TWELVE, **tags)
    np.testing.assert_allclose(grey_of(tmp_path, content), oracle(content), atol=2e-5)


@pytest.mark.parametrize("tags", [{}, {"WindowCenter": 100, "WindowWidth": 700}])
@pytest.mark.parametrize("bits", [12, 16])
def test_numbers_with_a_sign(tmp_path, tags, bits):
    content = picture(GREY.astype(np.int16) - 2048, BitsStored=bits, **tags)
    np.testing.assert_allclose(grey_of(tmp_path, content), oracle(content), atol=2e-5)


def test_a_slope_below_zero_turns_grey_around(tmp_path):
    content = picture(GREY, RescaleSlope="-1", RescaleIntercept="4095", **TWELVE)
    np.testing.assert_allclose(grey_of(tmp_path, content), 1 - GREY / 4095)


def test_a_table_of_eight_bits_with_many_entries(tmp_path):
    """apply_voi_lut of pydicom wraps around here."""
    content = picture(GREY, VOILUTSequence=[look_up_table(CURVE // 4, 0, 8)], **TWELVE)
    np.testing.assert_allclose(grey_of(tmp_path, content), CURVE[GREY] // 4 / 255)


@pytest.mark.parametrize("width", [0, -3])
def test_a_window_without_a_width_is_none(tmp_path, width):
    content = picture(GREY, WindowCenter=5, WindowWidth=width, **TWELVE)
    np.testing.assert_allclose(grey_of(tmp_path, content), GREY / 4095)


def test_bits_that_lie_higher_and_overlays_in_what_is_left(tmp_path):
    shifted = picture((GREY << 4) | 9, BitsStored=12, HighBit=15)
    np.testing.assert_allclose(grey_of(tmp_path, shifted), GREY / 4095)
    overlay = picture(GREY | 0x3000, **TWELVE)
    np.testing.assert_allclose(grey_of(tmp_path, overlay), GREY / 4095)


def test_eight_bits_stay_and_fewer_fill_them(tmp_path):
    np.testing.assert_array_equal(grey_of(tmp_path, picture(BYTES)), BYTES / 255)
    inverse = picture(BYTES, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(grey_of(tmp_path, inverse), (255 - BYTES) / 255)
    six = picture(BYTES // 4, BitsStored=6)
    np.testing.assert_allclose(grey_of(tmp_path, six), BYTES // 4 / 63, atol=0.5 / 255)


def test_inverse_pixels_of_a_pool_take_its_white(tmp_path):
    """16 bits are said, 12 are used: white is that of the pool, as for TIFF."""
    for i in range(3):
        inverse = picture(GREY, i, PhotometricInterpretation="MONOCHROME1")
        write(tmp_path, inverse, f"{i}.dcm")
    pool = datasets.folder(tmp_path)
    assert pool.white(0) == 4095
    np.testing.assert_array_equal(pool.image(1), 4095 - GREY)


# Colour and compression ----


def luma(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)


def test_colour(tmp_path):
    want = luma(COLOUR) / 255
    np.testing.assert_allclose(grey_of(tmp_path, picture(COLOUR)), want, atol=1.1 / 255)
    planes = picture(COLOUR, PlanarConfiguration=1)
    planes.PixelData = np.moveaxis(COLOUR, 2, 0).tobytes()
    np.testing.assert_allclose(grey_of(tmp_path, planes), want, atol=1.1 / 255)
    ybr = cv2.cvtColor(COLOUR, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]]
    full = picture(np.ascontiguousarray(ybr), PhotometricInterpretation="YBR_FULL")
    np.testing.assert_allclose(grey_of(tmp_path, full), want, atol=4 / 255)
    smooth = np.repeat(ybr[:, ::2], 2, axis=1)
    half = picture(smooth, PhotometricInterpretation="YBR_FULL_422")
    pairs = smooth.reshape(40, 15, 2, 3)
    half.PixelData = np.stack(
        [pairs[..., 0, 0], pairs[..., 1, 0], pairs[..., 0, 1], pairs[..., 0, 2]], axis=-1
    ).tobytes()
    rgb = cv2.cvtColor(smooth[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB)
    np.testing.assert_allclose(grey_of(tmp_path, half), luma(rgb) / 255, atol=4 / 255)


@pytest.mark.parametrize("bits", [8, 16])
def test_palettes(tmp_path, bits):
    content = picture(BYTES, PhotometricInterpretation="PALETTE COLOR")
    tables = [np.arange(256), 255 - np.arange(256), np.arange(256) // 2]
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        entries = table * 257 if bits == 16 else table
        setattr(content, f"{name}PaletteColorLookupTableDescriptor", [256, 0, bits])
        data = entries.astype("<u2" if bits == 16 else "u1").tobytes()
        setattr(content, f"{name}PaletteColorLookupTableData", data)
    want = luma(np.stack([t[BYTES] for t in tables], axis=2).astype(np.uint8))
    np.testing.assert_allclose(grey_of(tmp_path, content), want / 255, atol=1.1 / 255)


def coded(image: np.ndarray, stream: bytes, syntax: str, **tags):
    return encapsulated(picture(image, **tags), stream, syntax)


def streams():
    """Name, image, stream, syntax, tags, largest difference."""
    jpeg, of_2000 = imagecodecs.jpeg_encode, imagecodecs.jpeg2k_encode
    lossless = imagecodecs.ljpeg_encode
    exact = {"codecformat": "j2k", "reversible": True}
    return [
        ("jpeg", BYTES, jpeg(BYTES, 95), f"{ROOT}.4.50", {}, 12),
        ("jpeg 12", GREY, jpeg(GREY, 95, bitspersample=12), f"{ROOT}.4.51", TWELVE, 60),
        (
            "lossless",
            GREY,
            lossless(GREY, bitspersample=12),
            f"{ROOT}.4.70",
            TWELVE,
            0,
        ),
        ("jpeg-ls", GREY, imagecodecs.jpegls_encode(GREY), f"{ROOT}.4.80", {}, 0),
        ("near", GREY, imagecodecs.jpegls_encode(GREY, 3), f"{ROOT}.4.81", {}, 3),
        ("2000", GREY, of_2000(GREY, **exact), f"{ROOT}.4.90", {}, 0),
        ("2000 of 8", BYTES, of_2000(BYTES, **exact), f"{ROOT}.4.90", {}, 0),
    ]


@pytest.mark.parametrize("case", streams(), ids=lambda case: case[0])
def test_compressed_pixels(tmp_path, case):
    pytest.importorskip("openjpeg", reason="needs pylibjpeg with its decoders")
    _, image, stream, syntax, tags, most = case
    path = write(tmp_path, coded(image, stream, syntax, **tags))
    out = reading.read_grey(path)
    assert np.abs(out.astype(int) - image).max() <= most
    wrong = coded(image[:-1], stream, syntax, **tags)
    with pytest.raises(DatasetError, match="another size"):
        reading.read_grey(write(tmp_path, wrong))
    cut = data_of(coded(image, stream, syntax, **tags))[:-20]
    with pytest.raises(DatasetError, match="truncated"):
        reading.inspect(write(tmp_path, cut))
    half = coded(image, stream[: len(stream) // 3], syntax, **tags)
    try:  # some decoders show what is there
        reading.read_grey(write(tmp_path, half))
    except DatasetError as error:
        assert str(path) in str(error)


def test_rle(tmp_path):
    content = picture(GREY, **TWELVE)
    content.compress(f"{ROOT}.5", encoding_plugin="pydicom")
    np.testing.assert_allclose(grey_of(tmp_path, content), GREY / 4095)
    content.BitsAllocated = content.BitsStored = 8
    content.HighBit = 7
    with pytest.raises(DatasetError, match="compressed image"):
        reading.read_grey(write(tmp_path, content))
    short = picture(GREY)
    short.compress(f"{ROOT}.5", encoding_plugin="pydicom")
    short.Rows = 200
    with pytest.raises(DatasetError, match="RLE data of the DICOM file cannot be decoded"):
        reading.read_grey(write(tmp_path, short))
    long = coded(GREY, struct.pack("<16I", 2, 64, 70000, *[0] * 13) + bytes(140000), f"{ROOT}.5")
    with pytest.raises(DatasetError, match="longer than its pixels"):
        reading.read_grey(write(tmp_path, long))


def test_a_modality_table_of_ten_bits(tmp_path):
    content = picture(GREY, ModalityLUTSequence=[look_up_table(CURVE, 0, 10)], **TWELVE)
    np.testing.assert_allclose(grey_of(tmp_path, content), CURVE[GREY] / 1023)


@pytest.mark.parametrize("order", [f"{ROOT}", f"{ROOT}.2"], ids=["implicit", "big"])
def test_other_byte_orders(tmp_path, order):
    content = picture(GREY, **TWELVE)
    content.file_meta.TransferSyntaxUID = order
    if order != ROOT:
        content.PixelData = GREY.astype(">u2").tobytes()
    content["PixelData"].VR = "OW"
    np.testing.assert_allclose(grey_of(tmp_path, content), GREY / 4095)


# What pydicom brings: other people's files.
READ = [
    "693_J2KI.dcm",
    "JPEG2000.dcm",
    "JPGExtended.dcm",
    "JPEGLSNearLossless_16.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "CT_small.dcm",
    "examples_overlay.dcm",
    "liver_1frame.dcm",
]


@pytest.mark.parametrize("name", READ)
def test_files_of_pydicom(name):
    pytest.importorskip("openjpeg", reason="needs pylibjpeg with its decoders")
    header, image = reading.inspect(BUNDLED / name), reading.read_grey(BUNDLED / name)
    content = pydicom.dcmread(BUNDLED / name)
    shown = apply_voi_lut(apply_modality_lut(content.pixel_array, content), content)
    if shown.ndim == 3:
        shown = shown[..., 0]
    # Equal up to scale and offset, as both are grey.
    fit = np.polyfit(shown.ravel(), image.ravel(), 1)
    worst = np.abs(np.polyval(fit, shown) - image).max()
    assert fit[0] > 0 and worst <= (1 if header.bits == 16 else 0.01)


COLOURED = [
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_rle_16bit.dcm",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_rgb_color.dcm",
    "examples_jpeg2k.dcm",
    "GDCMJ2K_TextGBR.dcm",
]


@pytest.mark.parametrize("name", COLOURED)
def test_colour_files_of_pydicom(name):
    pytest.importorskip("openjpeg", reason="needs pylibjpeg with its decoders")
    want = luma(pydicom.dcmread(BUNDLED / name).pixel_array).astype(int)
    assert np.abs(reading.read_grey(BUNDLED / name).astype(int) - want).max() <= 2


@pytest.mark.parametrize(
    "name, said",
    [
        ("MR_truncated.dcm", "truncated"),
        ("SC_rgb_rle_2frame.dcm", "2 frames"),
        ("rtdose_1frame.dcm", "32 of 32 bits"),
        ("test-SR.dcm", "Comprehensive SR Storage"),
        ("rtplan.dcm", "RT Plan Storage"),
        ("image_dfl.dcm", "deflated"),
        ("JPEG2000-embedded-sequence-delimiter.dcm", "another size"),
        ("no_meta.dcm", "not a PNG, JPEG, BMP, TIFF or DICOM image"),
    ],
)
def test_what_is_refused(name, said):
    with pytest.raises(DatasetError, match=said) as caught:
        reading.inspect(BUNDLED / name)
        reading.read_grey(BUNDLED / name)
    assert str(caught.value).startswith(str(BUNDLED / name))


@pytest.mark.parametrize(
    "tags, said",
    [
        ({"Rows": 41}, "too short"),
        ({"Rows": 60000, "Columns": 60000}, "megapixels"),
        ({"Rows": 0}, "0 pixels"),
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"PhotometricInterpretation": "HSV"}, "none of MONOCHROME1"),
        ({"PhotometricInterpretation": "RGB"}, "1 samples"),
        ({"BitsStored": 17, "HighBit": 16}, "bits"),
        ({"HighBit": 7}, "highest"),
        ({"BitsAllocated": 32}, "32 bits"),
        ({"VOILUTFunction": "OTHER", **WINDOW}, "VOI LUT function"),
    ],
)
def test_headers_that_are_refused(tmp_path, tags, said):
    path = write(tmp_path, picture(GREY, **tags))
    with pytest.raises(DatasetError, match=said) as caught:
        reading.inspect(path)
    assert str(path) in str(caught.value)


def test_without_pydicom(tmp_path, monkeypatch):
    path = write(tmp_path, picture(GREY))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DatasetError, match=r"pip install 'sample-choosing-policy\[dicom\]'"):
        reading.inspect(path)


def test_without_decoders(tmp_path, monkeypatch):
    path = write(tmp_path, coded(GREY, imagecodecs.jpegls_encode(GREY), f"{ROOT}.4.80"))
    monkeypatch.setattr("pydicom.pixels.decoders.base.Decoder.available_plugins", ())
    with pytest.raises(DatasetError, match=r"JPEG-LS pixels .*\[dicom\]'"):
        reading.read_grey(path)


# Folders ----


def test_files_in_folders(tmp_path):
    for i, name in enumerate(["b.dcm", "a.DICOM", "IM0001", "1.2.840.5.99", "DICOMDIR", "x.txt"]):
        write(tmp_path, picture(BYTES, i), name)
    (tmp_path / "README").write_text("no image")
    pool = datasets.folder(tmp_path)
    assert pool.ids == ["1.2.840.5.99", "IM0001", "a.DICOM", "b.dcm"]
    np.testing.assert_array_equal(pool.image(1), BYTES)


def test_nothing_of_a_file_is_said_by_pydicom(tmp_path, capfd, recwarn):
    content = picture(GREY, PatientName="Secret^Name")
    content.add_new(0x00281050, "DS", "1")
    data = data_of(content).replace(b"DS\x02\x001 ", b"DS\x02\x00xZ")
    path = write(tmp_path, data)
    warnings.simplefilter("always")
    with pytest.raises(DatasetError) as caught:
        reading.inspect(path)
    shown = f"{caught.value} {capfd.readouterr()} {[str(w.message) for w in recwarn]}"
    assert "xZ" not in shown and not recwarn.list
