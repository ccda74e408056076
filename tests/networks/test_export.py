"""Models for others: as PyTorch modules and as ONNX. What they compute is compared where PyTorch
and onnxruntime are installed (else skipped)."""

import ast
import importlib.util
import json

import numpy as np
import pytest

import scp
from scp.cli import main
from scp.networks import Network, build, export_model, save_model
from scp.networks.export import layer_names
from scp.networks.model import Model
from scp.networks.refine import build_refinement
from scp.runs import read_safetensors

SMALL = {"encoder": [16, 16], "depths": [0, 1], "decoder": [16], "channels": 16}
REFINEMENT = {"refinement": True, "names": ["sella", "a'\n\"b"], "options": {"inputs": "centred"}}


def everything() -> Network:
    """Every operator."""
    net = Network()
    x = net.input(3)
    a = net.relu(net.batch_norm(net.conv(x, 20, 4, stride=2, padding=1, bias=False)))
    b = net.leaky(net.instance_norm(net.conv(a, 24, (1, 5))), 0.2)
    c = net.max_pool(net.conv(b, 17, 3, dilation=3, padding=3))
    d = net.resize(c, 2, align=True)
    e = net.concat(a, d, net.resize(net.tanh(c), 2, align=False))
    f = net.dropout(net.sigmoid(net.batch_norm(net.conv(e, 16, 1), momentum=0.3)))
    g = net.add(f, net.conv(b, 16, 3))
    net.output(net.transposed(c, 9, 4))
    net.output(net.conv(net.multiply(g, f), 8, 1))
    net.output(net.upsample(net.average_pool(g), 2, "cubic"))
    net.output(net.log_softmax(net.upsample(net.average_pool(g, 4), 4, "linear")))
    net.output(net.linear(net.mean(g), 5))
    return net


def model_of(network: Network, size=(64, 96), training=None) -> Model:
    parameters, state = network.initial(1)
    state += np.random.default_rng(0).random(state.shape, np.float32) * 0.1
    return Model(network, size, parameters, state, "", {}, training or {})


MODELS = {
    "everything": lambda: model_of(everything()),
    "laptop": lambda: model_of(build("laptop"), (128, 96)),
    "paper": lambda: model_of(build("paper"), (64, 96)),
    "refinement": lambda: model_of(build_refinement("laptop", 2), training=REFINEMENT),
    "paper refinement": lambda: model_of(build_refinement("paper", 2), training=REFINEMENT),
}
# Of the largest value, against evaluation in float64: ours rounds in the transformed convolution.
BOUNDS = {"paper": 3e-5, "paper refinement": 1e-4}


def looked_at(model: Model, image: np.ndarray) -> list[np.ndarray]:
    """What scp computes, in the layout of the others."""
    grid = 2 * image - 1 if model.training else image
    return [np.moveaxis(m, 2, 0)[None] for m in model.run(grid)]


def check(ours, theirs, bound) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= bound * np.abs(b).max()


@pytest.fixture
def image():
    return np.random.default_rng(2).random((64, 96), np.float32)


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", MODELS)
def test_a_module_of_pytorch_computes_the_same(name, tmp_path, image):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing runs the module")
    model, path = MODELS[name](), tmp_path / "mine.py"
    assert export_model(model, path) == [path, tmp_path / "mine.safetensors"]
    text = path.read_text()
    imports = {n.names[0].name for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import)}
    assert "scp" not in imports and "numpy" not in imports
    module = load(path, "exported")
    net = module.Refiner() if model.training else module.Features()
    with torch.no_grad():
        theirs = [m.numpy() for m in net(torch.from_numpy(image)[None, None])]
        exact = net.double()(torch.from_numpy(image)[None, None].double())
    bound = BOUNDS.get(name, 1e-5)
    ours = looked_at(model, image)
    check(ours, theirs, bound)
    check(ours, [m.numpy() for m in exact], bound)
    if model.training:
        assert model.training["names"] == module.LANDMARKS


def test_the_pyramid_of_a_module_is_that_of_the_extractor(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing runs the module")
    pool = scp.datasets.phantom(2, seed=0, size=(64, 64))
    extractor = scp.FeatureExtractor(network=SMALL, size=(64, 64)).fit(pool, steps=2)
    extractor.export(tmp_path / "f.py")
    net = load(tmp_path / "f.py", "exported_features").Features()
    grid = pool.grid(0, (64, 64))
    pyramid = extractor.pyramid(grid)
    with torch.no_grad():
        for d, (unit, length) in enumerate(net.pyramid(torch.from_numpy(grid)[None, None])):
            features, norms = pyramid.level(d)
            assert np.abs(unit[0].numpy() - np.moveaxis(features, 2, 0)).max() < 1e-5
            assert np.allclose(length[0, 0].numpy(), norms, rtol=1e-5)
    (tmp_path / "f.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="not the weights that belong"):
        load(tmp_path / "f.py", "exported_again").Features()


@pytest.mark.parametrize("name", MODELS)
def test_onnx_computes_the_same(name, tmp_path, image):
    pytest.importorskip("onnx", reason="onnx is not installed: nothing writes the file")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model, path = MODELS[name](), tmp_path / "mine.onnx"
    assert export_model(model, path) == [path]
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"images": image[None, None]})
    check(looked_at(model, image), theirs, BOUNDS.get(name, 1e-5))
    names = json.loads(session.get_modelmeta().custom_metadata_map["landmarks"])
    assert names == model.training.get("names", [])


def test_what_is_written_without_pytorch(tmp_path, capsys):
    """Names and shapes of the weights, and code that no name in a file can change."""
    net = Network()
    x = net.input(1, name='import os\n"""')
    y = net.conv(x, 16, 3, name="self.x = os")
    z = net.conv(net.conv(y, 16, 1, name="forward"), 16, 1, name="self x = os")
    net.output(net.conv(z, 16, 1, name="2d"))
    names = layer_names(net)
    assert len(set(names)) == 5 and all(n.isidentifier() and n.isascii() for n in names)
    model = model_of(net, (32, 32))
    save_model(tmp_path / "weights.safetensors", model)
    target = tmp_path / "out.py"
    assert main(["weights", "export", str(tmp_path), "--to", str(target)]) == 0
    assert f"written: {target}, {tmp_path / 'out.safetensors'}" in capsys.readouterr().out
    tree = ast.parse(target.read_text())
    assert [n.name for n in tree.body if isinstance(n, ast.ClassDef)] == ["Features"]
    _, tensors = read_safetensors(tmp_path / "out.safetensors")
    ours = net.tensors(model.parameters, model.state)
    assert tensors[f"{names[1]}.weight"].shape == (16, 1, 3, 3)
    assert np.array_equal(
        tensors[f"{names[1]}.weight"][5, 0], ours["self.x = os.weight"][:, :, 0, 5]
    )
    assert main(["weights", "export", str(tmp_path), "--to", str(tmp_path / "x.pt")]) == 2
    assert "must end in .py or .onnx" in capsys.readouterr().err
