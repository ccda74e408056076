"""Features of a network: packing, pyramids, the store, files."""

import numpy as np
import pytest

import scp
from scp import _core, _testing
from scp.features import FeatureExtractor, FeaturePyramid, PyramidStore
from scp.networks import build
from scp.networks.layers import describe_layers
from scp.networks.model import Model
from scp.reference import nn as reference

SMALL = {"encoder": [16, 16, 32], "depths": [1, 1, 1], "decoder": [16, 16], "channels": 20}


def untrained(size=(64, 96), seed=1, network=None) -> FeatureExtractor:
    """An extractor with first weights, as if they were trained."""
    e = FeatureExtractor(preset="laptop", random_state=seed, size=size, network=network or SMALL)
    e.model_ = Model(e.architecture, e.size, *e.architecture.initial(seed), e.preset, e.network)
    e.model_.state += np.random.default_rng(0).uniform(0, 0.1, e.model_.state.shape).astype("f4")
    return e


@pytest.mark.parametrize("channels, width", [(1, 16), (8, 16), (20, 32), (64, 64)])
def test_packing_is_normalisation(channels, width):
    rng = np.random.default_rng(channels)
    level = rng.normal(size=(3000, channels)).astype(np.float32)
    level[17] = 0
    level[18] = 1e-35
    level[19] *= 1e15
    features = np.full((3000, width), np.nan, np.float32)
    norms = np.full(3000, np.nan, np.float32)
    _core.pyramid_pack(features, norms, level)
    exact = np.linalg.norm(level.astype(np.float64), axis=1)
    live = exact >= 1e-30
    assert live.sum() == 2998
    assert (np.abs(norms[live] / exact[live] - 1) <= 1e-7).all()
    wanted = level[live] / exact[live, None]
    assert (np.abs(features[live, :channels] - wanted) <= 2e-7 * np.abs(wanted)).all()
    assert (features[:, channels:] == 0).all() and (features[~live] == 0).all()
    assert (norms[~live] == 0).all()


def test_packing_gives_the_same_bits_at_any_number_of_threads():
    level = np.random.default_rng(0).normal(size=(5000, 20)).astype(np.float32)
    out = []
    for threads in (1, 3):
        _core.set_threads(threads)
        features, norms = np.empty((5000, 32), np.float32), np.empty(5000, np.float32)
        _core.pyramid_pack(features, norms, level)
        out.append(features.tobytes() + norms.tobytes())
    assert out[0] == out[1]


def test_packing_refuses_what_is_not_finite_or_does_not_fit():
    level = np.ones((10, 20), np.float32)
    features, norms = np.empty((10, 32), np.float32), np.empty(10, np.float32)
    for value in (np.nan, np.inf):
        level[3, 3] = value
        with pytest.raises(ValueError, match="map must be finite"):
            _core.pyramid_pack(features, norms, level)
    with pytest.raises(ValueError, match="map must have at most the channels of features"):
        _core.pyramid_pack(np.empty((10, 16), np.float32), norms, level)
    with pytest.raises(ValueError, match="norms"):
        _core.pyramid_pack(features, np.empty(9, np.float32), level)


def test_pyramid_is_the_network_normalised():
    e = untrained()
    image = np.random.default_rng(2).random((64, 96), np.float32)
    pyramid = e.pyramid(image)
    maps = reference_outputs(e, image)
    wanted = FeaturePyramid.from_levels(maps)
    assert pyramid.features.shape == wanted.features.shape == (e.cells, 32)
    assert np.abs(pyramid.features - wanted.features).max() <= 1e-4
    assert np.abs(pyramid.norms - wanted.norms).max() <= 1e-4 * wanted.norms.max()
    assert pyramid.size == (64, 96) and pyramid.levels == 3
    assert e.pyramid_bytes() == pyramid.features.nbytes + pyramid.norms.nbytes
    again = e.pyramid(image)
    assert again.features.tobytes() == pyramid.features.tobytes()
    with pytest.raises(ValueError, match="image must have shape"):
        e.pyramid(image[:32])


def reference_outputs(e, image):
    twin = reference.Twin(
        e.architecture.layers,
        e.architecture.blocks,
        e.architecture.outputs,
        e.model_.parameters.astype(np.float64),
        e.model_.state.astype(np.float64),
        train=False,
    )
    return [m[0].astype(np.float32) for m in twin.forward(image[None, :, :, None].astype(float))]


def test_grey_images_are_repeated_for_three_channels():
    grey, colour = untrained(), untrained(network={**SMALL, "image_channels": 3})
    theirs = colour.architecture.tensors(colour.model_.parameters, colour.model_.state)
    for name, tensor in grey.architecture.tensors(
        grey.model_.parameters, grey.model_.state
    ).items():
        if name == "stem.weight":
            tensor[...] = theirs[name].sum(axis=2, keepdims=True)
        else:
            tensor[...] = theirs[name]
    image = np.random.default_rng(2).random((64, 96), np.float32)
    a, b = grey.pyramid(image), colour.pyramid(image)
    assert np.abs(a.features - b.features).max() <= 1e-4


def test_transform_takes_data_sets_and_arrays(tmp_path):
    e = untrained((64, 64))
    pool = scp.datasets.phantom(5, seed=1, size=(80, 72))
    pictures = [pool.image(i) for i in range(5)]
    a = e.transform(pool)
    b = e.transform(pictures, max_memory=2 * e.pyramid_bytes(), folder=tmp_path)
    c = e.transform(np.stack([pool.grid(i, (64, 64)) for i in range(5)]), max_memory=0)
    assert (a.spilled, b.spilled, c.spilled) == (0, 3, 5)
    assert list(tmp_path.iterdir()) == []
    for i in range(-1, 5):
        for other in (b, c):
            assert other[i].features.tobytes() == a[i].features.tobytes()
            assert other[i].norms.tobytes() == a[i].norms.tobytes()
    assert len(b[1:4]) == 3 and len(list(b)) == 5
    with pytest.raises(IndexError):
        b[5]
    value, _, _ = scp.match(b[4], *b[4].at(np.array([[30.0, 20.0]], np.float32)))
    assert value[0] >= 0.9


