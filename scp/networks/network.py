"""Networks as data: a list of layers that the core compiles and runs (csrc/include/scp/nn.h).

    net = Network()
    x = net.input(1)
    x = net.relu(net.batch_norm(net.conv(x, 32, stride=2, kernel=4, name="stem")))
    net.output(net.conv(x, 16, kernel=1, name="head"))
    parameters, state = net.initial(random_state=0)

Every method appends a layer and returns its number. The network owns no weights: these are two flat
float32 arrays, `parameters` and `state` (running statistics), in the order of `blocks`.

    (maps,) = net.run(images, parameters, state)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .. import _core
from .checks import above, pair, positive
from .initial import INITS, initial
from .plans import Plans
from .shapes import shapes

OPS = (
    "input",
    "conv",
    "transposed",
    "batch_norm",
    "instance_norm",
    "leaky",
    "sigmoid",
    "tanh",
    "max_pool",
    "resize",
    "concat",
    "add",
    "mean",
    "dropout",
    "average_pool",
    "upsample",
    "multiply",
    "log_softmax",
)
OP = {name: number for number, name in enumerate(OPS)}
KINDS = {"linear": 2, "cubic": 4}  # of upsampling: taps
MOST_LAYERS = 2000  # of a description in a file


@dataclass(frozen=True)
class Layer:
    """One layer; fields that an operator does not use are 0 (struct scp_layer)."""

    op: str
    inputs: tuple[int, ...] = ()
    channels: int = 0
    kernel_y: int = 0
    kernel_x: int = 0
    stride: int = 0
    dilation: int = 0
    pad_y: int = 0
    pad_x: int = 0
    bias: int = 0
    factor: int = 0
    align: int = 0
    slope: float = 0.0
    epsilon: float = 0.0
    momentum: float = 0.0
    rate: float = 0.0


def _kind(layer: Layer) -> str:
    """Of an upsampling layer; "" where no kind has its kernel."""
    taps = {factor * layer.factor: kind for kind, factor in KINDS.items()}
    return taps.get(layer.kernel_y, "") if layer.kernel_y == layer.kernel_x else ""


class Network:
    """Builder of a network.

    Args:
        init: how `initial` draws the weights of convolutions: "torch", U(+-1/sqrt(fan in)) for
            weights and biases, what PyTorch does by default; "he", U(+-sqrt(6 / fan in)) for
            weights and zero for biases (He et al., ICCV 2015); "he_normal", a normal distribution
            cut at two deviations, of the same variance; "small", one whose deviation is 1e-4
            before it is cut; "normal", one that is not cut, of variance 2 / fan in, and
            "normal_out", 2 / (kernel * channels of the output), both with zero biases (fan in of a
            transposed convolution: as PyTorch's, the latter). May be set between layers: it holds
            for those that follow.

    Attributes:
        layers: list of Layer. names: their names. outputs: numbers of the layers that are read.
        channels: channels of every layer's output.
    """

    def __init__(self, init: str = "torch"):
        if init not in INITS:
            raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}")
        self.init = init
        self.inits: list[str] = []
        self.layers: list[Layer] = []
        self.names: list[str] = []
        self.channels: list[int] = []
        self.outputs: list[int] = []
        self._changed()

    # ---- layers ----

    def input(self, channels: int, name: str | None = None) -> int:
        """The images, [H][W][channels]: the first layer."""
        if self.layers:
            raise ValueError("input: it must be the first layer, and there is one already")
        channels = positive("channels", channels)
        return self._add(name, channels, "input", channels=channels)

    def conv(
        self,
        x: int,
        channels: int,
        kernel: int | tuple[int, int] = 3,
        stride: int = 1,
        dilation: int = 1,
        padding: int | tuple[int, int] | str = "same",
        bias: bool = True,
        name: str | None = None,
    ) -> int:
        """Convolution. kernel: a number or (ky, kx). padding: zeros on every side, a number or
        (y, x); "same" is dilation * (kernel - 1) // 2, which keeps the size at stride 1."""
        return self._conv("conv", x, channels, kernel, stride, dilation, padding, bias, name)

    def transposed(
        self,
        x: int,
        channels: int,
        kernel: int | tuple[int, int] = 4,
        stride: int = 2,
        dilation: int = 1,
        padding: int | tuple[int, int] | str = "same",
        bias: bool = True,
        name: str | None = None,
    ) -> int:
        """Transposed convolution, output (H - 1) stride - 2 padding + dilation (kernel - 1) + 1;
        "same" makes that H * stride."""
        return self._conv("transposed", x, channels, kernel, stride, dilation, padding, bias, name)

    def linear(self, x: int, channels: int, bias: bool = True, name: str | None = None) -> int:
        """A linear layer, in every pixel by itself: a 1 x 1 convolution."""
        return self.conv(x, channels, 1, bias=bias, name=name)

    def batch_norm(
        self, x: int, epsilon: float = 1e-5, momentum: float = 0.1, name: str | None = None
    ) -> int:
        """Batch normalisation with gamma and beta; running = (1 - momentum) running + momentum
        batch (the variance unbiased)."""
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be 0 to 1, got {momentum}")
        return self._map(
            name, x, "batch_norm", epsilon=above("epsilon", epsilon), momentum=float(momentum)
        )

    def instance_norm(self, x: int, epsilon: float = 1e-5, name: str | None = None) -> int:
        """Instance normalisation, without gamma and beta."""
        return self._map(name, x, "instance_norm", epsilon=above("epsilon", epsilon))

    def relu(self, x: int, name: str | None = None) -> int:
        return self.leaky(x, 0.0, name=name)

    def leaky(self, x: int, slope: float = 0.01, name: str | None = None) -> int:
        """x > 0 ? x : slope * x."""
        if not np.isfinite(slope):
            raise ValueError(f"slope must be finite, got {slope}")
        return self._map(name, x, "leaky", slope=float(slope))

    def sigmoid(self, x: int, name: str | None = None) -> int:
        return self._map(name, x, "sigmoid")

    def tanh(self, x: int, name: str | None = None) -> int:
        return self._map(name, x, "tanh")

    def max_pool(self, x: int, kernel: int = 2, name: str | None = None) -> int:
        """2 x 2 with stride 2, an odd last row or column is left out; or kernel 3, stride 2 and a
        border of one pixel that no window takes its maximum from."""
        if kernel not in (2, 3):
            raise ValueError(f"kernel must be 2 or 3, got {kernel!r}")
        side = 3 if kernel == 3 else 0
        return self._map(name, x, "max_pool", kernel_y=side, kernel_x=side)

    def resize(self, x: int, factor: int = 2, align: bool = True, name: str | None = None) -> int:
        """Bilinear, `factor` times larger. align: corner pixels keep their place, as PyTorch's
        align_corners=True."""
        return self._map(name, x, "resize", factor=positive("factor", factor), align=int(align))

    def average_pool(self, x: int, factor: int = 2, name: str | None = None) -> int:
        """Mean of factor x factor pixels; rows and columns left over are left out."""
        return self._map(name, x, "average_pool", factor=positive("factor", factor))

    def upsample(
        self, x: int, factor: int = 2, kind: str = "linear", name: str | None = None
    ) -> int:
        """`factor` times larger by a transposed convolution whose kernel is fixed, "linear" or
        "cubic" (Keys, a = -1/2); outside the map there are zeros, where `resize` repeats the
        border."""
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        factor = positive("factor", factor)
        kernel = KINDS[kind] * factor
        return self._map(name, x, "upsample", factor=factor, kernel_y=kernel, kernel_x=kernel)

    def concat(self, *xs: int, name: str | None = None) -> int:
        """2 to 4 maps of one size, channel after channel."""
        if not 2 <= len(xs) <= 4:
            raise ValueError(f"concat: takes 2 to 4 layers, got {len(xs)}")
        channels = sum(self.channels[self._number(x)] for x in xs)
        return self._add(name, channels, "concat", *xs)

    def add(self, x: int, y: int, name: str | None = None) -> int:
        """Sum of two maps of one shape."""
        return self._pair(name, "add", x, y)

    def multiply(self, x: int, y: int, name: str | None = None) -> int:
        """Product of two maps of one shape, number by number."""
        return self._pair(name, "multiply", x, y)

    def mean(self, x: int, name: str | None = None) -> int:
        """Mean over all pixels: a 1 x 1 map."""
        return self._map(name, x, "mean")

    def dropout(self, x: int, rate: float = 0.5, name: str | None = None) -> int:
        """In training each value is zero with probability rate, else divided by 1 - rate."""
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be at least 0 and below 1, got {rate}")
        return self._map(name, x, "dropout", rate=float(rate))

    def log_softmax(self, x: int, name: str | None = None) -> int:
        """x - log(sum(exp(x))) over the channels of each pixel."""
        return self._map(name, x, "log_softmax")

    def output(self, x: int) -> int:
        """Marks a layer as read by the caller. Outputs come in the order of their layers."""
        if self._number(x) in self.outputs:
            raise ValueError(f"output: layer {self.names[x]} is an output already")
        self.outputs = sorted([*self.outputs, int(x)])
        self._changed()
        return x

    # ---- what the core reads ----

    @property
    def ints(self) -> np.ndarray:
        """int32 [n][16]: op, 4 inputs (-1: none), channels, kernel y x, stride, dilation, pad y x,
        bias, factor, align, output."""
        rows = []
        for i, l in enumerate(self.layers):
            inputs = [*l.inputs, *[-1] * (4 - len(l.inputs))]
            rows.append(
                [
                    OP[l.op],
                    *inputs,
                    l.channels,
                    l.kernel_y,
                    l.kernel_x,
                    l.stride,
                    l.dilation,
                    l.pad_y,
                    l.pad_x,
                    l.bias,
                    l.factor,
                    l.align,
                    int(i in self.outputs),
                ]
            )
        return np.array(rows, np.int32).reshape(-1, 16)

    @property
    def floats(self) -> np.ndarray:
        """float32 [n][4]: slope, epsilon, momentum, rate."""
        rows = [[l.slope, l.epsilon, l.momentum, l.rate] for l in self.layers]
        return np.array(rows, np.float32).reshape(-1, 4)

    def graph(self) -> object:
        """The core's Graph, made on first use."""
        if self._graph is None:
            if not self.outputs:
                raise ValueError("network: it has no output")
            table = np.hstack([self.ints, self.floats.view(np.int32)])
            self._graph = _core.graph_create(np.ascontiguousarray(table))
        return self._graph

    @property
    def blocks(self) -> np.ndarray:
        """int64 [n][4]: offset and number of a layer's parameters, offset and number of its state.

        Convolutions: weights [ky][kx][in][out], then bias; batch norm: gamma, beta; state: mean,
        variance.
        """
        counts = np.zeros((len(self.layers), 2), np.int64)
        for i, l in enumerate(self.layers):
            if l.op in ("conv", "transposed"):
                weights = l.kernel_y * l.kernel_x * self.channels[l.inputs[0]] * l.channels
                counts[i, 0] = weights + l.bias * l.channels
            elif l.op == "batch_norm":
                counts[i] = 2 * self.channels[i]
        ends = np.cumsum(counts, axis=0)
        return np.stack(
            [ends[:, 0] - counts[:, 0], counts[:, 0], ends[:, 1] - counts[:, 1], counts[:, 1]],
            axis=1,
        )

    @property
    def n_parameters(self) -> int:
        return sum(self.blocks[:, 1].tolist())

    @property
    def n_state(self) -> int:
        return sum(self.blocks[:, 3].tolist())

    @property
    def image_channels(self) -> int:
        """Channels of the images."""
        return self.layers[0].channels

    def __eq__(self, other: object) -> bool:
        """The same layers, by the same names."""
        if not isinstance(other, Network):
            return NotImplemented
        return self is other or self.describe() == other.describe()

    __hash__ = None  # layers may still be added

    def digest(self) -> str:
        """SHA-256 of the structure: equal for networks that take the same weights."""
        content = hashlib.sha256(self.ints.astype("<i4").tobytes())
        content.update(self.floats.astype("<f4").tobytes())
        return content.hexdigest()

    def describe(self) -> dict[str, Any]:
        """The structure as plain values, for a file; `Network.from_description` reads it."""
        plain = Layer("")
        layers = []
        for name, l in zip(self.names, self.layers, strict=True):
            entry = {"op": l.op, "name": name, "inputs": list(l.inputs)}
            for f in fields(Layer)[2:]:
                if getattr(l, f.name) != getattr(plain, f.name):
                    entry[f.name] = getattr(l, f.name)
            layers.append(entry)
        return {"layers": layers, "outputs": self.outputs}

    @classmethod
    def from_description(cls, content: dict[str, Any]) -> Network:
        """The network that `describe` told of; every layer is checked as when it was built."""
        net = cls()
        try:
            if len(content["layers"]) > MOST_LAYERS:
                raise ValueError(f"network: more than {MOST_LAYERS} layers")
            for entry in content["layers"]:
                net._replay(**entry)
            for number in content["outputs"]:
                net.output(number)
        except (TypeError, KeyError, AttributeError, OverflowError) as error:
            raise ValueError(f"network: not a description of layers: {error}") from None
        return net

    def shapes(self, height: int, width: int) -> np.ndarray:
        """int64 [n][4]: height, width, channels and multiply-adds of every layer for one image.

        Only the products of convolutions are counted. Raises ValueError naming the layer whose
        inputs do not fit.
        """
        return shapes(self, height, width)

    # ---- weights ----

    def initial(self, random_state: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Fresh parameters float32 [P] and state float32 [S]; they depend on random_state only."""
        return initial(self, random_state)

    def tensors(self, parameters: np.ndarray, state: np.ndarray) -> dict[str, np.ndarray]:
        """Views of all weights by name: "LAYER.weight" [ky][kx][in][out], "LAYER.bias" [out] of
        convolutions; "LAYER.gamma", "LAYER.beta", "LAYER.mean", "LAYER.variance" [C]."""
        out = {}
        for i, (l, block) in enumerate(zip(self.layers, self.blocks, strict=True)):
            at, n, state_at, _ = (int(v) for v in block)
            name, c = self.names[i], self.channels[i]
            if l.op == "batch_norm":
                out[f"{name}.gamma"] = parameters[at : at + c]
                out[f"{name}.beta"] = parameters[at + c : at + n]
                out[f"{name}.mean"] = state[state_at : state_at + c]
                out[f"{name}.variance"] = state[state_at + c : state_at + 2 * c]
            elif n:
                shape = l.kernel_y, l.kernel_x, self.channels[l.inputs[0]], c
                weights = n - l.bias * c
                out[f"{name}.weight"] = parameters[at : at + weights].reshape(shape)
                if l.bias:
                    out[f"{name}.bias"] = parameters[at + weights : at + n]
        return out

    # ---- running ----

    def run(
        self, images: np.ndarray, parameters: np.ndarray, state: np.ndarray
    ) -> list[np.ndarray]:
        """What the network answers, as after training: a map per output, in their order.

        Args:
            images: [H][W], or several [N][H][W]; or with their channels, [N][H][W][C]. Grey images
                go into every channel. Values as the network learned them: 0..1 with the presets.
            parameters, state: its weights, of `initial` or a `Model`.

        Returns:
            float32 [h][w][c] for one image [H][W], else [N][h][w][c]. Any number of threads may
            call this at the same time.
        """
        self._plans = self._plans or Plans(self)
        return self._plans.run(images, parameters, state)

    def __getstate__(self) -> dict[str, Any]:
        """The layers; what the core made of them is made again."""
        return {**vars(self), "_graph": None, "_plans": None}

    # ---- inside ----

    def _changed(self) -> None:
        self._graph: object | None = None  # of the core
        self._plans: Plans | None = None

    def _replay(self, op, name, inputs, **values) -> None:
        l = Layer(op, **values)
        if op == "input":
            self.input(l.channels, name)
        elif op in ("conv", "transposed"):
            kernel, pads = (l.kernel_y, l.kernel_x), (l.pad_y, l.pad_x)
            self._conv(op, *inputs, l.channels, kernel, l.stride, l.dilation, pads, l.bias, name)
        else:
            options = {
                "batch_norm": {"epsilon": l.epsilon, "momentum": l.momentum},
                "instance_norm": {"epsilon": l.epsilon},
                "leaky": {"slope": l.slope},
                "max_pool": {"kernel": l.kernel_y or 2},
                "resize": {"factor": l.factor, "align": l.align},
                "dropout": {"rate": l.rate},
                "average_pool": {"factor": l.factor},
                "upsample": {"factor": l.factor, "kind": _kind(l)} if op == "upsample" else {},
            }
            if op not in OPS:
                raise ValueError(f"op must be one of {', '.join(OPS)}, got {op!r}")
            getattr(self, op)(*inputs, name=name, **options.get(op, {}))

    def _add(self, name: str | None, width: int, op: str, *inputs: int, **fields) -> int:
        if op != "input" and not self.layers:
            raise ValueError(f"{op}: the first layer must be an input")
        number = len(self.layers)
        name = name or f"{op}{number}"
        if name in self.names:
            raise ValueError(f"name: there is a layer called {name!r} already")
        numbers = tuple(self._number(x) for x in inputs)
        positive("channels", width)
        self.layers.append(Layer(op, numbers, **fields))
        self.names.append(name)
        self.channels.append(width)
        self.inits.append(self.init)
        self._changed()
        return number

    def _map(self, name, x, op, **fields) -> int:
        return self._add(name, self.channels[self._number(x)], op, x, **fields)

    def _pair(self, name, op, x, y) -> int:
        a, b = (self.channels[self._number(v)] for v in (x, y))
        if a != b:
            raise ValueError(f"{op}: both layers must have the same channels, got {a} and {b}")
        return self._add(name, a, op, x, y)

    def _conv(self, op, x, channels, kernel, stride, dilation, padding, bias, name) -> int:
        channels = positive("channels", channels)
        stride, dilation = positive("stride", stride), positive("dilation", dilation)
        kernel = tuple(positive("kernel", k) for k in pair("kernel", kernel))
        if padding == "same":
            spare = [dilation * (k - 1) + 1 - (stride if op == "transposed" else 1) for k in kernel]
            if op == "transposed" and any(s < 0 or s % 2 for s in spare):
                raise ValueError(
                    f"padding: 'same' needs kernel - stride even and not negative, got kernel "
                    f"{kernel} and stride {stride}"
                )
            pads = tuple(s // 2 for s in spare)
        else:
            pads = pair("padding", padding)
            if any(p < 0 for p in pads):
                raise ValueError(f"padding must be 'same' or at least 0, got {padding}")
        return self._add(
            name,
            channels,
            op,
            x,
            channels=channels,
            kernel_y=kernel[0],
            kernel_x=kernel[1],
            stride=stride,
            dilation=dilation,
            pad_y=pads[0],
            pad_x=pads[1],
            bias=int(bool(bias)),
        )

    def _number(self, x) -> int:
        if isinstance(x, bool) or not isinstance(x, (int, np.integer)):
            raise TypeError(f"layer: expected the number of a layer, got {x!r}")
        if not 0 <= x < len(self.layers):
            raise ValueError(f"layer: {x} is not the number of a layer before this one")
        return int(x)
