"""3D Slicer's markups: where a pixel is, in both systems, and what Slicer's files say."""

import json
import struct

import cv2
import numpy as np
import pytest
import tifffile

import scp
from scp.datasets import DatasetError

NAMES = ["sella", 'na"sion, A', "point ü"]


def known(spacing=((0.5, 0.25),)):
    images = [np.zeros((40, 30), np.uint8)] * len(spacing)
    names = [f"set {i}/{i}.png" for i in range(len(spacing))]
    return scp.datasets.arrays(images, names, spacing=np.array(spacing))


def marks(images, seed=0):
    random = np.random.default_rng(seed)
    xy = random.uniform(0, 29, (len(images), len(NAMES), 2))
    xy[0, 2] = np.nan
    visible = random.random(xy.shape[:2]) < 0.5
    return scp.Landmarks(images.ids, NAMES, xy, visible=visible)


def markups(*points, **node):
    node = {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": list(points), **node}
    return {"@schema": "...", "markups": [node]}


def point(label, x, y, z=0.0, **more):
    return {"id": "1", "label": label, "position": [x, y, z], **more}


@pytest.mark.parametrize("seed", range(4))
def test_round_trip(tmp_path, seed):
    images = known(((0.5, 0.25), (0.1, 0.1)))
    said = marks(images, seed)
    scp.write_landmarks(tmp_path / "out", said, "slicer", images)
    assert (tmp_path / "out/set 1/1.mrk.json").is_file()
    back = scp.read_landmarks(tmp_path / "out", images=images).rows(said.ids)
    assert back.names == NAMES  # the last, though it has no point
    np.testing.assert_allclose(back.xy, said.xy, atol=1e-9, rtol=0)
    np.testing.assert_array_equal(back.visible, said.visible)


def test_pixels_are_where_slicer_shows_them(tmp_path):
    path = tmp_path / "0.mrk.json"
    for system, turn in (("LPS", 1), (1, 1), ("RAS", -1), (0, -1)):
        place = point("a", turn * 2.5, turn * 5.0)
        path.write_text(json.dumps(markups(place, coordinateSystem=system)))
        found = scp.read_landmarks(path, images=known())
        assert found.xy.tolist() == [[[10.0, 10.0]]] and found.ids == ["set 0/0.png"]
    scp.write_landmarks(tmp_path / "to", found, "slicer", known())
    (written,) = json.loads((tmp_path / "to/set 0/0.mrk.json").read_text())["markups"]
    assert written["coordinateSystem"] == "LPS"
    assert written["controlPoints"][0]["position"] == [2.5, 5.0, 0.0]


def test_several_nodes_and_points_without_a_place(tmp_path):
    path, file = tmp_path / "0.mrk.json", markups(point("a", 1, 1))
    status = [point(s, 1, 1, positionStatus=s) for s in ("undefined", "missing", "preview")]
    file["markups"] += markups(*status, coordinateUnits=["mm", "mm", "mm"])["markups"]
    file["markups"].append({"type": "Line", "controlPoints": [point("a", 3, 3)]})
    path.write_text(json.dumps(file))
    with pytest.warns(UserWarning, match="markups of type Line: 1"):
        found = scp.read_landmarks(path, images=known())
    assert found.names == ["a", "undefined", "missing", "preview"]
    assert found.present.tolist() == [[True, False, False, False]]


@pytest.mark.parametrize(
    "file, error",
    [
        (markups(point("a", 1, 1, 2.0)), r"'a' is 2 mm off the slice .* not supported"),
        (markups(point("a", 1, 1), coordinateSystem="IJK"), "neither LPS nor RAS"),
        (markups(point("a", 1, 1), coordinateUnits="um"), "only mm are read"),
        (markups(point("a", 99, 1)), "outside the image of 30 x 40"),
        (
            markups(point("a", 1, 1), point("a", 2, 2)),
            r"controlPoints\[1\]: landmark .*already",
        ),
        (markups(point("a", 1, 1, positionStatus="lost")), "positionStatus 'lost' is not known"),
        (markups({"label": "a", "position": [1, 2]}), r"position must be \[x, y, z\]"),
        (markups({"label": "a"}), r"position must be \[x, y, z\]"),
    ],
)
def test_refused(tmp_path, file, error):
    path = tmp_path / "0.mrk.json"
    path.write_text(json.dumps(file))
    with pytest.raises(DatasetError, match=error):
        scp.read_landmarks(path, images=known())
    with pytest.raises(DatasetError, match=r"the images .* say how large a pixel is"):
        scp.read_landmarks(path)


COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
HEAD = f"# Markups fiducial file version = {{}}\n{{}}# columns = {COLUMNS}\n"


@pytest.mark.parametrize(
    "version, system, turn", [(4.11, "LPS", 1), (4.6, "0", -1), (4.3, None, -1), (4.6, "1", 1)]
)
def test_old_files(tmp_path, version, system, turn):
    said = "" if system is None else f"# CoordinateSystem = {system}\n"
    row = "1,{},{},{},0,0,0,1,1,1,0,{},{}\n"
    text = HEAD.format(version, said) + row.format(turn * 2.5, turn * 5, 0, '"a, b"', "hidden,")
    path = tmp_path / "0.fcsv"
    path.write_text(text + row.format(1, 1, 0, "c", ",,0,0"))
    for source in (path, tmp_path):
        found = scp.read_landmarks(source, images=known())
        assert found.names == ["a, b", "c"] and found.visible[0, 0] == np.False_
        np.testing.assert_array_equal(found.xy, [[[10.0, 10.0], [np.nan, np.nan]]])
    path.write_text(text.replace("# columns", "# rows"))
    with pytest.raises(DatasetError, match=r"0\.fcsv, line \d: expected a line # columns"):
        scp.read_landmarks(path, images=known())


def pictures(folder):
    """Pictures whose files say how large a pixel is, and what ITK 5.4 makes of it (sx, sy)."""
    folder.mkdir()
    grey = np.zeros((40, 30), np.uint8)
    for name in ("p.png", "b.bmp", "j.jpg"):
        assert cv2.imwrite(str(folder / name), grey)
    tifffile.imwrite(folder / "c.tif", grey, resolution=(100, 50), resolutionunit=3)
    tifffile.imwrite(folder / "i.tif", grey, resolution=(254, 254), resolutionunit=2)
    tifffile.imwrite(folder / "n.tif", grey, resolution=(100, 50), resolutionunit=1)
    data = (folder / "j.jpg").read_bytes()
    (folder / "i.jpg").write_bytes(data[:13] + struct.pack(">BHH", 1, 254, 127) + data[18:])
    (folder / "c.jpg").write_bytes(data[:13] + struct.pack(">BHH", 2, 100, 50) + data[18:])
    one = {"b.bmp": (1, 1), "j.jpg": (1, 1), "p.png": (1, 1), "n.tif": (1, 1)}
    return {
        **one,
        "i.jpg": (0.1, 0.2),
        "c.jpg": (0.1, 0.2),
        "c.tif": (0.1, 0.2),
        "i.tif": (0.1, 0.1),
    }


def test_a_picture_has_the_spacing_of_its_file(tmp_path):
    """Whatever is known of it otherwise: Slicer does not know it."""
    expected = pictures(tmp_path / "images")
    for name, spacing in expected.items():
        path = tmp_path / "one" / name.replace(".", "-")
        path.mkdir(parents=True)
        (path / name).write_bytes((tmp_path / "images" / name).read_bytes())
        images = scp.datasets.folder(path).with_spacing(7.0)
        said = scp.Landmarks([name], ["a"], [[[10.0, 20.0]]])
        for tool, per_pixel in (("slicer", spacing), ("slicer-mm", (7, 7))):
            out = tmp_path / tool / name
            scp.write_landmarks(out, said, tool, images)
            (file,) = out.iterdir()
            (node,) = json.loads(file.read_text())["markups"]
            place = node["controlPoints"][0]["position"]
            np.testing.assert_allclose(place, [10 * per_pixel[0], 20 * per_pixel[1], 0])
            back = scp.read_landmarks(out, images=images, format=tool)
            np.testing.assert_allclose(back.xy, said.xy)


def test_itk_says_the_same(tmp_path):
    itk = pytest.importorskip("SimpleITK")
    for name, spacing in pictures(tmp_path / "images").items():
        image = itk.ReadImage(str(tmp_path / "images" / name))
        np.testing.assert_allclose(image.GetSpacing(), spacing)
        place = [10 * spacing[0], 20 * spacing[1]]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((10, 20)), place)
