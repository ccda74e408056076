"""Files of annotation tools."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
from fuzzing import Target, json_growing

import scp
from scp.datasets import DatasetError
from scp.landmarks import read_landmarks
from scp.landmarks.formats.roi import Roi, encode

IMAGES = scp.datasets.arrays([np.zeros((30, 20), np.uint8)], ["case"], spacing=0.5)
POINT = {"label": "s", "position": [1.5, 2, 0], "positionStatus": "defined", "description": ""}
NODE = {"type": "Fiducial", "coordinateSystem": "RAS", "coordinateUnits": "mm"}
POINTS = [
    {**POINT, "position": [-1.5, -2, 0]},
    {**POINT, "label": "t", "positionStatus": "missing"},
]
SLICER = json.dumps({"markups": [{**NODE, "controlPoints": POINTS}, {"type": "Line"}]}).encode()
FCSV = (
    b"# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
    b"# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    b"1,1.5,2,0,0,0,0,1,1,1,0,s,,,2,0\n2,1,2,0,0,0,0,1,1,1,0,t,hidden,,0,0\n"
)
FCSV_WORDS = [b",", b'"', b"\n", b"# ", b"columns = ", b"CoordinateSystem = 0", b"nan", b"inf"]


def _fcsv_growing(size: int):
    head, _, line = FCSV.partition(b"1,1.5")
    yield head + b"1,1.5" + line.replace(b"s", b"s" * size, 1)
    yield head + b"1,1." + b"5" * size + b",2,0,0,0,0,1,1,1,0,s\n"
    yield head + b"".join(b"1,1,2,0,0,0,0,1,1,1,0,%d\n" % k for k in range(size // 30))
    yield b"# columns = " + b"x," * (size // 2)
    yield b"#" * size
    yield b"# \n" * (size // 3)
    yield head + b'"' * size


ROI = encode(Roi("point", "s", [(1.5, 2.0), (3.0, 4.25)], {"hidden": "true"}))
UNNAMED = encode(Roi("point", "", [(1.0, 2.0)]))
ROI_WORDS = [b"Iout", b"\0\0", b"\xff\xff", b"\x7f\xc0\0\0", b"PK\x01\x02", b"PK\x05\x06", b".roi"]


VIA_CSV = (
    b"filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
    b'region_attributes\ncase,9,"{}",1,0,"{""name"":""point"",""cx"":1,""cy"":2}",'
    b'"{""landmark"":""s"",""hidden"":""true""}"\n'
)
VIA_WORDS = [b'""', b",", b"\n", b"{", b"}"]
VIA_3 = json.dumps(
    {
        "project": {"pid": "__VIA_PROJECT_ID__"},
        "attribute": {"1": {"aname": "landmark", "options": {"0": "sella"}}},
        "file": {"1": {"fname": "case"}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {
            "1_a": {"vid": "1", "z": [], "xy": [1, 2.5, 3], "av": {"1": "0"}},
            "1_b": {"vid": "1", "z": [], "xy": [2, 1, 1, 5, 5], "av": {"1": "0"}},
        },
    }
).encode()


def _via_csv_growing(size: int):
    head, line, _ = VIA_CSV.split(b"\n")
    yield head + b"\n" + (line + b"\n") * (size // len(line))
    yield head + b"\n" + b"".join(line.replace(b"case", b"%d" % k) for k in range(size // 90))
    yield head + b"," * size
    yield head + b'\ncase,9,"{}",1,0,"' + b"[" * size + b'","{}"\n'
    yield head + b'\ncase,9,"{}",1,0,"{""cx"":' + b"1" * size + b'}","{}"\n'


def _zip(*entries: tuple[str, bytes], method=zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return packed.getvalue()


def _roi_growing(size: int):
    head = bytearray(ROI[:64])
    head[16:22] = b"\0\0" + (size // 4).to_bytes(4, "big")
    yield bytes(head) + bytes(size)
    head[50:52] = b"\0\0"
    yield bytes(head) + bytes(size)
    yield ROI + bytes(size)


def _zip_growing(size: int):
    yield _zip(("a.roi", bytes(size * 1000)))
    yield _zip(*((f"{k}.roi", bytes(size)) for k in range(size // 400)))
    yield _zip(*((f"{k}.roi", ROI) for k in range(size // 400)))
    yield _zip(*((f"{k}.txt", b"") for k in range(size // 100)))


YAML = b"""path: .  # a comment
kpt_shape: [2, 3]
names:
  0: "head"
kpt_names: {0: [s, 't u']}
flip_idx:
- 0
- 1
"""
LABELS = b"0 0.5 0.5 0.2 0.2 0.25 0.5 2 0.5 0.5 1\n"
YAML_WORDS = [
    b": ",
    b"- ",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\n",
    b"  ",
    b"'",
    b'"',
    b"#",
    b",",
    b"&a",
    b"*a",
]


def _yaml_growing(size: int):
    yield b"names: " + b"[" * size
    yield b"names: " + b"{b: " * (size // 4)
    yield b"".join(b" " * (k % 300) + b"a:\n" for k in range(size // 150))
    yield b"- " * (size // 2)
    yield b"names: [" + b"1, " * (size // 3) + b"]"
    yield b"kpt_shape: [1000000, 3]\n" + b"a" * size
    yield b'"' + b"\\" * size + b'": 1'
    yield b"a" * size + b": 1"
    yield (b"a " * 30 + b"\n") * (size // 60)
    yield b"names: '" + b"''" * (size // 2)
    yield b"".join(b"k%d: v\n" % k for k in range(size // 8))


def _labels_growing(size: int):
    yield LABELS * (size // len(LABELS))
    yield b"1" * size
    yield b"0 " * (size // 2)


def _yolo_labels(path):
    (path.parent / "data.yaml").write_bytes(YAML)
    return read_landmarks(path.parent, format="yolo-pose", images=IMAGES, several="largest")


def _yolo_yaml(path):
    (path.parent / "case.txt").write_bytes(LABELS)
    return read_landmarks(path.parent, format="yolo-pose", images=IMAGES)


def _target(name: str, format: str, seed: bytes, file: str, words, grow) -> Target:
    def read(path):
        return read_landmarks(path, format=format, images=IMAGES)

    return Target(name, lambda: [seed], read, (DatasetError,), file, words, grow)


TARGETS = [
    _target("slicer", "slicer", SLICER, "case.mrk.json", (), json_growing),
    _target("fcsv", "slicer", FCSV, "case.fcsv", FCSV_WORDS, _fcsv_growing),
    _target("roi", "imagej", ROI, "case.roi", ROI_WORDS, _roi_growing),
    _target(
        "roi-zip",
        "imagej",
        _zip(("s.roi", ROI), ("t.roi", UNNAMED), method=zipfile.ZIP_STORED),
        "case.zip",
        ROI_WORDS,
        _zip_growing,
    ),
    _target("via-csv", "via", VIA_CSV, "case.csv", VIA_WORDS, _via_csv_growing),
    _target("via-3", "via", VIA_3, "case.json", (), json_growing),
    Target(
        "yolo-labels",
        lambda: [LABELS],
        _yolo_labels,
        (DatasetError,),
        "case.txt",
        [b" ", b"\n", b"nan", b"-1", b"0"],
        _labels_growing,
    ),
    Target(
        "yolo-yaml",
        lambda: [YAML],
        _yolo_yaml,
        (DatasetError,),
        "data.yaml",
        YAML_WORDS,
        _yaml_growing,
    ),
]
