"""TIFF: a directory of tags, strips or tiles of pixels.

`layout` reads the directory: its work is linear in the file, and what would be misread, or take
more memory than the image, is refused here. `grey` decodes by tifffile, which obeys the tags;
OpenCV inverts 16-bit WhiteIsZero, multiplies alpha in, mixes up planes and refuses plain tiles.
What it reads rightly and tifffile leaves in colour stays with it: JPEG, fax, CMYK, YCbCr and Lab.
"""

from __future__ import annotations

import io
import logging
import math
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from .header import MAX_PIXELS, Header, HeaderError, read
from .samples import filled, luma

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PLAIN, _FAX, _LZW, _JPEG, _DEFLATE = {1}, {3, 4}, {5}, {7}, {8, 32946}
_COMPRESSIONS = _PLAIN | _FAX | _LZW | _JPEG | _DEFLATE | {32773}  # PackBits
_WHITE_IS_ZERO, _RGB, _PALETTE = 0, 2, 3
_COLOURS = {0, 1, _RGB, _PALETTE, 5, 6, 8}  # and CMYK, YCbCr, Lab
_MEASURED = {(1, 32), (2, 8), (2, 16), (2, 32), (3, 16), (3, 32), (3, 64)}  # kinds and bits
_MOST = 4 * MAX_PIXELS  # samples that are decoded: colour and alpha of the largest image
_ALPHA = 2  # of ExtraSamples: not multiplied in
_TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}  # those that sizes and offsets use
# Bytes of a value of each type; a type that is not here is not read by anybody.
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BYTES |= {16: 8, 17: 8, 18: 8}
_TAGS = {
    256: "width",
    257: "height",
    258: "bits",
    259: "compression",
    262: "colour",
    273: "strips",
    274: "orientation",
    277: "samples",
    278: "rows",
    279: "counts",
    281: "max",
    284: "planes",
    317: "predictor",
    320: "palette",
    322: "tile_width",
    323: "tile_height",
    324: "tiles",
    325: "tile_counts",
    338: "extra",
    339: "kind",
    341: "smax",
}


