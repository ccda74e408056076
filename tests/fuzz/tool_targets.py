"""Files of annotation tools."""

from __future__ import annotations

import json

import numpy as np
from fuzzing import Target, json_growing

import scp
from scp.datasets import DatasetError
from scp.landmarks import read_landmarks

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


def _target(name: str, format: str, seed: bytes, file: str, words, grow) -> Target:
    def read(path):
        return read_landmarks(path, format=format, images=IMAGES)

    return Target(name, lambda: [seed], read, (DatasetError,), file, words, grow)


TARGETS = [
    _target("slicer", "slicer", SLICER, "case.mrk.json", (), json_growing),
    _target("fcsv", "slicer", FCSV, "case.fcsv", FCSV_WORDS, _fcsv_growing),
]
