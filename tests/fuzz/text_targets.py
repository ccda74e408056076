"""Landmarks and lists that people give, and arguments of the command line."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from fuzzing import Target, json_growing

from scp import datasets
from scp.cli import arguments
from scp.datasets import DatasetError
from scp.datasets.hand import read_table
from scp.datasets.wflw import read_list
from scp.landmarks import hand_marks, merged, read_landmarks
from scp.landmarks.lists import read_names

LONG = b"image,landmark,x,y,confidence\na.png,sella,1.5,2,0.5\na.png,nasion,,,\nb.png,sella,3,4,1\n"
WIDE = b'image,sella_x,sella_y,"na,sion_x","na,sion_y"\na.png,1.5,2,3,4\nb.png,,,1e2,-4\n'
DEEPLABCUT = [
    b"scorer,,,m,m,m,m\nbodyparts,,,s,s,t,t\ncoords,,,x,y,x,y\nlabeled-data,v,1.png,1,2,,\n",
    b"scorer,m,m,m\nbodyparts,s,s,s\ncoords,x,y,likelihood\nlabeled-data/v/1.png,1,2,0.5\n2,3,4,1\n",
    b"scorer,m,m,m,m\nindividuals,a,a,b,b\nbodyparts,s,s,s,s\ncoords,x,y,x,y\n1.png,1,2,,\n",
]
TPS = b"LM=2\n1 2\n-1 -1\nCURVES=1\nPOINTS=1\n3 4\nIMAGE=a.png\nID=0\nSCALE=0.1\nLM=1\n1 2\nID=b\n"
KNOWN = datasets.arrays([np.zeros((30, 20), np.uint8)] * 2, ["a.png", "b.png"])
ISBI = b"1,2\n3.5,4\n,\n1\n3\n"
AARIZ = json.dumps(
    {
        "ceph_id": "c1",
        "landmarks": [
            {"title": "Sella", "symbol": "S", "value": {"x": 1, "y": 2}},
            {"title": "Nasion", "symbol": "N", "value": None},
        ],
    }
).encode()
TABLES = [
    b"id,X1,Y1,X2,Y2\na.png,1,2,3,4\nb.png,,,5,6\n",
    b",File,s (x),s (y),s_score,age\n0,a.png,1,2,0.5,3\n1,b.png,3,4,1,7\n",
    b"# by hand\nfile;label;x;y;visible\na;s;1,5;2;0\na;n;;;\n",
    b"name\tx\ty\tx.1\ty.1\na\t1\t2\t3\t4\n",
    b"a.png 1 2 3 4\nb.png 5 6 7 8\n",
]
COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 30}],
        "annotations": [{"image_id": 1, "category_id": 2, "keypoints": [1, 2, 2, 0, 0, 0]}],
        "categories": [{"id": 2, "name": "head", "keypoints": ["a", "b"]}],
    }
).encode()
TASKS = json.dumps(
    [
        {
            "data": {"image": "/data/upload/3/1a2b3c4d-a.png"},
            "annotations": [
                {
                    "result": [
                        {
                            "type": "keypointlabels",
                            "original_width": 20,
                            "original_height": 30,
                            "value": {"x": 50, "y": 20.5, "keypointlabels": ["sella"]},
                        }
                    ]
                }
            ],
        }
    ]
).encode()
CVAT = (
    b'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
    b'<image id="0" name="a.png" width="20" height="30"><points label="s" points="1.5,2" '
    b'occluded="1"/><skeleton label="h"><points label="t" outside="1" points="1,2"/></skeleton>'
    b"</image></annotations>"
)
LABELME = json.dumps(
    {
        "version": "5.4.1",
        "shapes": [{"label": "s", "points": [[1.5, 2]], "shape_type": "point", "flags": {}}],
        "imagePath": "a.png",
        "imageHeight": 30,
        "imageWidth": 20,
    }
).encode()
VIA = json.dumps(
    {
        "a.png9": {
            "filename": "a.png",
            "regions": [
                {
                    "shape_attributes": {"name": "point", "cx": 1, "cy": 2},
                    "region_attributes": {"landmark": "s"},
                }
            ],
        }
    }
).encode()
XML_WORDS = [b"<!DOCTYPE a [", b"<!ENTITY b 'bb'>", b"&b;", b"<points ", b"/>", b"]]>", b"&#0;"]
FACE = " ".join(["12.5"] * 196 + ["10 20 100 120", "0 1 0 1 0 0", "a/b.jpg"]).encode() + b"\n"
HAND = b"3142," + b",".join(b"%d.5" % k for k in range(74)) + b"\n"
TEXT_WORDS = [b",", b'"', b"\r", b"\n", b"\0", b"\xef\xbb\xbf", b"nan", b"inf", b"\xff\xfe", b" "]
TEXT_WORDS += [
    b"\xe2\x80\xae",
    b"=cmd",
    b"\x1b[2J",
    b"_x",
    b"_y",
    b"image",
    b"landmark",
    b";",
    b"\t",
    b"x1",
    b"file",
    b"label",
    b"#",
]


def _csv_growing(size: int):
    yield b"image,landmark,x,y\na,b,1," + b"1" * size + b"\n"
    yield b"image,landmark,x,y\na,b,1," + b"1" * size + b"x\n"
    yield b"image,landmark,x,y\na,b,1,." + b"1." * (size // 2) + b"\n"
    yield b"image,landmark,x,y\na,b,1," + b"+-" * (size // 2) + b"\n"
    yield b"image,landmark,x,y\n" + b"".join(b"%d,%d,1,1\n" % (i, i) for i in range(size // 14))
    yield b"image," + b",".join(b"p%d_x,p%d_y" % (i, i) for i in range(size // 14)) + b"\na,1\n"
    yield b"image," + b"_x," * (size // 3) + b"\n"
    yield b'image,landmark,x,y\n"' + b"a" * size
    yield b"image,landmark,x,y\n" + b" " * size
    yield b"," * size
    yield b"file," + b"".join(b"x%d,y%d," % (i, i) for i in range(size // 12)) + b"\na,1\n"
    yield b"file,x,y," + b"".join(b"%d_x," % i for i in range(size // 8)) + b"\na,1\n"
    yield b"file,s" + b"_" * size + b"x\n"
    yield b"file," + b"s " * (size // 2) + b"\n"
    yield b"#\n" * (size // 2)
    yield b"a 1 2\n" * (size // 6)
    yield b"file,id,x,y\n" + b"".join(b"a,%d,1,1\n" % i for i in range(size // 11))
    yield b'"' * size
    yield b"\n" * size
    yield b"image,landmark,x,y\n" + b"a,b,1,2" + b"," * size


def _deeplabcut_growing(size: int):
    count = size // 40
    parts = b"".join(b",p%d,p%d" % (k, k) for k in range(count))
    yield b"scorer" + b",m,m" * count + b"\nbodyparts" + parts + b"\ncoords" + b",x,y" * count
    animals = b"scorer" + b",m,m" * count + b"\nindividuals" + parts + b"\nbodyparts"
    yield animals + b",s,s" * count + b"\ncoords" + b",x,y" * count + b"\n1" + b",1,1" * count
    yield b"scorer\n" * (size // 7)
    yield b"scorer" + b"," * size


def _tps_growing(size: int):
    yield b"LM=1\n1 2\nIMAGE=a.png\n" * (size // 22)
    yield b"LM=%d\n" % (size // 4) + b"1 2\n" * (size // 4) + b"IMAGE=a.png\n"
    yield b"LM=1048576\nIMAGE=a.png\nCURVES=1048576\n"
    yield b"LM=0\nIMAGE=a.png\n" + b"CURVES=1000000\n" * 20
    yield b"=" * size


def _coco_growing(size: int):
    yield from json_growing(size)
    base = json.loads(COCO)
    base["categories"][0]["keypoints"] = [f"p{i}" for i in range(size // 24)]
    image = base["images"][0]
    base["images"] = [{**image, "id": i, "file_name": f"{i}.png"} for i in range(size // 120)]
    yield json.dumps(base).encode()


def _xml_growing(size: int):
    head, end = CVAT.split(b"<points", 1)[0], b"</image></annotations>"
    yield b"<annotations>" * (size // 13)
    yield head + b'<points label="a" points="1,' + b"1" * size + b'"/>' + end
    yield head + b'<points label="a" points="' + b"1,2;" * (size // 4) + b'"/>' + end
    yield head + b"".join(b'<points label="%d" points="1,2"/>' % k for k in range(size // 33)) + end
    yield head + b"<!--" + b"-" * size
    yield b"<annotations " + b" ".join(b'a%d=""' % k for k in range(size // 9)) + b"/>"


def _grow_lines(line: bytes):
    def grow(size: int):
        yield line.replace(b"12.5", b"1" * (size // 200), 196)
        yield b" " * size
        yield b"1 " * (size // 2)
        yield b"1," * (size // 2)
        yield line.replace(b".5", b".5" + b"0" * (size // 74))

    return grow


def _argument(read):
    def run(path: Path) -> None:
        read(path.read_bytes().decode("latin-1"))

    return run


def _argument_target(name: str, read, *seeds: bytes) -> Target:
    errors = (argparse.ArgumentTypeError, ValueError)
    grow = lambda size: (b"1" * size, b"1," * (size // 2), b"1-" + b"9" * size, b"x" * size)  # noqa: E731
    return Target(
        f"argument-{name}",
        lambda: list(seeds),
        _argument(read),
        errors,
        grow=grow,
        named=False,
        words=[b"-", b",", b"x", b"K", b"any", b"@", b"i", b"B", b"e9"],
    )


NAMES = b'landmark\nsella\n"nasion, soft"\n\'=tip\n'
SAVED = b"image,landmark,x,y,source\na.png,s,1,2,marked\na.png,n,,,corrected\nb.png,s,3,4,found\n"


def _merged(path: Path) -> None:
    """As scp detect takes several files of templates; only points that were found are refused."""
    marks = read_landmarks(path)
    try:
        hand = hand_marks(marks)
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
    _, replaced = merged([hand, hand])
    assert not replaced, "the same points do not replace each other"


TARGETS = [
    Target("names", lambda: [NAMES, LONG], read_names, (DatasetError,), "case.csv", TEXT_WORDS),
    Target(
        "saved",
        lambda: [SAVED],
        _merged,
        (DatasetError,),
        "case.csv",
        [*TEXT_WORDS, b"found", b"marked", b"corrected"],
        _csv_growing,
    ),
    Target(
        "landmarks",
        lambda: [LONG, WIDE, b"\xef\xbb\xbf" + LONG, *TABLES],
        read_landmarks,
        (DatasetError,),
        "case.csv",
        TEXT_WORDS,
        _csv_growing,
    ),
    Target("coco", lambda: [COCO], read_landmarks, (DatasetError,), "case.json", (), _coco_growing),
    Target(
        "label-studio",
        lambda: [TASKS],
        lambda path: read_landmarks(path, format="label-studio"),
        (DatasetError,),
        "case.json",
        (),
        json_growing,
    ),
    Target(
        "labelme",
        lambda: [LABELME],
        lambda path: read_landmarks(path, format="labelme"),
        (DatasetError,),
        "case.json",
        (),
        json_growing,
    ),
    Target(
        "via",
        lambda: [VIA],
        lambda path: read_landmarks(path, format="via"),
        (DatasetError,),
        "case.json",
        (),
        json_growing,
    ),
    Target(
        "cvat",
        lambda: [CVAT],
        lambda path: read_landmarks(path, format="cvat"),
        (DatasetError,),
        "case.xml",
        XML_WORDS,
        _xml_growing,
    ),
    Target(
        "deeplabcut",
        lambda: DEEPLABCUT,
        lambda path: read_landmarks(path, format="deeplabcut"),
        (DatasetError,),
        "case.csv",
        [*TEXT_WORDS, b"scorer", b"individuals", b"bodyparts", b"coords", b"likelihood"],
        _deeplabcut_growing,
    ),
    Target(
        "tps",
        lambda: [TPS],
        lambda path: read_landmarks(path, format="tps", images=KNOWN),
        (DatasetError,),
        "case.tps",
        [b"LM=", b"LM3=", b"POINTS=", b"CURVES=", b"IMAGE=", b"=", b"\n", b" "],
        _tps_growing,
    ),
    Target(
        "isbi",
        lambda: [ISBI],
        lambda path: read_landmarks(path, format="isbi"),
        (DatasetError,),
        "1.txt",
        [b",", b"\n", b" "],
        lambda size: (b"1,2\n" * (size // 4), b"1,2\n" + b"1\n" * (size // 2), b"," * size),
    ),
    Target(
        "aariz",
        lambda: [AARIZ],
        lambda path: read_landmarks(path, format="aariz"),
        (DatasetError,),
        "case.json",
        (),
        json_growing,
    ),
    Target(
        "wflw",
        lambda: [FACE * 2],
        read_list,
        (DatasetError,),
        "f.txt",
        TEXT_WORDS,
        _grow_lines(FACE),
    ),
    Target(
        "hand",
        lambda: [HAND],
        read_table,
        (DatasetError,),
        "all.csv",
        TEXT_WORDS,
        _grow_lines(HAND),
    ),
    _argument_target("size", arguments.size, b"384", b"768x384"),
    _argument_target("bytes", arguments.byte_count, b"500M", b"2GiB"),
    _argument_target("counts", arguments.counts, b"5", b"1,3,5", b"1-5", b"any"),
]