@dataclass(frozen=True)
class Layout:
    """How the pixels of the first page lie in the file.

    Attributes:
        bits: of a sample. samples: of a pixel.
        compression, colour: numbers of the standard; colour: PhotometricInterpretation.
        part: (rows, columns) of a strip or tile. planes: each sample lies by itself.
        offsets, counts: of the parts in the file.
        measured, white: see Header. palette: uint16 [3][2^bits] as stored. obeyed: `grey` reads it.
    """

    height: int
    width: int
    orientation: int
    bits: int
    samples: int
    compression: int
    colour: int
    part: tuple[int, int]
    tiled: bool
    planes: bool
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    white: int | None
    palette: tuple[int, ...]
    measured: bool = False

    @property
    def obeyed(self) -> bool:
        return self.compression not in _FAX | _JPEG and self.colour <= _PALETTE

    def header(self) -> Header:
        if self.measured:
            shape = self.height, self.width
            return Header("TIFF", *shape, self.orientation, 16, 65535, measured=True)
        deep = self.bits > 8
        inverted = deep and self.colour == _WHITE_IS_ZERO
        white = self.white if self.bits == 16 else None  # fewer bits fill the type when read
        return Header(
            "TIFF",
            self.height,
            self.width,
            self.orientation,
            16 if deep else 8,
            white,
            inverted and self.bits == 16,
        )

    def part_bytes(self) -> int:
        """Bytes of a whole part once decompressed."""
        rows, columns = self.part
        return rows * -(-columns * self.bits * (1 if self.planes else self.samples) // 8)


def layout(file: BinaryIO, size: int) -> Layout:
    """The layout of a TIFF file whose parts lie inside it.

    Raises:
        HeaderError: damaged, or one of the kinds that are not read.
    """
    file.seek(0)
    found = tags(file, size, set(_TAGS))
    values = {name: found[tag] for tag, name in _TAGS.items() if found.get(tag)}

    def one(name: str, usual: int) -> int:
        return values.get(name, (usual,))[0]

    height, width = one("height", 0), one("width", 0)
    if not height or not width:
        raise HeaderError("the TIFF file has no image size")
    bits, samples, colour = max(values.get("bits", (1,))), one("samples", 1), one("colour", 1)
    measured = _check_samples(values, bits, samples, colour)
    compression = one("compression", 1)
    _check_coding(compression, one("predictor", 1), bits, measured)
    tiled = "tiles" in values
    planes = one("planes", 1) == 2 and samples > 1
    if tiled:
        part = one("tile_height", 0), one("tile_width", 0)
    else:
        part = min(one("rows", height), height), width
    if min(part) < 1 or math.prod(part) > MAX_PIXELS:
        raise HeaderError("the TIFF file is damaged: its strips or tiles have no possible size")
    if max(height * width, math.prod(part)) * samples > _MOST:
        raise HeaderError(f"{width} x {height} TIFF pixels of {samples} samples are too many")
    out = Layout(
        height,
        width,
        orientation(values.get("orientation")),
        bits,
        samples,
        compression,
        colour,
        part,
        tiled,
        planes,
        values.get("tiles" if tiled else "strips", ()),
        values.get("tile_counts" if tiled else "counts", ()),
        _white(values, bits),
        values.get("palette", ()),
        measured,
    )
    if not out.obeyed and (bits > 8 or _ALPHA in values.get("extra", ())):
        what = f"{bits} bits" if bits > 8 else "alpha"
        raise HeaderError(f"a TIFF of compression {compression}, colour {colour} and {what}")
    return _check_parts(out, size)


def _check_samples(values: dict, bits: int, samples: int, colour: int) -> bool:
    """Whether the samples need a scale."""
    kinds = values.get("kind", (1,))
    measured = bits > 16 or not set(kinds) <= {1, 4}
    if measured and (samples > 1 or colour != 1 or (kinds[0], bits) not in _MEASURED):
        name = {1: "unsigned", 2: "signed", 3: "floating-point"}.get(max(kinds), "complex")
        raise HeaderError(f"{bits}-bit {name} TIFF pixels of {samples} samples are not supported")
    if bits < 1 or len(set(values.get("bits", (1,)))) > 1:
        raise HeaderError("TIFF samples of different depths are not supported")
    if not 1 <= samples <= 16 or (bits == 1 and samples > 1):
        raise HeaderError(f"{samples} samples of {bits} bits per TIFF pixel are not supported")
    if colour not in _COLOURS:
        raise HeaderError(f"the TIFF colour space {colour} is not supported; grey and RGB are")
    if colour == _RGB and samples < 3:
        raise HeaderError("the TIFF file is damaged: RGB with fewer than 3 samples per pixel")
    if colour == _PALETTE and (bits > 8 or len(values.get("palette", ())) != 3 << bits):
        raise HeaderError("the TIFF file is damaged: its palette does not match")
    return measured


def _check_coding(compression: int, predictor: int, bits: int, measured: bool) -> None:
    if compression not in _COMPRESSIONS:
        raise HeaderError(f"the TIFF compression {compression} is not supported")
    known = (1, 2, 3) if measured else (1, 2)
    if predictor not in known or (predictor == 2 and bits not in (8, 16, 32)):
        raise HeaderError(f"the TIFF predictor {predictor} with {bits} bits is not supported")


def _white(values: dict, bits: int) -> int | None:
    """All ones of the fewest bits that hold what the file calls its largest value."""
    said = max(*values.get("smax", ()), *values.get("max", ()), 0, 0)
    white = (1 << said.bit_length()) - 1
    return white if 0 < white < (1 << bits) - 1 else None


def _check_parts(out: Layout, size: int) -> Layout:
    """The layout with as many parts as the image needs, each inside the file."""
    if not out.offsets:
        raise HeaderError("the TIFF file holds no pixels")
    rows, columns = out.part
    need = -(-out.height // rows) * -(-out.width // columns) * (out.samples if out.planes else 1)
    offsets, counts = out.offsets, out.counts
    if not counts and out.compression in _PLAIN:
        counts = (out.part_bytes(),) * need
    if len(counts) != len(offsets) or need > len(offsets):
        raise HeaderError("the TIFF file is damaged: its strips do not match")
    if any(at + count > size for at, count in zip(offsets, counts, strict=True)):
        raise HeaderError("the TIFF file is truncated")
    if sum(counts) > size:
        raise HeaderError("the TIFF file is damaged: its strips overlap")
    if out.compression in _PLAIN and sum(counts) * 8 < (
        out.height * out.width * out.bits * out.samples
    ):
        raise HeaderError("the TIFF file is damaged: its strips are too short")
    return out


def check_streams(data: bytes, out: Layout) -> None:
    """HeaderError if a checksum is wrong or a part inflates to more than its rows; of deflate only.

    OpenCV shows damaged strips of an 8-bit TIFF as black, without an error.
    """
    if out.compression not in _DEFLATE:
        return
    view, limit = memoryview(data), out.part_bytes() + 1
    for offset, count in zip(out.offsets, out.counts, strict=True):
        stream = zlib.decompressobj()
        try:
            long = len(stream.decompress(view[offset : offset + count], limit)) == limit
        except zlib.error as error:
            raise HeaderError("the TIFF data is damaged: a checksum is wrong") from error
        if long:
            raise HeaderError("the TIFF data is damaged: it inflates to more than its pixels")
        if not stream.eof:
            raise HeaderError("the TIFF data is damaged: it ends too early")


def grey(data: bytes, out: Layout) -> np.ndarray:
    """Stored grey pixels [H][W], uint8 or uint16; colour becomes luma, further samples are dropped.
    Those that need a scale come in their own type.

    More than 8 bits come in uint16: 16 as they are (white may be 0, `Header.inverted`), fewer
    moved up to fill it.
    """
    import tifffile

    log = logging.getLogger("tifffile")
    if not log.handlers:  # else it prints what is wrong with a file, which the exception says
        log.addHandler(logging.NullHandler())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0].asarray(maxworkers=1)
    plane = (out.height, out.width)
    if out.planes:
        planes = [page.reshape(out.samples, *plane)[k] for k in range(out.samples)]
    else:
        planes = [page.reshape(*plane, out.samples)[..., k] for k in range(out.samples)]
    if out.colour == _PALETTE:
        # As libtiff: a palette without any value above 255 holds 8 bits.
        table = np.array(out.palette, np.int64).reshape(3, -1)
        table = table >> 8 if table.max() > 255 else table
        return luma(table.astype(np.uint8)[:, planes[0]])
    if out.measured:
        return planes[0]
    planes = [filled(p, out.bits) for p in planes[: 3 if out.colour == _RGB else 1]]
    image = luma(planes) if out.colour == _RGB else planes[0]
    if out.colour == _WHITE_IS_ZERO and out.bits < 16:
        image = filled(np.full(1, (1 << out.bits) - 1, page.dtype), out.bits) - image
    return np.ascontiguousarray(image)


def tags(file: BinaryIO, size: int, wanted: set[int]) -> dict[int, tuple[int, ...]]:
    """Values of the wanted integer tags of the first directory.

    The values of all tags together are not longer than the file, or it is refused: nobody reads a
    byte of it many times.
    """
    start = read(file, 8, "TIFF file")
    order = "<" if start[:2] == b"II" else ">"
    big = start[2:4] in (b"+\0", b"\0+")
    if big:
        (at,) = struct.unpack(order + "Q", read(file, 8, "TIFF file"))
        count_format, entry_format, inline = order + "Q", order + "HHQ8s", 8
    else:
        (at,) = struct.unpack(order + "I", start[4:])
        count_format, entry_format, inline = order + "H", order + "HHI4s", 4
    if at >= size:
        raise HeaderError("the TIFF file is truncated")
    file.seek(at)
    (entries,) = struct.unpack(count_format, read(file, struct.calcsize(count_format), "TIFF file"))
    width = struct.calcsize(entry_format)
    if entries * width + inline > size - file.tell():  # and the place of the next directory
        raise HeaderError("the TIFF file is truncated")
    if entries > 4096:
        raise HeaderError(f"the TIFF file is damaged: it has {entries} tags")
    found, total = {}, 0
    for tag, kind, count, raw in struct.iter_unpack(
        entry_format, read(file, entries * width, "TIFF file")
    ):
        length = count * _BYTES.get(kind, 0)
        total += length if length > inline else 0
        if total > size:
            raise HeaderError("the TIFF file is damaged: its tags overlap")
        if tag not in wanted or tag in found or kind not in _TYPES or count == 0:
            continue
        if length > inline:
            (at,) = struct.unpack(order + ("Q" if big else "I"), raw)
            if at + length > size:
                raise HeaderError("the TIFF file is truncated")
            file.seek(at)
            raw = read(file, length, "TIFF file")
        found[tag] = struct.unpack(f"{order}{count}{_TYPES[kind]}", raw[:length])
    return found


def orientation(values: tuple[int, ...] | None) -> int:
    return values[0] if values and 1 <= values[0] <= 8 else 1


def exif(data: bytes) -> int:
    """Orientation of an EXIF block, 1 when there is none or it is damaged."""
    if data[:4] not in STARTS[:2]:
        return 1
    try:
        return orientation(tags(io.BytesIO(data), len(data), {274}).get(274))
    except HeaderError:
        return 1
