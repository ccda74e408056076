"""NIfTI, MetaImage and NRRD files of one slice.

Headers are short and pixels plain or deflated, so they are read here: SimpleITK crashes on damaged
ones, and a header may name a file anywhere. Tests compare with SimpleITK.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .header import MAX_PIXELS, Header, HeaderError
from .samples import luma

SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")
_START = 1 << 16  # bytes: what a text header may have
_FARTHEST = 1 << 20  # bytes: where the pixels of a NIfTI file may begin
_META = {"UCHAR": "u1", "CHAR": "i1", "USHORT": "u2", "SHORT": "i2", "UINT": "u4", "INT": "i4"}
_META |= {"FLOAT": "f4", "DOUBLE": "f8"}
_NIFTI = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
_RGB24 = 128  # of NIfTI
_NRRD = {
    **dict.fromkeys(("unsigned char", "uchar", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("unsigned short", "ushort", "unsigned short int"), "u2"),
    **dict.fromkeys(("uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int"), "i2"),
    **dict.fromkeys(("int16", "int16_t"), "i2"),
    **dict.fromkeys(("unsigned int", "uint", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    "float": "f4",
    "double": "f8",
}
_COLOURS = ("vector", "rgb-color", "rgba-color", "3-color", "4-color", "3-vector", "4-vector")
_MM = {1: 1000.0, 3: 0.001}  # of the units of NIfTI: metre, micrometre


@dataclass(frozen=True)
class _Slice:
    """A header, understood.

    sizes: of the axes, fastest first, without that of colours. kind: of a number, with its byte
    order. coded: deflated. file, begin: where the pixels are; begin is None: at the end.
    line: (slope, intercept) of what is stored.
    """

    name: str
    sizes: tuple[int, ...]
    kind: str
    file: Path
    begin: int | None = 0
    colours: int = 1
    coded: bool = False
    spacing: tuple[float, ...] | None = None  # of the axes
    line: tuple[float, float] | None = None

    @property
    def need(self) -> int:
        """Bytes of the pixels."""
        return math.prod(self.sizes) * self.colours * np.dtype(self.kind).itemsize


def suffix_of(path: str | os.PathLike[str]) -> str | None:
    """The suffix, if it is one of these formats."""
    name = os.fspath(path).lower()
    return next((s for s in SUFFIXES if name.endswith(s)), None)


def header(path: str | os.PathLike[str]) -> Header:
    """The header of a file of one slice.

    Raises:
        HeaderError: damaged, a volume, or data in a file elsewhere.
    """
    found = _read(Path(path))
    width, height = found.sizes[:2]
    measured = found.kind[1:] not in ("u1", "u2") or found.line is not None
    pair = None if found.spacing is None else (found.spacing[1], found.spacing[0])
    said = f"{found.name} header" if pair else f"none: the {found.name} header says none"
    return Header(
        found.name,
        height,
        width,
        bits=16 if measured or found.kind[1:] == "u2" else 8,
        white=65535 if measured else None,
        spacing=pair,
        origin=said,
        measured=measured,
    )


def pixels(path: str | os.PathLike[str]) -> np.ndarray:
    """Pixels [H][W] as stored, of any type; colour becomes luma."""
    found = _read(Path(path))
    image = np.frombuffer(_data(found), found.kind).astype(found.kind[1:])
    width, height = found.sizes[:2]
    if found.colours > 1:
        image = image.reshape(height, width, found.colours)
        return luma([image[..., k] for k in range(3)])
    image = image.reshape(height, width)
    return image if found.line is None else image * found.line[0] + found.line[1]


def _read(path: Path) -> _Slice:
    suffix = suffix_of(path)
    if suffix in (".nii", ".nii.gz"):
        found = _nifti(path, suffix == ".nii.gz")
    else:
        with open(path, "rb") as file:
            start = file.read(_START)
        try:
            found = _meta(path, start) if suffix in (".mha", ".mhd") else _nrrd(path, start)
        except (KeyError, ValueError, IndexError) as error:
            if isinstance(error, HeaderError):
                raise
            name = "MetaImage" if suffix in (".mha", ".mhd") else "NRRD"
            raise HeaderError(f"not a {name} file, or one of a kind that is not read") from None
    if len(found.sizes) < 2 or min(found.sizes) < 1:
        raise HeaderError(f"the {found.name} header says no image of rows and columns")
    if (slices := math.prod(found.sizes[2:])) > 1:
        raise HeaderError(f"a volume of {slices} slices; one slice a file is read: save one")
    if math.prod(found.sizes) > MAX_PIXELS:
        raise HeaderError(f"{found.sizes[0]} x {found.sizes[1]} pixels are more than the limit")
    if found.colours not in (1, 3, 4) or (found.colours > 1 and found.kind[1:] != "u1"):
        raise HeaderError(f"{found.name} pixels of {found.colours} numbers that are not 8-bit RGB")
    packed = found.coded  # then the pixels say it, and a NIfTI file counts unpacked bytes
    if not packed and (found.begin or 0) + found.need > os.stat(found.file).st_size:
        raise HeaderError(f"the {found.name} file is truncated")
    return found


def _data(found: _Slice) -> bytes:
    """The bytes of the pixels."""
    try:
        if found.name == "NIfTI" and found.coded:
            with gzip.open(found.file) as file:
                data = file.read((found.begin or 0) + found.need)[found.begin :]
                file.read(1)  # to the checksum, which stands at the end
        else:
            with open(found.file, "rb") as file:
                if found.begin is None:
                    file.seek(-found.need, os.SEEK_END)
                else:
                    file.seek(found.begin)
                data = file.read() if found.coded else file.read(found.need)
            if found.coded:
                stream = zlib.decompressobj(47)  # zlib or gzip
                data = stream.decompress(data, found.need + 1)
                if len(data) == found.need and not stream.eof:
                    stream.decompress(stream.unconsumed_tail, 1)
                if not stream.eof:
                    raise EOFError
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise HeaderError(f"the {found.name} file is damaged: its compressed pixels") from None
    if len(data) != found.need:
        raise HeaderError(f"the {found.name} file is truncated")
    return data


def _meta(path: Path, start: bytes) -> _Slice:
    at = re.search(rb"^ElementDataFile[ \t]*=[ \t]*(.*?)[ \t\r]*\n", start, re.M)
    if at is None:
        raise HeaderError("not a MetaImage file, or a damaged one")
    lines = start[: at.start()].decode("latin-1").splitlines()
    values = {k.strip(): v.strip() for k, _, v in (line.partition("=") for line in lines)}
    count, channels = int(values["NDims"]), int(values.get("ElementNumberOfChannels", "1"))
    big = values.get("BinaryDataByteOrderMSB", values.get("ElementByteOrderMSB", "False"))
    if values.get("BinaryData", "True").lower() != "true":
        raise HeaderError("a MetaImage file of numbers as text; binary ones are read")
    step = values.get("ElementSpacing", values.get("ElementSize"))
    local = at[1] == b"LOCAL"
    skip = int(values.get("HeaderSize", "0"))
    if skip < -1 or (skip == -1 and local):
        raise HeaderError("the MetaImage header says an impossible HeaderSize")
    return _Slice(
        "MetaImage",
        _sizes(values["DimSize"].split(), count),
        (">" if big.lower() == "true" else "<") + _META[values["ElementType"].removeprefix("MET_")],
        path if local else _beside(path, at[1]),
        at.end() if local else None if skip == -1 else skip,
        channels,
        values.get("CompressedData", "False").lower() == "true",
        None if step is None else _steps(step.split(), count),
    )


def _nrrd(path: Path, start: bytes) -> _Slice:
    end = re.search(rb"\r?\n\r?\n", start)
    if not start.startswith(b"NRRD000"):
        raise HeaderError("not a NRRD file, or a damaged one")
    detached = end is None
    text = start if end is None else start[: end.start()]
    values: dict[str, str] = {}
    for line in text.decode("latin-1").splitlines()[1:]:
        key, colon, value = line.partition(": ")
        if colon and not line.startswith("#") and ":=" not in key:
            values[key.lower().replace("datafile", "data file")] = value.strip()
    kind = _NRRD[values["type"].lower()]
    coding = values["encoding"].lower()
    if coding not in ("raw", "gzip", "gz"):
        raise HeaderError("NRRD pixels that are neither raw nor gzip")
    skip = int(values.get("byte skip", values.get("byteskip", "0")))
    if int(values.get("line skip", values.get("lineskip", "0"))) or skip < -1:
        raise HeaderError("NRRD pixels after lines to skip are not read")
    count = int(values["dimension"])
    sizes = _sizes(values["sizes"].split(), count)
    kinds = values.get("kinds", "").lower().split()
    colours = sizes[0] if kinds and kinds[0] in _COLOURS else 1
    axes = slice(1 if colours > 1 else 0, None)
    named = values.get("data file")
    if detached and named is None:
        raise HeaderError("the NRRD file is truncated")
    begin = skip if named is not None else (end.end() if end else 0) + max(skip, 0)
    return _Slice(
        "NRRD",
        sizes[axes],
        (">" if values.get("endian", "little").lower() == "big" else "<") + kind,
        path if named is None else _beside(path, named.encode("latin-1")),
        None if skip == -1 else begin,
        colours,
        coding != "raw",
        _nrrd_steps(values, count, axes),
    )


def _nrrd_steps(values: dict[str, str], count: int, axes: slice) -> tuple[float, ...] | None:
    """Lengths of the steps along the axes."""
    if "spacings" in values:
        return _steps(values["spacings"].split()[axes], 2)
    if "space directions" not in values:
        return None
    vectors = re.findall(r"none|\([^()]*\)", values["space directions"])[axes]
    lengths = [math.hypot(*map(float, v[1:-1].split(","))) for v in vectors if v != "none"]
    return _steps(lengths, 2)


def _nifti(path: Path, coded: bool) -> _Slice:
    try:
        with gzip.open(path) if coded else open(path, "rb") as file:
            start = file.read(352)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise HeaderError("the NIfTI file is damaged") from None
    order = "<" if start[:4] == struct.pack("<i", 348) else ">"
    if len(start) < 352 or start[344:348] != b"n+1\0" or start[:4] != struct.pack(order + "i", 348):
        raise HeaderError("not a NIfTI file, or a damaged one")
    count, *sizes = struct.unpack_from(order + "8h", start, 40)
    (code,) = struct.unpack_from(order + "h", start, 70)
    steps = struct.unpack_from(order + "8f", start, 76)[1:3]
    begin, slope, intercept = struct.unpack_from(order + "3f", start, 108)
    if not 2 <= count <= 7 or not 352 <= begin <= _FARTHEST:
        raise HeaderError("the NIfTI file is damaged: its header has impossible numbers")
    if code not in _NIFTI and code != _RGB24:
        raise HeaderError("NIfTI pixels of a type that is not read")
    scaled = math.isfinite(slope) and slope != 0 and math.isfinite(intercept)
    unit = _MM.get(start[123] & 7, 1.0)
    return _Slice(
        "NIfTI",
        tuple(sizes[:count]),
        order + _NIFTI.get(code, "u1"),
        path,
        int(begin),
        3 if code == _RGB24 else 1,
        coded,
        _steps([v * unit for v in steps], 2),
        (slope, intercept) if scaled and (slope, intercept) != (1, 0) else None,
    )


def _sizes(texts: list[str], count: int) -> tuple[int, ...]:
    if not 1 <= count <= 16 or len(texts) != count:
        raise ValueError
    return tuple(int(text) for text in texts)


def _steps(texts, count: int) -> tuple[float, ...] | None:
    """Positive lengths of the axes; None where they are none."""
    found = tuple(float(text) for text in texts)
    good = len(found) >= min(count, 2) and all(0 < v < math.inf for v in found[:2])
    return found[:2] if good and len(found) >= 2 else None


def _beside(path: Path, named: bytes) -> Path:
    """The file of the data, in the folder of the header or below it."""
    text = named.decode("utf-8", "replace").strip()
    if not text or text.upper().startswith("LIST") or "%" in text or "\0" in text:
        raise HeaderError("its data lie in several files; one slice in one file is read")
    whole = path.parent / text
    try:
        inside = not Path(text).is_absolute()
        inside = inside and whole.resolve().is_relative_to(path.parent.resolve())
    except (OSError, RuntimeError, ValueError):
        inside = False
    if not inside:
        raise HeaderError("its data lie outside its folder, and are not read")
    try:
        if whole.is_file():
            return whole
    except (OSError, ValueError):
        pass
    raise HeaderError("the file of its data is missing")
