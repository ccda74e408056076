"""The size of the grid follows from the images."""

import numpy as np
import pytest

import scp
from scp.cli import main


def pool(*shapes):
    return scp.datasets.arrays([np.zeros(shape, np.uint8) for shape in shapes])


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((2400, 1935), (384, 384)),  # cephalograms
        ((299, 299), (288, 288)),
        ((160, 160), (160, 160)),
        ((480, 632), (384, 384)),  # photographs
        ((3000, 2500), (384, 384)),  # hands
        ((2000, 800), (576, 256)),  # a spine
        ((1500, 1000), (384, 384)),  # photographs again
        ((2000, 100), (1152, 128)),
        ((400, 1600), (192, 768)),
        ((40, 60), (128, 128)),
    ],
)
def test_size_of_one_shape(shape, size):
    images = pool(shape)
    assert scp.usual_size(images) == size
    assert np.prod(size) <= 384 * 384


def test_pools_of_many_shapes_become_squares():
    assert scp.usual_size(pool((900, 400), (400, 900), (900, 400), (950, 400))) == (384, 384)
    assert scp.usual_size(pool((900, 400), (900, 420), (950, 400))) == (576, 256)
    assert scp.usual_size(pool((200, 200), (2000, 2000), (190, 210))) == (192, 192)


def test_another_limit_and_unit():
    assert scp.usual_size(pool((2400, 1935)), (768, 768), 64) == (768, 768)
    assert scp.usual_size(pool((40, 60)), (768, 768), 256) == (256, 256)
    with pytest.raises(ValueError, match="images: the data set is empty"):
        scp.usual_size(pool((10, 10)).subset([]))


def test_the_command_line_takes_it(tmp_path, capsys):
    import cv2

    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        image = rng.integers(0, 255, (160, 150), np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{i}.png"), image)
    command = ["train", str(tmp_path / "images"), "--run", str(tmp_path / "run"), "--steps", "1"]
    assert main(command) == 0
    assert "4 images of 160 x 160 pixels" in capsys.readouterr().out
    assert scp.FeatureExtractor.load(tmp_path / "run").grid_size == (160, 160)
    assert main([*command, "--size", "128", "--fresh"]) == 0
    assert "4 images of 128 x 128 pixels" in capsys.readouterr().out
