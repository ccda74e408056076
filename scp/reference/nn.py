"""Twin of csrc/nn: networks run and differentiated layer by layer, in the dtype of the images.

Maps are [B][H][W][C]. Layers come as the rows of struct scp_layer that `Network.layers` holds. A
forward keeps every map; backward walks the layers in reverse. No fusion, no memory plan: what the
core's plans must agree with, and what central differences check in float64.
"""

from __future__ import annotations

import numpy as np

from .. import _core
from . import conv


def taps(out: int, size: int, align: bool) -> np.ndarray:
    """Bilinear weights along one axis, [out][size]."""
    i = np.arange(out)
    if align:
        at = i * (size - 1) / (out - 1) if out > 1 else np.zeros(1)
    else:
        at = np.maximum((i + 0.5) * size / out - 0.5, 0)
    low = np.minimum(at.astype(int), size - 1)
    matrix = np.zeros((out, size))
    np.add.at(matrix, (i, low), 1 - (at - low))
    np.add.at(matrix, (i, np.minimum(low + 1, size - 1)), at - low)
    return matrix


def keys(x: np.ndarray) -> np.ndarray:
    """Keys' cubic kernel with a = -1/2 at the distances x."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    return np.where(x < 1, near, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


def upsampling(size: int, factor: int, taps: int) -> np.ndarray:
    """Weights along one axis, [size * factor][size]: what lies outside counts as zero."""
    at = (np.arange(size * factor) + 0.5) / factor - 0.5
    distance = at[:, None] - np.arange(size)
    return keys(distance) if taps == 4 else np.maximum(1 - np.abs(distance), 0)


def dropout_mask(layer: int, shape, rate: float, seed: int, step: int) -> np.ndarray:
    """What values [b][h][w][c] are multiplied by: a row of a map has a stream of its own."""
    b, h, w, c = shape
    seed = (seed + 0x9E3779B97F4A7C15 * step) % 2**64
    rows = [_core.random_words(seed, (layer << 32) + k, w * c) for k in range(b * h)]
    keep = (np.array(rows) >> 8) * np.float32(2**-24) >= np.float32(rate)
    return keep.reshape(shape) / (1 - rate)


def geometry(layer) -> conv.Geometry:
    return conv.Geometry(
        layer.stride, layer.dilation, layer.pad_y, layer.pad_x, layer.op == "transposed"
    )


class Twin:
    """A network in NumPy.

    Args:
        layers, blocks: of the Network. parameters: float [P]. state: float [S], updated in place
            when training.
        train: batch statistics instead of running ones; dropout (drawn from seed and step).
    """

    def __init__(self, layers, blocks, outputs, parameters, state, train: bool = True):
        self.layers, self.blocks, self.outputs = layers, np.asarray(blocks), list(outputs)
        self.parameters, self.state, self.train = parameters, state, train
        self.maps: list[np.ndarray] = []
        self.cache: dict[int, tuple] = {}

    def block(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        at, n, state_at, n_state = self.blocks[i]
        return self.parameters[at : at + n], self.state[state_at : state_at + n_state]

    def weights(self, i: int) -> tuple[np.ndarray, np.ndarray | None]:
        layer, (values, _) = self.layers[i], self.block(i)
        c_in = self.maps[layer.inputs[0]].shape[3]
        n = layer.kernel_y * layer.kernel_x * c_in * layer.channels
        shape = layer.kernel_y, layer.kernel_x, c_in, layer.channels
        return values[:n].reshape(shape), values[n:] if layer.bias else None

    def norm(self, i: int, x: np.ndarray) -> np.ndarray:
        layer, (values, state) = self.layers[i], self.block(i)
        axes = (0, 1, 2) if layer.op == "batch_norm" else (1, 2)
        c = x.shape[3]
        gamma, beta = (values[:c], values[c:]) if len(values) else (np.ones(c), np.zeros(c))
        if layer.op == "batch_norm" and not self.train:
            mean, variance = state[:c], state[c:]
        else:
            mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
            if layer.op == "batch_norm" and len(state):
                n, m = x.size // c, layer.momentum
                state[:c] = (1 - m) * state[:c] + m * mean.ravel()
                state[c:] = (1 - m) * state[c:] + m * variance.ravel() * n / max(n - 1, 1)
        inverse = 1 / np.sqrt(variance + layer.epsilon)
        xhat = (x - mean) * inverse
        self.cache[i] = xhat, inverse, axes
        return (gamma * xhat + beta).astype(x.dtype)

    def norm_pull(self, i: int, dy: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        xhat, inverse, axes = self.cache[i]
        at, n = self.blocks[i][:2]
        c = dy.shape[3]
        if n:
            gradients[at : at + c] += (dy * xhat).sum((0, 1, 2))
            gradients[at + c : at + n] += dy.sum((0, 1, 2))
            dy = dy * self.parameters[at : at + c]
        mean = dy.mean(axes, keepdims=True)
        return inverse * (dy - mean - xhat * (dy * xhat).mean(axes, keepdims=True))

    def forward(self, images: np.ndarray, seed: int = 0, step: int = 0) -> list[np.ndarray]:
        """The outputs, in order of their layers."""
        self.maps = []
        for i, layer in enumerate(self.layers):
            xs = [self.maps[k] for k in layer.inputs]
            x = xs[0] if xs else images
            if layer.op in ("conv", "transposed"):
                w, bias = self.weights(i)
                x = conv.forward(x, w, bias, geometry(layer))
            elif layer.op in ("batch_norm", "instance_norm"):
                x = self.norm(i, x)
            elif layer.op == "leaky":
                x = np.where(x > 0, x, x * layer.slope).astype(x.dtype)
            elif layer.op == "sigmoid":
                x = 1 / (1 + np.exp(-x))
            elif layer.op == "tanh":
                x = np.tanh(x)
            elif layer.op == "log_softmax":
                x = x - x.max(3, keepdims=True)
                x = x - np.log(np.exp(x).sum(3, keepdims=True))
            elif layer.op == "max_pool":
                x = self._windows(x).max(3) if layer.kernel_y else self._quads(x).max(3)
            elif layer.op == "resize":
                h, w = (taps(s * layer.factor, s, layer.align) for s in x.shape[1:3])
                x = np.einsum("yi,xj,bijc->byxc", h, w, x, optimize=True).astype(x.dtype)
            elif layer.op == "upsample":
                h, w = self._upsampling(layer, x.shape)
                x = np.einsum("yi,xj,bijc->byxc", h, w, x, optimize=True).astype(x.dtype)
            elif layer.op == "average_pool":
                x = self._blocks(x, layer.factor).mean((2, 4))
            elif layer.op == "multiply":
                x = xs[0] * xs[1]
            elif layer.op == "concat":
                x = np.concatenate(xs, axis=3)
            elif layer.op == "add":
                x = xs[0] + xs[1]
            elif layer.op == "mean":
                x = x.mean((1, 2), keepdims=True)
            elif layer.op == "dropout" and self.train and layer.rate:
                self.cache[i] = dropout_mask(i, x.shape, layer.rate, seed, step)
                x = self.cache[i] * x
            self.maps.append(x)
        return [self.maps[i] for i in self.outputs]

    @staticmethod
    def _upsampling(layer, shape) -> tuple[np.ndarray, np.ndarray]:
        taps = layer.kernel_y // layer.factor
        return upsampling(shape[1], layer.factor, taps), upsampling(shape[2], layer.factor, taps)

    @staticmethod
    def _blocks(x: np.ndarray, f: int) -> np.ndarray:
        """A view [b][h][f][w][f][c] of the pixels that pooling keeps."""
        b, h, w, c = x.shape
        x = x[:, : h // f * f, : w // f * f]
        return x.reshape(b, h // f, f, w // f, f, c)

    @staticmethod
    def _quads(x: np.ndarray) -> np.ndarray:
        b, h, w, c = x.shape
        x = x[:, : h // 2 * 2, : w // 2 * 2].reshape(b, h // 2, 2, w // 2, 2, c)
        return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, h // 2, w // 2, 4, c)

    @staticmethod
    def _windows(x: np.ndarray) -> np.ndarray:
        """3 x 3 with stride 2, as [b][h][w][9][c]; -inf beyond the border."""
        h, w = ((s + 1) // 2 for s in x.shape[1:3])
        wide = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)), constant_values=-np.inf)
        taps = [wide[:, j : j + 2 * h : 2, i : i + 2 * w : 2] for j in range(3) for i in range(3)]
        return np.stack(taps, 3)

    def _window_pull(self, dy: np.ndarray, x: np.ndarray) -> np.ndarray:
        first = self._windows(x).argmax(3)  # the first of equal ones
        wide = np.zeros((x.shape[0], x.shape[1] + 3, x.shape[2] + 3, x.shape[3]), x.dtype)
        b, y, c_x, c = np.indices(dy.shape)
        np.add.at(wide, (b, 2 * y + first // 3, 2 * c_x + first % 3, c), dy)
        return wide[:, 1 : x.shape[1] + 1, 1 : x.shape[2] + 1]

    def _pool_pull(self, dy: np.ndarray, x: np.ndarray) -> np.ndarray:
        first = self._quads(x).argmax(3)  # the first of equal ones
        dx = np.zeros_like(x)
        b, y, c_x, c = np.indices(dy.shape)
        np.add.at(dx, (b, 2 * y + first // 2, 2 * c_x + first % 2, c), dy)
        return dx

    def backward(self, output_gradients) -> tuple[np.ndarray, np.ndarray]:
        """Gradients with respect to the parameters [P] and to the images."""
        gradients = np.zeros_like(self.parameters)
        grads = [np.zeros_like(m) for m in self.maps]
        for i, g in zip(self.outputs, output_gradients, strict=True):
            grads[i] += g
        for i in range(len(self.layers) - 1, 0, -1):
            layer, dy = self.layers[i], grads[i]
            xs = [self.maps[k] for k in layer.inputs]
            x = xs[0]
            if layer.op in ("conv", "transposed"):
                at, n = self.blocks[i][:2]
                w, bias = self.weights(i)
                dx = conv.backward_data(dy, w, geometry(layer), *x.shape[1:3])
                dw, db = conv.backward_weights(x, dy, geometry(layer), w.shape[:2])
                gradients[at : at + w.size] += dw.ravel()
                if bias is not None:
                    gradients[at + w.size : at + n] += db
            elif layer.op in ("batch_norm", "instance_norm"):
                dx = self.norm_pull(i, dy, gradients)
            elif layer.op == "leaky":
                dx = np.where(x > 0, dy, dy * layer.slope)
            elif layer.op == "sigmoid":
                dx = dy * self.maps[i] * (1 - self.maps[i])
            elif layer.op == "tanh":
                dx = dy * (1 - self.maps[i] ** 2)
            elif layer.op == "log_softmax":
                dx = dy - np.exp(self.maps[i]) * dy.sum(3, keepdims=True)
            elif layer.op == "max_pool":
                dx = self._window_pull(dy, x) if layer.kernel_y else self._pool_pull(dy, x)
            elif layer.op == "resize":
                h, w = (taps(s * layer.factor, s, layer.align) for s in x.shape[1:3])
                dx = np.einsum("yi,xj,byxc->bijc", h, w, dy, optimize=True)
            elif layer.op == "upsample":
                h, w = self._upsampling(layer, x.shape)
                dx = np.einsum("yi,xj,byxc->bijc", h, w, dy, optimize=True)
            elif layer.op == "average_pool":
                dx, f = np.zeros_like(x), layer.factor
                spread = dy.repeat(f, 1).repeat(f, 2) / f**2
                dx[:, : spread.shape[1], : spread.shape[2]] = spread
            elif layer.op == "multiply":
                grads[layer.inputs[1]] += dy * x
                dx = dy * xs[1]
            elif layer.op == "concat":
                ends = np.cumsum([m.shape[3] for m in xs])[:-1]
                for k, part in zip(layer.inputs, np.split(dy, ends, axis=3), strict=True):
                    grads[k] += part
                continue
            elif layer.op == "add":
                grads[layer.inputs[1]] += dy
                dx = dy
            elif layer.op == "mean":
                dx = np.broadcast_to(dy / (x.shape[1] * x.shape[2]), x.shape)
            elif layer.op == "dropout" and i in self.cache:
                dx = self.cache[i] * dy
            else:
                dx = dy
            grads[layer.inputs[0]] += dx
        return gradients, grads[0]
