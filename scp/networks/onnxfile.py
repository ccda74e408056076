"""A network as an ONNX model, by the helpers of the onnx package."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .._version import __version__
from .network import Layer, Network

OPSET, IR = 17, 8  # of 2022: what runtimes have read since
SIMPLE = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "add": "Add",
    "multiply": "Mul",
    "mean": "GlobalAveragePool",
    "dropout": "Identity",  # after training
}


def onnx_model(
    network: Network,
    names: list[str],
    tensors: dict[str, np.ndarray],
    *,
    size: tuple[int, int],
    scale: float,
    shift: float,
    landmarks: list[str],
) -> Any:
    """The model, an onnx.ModelProto, checked: input "images" [B][1][H][W] in 0..1, outputs
    "level0", .., coarsest first, or "maps".

    names: of the layers; tensors: weights by these, in the layout of PyTorch; size, scale, shift,
    landmarks: what is known of the model.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise ImportError(
            "onnx is not installed: pip install 'sample-choosing-policy[onnx]' (or onnx)"
        ) from None
    weights = [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()]
    nodes: list[Any] = []

    def constant(name: str, values: Any) -> str:
        weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def node(op: str, inputs: list[str], output: str, **options: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [output], name=output, **options))
        return output

    for number, (layer, name) in enumerate(zip(network.layers, names, strict=True)):
        if layer.op == "input":
            pixels = "images"
            if (scale, shift) != (1, 0):
                pixels = node("Mul", [pixels, constant("scale", scale)], "scaled")
                pixels = node("Add", [pixels, constant("shift", shift)], "shifted")
            node("Concat", [pixels] * layer.channels, name, axis=1)
            continue
        width, inputs = network.channels[number], [names[k] for k in layer.inputs]
        _append(layer, name, inputs, width, tensors, constant, node)
    outputs, ends = [], []
    for d, number in enumerate(network.outputs):
        name = "maps" if landmarks else f"level{d}"
        ends.append(helper.make_node("Identity", [names[number]], [name]))
        shape = ["B", network.channels[number], None, None]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["B", 1, "H", "W"])
    graph = helper.make_graph(nodes + ends, "scp", [images], outputs, weights)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="scp",
        producer_version=__version__,
    )
    helper.set_model_props(model, {"size": json.dumps(size), "landmarks": json.dumps(landmarks)})
    onnx.checker.check_model(model)
    return model


def _append(layer: Layer, name: str, inputs, width: int, tensors, constant, node) -> None:
    """The node of one layer."""
    if layer.op in ("conv", "transposed"):
        parts = [f"{name}.{part}" for part in ("weight", "bias") if f"{name}.{part}" in tensors]
        node(
            "Conv" if layer.op == "conv" else "ConvTranspose",
            inputs + parts,
            name,
            kernel_shape=[layer.kernel_y, layer.kernel_x],
            strides=[layer.stride] * 2,
            dilations=[layer.dilation] * 2,
            pads=[layer.pad_y, layer.pad_x] * 2,
        )
    elif layer.op == "batch_norm":
        parts = [f"{name}.{p}" for p in ("weight", "bias", "running_mean", "running_var")]
        node("BatchNormalization", inputs + parts, name, epsilon=layer.epsilon)
    elif layer.op == "instance_norm":
        one, zero = constant(f"{name}.one", [1] * width), constant(f"{name}.zero", [0] * width)
        node("InstanceNormalization", [*inputs, one, zero], name, epsilon=layer.epsilon)
    elif layer.op == "leaky":
        slope = {"alpha": layer.slope} if layer.slope else {}
        node("LeakyRelu" if slope else "Relu", inputs, name, **slope)
    elif layer.op == "upsample":
        spare = (layer.kernel_y - layer.factor) // 2
        node(
            "ConvTranspose",
            [*inputs, f"{name}.weight"],
            name,
            kernel_shape=[layer.kernel_y] * 2,
            strides=[layer.factor] * 2,
            pads=[spare] * 4,
            group=width,
        )
    elif layer.op == "log_softmax":
        node("LogSoftmax", inputs, name, axis=1)
    elif layer.op == "max_pool":
        side, pad = (3, 1) if layer.kernel_y == 3 else (2, 0)
        node("MaxPool", inputs, name, kernel_shape=[side] * 2, strides=[2, 2], pads=[pad] * 4)
    elif layer.op == "average_pool":
        sides = [layer.factor] * 2
        node("AveragePool", inputs, name, kernel_shape=sides, strides=sides)
    elif layer.op == "resize":
        node(
            "Resize",
            [*inputs, "", constant(f"{name}.scales", [1, 1, layer.factor, layer.factor])],
            name,
            mode="linear",
            coordinate_transformation_mode="align_corners" if layer.align else "half_pixel",
        )
    elif layer.op == "concat":
        node("Concat", inputs, name, axis=1)
    else:
        node(SIMPLE[layer.op], inputs, name)
