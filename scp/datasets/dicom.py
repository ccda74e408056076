"""DICOM: one grey or colour picture of a file, as it is meant to be seen, and its spacing.

pydicom reads the tags that are asked for and decodes the pixels. No other tag is read, and no text
of a file goes into a message: names and numbers of patients stay in it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

import numpy as np

from .codestreams import check_rle, coded_shape
from .header import MAX_PIXELS, Header, HeaderError
from .quiet import Quiet
from .samples import filled, luma
from .spacing_tags import TAGS as SPACING_TAGS
from .spacing_tags import spacing_in

INSTALL = "pip install 'sample-choosing-policy[dicom]'"
_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
_PALETTE = "PALETTE COLOR"
_COLOURS = {
    **dict.fromkeys(_MONOCHROME, 1),
    _PALETTE: 1,
    **dict.fromkeys(("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"), 3),
}  # and their samples per pixel
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_ROOT = "1.2.840.10008.1.2"  # of the names of transfer syntaxes
_PLAIN = {_ROOT, f"{_ROOT}.1", f"{_ROOT}.2"}
_RLE = f"{_ROOT}.5"
_CODED = {  # and what each is called
    _RLE: "RLE",
    **dict.fromkeys((f"{_ROOT}.4.50", f"{_ROOT}.4.51"), "JPEG"),
    **dict.fromkeys((f"{_ROOT}.4.57", f"{_ROOT}.4.70"), "lossless JPEG"),
    **dict.fromkeys((f"{_ROOT}.4.80", f"{_ROOT}.4.81"), "JPEG-LS"),
    **dict.fromkeys((f"{_ROOT}.4.90", f"{_ROOT}.4.91"), "JPEG 2000"),
    **dict.fromkeys((f"{_ROOT}.4.{k}" for k in (201, 202, 203)), "HTJ2K"),
}
_PIXELS = 0x7FE0, 0x0010
_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_MOST_ENTRIES = 1 << 16  # of a look-up table
_TAGS = [
    "SOPClassUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "WindowCenter",
    "WindowWidth",
    "RescaleIntercept",
    "RescaleSlope",
    "VOILUTFunction",
    "VOILUTSequence",
    "ModalityLUTSequence",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    *SPACING_TAGS,
]
_QUIET = Quiet()
T = TypeVar("T")


def is_dicom(file: BinaryIO) -> bool:
    """Whether a file says that it is DICOM; its position moves."""
    file.seek(128)
    return file.read(4) == b"DICM"


def header(file: BinaryIO, size: int) -> Header:
    """The header of a file whose pixels are there to the end.

    Raises:
        HeaderError: damaged, or one of the kinds that are not read.
    """
    return _guarded(lambda: _Image(file, size).header())


def grey(data: bytes) -> np.ndarray:
    """Grey pixels [H][W], uint8 or uint16, of a whole file that `header` accepts; where that says
    `inverted`, 0 is white."""
    return _guarded(lambda: _Image(io.BytesIO(data), len(data)).grey(data))


def identity(file: BinaryIO, size: int) -> tuple[str | None, tuple[str, str] | None]:
    """(SOP instance UID, (issuer, ID) of the patient), None where the file has none."""
    return _guarded(lambda: _identity(file, size))


def _guarded(read: Callable[[], T]) -> T:
    """What `read` returns; HeaderError for whatever goes wrong in pydicom, without its words."""
    try:
        import pydicom  # noqa: F401
    except ImportError:
        raise HeaderError(f"a DICOM file; pydicom reads it: {INSTALL}") from None
    with _QUIET:
        try:
            return read()
        except (HeaderError, MemoryError):
            raise
        except Exception:  # of many kinds, for damaged data; the texts quote it
            raise HeaderError("the DICOM file is damaged") from None


class _Bounded:
    """A file of which nobody reads more than there is, whatever length a tag claims."""

    def __init__(self, file: BinaryIO, size: int):
        self._file, self._size = file, size
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        if count < 0:  # asked only before tags are inflated, to whatever length
            raise HeaderError("a DICOM file with deflated tags: convert it to explicit VR")
        return self._file.read(max(min(count, self._size - self._file.tell()), 0))


def _read(file: BinaryIO, size: int, tags: list[str], pixels: bool = False) -> Any:
    """These tags, as a pydicom data set; without the pixels, the file then stands at them."""
    from pydicom import dcmread

    file.seek(0)
    return dcmread(_Bounded(file, size), stop_before_pixels=not pixels, specific_tags=tags)  # type: ignore[arg-type]


def _identity(file: BinaryIO, size: int) -> tuple[str | None, tuple[str, str] | None]:
    names = ["SOPInstanceUID", "PatientID", "IssuerOfPatientID"]
    found = _read(file, size, names)
    uid, patient, issuer = (str(found.get(name) or "").strip() for name in names)
    return uid or None, (issuer, patient) if patient else None


@dataclass(frozen=True)
class _Shown:
    """How stored values of one sample become grey.

    Attributes:
        low: the smallest value that can be stored; table[value - low] is its grey, uint8 or uint16.
        white: of `Header`; inverted: the smallest grey is white.
    """

    low: int
    table: np.ndarray
    white: int | None
    inverted: bool


class _Image:
    """The tags of a file, checked."""

    def __init__(self, file: BinaryIO, size: int):
        self.tags = tags = _read(file, size, _TAGS)
        self.syntax = str(tags.file_meta.get("TransferSyntaxUID") or "")
        if self.syntax not in _PLAIN and self.syntax not in _CODED:
            name = _known(self.syntax)
            raise HeaderError(f"the DICOM transfer syntax ({name}) is not supported")
        self.start = file.tell()
        self._find_pixels(file, size)
        self.shape = self._number("Rows"), self._number("Columns")
        self.samples = self._number("SamplesPerPixel", 1)
        self.colour = str(tags.get("PhotometricInterpretation") or "")
        self._check_frame()
        self.allocated = self._number("BitsAllocated")
        self.stored = self._number("BitsStored", self.allocated)
        self.high = self._number("HighBit", self.stored - 1)
        self.signed = self._number("PixelRepresentation", 0) == 1
        self._check_bits()
        self._check_length(size)

    def header(self) -> Header:
        spacing, origin, caution = spacing_in(self.tags)
        deep, white, inverted = self.samples == 3 and self.stored > 8, None, False
        if self.colour in _MONOCHROME:
            shown = self._shown()
            deep, white, inverted = shown.table.dtype == np.uint16, shown.white, shown.inverted
        elif deep:
            white = self._white(self.stored)
        bits = 16 if deep else 8
        rest = {"spacing": spacing, "origin": origin, "caution": caution}
        return Header("DICOM", *self.shape, 1, bits, white, inverted and deep, **rest)

    def grey(self, data: bytes) -> np.ndarray:
        image = self._decoded(data)
        if self.colour in _MONOCHROME:
            shown = self._shown()
            index = (image >> (self.high + 1 - self.stored)).astype(np.int32) - shown.low
            out = shown.table[index]
            return 255 - out if shown.inverted and out.dtype == np.uint8 else out
        if self.colour == _PALETTE:
            from pydicom.pixels import apply_color_lut

            image = apply_color_lut(image, self.tags)
            image = (image >> 8 if image.max() > 255 else image).astype(np.uint8)
        elif image.dtype != np.uint8:
            image = image.astype(np.uint16 if self.stored > 8 else np.uint8)
        return luma([image[..., k] for k in range(3)])

    # What the tags say, checked ----

    def _number(self, name: str, usual: int | None = None) -> int:
        value = self.tags.get(name)
        if value is None and usual is not None:
            return usual
        if not isinstance(value, int):
            raise HeaderError(f"the DICOM file says no {name}")
        return int(value)

    def _find_pixels(self, file: BinaryIO, size: int) -> None:
        """Where the value of (7FE0,0010) begins, and its length; None of encapsulated ones."""
        implicit, little = self.tags.original_encoding
        order = "<" if little else ">"
        file.seek(self.start)
        tag = file.read(4)
        if len(tag) < 4 or struct.unpack(order + "HH", tag) != _PIXELS:
            if len(tag) == 4 and struct.unpack(order + "HH", tag) in ((0x7FE0, 8), (0x7FE0, 9)):
                raise HeaderError("floating-point DICOM pixels; integers are read")
            raise HeaderError(
                f"a DICOM file without pixels ({_known(self.tags.get('SOPClassUID'))})"
            )
        vr = b"" if implicit else file.read(4)
        wide = implicit or vr[:2] in (b"OB", b"OW", b"UN")
        length = file.read(4) if wide else vr[2:]
        if len(length) != (4 if wide else 2):
            raise HeaderError("the DICOM file is truncated")
        self.start = file.tell()
        count = struct.unpack(order + ("I" if wide else "H"), length)[0]
        self.length = None if count == 0xFFFFFFFF else count
        self.parts: list[tuple[int, int]] = []
        if self.length is None:
            self.parts = _fragments(file, size)

    def _check_frame(self) -> None:
        frames = str(self.tags.get("NumberOfFrames") or "1").strip()
        if frames != "1":
            said = f"of {frames} frames" if frames.isdecimal() else "of several frames"
            raise HeaderError(f"a DICOM file {said}; one image a file is read: save one frame")
        height, width = self.shape
        if height * width > MAX_PIXELS:
            limit = MAX_PIXELS // 1_000_000
            raise HeaderError(
                f"{width} x {height} pixels are more than the limit of {limit} megapixels"
            )
        if self.colour not in _COLOURS:
            raise HeaderError(f"a DICOM file that is none of {', '.join(_COLOURS)}")
        if _COLOURS[self.colour] != self.samples:
            raise HeaderError(
                f"a DICOM file of {self.colour} with {self.samples} samples per pixel"
            )
        if height < 1 or width < 1:
            raise HeaderError(f"the DICOM header says {width} x {height} pixels")

    def _check_bits(self) -> None:
        said = f"{self.stored} of {self.allocated} bits"
        if self.allocated not in (1, 8, 16):
            raise HeaderError(f"DICOM pixels of {said}; up to 16 are read")
        if not 1 <= self.stored <= self.high + 1 <= self.allocated:
            raise HeaderError(f"the DICOM file is damaged: {said}, the highest is bit {self.high}")
        if self.colour not in _MONOCHROME and self.high + 1 != self.stored:
            raise HeaderError(f"colour DICOM pixels of {said}, the highest bit {self.high}")
        if self.colour not in _MONOCHROME and self.signed:
            raise HeaderError("the DICOM file is damaged: colours with a sign")

    def _check_length(self, size: int) -> None:
        if (self.syntax in _PLAIN) != (self.length is not None):
            raise HeaderError("the DICOM file is damaged: its pixels do not match its syntax")
        if self.length is None:
            return
        if self.start + self.length > size:
            raise HeaderError("the DICOM file is truncated")
        height, width = self.shape
        bits = height * width * self.samples * self.allocated
        if self.colour == "YBR_FULL_422":
            bits = bits * 2 // 3
        if self.length < -(-bits // 8):
            raise HeaderError("the DICOM file is damaged: its pixel data is too short")

    # Pixels ----

    def _decoded(self, data: bytes) -> np.ndarray:
        """Stored values [H][W], or [H][W][3] of red, green and blue, as pydicom decodes them."""
        from pydicom.pixels import get_decoder, pixel_array

        coded = _CODED.get(self.syntax)
        plugin = "pydicom" if coded in (None, "RLE") else "pylibjpeg"
        if coded is not None:
            if plugin not in get_decoder(self.syntax).available_plugins:
                raise HeaderError(
                    f"{coded} pixels in a DICOM file; pylibjpeg reads them: {INSTALL}"
                )
            self._check_coded(data)
        tags = _read(io.BytesIO(data), len(data), [*_TAGS, "PixelData"], pixels=True)
        tags.BitsStored = self.high + 1  # all that lie below the highest; shifted afterwards
        tags.NumberOfFrames = 1
        options = {} if coded is None else {"decoding_plugin": plugin}
        try:
            image = pixel_array(tags, index=0, **options)
        except MemoryError:
            raise
        except Exception:
            kind = f"{coded} data" if coded else "pixel data"
            raise HeaderError(f"the {kind} of the DICOM file cannot be decoded") from None
        want = self.shape if self.samples == 1 else (*self.shape, 3)
        if image.shape != want:
            raise HeaderError("the DICOM file is damaged: it decodes to another size")
        return image

    def _check_coded(self, data: bytes) -> None:
        """HeaderError where the compressed data would decode to another image than the header's."""
        stream = b"".join(data[at : at + count] for at, count in self.parts[1:])
        if self.syntax == _RLE:
            check_rle(stream, self.shape[0] * self.shape[1], self.samples * self.allocated // 8)
        elif coded_shape(stream) != (*self.shape, self.samples):
            raise HeaderError("the DICOM file is damaged: its compressed image has another size")

    # Grey ----

    def _white(self, bits: int) -> int | None:
        return (1 << bits) - 1 if 8 < bits < 16 else None

    def _shown(self) -> _Shown:
        """The grey of every value that can be stored: modality LUT, then VOI LUT or window."""
        from pydicom.pixels import apply_windowing

        tags, bits = self.tags, self.stored
        low = -(1 << (bits - 1)) if self.signed else 0
        stored = np.arange(low, low + (1 << bits), dtype=np.int32)
        values, bits = self._modality(stored)
        inverted = self.colour == "MONOCHROME1"
        if tags.get("VOILUTSequence"):
            table, bits = _table(tags.VOILUTSequence[0], values, tags)
        elif self._window():
            black, white = self._ends(low)
            share = (apply_windowing(values, tags, 0) - black) / (white - black)
            table = np.rint(np.clip(share, 0, 1) * 65535).astype(np.uint16)
            return _Shown(low, table, 65535, inverted)
        elif tags.get("ModalityLUTSequence"):
            table = values
        else:  # a line keeps the order, or turns it around
            table = (stored - low).astype(np.uint8 if bits <= 8 else np.uint16)
            inverted ^= float(tags.get("RescaleSlope") or 1) < 0
        table = filled(table, bits) if bits < 8 else table
        return _Shown(low, table, self._white(bits), inverted)

    def _modality(self, stored: np.ndarray) -> tuple[np.ndarray, int]:
        """Stored values as the first of the two tables has them, and their bits."""
        from pydicom.pixels import apply_modality_lut

        if self.tags.get("ModalityLUTSequence"):
            return _table(self.tags.ModalityLUTSequence[0], stored, self.tags)
        return apply_modality_lut(stored, self.tags), self.stored

    def _ends(self, low: int) -> tuple[float, float]:
        """What `apply_windowing` makes of black and of white."""
        tags = self.tags
        ends = np.array([low, low + (1 << self.stored) - 1], np.float64)
        if tags.get("ModalityLUTSequence"):
            ends = np.array([0.0, 2.0 ** tags.ModalityLUTSequence[0].LUTDescriptor[2] - 1])
        slope, intercept = tags.get("RescaleSlope"), tags.get("RescaleIntercept")
        if slope is not None and intercept is not None:
            ends = ends * float(slope) + float(intercept)
        if not (np.isfinite(ends).all() and ends[0] != ends[1]):
            raise HeaderError("the DICOM file is damaged: its rescale slope or intercept")
        return float(ends[0]), float(ends[1])

    def _window(self) -> bool:
        """Whether there is a window that can be applied; one without a width is none."""
        pair = [_first(self.tags.get(name)) for name in ("WindowCenter", "WindowWidth")]
        if not all(isinstance(v, float | int) and np.isfinite(v) for v in pair):
            return False
        function = str(self.tags.get("VOILUTFunction") or "LINEAR").upper()
        if function not in _FUNCTIONS:
            raise HeaderError(f"the VOI LUT function is none of {', '.join(_FUNCTIONS)}")
        return pair[1] >= 1 if function == "LINEAR" else pair[1] > 0


def _first(value: Any) -> Any:
    """Of several windows."""
    from pydicom.multival import MultiValue

    value = (value[0] if len(value) else None) if isinstance(value, MultiValue) else value
    return value if value is None else float(value)


def _table(item: Any, values: np.ndarray, tags: Any) -> tuple[np.ndarray, int]:
    """A look-up table at these values, uint8 or uint16, and its bits. (Those of pydicom take no
    modality LUT of 10 bits, and wrap around where 8 bits have more than 256 entries.)"""
    count, first, bits = (int(v) for v in item.LUTDescriptor)
    count = count or 1 << 16
    data = item.LUTData
    if isinstance(data, bytes):
        order = "<" if tags.original_encoding[1] else ">"
        data = np.frombuffer(data, order + "u2" if len(data) >= 2 * count else "u1")
    entries = np.atleast_1d(np.asarray(data)).astype(np.int64)
    if not (8 <= bits <= 16 and 1 <= count <= min(len(entries), _MOST_ENTRIES)):
        raise HeaderError("the DICOM file is damaged: its look-up table does not match")
    index = np.clip(values.astype(np.int64) - first, 0, count - 1)
    out = np.minimum(entries[:count], (1 << bits) - 1)[index]
    return out.astype(np.uint8 if bits == 8 else np.uint16), bits


def _known(uid: Any) -> str:
    """The name of a UID that the standard defines; another is not repeated."""
    from pydicom.uid import UID

    name = UID(str(uid or "")).name
    return name if name and name != uid else "unknown"


def _fragments(file: BinaryIO, size: int) -> list[tuple[int, int]]:
    """(place, length) of the offset table and of each fragment of encapsulated pixels."""
    out = []
    while True:
        start = file.read(8)
        if len(start) < 8:
            raise HeaderError("the DICOM file is truncated")
        group, element, count = struct.unpack("<HHI", start)
        tag = group << 16 | element
        if tag == _END:
            break
        if tag != _ITEM:
            raise HeaderError("the DICOM file is damaged: a fragment of its pixels is missing")
        at = file.tell()
        if at + count > size:
            raise HeaderError("the DICOM file is truncated")
        out.append((at, count))
        file.seek(at + count)
    if len(out) < 2:
        raise HeaderError("the DICOM file holds no pixels")
    return out
