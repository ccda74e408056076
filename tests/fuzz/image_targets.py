"""Image files: headers, and pixels of those that are small."""

from __future__ import annotations

import struct
import tempfile
import zlib
from pathlib import Path

import cv2
import dicomfiles
import imagecodecs
import imagefiles
import numpy as np
from fuzzing import Target

from scp.datasets import DatasetError
from scp.datasets.reading import inspect, read_grey

try:
    import SimpleITK
except ImportError:  # large: of the leg `peers`
    SimpleITK = None

DICOM = "1.2.840.10008.1.2"
PICTURE = (np.arange(24 * 20).reshape(24, 20) % 251).astype(np.uint8)


def _png_sums(data: bytes) -> bytes:
    """The chunks' checksums made right again."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        end = at + 8 + int.from_bytes(out[at : at + 4], "big")
        if end + 4 > len(out):
            break
        out[end : end + 4] = zlib.crc32(out[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(out)


def _pngs() -> list[bytes]:
    wide = PICTURE.astype(np.uint16) * 257
    return [imagefiles.png(PICTURE, 6), imagefiles.encode(".png", wide)]


def _jpegs() -> list[bytes]:
    progressive = imagefiles.encode(".jpg", PICTURE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    return [imagefiles.jpeg(PICTURE, 6), progressive]


def _tiffs() -> list[bytes]:
    packed = [
        imagefiles.encode(".tif", PICTURE, cv2.IMWRITE_TIFF_COMPRESSION, k) for k in (1, 5, 8)
    ]
    measured = [imagefiles.tiff(PICTURE.astype(np.float32), kind=3)]
    whole = [imagefiles.tiff(PICTURE), imagefiles.tiff(PICTURE.astype(np.uint16), 3, ">")]
    return [*whole, *measured, *packed]


def _tiff_growing(size: int):
    """Directories in which every entry reads the whole file again."""
    for order, kind in (("<", 3), (">", 4), ("<", 1), ("<", 2)):
        count = min(size // 12, 65535)
        width = {1: 1, 2: 1, 3: 2, 4: 4}[kind]
        for tag in (273, 279, 258, 40000):
            entry = struct.pack(order + "HHII", tag, kind, (size // width) - 16, 8)
            start = b"II*\0" if order == "<" else b"MM\0*"
            body = struct.pack(order + "IH", 8, count) + entry * count + bytes(8)
            yield start + body


def _jpeg_growing(size: int):
    yield b"\xff\xd8" + b"\xff" * size
    yield b"\xff\xd8\xff" + b"\xd0\xff" * (size // 2)
    exif = b"\xff\xe1\xff\xfeExif\0\0" + (b"II*\0" + struct.pack("<IH", 8, 5000)).ljust(
        65526, b"\1"
    )
    yield b"\xff\xd8" + exif * max(size // len(exif), 1)
    directory = struct.pack("<HHII", 274, 3, 32000, 8) * 5400
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 5400) + directory
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    yield b"\xff\xd8" + segment * max(size // len(segment), 1)


def _png_growing(size: int):
    start = imagefiles.encode(".png", PICTURE)[:33]
    empty = struct.pack(">I4sI", 0, b"tEXt", zlib.crc32(b"tEXt"))
    yield start + empty * (size // 12)
    block = struct.pack(">I4s", 65536, b"eXIf") + (b"II*\0" + struct.pack("<IH", 8, 5000)).ljust(
        65536
    )
    yield start + (block + bytes(4)) * max(size // 65548, 1)


def _picture(path: Path) -> None:
    header = inspect(path)
    assert header.height > 0 and header.width > 0
    if header.height * header.width < 1 << 20:
        read_grey(path, scale=(0, 1))


def _dicoms() -> list[bytes]:
    wide = PICTURE.astype(np.uint16) * 16
    window = {"BitsStored": 12, "WindowCenter": 2000, "WindowWidth": 1500}
    spaced = {"PixelSpacing": [0.2, 0.1], "PatientName": "Some^One", "PatientID": "1"}
    packed = dicomfiles.picture(wide)
    packed.compress(f"{DICOM}.5", encoding_plugin="pydicom")
    colour = np.stack([PICTURE] * 3, axis=2)
    streams = [
        (PICTURE, imagecodecs.jpeg_encode(PICTURE, 90), "50"),
        (wide, imagecodecs.ljpeg_encode(wide, bitspersample=16), "70"),
        (wide, imagecodecs.jpegls_encode(wide), "80"),
        (wide, imagecodecs.jpeg2k_encode(wide, codecformat="j2k", reversible=True), "90"),
    ]
    table = dicomfiles.look_up_table(np.arange(256), 0, 8)
    contents = [
        dicomfiles.picture(wide, **window, **spaced),
        dicomfiles.picture(colour),
        dicomfiles.picture(PICTURE, VOILUTSequence=[table], ModalityLUTSequence=[table]),
        packed,
    ]
    contents += [
        dicomfiles.encapsulated(dicomfiles.picture(image), stream, f"{DICOM}.4.{syntax}")
        for image, stream, syntax in streams
    ]
    return [dicomfiles.data_of(content) for content in contents]


def _dicom_growing(size: int):
    start = dicomfiles.data_of(dicomfiles.picture(PICTURE, PatientName="A"))[:-8]
    start = start[: start.index(b"\xe0\x7f\x10\x00")]
    yield start + struct.pack("<HH2sHI", 0x0028, 0x3010, b"SQ", 0, 0xFFFFFFFF) * (size // 12)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    nested = struct.pack("<HH2sHI", 0x0028, 0x3010, b"SQ", 0, 0xFFFFFFFF) + item
    yield start + nested * (size // len(nested))
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    yield start + pixels + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * (size // 8)
    yield start + struct.pack("<HH2sH", 0x0028, 0x0030, b"DS", 0) * (size // 8)
    yield start + struct.pack("<HH2sHI", 0x0009, 0x0010, b"UN", 0, 0xFFFFFFFF) + b"\xfe" * size


def _of_itk(kind: str):
    """Small files of one of the formats of SimpleITK."""

    def seeds() -> list[bytes]:
        out = []
        with tempfile.TemporaryDirectory() as folder:
            for image in (PICTURE, PICTURE.astype(np.float32)):
                path = Path(folder) / f"a.{kind}"
                SimpleITK.WriteImage(SimpleITK.GetImageFromArray(image), str(path))
                out.append(path.read_bytes())
        return out

    return seeds


def _slice_targets() -> list[Target]:
    words = [
        b"ElementDataFile = ",
        b"DimSize = ",
        b"data file: ",
        b"sizes: ",
        b"../",
        b"LIST",
        b"n+1\0",
    ]
    return [
        Target(kind, _of_itk(kind), _picture, (DatasetError,), f"a.{kind}", words)
        for kind in ("nii", "nii.gz", "mha", "nrrd")
    ]


IMAGE_WORDS = [b"IEND", b"IDAT", b"\xff\xd9", b"\xff\xda", b"\xff\xe1", b"II*\0", b"MM\0*", b"eXIf"]
DICOM_WORDS = [b"\xe0\x7f\x10\x00", b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0", b"SQ", b"OB", b"UN"]
DICOM_WORDS += [b"\xff\xff\xff\xff", b"\x28\x00", b"1.2.840.10008.1.2.4.80", b"\xff\x4f\xff\x51"]
TARGETS = [
    Target("png", _pngs, _picture, (DatasetError,), "a.png", IMAGE_WORDS, _png_growing, _png_sums),
    Target("jpeg", _jpegs, _picture, (DatasetError,), "a.jpg", IMAGE_WORDS, _jpeg_growing),
    Target("tiff", _tiffs, _picture, (DatasetError,), "a.tif", IMAGE_WORDS, _tiff_growing),
    Target("dicom", _dicoms, _picture, (DatasetError,), "a.dcm", DICOM_WORDS, _dicom_growing),
    Target(
        "bmp",
        lambda: [imagefiles.encode(".bmp", PICTURE)],
        _picture,
        (DatasetError,),
        "a.bmp",
        IMAGE_WORDS,
    ),
]
if SimpleITK is not None:
    TARGETS += _slice_targets()
