"""The architectures: published counts of the paper's network, shapes of the levels."""

import numpy as np
import pytest

from scp.networks import PRESETS, build, torchvision_names
from scp.training import TrainingOptions


def gmacs(net, height=384, width=384):
    return net.shapes(height, width)[:, 3].sum() / 1e9


@pytest.mark.parametrize(
    "options, parameters, macs",
    [
        ({"full": True}, 58_312_512, 129.464),
        ({}, 58_008_576, 84.770),
        ({"channels": 16, "full": True}, 58_253_856, 128.278),
        ({"channels": 16}, None, 84.490),
        ({"blocks": False, "full": True}, 24_567_360, 118.366),
        ({"blocks": False}, None, 73.671),
        ({"blocks": False, "channels": 16, "full": True}, 24_508_704, 117.180),
        ({"blocks": False, "channels": 16}, None, 73.392),
    ],
)
def test_counts_of_the_paper_network(options, parameters, macs):
    net = build("paper", **options)
    assert abs(gmacs(net) - macs) <= 6e-4
    assert parameters is None or net.n_parameters == parameters


def test_counts_at_other_sizes():
    full, trimmed = build("paper", full=True), build("paper")
    assert abs(gmacs(full, 192, 192) - 32.366) <= 6e-4
    assert abs(gmacs(trimmed, 192, 192) - 21.192) <= 6e-4
    assert abs(gmacs(full, 768, 384) - 258.928) <= 6e-4
    assert abs(gmacs(trimmed, 768, 384) - 169.539) <= 6e-4
    small = build("paper", blocks=False, channels=16)
    assert abs(gmacs(small, 256, 256) - 32.619) <= 6e-4


def test_blocks_of_the_paper_network():
    net = build("paper", full=True)
    sizes = {}
    for name, block, shape in zip(net.names, net.blocks, net.shapes(384, 384), strict=True):
        key = name.split(".")[0]
        count, macs = sizes.get(key, (0, 0))
        sizes[key] = count + int(block[1]), macs + int(shape[3])
    expected = {
        "vgg": (20_024_384, 57.331),
        "up1": (2_950_656, 1.699),
        "up2": (738_048, 1.699),
        "up3": (184_704, 1.699),
        "up4": (295_680, 10.872),
        "up5": (295_680, 43.487),
        "rfb5": (25_705_472, 3.699),
        "rfb4": (6_430_208, 3.699),
        "rfb3": (1_609_472, 3.699),
        "head5": (32_832, None),
        "head4": (16_448, None),
        "head3": (8_256, None),
        "head2": (4_160, None),
        "head1": (8_256, None),
        "head0": (8_256, 1.208),
    }
    assert set(expected) | {"image"} == set(sizes)
    for name, (count, macs) in expected.items():
        assert sizes[name][0] == count, name
        assert macs is None or abs(sizes[name][1] / 1e9 - macs) <= 6e-4, name


@pytest.mark.parametrize("name", PRESETS)
def test_levels_come_coarsest_first(name):
    net = build(name)
    size = PRESETS[name].size
    shapes = net.shapes(*size)[net.outputs]
    assert len(shapes) == 5
    for shape, stride in zip(shapes, (32, 16, 8, 4, 2), strict=True):
        assert shape[:2].tolist() == [size[0] // stride, size[1] // stride]
    assert len(set(shapes[:, 2].tolist())) == 1


def test_training_values_of_presets():
    for entry in PRESETS.values():
        TrainingOptions().set(**entry.training)
    paper = TrainingOptions().set(**PRESETS["paper"].training)
    assert [paper.rate(p) for p in (0, 0.16, 0.17, 0.99)] == [1e-3, 1e-3, 5e-4, 1e-3 / 32]
    assert (paper.batch, paper.points, paper.steps) == (8, 1, 61_800)
    assert {t.views for t in paper.transforms} == {"crop"}  # the whole image is never changed


def test_laptop_has_no_map_of_full_size_and_whole_vectors():
    net = build("laptop")
    shapes = net.shapes(384, 384)
    assert (shapes[1:, 0] <= 192).all() and (shapes[1:, 2] % 16 == 0).all()
    assert net.image_channels == 1


def test_laptop_takes_other_widths():
    net = build("laptop", encoder=(16, 32, 48), depths=(0, 1, 3), decoder=(32, 16), channels=16)
    shapes = net.shapes(64, 96)[net.outputs]
    assert shapes[:, :3].tolist() == [[8, 12, 16], [16, 24, 16], [32, 48, 16]]
    for options, text in (
        ({"depths": (1, 2)}, "depths and encoder"),
        ({"decoder": (64,)}, "decoder must hold 4"),
        ({"stem": 3}, "stem must be even"),
        ({"colour": 1}, "colour"),
    ):
        with pytest.raises(ValueError, match=text):
            build("laptop", **options)
    with pytest.raises(ValueError, match="preset must be one of laptop, paper"):
        build("desktop")


def test_torchvision_names():
    names = torchvision_names()
    assert len(names) == 16
    assert names["vgg.conv1_1"] == "features.0" and names["vgg.conv2_1"] == "features.5"
    assert names["vgg.conv3_4"] == "features.16" and names["vgg.conv5_4"] == "features.34"


def test_first_weights_of_the_paper_network():
    net = build("paper", channels=16, blocks=False)
    tensors = net.tensors(*net.initial(0))
    w = tensors["vgg.conv5_1.weight"]
    assert abs(w.std() - np.sqrt(2 / (9 * 512))) <= 0.01 * w.std()  # He
    assert (tensors["vgg.conv5_1.bias"] == 0).all()
    w = tensors["up1.conv1.weight"]
    assert abs(np.abs(w).max() - 1 / np.sqrt(9 * 1024)) <= 0.01 * np.abs(w).max()  # PyTorch's
