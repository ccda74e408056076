"""YOLO pose: labels with and without v, what data.yaml says, several instances and classes."""

import numpy as np
import pytest

import scp
from scp.datasets import DatasetError
from scp.landmarks.yaml import load_yaml

SIZE = 100, 200  # H, W


def pool():
    names = [f"train/00{i}.png" for i in range(3)]
    return scp.datasets.arrays([np.zeros(SIZE, np.uint8)] * 3, names)


def folder(path, yaml, **labels):
    (path / "labels/train").mkdir(parents=True)
    (path / "data.yaml").write_text(yaml)
    for name, text in labels.items():
        (path / "labels/train" / f"{name[1:]}.txt").write_text(text)
    return path


def test_as_ultralytics_has_it(tmp_path):
    yaml = (
        "path: ../d # root\ntrain: images/train\nkpt_shape: [3, 3]  # x, y, v\nnames:\n  0: head\n"
    )
    line = "0 0.5 0.5 0.1 0.1 0.5 0.25 2.000000 0.1 0.2 1 0 0 0\n"
    path = folder(tmp_path, yaml, _000=line, _001="")
    for source in (path, path / "data.yaml"):
        found = scp.read_landmarks(source, images=pool())
        assert found.ids == ["train/000.png", "train/001.png"] and found.names == ["1", "2", "3"]
        nan = [np.nan, np.nan]
        expected = [[[99.5, 24.5], [19.5, 19.5], nan], [nan] * 3]
        np.testing.assert_allclose(found.xy, expected)
        assert found.visible[0].tolist() == [True, False, True]
    with pytest.raises(DatasetError, match=r"the images .* say how large"):
        scp.read_landmarks(path)


def test_two_numbers_a_point_and_names(tmp_path):
    yaml = "kpt_shape: [2, 2]\nnames: [head]\nkpt_names: {0: ['a: b', \"ü\"]}\n"
    path = folder(tmp_path, yaml, _000="0 0.5 0.5 0.1 0.1 0.5 0.5 0 0\n")
    found = scp.read_landmarks(path, images=pool())
    assert found.names == ["a: b", "ü"] and found.present.tolist() == [[True, False]]


def test_several_instances_and_classes(tmp_path):
    yaml = "kpt_shape: [1, 3]\nnames: {0: head, 1: hand}\n"
    lines = "0 .5 .5 .1 .1 .1 .1 2\n0 .5 .5 .2 .2 .2 .2 2\n1 .5 .5 .9 .9 .3 .3 2\n"
    path = folder(tmp_path, yaml, _000=lines)
    with pytest.raises(DatasetError, match=r"several classes, choose one .*'head', 'hand'"):
        scp.read_landmarks(path, images=pool())
    with pytest.raises(DatasetError, match=r"line 2: the image has an instance in line 1"):
        scp.read_landmarks(path, "head", images=pool())
    with pytest.warns(UserWarning, match=r"not the largest of their image: 1; .*class 1: 1"):
        found = scp.read_landmarks(path, "head", images=pool(), several="largest")
    np.testing.assert_allclose(found.xy, [[[39.5, 19.5]]])
    with pytest.raises(DatasetError, match="no class 'foot'; there are 'head', 'hand'"):
        scp.read_landmarks(path, "foot", images=pool())


@pytest.mark.parametrize(
    "yaml, line, error",
    [
        ("names: [a]\n", "", "kpt_shape must be"),
        ("kpt_shape: [2, 4]\n", "", "kpt_shape must be"),
        ("kpt_shape: [2, 3]\n", "0 1 1 1 1 .5 .5 2\n", "8 numbers, expected 5 and 3 for each of 2"),
        ("kpt_shape: [1, 3]\n", "0 1 1 1 1 .5 .5 .93\n", "confidence there, and is not read"),
        ("kpt_shape: [1, 3]\n", "0 1 1 1 1 9 9 2\n", "outside the image of 200 x 100"),
        ("kpt_shape: [1, 3]\n", "0 1 1 1 x 9 9 2\n", "'x' is not a number"),
        ("kpt_shape: [1, 3]\nkpt_names: {0: [a, b]}\n", "", "kpt_names must be 1 names"),
    ],
)
def test_refused(tmp_path, yaml, line, error):
    with pytest.raises(DatasetError, match=error):
        scp.read_landmarks(folder(tmp_path, yaml, _000=line), images=pool(), format="yolo-pose")


def test_what_is_written(tmp_path):
    images = pool()
    xy = np.array([[[0, 0], [199, 99]], [[np.nan] * 2, [49.5, 49.5]], [[np.nan] * 2] * 2], float)
    said = scp.Landmarks(images.ids, ['s"ü', "t: #"], xy)
    scp.write_landmarks(tmp_path / "out", said, "yolo-pose", images)
    labels = [(tmp_path / f"out/labels/train/00{i}.txt").read_text() for i in range(3)]
    values = np.array(labels[0].split(), float)
    np.testing.assert_allclose(values[:5], [0, 0.5, 0.5, 1, 1], atol=1e-8)
    np.testing.assert_allclose(values[5:], [0.0025, 0.005, 2, 0.9975, 0.995, 2], atol=1e-8)
    assert labels[1].split()[5:8] == ["0", "0", "0"] and labels[2] == ""
    back = scp.read_landmarks(tmp_path / "out", images=images)
    assert back.names == said.names and back.ids == said.ids
    np.testing.assert_allclose(back.xy, xy, atol=1e-6)


TEXTS = [
    "a: 1\nb:\n  c: [x, 'y, z', {d: 2}]\n  e:\n  - 1\n  - f\n",
    "names:\n- a b\n- 'it''s'\n- \"q\\\"\"\nempty:\nlast: {}\n",
    '---\n"k e": []\n1: ~\nurl: http://a.b/c#d\n# all\n',
    "kpt_names:\n  0:\n    - nose\n    - left eye\nflip_idx: [0, 2, 1] # x\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_yaml_is_that_of_a_library(text):
    yaml = pytest.importorskip("yaml")

    def texts(value):  # keys of numbers are texts here
        if isinstance(value, dict):
            return {str(key): texts(inner) for key, inner in value.items()}
        return [texts(inner) for inner in value] if isinstance(value, list) else value

    assert load_yaml("a.yaml", text) == texts(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text", ["a: &x 1\n", "a: |\n  x\n", "- 1\n", "a: [1\n", "a: 1\na: 2\n", ""]
)
def test_yaml_that_is_refused(text):
    with pytest.raises(DatasetError, match=r"a\.yaml"):
        load_yaml("a.yaml", text)
