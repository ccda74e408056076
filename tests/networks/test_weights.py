"""Models in files, and VGG-19 of ImageNet from torchvision's files."""

from collections import OrderedDict

import numpy as np
import pytest
import torchfiles
from safetensors.numpy import save_file
from torchfiles import state_dict, write_stream, write_zip

from scp.networks import build, imagenet, torchvision_names
from scp.networks.model import Model, load_model, save_model
from scp.networks.vgg import VGG19
from scp.runs import read_safetensors, write_safetensors


@pytest.fixture(scope="module")
def vgg():
    """The names and shapes of torchvision's vgg19, small random values, a stump of the rest."""
    rng = np.random.default_rng(0)
    names, out, inputs = torchvision_names(), OrderedDict(), 3
    for g, (channels, depth) in enumerate(VGG19, 1):
        for i in range(1, depth + 1):
            name = names[f"vgg.conv{g}_{i}"]
            shape = channels, inputs, 3, 3
            out[f"{name}.weight"] = rng.standard_normal(shape, np.float32).astype(np.float16)
            out[f"{name}.bias"] = rng.standard_normal(channels, np.float32).astype(np.float16)
            inputs = channels
    out["classifier.0.weight"] = np.ones((2, 3), np.float16)
    return out


@pytest.mark.parametrize("form", ["zip", "stream", "safetensors"])
def test_vgg19_is_converted(vgg, form, tmp_path, monkeypatch):
    path = tmp_path / "vgg19.pth"
    if form == "safetensors":
        save_file(vgg, path)
    else:
        torchfiles.fake_torch(monkeypatch)
        (write_zip if form == "zip" else write_stream)(path, state_dict(vgg))
    target = imagenet.import_vgg19(path, tmp_path / "deep" / "vgg.safetensors")
    net = build("paper", channels=16, blocks=False)
    parameters, state = net.initial(0)
    before = parameters.copy()
    imagenet.put_vgg19(net, parameters, target)
    tensors = net.tensors(parameters, state)
    w = vgg["features.7.weight"].astype(np.float32)  # conv2_2
    assert (tensors["vgg.conv2_2.weight"] == w.transpose(2, 3, 1, 0)).all()
    assert tensors["vgg.conv1_1.weight"][2, 0, 1, 5] == vgg["features.0.weight"][5, 1, 2, 0]
    assert (tensors["vgg.conv5_4.bias"] == vgg["features.34.bias"]).all()
    changed = parameters != before
    assert not changed[net.blocks[net.names.index("up1.conv1"), 0] :].any()
    with pytest.raises(ValueError, match="no VGG-19 layers"):
        laptop = build("laptop")
        imagenet.put_vgg19(laptop, laptop.initial(0)[0], target)


@pytest.mark.parametrize(
    "change, text",
    [
        (lambda d: d.pop("features.34.bias"), r"features\.34\.bias is missing"),
        (lambda d: d.update({"features.1.weight": np.ones(64, np.float32)}), "without batch norm"),
        (lambda d: d.update({"features.0.bias": np.ones(3, np.float32)}), r"shape \(64,\)"),
        (lambda d: d.update({"features.0.bias": np.ones(64, np.int64)}), "floating point"),
        (lambda d: d.update({"features.0.bias": np.full(64, np.nan, np.float32)}), "not finite"),
    ],
)
def test_foreign_weights_are_refused(vgg, tmp_path, change, text):
    path, target = tmp_path / "vgg19.safetensors", tmp_path / "out.safetensors"
    content = dict(vgg)
    change(content)
    save_file(content, path)
    with pytest.raises(ValueError, match=rf"vgg19\.safetensors: .*{text}"):
        imagenet.import_vgg19(path, target)
    assert not target.exists()


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        imagenet.read_vgg19(tmp_path / "none.pth")
    path = tmp_path / "x.pth"
    for data in (b"", b"\x10\0\0\0\0\0\0\0{", b"hello world, not weights"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"x\.pth"):
            imagenet.read_vgg19(path)


def test_store_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SCP_WEIGHTS", str(tmp_path))
    assert imagenet.stored_vgg19() is None
    (tmp_path / "vgg19.safetensors").write_bytes(b"x")
    assert imagenet.stored_vgg19() == tmp_path / "vgg19.safetensors"
    monkeypatch.delenv("SCP_WEIGHTS")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert str(imagenet.store()) == "/data/scp"


def small_model(**training):
    options = {"encoder": [16, 16], "depths": [0, 1], "decoder": [16], "channels": 16}
    net = build("laptop", **options)
    return Model(net, (64, 96), *net.initial(3), "laptop", options, training)


def test_models_come_back(tmp_path):
    model, path = small_model(steps=7, seed=3), tmp_path / "weights.safetensors"
    model.state += 0.25
    save_model(path, model)
    again = load_model(path)
    assert again.parameters.tobytes() == model.parameters.tobytes()
    assert again.state.tobytes() == model.state.tobytes()
    assert again.size == (64, 96) and again.training == {"steps": 7, "seed": 3}
    assert again.network.digest() == model.network.digest()
    first = path.read_bytes()
    save_model(path, model)
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]


def test_damaged_models_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_model(path, small_model())
    header, tensors = read_safetensors(path)
    whole = path.read_bytes()

    def refused(text, header=header, tensors=tensors):
        write_safetensors(path, header, tensors)
        with pytest.raises(ValueError, match=rf"weights\.safetensors: .*{text}"):
            load_model(path)

    refused("not a model of scp", header={})
    refused("layout 9", header={**header, "version": 9})
    refused("does not describe", header={**header, "network": {"layers": [3]}})
    refused("does not describe", header={**header, "size": [1, 1]})
    refused("does not describe", header={k: v for k, v in header.items() if k != "size"})
    refused("have the digest", header={**header, "digest": "0"})
    name = "stem.weight"
    refused(r"stem\.weight is missing", tensors={k: v for k, v in tensors.items() if k != name})
    refused("extra does not belong", tensors={**tensors, "extra": tensors[name]})
    refused(r"must have shape", tensors={**tensors, name: tensors[name][:1]})
    refused("not finite", tensors={**tensors, name: tensors[name] * np.float32(np.inf)})
    for length in range(0, len(whole), 997):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"weights\.safetensors"):
            load_model(path)
