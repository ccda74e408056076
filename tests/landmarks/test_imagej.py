"""ROIs of ImageJ, as its own format says and as roifile reads and writes them."""

import io
import zipfile

import numpy as np
import pytest
import roifile

import scp
from scp.datasets import DatasetError
from scp.landmarks.formats.roi import Roi, decode, encode

NAMES = ["sella", "n/a: sion", "n/a? sion", "point ü"]
ONE = encode(Roi("point", "a", [(1.0, 2.0)]))
GREY = np.zeros((300, 200), np.uint8)


def pool(count=2):
    names = [f"set/00{i}.png" for i in range(count)]
    return scp.datasets.arrays([GREY] * count, names)


def packed(**regions):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in regions.items():
            archive.writestr(f"{name}.roi", data)
    return out.getvalue()


def whole_numbers(x, y):
    """A point as ImageJ before 1.46 wrote it: no floats, no second header, no name."""
    head = bytearray(encode(Roi("point", "", [(0.0, 0.0)]))[:64])
    head[8:16] = np.array([y, x, y + 1, x + 1], ">i2").tobytes()
    head[50:52], head[60:64] = bytes(2), bytes(4)
    return bytes(head) + bytes(4)


def test_whole_numbers_are_centres(tmp_path):
    """ImageJ says of points: whole numbers refer to the centre of a pixel."""
    roi = decode(whole_numbers(7, 9))
    assert roi.points == [(7.0, 9.0)] and roi.name == ""
    path = tmp_path / "000.roi"
    path.write_bytes(whole_numbers(7, 9))
    for source in (path, tmp_path):
        found = scp.read_landmarks(source, images=pool())
        assert found.ids == ["set/000.png"] and found.names == ["1"]
        assert found.xy.tolist() == [[[7.0, 9.0]]]
    assert scp.read_landmarks(path, origin="corner").xy.tolist() == [[[6.5, 8.5]]]
    far = Roi("point", "a", [(-3.25, 40000.5)])
    assert decode(encode(far)) == far


def test_names_of_points(tmp_path):
    path, three = tmp_path / "000.zip", [(1.0, 2.0), (3.5, 4.0), (5.0, 6.25)]
    path.write_bytes(packed(a=encode(Roi("point", "", three))))
    found = scp.read_landmarks(path)
    assert found.names == ["1", "2", "3"] and found.xy[0].tolist() == [list(p) for p in three]
    both = packed(a=encode(Roi("point", "", three)), b=encode(Roi("point", "s", three[:1])))
    path.write_bytes(both)
    assert scp.read_landmarks(path).names == ["a 1", "a 2", "a 3", "s"]
    path.write_bytes(packed(a=encode(Roi("point", "0012-0034", three[:1]))))
    with pytest.raises(DatasetError, match=r"000\.zip, 0012-0034: .*Rename in the ROI Manager"):
        scp.read_landmarks(path)
    line = bytearray(encode(Roi("point", "l", three)))
    line[6] = 3
    path.write_bytes(packed(l=bytes(line), b=encode(Roi("point", "s", three[:1]))))
    with pytest.warns(UserWarning, match="not used: ROIs of type line: 1"):
        assert scp.read_landmarks(path).names == ["s"]


def test_names_are_files_in_no_other_folder(tmp_path):
    images = pool()
    said = scp.Landmarks(images.ids, ["../../a", "..\\..\\a"], np.ones((2, 2, 2)))
    scp.write_landmarks(tmp_path / "out", said, "imagej", images)
    names = zipfile.ZipFile(tmp_path / "out/set/000.zip").namelist()
    assert names == [".._.._a.roi", ".._.._a 2.roi"]
    back = scp.read_landmarks(tmp_path / "out", images=images)
    assert back.names == said.names
    evil = scp.Landmarks(["../x"], ["a"], np.ones((1, 1, 2)))
    with pytest.raises(ValueError, match="cannot be a file below"):
        scp.write_landmarks(tmp_path / "to", evil, "imagej")


@pytest.mark.parametrize(
    "data, error",
    [
        (packed(a=bytes(1 << 27)), "unpacks to more than ROIs would"),
        (b"PK\3\4" + bytes(60), "cannot be unpacked"),
        (packed(a=b"Iout"), r"a\.roi: no ROI of ImageJ"),
        (packed(a=ONE[:70]), "the ROI is damaged"),
        (packed(a=ONE.replace(b"\x3f\x80\0\0", b"\x7f\xc0\0\0")), "not at finite x and y"),
        (packed(a=encode(Roi("point", "a", [(900.0, 2.0)]))), "outside the image of 200 x 300"),
    ],
)
def test_refused(tmp_path, data, error):
    path = tmp_path / "000.zip"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=error):
        scp.read_landmarks(path, images=pool())


def test_roifile_reads_what_is_written(tmp_path):
    images, random = pool(), np.random.default_rng(0)
    xy = random.uniform(0, 199, (2, 4, 2))
    xy[1, 2] = np.nan
    said = scp.Landmarks(images.ids, NAMES, xy, visible=random.random((2, 4)) < 0.5)
    scp.write_landmarks(tmp_path / "out", said, "imagej", images)
    for i, name in enumerate(("000", "001")):
        regions = roifile.roiread(tmp_path / f"out/set/{name}.zip")
        here = np.flatnonzero(said.present[i])
        assert [r.name for r in regions] == [NAMES[k] for k in here]
        for k, region in zip(here, regions, strict=True):
            assert region.roitype == roifile.ROI_TYPE.POINT and region.subpixelresolution
            np.testing.assert_allclose(region.coordinates(), [xy[i, k]], atol=1e-4)
            assert ("hidden: true" in (region.props or "")) == (not said.visible[i, k])
            assert (region.left, region.top) == tuple(np.round(xy[i, k]).astype(int))


@pytest.mark.parametrize("floats", [True, False])
def test_what_roifile_writes_is_read(tmp_path, floats):
    points = np.random.default_rng(1).uniform(0, 199, (5, 2))
    points = points if floats else points.astype(int)
    region = roifile.ImagejRoi.frompoints(points, name="all")
    region.roitype = roifile.ROI_TYPE.POINT
    one = roifile.ImagejRoi.frompoints(points[:1], name="ü 1")
    one.roitype = roifile.ROI_TYPE.POINT
    assert decode(region.tobytes()).kind == "point"
    roifile.roiwrite(tmp_path / "000.zip", [region, one], mode="w")
    found = scp.read_landmarks(tmp_path / "000.zip")
    assert found.names == [*(f"all {k + 1}" for k in range(5)), "ü 1"]
    np.testing.assert_allclose(found.xy[0], [*points, points[0]], atol=1e-4)