def test_store_wants_one_shape():
    pyramids = [
        untrained((32, 32)).pyramid(np.ones((32, 32), np.float32)),
        untrained((32, 64)).pyramid(np.ones((32, 64), np.float32)),
    ]
    with pytest.raises(ValueError, match="one shape"):
        PyramidStore(pyramids)
    assert len(PyramidStore([])) == 0


def test_save_and_load(tmp_path):
    e = untrained()
    image = np.random.default_rng(2).random((64, 96), np.float32)
    e.save(tmp_path / "w.safetensors")
    again = FeatureExtractor.load(tmp_path / "w.safetensors")
    assert again.parameters() == e.parameters()
    assert again.pyramid(image).features.tobytes() == e.pyramid(image).features.tobytes()
    other = FeatureExtractor.load(tmp_path / "w.safetensors", size=(128, 64))
    assert other.grid == (16, 8) and other.parameters() != e.parameters()
    e.model_.parameters[0] += 1
    assert again.parameters()["weights"] != e.parameters()["weights"]


def test_parameters_as_scikit_learn_wants_them():
    e = FeatureExtractor(
        preset="laptop",
        random_state=3,
        size=(64, 64),
        network=SMALL,
        training={"batch": 2, "noise": 0.1},
    )
    assert FeatureExtractor(**e.get_params()).get_params() == e.get_params()
    assert (e.options.seed, e.options.batch, e.grid_size) == (3, 2, (64, 64))
    assert {t.name: t.strength for t in e.options.transforms}["noise"] == 0.1
    options = e.options
    e.set_params(random_state=4, training={"batch": 3})
    assert (e.options.seed, e.options.batch, e.grid_size) == (4, 3, (64, 64))
    assert FeatureExtractor(training=options, random_state=5).options == options.set(seed=5)
    e.size = (96, 64)
    assert e.grid_size == (96, 64)
    with pytest.raises(ValueError, match="data set is empty"):
        e.fit(scp.datasets.Dataset("none", [], shapes=[]))


def test_errors_name_the_argument():
    e = FeatureExtractor(preset="laptop", size=(64, 64), network=SMALL)
    image = np.ones((64, 64), np.float32)
    for call in (
        lambda: e.pyramid(image),
        lambda: e.transform([image]),
        e.parameters,
        lambda: e.save("x"),
    ):
        with pytest.raises(RuntimeError, match="not trained yet"):
            call()
    for arguments, text in (
        ({"size": (60, 64)}, "size must be two multiples of 8"),
        ({"preset": "desktop"}, "preset must be one of"),
        ({"training": {"colour": 3}}, "no training option is called 'colour'"),
        ({"training": {"batch": 0}}, "batch must be"),
        ({"training": {"seed": 0}}, "the seed is the parameter random_state"),
        ({"random_state": -1}, "random_state must be"),
        ({"network": {"colour": 3}}, "colour"),
    ):
        with pytest.raises(ValueError, match=text):
            FeatureExtractor(**{"network": SMALL, **arguments}).check()
    e = untrained((64, 64))
    for images, kind, text in (
        (np.ones((64, 64), np.float32), ValueError, r"images must be \[N\]\[H\]\[W\]"),
        ([np.ones((64, 64), np.int64)], TypeError, r"images\[0\] must be uint8"),
        ([image, image * 2], ValueError, r"images\[1\] must lie in 0..1"),
        ([image * np.nan], ValueError, r"images\[0\] must lie in 0..1"),
        ([np.ones((3, 0), np.uint8)], ValueError, r"not empty"),
        ([], ValueError, "at least one"),
    ):
        with pytest.raises(kind, match=text):
            e.transform(images)


def test_layer_table_adds_up():
    net = build("paper")
    rows = describe_layers(net, (384, 384))
    assert sum(r["parameters"] for r in rows) == 58_008_576
    assert abs(sum(r["macs"] for r in rows) / 1e9 - 84.770) <= 6e-4
    assert rows[1] == {
        "name": "vgg.conv1_1",
        "op": "conv",
        "height": 384,
        "width": 384,
        "channels": 64,
        "parameters": 1792,
        "macs": 254_803_968,
    }


def test_core_agrees_with_the_builder():
    for name in ("laptop", "paper"):
        net = build(name)
        parameters, state, outputs, blocks = _testing.graph_blocks(net.graph())
        assert (parameters, state, outputs) == (net.n_parameters, net.n_state, 5)
        assert (blocks == net.blocks).all()
        plan = _core.plan_create(net.graph(), 1, 96, 64, False)
        assert (_testing.plan_shapes(plan) == net.shapes(96, 64)).all()


def test_resized_shares_the_weights_and_gives_the_features_of_the_other_size():
    rng = np.random.default_rng(0)
    image = rng.random((96, 128), np.float32)
    for extractor in (untrained((64, 64)), scp.GradientExtractor(size=(64, 64), levels=3)):
        other = extractor.resized((96, 128))
        assert other.grid_size == (96, 128) and extractor.grid_size == (64, 64)
        assert other.pyramid(image).size == (96, 128)
        assert extractor.pyramid(image[:64, :64]).size == (64, 64)
    with pytest.raises(ValueError, match="size must be"):
        extractor.resized((90, 128))
