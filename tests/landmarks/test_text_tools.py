"""Text files of tools: DeepLabCut, tpsDig, the ISBI challenge, Aariz."""

import json

import numpy as np
import pytest

import scp
from scp.datasets import DatasetError
from scp.landmarks.formats import format_of

NAN = np.nan


def pool(ids, shape=(200, 100)):
    return scp.datasets.arrays([np.zeros(shape, np.uint8) for _ in ids], ids)


def written(tmp_path, text, name="file.csv"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# ---- DeepLabCut ----

LABELS = (
    "scorer,,,me,me,me,me\nbodyparts,,,nose,nose,tail,tail\ncoords,,,x,y,x,y\n"
    "labeled-data,a,img1.png,1.5,2,,\nlabeled-data,a,img2.png,3,4,5,6\n"
)
PREDICTED = (
    "scorer,DLC,DLC,DLC\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n"
    "labeled-data/a/img1.png,1.5,2,0.25\n0007,3,4,1\n"
)
ANIMALS = (
    "scorer,,,me,me,me,me,me,me\nindividuals,,,one,one,two,two,single,single\n"
    "bodyparts,,,nose,nose,nose,nose,corner,corner\ncoords,,,x,y,x,y,x,y\n"
    "labeled-data,a,1.png,1,2,,,5,6\nlabeled-data,a,2.png,,,3,4,7,8\n"
)


def test_deeplabcut_labels(tmp_path):
    path = written(tmp_path, LABELS, "CollectedData_me.csv")
    assert format_of(path).name == "deeplabcut"
    found = scp.read_landmarks(path)
    assert found.ids == ["a/img1.png", "a/img2.png"] and found.names == ["nose", "tail"]
    np.testing.assert_array_equal(found.xy, [[[1.5, 2], [NAN, NAN]], [[3, 4], [5, 6]]])
    inner = scp.read_landmarks(path, images=pool(["a/img1.png", "x/labeled-data/a/img2.png"]))
    assert inner.ids == ["a/img1.png", "x/labeled-data/a/img2.png"]
    written(tmp_path, LABELS.replace(",a,", ",b,"), "p/labeled-data/b/CollectedData_me.csv")
    written(tmp_path, LABELS, "p/labeled-data/a/CollectedData_me.csv")
    written(tmp_path, "no landmarks", "p/other.csv")
    found = scp.read_landmarks(tmp_path / "p")
    assert found.ids == ["a/img1.png", "a/img2.png", "b/img1.png", "b/img2.png"]


def test_deeplabcut_predictions(tmp_path):
    found = scp.read_landmarks(written(tmp_path, PREDICTED))
    assert found.ids == ["a/img1.png", "0007"]
    np.testing.assert_array_equal(found.confidence, [[0.25], [1]])


def test_deeplabcut_of_several_animals(tmp_path):
    path = written(tmp_path, ANIMALS)
    found = scp.read_landmarks(path)  # one of each name in each image
    assert found.names == ["nose", "corner"]
    np.testing.assert_array_equal(found.xy, [[[1, 2], [5, 6]], [[3, 4], [7, 8]]])
    found = scp.read_landmarks(path, "two")
    assert found.names == ["nose"]
    np.testing.assert_array_equal(found.xy, [[[NAN, NAN]], [[3, 4]]])
    with pytest.raises(
        ValueError, match=r"no individual 'three'; there are 'one', 'two', 'single'"
    ):
        scp.read_landmarks(path, "three")
    both = (
        "scorer,m,m,m,m,m,m,m,m\nindividuals,a,a,a,a,b,b,b,b\nbodyparts,s,s,t,t,s,s,t,t\n"
        "coords,x,y,x,y,x,y,x,y\n1.png,1,1,2,2,10,10,30,30\n2.png,1,1,9,9,4,4,5,5\n"
    )
    path = written(tmp_path, both)
    with pytest.raises(
        DatasetError, match=r"line 5: 2 individuals in one image \(a, b\).*category"
    ):
        scp.read_landmarks(path)
    found = scp.read_landmarks(path, several="largest")
    np.testing.assert_array_equal(found.xy, [[[10, 10], [30, 30]], [[1, 1], [9, 9]]])


@pytest.mark.parametrize(
    "text, message",
    [
        ("scorer,a\n", r"line 1: expected the lines scorer, bodyparts, coords"),
        (LABELS.replace("bodyparts", "parts"), r"line 1: expected the lines"),
        (LABELS.replace("coords,,,x,y", "coords,,,x,x"), r"x, y and likelihood once .* got 'x'"),
        (LABELS.replace("coords,,,", "coords,,"), r"not equally long"),
        (LABELS.replace("me,me\n", "me,you\n"), r"several scorers, me or you"),
        (LABELS.replace("1.5,2,,", "1.5,,,"), r"line 4: one of nose x and nose y is empty"),
        (LABELS.replace("1.5,2,,", "1.5,2,"), r"line 4: 7 cells expected, got 6"),
        (LABELS.replace("img2", "img1"), r"line 5: image 'a/img1\.png' is in line 4 already"),
        (PREDICTED.replace("0.25", "much"), r"line 4: likelihood: 'much' is not a number"),
        (PREDICTED.replace("x,y,l", "x,z,l"), r"got 'z' for 'nose'"),
        (LABELS.replace("x,y\n", "x,likelihood\n"), r"'tail' has only one of x and y"),
    ],
)
def test_deeplabcut_errors(tmp_path, text, message):
    with pytest.raises(DatasetError, match=r"file\.csv.*" + message):
        scp.read_landmarks(written(tmp_path, text))


def test_deeplabcut_as_its_project_wants_it(tmp_path):
    ids = ["a/1.png", "a/2.png", "b/1.png", "3.png"]
    marks = scp.Landmarks(ids, ["s, t", "n"], np.arange(16.0).reshape(4, 2, 2))
    scp.write_landmarks(tmp_path / "p", marks, "deeplabcut")
    files = sorted(f.relative_to(tmp_path / "p").as_posix() for f in tmp_path.rglob("*.csv"))
    assert files == [f"labeled-data/{v}/CollectedData_scp.csv" for v in ("a", "b", "images")]
    lines = (tmp_path / "p" / files[0]).read_text().splitlines()
    assert lines[0] == "scorer,,,scp,scp,scp,scp"
    assert lines[1:3] == ['bodyparts,,,"s, t","s, t",n,n', "coords,,,x,y,x,y"]
    assert lines[3] == "labeled-data,a,1.png,0.0,1.0,2.0,3.0"
    back = scp.read_landmarks(tmp_path / "p", images=pool(ids))
    assert back.rows(ids) == marks
    with pytest.raises(ValueError, match="images of 3 folders"):
        scp.write_landmarks(tmp_path / "p.csv", marks, "deeplabcut")
    scp.write_landmarks(tmp_path / "p.csv", marks.rows(ids[:2]), "deeplabcut")
    assert scp.read_landmarks(tmp_path / "p.csv").ids == ids[:2]
    same = scp.Landmarks(["x/a/1.png", "y/a/1.png"], ["s"], np.zeros((2, 1, 2)))
    with pytest.raises(ValueError, match="'x/a' and 'y/a' would both be the video 'a'"):
        scp.write_landmarks(tmp_path / "q", same, "deeplabcut")


# ---- tpsDig ----

TPS = (
    "LM=3\n1.5 150.0\n-1 -1\n10 200\nCURVES=1\nPOINTS=2\n1 2\n3 4\nIMAGE=a 1.png\nID=0\n"
    "SCALE=0.1\n\nlm=1\n0 1\nImage=C:\\\\x\\\\b.png\n"
)


def test_tps(tmp_path):
    path = written(tmp_path, TPS, "file.tps")
    images = pool(["a 1.png", "b.png"])  # of 200 rows
    with pytest.warns(UserWarning, match="not used: curves: 1"):
        found = scp.read_landmarks(path, images=images)
    assert found.ids == images.ids and found.names == ["1", "2", "3"]
    a = [[1.5, 50], [NAN, NAN], [10, 0]]
    np.testing.assert_array_equal(found.xy, [a, [[0, 199], [NAN, NAN], [NAN, NAN]]])
    scp.write_landmarks(tmp_path / "b.tps", found, "tps", images)
    assert (tmp_path / "b.tps").read_text().startswith("LM=3\n1.50000 150.00000\n-1.00000 -1.0")
    assert scp.read_landmarks(tmp_path / "b.tps", images=images) == found
    with pytest.warns(UserWarning, match="has no names: the 1 landmarks are .* order: sella"):
        named = scp.Landmarks(["b.png"], ["sella"], [[[1, 2]]])
        scp.write_landmarks(tmp_path / "c.tps", named, "tps", images)


@pytest.mark.parametrize(
    "text, message",
    [
        ("LM3=1\n1 2 3\nIMAGE=b.png\n", "line 1: LM3: landmarks in space"),
        ("LM=2\n1 2\nIMAGE=b.png\n", "line 3: expected x y, got 'IMAGE=b.png'"),
        ("LM=2\n1 2\n", "ends after 1 of 2 points"),
        ("LM=1\n1 2\n3 4\n", "line 3: expected NAME=VALUE, got '3 4'"),
        ("LM=1\n1 2\nSCALE=1\n", "line 1: neither IMAGE= nor ID="),
        ("LM=-1\n", "line 1: '-1' is no number of points"),
        ("LM=1\n1 x\nIMAGE=b.png\n", "line 2: y: 'x' is not a number"),
        ("LM=1\n1 2\nIMAGE=c.png\n", "line 1: no image is called 'c.png'"),
        ("LM=1\n1 -90\nIMAGE=b.png\n", "line 2: landmark '1' at .* is outside"),
        ("LM=0\nIMAGE=b.png\n", "no landmark in it"),
        ("IMAGE=b.png\nLM=0\n", "line 1: expected LM="),
    ],
)
def test_tps_errors(tmp_path, text, message):
    with pytest.raises(DatasetError, match=r"file\.tps.*" + message):
        scp.read_landmarks(written(tmp_path, text, "file.tps"), images=pool(["b.png"]))


def test_tps_needs_the_images(tmp_path):
    with pytest.raises(DatasetError, match=r"the images are needed too"):
        scp.read_landmarks(written(tmp_path, TPS, "file.tps"))
    with pytest.raises(ValueError, match=r"the images are needed too"):
        scp.write_landmarks(tmp_path / "x.tps", scp.Landmarks(["a"], ["1"], [[[1, 2]]]), "tps")


# ---- the ISBI challenge, Aariz ----


def test_isbi_folders_and_files(tmp_path):
    lines = "".join(f"{k},{2 * k}\n" for k in range(1, 20))
    for name in ("001.txt", "002.txt"):
        written(tmp_path, lines + "1\n3\n", f"to/{name}")
    written(tmp_path, "what this is", "to/readme.txt")
    found = scp.read_landmarks(tmp_path / "to")
    assert format_of(tmp_path / "to").name == "isbi"
    assert found.ids == ["001", "002"] and found.names[:2] == ["sella", "nasion"]
    assert len(found.names) == 19 and found.xy[0, :2].tolist() == [[1, 2], [2, 4]]
    known = scp.read_landmarks(tmp_path / "to" / "002.txt", images=pool(["a/001.png", "a/002.png"]))
    assert known.ids == ["a/002.png"]
    few = scp.read_landmarks(written(tmp_path, "1,2\n,\n3,4\n", "7.txt"))
    assert few.names == ["1", "2", "3"] and few.present.tolist() == [[True, False, True]]
    written(tmp_path, "1,2\n", "to/003.txt")
    with pytest.raises(DatasetError, match=r"003\.txt: 1 lines x,y, but 19 in 001\.txt"):
        scp.read_landmarks(tmp_path / "to")


@pytest.mark.parametrize(
    "text, message",
    [
        ("1,2\n3;4\n5,6\n", r"line 2: expected x,y; got '3;4'"),
        ("1,2\n1\n5,6\n", r"line 3: expected x,y; got '5,6'"),
        ("1,2\n1,x\n", r"line 2: y: 'x' is not a number"),
        ("1,2\n1,\n", r"line 2: one of x and y is empty"),
        ("1,2\n1,2,3\n", r"line 2: expected x,y"),
    ],
)
def test_isbi_errors(tmp_path, text, message):
    with pytest.raises(DatasetError, match=r"1\.txt.*" + message):
        scp.read_landmarks(written(tmp_path, text, "1.txt"))


def entry(title, value):
    return {"landmark_id": title, "title": title, "symbol": title[:1], "value": value}


def test_aariz(tmp_path):
    points = [entry("Sella", {"x": 10, "y": 20}), entry("Nasion", None)]
    points.append(entry("Menton", {"x": None, "y": None}))
    content = {"ceph_id": "cks2ip8fq29yq0yufc4scftj8", "landmarks": points, "dataset_type": "train"}
    path = written(tmp_path, json.dumps(content), "a/1.json")
    for source in (path, tmp_path / "a"):
        found = scp.read_landmarks(source)
        assert format_of(source).name == "aariz"
        assert found.ids == ["cks2ip8fq29yq0yufc4scftj8"]
        assert found.names == ["Sella", "Nasion", "Menton"]
        np.testing.assert_array_equal(found.xy, [[[10, 20], [NAN, NAN], [NAN, NAN]]])
    written(tmp_path, json.dumps(content), "a/2.json")
    with pytest.raises(DatasetError, match=r"2\.json: image 'cks.*' is in 1\.json already"):
        scp.read_landmarks(tmp_path / "a")
    for change, message in (
        (points[:1] * 2, r"landmarks\[1\]: landmark 'Sella' .* is there already"),
        ([entry("", None)], r"landmarks\[0\]: title is missing"),
        ([entry("S", [1, 2])], r"landmarks\[0\]: value must be an object"),
        ([entry("S", {"x": 1})], r"landmarks\[0\], y: None is not a finite number"),
        ({}, r"landmarks must be a list"),
    ):
        with pytest.raises(DatasetError, match=message):
            path = written(tmp_path, json.dumps({**content, "landmarks": change}), "b.json")
            scp.read_landmarks(path)
